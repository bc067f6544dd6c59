//! Results of a fan-out while it runs, bounded: an item is pulled only when there is room for its
//! result.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use super::budget::Weigh;
use super::feed::{Claim, Feed};
use super::hand::Hand;
use super::strand::{InHand, Next, Strand, Work, start};
use super::window::{Order, Window};
use super::{AsyncFanOut, AsyncInside};
use crate::cancelled::Cancelled;
use crate::context;
use crate::futures::place::{Holds, Place, Polls};
use crate::futures::results_spawner::held_open;
use crate::futures::shared::Shared;
use crate::outcome::{Payload, discard, drop_caught};
use crate::task_info::{Label, TaskInfo};

/// The work of a fan-out whose results are read while it runs.
pub(crate) struct Streaming<P, I, W, F, Fut>
where
    P: Polls,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future,
{
    shared: Arc<Shared<P>>,
    label: Label,
    feed: Feed<I, W>,
    function: F,
    window: Window<Fut::Output>,
    post: fn(InHand<Self>, u64),
    future: PhantomData<fn() -> Fut>,
}

/// The number of whoever helps, among those who wait.
const HELPER: u64 = u64::MAX;

impl<P, I, W, F, Fut> Streaming<P, I, W, F, Fut>
where
    P: Polls,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future,
{
    fn enter_panic(&self, index: u64, payload: Payload) {
        enter_panic(&self.shared, &self.label, index, payload);
    }

    /// Lays the result of an item, if it has one, where it is read.
    fn put(&self, index: u64, result: Option<Fut::Output>) {
        if let Err(payload) = drop_caught(self.window.put(index, result)) {
            self.enter_panic(index, payload);
        }
    }
}

/// Enters what an item, or a drop, has thrown: it is the scope's, if that has not ended.
fn enter_panic<P: Polls>(shared: &Shared<P>, label: &Label, index: u64, payload: Payload) {
    if shared.group.count() == 0 {
        return discard(payload);
    }
    let task = TaskInfo::new(index, label.clone());
    let (_, failure) = shared.panicked(payload, &task);
    if let Some((payload, order)) = failure {
        shared.stray(task, payload, order);
    }
}

impl<P, I, W, F, Fut> Work for Streaming<P, I, W, F, Fut>
where
    P: Polls,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future,
{
    type Place = P;
    type Item = I::Item;
    type Future = Fut;
    type Kept = ();

    fn keeps(&self) {}

    fn shared(&self) -> &Arc<Shared<P>> {
        &self.shared
    }

    fn label(&self) -> &Label {
        &self.label
    }

    /// A strand that finds no room ends, and so gives its slot back to the scope. Whoever makes room
    /// looks then whether there are as many as there may be.
    fn claim(&self, who: u64, waker: &Waker, hand: &mut Hand<I::Item>) -> Claim {
        loop {
            let Some(more) = self.window.enter() else {
                self.feed.dismiss(hand);
                if self.window.has_room() && self.feed.rejoin(hand) {
                    continue;
                }
                return Claim::Leave;
            };
            hand.recruits = more && hand.counts;
            let claim = self.feed.claim(who, waker, hand);
            match claim {
                Claim::Items(_) | Claim::Broken(..) => {}
                // There may be an item in hand, for which the room is.
                Claim::Panicked(..) if !hand.items.is_empty() => {}
                Claim::Wait | Claim::Panicked(..) => self.window.retreat(false),
                Claim::Leave => self.window.retreat(self.feed.is_empty()),
            }
            return claim;
        }
    }

    fn give_back(&self, hand: &mut Hand<I::Item>) -> Option<u64> {
        self.feed.give_back(hand)
    }

    fn skips(&self, _: u64) -> bool {
        self.shared.is_cancelled()
    }

    fn stop(&self) -> Option<Payload> {
        self.feed.stop()
    }

    fn call(&self, item: I::Item) -> Fut {
        (self.function)(item)
    }

    fn settle(&self, (): &mut (), index: u64, output: Fut::Output, _: bool) {
        self.put(index, Some(output));
    }

    fn broken(&self, index: u64, payload: Payload) {
        self.enter_panic(index, payload);
        self.put(index, None);
    }

    fn panicked(&self, index: u64, payload: Payload) {
        self.enter_panic(index, payload);
    }

    fn hand_in(&self, (): ()) {}

    fn tell(&self, hand: &mut Hand<I::Item>) {
        self.feed.dismiss(hand);
    }

    fn finish(self) {
        let Streaming { shared, label, feed, function, window, .. } = self;
        let mut thrown = feed.clear();
        thrown.extend(drop_caught(function).err());
        thrown.extend(window.close().filter_map(|result| drop_caught(result).err()));
        thrown.into_iter().for_each(|payload| enter_panic(&shared, &label, 0, payload));
    }

    fn post(&self) -> fn(InHand<Self>, u64) {
        self.post
    }

    fn enlist(&self) -> u64 {
        self.feed.enlist()
    }
}

