//! What a strand has pulled and not begun, and what it has to tell the feed.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use wg_core::sync::now;

use crate::outcome::{Payload, discard};

/// The most items that are pulled at once.
const MOST: usize = 64;

/// As many items are pulled at a time as take about this time together: who handles them may be the
/// only one who has something to do. One that takes less by itself is brief.
const QUICK: Duration = Duration::from_micros(10);

/// Items that were pulled and not begun, and what was finished since the last claim.
pub(crate) struct Hand<T> {
    pub(super) items: Row<T>,
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

/// Items that were pulled one after the other, so that only the first needs a number.
pub(crate) struct Row<T> {
    /// The number of the first, and what each weighs.
    first: u64,
    weight: u64,
    /// The first of them last.
    items: Vec<T>,
}

impl<T> Row<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// What each weighs; nothing where there are none.
    pub(super) fn weight(&self) -> u64 {
        if self.is_empty() { 0 } else { self.weight }
    }

    /// Pulls items until there are `most`. Returns whether the iterator was seen to be at its end, or
    /// what it has thrown.
    pub(super) fn pull(
        &mut self,
        first: u64,
        items: &mut impl Iterator<Item = T>,
        most: usize,
    ) -> Result<bool, Payload> {
        debug_assert!(self.is_empty(), "items that are not in a row");
        (self.first, self.weight) = (first, 0);
        let own = &mut self.items;
        let is_over = catch_unwind(AssertUnwindSafe(|| {
            while own.len() < most {
                let Some(item) = items.next() else { return true };
                own.push(item);
            }
            false
        }));
        own.reverse();
        is_over
    }

    /// Lays down the only item there is.
    pub(super) fn lay(&mut self, pulled: Pulled<T>) {
        debug_assert!(self.is_empty(), "items that are not in a row");
        let Pulled { index, weight, item } = pulled;
        (self.first, self.weight) = (index, weight);
        self.items.push(item);
    }

    /// Weighs what there is by `weigh`.
    pub(super) fn weigh(&mut self, weigh: impl FnOnce(&T) -> u64) {
        if let Some(item) = self.items.last() {
            self.weight = weigh(item);
        }
    }

    /// Gives the items other numbers.
    pub(super) fn renumber(&mut self, first: u64) {
        self.first = first;
    }

    pub(super) fn pop(&mut self) -> Option<Pulled<T>> {
        let item = self.items.pop()?;
        let index = self.first;
        self.first += 1;
        Some(Pulled { index, weight: self.weight, item })
    }

    /// Puts back what was popped last.
    #[cold]
    pub(super) fn put_back(&mut self, pulled: Pulled<T>) {
        self.first = pulled.index;
        self.items.push(pulled.item);
    }

    /// Takes all of them out.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Pulled<T>> {
        let weight = self.weight;
        let numbered = (self.first..).zip(self.items.drain(..).rev());
        numbered.map(move |(index, item)| Pulled { index, weight, item })
    }
}

impl<T> Hand<T> {
    pub(super) fn new(counts: bool) -> Self {
        Hand {
            items: Row { first: 0, weight: 0, items: Vec::new() },
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

    /// Whether the items took some time that were handled between the last two claims.
    pub(super) fn was_slow(&self) -> bool {
        self.was_slow
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

#[cfg(test)]
mod tests {
    use super::*;

    fn in_a_row(items: impl IntoIterator<Item = u64>) -> Hand<u64> {
        let mut hand = Hand::new(true);
        let pulled = hand.items.pull(7, &mut items.into_iter(), 3);
        assert!(pulled.is_ok_and(|is_over| !is_over));
        hand
    }

    #[test]
    fn rule_17_items_in_a_row_keep_their_order_and_numbers() {
        let numbered = |it: Pulled<u64>| (it.index, it.item);
        let mut hand = in_a_row(10..);
        assert_eq!(hand.items.pop().map(numbered), Some((7, 10)));
        hand.items.put_back(Pulled { index: 7, weight: 0, item: 10 });
        let rest: Vec<_> = hand.items.drain().map(numbered).collect();
        assert_eq!(rest, [(7, 10), (8, 11), (9, 12)]);
        assert!(hand.items.is_empty());
    }

    #[test]
    fn rule_03_an_iterator_that_panics_takes_none_along() {
        let mut hand = Hand::new(true);
        let mut items = (0..).inspect(|&n| assert!(n < 2, "no more"));
        assert!(hand.items.pull(0, &mut items, 5).is_err());
        let rest: Vec<_> = hand.items.drain().map(|it| it.item).collect();
        assert_eq!(rest, [0, 1]);
    }
}
