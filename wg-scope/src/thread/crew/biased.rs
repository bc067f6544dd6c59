//! A biased lock: it belongs to one thread, who comes and goes without a locked instruction, until
//! another asks for it.
//!
//! 1. The owner says that it is inside, passes the light side of a barrier, and looks whether the lock was
//!    revoked. Another revokes it, passes the heavy side, and looks whether the owner is inside. One of
//!    the two sees what the other did: the owner goes out again, or the other waits until it has.
//! 2. Others take turns, under a mutex. What was revoked stays so, and the owner outside, until the owner
//!    takes it back, in a turn of its own. So who comes next needs no barrier.
//! 3. Who is inside moves values and calls nobody: it may be waited for. Or others only ever
//!    [try](Other::try_with): then whoever is inside may take as long as they like.
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
    /// How often the owner has gone in and out. Odd while it is inside, or looks whether it may be.
    steps: AtomicU64,
    /// [`REVOKED`], [`ASKED`], [`TWO_SIDED`], or nothing: then the owner may go in at once.
    state: AtomicU64,
    /// Whether the owner will not come again: others need not look for it.
    is_gone: AtomicBool,
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
/// The owner is to let others have the lock, as if it were revoked. It is its own until then.
const ASKED: u64 = 4;

/// How often the owner looks whether another's turn is over before it goes to sleep.
const PATIENCE: usize = times(128);

/// What the lock is about, and its two ends.
pub(in crate::thread) fn biased<T>(value: T) -> (Owner<T>, Other<T>) {
    let barrier = Barrier::best();
    let state = if let Barrier::TwoSided = barrier { TWO_SIDED } else { 0 };
    let biased = Arc::new(Biased {
        steps: AtomicU64::new(0),
        state: AtomicU64::new(state),
        is_gone: AtomicBool::new(false),
        barrier,
        value: UnsafeCell::new(value),
        turn: Mutex::new(()),
    });
    (Owner(Arc::clone(&biased)), Other(biased))
}

/// The owner, inside; however it goes out.
pub(in crate::thread) struct Inside<'a, T> {
    lock: &'a Biased<T>,
    /// The steps when it is outside again.
    steps: u64,
}

impl<T> Inside<'_, T> {
    /// Calls with the value. It must be brief, and ask for nothing that is waited for.
    #[inline]
    pub(in crate::thread) fn with<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        // SAFETY: The owner is one, and here only once. Whoever revokes the lock from here on sees that the
        // owner is inside, as there is a barrier on both sides, and waits; whoever has revoked it before was
        // seen. Others do not touch the value of a lock that is not revoked.
        self.lock.value.with_mut(|value| change(unsafe { &mut *value }))
    }
}

impl<T> Drop for Inside<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // ORDERING: Release, for `Biased::is_owner_inside`: what was done inside is done.
        self.lock.steps.store(self.steps, Ordering::Release);
    }
}

impl<T> Owner<T> {
    /// Goes in. None where others have revoked the lock.
    #[inline]
    pub(in crate::thread) fn enter(&mut self) -> Option<Inside<'_, T>> {
        let lock = &*self.0;
        // ORDERING: Relaxed. Only the owner writes it.
        let steps = lock.steps.load(Ordering::Relaxed);
        // ORDERING: Release, for who counts: what was done before is done. The barrier orders it before the
        // look.
        lock.steps.store(steps + 1, Ordering::Release);
        let mut inside = Inside { lock, steps: steps + 2 };
        Barrier::OneSided.light();
        // ORDERING: Relaxed. That it is not revoked the owner has written itself, in its last turn: what
        // others did before that, it has seen.
        if lock.state.load(Ordering::Relaxed) != 0 && lock.is_revoked() {
            // That was none.
            inside.steps = steps;
            return None;
        }
        Some(inside)
    }

    pub(in crate::thread) fn has_been_inside(&self) -> bool {
        // ORDERING: Relaxed. Only the owner writes it.
        self.0.steps.load(Ordering::Relaxed) > 0
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
        self.state.load(Ordering::Relaxed) & (REVOKED | ASKED) != 0
    }

    /// Makes it others', in a turn, if it is not. Returns whether it is: the system may refuse the barrier.
    fn claim(&self) -> bool {
        // ORDERING: Relaxed, and Acquire. The one is written in turns only. The other pairs with the owner's
        // end.
        let is_revoked = self.state.load(Ordering::Relaxed) & REVOKED != 0;
        if is_revoked || self.is_gone.load(Ordering::Acquire) {
            return true;
        }
        self.revoke(true);
        // It orders what is written here before the look whether the owner is inside.
        if !self.barrier.heavy() {
            // Whoever comes next has to ask for a barrier again.
            self.revoke(false);
            return false;
        }
        true
    }

    /// Whether the owner is inside, or looks whether it may be. To be asked in a turn, of a lock that is
    /// others'.
    fn is_owner_inside(&self) -> bool {
        // ORDERING: Acquire pairs with the owner's going out.
        self.steps.load(Ordering::Acquire) % 2 == 1
    }

    /// Says whether it is revoked. To be called in a turn.
    fn revoke(&self, is_revoked: bool) {
        self.set(if is_revoked { REVOKED } else { 0 });
    }

    /// Says what the owner has to know. To be called in a turn.
    fn set(&self, what: u64) {
        let side = if let Barrier::TwoSided = self.barrier { TWO_SIDED } else { 0 };
        // ORDERING: Relaxed. It is written in turns only; who looks in none of his own has a barrier before.
        self.state.store(side | what, Ordering::Relaxed);
    }
}

