//! A budget: how much weight of items may be in flight at once.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wg_core::sync::Mutex;

use super::alone::Puller;
use super::feed::{Claim, Feed};
use crate::outcome::{Payload, discard, drop_caught};
use crate::thread::crew::Posting;

/// Says what an item weighs.
pub(super) type Weigh<'w, T> = Box<dyn Fn(&T) -> u64 + Send + Sync + 'w>;

/// Lets items begin in their order, as long as their weights fit. One that is heavier than the whole
/// budget runs alone.
pub(super) struct Budget<'w, T> {
    total: u64,
    weigh: Weigh<'w, T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    used: u64,
    in_flight: usize,
    /// Whether somebody finds out what the next item is, and what it weighs. Nobody looks at the one
    /// after it meanwhile.
    busy: bool,
    /// The next item, which did not fit so far.
    head: Option<(usize, T, u64)>,
}

/// What came of asking for an item.
pub(super) enum Weighed<T> {
    Item(usize, T, u64),
    /// The next item has to wait until others are done, or somebody else is finding it.
    NotNow,
    Ended,
    Panicked(usize, Payload),
}

impl<T> State<T> {
    fn fits(&self, weight: u64, total: u64) -> bool {
        self.in_flight == 0 || self.used.checked_add(weight).is_some_and(|used| used <= total)
    }
}

impl<T> From<Claim<T>> for Weighed<T> {
    fn from(claim: Claim<T>) -> Self {
        match claim {
            Claim::Item(index, item) => Weighed::Item(index, item, 0),
            Claim::NotNow => Weighed::NotNow,
            Claim::Ended => Weighed::Ended,
            Claim::Panicked(index, payload) => Weighed::Panicked(index, payload),
        }
    }
}

impl<'w, T> Budget<'w, T> {
    pub(super) fn new(total: u64, weigh: Weigh<'w, T>) -> Self {
        let state = State { used: 0, in_flight: 0, busy: false, head: None };
        Budget { total, weigh, state: Mutex::new(state) }
    }

    /// Claims the next item if it fits. Its weight is to be given back.
    ///
    /// Whoever gets an item posts a share that looks at the next one; so who finds another busy with
    /// it may go away.
    pub(super) fn claim<I: Iterator<Item = T>>(
        &self,
        feed: &Feed<I>,
        puller: &mut Puller<I>,
        crew: &dyn Posting,
    ) -> Weighed<T> {
        let mut state = self.state.lock();
        if state.busy {
            return Weighed::NotNow;
        }
        let head = state.head.take();
        state.busy = true;
        drop(state);
        let found = head.map_or_else(|| self.find(feed, puller, crew), Ok);
        let mut state = self.state.lock();
        state.busy = false;
        match found {
            Ok((index, item, weight)) if state.fits(weight, self.total) => {
                state.used = state.used.saturating_add(weight);
                state.in_flight += 1;
                Weighed::Item(index, item, weight)
            }
            Ok(head) => {
                state.head = Some(head);
                Weighed::NotNow
            }
            Err(other) => other,
        }
    }

    /// Pulls an item and weighs it; both are the user's code, for which nobody waits.
    fn find<I: Iterator<Item = T>>(
        &self,
        feed: &Feed<I>,
        puller: &mut Puller<I>,
        crew: &dyn Posting,
    ) -> Result<(usize, T, u64), Weighed<T>> {
        match feed.claim(puller, crew) {
            Claim::Item(index, item) => {
                match catch_unwind(AssertUnwindSafe(|| (self.weigh)(&item))) {
                    Ok(weight) => Ok((index, item, weight)),
                    Err(payload) => {
                        drop_caught(item).unwrap_or_else(discard);
                        Err(Weighed::Panicked(index, payload))
                    }
                }
            }
            other => Err(other.into()),
        }
    }

    pub(super) fn give_back(&self, weight: u64) {
        let mut state = self.state.lock();
        state.in_flight -= 1;
        // A single item may be heavier than all that can be counted.
        state.used = if state.in_flight == 0 { 0 } else { state.used.saturating_sub(weight) };
    }

    /// Whether a share would find something to do, in a feed that has ended or has not.
    pub(super) fn has_more(&self, ended: bool) -> bool {
        let state = self.state.lock();
        let next = state.head.as_ref();
        !state.busy && next.map_or(!ended, |&(_, _, weight)| state.fits(weight, self.total))
    }

    /// Drops the item that waits, and what says what items weigh. Returns what they have thrown.
    pub(super) fn clear(self) -> Vec<Payload> {
        let head = self.state.into_inner().head;
        let thrown = [drop_caught(head).err(), drop_caught(self.weigh).err()];
        thrown.into_iter().flatten().collect()
    }
}
