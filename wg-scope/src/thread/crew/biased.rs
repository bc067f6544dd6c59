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

use wg_core::sync::{AtomicBool, Mutex, Ordering, UnsafeCell, times, wait_a_little};

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
    is_revoked: AtomicBool,
    barrier: Barrier,
    value: UnsafeCell<T>,
    turn: Mutex<()>,
}

// SAFETY: By reference it hands the value to one at a time, from one thread to the next.
unsafe impl<T: Send> Sync for Biased<T> {}

/// How often the owner looks whether another's turn is over before it goes to sleep.
const PATIENCE: usize = times(128);

/// What the lock is about, and its two ends.
pub(in crate::thread) fn biased<T>(value: T) -> (Owner<T>, Other<T>) {
    let biased = Arc::new(Biased {
        is_inside: AtomicBool::new(false),
        is_revoked: AtomicBool::new(false),
        barrier: Barrier::best(),
        value: UnsafeCell::new(value),
        turn: Mutex::new(()),
    });
    (Owner(Arc::clone(&biased)), Other(biased))
}

/// The owner, inside or looking whether it may be; however it goes out.
struct Inside<'a>(&'a AtomicBool);

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Release, for who waits for this in `Other::with`: what was done inside is done.
        self.0.store(false, Ordering::Release);
    }
}

impl<T> Owner<T> {
    /// Calls with the value. It must be brief, and ask for nothing that is waited for.
    #[inline]
    pub(in crate::thread) fn with<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let lock = &*self.0;
        // ORDERING: Relaxed. The barrier orders it before the look.
        lock.is_inside.store(true, Ordering::Relaxed);
        let inside = Inside(&lock.is_inside);
        lock.barrier.light();
        // ORDERING: Relaxed. That it is not revoked the owner has written itself, in its last turn: what
        // others did before that, it has seen.
        if lock.is_revoked.load(Ordering::Relaxed) {
            drop(inside);
            return self.take_back(change);
        }
        // SAFETY: The owner is one, and here only once. Whoever revokes the lock from here on sees that the
        // owner is inside, as there is a barrier on both sides, and waits; whoever has revoked it before is
        // seen. Others do not touch the value of a lock that is not revoked.
        lock.value.with_mut(|value| change(unsafe { &mut *value }))
    }

    #[cold]
    fn take_back<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
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
        // ORDERING: Relaxed. Others read and write it in their turns.
        lock.is_revoked.store(false, Ordering::Relaxed);
        // SAFETY: Others touch the value in their turns only, and this one is the owner's.
        lock.value.with_mut(|value| change(unsafe { &mut *value }))
    }
}

impl<T> Drop for Owner<T> {
    /// The owner will not come again: others need not look for it.
    fn drop(&mut self) {
        let _turn = self.0.turn.lock();
        self.0.is_revoked.store(true, Ordering::Relaxed);
    }
}

impl<T> Other<T> {
    /// Calls with the value, as soon as the owner is outside. It must be brief, and ask for nothing that is
    /// waited for. None if the system refuses the barrier without which nobody knows where the owner is.
    pub(in crate::thread) fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let lock = &*self.0;
        let _turn = lock.turn.lock();
        // ORDERING: Relaxed, here and below. It is written in turns only; the barrier orders it before the
        // look whether the owner is inside.
        if !lock.is_revoked.load(Ordering::Relaxed) {
            lock.is_revoked.store(true, Ordering::Relaxed);
            if !lock.barrier.heavy() {
                // Whoever comes next has to ask for a barrier again.
                lock.is_revoked.store(false, Ordering::Relaxed);
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
