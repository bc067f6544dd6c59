//! One future from its spawn to its end. One that may begin is its place's from there on; another is in line,
//! and then polled by its place or in place by its joiner.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use wg_core::sync::Mutex;

use super::child::Claimed;
pub(crate) use super::child::{Drive, Join, Where, Whose};
use super::claim::{Claim, Held};
use super::line::{By, Entry, Key, Opened};
use super::place::{Holds, Joins, Polls, Spawns};
use super::placed::Placed;
use super::shared::{Shared, Standing};
use crate::context::{self, Role};
use crate::ending::{End, Origin};
use crate::outcome::{Outcome, Payload, discard};
use crate::settle::Settle;
use crate::task_info::{Label, Stamp, TaskInfo};
use crate::twin::{Giver, Taker};

/// How many tasks may be polled inside each other. Beyond that, a task that is awaited at a limit
/// goes on beside the one who awaits it, in its slot: a chain of joins may be longer than the stack.
pub(in crate::futures) const DEEP: usize = 32;

/// A child that is not in the hands of its place from the beginning: that polls it by this.
pub(crate) struct Cell<P: Polls, F: Future, S: Settle<F::Output>> {
    shared: Arc<Shared<P>>,
    index: u64,
    label: Label,
    stage: Mutex<Stage<P, F, S>>,
}

/// A child that was spawned, as its handle has it.
pub(crate) struct Spawned<P: Polls, T> {
    claim: Taker<T, P::Claimed<T>>,
    way: Way<P>,
}

/// Where a child was when it had been spawned.
enum Way<P: Polls> {
    /// In the hands of its place, with what the handle keeps of it until it goes.
    Placed(P::Kept),
    /// In the line, or not to begin, as the scope is cancelled or has ended.
    Lined(Arc<P::Joined>),
}

impl<P: Polls, T> Spawned<P, T> {
    /// Takes the outcome if it is there.
    pub(crate) fn take_if_ended(&mut self) -> Option<Outcome<T>> {
        self.claim.take()
    }

    /// Takes the outcome if it is there. Otherwise wakes the one who asks when it is; and polls the
    /// child here, if it has no slot and the one who asks has one.
    pub(crate) fn poll_join(&mut self, context: &mut Context<'_>) -> Poll<Outcome<T>> {
        let mut outcome = self.claim.take_or_wait(context.waker());
        if let (None, Way::Lined(child)) = (&outcome, &self.way) {
            Arc::clone(child).poll_in_slot(context);
            outcome = self.claim.take();
        }
        outcome.map_or(Poll::Pending, Poll::Ready)
    }

