//! What the waker of a future is: it may be called by any thread, at any time, any number of times,
//! also after the end of the scope.
//!
//! It holds nothing of the user's and keeps no scope alive. What wakes and the future have in common
//! is the [`Bell`], under the lock in here.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock, Weak};
use std::task::{Wake, Waker};

use wg_core::sync::{self, AtomicBool, Mutex, Ordering};

use super::bell::{Bell, Move, Ring as Rung};
use super::shared::Shared;
use crate::outcome::discard;

/// The part of a future that outlives it.
pub(super) struct Ring {
    /// The scope. Entered before others than the one who polls the future first may poll it.
    home: OnceLock<Weak<Shared>>,
    /// Whether the waker was ever called.
    rung: AtomicBool,
    inner: Mutex<Inner>,
}

struct Inner {
    bell: Bell,
    driver: Option<Driver>,
}

/// Somebody who waits for the future, and may have to poll it himself.
pub(super) enum Driver {
    /// A thread in `join`.
    Thread(Waker),
    /// Another future, which can be woken to do so.
    Future(Waker),
}

impl Ring {
    /// That of a future which is queued and was never polled.
    pub(super) fn new(home: &Arc<Shared>) -> Self {
        Ring { home: OnceLock::from(Arc::downgrade(home)), ..Ring::of(Bell::new()) }
    }

    fn of(bell: Bell) -> Self {
        let inner = Mutex::new(Inner { bell, driver: None });
        Ring { home: OnceLock::new(), rung: AtomicBool::new(false), inner }
    }

    /// The scope. None if it has ended, and so has the future.
    pub(super) fn home(&self) -> Option<Arc<Shared>> {
        self.home.get()?.upgrade()
    }

    /// The future is pending after its first poll, by one who has the job in hand, and `driver` waits for
    /// it. From here on it may be polled by others. Returns what is to be done with its job, and
    /// whether it is queued.
    pub(super) fn bind(&self, home: &Arc<Shared>, driver: Option<Driver>) -> (Move, bool) {
        let _ = self.home.set(Arc::downgrade(home));
        let mut inner = self.inner.lock();
        inner.driver = driver;
        let what = inner.bell.pend(true);
        (what, inner.bell.is_queued())
    }

    /// Does one step of the bell.
    pub(super) fn step<R>(&self, step: impl FnOnce(&mut Bell) -> R) -> R {
        step(&mut self.inner.lock().bell)
    }

    /// Enters who is to be woken when the future is queued, and returns whether it is queued now.
    pub(super) fn drive(&self, driver: Driver) -> bool {
        let mut inner = self.inner.lock();
        if inner.bell.has_ended() {
            drop(inner);
            drop(driver);
            return false;
        }
        let before = inner.driver.replace(driver);
        let queued = inner.bell.is_queued();
        drop(inner);
        drop(before);
        queued
    }

    /// The future has ended: nobody has to poll it any more. Returns what is to be done with its job, and
    /// who waited.
    pub(super) fn end(&self) -> (Move, Option<Driver>) {
        let mut inner = self.inner.lock();
        (inner.bell.end(), inner.driver.take())
    }

    /// Forgets who waits.
    pub(super) fn dismiss(&self) {
        let driver = self.inner.lock().driver.take();
        drop(driver);
    }

    /// The future was queued: tells whoever may have to poll it, where it cannot be left to the
    /// runners.
    pub(super) fn tell(&self, home: &Shared) {
        if self.inner.lock().driver.is_none() {
            return;
        }
        let own_hands = needs_hands(home);
        let mut inner = self.inner.lock();
        let told = |driver: &mut Driver| own_hands || matches!(driver, Driver::Thread(_));
        let driver = inner.driver.take_if(told);
        drop(inner);
        if let Some(Driver::Thread(waker) | Driver::Future(waker)) = driver {
            wake_in_turn(waker);
        }
    }

    /// The waker was called.
    pub(super) fn ring(&self) {
        // ORDERING: Relaxed. See `Lone::give_back`.
        self.rung.store(true, Ordering::Relaxed);
        let Rung::Heard(what) = self.step(Bell::wake) else { return };
        // If the scope has ended meanwhile, others have polled the future to its end.
        let Some(home) = self.home() else { return };
        if let Move::Unshelve(key) = what {
            home.unshelve(key);
        }
        self.tell(&home);
    }
}

impl Wake for Ring {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}

/// What a future is given for its first poll: a waker, of which nobody else knows yet. Most futures
/// that end by that poll leave it as it was, for the next on this thread.
pub(super) struct Lone {
    ring: Arc<Ring>,
    waker: Waker,
}