impl<T> Drop for Owner<T> {
    fn drop(&mut self) {
        // ORDERING: Release, for `Biased::claim`: what was done inside is done.
        self.0.is_gone.store(true, Ordering::Release);
    }
}

impl<T> Other<T> {
    /// Calls with the value, as soon as the owner is outside. It must be brief, and ask for nothing that is
    /// waited for. None if the system refuses the barrier without which nobody knows where the owner is.
    pub(in crate::thread) fn with<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let lock = &*self.0;
        let _turn = lock.turn.lock();
        if !lock.claim() {
            return None;
        }
        let mut rounds = 0;
        while lock.is_owner_inside() {
            wait_a_little(rounds);
            rounds += 1;
        }
        // SAFETY: It is this one's turn. The lock is others', and since it is the owner was seen outside, behind
        // a barrier: it does not touch the value before a turn of its own.
        Some(lock.value.with_mut(|value| change(unsafe { &mut *value })))
    }

    /// Calls with the value, unless somebody is inside: then it is None, and the owner stays outside once it has
    /// gone out. Also None if the system refuses the barrier.
    ///
    /// If two try at once, one of them gets in, or finds the owner inside after the other has given up. Whoever
    /// gives up for good, the owner as well, passes a side of the barrier first and tries once more.
    pub(in crate::thread) fn try_with<R>(&self, change: impl FnOnce(&mut T) -> R) -> Option<R> {
        let lock = &*self.0;
        loop {
            let turn = lock.turn.try_lock()?;
            if !lock.claim() {
                return None;
            }
            if !lock.is_owner_inside() {
                // SAFETY: As above.
                return Some(lock.value.with_mut(|value| change(unsafe { &mut *value })));
            }
            drop(turn);
            // The owner may have gone out meanwhile, found that it is another's turn, and given up. Before that
            // it passes a barrier.
            if !lock.barrier.heavy() || lock.is_owner_inside() {
                return None;
            }
        }
    }

    /// Asks the owner to go away when it comes next. Unlike what revokes the lock this takes no barrier, which
    /// may take longer than the owner takes to come.
    pub(in crate::thread) fn ask(&self) {
        let lock = &*self.0;
        let Some(_turn) = lock.turn.try_lock() else { return };
        // ORDERING: Relaxed. It is written in turns only.
        if lock.state.load(Ordering::Relaxed) & REVOKED == 0 {
            lock.set(ASKED);
        }
    }

    /// How often the owner has gone in after it was out: what it did outside, in between, is done.
    pub(in crate::thread) fn rounds(&self) -> u64 {
        // ORDERING: Acquire pairs with the owner's going in.
        self.0.steps.load(Ordering::Acquire).div_ceil(2).saturating_sub(1)
    }

    /// Whether the owner goes in and out as it likes, as far as is known.
    pub(in crate::thread) fn is_owned(&self) -> bool {
        // ORDERING: Relaxed. It is a hint.
        let is_revoked = self.0.state.load(Ordering::Relaxed) & REVOKED != 0;
        !is_revoked && !self.0.is_gone.load(Ordering::Relaxed)
    }
}
