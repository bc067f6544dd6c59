//! One future on its way to its end: in line, polled by its place or in place by its joiner.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wg_core::sync::Mutex;

use super::child::Claimed;
pub(crate) use super::child::{Drive, Join, Where, Whose};
use super::claim::Claim;
use super::line::{By, Entry, Key, Opened};
use super::place::{Holds, Polls, Spawns};
use super::placed::Placed;
use super::shared::{Shared, Standing};
use crate::context::{self, Role};
use crate::ending::{End, Ending, Origin};
use crate::outcome::{Outcome, Payload, discard, drop_caught};
use crate::settle::Settle;
use crate::task_info::{Label, Stamp, TaskInfo};
use crate::twin::Taker;

/// How many tasks may be polled inside each other. Beyond that, a task that is awaited at a limit
/// goes on beside the one who awaits it, in its slot: a chain of joins may be longer than the stack.
pub(super) const DEEP: usize = 32;

/// A child that is not in the hands of its place from the beginning: that polls it by this.
pub(crate) struct Cell<P: Polls, F: Future, S> {
    shared: Arc<Shared<P>>,
    index: u64,
    ending: Ending<F::Output, S>,
    stage: Mutex<Stage<F>>,
}

/// A child that was spawned, as its handle has it.
pub(crate) enum Spawned<P: Polls, T> {
    /// With what the handle keeps of it.
    Placed(Taker<T, P::Claimed<T>>, P::Kept),
    Lined(Arc<P::Joined<T>>),
}

impl<P: Polls, T> Spawned<P, T> {
    /// Takes the outcome if it is there.
    pub(crate) fn take_if_ended(&mut self) -> Option<Outcome<T>> {
        match self {
            Spawned::Placed(claim, _) => claim.take(),
            Spawned::Lined(cell) => cell.take_if_ended(),
        }
    }

    /// See [`Join::poll_join`].
    pub(crate) fn poll_join(&mut self, context: &mut Context<'_>) -> Poll<Outcome<T>> {
        match self {
            Spawned::Placed(claim, _) => {
                claim.take_or_wait(context.waker()).map_or(Poll::Pending, Poll::Ready)
            }
            Spawned::Lined(cell) => Arc::clone(cell).poll_join(context),
        }
    }