    /// Gives the outcome up, if it was not taken.
    pub(crate) fn leave(self) {
        // A waker is dropped there, which is foreign code.
        let forgo = |claim: &P::Claimed<T>, outcome, order| claim.forgo(outcome, order);
        let leave = AssertUnwindSafe(|| self.claim.give_up(forgo));
        catch_unwind(leave).unwrap_or_else(discard);
        if let Way::Lined(child) = self.way {
            child.leave();
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.claim.is_laid()
    }

    pub(crate) fn info(&self) -> TaskInfo {
        self.claim.info()
    }
}

enum Stage<P: Polls, F: Future, S: Settle<F::Output>> {
    /// In line, for a slot.
    Waiting(Whole<P, F, S>),
    /// In the hands of its place.
    Driven(Whole<P, F, S>),
    /// In the hands of whoever joins it, and in that one's slot.
    InPlace(Whole<P, F, S>),
    /// Somebody polls it.
    Polled,
    /// It is not polled any more.
    Ended,
}

pin_project! {
    /// What is left of a child that has not ended.
    struct Rest<P: Polls, F: Future, S: Settle<F::Output>> {
        held: Held<P, F::Output, S>,
        // None when it has ended.
        #[pin]
        future: Option<F>,
        standing: Standing,
        // Where it stands in the line, if it waits.
        number: i64,
        // When it was first polled, if it was.
        began: Stamp,
        // Whether it was told that it is stopped: its error may be the echo of that.
        told: bool,
    }
}

type Whole<P, F, S> = Pin<Box<Rest<P, F, S>>>;

impl<P, F, S> Cell<P, F, S>
where
    P: Holds<Self>,
    F: Future,
    S: Settle<F::Output>,
{
    /// Spawns a child. Where it may begin its place gets its future as well; otherwise that is kept
    /// here, for whoever comes to poll it.
    pub(crate) fn spawn(
        shared: &Arc<Shared<P>>,
        label: Label,
        future: F,
        settle: S,
    ) -> Spawned<P, F::Output>
    where
        P: Spawns<F, S>,
    {
        let label = shared.stamped(label);
        let (index, opened) = shared.open(&label);
        let origin = Origin::new(label, settle);
        let (its, claim) = P::claimed(|| Claim { shared: Arc::clone(shared), index, origin });
        let way = match opened {
            Opened::Begins(key, counts) => {
                Way::Placed(P::take(shared, Placed::new(its, future, key, counts)))
            }
            Opened::Waits => Way::Lined(Self::enter(its, future, By::Line, true)),
            Opened::Skipped => Way::Lined(Self::enter(its, future, By::Line, false)),
            Opened::Refused => Way::Lined(Self::enter(its, future, By::Nobody, false)),
        };
        Spawned { claim, way }
    }

    /// Has a child wait in the line, or begin if there is a slot for it by now, or end if it is not to begin.
    fn enter(
        its: Giver<F::Output, Claim<P, S>>,
        future: F,
        counts: By,
        begins: bool,
    ) -> Arc<P::Joined>
    where
        P: Joins<Self>,
    {
        let Claim { shared, index, origin } = &*its;
        let (shared, label) = (Arc::clone(shared), origin.label().clone());
        let cell = Cell { shared, index: *index, label, stage: Mutex::new(Stage::Polled) };
        let (cell, held, future) = (Arc::new(cell), Held::Claimed(its), Some(future));
        let standing = Standing { key: None, has_slot: false, counts };
        let (number, began, told) = (0, Stamp::NEVER, false);
        let rest = Box::pin(Rest { held, future, standing, number, began, told });
        if begins {
            cell.submit(rest, false)
        } else {
            cell.end(rest, Ok(None))
        }
        P::joined(cell)
    }

    /// Has a child that is in hand polled by its place, as soon as there is a slot for it. `first`:
    /// before all others that wait.
    fn submit(self: &Arc<Self>, rest: Whole<P, F, S>, first: bool) {
        let child = self.child();
        let key = self.line_up(rest, |settle| {
            let note = |number, lowest| settle.lines_up(number, lowest);
            self.shared.enter_and_note(&child, first, note)
        });
        if let Some(key) = key {
            self.shared.start(child, key);
        }
        // Whoever cancelled the scope may have looked at the line before the child was there.
        if self.shared.is_cancelled() {
            self.shared.drain();
        }
    }

    /// Takes a child that was begun in place out of the slot of the one who awaited it: it needs one
    /// of its own, or is dropped with its scope.
    fn line_up_again(self: &Arc<Self>, rest: Whole<P, F, S>) {
        if let Some(rest) = self.leave_slot(rest) {
            self.submit(rest, true);
        }
    }

    fn child(self: &Arc<Self>) -> P::Child {
        P::child(Arc::clone(self))
    }
}

impl<P, F, S> Cell<P, F, S>
where
    P: Polls,
    F: Future,
    S: Settle<F::Output>,
{
    /// Enters a child that is in hand as one that runs or waits. Returns its key if it is to be
    /// started.
    fn line_up(&self, mut rest: Whole<P, F, S>, enter: impl FnOnce(&S) -> Entry) -> Option<Key> {
        // Both locks, in this order only: who finds it in the line finds it waiting, and who finds
        // it waiting finds it counted.
        let mut stage = self.stage.lock();
        match enter(rest.held.claim().origin.settle()) {
            Entry::Begins(key) => {
                rest.as_mut().project().standing.begin(key);
                *stage = Stage::Driven(rest);
                Some(key)
            }
            Entry::Waits(number) => {
                *rest.as_mut().project().number = number;
                *stage = Stage::Waiting(rest);
                None
            }
        }
    }

    /// Takes a child that is in hand out of the slot of another. None if that has ended it.
    fn leave_slot(&self, mut rest: Whole<P, F, S>) -> Option<Whole<P, F, S>> {
        if self.shared.is_cancelled() {
            self.end(rest, Ok(None));
            return None;
        }
        self.shared.end(rest.as_mut().project().standing.key.take(), false);
        Some(rest)
    }

    /// Takes a child in hand that is in such a stage.
    fn take(&self, is_meant: impl FnOnce(&Stage<P, F, S>) -> bool) -> Option<Whole<P, F, S>> {
        let mut stage = self.stage.lock();
        if !is_meant(&stage) {
            return None;
        }
        match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Waiting(rest) | Stage::Driven(rest) | Stage::InPlace(rest) => Some(rest),
            Stage::Polled | Stage::Ended => unreachable!("nothing is here to be taken"),
        }
    }

