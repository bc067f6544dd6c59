//! A strand of a fan-out: one child of its scope, which handles one item after the other.
//!
//! A strand is no task of the ledger: the items are. The place polls and drops it as it does a
//! [`Cell`](crate::futures::cell::Cell).

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wg_core::OwnedToken;
use wg_core::sync::Mutex;

use super::feed::Claim;
use super::hand::{Hand, Pulled};
use crate::context::{self, Role};
use crate::futures::cell::{DEEP, Drive, Whose};
use crate::futures::child::{Child, Here};
use crate::futures::line::Key;
use crate::futures::place::{Holds, Polls};
use crate::futures::shared::Shared;
use crate::outcome::{Payload, discard, drop_caught};
use crate::task_info::{Label, Stamp, TaskInfo};
use crate::timeline::OutcomeKind;

/// How many items a strand handles before others get a turn, where none of them waits.
const TURN: usize = 128;

/// How many items are handled before others get a turn, at least: of several it is known whether they take
/// long.
const FEW: usize = 2;

/// For how many items those count that were pulled together, at most: in the time that they take
/// together, nobody waits for a turn long.
const TOGETHER: usize = 16;

/// What the strands of one fan-out work on: where items come from, and what becomes of them. The
/// last that holds it [finishes](Self::finish) it.
pub(crate) trait Work: Sized {
    type Place: Polls;
    type Item;
    type Future: Future;

    /// What a strand keeps to itself until it ends.
    type Kept;

    /// What a strand keeps at its beginning.
    fn keeps(&self) -> Self::Kept;

    fn shared(&self) -> &Arc<Shared<Self::Place>>;

    fn label(&self) -> &Label;

    /// Takes items in hand, for the strand `who`.
    fn claim(&self, who: u64, waker: &Waker, hand: &mut Hand<Self::Item>) -> Claim;

    /// Takes back what is in hand and has not begun. Returns the number of a strand that is to be
    /// started for it.
    fn give_back(&self, hand: &mut Hand<Self::Item>) -> Option<u64>;

    /// Enters what was finished, before others get a turn.
    fn pause(&self, _hand: &mut Hand<Self::Item>) {}

    /// Whether an item that was claimed is not to begin all the same: as all is cancelled, or as it is
    /// not wanted any more.
    fn skips(&self, index: u64) -> bool;

    /// Pulls nothing more. Returns what that has thrown.
    fn stop(&self) -> Option<Payload>;

    fn call(&self, item: Self::Item) -> Self::Future;

    /// Whether what an item's future is ready with is an error.
    fn is_error(_output: &<Self::Future as Future>::Output) -> bool {
        false
    }

    /// Enters what an item's future was ready with. `told`: its error may be the echo of a cancel.
    /// The item with this index was claimed by this strand, and is settled once.
    fn settle(&self, kept: &mut Self::Kept, index: u64, output: Output<Self>, told: bool);

    /// Enters that an item ended with a panic.
    fn broken(&self, index: u64, payload: Payload);

    /// Enters a panic that ends no item.
    fn panicked(&self, index: u64, payload: Payload);

    /// Takes what a strand has kept, when it ends.
    fn hand_in(&self, kept: Self::Kept);

    /// Drops all of the user's that is not a result, and enters what the drops throw.
    fn finish(self);

    /// Enters what somebody has finished who helps.
    fn tell(&self, _hand: &mut Hand<Self::Item>) {}

    /// Starts one more strand. Here, because who polls a strand does not know what its place holds.
    fn post(&self) -> fn(InHand<Self>, u64);

    /// Enters a strand that begins with an item in hand, and returns its number.
    fn enlist(&self) -> u64;
}

/// What the future of an item is ready with.
type Output<W> = <<W as Work>::Future as Future>::Output;

/// An item in the making, and what lies behind it.
pub(crate) struct InHand<W: Work> {
    pub(super) work: Arc<W>,
    /// What became of the item. The place is used again for every item.
    future: Pin<Box<Option<W::Future>>>,
    index: u64,
    weight: u64,
    /// When it began.
    began: Stamp,
    /// Whether it was told that it is stopped.
    told: bool,
    hand: Hand<W::Item>,
    kept: W::Kept,
}

pub(crate) struct Strand<W: Work> {
    shared: Arc<Shared<W::Place>>,
    label: Label,
    number: u64,
    stage: Mutex<Stage<W>>,
}

enum Stage<W: Work> {
    /// Not in the hands of its place yet.
    Waiting(Rest<W>),
    Driven(Rest<W>),
    /// Somebody polls it.
    Polled,
    Ended,
}