sync::thread_local! {
    static SPARE: Cell<Option<Lone>> = const { Cell::new(None) };
}

impl Lone {
    pub(super) fn take() -> Self {
        // In a thread whose locals are gone already, none is kept.
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_else(Self::new)
    }

    fn new() -> Self {
        let ring = Arc::new(Ring::of(Bell::polled()));
        Lone { waker: Waker::from(Arc::clone(&ring)), ring }
    }

    pub(super) fn waker(&self) -> &Waker {
        &self.waker
    }

    /// The future is pending: from here on the ring is its own.
    pub(super) fn keep(self) -> Arc<Ring> {
        self.ring
    }

    /// The future has ended. If somebody has kept its waker, that will never do anything.
    pub(super) fn give_back(self) {
        // ORDERING: Relaxed, and a fence. One who had a clone has let go of it, and of all that it did
        // with it, if two are counted: the waker's own, and the one here. So there is nobody who
        // calls it from now on, and whoever did is seen below.
        if !sync::recycles() || Arc::strong_count(&self.ring) != 2 {
            return;
        }
        sync::fence(Ordering::Acquire);
        if !self.ring.rung.load(Ordering::Relaxed) {
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }
}

/// Whether those who wait for a future may have to poll it: the slots may be theirs, or there may
/// be no runner.
pub(super) fn needs_hands(home: &Shared) -> bool {
    home.is_limited() || !home.queue.has_runners()
}

sync::thread_local! {
    /// The wakers that are left to a call of `wake_in_turn` that is on this thread's stack.
    static TURNS: RefCell<Option<Vec<Waker>>> = const { RefCell::new(None) };
}

/// Wakes one who waits for a future, who may be a future that another one waits for, and so on: one
/// after the other, and not one inside the other, because the chain may be longer than the stack.
fn wake_in_turn(waker: Waker) {
    let mut first = Some(waker);
    let _ = TURNS.try_with(|turns| match &mut *turns.borrow_mut() {
        Some(turns) => turns.extend(first.take()),
        turns => *turns = Some(Vec::new()),
    });
    let mut next = first;
    while let Some(waker) = next {
        // A waker is foreign code. Whoever wakes is not to be blamed for its panic.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            discard(payload);
        }
        let last = |turns: &RefCell<Option<Vec<Waker>>>| {
            let mut turns = turns.borrow_mut();
            let next = turns.as_mut().and_then(Vec::pop);
            if next.is_none() {
                *turns = None;
            }
            next
        };
        next = TURNS.try_with(last).ok().flatten();
    }
}

/// Has a scope's futures looked after when it is cancelled.
struct Stir(Weak<Shared>);

impl Wake for Stir {
    fn wake(self: Arc<Self>) {
        if let Some(home) = self.0.upgrade() {
            home.stir(false);
        }
    }
}

/// Sees to it that a scope's futures hear of a cancel. To be called before there is the first.
pub(super) fn stir_on_cancel(home: &Arc<Shared>) {
    // ORDERING: Relaxed. It says only that somebody does this. Whoever shelves a future looks
    // whether the scope is cancelled after that, and whoever cancels looks at the shelf after that:
    // one of them sees the other, by the lock of the queue.
    let known = home.stirs.load(sync::Ordering::Relaxed);
    if known || home.stirs.swap(true, sync::Ordering::Relaxed) {
        return;
    }
    let waker = Waker::from(Arc::new(Stir(Arc::downgrade(home))));
    if home.node.listen(waker).is_none() {
        // Others may have spawned futures meanwhile.
        home.stir(false);
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use super::*;

    fn lies_in_wait(ring: *const Ring) -> bool {
        let lone = Lone::take();
        let same = Arc::as_ptr(&lone.ring) == ring;
        lone.give_back();
        same
    }

    #[test]
    fn a_ring_serves_the_next_future_unless_somebody_has_its_waker_or_has_called_it() {
        let lone = Lone::take();
        let ring = Arc::as_ptr(&lone.ring);
        drop(lone.waker().clone());
        lone.give_back();
        assert!(lies_in_wait(ring) || !sync::recycles());

        let lone = Lone::take();
        let kept = lone.waker().clone();
        lone.give_back();
        assert!(!lies_in_wait(ring));
        kept.wake_by_ref();

        let lone = Lone::take();
        let ring = Arc::as_ptr(&lone.ring);
        // So that no other is made in its place.
        let weak = Arc::downgrade(&lone.ring);
        lone.waker().wake_by_ref();
        lone.give_back();
        assert!(!lies_in_wait(ring));
        assert!(weak.upgrade().is_none());
    }
}
