//! Where a queue's tasks are laid by those who spawn them.
//!
//! It has a lock of its own, which is held for as long as it takes to lay one task down. Those who take
//! tasks hold the queue's, and carry everything over that lies here, at once: so those who spawn and
//! those who take meet once for many tasks, and not at each. The queue's lock is taken first.
//!
//! It is open while there are runners enough, and tasks wait or run: then a task that is laid down
//! concerns nobody else. While it is shut, tasks are queued with the queue's lock held.

use std::collections::VecDeque;
use std::mem;

use wg_core::sync::{AtomicBool, Mutex, Ordering};

use super::{Entry, Inner};
use crate::thread::job::Job;
use crate::thread::pile::Pile;

pub(super) struct Inlet {
    laid: Mutex<Laid>,
    /// Changed with both locks held.
    open: AtomicBool,
    /// How many tasks lie here. Counted up with the lock held, and down with both.
    filled: Pile,
    /// Whether it was ever open, and has the queue's second list.
    was_open: AtomicBool,
}

#[derive(Default)]
struct Laid {
    entries: VecDeque<Entry>,
    /// How many tasks have been spawned. While the inlet is shut the queue counts.
    spawned: u64,
}

// ORDERING: All flags are relaxed. To lay something down `open` is asked with the lock held; with the
// queue's held nobody changes it. `filled` is asked with the queue's held, under which what lies here is
// carried over: whoever knows of a task finds it counted there, or in the queue. To others it is a hint.
impl Inlet {
    pub(super) fn new() -> Self {
        Inlet {
            laid: Mutex::new(Laid::default()),
            open: AtomicBool::new(false),
            filled: Pile::new(),
            was_open: AtomicBool::new(false),
        }
    }

    /// Lays a task down, if the inlet is open. Returns its index, or else the job.
    #[inline]
    pub(super) fn lay(&self, job: Job) -> Result<u64, Job> {
        if !self.open.load(Ordering::Relaxed) {
            return Err(job);
        }
        let mut laid = self.laid.lock();
        if !self.open.load(Ordering::Relaxed) {
            return Err(job);
        }
        let index = laid.spawned;
        laid.spawned += 1;
        laid.entries.push_back(Entry::of(job, index));
        self.filled.set(laid.entries.len());
        Ok(index)
    }

    /// Opens it. To be called with the queue locked.
    pub(super) fn open(&self, inner: &mut Inner) {
        if self.open.load(Ordering::Relaxed) {
            return;
        }
        let mut laid = self.laid.lock();
        if !self.was_open.swap(true, Ordering::Relaxed) {
            laid.entries = mem::take(&mut inner.lists.laid);
        }
        laid.spawned = inner.spawned;
        self.open.store(true, Ordering::Relaxed);
    }

    /// Shuts it, and carries over what lies here.
    #[inline]
    pub(super) fn shut(&self, inner: &mut Inner) {
        if self.open.load(Ordering::Relaxed) {
            let mut laid = self.laid.lock();
            self.open.store(false, Ordering::Relaxed);
            self.take(&mut laid, inner);
        }
    }

    /// Waits for more tasks, as long as they come at once: one who lays them down is not to be held up
    /// at each.
    pub(super) fn gather(&self) {
        self.filled.gather();
    }

    /// Carries over what lies here.
    #[inline]
    pub(super) fn carry(&self, inner: &mut Inner) {
        if self.filled.len() > 0 {
            self.take(&mut self.laid.lock(), inner);
        }
    }

    fn take(&self, laid: &mut Laid, inner: &mut Inner) {
        inner.spawned = laid.spawned;
        if laid.entries.is_empty() {
            return;
        }
        self.filled.set(0);
        inner.waiting += laid.entries.len();
        inner.expects = true;
        if inner.lists.entries.is_empty() {
            mem::swap(&mut inner.lists.entries, &mut laid.entries);
        } else {
            inner.lists.entries.append(&mut laid.entries);
        }
    }

    /// Gives the queue its list back, before both go.
    pub(super) fn give_back(&self, queue: &Mutex<Inner>) {
        if self.was_open.load(Ordering::Relaxed) {
            queue.lock().lists.laid = mem::take(&mut self.laid.lock().entries);
        }
    }
}