/// What is left of a strand that has not ended.
struct Rest<W: Work> {
    in_hand: InHand<W>,
    token: OwnedToken,
    key: Option<Key>,
}

/// What a strand does next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    Item,
    Wait,
    End,
}

/// Starts the strand with this number. If its scope has ended, it ends at once.
pub(super) fn start<W>(in_hand: InHand<W>, number: u64)
where
    W: Work,
    W::Place: Holds<Strand<W>>,
{
    let shared = Arc::clone(in_hand.work.shared());
    if let Some(strand) = strand(in_hand, number) {
        shared.submit(strand, false);
    }
}

/// Makes a strand that nobody has started. If its scope has ended, it ends at once.
fn strand<W>(in_hand: InHand<W>, number: u64) -> Option<<W::Place as Polls>::Child>
where
    W: Work,
    W::Place: Holds<Strand<W>>,
{
    let shared = Arc::clone(in_hand.work.shared());
    let label = in_hand.work.label().clone();
    let Some(token) = shared.token() else {
        in_hand.end();
        return None;
    };
    let stage = Mutex::new(Stage::Waiting(Rest { in_hand, token, key: None }));
    let strand = Strand { shared, label, number, stage };
    Some(<W::Place as Holds<Strand<W>>>::child(Arc::new(strand)))
}

/// The first strand of a fan-out, as long as it is in the hands of the one who awaits that: ready when it has
/// ended, or goes on elsewhere.
///
/// Where strands are polled by others, whom it takes a while to wake, it handles items here until one
/// waits. Nothing that has begun and waits stays here: whoever awaits a fan-out may stop polling it for a
/// while, and wait for what such an item holds. Where many are polled inside each other it does not begin
/// here at all: items may be fan-outs, of any depth.
pub(super) struct First<P: Polls> {
    shared: Arc<Shared<P>>,
    strand: Option<P::Child>,
}

/// Begins the first strand.
pub(super) fn first<W>(in_hand: InHand<W>) -> First<W::Place>
where
    W: Work,
    W::Place: Holds<Strand<W>>,
{
    let shared = Arc::clone(in_hand.work.shared());
    let mut strand = strand(in_hand, 0);
    if !shared.place.lends_a_hand() {
        strand.take().into_iter().for_each(|strand| shared.submit(strand, false));
    }
    First { shared, strand }
}

impl<P: Polls> Unpin for First<P> {}

impl<P: Polls> Future for First<P> {
    type Output = Arc<Shared<P>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Arc<Shared<P>>> {
        let tries = context::depth() <= DEEP && self.shared.place.lends_a_hand();
        let here = |strand: &P::Child| if tries { strand.try_here(context) } else { Here::Waits };
        match self.strand.as_ref().map(here) {
            Some(Here::Again) => {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Some(Here::Waits) => {
                let strand = self.strand.take();
                strand.into_iter().for_each(|strand| self.shared.submit(strand, false));
            }
            Some(Here::Ended) => self.strand = None,
            None => {}
        }
        Poll::Ready(Arc::clone(&self.shared))
    }
}

/// Nothing of it is left in the line or in the hands of a place, that would drop it.
impl<P: Polls> Drop for First<P> {
    fn drop(&mut self) {
        if let Some(strand) = &self.strand {
            strand.cancel();
        }
    }
}

impl<W: Work> InHand<W> {
    /// Empty hands: of a strand, or of somebody who helps.
    pub(super) fn new(work: &Arc<W>, counts: bool) -> Self {
        InHand {
            work: Arc::clone(work),
            future: Box::pin(None),
            index: 0,
            weight: 0,
            began: Stamp::NEVER,
            told: false,
            hand: Hand::new(counts),
            kept: work.keeps(),
        }
    }

    pub(super) fn has_item(&self) -> bool {
        self.future.is_some()
    }

    /// Has a strand go on with what somebody has in hand who helped.
    pub(super) fn go_on(mut self) {
        self.hand.counts = true;
        let number = self.work.enlist();
        (self.work.post())(self, number);
    }

    /// Enters what was finished so far.
    pub(super) fn tell(&mut self) {
        self.work.tell(&mut self.hand);
    }

    /// Handles items, about so many, until one waits or there are no more. `Item` means that so many
    /// were handled, and that none is in hand that another could have begun.
    pub(super) fn run(&mut self, who: u64, context: &mut Context<'_>, most: usize) -> Next {
        self.run_while(who, context, |handled, _| handled < most)
    }