type Works<P, I, W, F, Fut> = Arc<Streaming<P, I, W, F, Fut>>;
type Helping<P, I, W, F, Fut> = InHand<Streaming<P, I, W, F, Fut>>;

/// The reading end.
pub(crate) struct Reading<P: Polls, I: Iterator, W, F, Fut: Future>
where
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
{
    /// None from its drop on.
    work: Option<Works<P, I, W, F, Fut>>,
    order: Order,
    waker: Waker,
    cancelled: Cancelled,
    /// An item that is handled by who reads, in that one's slot.
    helping: Option<Helping<P, I, W, F, Fut>>,
}

impl<P, I, W, F, Fut> Reading<P, I, W, F, Fut>
where
    P: Place + Holds<Strand<Streaming<P, I, W, F, Fut>>>,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future,
{
    /// Begins.
    pub(crate) fn new(
        fan_out: AsyncFanOut<I, P, W, AsyncInside<P>>,
        function: F,
        order: Order,
    ) -> Self {
        let most = fan_out.most();
        let shared = Arc::clone(&fan_out.place.0);
        let label =
            Label::named(fan_out.options.name.as_deref().unwrap_or("fan_out"), fan_out.site);
        let window = Window::new(most);
        let waker = Waker::from(Arc::clone(&window.signal));
        let cancelled = Cancelled::of(&shared.node);
        let work = Arc::new(Streaming {
            shared,
            label,
            feed: Feed::new(fan_out.items, fan_out.weigh, most, most).one_by_one(),
            function,
            window,
            post: start,
            future: PhantomData,
        });
        // Each strand starts the next, as long as there is room.
        start(InHand::new(&work, true), 0);
        Reading { work: Some(work), order, waker, cancelled, helping: None }
    }
}

