//! What the body, the tasks and the runners of one scope share.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::task::Waker;

use wg_core::WaitGroup;
use wg_core::sync::{AtomicBool, Mutex, Ordering};

use super::job::{Job, Membership};
use super::pool::{self, Pool};
use super::probe::Number;
use super::queue::{Follow, Queue};
use crate::options::Options;
use crate::policy::Policy;
use crate::record::Record;
use crate::task_info::Names;

pub(super) struct Shared {
    /// The tasks that have not ended.
    pub(super) group: WaitGroup,
    pub(super) queue: Queue,
    record: Record,
    /// Whether there is, or was, a limit: then spawning asks for room.
    limited: AtomicBool,
    /// The size of the stacks that its tasks want, if not the usual.
    pub(super) stack: Option<NonZeroUsize>,
    /// Who waits for tasks that run, by their index.
    joiners: Mutex<BTreeMap<u64, Waker>>,
    /// Whether its futures hear of a cancel.
    pub(super) stirs: AtomicBool,
    opener: Option<Opener>,
    /// The thread of its body.
    pub(super) body: Number,
    /// Of its tasks.
    pub(super) names: Names,
}

/// Where a scope was opened: in the body or in a task of another.
pub(super) struct Opener {
    pub(super) scope: Weak<Shared>,
    pub(super) in_task: bool,
}

impl Shared {
    pub(super) fn new(options: &Options, policy: Policy, opener: Option<Opener>) -> Arc<Self> {
        let limit = options.limit.map_or(usize::MAX, NonZeroUsize::get);
        Arc::new(Shared {
            group: WaitGroup::new(),
            queue: Queue::new(limit),
            record: Record::new(options, policy),
            limited: AtomicBool::new(options.limit.is_some()),
            stack: options.stack_size,
            joiners: Mutex::new(BTreeMap::new()),
            stirs: AtomicBool::new(false),
            opener,
            body: Number::of_this_thread(),
            names: Names::default(),
        })
    }

    /// Whether a task of `scope` opened this one, or one that this stands inside of.
    pub(super) fn was_opened_inside_a_task_of(&self, scope: &Arc<Shared>) -> bool {
        let mut above: Option<Arc<Shared>> = None;
        loop {
            let Some(opener) = &above.as_deref().unwrap_or(self).opener else { return false };
            if opener.in_task && opener.scope.as_ptr() == Arc::as_ptr(scope) {
                return true;
            }
            let Some(next) = opener.scope.upgrade() else { return false };
            above = Some(next);
        }
    }

    /// Whether a task may run on a thread that is not one of the scope's runners.
    pub(super) fn runs_anywhere(&self) -> bool {
        self.stack.is_none()
    }

    #[inline]
    pub(super) fn is_limited(&self) -> bool {
        // ORDERING: Relaxed. The limit itself is read under the queue's lock.
        self.limited.load(Ordering::Relaxed)
    }

    pub(super) fn set_limit(self: &Arc<Self>, limit: NonZeroUsize) {
        let was_limited = self.limited.swap(true, Ordering::Relaxed);
        let follow = self.queue.set_limit(limit.get(), pool::cores());
        self.follow(follow);
        if !was_limited {
            // Only in a limited scope futures are polled by those who await them.
            self.stir(true);
        }
    }

    /// Enters who is to be woken when a task has ended.
    pub(super) fn enter_joiner(&self, index: u64, waker: &Waker) {
        let before = self.joiners.lock().insert(index, waker.clone());
        drop(before);
    }

    pub(super) fn remove_joiner(&self, index: u64) {
        let before = self.joiners.lock().remove(&index);
        drop(before);
    }

    /// Wakes who waits for a task that has ended.
    pub(super) fn call_joiner(&self, index: u64) {
        let joiner = self.joiners.lock().remove(&index);
        if let Some(waker) = joiner {
            waker.wake();
        }
    }

    /// Queues a counted task, and finds somebody to run it. Returns its index.
    #[inline]
    pub(super) fn push(self: &Arc<Self>, job: Job) -> u64 {
        match self.queue.lay(job) {
            Ok(index) => index,
            Err(job) => self.push_and_find(job),
        }
    }

    fn push_and_find(self: &Arc<Self>, job: Job) -> u64 {
        let (index, follow) = self.queue.push(job, pool::cores(), || self.membership());
        self.follow(follow);
        index
    }

    pub(super) fn membership(self: &Arc<Self>) -> Option<Membership> {
        Some(Membership::of(self))
    }

    /// To be called before waiting for the group: has it count what waits and runs.
    pub(super) fn look_at_all(self: &Arc<Self>) {
        self.queue.look(|| self.membership());
    }

    /// Queues a counted job that may be begun `shares` times.
    pub(super) fn push_shares(self: &Arc<Self>, job: Job, shares: usize) {
        let follow = self.queue.push_shares(job, shares, pool::cores());
        self.follow(follow);
    }

    /// Queues the job of a future again.
    pub(super) fn requeue(self: &Arc<Self>, job: Job, index: u64) {
        let follow = self.queue.requeue(job, index, pool::cores());
        self.follow(follow);
    }

    /// Queues the job of a future that was woken.
    pub(super) fn unshelve(self: &Arc<Self>, key: usize) {
        let follow = self.queue.unshelve(key, pool::cores());
        self.follow(follow);
    }

    /// Has the futures looked after again that nobody has woken; `all`: and those that wait.
    pub(super) fn stir(&self, all: bool) {
        for job in self.queue.jobs(all) {
            job.stir();
        }
    }

    /// Does what follows from a change of the queue: nothing, mostly.
    #[inline]
    pub(super) fn follow(self: &Arc<Self>, follow: Follow) {
        if !follow.is_nothing() {
            self.follow_up(follow);
        }
    }

    fn follow_up(self: &Arc<Self>, follow: Follow) {
        let Follow { ask, mut rest } = follow;
        for thread in rest.iter_mut().flat_map(|rest| rest.wake.drain(..)) {
            thread.unpark();
        }
        if ask {
            self.lend();
        }
        drop(rest);
    }

    /// Asks for the runner that the queue counts as asked for. Returns whether one may come; if
    /// not, it does not count any more.
    pub(super) fn lend(self: &Arc<Self>) -> bool {
        Pool::of_this_process(self.stack).lend(Arc::clone(self) as _)
    }

    /// The scope has ended, and somebody was asked for who has not come: takes that back.
    pub(super) fn withdraw(self: &Arc<Self>) {
        Pool::of_this_process(self.stack).withdraw(Arc::as_ptr(self).cast());
    }
}

impl AsRef<WaitGroup> for Shared {
    fn as_ref(&self) -> &WaitGroup {
        &self.group
    }
}

impl Deref for Shared {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        &self.record
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("record", &self.record)
            .field("group", &self.group)
            .field("queue", &self.queue)
            .finish_non_exhaustive()
    }
}