    /// Polls a child that is in hand.
    fn advance(
        &self,
        mut rest: Whole<P, F, S>,
        context: &mut Context<'_>,
    ) -> Option<Whole<P, F, S>> {
        let this = rest.as_mut().project();
        if !this.began.is_set() {
            if self.shared.skips(self.index) {
                self.end(rest, Ok(None));
                return None;
            }
            *this.began = self.shared.first_poll();
        }
        let future = this.future.as_pin_mut().expect("it has not ended");
        let told = context::told();
        let place = context::enter_to_poll(&self.shared.node, Role::Task);
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(context)));
        drop(place);
        *this.told |= context::told() != told;
        match polled {
            Ok(Poll::Pending) => {
                this.held.look();
                return Some(rest);
            }
            Ok(Poll::Ready(value)) => self.end(rest, Ok(Some(value))),
            Err(payload) => self.end(rest, Err(payload)),
        }
        None
    }

    /// Ends a child that is in hand.
    fn end(&self, mut rest: Whole<P, F, S>, result: Result<Option<F::Output>, Payload>) {
        let mut this = rest.as_mut().project();
        let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
        let end = End { dropped, result, told: *this.told, began: *this.began };
        // Before anybody hears of it who may look.
        *self.stage.lock() = Stage::Ended;
        this.held.conclude(end, this.standing);
    }

    /// Whether whoever polls here may poll the child here: in a slot of the scope.
    fn is_in_a_slot(&self) -> bool {
        context::is_in_a_task_of(&self.shared.node)
    }
}

impl<P, F, S> Drive for Cell<P, F, S>
where
    P: Polls,
    F: Future,
    S: Settle<F::Output>,
{
    fn drive(&self, key: Key) -> bool {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Waiting(mut rest) => {
                rest.as_mut().project().standing.begin(key);
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
        let (rest, back): (_, fn(_) -> _) = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Driven(rest) => (rest, Stage::Driven),
            Stage::InPlace(rest) => (rest, Stage::InPlace),
            other => {
                *stage = other;
                return Poll::Ready(());
            }
        };
        drop(stage);
        match self.advance(rest, context) {
            Some(rest) => {
                *self.stage.lock() = back(rest);
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }

    fn begin_in_place(&self, how: Where, begin: &mut dyn FnMut(i64) -> Key) -> Option<Key> {
        let mut rest = self.take(|stage| matches!(stage, Stage::Waiting(_)))?;
        let key = begin(rest.number);
        rest.as_mut().project().standing.key = Some(key);
        *self.stage.lock() = match how {
            Where::Here => Stage::InPlace(rest),
            Where::Beside => Stage::Driven(rest),
        };
        Some(key)
    }

    fn move_out(&self, enter: &mut dyn FnMut() -> Entry) -> Option<Key> {
        let rest = self.take(|stage| matches!(stage, Stage::InPlace(_)))?;
        let rest = self.leave_slot(rest)?;
        self.line_up(rest, |_| enter())
    }

    fn has_ended(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Ended)
    }

    fn cancel(&self, whose: Whose) -> bool {
        let rest = self.take(|stage| match stage {
            Stage::Waiting(_) => whose == Whose::Lines,
            Stage::Driven(_) => whose == Whose::Places,
            Stage::InPlace(_) => whose == Whose::Joiners,
            Stage::Polled | Stage::Ended => false,
        });
        let Some(rest) = rest else { return false };
        self.end(rest, Ok(None));
        true
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Waiting(_))
    }

    fn info(&self) -> TaskInfo {
        TaskInfo::new(self.index, self.label.clone())
    }
}

