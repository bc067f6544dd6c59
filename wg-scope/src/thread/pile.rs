//! How much has come together where some lay things down and others fetch them.
//!
//! Whoever fetches small things is often faster than those who lay them down, and would come for each one
//! by itself. Then both wait for each other's cores at every one of them, which takes several times as
//! long as the things themselves.

use wg_core::sync::{AtomicU64, Ordering, times};

/// How many things lie in a place that has a lock. It is set with that lock held; to all others it is a
/// hint.
pub(super) struct Pile(AtomicU64);

/// So few are fetched at once, in case that no more come; and so many are worth the way. Between these,
/// more are waited for.
const FEW: u64 = 2;
const MANY: u64 = 128;

/// For how long, in turns of a loop, before the second look whether more have come; for twice as long before
/// the next; and how often. That is some microseconds in all, as falling asleep and being woken take. In
/// models, nobody waits.
const SHORTEST: usize = 32;
const LOOKS: usize = times(5) - times(2);

// ORDERING: Relaxed. Who has to know holds the lock.
impl Pile {
    pub(super) fn new() -> Self {
        Pile(AtomicU64::new(0))
    }

    #[inline]
    pub(super) fn set(&self, len: usize) {
        self.0.store(len as u64, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits for as long as some things lie here, and more come at once.
    pub(super) fn gather(&self) {
        let mut before = FEW;
        for turns in (0..LOOKS).map(|look| SHORTEST << look) {
            let here = self.len();
            if here <= before || here >= MANY {
                return;
            }
            (0..turns).for_each(|_| std::hint::spin_loop());
            before = here;
        }
    }
}
