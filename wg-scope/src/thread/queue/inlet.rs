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

use wg_core::sync::{AtomicBool, AtomicU64, Mutex, Ordering, times};

use super::{Entry, Inner};
use crate::thread::job::Job;

pub(super) struct Inlet {
    laid: Mutex<Laid>,
    /// Changed with both locks held.
    open: AtomicBool,
    /// How many tasks lie here. Counted up with the lock held, and down with both.
    filled: AtomicU64,
    /// Whether it was ever open, and has the queue's second list.
    was_open: AtomicBool,
}

/// As many tasks are carried over at once, and so many are worth a way to the inlet; between these, more
/// are waited for.
const FEW: u64 = 2;
const MANY: u64 = 64;

/// How long is waited between two looks how many there are. In models, not at all.
const SHORTEST: usize = 32;
const LONGEST: usize = times(66) - times(2);

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
            filled: AtomicU64::new(0),
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
        self.filled.store(laid.entries.len() as u64, Ordering::Relaxed);
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

    /// How many tasks lie here.
    #[inline]
    fn len(&self) -> u64 {
        self.filled.load(Ordering::Relaxed)
    }

    /// Lets more tasks come together, if some lie here and others follow at once: carrying them over one
    /// by one would hold up whoever lays them down, and take longer than many a task.
    pub(super) fn gather(&self) {
        let (mut before, mut pauses) = (FEW, SHORTEST);
        while pauses <= LONGEST {
            let here = self.len();
            if here <= before || here >= MANY {
                return;
            }
            (0..pauses).for_each(|_| std::hint::spin_loop());
            (before, pauses) = (here, pauses * 2);
        }
    }

    /// Carries over what lies here.
    #[inline]
    pub(super) fn carry(&self, inner: &mut Inner) {
        if self.len() > 0 {
            self.take(&mut self.laid.lock(), inner);
        }
    }

    fn take(&self, laid: &mut Laid, inner: &mut Inner) {
        inner.spawned = laid.spawned;
        if laid.entries.is_empty() {
            return;
        }
        self.filled.store(0, Ordering::Relaxed);
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