impl<P, I, W, F, Fut> Reading<P, I, W, F, Fut>
where
    P: Polls,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future,
{
    fn poll_next_result(&mut self, context: &mut Context<'_>) -> Poll<Option<(u64, Fut::Output)>> {
        let Some(work) = self.work.clone() else { return Poll::Ready(None) };
        work.window.signal.awake(context.waker());
        let mut own = Context::from_waker(&self.waker);
        let mut rounds = 0;
        loop {
            let found = work.window.take(self.order);
            if found.has_room && !work.shared.is_cancelled() {
                if let Some(number) = work.feed.recruit() {
                    (work.post)(InHand::new(&work, true), number);
                }
            }
            if let Some(result) = found.result {
                return Poll::Ready(result);
            }
            if Pin::new(&mut self.cancelled).poll(&mut own).is_ready() {
                return Poll::Ready(None);
            }
            let helps = help(&work, &mut self.helping, &mut own);
            if !helps && work.window.signal.sleep() {
                return Poll::Pending;
            }
            // Others get a turn where items are ready at once and give no result, and where one
            // wakes itself again and again.
            rounds += if helps { 1 } else { TURN / ROUNDS };
            if rounds >= TURN {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

/// How many items are handled by who reads before others get a turn.
const TURN: usize = 32;

/// How often who reads looks for more, where an item waits that he has in hand, before others get a
/// turn.
const ROUNDS: usize = 2;

/// Handles an item here, if a task of a limited scope is about to wait for the strands: there may be
/// no slot but its own. Returns whether one has ended.
fn help<W: Work>(
    work: &Arc<W>,
    helping: &mut Option<InHand<W>>,
    context: &mut Context<'_>,
) -> bool {
    let shared = work.shared();
    let in_slot = context::is_in_a_task_of(&shared.node);
    if !in_slot {
        // It goes on in a slot of its own.
        hand_over(helping);
        return false;
    }
    if helping.is_none() && shared.limit() == usize::MAX {
        return false;
    }
    let in_hand = helping.get_or_insert_with(|| InHand::new(work, false));
    let place = context::enter_to_poll(&shared.node, context::Role::Task);
    let next = in_hand.run(HELPER, context, 1);
    // Nobody knows when it is polled again.
    in_hand.tell();
    drop(place);
    next == Next::Item
}

/// Starts a strand for an item that is in the hands of who has helped.
fn hand_over<W: Work>(helping: &mut Option<InHand<W>>) {
    if helping.as_ref().is_some_and(InHand::has_item) {
        helping.take().into_iter().for_each(InHand::go_on);
    }
}

impl<P: Polls, I: Iterator, W, F, Fut: Future> Drop for Reading<P, I, W, F, Fut>
where
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
{
    /// Lets go of everything, which may panic: that is the scope's. If that has ended, there is
    /// nobody to tell.
    fn drop(&mut self) {
        let Some(work) = self.work.take() else { return };
        let shared = Arc::clone(&work.shared);
        held_open(&shared, || {
            let results = work.window.close();
            let thrown = results.filter_map(|result| drop_caught(result).err());
            let thrown: Vec<_> = thrown.chain(work.feed.stop()).collect();
            thrown.into_iter().for_each(|payload| work.enter_panic(0, payload));
            if !shared.is_cancelled() {
                hand_over(&mut self.helping);
            }
            self.helping.take().into_iter().for_each(InHand::end);
            work.window.signal.dismiss();
            if let Some(work) = Arc::into_inner(work) {
                work.finish();
            }
        });
    }
}

/// How a place holds a reading end, which says where that may go. The type names nothing of what is
/// borrowed but how long that lives: of a future that holds anything else the compiler could not tell
/// whether it is `Send`.
pub(crate) trait Streams {
    type Reader<R>: Reads<R> + ?Sized;
}

/// A reading end as its holder sees it.
pub(crate) trait Reads<R> {
    fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Option<(u64, R)>>;
}

impl<P, I, W, F, Fut> Reads<Fut::Output> for Reading<P, I, W, F, Fut>
where
    P: Polls,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future,
{
    fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<Option<(u64, Fut::Output)>> {
        self.poll_next_result(context)
    }
}

/// A [`Stream`] of results as they are completed, with the indices of their items. Made by the verb
/// `as_completed` of a fan-out in a scope; see [`AsyncFanOut`](crate::AsyncFanOut).
///
/// Dropping it drops the items that have not begun, and the results that nobody took; items that have
/// begun go on, and the scope waits for them.
#[must_use = "nobody reads the results: `for_each` is for that"]
pub struct AsyncAsCompleted<P: Place, R>(Box<P::Reader<R>>);

/// A [`Stream`] of results in the order of their items. Made by the verb `in_order` of a fan-out in a
/// scope. Dropping it is as for [`AsyncAsCompleted`].
#[must_use = "nobody reads the results: `for_each` is for that"]
pub struct AsyncInOrder<P: Place, R>(Box<P::Reader<R>>);

impl<P: Place, R> AsyncAsCompleted<P, R> {
    pub(crate) fn new(reading: Box<P::Reader<R>>) -> Self {
        AsyncAsCompleted(reading)
    }
}

impl<P: Place, R> AsyncInOrder<P, R> {
    pub(crate) fn new(reading: Box<P::Reader<R>>) -> Self {
        AsyncInOrder(reading)
    }
}

impl<P: Place, R> Stream for AsyncAsCompleted<P, R> {
    type Item = (usize, R);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let index = |index| usize::try_from(index).unwrap_or(usize::MAX);
        let taken = self.get_mut().0.poll_take(context);
        taken.map(|taken| taken.map(|(number, result)| (index(number), result)))
    }
}

impl<P: Place, R> Stream for AsyncInOrder<P, R> {
    type Item = R;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Where an item gave no result, because its panic was caught, the next one follows.
        self.get_mut().0.poll_take(context).map(|taken| taken.map(|(_, result)| result))
    }
}

impl<P: Place, R> fmt::Debug for AsyncAsCompleted<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncAsCompleted").finish_non_exhaustive()
    }
}

impl<P: Place, R> fmt::Debug for AsyncInOrder<P, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncInOrder").finish_non_exhaustive()
    }
}