impl<P, F, S> Join for Cell<P, F, S>
where
    P: Holds<Self>,
    F: Future,
    S: Settle<F::Output>,
{
    fn poll_in_slot(self: Arc<Self>, context: &mut Context<'_>) {
        let in_a_slot = self.is_in_a_slot();
        let mut stage = self.stage.lock();
        let rest = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::InPlace(rest) if in_a_slot => {
                drop(stage);
                rest
            }
            Stage::InPlace(rest) => {
                drop(stage);
                return self.line_up_again(rest);
            }
            Stage::Waiting(mut rest) if in_a_slot => {
                drop(stage);
                let key = self.shared.begin_in_place(&self.child(), rest.number);
                rest.as_mut().project().standing.key = Some(key);
                if context::depth() > DEEP {
                    *self.stage.lock() = Stage::Driven(rest);
                    return self.shared.start(self.child(), key);
                }
                rest
            }
            other => {
                *stage = other;
                return;
            }
        };
        if let Some(rest) = self.advance(rest, context) {
            *self.stage.lock() = Stage::InPlace(rest);
            // Whoever stops all may have looked while it was in hand.
            if self.shared.signal.is_stopped() {
                self.cancel(Whose::Joiners);
            }
        }
    }

    fn leave(self: Arc<Self>) {
        if let Some(rest) = self.take(|stage| matches!(stage, Stage::InPlace(_))) {
            self.line_up_again(rest);
        }
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use std::future::{pending, poll_fn};
    use std::panic::Location;
    use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};

    use super::*;
    use crate::futures::child::Child;
    use crate::local::{Local, Scope};

    type Kept = <Local<'static> as Polls>::Child;

    /// What is known of a task by its settling.
    #[derive(Default)]
    struct Known {
        number: AtomicI64,
        child: Mutex<Option<Kept>>,
        had_ended: AtomicBool,
    }

    struct Asks(Arc<Known>);

    impl Settle<()> for Asks {
        fn settle(&self, _: TaskInfo, _: Outcome<()>, _: usize) {
            let child = self.0.child.lock().take().expect("it was found in the line");
            self.0.had_ended.store(child.has_ended(), Relaxed);
        }

        fn lines_up(&self, number: i64, _: i64) {
            self.0.number.store(number, Relaxed);
        }

        fn caught(&self, _: TaskInfo, payload: Payload, _: usize) {
            discard(payload);
        }
    }

    /// Who reads results lends its slot to the next when the one before has ended, of which it hears by what
    /// that one's settling does.
    #[test]
    fn a_task_has_ended_before_anybody_hears_of_its_end() {
        let known = Arc::new(Known::default());
        let its = Arc::clone(&known);
        futures::executor::block_on(crate::options().limit(1).local().scope(
            async move |s: Scope<'static>| {
                let first = s.spawn(async {});
                let label = Label::at(Location::caller());
                s.start(label, async {}, Asks(Arc::clone(&its))).leave();
                let child = s.shared().at(its.number.load(Relaxed)).expect("it waits");
                assert!(child.is_waiting() && !child.has_ended());
                *its.child.lock() = Some(child);
                first.join().await;
            },
        ));
        assert!(known.had_ended.load(Relaxed));
    }

    #[test]
    fn a_task_that_is_cancelled_while_it_waits_has_ended_for_its_handle() {
        let limited = crate::options().limit(1);
        futures::executor::block_on(limited.local().scope(async |s| {
            let _first = s.spawn(pending::<()>());
            let mut waits =
                s.start(Label::at(Location::caller()), async { 1 }, crate::settle::Plain);
            assert!(!waits.is_finished() && waits.take_if_ended().is_none());
            s.cancel("enough");
            let mut refused =
                s.start(Label::at(Location::caller()), async { 2 }, crate::settle::Plain);
            assert!(refused.is_finished());
            for spawned in [&mut waits, &mut refused] {
                let ended = poll_fn(|context| spawned.poll_join(context)).await;
                assert!(matches!(ended, Outcome::Lost(_)));
            }
        }));
    }
}
