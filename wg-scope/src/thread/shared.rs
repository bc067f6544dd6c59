//! What the body, the tasks and the runners of one scope share.

use std::cell::RefCell;
use std::future::Future;
use std::panic::Location;
use std::pin::pin;
use std::process::abort;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use wg_core::WaitGroup;
use wg_core::sync::{Mutex, Thread, current, park_until};

use super::job::Job;
use super::pool::{self, Client, Progress};
use super::queue::{Pushed, Queue};
use crate::ledger::{Ledger, Verdict};
use crate::outcome::{Payload, discard};

#[derive(Debug)]
pub(super) struct Shared {
    /// The tasks that have not ended.
    pub(super) group: WaitGroup,
    pub(super) queue: Queue,
    cancelled: AtomicBool,
    ledger: Mutex<Ledger>,
}

impl Shared {
    pub(super) fn new() -> Self {
        Shared {
            group: WaitGroup::new(),
            queue: Queue::new(),
            cancelled: AtomicBool::new(false),
            ledger: Mutex::new(Ledger::new()),
        }
    }

    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        // ORDERING: Relaxed. The flag only ever goes up and says nothing about other memory; why
        // it went up is read from the ledger, under its lock.
        self.cancelled.load(Ordering::Relaxed)
    }

    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Enters a task's panic.
    pub(super) fn panicked(&self, payload: Payload, site: &Location<'_>) {
        let (verdict, unneeded) = self.ledger.lock().panicked(payload, site);
        if verdict == Verdict::CancelRest {
            self.cancel();
        }
        if let Some(payload) = unneeded {
            discard(payload);
        }
    }

    /// Hands over what the ledger holds, when every task has ended.
    pub(super) fn take_ledger(&self) -> Ledger {
        std::mem::take(&mut *self.ledger.lock())
    }

    /// Queues a counted task, and finds somebody to run it.
    pub(super) fn push(self: &Arc<Self>, job: Job) {
        match self.queue.push(job, pool::cores()) {
            Pushed::Enough => {}
            Pushed::WakeOwner(thread) => thread.unpark(),
            Pushed::AskForRunner => pool::lend(Arc::clone(self) as _),
        }
    }

    /// Returns when every task has ended, working the queue off meanwhile: the thread that leaves
    /// the scope is a runner of it, and of nothing else (rule 15).
    pub(super) fn finish(self: &Arc<Self>) {
        let bomb = AbortOnUnwind;
        let waker = waker();
        let mut ended = pin!(self.group.wait_async());
        loop {
            while let Some(job) = self.queue.pop() {
                job.run();
            }
            // A wake-up by the group or by the queue may have been used up while a task ran, so
            // both are asked again before sleeping.
            if ended.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                break;
            }
            if self.queue.sleep(current()) {
                park_until(None);
                self.queue.wake();
            }
        }
        if self.queue.asked() {
            let client: Arc<dyn Client> = Arc::clone(self) as _;
            pool::withdraw(&client);
        }
        std::mem::forget(bomb);
    }
}

impl Client for Shared {
    fn work(&self) {
        self.queue.attached();
        while let Some(job) = self.queue.pop_or_detach() {
            job.run();
        }
    }

    fn progress(&self) -> Progress {
        self.queue.progress()
    }

    fn ask(&self, runners: usize) {
        self.queue.ask(runners);
    }

    fn refuse(&self) {
        self.queue.refuse();
    }
}

/// Unwinding out of a scope whose tasks may be running would let them borrow what is gone. Nothing
/// in `finish` unwinds; should it, by a mistake of ours, the process ends here.
struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        abort();
    }
}

/// Wakes the thread that leaves a scope.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static WAKER: RefCell<Option<Waker>> = const { RefCell::new(None) };
}

/// Returns a waker for this thread, which is made once for each thread; in one whose locals are gone
/// already, each time.
fn waker() -> Waker {
    let make = || Waker::from(Arc::new(Unpark(current())));
    WAKER
        .try_with(|known| known.borrow_mut().get_or_insert_with(make).clone())
        .unwrap_or_else(|_| make())
}
