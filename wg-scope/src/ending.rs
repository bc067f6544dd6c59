//! The end of a future: its outcome goes into the ledger, and to its handle or to nobody.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use crate::cause::Stopped;
use crate::ledger::as_echo;
#[cfg(feature = "local")]
use crate::outcome::drop_caught;
use crate::outcome::{Outcome, Payload};
use crate::policy::Verdict;
use crate::record::Record;
use crate::settle::Settle;
use crate::task_info::{Label, Stamp, TaskInfo};
use crate::timeline::OutcomeKind;

/// Where a task comes from, and what becomes of an outcome that no handle claims: all that its end
/// needs, once nobody has the handle any more.
pub(crate) struct Origin<S> {
    label: Label,
    settle: S,
}

/// How a task has ended whose future is dropped.
#[cfg(feature = "local")]
pub(crate) struct End<T> {
    /// What that has thrown.
    pub(crate) dropped: Result<(), Payload>,
    /// None if it was cancelled.
    pub(crate) result: Result<Option<T>, Payload>,
    /// Whether it was told that it is stopped: its error may be the echo of that.
    pub(crate) told: bool,
    /// When it was first polled.
    pub(crate) began: Stamp,
}

/// What a future on threads and its handle see of each other, under a lock. What its methods return may be the
/// user's, and is to be dropped, woken or settled without that lock.
pub(crate) enum Slot<T> {
    /// The task has not ended.
    Open(Holder),
    Ended(Outcome<T>, usize),
    /// The outcome is somebody's, or nobody's any more. Nothing of the user's is left in here.
    Taken,
}

/// Whoever holds the handle of a task that has not ended.
pub(crate) enum Holder {
    Busy,
    Waiting(Waker),
    Gone,
}

/// For whom an outcome was laid down.
#[must_use]
pub(crate) enum Laid<T> {
    /// For the handle, whose holder is to be woken if he waits.
    Claimed(Option<Waker>),
    /// For nobody.
    Unclaimed(Outcome<T>, usize),
}

impl<T> Slot<T> {
    pub(crate) const fn new() -> Self {
        Slot::Open(Holder::Busy)
    }

    /// Lays the outcome down.
    pub(crate) fn lay_down(&mut self, outcome: Outcome<T>, order: usize) -> Laid<T> {
        match mem::replace(self, Slot::Taken) {
            Slot::Open(Holder::Gone) => Laid::Unclaimed(outcome, order),
            Slot::Open(holder) => {
                *self = Slot::Ended(outcome, order);
                Laid::Claimed(match holder {
                    Holder::Waiting(waker) => Some(waker),
                    Holder::Busy | Holder::Gone => None,
                })
            }
            Slot::Ended(..) | Slot::Taken => unreachable!("a task ends once"),
        }
    }

