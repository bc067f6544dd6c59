//! Which process this is. A fork copies what stands in statics, locks in whatever state they were,
//! but none of the threads: so a child starts with statics of its own.
#![allow(unsafe_code)]

use std::process;

use wg_core::sync::{self, AtomicU64, Ordering};

/// How many processes in a row, each forked by the one before, have statics of their own.
pub(crate) const GENERATIONS: usize = sync::times(8);

sync::global! {
    /// The process's number in the upper half, its generation in the lower.
    static KNOWN: AtomicU64 = AtomicU64::new(0);
}

/// Returns the place of this process's own statics, below [`GENERATIONS`].
#[inline]
pub(crate) fn generation() -> usize {
    match forks::count() {
        Some(forks) => usize::try_from(forks).map_or(GENERATIONS - 1, |n| n.min(GENERATIONS - 1)),
        None => generation_by_id(),
    }
}

/// How often this process was forked, as the system tells: to ask which process this is takes longer
/// than many a task.
#[cfg(unix)]
mod forks {
    use std::ffi::c_int;
    use std::sync::atomic::{AtomicU64, Ordering};

    use wg_core::sync;

    /// Whether the system tells. No lock, and nobody waits: a child would wait for ever for a thread
    /// that it has not.
    static TELLS: AtomicU64 = AtomicU64::new(UNASKED);

    const UNASKED: u64 = 0;
    const ASKING: u64 = 1;
    const YES: u64 = 2;
    const NO: u64 = 3;

    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> c_int;
    }

    extern "C" fn in_child() {
        sync::count_fork();
    }

    /// How many forks lie between the first call and this process; None if the system does not tell,
    /// or is just being asked.
    #[inline]
    pub(super) fn count() -> Option<u64> {
        // ORDERING: Relaxed, here and below. The word stands for itself: it says what the system has been
        // told already.
        match TELLS.load(Ordering::Relaxed) {
            YES => Some(sync::forks()),
            UNASKED => ask(),
            _ => None,
        }
    }

    #[cold]
    fn ask() -> Option<u64> {
        let order = Ordering::Relaxed;
        TELLS.compare_exchange(UNASKED, ASKING, order, order).ok()?;
        // SAFETY: The signature is that of POSIX. The function that is handed over lives as long as
        // the process, and does in the child what may be done there: it changes one atomic.
        let tells = unsafe { pthread_atfork(None, None, Some(in_child)) } == 0;
        TELLS.store(if tells { YES } else { NO }, order);
        tells.then(sync::forks)
    }
}

#[cfg(not(unix))]
mod forks {
    /// Nothing forks here.
    pub(super) fn count() -> Option<u64> {
        Some(0)
    }
}

fn generation_by_id() -> usize {
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
