//! What has come of a fan-out so far.

use std::mem;
use std::panic::resume_unwind;
use std::sync::Arc;

use wg_core::sync::Mutex;

use crate::cause::{Cause, Stopped};
use crate::gather::{Part, in_any_order, in_order};
use crate::ledger::stopped;
use crate::outcome::{Payload, discard, drop_caught};
use crate::record::Record;

/// Results, where strands enter them and the verb finds them.
pub(super) struct Results<R>(Arc<Mutex<Done<R>>>);

/// What has come of the items.
pub(super) struct Done<R> {
    /// What strands have kept, each until its end: so an item needs no lock for its result.
    parts: Vec<Part<R>>,
    /// Results in the order of their completion, where a policy counts them.
    completed: Vec<(usize, R)>,
    /// How many items have ended by themselves.
    pub(super) ended: usize,
    /// How many items there were, as far as is known, and whether these are all.
    pub(super) items: usize,
    pub(super) are_all: bool,
}

impl<R> Clone for Results<R> {
    fn clone(&self) -> Self {
        Results(Arc::clone(&self.0))
    }
}

impl<R> Results<R> {
    pub(super) fn new() -> Self {
        Results(Arc::new(Mutex::new(Done::new())))
    }

    /// Enters a success that a policy counts.
    pub(super) fn complete(&self, index: u64, result: R) {
        let index = usize::try_from(index).expect("there is memory for the results");
        let mut done = self.0.lock();
        done.ended += 1;
        done.completed.push((index, result));
    }

    /// Enters an item that has ended without a result.
    pub(super) fn ended(&self) {
        self.0.lock().ended += 1;
    }

    /// Enters what a strand has kept.
    pub(super) fn hand_in(&self, part: Part<R>) {
        let count = part.len();
        let mut done = self.0.lock();
        done.ended += count;
        if count > 0 {
            done.parts.push(part);
        }
    }

    pub(super) fn total(&self, (items, are_all): (usize, bool)) {
        let mut done = self.0.lock();
        done.items = items;
        done.are_all = are_all;
    }

    pub(super) fn take(&self) -> Done<R> {
        mem::replace(&mut *self.0.lock(), Done::new())
    }
}

impl<R> Done<R> {
    fn new() -> Self {
        Done { parts: Vec::new(), completed: Vec::new(), ended: 0, items: 0, are_all: false }
    }

    /// Why items were lost, if they were. What a policy skips it does not want.
    pub(super) fn lost(&self, record: &Record) -> Option<Stopped> {
        let unwanted = |cause: &Cause| {
            matches!(cause, Cause::Decided | Cause::Failed(_) | Cause::Panicked(..))
        };
        let lost = self.items > self.ended || !self.are_all;
        let cause = record.node.cause().filter(|cause| lost && !unwanted(cause));
        cause.map(|cause| stopped(Some(cause)))
    }

    /// The results in the order of their items.
    pub(super) fn into_values(mut self) -> Vec<R> {
        if self.completed.is_empty() {
            return in_order(mem::take(&mut self.parts));
        }
        let mut completed = mem::take(&mut self.completed);
        completed.sort_by_key(|&(index, _)| index);
        completed.into_iter().map(|(_, value)| value).collect()
    }

    /// The first `wanted` results by completion, if there are so many.
    pub(super) fn take_first(&mut self, wanted: usize) -> Option<Vec<(usize, R)>> {
        if self.completed.len() < wanted {
            return None;
        }
        let rest = self.completed.split_off(wanted);
        Some(mem::replace(&mut self.completed, rest))
    }

    /// Drops everything that is left but what is `kept`, where nothing else has been thrown.
    pub(super) fn give_up<K>(mut self, kept: K) -> K {
        if let Some(payload) = self.clear() {
            drop_caught(kept).unwrap_or_else(discard);
            resume_unwind(payload);
        }
        kept
    }

    /// Drops everything that is left, before something else is thrown.
    pub(super) fn discard(mut self) {
        self.clear().into_iter().for_each(discard);
    }

    /// Drops results one by one, so that one whose drop panics takes no other with it. Returns what
    /// the first has thrown.
    fn clear(&mut self) -> Option<Payload> {
        let kept = in_any_order(mem::take(&mut self.parts));
        let completed = mem::take(&mut self.completed).into_iter().map(|(_, value)| value);
        let mut first = None;
        for value in kept.chain(completed) {
            if let Err(payload) = drop_caught(value) {
                match first {
                    None => first = Some(payload),
                    Some(_) => discard(payload),
                }
            }
        }
        first
    }
}

impl<R> Drop for Done<R> {
    fn drop(&mut self) {
        let Some(payload) = self.clear() else { return };
        if std::thread::panicking() {
            // Something else is on its way to whoever dropped this.
            discard(payload);
        } else {
            resume_unwind(payload);
        }
    }
}