    /// As [`run`](Self::run), while it `goes_on`, by how many were handled, and by what there is to know of them.
    fn run_while(
        &mut self,
        who: u64,
        context: &mut Context<'_>,
        goes_on: impl Fn(usize, &Hand<W::Item>) -> bool,
    ) -> Next {
        self.hand.resume();
        let mut handled = 0;
        while goes_on(handled, &self.hand) {
            if !self.has_item() {
                match self.claim(who, context.waker()) {
                    Next::Item => {}
                    other => return other,
                }
            }
            handled += (self.hand.items.len() + usize::from(self.has_item())).min(TOGETHER);
            match self.handle(context) {
                Next::Item => {}
                Next::End => return Next::End,
                Next::Wait => {
                    self.hand.wait();
                    if self.hand.owes || !self.hand.items.is_empty() {
                        let post = self.work.give_back(&mut self.hand);
                        self.post(post);
                    }
                    return Next::Wait;
                }
            }
        }
        self.work.pause(&mut self.hand);
        Next::Item
    }

    fn post(&self, number: Option<u64>) {
        if let Some(number) = number {
            (self.work.post())(InHand::new(&self.work, true), number);
        }
    }

    /// Takes items in hand.
    fn claim(&mut self, who: u64, waker: &Waker) -> Next {
        while self.hand.items.is_empty() {
            if self.work.shared().is_cancelled() {
                return Next::End;
            }
            match self.work.claim(who, waker, &mut self.hand) {
                Claim::Items(post) => self.post(post),
                Claim::Wait => return Next::Wait,
                Claim::Leave => return Next::End,
                Claim::Panicked(index, payload) => self.work.panicked(index, payload),
                Claim::Broken(index, payload) => self.work.broken(index, payload),
            }
        }
        Next::Item
    }

    /// Handles what is in hand, until an item waits.
    fn handle(&mut self, context: &mut Context<'_>) -> Next {
        loop {
            // What an item was ready with is here, where it outlives a panic in the drop of what the
            // item held.
            let mut value = None;
            let advance = AssertUnwindSafe(|| match self.work.shared().node.lane() {
                Some(_) => self.advance::<true>(context, &mut value),
                None => self.advance::<false>(context, &mut value),
            });
            match catch_unwind(advance) {
                Ok(next) => return next,
                Err(payload) => self.fail(payload, value),
            }
        }
    }

    /// As [`handle`](Self::handle), until something panics. `RECORDED`: a span of each item goes into the
    /// timeline. Where there is none, small items are not to pay for one.
    #[inline]
    fn advance<const RECORDED: bool>(
        &mut self,
        context: &mut Context<'_>,
        value: &mut Option<Output<W>>,
    ) -> Next {
        let InHand { work, future, index, weight, began, told, hand, kept } = self;
        let work = &**work;
        let shared = &**work.shared();
        loop {
            if future.is_none() {
                let Some(pulled) = hand.items.pop() else { return Next::Item };
                if work.skips(pulled.index) {
                    if shared.is_cancelled() {
                        hand.items.put_back(pulled);
                        return Next::End;
                    }
                    skip(work, hand, pulled);
                    continue;
                }
                (*index, *weight, *told) = (pulled.index, pulled.weight, false);
                if RECORDED {
                    *began = shared.first_poll();
                }
                future.set(Some(work.call(pulled.item)));
            }
            let Some(polled) = future.as_mut().as_pin_mut() else { return Next::Item };
            let before = context::told();
            let polled = polled.poll(context);
            *told |= context::told() != before;
            match polled {
                Poll::Pending => return Next::Wait,
                Poll::Ready(ready) => *value = Some(ready),
            }
            future.set(None);
            if let Some(value) = value.take() {
                if RECORDED {
                    let kind = || OutcomeKind::of_value(W::is_error(&value));
                    shared.future_ended(*index, work.label(), *began, kind);
                }
                work.settle(kept, *index, value, *told);
            }
            hand.finish(*weight);
        }
    }

    /// Enters that the item in hand has panicked: where it was begun, where it was polled, or, as
    /// there is a value, where what it held was dropped. That costs it its value.
    #[cold]
    fn fail(&mut self, payload: Payload, value: Option<Output<W>>) {
        drop_caught(value).unwrap_or_else(discard);
        if let Err(worse) = self.drop_future() {
            self.work.panicked(self.index, worse);
        }
        self.record(|| OutcomeKind::of_panic(&payload));
        self.work.broken(self.index, payload);
        self.hand.finish(self.weight);
    }

