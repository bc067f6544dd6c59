//! Waking the future of a scope: for new children, for a cancel, for the last end.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};

use wg_core::sync::{Mutex, MutexGuard};

use crate::ending::Laid;
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
    /// The places of the members that were woken since it last took them, each once, and for each
    /// place whether it is among these.
    called: Vec<usize>,
    is_called: Vec<bool>,
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
        ring(self.0.lock());
    }

    /// Takes out whom to wake for an outcome, if that is who polls the scope's future: woken before the
    /// task is discounted, that would mostly find it still counted, and have to be woken again.
    pub(crate) fn take_its_waker<T>(&self, laid: &mut Laid<T>) -> Option<Waker> {
        let Laid::Claimed(waker) = laid else { return None };
        let knows =
            |waker: &mut Waker| self.0.lock().waker.as_ref().is_some_and(|it| it.will_wake(waker));
        waker.take_if(knows)
    }

    /// Wakes it, to poll the member in this place.
    fn call(&self, place: usize) {
        let mut inner = self.0.lock();
        if inner.is_called.len() <= place {
            inner.is_called.resize(place + 1, false);
        }
        if !std::mem::replace(&mut inner.is_called[place], true) {
            inner.called.push(place);
            ring(inner);
        }
    }

    /// Whether the member in this place was woken since it was taken.
    pub(crate) fn is_called(&self, place: usize) -> bool {
        self.0.lock().is_called.get(place).is_some_and(|&is_called| is_called)
    }

    /// Moves the places of those that were woken to the end of `ready`.
    pub(crate) fn take_called(&self, ready: &mut VecDeque<usize>) {
        let mut inner = self.0.lock();
        let Inner { called, is_called, .. } = &mut *inner;
        ready.extend(called.drain(..).inspect(|&place| is_called[place] = false));
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

fn ring(mut inner: MutexGuard<'_, Inner>) {
    let told = std::mem::replace(&mut inner.rung, true);
    // Taken, not cloned: that would be anybody's code, under the lock. It is entered anew by the poll
    // that follows.
    let waker = if told || inner.awake { None } else { inner.waker.take() };
    drop(inner);
    waker.into_iter().for_each(wake);
}

/// Wakes who polls the scope's future.
pub(super) fn wake(waker: Waker) {
    // Whoever has something to tell is not to be blamed for the panic of a waker.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        discard(payload);
    }
}

/// Wakes the member that a scope's future polls in one place. Who keeps it longer than the member
/// lives wakes whoever is in its place then, for nothing.
pub(crate) struct Bell {
    signal: Arc<Signal>,
    place: usize,
}

impl Bell {
    pub(crate) fn waker(signal: &Arc<Signal>, place: usize) -> Waker {
        Waker::from(Arc::new(Bell { signal: Arc::clone(signal), place }))
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.signal.call(self.place);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.signal.call(self.place);
    }
}