    /// Takes the outcome if it is there.
    pub(crate) fn take(&mut self) -> Option<Outcome<T>> {
        match mem::replace(self, Slot::Taken) {
            Slot::Ended(outcome, _) => Some(outcome),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Takes the outcome if it is there; otherwise `waker` is woken when it is, and the one before it comes
    /// back in its place.
    pub(crate) fn take_or_wait(&mut self, waker: &mut Option<Waker>) -> Option<Outcome<T>> {
        match mem::replace(self, Slot::Taken) {
            Slot::Ended(outcome, _) => Some(outcome),
            Slot::Open(before) => {
                *self = Slot::Open(waker.take().map_or(Holder::Busy, Holder::Waiting));
                if let Holder::Waiting(before) = before {
                    *waker = Some(before);
                }
                None
            }
            Slot::Taken => panic!("the outcome of a task is taken once"),
        }
    }

    /// Gives the outcome up. Returns what was here before, for [`Origin::given_up`].
    pub(crate) fn abandon(&mut self) -> Self {
        let before = mem::replace(self, Slot::Taken);
        if matches!(before, Slot::Open(_)) {
            *self = Slot::Open(Holder::Gone);
        }
        before
    }
}

impl<S> Origin<S> {
    pub(crate) fn new(label: Label, settle: S) -> Self {
        Origin { label, settle }
    }

    #[cfg(feature = "local")]
    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    #[cfg(feature = "local")]
    pub(crate) fn settle(&self) -> &S {
        &self.settle
    }

    pub(crate) fn task(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.clone())
    }

    /// Enters the span of the task in the timeline, if there is one: from its first poll until now.
    pub(crate) fn record<T>(
        &self,
        record: &Record,
        index: u64,
        began: Stamp,
        result: &Result<Option<T>, Payload>,
    ) where
        S: Settle<T>,
    {
        record.future_ended(index, &self.label, began, || match result {
            Ok(Some(value)) => OutcomeKind::of_value(self.settle.is_error(value)),
            Ok(None) => OutcomeKind::Cancelled,
            Err(payload) => OutcomeKind::of_panic(payload),
        });
    }

    /// Enters how the task ended. Returns as [`judge`](Self::judge) does.
    #[cfg(feature = "local")]
    #[inline]
    pub(crate) fn close<T>(
        &self,
        record: &Record,
        index: u64,
        end: End<T>,
    ) -> (Outcome<T>, usize, Verdict)
    where
        S: Settle<T>,
    {
        match end {
            // Most end so, and then there is nothing to be entered.
            End { dropped: Ok(()), result: Ok(Some(value)), .. }
                if !record.enters_values() && !self.settle.is_error(&value) =>
            {
                (Outcome::Value(value), 0, Verdict::Continue)
            }
            end => self.close_and_enter(record, index, end),
        }
    }

    #[cfg(feature = "local")]
    #[cold]
    fn close_and_enter<T>(
        &self,
        record: &Record,
        index: u64,
        end: End<T>,
    ) -> (Outcome<T>, usize, Verdict)
    where
        S: Settle<T>,
    {
        let End { dropped, result, told, began } = end;
        let result = match (dropped, result) {
            (Ok(()), result) => result,
            (Err(payload), Ok(value)) => {
                // As with a closure, a panic in the drop of what it holds costs it its value.
                if let Err(worse) = drop_caught(value) {
                    self.panicked(record, index, worse);
                }
                Err(payload)
            }
            (Err(worse), Err(payload)) => {
                self.panicked(record, index, worse);
                Err(payload)
            }
        };
        self.record(record, index, began, &result);
        self.judge(record, index, result, told)
    }

    /// Enters how the task ended. Returns what its handle hears of it, its place in the order of
    /// failures, and what is to be obeyed when the handle has heard.
    #[inline]
    pub(crate) fn judge<T>(
        &self,
        record: &Record,
        index: u64,
        result: Result<Option<T>, Payload>,
        told: bool,
    ) -> (Outcome<T>, usize, Verdict)
    where
        S: Settle<T>,
    {
        let mut verdict = Verdict::Continue;
        let mut order = 0;
        let outcome = match result {
            Ok(Some(value)) => {
                if self.settle.is_error(&value) {
                    (order, verdict) = record.judge_error(&self.task(index));
                    order = if told { as_echo(order) } else { order };
                } else {
                    verdict = record.judge_value(|| self.task(index));
                }
                Outcome::Value(value)
            }
            Ok(None) => {
                record.cancelled(&self.task(index));
                Outcome::Lost(Box::new(record.stopped()))
            }
            Err(payload) => Outcome::Lost(Box::new(self.panicked(record, index, payload))),
        };
        (outcome, order, verdict)
    }

    /// Enters a panic of the task.
    pub(crate) fn panicked<T>(&self, record: &Record, index: u64, payload: Payload) -> Stopped
    where
        S: Settle<T>,
    {
        let task = self.task(index);
        let (echo, failure) = record.panicked(payload, &task);
        if let Some((payload, order)) = failure {
            self.settle.caught(task, payload, order);
        }
        echo
    }

    /// Does what follows where the outcome was laid down.
    pub(crate) fn laid_down<T>(&self, record: &Record, index: u64, laid: Laid<T>)
    where
        S: Settle<T>,
    {
        match laid {
            Laid::Unclaimed(outcome, order) => self.forgo(record, index, outcome, order),
            Laid::Claimed(None) => {}
            Laid::Claimed(Some(waker)) => {
                // It may be anybody's.
                if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                    self.panicked(record, index, payload);
                }
            }
        }
    }

    /// Does what follows where the outcome was given up: it is settled by whoever finds it first, here or
    /// at the task's end.
    pub(crate) fn given_up<T>(&self, record: Option<&Record>, index: u64, before: Slot<T>)
    where
        S: Settle<T>,
    {
        if let Slot::Ended(outcome, order) = before {
            let record = record.expect("a handle does not outlive its scope");
            self.forgo(record, index, outcome, order);
        }
    }

    /// Settles an outcome that no handle claims. A panic in its drop is the task's, wherever it
    /// happens.
    pub(crate) fn forgo<T>(&self, record: &Record, index: u64, outcome: Outcome<T>, order: usize)
    where
        S: Settle<T>,
    {
        let task = self.task(index);
        let settled = AssertUnwindSafe(|| self.settle.settle(task, outcome, order));
        if let Err(payload) = catch_unwind(settled) {
            self.panicked(record, index, payload);
        }
    }
}