    /// Enters the span of the item in hand in the timeline, if there is one.
    fn record(&self, kind: impl FnOnce() -> OutcomeKind) {
        let shared = self.work.shared();
        shared.future_ended(self.index, self.work.label(), self.began, kind);
    }

    fn drop_future(&mut self) -> Result<(), Payload> {
        catch_unwind(AssertUnwindSafe(|| self.future.set(None)))
    }

    /// Drops what is in hand, and hands in what was kept. Whoever holds the work last finishes it.
    pub(super) fn end(mut self) {
        let had_item = self.has_item();
        let dropped = self.drop_future();
        if had_item {
            self.record(|| OutcomeKind::of_drop(&dropped));
        }
        if let Err(payload) = dropped {
            self.work.panicked(self.index, payload);
        }
        let InHand { work, mut hand, kept, .. } = self;
        for Pulled { index, item, .. } in hand.items.drain() {
            if let Err(payload) = drop_caught(item) {
                work.panicked(index, payload);
            }
        }
        work.hand_in(kept);
        if let Some(work) = Arc::into_inner(work) {
            work.finish();
        }
    }
}

/// Drops an item that is not to begin.
#[cold]
fn skip<W: Work>(work: &W, hand: &mut Hand<W::Item>, pulled: Pulled<W::Item>) {
    let Pulled { index, weight, item } = pulled;
    // Whatever else is pulled comes later, and is skipped as well.
    let thrown = drop_caught(item).err().into_iter().chain(work.stop());
    thrown.for_each(|payload| work.panicked(index, payload));
    hand.finish(weight);
}

impl<W: Work> Strand<W> {
    /// Ends a strand that is in hand. When the token goes, at the very end, everything of the user's
    /// has been dropped or handed over (rule 1).
    fn end(&self, rest: Rest<W>) {
        let Rest { in_hand, token, key } = rest;
        in_hand.end();
        *self.stage.lock() = Stage::Ended;
        self.shared.end(key, key.is_some());
        // Those who wait for all may have wakers that panic.
        drop_caught(token).unwrap_or_else(discard);
        if self.shared.group.count() == 0 {
            self.shared.signal.ring();
        }
    }
}

impl<W: Work> Drive for Strand<W> {
    fn drive(&self, key: Key) -> bool {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Waiting(mut rest) => {
                rest.key = Some(key);
                *stage = Stage::Driven(rest);
                true
            }
            other => {
                *stage = other;
                false
            }
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut stage = self.stage.lock();
        let mut rest = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Driven(rest) => rest,
            other => {
                *stage = other;
                return Poll::Ready(());
            }
        };
        drop(stage);
        let place = context::enter_to_poll(&self.shared.node, Role::Task);
        match rest.in_hand.run(self.number, context, TURN) {
            Next::Wait => {}
            Next::Item => context.waker().wake_by_ref(),
            Next::End => {
                // What is dropped at the end is dropped in the scope.
                self.end(rest);
                drop(place);
                return Poll::Ready(());
            }
        }
        drop(place);
        *self.stage.lock() = Stage::Driven(rest);
        Poll::Pending
    }

    fn try_here(&self, context: &mut Context<'_>) -> Here {
        let mut stage = self.stage.lock();
        let Stage::Waiting(mut rest) = mem::replace(&mut *stage, Stage::Polled) else {
            unreachable!("it is in one pair of hands")
        };
        drop(stage);
        let place = context::enter_to_poll(&self.shared.node, Role::Task);
        // Whoever awaits the fan-out may have other things to do, so items that take long are not handled
        // one after the other.
        let next = rest.in_hand.run_while(self.number, context, |handled, hand| {
            handled < FEW || (handled < TURN && !hand.was_slow())
        });
        if next == Next::End {
            self.end(rest);
            drop(place);
            return Here::Ended;
        }
        drop(place);
        *self.stage.lock() = Stage::Waiting(rest);
        if next == Next::Item { Here::Again } else { Here::Waits }
    }

    fn cancel(&self, whose: Whose) -> bool {
        let mut stage = self.stage.lock();
        let rest = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Waiting(rest) if whose == Whose::Lines => rest,
            Stage::Driven(rest) if whose == Whose::Places => rest,
            other => {
                *stage = other;
                return false;
            }
        };
        drop(stage);
        self.end(rest);
        true
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Waiting(_))
    }

    fn info(&self) -> TaskInfo {
        TaskInfo::new(self.number, self.label.clone())
    }

    fn has_ended(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Ended)
    }
}
