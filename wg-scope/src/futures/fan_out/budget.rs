//! A budget: how much weight of items may be in flight at once.

use std::fmt;

/// What an item weighs, and what all may weigh that are in flight. One that is heavier than that
/// runs alone.
pub(crate) trait Weigh<T> {
    /// Whether anything is weighed at all.
    const WEIGHS: bool;

    fn total(&self) -> u64;

    fn weigh(&self, item: &T) -> u64;
}

/// A fan-out without a budget; see [`AsyncFanOut`](crate::AsyncFanOut).
#[derive(Clone, Copy, Debug)]
pub struct Unweighed(pub(super) ());

impl<T> Weigh<T> for Unweighed {
    const WEIGHS: bool = false;

    fn total(&self) -> u64 {
        u64::MAX
    }

    fn weigh(&self, _: &T) -> u64 {
        0
    }
}

/// A fan-out with a budget, and with what says what items weigh. Made by
/// [`AsyncFanOut::budget`](crate::AsyncFanOut::budget).
pub struct Weighed<G> {
    total: u64,
    weight: G,
}

impl<G> Weighed<G> {
    #[track_caller]
    pub(super) fn new(total: u64, weight: G) -> Self {
        assert!(total > 0, "a budget of 0 lets nothing run but one item at a time: use `limit(1)`");
        Weighed { total, weight }
    }
}

impl<T, G: Fn(&T) -> u64> Weigh<T> for Weighed<G> {
    const WEIGHS: bool = true;

    fn total(&self) -> u64 {
        self.total
    }

    fn weigh(&self, item: &T) -> u64 {
        (self.weight)(item)
    }
}

impl<G> fmt::Debug for Weighed<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weighed").field("total", &self.total).finish_non_exhaustive()
    }
}
