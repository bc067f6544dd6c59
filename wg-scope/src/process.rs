//! Which process this is. A fork copies what stands in statics, locks in whatever state they were,
//! but none of the threads: so a child starts with statics of its own.

use std::process;

use wg_core::sync::{self, AtomicU64, Ordering};

/// How many processes in a row, each forked by the one before, have statics of their own.
pub(crate) const GENERATIONS: usize = sync::times(8);

sync::global! {
    /// The process's number in the upper half, its generation in the lower.
    static KNOWN: AtomicU64 = AtomicU64::new(0);
}

/// Returns the place of this process's own statics, below [`GENERATIONS`].
pub(crate) fn generation() -> usize {
    let own = u64::from(process::id());
    // ORDERING: Relaxed. The word stands for itself: between a fork and the first call here there
    // is one thread, and what it read before the fork it has.
    let mut known = KNOWN.load(Ordering::Relaxed);
    loop {
        let generation = known & 0xffff_ffff;
        if known >> 32 == own {
            return generation as usize;
        }
        let first = known == 0;
        let next = if first { 0 } else { (generation + 1).min(GENERATIONS as u64 - 1) };
        let word = own << 32 | next;
        match KNOWN.compare_exchange_weak(known, word, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return next as usize,
            Err(now) => known = now,
        }
    }
}