    /// Gives the outcome up.
    pub(crate) fn leave(self) {
        match self {
            Spawned::Placed(claim, _) => {
                // A waker is dropped there, which is foreign code.
                let forgo = |claim: &P::Claimed<T>, outcome, order| claim.forgo(outcome, order);
                let leave = AssertUnwindSafe(|| claim.give_up(forgo));
                catch_unwind(leave).unwrap_or_else(discard);
            }
            Spawned::Lined(cell) => cell.leave(),
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        match self {
            Spawned::Placed(claim, _) => claim.is_laid(),
            Spawned::Lined(cell) => cell.is_finished(),
        }
    }

    pub(crate) fn info(&self) -> TaskInfo {
        match self {
            Spawned::Placed(claim, _) => claim.info(),
            Spawned::Lined(cell) => cell.info(),
        }
    }
}

enum Stage<F> {
    /// In line, for a slot.
    Waiting(Box<Rest<F>>),
    /// In the hands of its place.
    Driven(Box<Rest<F>>),
    /// In the hands of whoever joins it, and in that one's slot.
    InPlace(Box<Rest<F>>),
    /// Somebody polls it, or it has ended.
    Polled,
}

/// What is left of a child that has not ended.
struct Rest<F> {
    future: Pin<Box<F>>,
    standing: Standing,
    /// Where it stands in the line, if it waits.
    number: i64,
    /// When it was first polled, if it was.
    began: Stamp,
    /// Whether it was told that it is stopped: its error may be the echo of that.
    told: bool,
}

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
        if let Opened::Begins(key, counts) = opened {
            let origin = Origin::new(label, settle);
            let (its, claim) = P::claimed(|| Claim { shared: Arc::clone(shared), index, origin });
            let kept = P::take(shared, Placed::new(its, future, key, counts));
            return Spawned::Placed(claim, kept);
        }
        let (ending, stage) = (Ending::new(label, settle), Mutex::new(Stage::Polled));
        let cell = Arc::new(Cell { shared: Arc::clone(shared), index, ending, stage });
        let counts = if let Opened::Refused = opened { By::Nobody } else { By::Line };
        let standing = Standing { key: None, has_slot: false, counts };
        let future = Box::pin(future);
        let rest = Box::new(Rest { future, standing, number: 0, began: Stamp::NEVER, told: false });
        match opened {
            Opened::Waits => cell.submit(rest, false),
            _ => cell.end(*rest, Ok(None)),
        }
        Spawned::Lined(P::joined(cell))
    }

    /// Has a child that is in hand polled by its place, as soon as there is a slot for it. `first`:
    /// before all others that wait.
    fn submit(self: &Arc<Self>, rest: Box<Rest<F>>, first: bool) {
        let child = self.child();
        let note = |number, lowest| self.ending.settle().lines_up(number, lowest);
        let key = self.line_up(rest, || self.shared.enter_and_note(&child, first, note));
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
    fn line_up_again(self: &Arc<Self>, rest: Box<Rest<F>>) {
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
    fn line_up(&self, mut rest: Box<Rest<F>>, enter: impl FnOnce() -> Entry) -> Option<Key> {
        // Both locks, in this order only: who finds it in the line finds it waiting, and who finds
        // it waiting finds it counted.
        let mut stage = self.stage.lock();
        match enter() {
            Entry::Begins(key) => {
                rest.standing.key = Some(key);
                rest.standing.has_slot = true;
                *stage = Stage::Driven(rest);
                Some(key)
            }
            Entry::Waits(number) => {
                rest.number = number;
                *stage = Stage::Waiting(rest);
                None
            }
        }
    }

    /// Takes a child that is in hand out of the slot of another. None if that has ended it.
    fn leave_slot(&self, mut rest: Box<Rest<F>>) -> Option<Box<Rest<F>>> {
        if self.shared.is_cancelled() {
            self.end(*rest, Ok(None));
            return None;
        }
        self.shared.end(rest.standing.key.take(), false);
        Some(rest)
    }

    /// Takes a child in hand that is in such a stage.
    fn take(&self, is_meant: impl FnOnce(&Stage<F>) -> bool) -> Option<Box<Rest<F>>> {
        let mut stage = self.stage.lock();
        if !is_meant(&stage) {
            return None;
        }
        match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Waiting(rest) | Stage::Driven(rest) | Stage::InPlace(rest) => Some(rest),
            Stage::Polled => unreachable!("nothing is here to be taken"),
        }
    }

    /// Polls a child that is in hand.
    fn advance(&self, mut rest: Box<Rest<F>>, context: &mut Context<'_>) -> Option<Box<Rest<F>>> {
        if !rest.began.is_set() {
            if self.shared.skips(self.index) {
                self.end(*rest, Ok(None));
                return None;
            }
            rest.began = self.shared.first_poll();
        }
        let told = context::told();
        let place = context::enter_to_poll(&self.shared.node, Role::Task);
        let poll = AssertUnwindSafe(|| rest.future.as_mut().poll(context));
        let polled = catch_unwind(poll);
        drop(place);
        rest.told |= context::told() != told;
        match polled {
            Ok(Poll::Pending) => return Some(rest),
            Ok(Poll::Ready(value)) => self.end(*rest, Ok(Some(value))),
            Err(payload) => self.end(*rest, Err(payload)),
        }
        None
    }

    /// Ends a child that is in hand.
    fn end(&self, rest: Rest<F>, result: Result<Option<F::Output>, Payload>) {
        let Rest { future, standing, told, began, .. } = rest;
        let end = End { dropped: drop_caught(future), result, told, began };
        self.ending.conclude(&self.shared, self.index, end);
        self.shared.end_task(&standing);
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
                rest.standing.has_slot = true;
                rest.standing.key = Some(key);
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
        rest.standing.key = Some(key);
        *self.stage.lock() = match how {
            Where::Here => Stage::InPlace(rest),
            Where::Beside => Stage::Driven(rest),
        };
        Some(key)
    }

    fn move_out(&self, enter: &mut dyn FnMut() -> Entry) -> Option<Key> {
        let rest = self.take(|stage| matches!(stage, Stage::InPlace(_)))?;
        let rest = self.leave_slot(rest)?;
        self.line_up(rest, enter)
    }

    fn has_ended(&self) -> bool {
        self.ending.is_ended()
    }

    fn cancel(&self, whose: Whose) -> bool {
        let rest = self.take(|stage| match stage {
            Stage::Waiting(_) => whose == Whose::Lines,
            Stage::Driven(_) => whose == Whose::Places,
            Stage::InPlace(_) => whose == Whose::Joiners,
            Stage::Polled => false,
        });
        let Some(rest) = rest else { return false };
        self.end(*rest, Ok(None));
        true
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Waiting(_))
    }

    fn info(&self) -> TaskInfo {
        self.ending.task(self.index)
    }
}

impl<P, F, S> Join<F::Output> for Cell<P, F, S>
where
    P: Holds<Self>,
    F: Future,
    S: Settle<F::Output>,
{
    fn take_if_ended(&self) -> Option<Outcome<F::Output>> {
        self.ending.take_if_ended()
    }

    fn poll_join(self: Arc<Self>, context: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        if let Some(outcome) = self.ending.take(context.waker()) {
            return Poll::Ready(outcome);
        }
        let in_a_slot = self.is_in_a_slot();
        let mut stage = self.stage.lock();
        let rest = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::InPlace(rest) if in_a_slot => {
                drop(stage);
                rest
            }
            Stage::InPlace(rest) => {
                drop(stage);
                self.line_up_again(rest);
                return self.ending.take(context.waker()).map_or(Poll::Pending, Poll::Ready);
            }
            Stage::Waiting(mut rest) if in_a_slot => {
                drop(stage);
                let key = self.shared.begin_in_place(&self.child(), rest.number);
                rest.standing.key = Some(key);
                if context::depth() > DEEP {
                    *self.stage.lock() = Stage::Driven(rest);
                    self.shared.start(self.child(), key);
                    return Poll::Pending;
                }
                rest
            }
            other => {
                *stage = other;
                return Poll::Pending;
            }
        };
        if let Some(rest) = self.advance(rest, context) {
            *self.stage.lock() = Stage::InPlace(rest);
            // Whoever stops all may have looked while it was in hand.
            if !self.shared.signal.is_stopped() || !self.cancel(Whose::Joiners) {
                return Poll::Pending;
            }
        }
        self.ending.take(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }

    fn leave(self: Arc<Self>) {
        // A waker is dropped there, which is foreign code.
        let abandon = || self.ending.abandon(Some(&**self.shared), self.index);
        catch_unwind(AssertUnwindSafe(abandon)).unwrap_or_else(discard);
        if let Some(rest) = self.take(|stage| matches!(stage, Stage::InPlace(_))) {
            self.line_up_again(rest);
        }
    }

    fn is_finished(&self) -> bool {
        self.ending.is_ended()
    }

    fn info(&self) -> TaskInfo {
        self.ending.task(self.index)
    }
}
