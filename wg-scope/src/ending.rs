//! The end of a future: its outcome goes into the ledger, and to its handle or to nobody.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use wg_core::sync::Mutex;

use crate::cause::Stopped;
use crate::ledger::as_echo;
use crate::outcome::{Outcome, Payload};
use crate::policy::Verdict;
use crate::record::Record;
use crate::settle::Settle;
use crate::task_info::{Label, Stamp, TaskInfo};
use crate::timeline::OutcomeKind;

/// Where the outcome of a task is laid down for its handle.
pub(crate) struct Ending<T, S> {
    origin: Origin<S>,
    slot: Mutex<Slot<T>>,
}

/// Where a task comes from, and what becomes of an outcome that no handle claims: all that its end
/// needs, once nobody has the handle any more.
pub(crate) struct Origin<S> {
    label: Label,
    settle: S,
}

enum Slot<T> {
    /// The task has not ended.
    Open(Holder),
    Ended(Outcome<T>, usize),
    /// The outcome is somebody's, or nobody's any more. Nothing of the user's is left in here.
    Taken,
}

/// Whoever holds the handle of a task that has not ended.
enum Holder {
    Busy,
    Waiting(Waker),
    Gone,
}

impl<S> Origin<S> {
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

    /// As [`Ending::conclude`], where no handle is left.
    #[cfg(feature = "local")]
    pub(crate) fn conclude<T>(
        &self,
        record: &Record,
        index: u64,
        result: Result<Option<T>, Payload>,
        told: bool,
    ) where
        S: Settle<T>,
    {
        let (outcome, order, verdict) = self.judge(record, index, result, told);
        self.forgo(record, index, outcome, order);
        record.obey(verdict);
    }

    /// Enters how the task ended. Returns what its handle hears of it, its place in the order of
    /// failures, and what is to be obeyed when the handle has heard.
    #[inline]
    fn judge<T>(
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

    /// Settles an outcome that no handle claims. A panic in its drop is the task's, wherever it
    /// happens.
    fn forgo<T>(&self, record: &Record, index: u64, outcome: Outcome<T>, order: usize)
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

impl<T, S: Settle<T>> Ending<T, S> {
    pub(crate) fn new(label: Label, settle: S) -> Self {
        let origin = Origin { label, settle };
        Ending { origin, slot: Mutex::new(Slot::Open(Holder::Busy)) }
    }

    #[cfg(feature = "local")]
    pub(crate) fn settle(&self) -> &S {
        &self.origin.settle
    }

    #[cfg(feature = "local")]
    pub(crate) fn origin(&self) -> &Origin<S> {
        &self.origin
    }

    /// What is left when the handle is gone.
    #[cfg(feature = "local")]
    pub(crate) fn into_origin(self) -> Origin<S> {
        self.origin
    }

    pub(crate) fn task(&self, index: u64) -> TaskInfo {
        self.origin.task(index)
    }

    /// Enters the span of the task in the timeline, if there is one: from its first poll until now.
    pub(crate) fn record(
        &self,
        record: &Record,
        index: u64,
        began: Stamp,
        result: &Result<Option<T>, Payload>,
    ) {
        self.origin.record(record, index, began, result);
    }

    /// Enters how the task ended, `None` being that it was cancelled, and lays the outcome down.
    /// `told`: it may have ended so because it was told that it is stopped.
    pub(crate) fn conclude(
        &self,
        record: &Record,
        index: u64,
        result: Result<Option<T>, Payload>,
        told: bool,
    ) {
        let (outcome, order, verdict) = self.origin.judge(record, index, result, told);
        self.lay_down(record, index, outcome, order);
        record.obey(verdict);
    }

    fn lay_down(&self, record: &Record, index: u64, outcome: Outcome<T>, order: usize) {
        let mut slot = self.slot.lock();
        match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Open(Holder::Gone) => {
                drop(slot);
                self.origin.forgo(record, index, outcome, order);
            }
            Slot::Open(holder) => {
                *slot = Slot::Ended(outcome, order);
                drop(slot);
                if let Holder::Waiting(waker) = holder {
                    // It may be anybody's.
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                        self.panicked(record, index, payload);
                    }
                }
            }
            Slot::Ended(..) | Slot::Taken => unreachable!("a task ends once"),
        }
    }

    /// Enters a panic of the task.
    pub(crate) fn panicked(&self, record: &Record, index: u64, payload: Payload) -> Stopped {
        self.origin.panicked(record, index, payload)
    }

    /// Takes the outcome if it is there.
    pub(crate) fn take_if_ended(&self) -> Option<Outcome<T>> {
        let mut slot = self.slot.lock();
        match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Ended(outcome, _) => Some(outcome),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Takes the outcome if it is there; otherwise `waker` is woken when it is.
    pub(crate) fn take(&self, waker: &Waker) -> Option<Outcome<T>> {
        // Cloning and dropping a waker may be anybody's code, so no lock is held meanwhile.
        let waker = waker.clone();
        let mut slot = self.slot.lock();
        let before = match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Ended(outcome, _) => return Some(outcome),
            Slot::Open(holder) => {
                *slot = Slot::Open(Holder::Waiting(waker));
                holder
            }
            Slot::Taken => panic!("the outcome of a task is taken once"),
        };
        drop(slot);
        drop(before);
        None
    }

    /// Gives the outcome up: it is settled by whoever finds it first, here or at the task's end.
    pub(crate) fn abandon(&self, record: Option<&Record>, index: u64) {
        let mut slot = self.slot.lock();
        match mem::replace(&mut *slot, Slot::Taken) {
            Slot::Open(before) => {
                *slot = Slot::Open(Holder::Gone);
                drop(slot);
                drop(before);
            }
            Slot::Ended(outcome, order) => {
                drop(slot);
                let record = record.expect("a handle does not outlive its scope");
                self.origin.forgo(record, index, outcome, order);
            }
            Slot::Taken => {}
        }
    }

    pub(crate) fn is_ended(&self) -> bool {
        !matches!(*self.slot.lock(), Slot::Open(_))
    }
}
