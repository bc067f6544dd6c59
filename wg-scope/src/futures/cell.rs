//! One future on its way to its end: in line, polled by its place or in place by its joiner.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wg_core::sync::Mutex;

pub(crate) use super::child::{Drive, Join, Where, Whose};
use super::line::{By, Entry, Key, Opened};
use super::place::{Holds, Polls, Takes};
use super::placed::Placed;
use super::shared::{Shared, Standing};
use crate::context::{self, Role};
use crate::ending::Ending;
use crate::outcome::{Outcome, Payload, discard, drop_caught};
use crate::settle::Settle;
use crate::task_info::{Label, Stamp, TaskInfo};

/// How many tasks may be polled inside each other. Beyond that, a task that is awaited at a limit
/// goes on beside the one who awaits it, in its slot: a chain of joins may be longer than the stack.
pub(super) const DEEP: usize = 32;

pub(crate) struct Cell<P: Polls, F: Future, S> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) index: u64,
    ending: Ending<F::Output, S>,
    stage: Mutex<Stage<F>>,
}

/// A child that was spawned, and what its handle keeps of it.
pub(crate) type Spawned<P, F, S> = (Arc<Cell<P, F, S>>, Option<<P as Polls>::Kept>);

enum Stage<F> {
    /// In the hands of its place, and its future with it: nobody else ever polls that. Or it has ended
    /// there.
    Placed(Stop),
    /// In line, for a slot.
    Waiting(Box<Rest<F>>),
    /// In the hands of its place.
    Driven(Box<Rest<F>>),
    /// In the hands of whoever joins it, and in that one's slot.
    InPlace(Box<Rest<F>>),
    /// Somebody polls it, or it has ended.
    Polled,
}

/// How a child is stopped whose place has its future: it is woken, and ends then.
enum Stop {
    /// It has not waited yet, or its place drops it.
    Unheard,
    Wakes(Waker),
    Told,
}

/// What is left of a child that has not ended. In a box: a task needs no memory for it that lies in
/// its place with its future, as most do.
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
    ) -> Spawned<P, F, S>
    where
        P: Takes<Placed<P, F, S>>,
    {
        let (stage, ending) =
            (Mutex::new(Stage::Placed(Stop::Unheard)), Ending::new(shared.stamped(label), settle));
        let mut cell = Arc::new(Cell { shared: Arc::clone(shared), index: 0, ending, stage });
        let opened = shared.open(|index| {
            Arc::get_mut(&mut cell).expect("nobody else has it yet").index = index;
            cell.child()
        });
        if let Opened::Begins(key, counts) = opened {
            let kept = P::take(shared, Placed::new(&cell, future, key, counts));
            return (cell, Some(kept));
        }
        *cell.stage.lock() = Stage::Polled;
        let counts = if let Opened::Refused = opened { By::Nobody } else { By::Line };
        let standing = Standing { key: None, has_slot: false, counts };
        let future = Box::pin(future);
        let rest = Box::new(Rest { future, standing, number: 0, began: Stamp::NEVER, told: false });
        match opened {
            Opened::Waits => cell.submit(rest, false),
            _ => cell.end(*rest, Ok(None)),
        }
        (cell, None)
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
            Stage::Placed(_) | Stage::Polled => unreachable!("nothing is here to be taken"),
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
        self.conclude(drop_caught(future), result, told, began, &standing);
    }

    /// Enters how a child has ended whose future is dropped; `dropped` is what that has thrown. When
    /// it does not count any more, at the very end, everything of the user's has been dropped or handed
    /// over (rule 1).
    pub(super) fn conclude(
        &self,
        dropped: Result<(), Payload>,
        result: Result<Option<F::Output>, Payload>,
        told: bool,
        began: Stamp,
        standing: &Standing,
    ) {
        let record = &**self.shared;
        let result = match (dropped, result) {
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
        self.ending.record(record, self.index, began, &result);
        self.ending.conclude(record, self.index, result, told);
        self.shared.end_task(standing);
    }

    /// Enters whom to wake to stop a child that waits, and that its place does not drop. Returns false
    /// if it is to stop now.
    pub(super) fn waits(&self, waker: &Waker) -> bool {
        match &*self.stage.lock() {
            Stage::Placed(Stop::Told) => return false,
            Stage::Placed(Stop::Wakes(known)) if known.will_wake(waker) => return true,
            _ => {}
        }
        // Cloning and dropping a waker may be anybody's code, so no lock is held meanwhile.
        let waker = waker.clone();
        let mut stage = self.stage.lock();
        let Stage::Placed(stop) = &mut *stage else { unreachable!("it is in its place") };
        if let Stop::Told = stop {
            return false;
        }
        let before = mem::replace(stop, Stop::Wakes(waker));
        drop(stage);
        drop(before);
        true
    }

    /// Whether a child is to stop that its place has.
    pub(super) fn is_told(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Placed(Stop::Told))
    }

    /// Enters that a child ends that its place has, so that nobody needs to be woken any more.
    pub(super) fn tell_nobody(&self) {
        let before = mem::replace(&mut *self.stage.lock(), Stage::Polled);
        if let Err(payload) = drop_caught(before) {
            discard(payload);
        }
    }

    /// Tells a child to stop that its place has. Returns false if that does not have it.
    pub(super) fn tell(&self) -> bool {
        let mut stage = self.stage.lock();
        let Stage::Placed(stop) = &mut *stage else { return false };
        let before = mem::replace(stop, Stop::Told);
        drop(stage);
        if let Stop::Wakes(waker) = before {
            // Whoever stops all is not to be blamed for the panic of a waker.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                discard(payload);
            }
        }
        true
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
        if whose == Whose::Joiners && self.tell() {
            return true;
        }
        let rest = self.take(|stage| match stage {
            Stage::Waiting(_) => whose == Whose::Lines,
            Stage::Driven(_) => whose == Whose::Places,
            Stage::InPlace(_) => whose == Whose::Joiners,
            Stage::Placed(_) | Stage::Polled => false,
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
