//! How often this process was forked. A child has copies of all statics, locks in whatever state they
//! were, but none of the threads that held them: so it needs statics of its own.
//!
//! To hear of forks takes `unsafe`, which this crate does without: wg-scope does it.

use std::sync::atomic::{AtomicU64, Ordering};

static FORKS: AtomicU64 = AtomicU64::new(0);

/// Returns how many forks lie between this process and the first that heard of them.
#[inline]
pub fn forks() -> u64 {
    // ORDERING: Relaxed, here and below. It changes in a child that has one thread.
    FORKS.load(Ordering::Relaxed)
}

/// Counts a fork. To be called by the child, before anything else is.
pub fn count_fork() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}
