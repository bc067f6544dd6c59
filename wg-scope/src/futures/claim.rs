//! What a task and its handle share while both are there; and what is left for the task when the
//! handle is gone.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use super::child::Claimed;
use super::place::Polls;
use super::shared::{Shared, Standing};
use crate::blocks::Counted;
use crate::ending::{Ending, Origin};
use crate::outcome::{Outcome, Payload, discard, drop_caught};
use crate::record::Record;
use crate::settle::Settle;
use crate::task_info::{Label, Stamp, TaskInfo};

/// Which task of which scope, and where its outcome is laid down for its handle.
pub(crate) struct Claim<P: Polls, T, S> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) index: u64,
    pub(super) ending: Ending<T, S>,
}

/// How a task has ended whose future is dropped.
pub(super) struct End<T> {
    /// What that has thrown.
    pub(super) dropped: Result<(), Payload>,
    /// None if it was cancelled.
    pub(super) result: Result<Option<T>, Payload>,
    pub(super) told: bool,
    pub(super) began: Stamp,
}

impl<P: Polls, T, S: Settle<T>> Claim<P, T, S> {
    pub(super) fn new(shared: &Arc<Shared<P>>, index: u64, label: Label, settle: S) -> Self {
        Claim { shared: Arc::clone(shared), index, ending: Ending::new(label, settle) }
    }

    /// Enters how the task has ended. When it does not count any more, at the very end, everything of
    /// the user's has been dropped or handed over (rule 1).
    pub(super) fn conclude(&self, end: End<T>, standing: &Standing) {
        let (record, index) = (&**self.shared, self.index);
        let (result, told) = end.enter(self.ending.origin(), record, index);
        self.ending.conclude(record, index, result, told);
        self.shared.end_task(standing);
    }

    /// Gives the outcome up.
    pub(super) fn leave(&self) {
        // A waker is dropped there, which is foreign code.
        let abandon = || self.ending.abandon(Some(&**self.shared), self.index);
        if let Err(payload) = catch_unwind(AssertUnwindSafe(abandon)) {
            discard(payload);
        }
    }
}

impl<T> End<T> {
    /// Enters what there is to enter of it wherever its outcome goes. Returns that, and whether it may
    /// be an echo.
    #[inline]
    fn enter<S: Settle<T>>(
        self,
        origin: &Origin<S>,
        record: &Record,
        index: u64,
    ) -> (Result<Option<T>, Payload>, bool) {
        let End { dropped, result, told, began } = self;
        let result = match (dropped, result) {
            (Ok(()), result) => result,
            (Err(payload), Ok(value)) => {
                // As with a closure, a panic in the drop of what it holds costs it its value.
                if let Err(worse) = drop_caught(value) {
                    origin.panicked(record, index, worse);
                }
                Err(payload)
            }
            (Err(worse), Err(payload)) => {
                origin.panicked(record, index, worse);
                Err(payload)
            }
        };
        origin.record(record, index, began, &result);
        (result, told)
    }
}

impl<P: Polls, T, S: Settle<T>> Claimed<T> for Claim<P, T, S> {
    fn take_if_ended(&self) -> Option<Outcome<T>> {
        self.ending.take_if_ended()
    }

    fn take_or_wait(&self, context: &mut Context<'_>) -> Poll<Outcome<T>> {
        self.ending.take(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }

    fn leave(&self) {
        Claim::leave(self);
    }

    fn is_finished(&self) -> bool {
        self.ending.is_ended()
    }

    fn info(&self) -> TaskInfo {
        self.ending.task(self.index)
    }
}

/// A task as it has itself in hand.
pub(super) enum Held<P: Polls, T, S> {
    /// There is a handle, or was when somebody last looked.
    Claimed(Counted<Claim<P, T, S>>),
    /// There is none: what is shared with nobody needs no memory of its own.
    Alone { shared: Arc<Shared<P>>, index: u64, origin: Origin<S> },
    /// It has ended.
    Ended,
}

impl<P: Polls, T, S: Settle<T>> Held<P, T, S> {
    pub(super) fn shared(&self) -> &Arc<Shared<P>> {
        match self {
            Held::Claimed(claim) => &claim.shared,
            Held::Alone { shared, .. } => shared,
            Held::Ended => unreachable!("it was asked before its end"),
        }
    }

    pub(super) fn index(&self) -> u64 {
        match self {
            Held::Claimed(claim) => claim.index,
            Held::Alone { index, .. } => *index,
            Held::Ended => unreachable!("it was asked before its end"),
        }
    }

    /// Looks whether the handle is gone, of a task that will wait or has ended: then it waits with less,
    /// and ends without a lock that it would share with nobody.
    pub(super) fn look(&mut self) {
        if !matches!(self, Held::Claimed(claim) if claim.is_only()) {
            return;
        }
        let Held::Claimed(claim) = mem::replace(self, Held::Ended) else { unreachable!() };
        *self = match claim.try_unwrap() {
            Ok(Claim { shared, index, ending }) => {
                Held::Alone { shared, index, origin: ending.into_origin() }
            }
            Err(claim) => Held::Claimed(claim),
        };
    }

    /// See [`Claim::conclude`].
    pub(super) fn conclude(&mut self, end: End<T>, standing: &Standing) {
        self.look();
        match mem::replace(self, Held::Ended) {
            Held::Claimed(claim) => claim.conclude(end, standing),
            Held::Alone { shared, index, origin } => {
                let record = &**shared;
                let (result, told) = end.enter(&origin, record, index);
                origin.conclude(record, index, result, told);
                shared.end_task(standing);
            }
            Held::Ended => unreachable!("a task ends once"),
        }
    }
}
