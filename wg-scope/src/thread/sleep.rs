//! A thread that sleeps: who wakes it, and what becomes of its slots meanwhile.

use std::cell::RefCell;
use std::sync::Arc;
use std::task::{Wake, Waker};

use wg_core::sync::{self, Mutex, Thread, current, park_until};

use super::frame;
use super::pool;
use super::shared::Shared;
use crate::process::generation;

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

/// Wakes a thread that waits; see `onward` for where it is.
struct Unpark(Mutex<Thread>);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.lock().unpark();
    }
}

/// What wakes a thread, made when it is first asked for.
#[derive(Default)]
pub(super) struct Alarm(Option<Known>);

struct Known {
    unpark: Arc<Unpark>,
    waker: Waker,
    /// That of the process. A child that was forked makes its own: somebody may have been about to wake
    /// the thread, with the lock held, who is not there.
    generation: usize,
}

impl Alarm {
    fn waker(&mut self) -> Waker {
        self.forget_if_forked();
        let make = || {
            let unpark = Arc::new(Unpark(Mutex::new(current())));
            let waker = Waker::from(Arc::clone(&unpark));
            Known { unpark, waker, generation: generation() }
        };
        self.0.get_or_insert_with(make).waker.clone()
    }

    fn forget_if_forked(&mut self) {
        self.0.take_if(|known| known.generation != generation());
    }
}

sync::thread_local! {
    static ALARM: RefCell<Alarm> = const { RefCell::new(Alarm(None)) };
}

/// Returns a waker for this thread, which is made once for each thread; in one whose locals are
/// gone already, each time.
pub(super) fn waker() -> Waker {
    let known = ALARM.try_with(|alarm| alarm.borrow_mut().waker());
    known.unwrap_or_else(|_| Alarm(None).waker())
}

/// Has what wakes another thread wake this one, and returns what did.
pub(super) fn exchange(mut alarm: Alarm) -> Alarm {
    alarm.forget_if_forked();
    if let Some(known) = &alarm.0 {
        *known.unpark.0.lock() = current();
    }
    ALARM.try_with(|own| own.replace(alarm)).unwrap_or_default()
}
