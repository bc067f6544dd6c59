//! What a strand has pulled and not begun, and what it has to tell the feed.

use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use wg_core::sync::now;

use crate::outcome::discard;

/// The most items that are pulled at once.
const MOST: usize = 64;

/// As many items are pulled at a time as take about this time together: who handles them may be the
/// only one who has something to do. One that takes less by itself is brief.
const QUICK: Duration = Duration::from_micros(10);

/// Items that were pulled and not begun, and what was finished since the last claim.
pub(crate) struct Hand<T> {
    pub(super) items: VecDeque<Pulled<T>>,
    /// How many items were finished, and their weight.
    pub(super) finished: usize,
    pub(super) weight: u64,
    /// How many items are good to be pulled at once.
    pub(super) batch: usize,
    /// For how many there is room beyond the first, or was when they were pulled.
    pub(super) ahead: usize,
    /// Whether it is a strand's, and not that of somebody who reads and helps.
    pub(super) counts: bool,
    /// Whether there is room for another strand.
    pub(super) recruits: bool,
    /// Whether there was to be another strand, and was not as items were brief. It is to be as soon
    /// as one of these waits.
    pub(super) owes: bool,
    /// Whether those who wait for items to be added have to reckon with this strand.
    pub(super) busy: bool,
    /// Whether no item that was handled since the last claim has waited.
    is_quick: bool,
    /// Whether those took some time.
    was_slow: bool,
    claimed: Option<Instant>,
}

/// An item that was pulled.
pub(crate) struct Pulled<T> {
    pub(super) index: u64,
    pub(super) weight: u64,
    pub(super) item: T,
}

impl<T> Hand<T> {
    pub(super) fn new(counts: bool) -> Self {
        Hand {
            items: VecDeque::new(),
            finished: 0,
            weight: 0,
            batch: 1,
            ahead: 0,
            counts,
            recruits: true,
            owes: false,
            busy: false,
            is_quick: false,
            was_slow: false,
            claimed: None,
        }
    }

    /// Enters that an item in hand is finished.
    pub(super) fn finish(&mut self, weight: u64) {
        self.finished += 1;
        self.weight = self.weight.saturating_add(weight);
    }

    /// Enters that an item in hand waits.
    pub(super) fn wait(&mut self) {
        self.is_quick = false;
    }

    /// Enters that it goes on after a pause, which says nothing about its items.
    pub(super) fn resume(&mut self) {
        self.claimed = None;
    }

    /// Finds out how many items are good to be pulled at once. A clock is asked only while none of
    /// them waits.
    pub(super) fn adapt(&mut self) -> Pace {
        if !mem::replace(&mut self.is_quick, true) {
            self.batch = 1;
            self.was_slow = false;
            self.claimed = None;
            return Pace::Unknown;
        }
        let now = now();
        let handled = u32::try_from(self.finished).unwrap_or(u32::MAX);
        let Some(before) = self.claimed.replace(now).filter(|_| handled > 0) else {
            return Pace::Unknown;
        };
        let took = now.saturating_duration_since(before);
        if took < QUICK {
            self.batch = (self.batch * 2).min(MOST);
        } else if took > QUICK * 2 {
            self.batch = (self.batch / 2).max(1);
        }
        let is_slow = took / handled >= QUICK;
        let was_slow = mem::replace(&mut self.was_slow, is_slow);
        match (was_slow, is_slow) {
            (_, false) => Pace::Brief,
            // A thread that was held up once by others says nothing about its items.
            (false, true) => Pace::Unknown,
            (true, true) => Pace::Slow,
        }
    }
}

/// How the items were that were handled since the last claim.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    Unknown,
    /// None waited, and each took next to no time.
    Brief,
    /// None waited, and each took some time, as did those before.
    Slow,
}

/// How many items an iterator says that it has, at least and at most. One that panics says nothing.
pub(super) fn size<I: Iterator>(items: &I) -> (usize, Option<usize>) {
    catch_unwind(AssertUnwindSafe(|| items.size_hint())).unwrap_or_else(|payload| {
        discard(payload);
        (0, None)
    })
}
