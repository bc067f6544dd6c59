//! The queue of one scope: its tasks that have not begun, and who works on them.

use std::collections::VecDeque;
use std::fmt;
use std::mem;

use wg_core::sync::{Mutex, Thread};

use super::job::Job;
use super::pool::Progress;

/// What the one who queued a task must do.
#[must_use]
pub(super) enum Pushed {
    /// Nothing: it will be found by those who are at work.
    Enough,
    /// Wake the thread that sleeps at the scope's end.
    WakeOwner(Thread),
    /// Ask the pool for one more runner.
    AskForRunner,
}

pub(super) struct Queue(Mutex<Inner>);

struct Inner {
    jobs: VecDeque<Job>,
    /// Runners at work or asked for.
    runners: usize,
    /// Of these, the ones that have not come yet.
    asked: usize,
    /// How often a task was taken; and the same, when progress was last looked at.
    taken: u64,
    seen: u64,
    /// The thread that sleeps at the scope's end.
    owner: Option<Thread>,
}

impl Inner {
    fn take(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front()?;
        self.taken = self.taken.wrapping_add(1);
        Some(job)
    }
}

impl Queue {
    pub(super) const fn new() -> Self {
        Queue(Mutex::new(Inner {
            jobs: VecDeque::new(),
            runners: 0,
            asked: 0,
            taken: 0,
            seen: 0,
            owner: None,
        }))
    }

    /// Queues a task, for at most `most` runners.
    pub(super) fn push(&self, job: Job, most: usize) -> Pushed {
        let mut inner = self.0.lock();
        inner.jobs.push_back(job);
        if let Some(owner) = inner.owner.take() {
            Pushed::WakeOwner(owner)
        } else if inner.runners < most {
            inner.runners += 1;
            inner.asked += 1;
            Pushed::AskForRunner
        } else {
            Pushed::Enough
        }
    }

    /// Takes the next task.
    pub(super) fn pop(&self) -> Option<Job> {
        self.0.lock().take()
    }

    /// Takes the next task for a runner, which goes away if there is none.
    pub(super) fn pop_or_detach(&self) -> Option<Job> {
        let mut inner = self.0.lock();
        let job = inner.take();
        if job.is_none() {
            inner.runners -= 1;
        }
        job
    }

    /// Enters a runner that was asked for.
    pub(super) fn attached(&self) {
        self.0.lock().asked -= 1;
    }

    /// Enters that `n` more runners were asked for.
    pub(super) fn ask(&self, n: usize) {
        let mut inner = self.0.lock();
        inner.runners += n;
        inner.asked += n;
    }

    /// Enters that a runner that was asked for will not come.
    pub(super) fn refuse(&self) {
        let mut inner = self.0.lock();
        inner.runners -= 1;
        inner.asked -= 1;
    }

    /// Whether some runner that was asked for has not come.
    pub(super) fn asked(&self) -> bool {
        self.0.lock().asked > 0
    }

    /// Enters the scope's own thread as asleep, unless there is work.
    #[must_use]
    pub(super) fn sleep(&self, owner: Thread) -> bool {
        let mut inner = self.0.lock();
        let idle = inner.jobs.is_empty();
        if idle {
            inner.owner = Some(owner);
        }
        idle
    }

    /// Enters the scope's own thread as awake.
    pub(super) fn wake(&self) {
        self.0.lock().owner = None;
    }

    /// Looks whether tasks are being taken, and remembers the look.
    pub(super) fn progress(&self) -> Progress {
        let mut inner = self.0.lock();
        let taken = inner.taken;
        let seen = mem::replace(&mut inner.seen, taken);
        if inner.jobs.is_empty() || seen != taken {
            return Progress::Fine;
        }
        Progress::Stalled { waiting: inner.jobs.len(), runners: inner.runners, asked: inner.asked }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.lock();
        f.debug_struct("Queue")
            .field("waiting", &inner.jobs.len())
            .field("runners", &inner.runners)
            .finish_non_exhaustive()
    }
}
