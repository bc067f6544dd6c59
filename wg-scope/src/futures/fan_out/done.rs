//! What has come of a fan-out so far.

use std::mem;
use std::ops::Range;
use std::panic::resume_unwind;
use std::sync::Arc;

use wg_core::sync::Mutex;

use crate::cause::{Cause, Stopped};
use crate::ledger::stopped;
use crate::outcome::{Payload, discard, drop_caught};
use crate::record::Record;

/// Results, where strands enter them and the verb finds them.
pub(super) struct Results<R>(Arc<Mutex<Done<R>>>);

/// Results of one strand, which it hands in when it ends: so an item needs no lock for its result.
pub(crate) struct Kept<R> {
    results: Vec<R>,
    /// Where among these those of items begin that follow one another, and the first of the items. None
    /// for results without a size, whose order nobody can see: an endless fan-out for its effects alone
    /// needs no memory for each item.
    runs: Vec<(usize, u64)>,
    /// The item that follows the last one.
    next: u64,
}

/// What has come of the items.
pub(super) struct Done<R> {
    /// What strands have kept. It goes to the places of the items when all is here: that needs no
    /// sort, and holds up no other strand.
    kept: Vec<Kept<R>>,
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
    pub(super) fn hand_in(&self, kept: Kept<R>) {
        let mut done = self.0.lock();
        done.ended += kept.results.len();
        if !kept.results.is_empty() {
            done.kept.push(kept);
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

impl<R> Default for Kept<R> {
    fn default() -> Self {
        Kept { results: Vec::new(), runs: Vec::new(), next: u64::MAX }
    }
}

impl<R> Kept<R> {
    #[inline]
    pub(super) fn push(&mut self, index: u64, result: R) {
        if index != self.next && size_of::<R>() != 0 {
            self.runs.push((self.results.len(), index));
        }
        self.next = index + 1;
        self.results.push(result);
    }

    /// The items whose results these are.
    fn runs(&self) -> impl Iterator<Item = Range<u64>> {
        let ends = self.runs.iter().skip(1).map(|&(place, _)| place).chain([self.results.len()]);
        let runs = self.runs.iter().zip(ends);
        runs.map(|(&(place, first), end)| first..first + (end - place) as u64)
    }
}

impl<R> Done<R> {
    fn new() -> Self {
        Done { kept: Vec::new(), completed: Vec::new(), ended: 0, items: 0, are_all: false }
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
            return in_order(mem::take(&mut self.kept));
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
        let kept = mem::take(&mut self.kept).into_iter().flat_map(|kept| kept.results);
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

/// Results in the order of their items.
fn in_order<R>(mut kept: Vec<Kept<R>>) -> Vec<R> {
    if size_of::<R>() == 0 {
        return kept.into_iter().flat_map(|kept| kept.results).collect();
    }
    // Those of one strand ascend, but for items that another had given back.
    let ascend = |kept: &Kept<R>| kept.runs.is_sorted_by_key(|&(_, first)| first);
    if let [one] = &mut *kept {
        if ascend(one) {
            return mem::take(&mut one.results);
        }
    }
    let total = kept.iter().map(|kept| kept.results.len()).sum();
    let runs = kept.iter().map(|kept| kept.runs.len()).sum::<usize>();
    if runs > total / LONG || !kept.iter().all(ascend) {
        return in_slots(kept);
    }
    let mut order = Vec::with_capacity(runs);
    let mut strands = Vec::with_capacity(kept.len());
    for (strand, kept) in kept.into_iter().enumerate() {
        order.extend(kept.runs().map(|run| (run, strand)));
        strands.push(kept.results.into_iter());
    }
    order.sort_unstable_by_key(|(run, _)| run.start);
    let mut all = Vec::with_capacity(total);
    for (run, strand) in order {
        all.extend(strands[strand].by_ref().take((run.end - run.start) as usize));
    }
    all
}

/// How many results there are to a run where it takes less time to sort runs than to have a place for
/// each result.
const LONG: usize = 4;

fn in_slots<R>(kept: Vec<Kept<R>>) -> Vec<R> {
    let ends = kept.iter().flat_map(|kept| kept.runs().map(|run| run.end));
    let most = usize::try_from(ends.max().unwrap_or(0)).expect("there is memory for the results");
    let mut slots: Vec<Option<R>> = Vec::new();
    slots.resize_with(most, || None);
    for kept in kept {
        let runs: Vec<_> = kept.runs().collect();
        for (index, result) in runs.into_iter().flatten().zip(kept.results) {
            slots[index as usize] = Some(result);
        }
    }
    slots.into_iter().flatten().collect()
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
