//! A thread that sleeps: who wakes it, and what becomes of its slots meanwhile.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Wake, Waker};

use wg_core::sync::{self, Thread, current, park_until};

use super::frame;
use super::pool;
use super::shared::Shared;

/// A thread that sleeps, and lends the slots it holds to guests; see `slots`.
pub(super) struct Asleep(Vec<Arc<Shared>>);

impl Asleep {
    pub(super) fn fall() -> Self {
        let slots = frame::slots();
        for scope in &slots {
            let follow = scope.queue.fall_asleep(pool::cores());
            scope.follow(follow);
        }
        Asleep(slots)
    }
}

impl Drop for Asleep {
    fn drop(&mut self) {
        // All slots or none: two threads that each held one and waited for the other's would wait
        // for ever.
        while let Some(taken) = self.0.iter().position(|scope| !scope.queue.wake_up(&current())) {
            for scope in &self.0[..taken] {
                let follow = scope.queue.fall_asleep(pool::cores());
                scope.follow(follow);
            }
            park_until(None);
        }
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

sync::thread_local! {
    static WAKER: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Returns a waker for this thread, which is made once for each thread; in one whose locals are
/// gone already, each time.
pub(super) fn waker() -> Waker {
    let make = || Waker::from(Arc::new(Unpark(current())));
    WAKER
        .try_with(|known| known.borrow_mut().get_or_insert_with(make).clone())
        .unwrap_or_else(|_| make())
}
