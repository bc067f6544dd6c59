//! Waking the future of a scope: for new children, for a cancel, for the last end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};

use wg_core::sync::Mutex;

use crate::outcome::discard;

/// Wakes the future of a scope, wherever that is polled. It borrows nothing of the user's, so that a
/// cancel may reach it at any time, also after the end.
pub(crate) struct Signal(Mutex<Inner>);

impl Default for Signal {
    fn default() -> Self {
        Signal(Mutex::new(Inner::default()))
    }
}

#[derive(Default)]
struct Inner {
    waker: Option<Waker>,
    /// Whether it is being polled, and will look again before it sleeps.
    awake: bool,
    /// Whether something has happened since it last looked.
    rung: bool,
    /// Whether the children of the scope have been dropped.
    stopped: bool,
}

impl Signal {
    /// Enters that the scope's future is being polled.
    pub(crate) fn awake(&self, waker: &Waker) {
        let mut inner = self.0.lock();
        let known = inner.waker.as_ref().is_some_and(|known| known.will_wake(waker));
        inner.awake = true;
        inner.rung = false;
        if known {
            return;
        }
        drop(inner);
        // Cloning and dropping a waker may be anybody's code, so no lock is held meanwhile.
        let waker = waker.clone();
        let before = self.0.lock().waker.replace(waker);
        drop(before);
    }

    /// Enters that it is going to sleep. Returns false if there is something to do.
    pub(crate) fn sleep(&self) -> bool {
        let mut inner = self.0.lock();
        let rung = std::mem::take(&mut inner.rung);
        inner.awake = rung;
        !rung
    }

    /// Wakes it.
    pub(crate) fn ring(&self) {
        let mut inner = self.0.lock();
        let told = std::mem::replace(&mut inner.rung, true);
        // Taken, not cloned: that would be anybody's code, under the lock. It is entered anew by the
        // poll that follows.
        let waker = if told || inner.awake { None } else { inner.waker.take() };
        drop(inner);
        if let Some(waker) = waker {
            // Whoever has something to tell is not to be blamed for the panic of a waker.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                discard(payload);
            }
        }
    }

    /// Enters that the children have been told to stop.
    pub(crate) fn stop(&self) {
        self.0.lock().stopped = true;
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.lock().stopped
    }

    /// Forgets whom to wake.
    pub(crate) fn dismiss(&self) {
        let waker = self.0.lock().waker.take();
        drop(waker);
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
