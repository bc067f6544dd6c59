//! One future on its way to its end: in line, polled by its place or in place by its joiner.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wg_core::OwnedToken;
use wg_core::sync::Mutex;

pub(crate) use super::child::{Drive, Join, Where, Whose};
use super::line::{Entry, Key};
use super::place::{Holds, Polls};
use super::shared::Shared;
use crate::context::{self, Role};
use crate::ending::Ending;
use crate::outcome::{Outcome, Payload, discard, drop_caught};
use crate::settle::Settle;
use crate::task_info::{Label, TaskInfo};

/// How many tasks may be polled inside each other. Beyond that, a task that is awaited at a limit
/// goes on beside the one who awaits it, in its slot: a chain of joins may be longer than the stack.
pub(super) const DEEP: usize = 32;

pub(crate) struct Cell<P: Polls, F: Future, S> {
    shared: Arc<Shared<P>>,
    index: u64,
    ending: Ending<F::Output, S>,
    stage: Mutex<Stage<F>>,
}

enum Stage<F> {
    /// In line, for a slot.
    Waiting(Rest<F>),
    /// In the hands of its place.
    Driven(Rest<F>),
    /// In the hands of whoever joins it, and in that one's slot.
    InPlace(Rest<F>),
    /// Somebody polls it, or it has ended.
    Polled,
}

/// What is left of a child that has not ended.
struct Rest<F> {
    future: Pin<Box<F>>,
    /// None if the scope had ended before there was the child.
    token: Option<OwnedToken>,
    /// Where it stands among those that run, if it does.
    key: Option<Key>,
    /// Where it stands in the line, if it waits.
    number: i64,
    has_slot: bool,
    begun: bool,
    /// Whether it was told that it is stopped: its error may be the echo of that.
    told: bool,
}

impl<P, F, S> Cell<P, F, S>
where
    P: Holds<Self>,
    F: Future,
    S: Settle<F::Output>,
{
    /// Spawns a child.
    pub(crate) fn spawn(shared: &Arc<Shared<P>>, label: Label, future: F, settle: S) -> Arc<Self> {
        let token = shared.token();
        let future = Box::pin(future);
        let (index, key) = shared.open(&label, token.is_some());
        let (number, has_slot, begun, told) = (0, key.is_some(), false, false);
        let rest = Rest { future, token, key, number, has_slot, begun, told };
        let make = |stage| {
            let (shared, ending) = (Arc::clone(shared), Ending::new(label, settle));
            Arc::new(Cell { shared, index, ending, stage: Mutex::new(stage) })
        };
        if let Some(key) = key {
            let cell = make(Stage::Driven(rest));
            shared.start(cell.child(), key);
            return cell;
        }
        let cell = make(Stage::Polled);
        if rest.token.is_none() || shared.skips(index) {
            cell.end(rest, Ok(None));
        } else {
            cell.submit(rest, false);
        }
        cell
    }

    /// Has a child that is in hand polled by its place, as soon as there is a slot for it. `first`:
    /// before all others that wait.
    fn submit(self: &Arc<Self>, rest: Rest<F>, first: bool) {
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
    fn line_up_again(self: &Arc<Self>, rest: Rest<F>) {
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
    fn line_up(&self, mut rest: Rest<F>, enter: impl FnOnce() -> Entry) -> Option<Key> {
        // Both locks, in this order only: who finds it in the line finds it waiting, and who finds
        // it waiting finds it counted.
        let mut stage = self.stage.lock();
        match enter() {
            Entry::Begins(key) => {
                rest.key = Some(key);
                rest.has_slot = true;
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
    fn leave_slot(&self, mut rest: Rest<F>) -> Option<Rest<F>> {
        if self.shared.is_cancelled() {
            self.end(rest, Ok(None));
            return None;
        }
        self.shared.end(rest.key.take(), false);
        Some(rest)
    }

    /// Takes a child in hand that is in such a stage.
    fn take(&self, is_meant: impl FnOnce(&Stage<F>) -> bool) -> Option<Rest<F>> {
        let mut stage = self.stage.lock();
        if !is_meant(&stage) {
            return None;
        }
        match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Waiting(rest) | Stage::Driven(rest) | Stage::InPlace(rest) => Some(rest),
            Stage::Polled => unreachable!("nothing is left to be taken"),
        }
    }

    /// Polls a child that is in hand.
    fn advance(&self, mut rest: Rest<F>, context: &mut Context<'_>) -> Option<Rest<F>> {
        if !rest.begun && self.shared.skips(self.index) {
            self.end(rest, Ok(None));
            return None;
        }
        rest.begun = true;
        let told = context::told();
        let place = context::enter_to_poll(&self.shared.node, Role::Task);
        let poll = AssertUnwindSafe(|| rest.future.as_mut().poll(context));
        let polled = catch_unwind(poll);
        drop(place);
        rest.told |= context::told() != told;
        match polled {
            Ok(Poll::Pending) => return Some(rest),
            Ok(Poll::Ready(value)) => self.end(rest, Ok(Some(value))),
            Err(payload) => self.end(rest, Err(payload)),
        }
        None
    }

    /// Ends a child that is in hand. When the token goes, at the very end, everything of the user's
    /// has been dropped or handed over (rule 1).
    fn end(&self, rest: Rest<F>, result: Result<Option<F::Output>, Payload>) {
        let Rest { future, token, key, has_slot, told, .. } = rest;
        let record = &**self.shared;
        let result = match (drop_caught(future), result) {
            (Ok(()), result) => result,
            (Err(payload), Ok(value)) => {
                // As with a closure, a panic in the drop of what it holds costs it its value.
                if let Err(worse) = drop_caught(value) {
                    self.ending.panicked(record, self.index, worse);
                }
                Err(payload)
            }
            (Err(worse), Err(payload)) => {
                self.ending.panicked(record, self.index, worse);
                Err(payload)
            }
        };
        self.ending.conclude(record, self.index, result, told);
        self.shared.end(key, has_slot);
        // Those who wait for all may have wakers that panic.
        drop_caught(token).unwrap_or_else(discard);
        if self.shared.group.count() == 0 {
            self.shared.signal.ring();
        }
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
                rest.has_slot = true;
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
        rest.key = Some(key);
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
        self.end(rest, Ok(None));
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
                rest.key = Some(key);
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
        if let Err(payload) = catch_unwind(AssertUnwindSafe(abandon)) {
            discard(payload);
        }
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
