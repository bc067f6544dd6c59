//! A biased lock: it belongs to one thread, who comes and goes without a locked instruction, until
//! another asks for it.
//!
//! 1. The owner says that it is inside, passes the light side of a barrier, and looks whether the lock was
//!    revoked. Another revokes it, passes the heavy side, and looks whether the owner is inside. One of
//!    the two sees what the other did: the owner goes out again, or the other waits until it has.
//! 2. Others take turns, under a mutex. What was revoked stays so, and the owner outside, until the owner
//!    takes it back, in a turn of its own. So who comes next needs no barrier.
//! 3. Who is inside moves values and calls nobody: it may be waited for.
#![allow(unsafe_code)]

use std::sync::Arc;

use wg_core::sync::{AtomicBool, AtomicU64, Mutex, Ordering, UnsafeCell, times, wait_a_little};

use super::barrier::Barrier;

/// The end of the one whose lock it is.
pub(in crate::thread) struct Owner<T>(Arc<Biased<T>>);

/// The end of all others.
pub(in crate::thread) struct Other<T>(Arc<Biased<T>>);

/// The owner writes here all the time: what others write must lie elsewhere.
#[repr(align(128))]
struct Biased<T> {
    /// Whether the owner is inside, or looks whether it may be.
    is_inside: AtomicBool,
    /// [`REVOKED`], [`TWO_SIDED`], or nothing: then the owner may go in at once.
    state: AtomicU64,
    barrier: Barrier,
    value: UnsafeCell<T>,
    turn: Mutex<()>,
}

// SAFETY: By reference it hands the value to one at a time, from one thread to the next.
unsafe impl<T: Send> Sync for Biased<T> {}

/// The lock is others', until the owner takes it back.
const REVOKED: u64 = 1;
/// The owner has to pass a fence to know whether it is.
const TWO_SIDED: u64 = 2;

/// How often the owner looks whether another's turn is over before it goes to sleep.
const PATIENCE: usize = times(128);

/// What the lock is about, and its two ends.
pub(in crate::thread) fn biased<T>(value: T) -> (Owner<T>, Other<T>) {
    let barrier = Barrier::best();
    let state = if let Barrier::TwoSided = barrier { TWO_SIDED } else { 0 };
    let biased = Arc::new(Biased {
        is_inside: AtomicBool::new(false),
        state: AtomicU64::new(state),
        barrier,
        value: UnsafeCell::new(value),
        turn: Mutex::new(()),
    });
    (Owner(Arc::clone(&biased)), Other(biased))
}

/// The owner, inside; however it goes out.
pub(in crate::thread) struct Inside<'a, T>(&'a Biased<T>);

impl<T> Inside<'_, T> {
    /// Calls with the value. It must be brief, and ask for nothing that is waited for.
    #[inline]
    pub(in crate::thread) fn with<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: The owner is one, and here only once. Whoever revokes the lock from here on sees that the
        // owner is inside, as there is a barrier on both sides, and waits; whoever has revoked it before was
        // seen. Others do not touch the value of a lock that is not revoked.
        self.0.value.with_mut(|value| change(unsafe { &mut *value }))
    }
}

impl<T> Drop for Inside<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Release, for who waits for this in `Other::with`: what was done inside is done.
        self.0.is_inside.store(false, Ordering::Release);
    }
}

impl<T> Owner<T> {
    /// Goes in. None where others have revoked the lock.
    #[inline]
    pub(in crate::thread) fn enter(&mut self) -> Option<Inside<'_, T>> {
        let lock = &*self.0;
        // ORDERING: Relaxed. The barrier orders it before the look.
        lock.is_inside.store(true, Ordering::Relaxed);
        let inside = Inside(lock);
        Barrier::OneSided.light();
        // ORDERING: Relaxed. That it is not revoked the owner has written itself, in its last turn: what
        // others did before that, it has seen.
        if lock.state.load(Ordering::Relaxed) != 0 && lock.is_revoked() {
            return None;
        }
        Some(inside)
    }

    /// Takes the lock back from others. They may revoke it again at once.
    #[cold]
    pub(in crate::thread) fn take_back(&mut self) {
        let lock = &*self.0;
        // Another's turn is brief, but for the barrier: to sleep until then, and be woken, takes longer.
        let turn = (0..PATIENCE).find_map(|round| {
            let turn = lock.turn.try_lock();
            if turn.is_none() {
                wait_a_little(round);
            }
            turn
        });
        let _turn = turn.unwrap_or_else(|| lock.turn.lock());
        lock.revoke(false);
    }
}

impl<T> Biased<T> {
    /// Whether it is revoked, for the owner who has said that it is inside, and has to pass its side of the
    /// barrier first.
    #[cold]
    fn is_revoked(&self) -> bool {
        self.barrier.light();
        // ORDERING: Relaxed, as in `Owner::enter`.
        self.state.load(Ordering::Relaxed) & REVOKED != 0
    }

    /// Says whether it is revoked. To be called in a turn.
    fn revoke(&self, is_revoked: bool) {
        let side = if let Barrier::TwoSided = self.barrier { TWO_SIDED } else { 0 };
        // ORDERING: Relaxed. It is written in turns only; who looks in none of his own has a barrier before.
        self.state.store(side | if is_revoked { REVOKED } else { 0 }, Ordering::Relaxed);
    }
}

impl<T> Drop for Owner<T> {
    /// The owner will not come again: others need not look for it.
    fn drop(&mut self) {
        let _turn = self.0.turn.lock();
        self.0.revoke(true);
    }
}

impl<T> Other<T> {
    /// Calls with the value, as soon as the owner is outside. It must be brief, and ask for nothing that is
    /// waited for. None if the system refuses the barrier without which nobody knows where the owner is.
    pub(in crate::thread) fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let lock = &*self.0;
        let _turn = lock.turn.lock();
        // ORDERING: Relaxed. It is written in turns only. The barrier orders what is written here before the
        // look whether the owner is inside.
        if lock.state.load(Ordering::Relaxed) & REVOKED == 0 {
            lock.revoke(true);
            if !lock.barrier.heavy() {
                // Whoever comes next has to ask for a barrier again.
                lock.revoke(false);
                return None;
            }
            let mut rounds = 0;
            // ORDERING: Acquire pairs with the owner's going out.
            while lock.is_inside.load(Ordering::Acquire) {
                wait_a_little(rounds);
                rounds += 1;
            }
        }
        // SAFETY: It is this one's turn. The lock is revoked, and since then the owner was seen outside,
        // behind a barrier: it does not touch the value before a turn of its own.
        Some(lock.value.with_mut(|value| change(unsafe { &mut *value })))
    }
}
