//! What the body, the tasks and the runners of one scope share.

use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock, Weak};

use wg_core::WaitGroup;
use wg_core::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

use super::job::Job;
use super::pool::{self, Pool};
use super::queue::{Follow, Queue};
use crate::cancel::Node;
use crate::cause::Stopped;
use crate::ledger::{Back, Conclusion, Ledger, Panicked, echo, stopped};
use crate::options::Options;
use crate::outcome::{Payload, discard};
use crate::policy::{Policy, Verdict};
use crate::task_info::TaskInfo;

pub(super) struct Shared {
    /// The tasks that have not ended.
    pub(super) group: WaitGroup,
    pub(super) queue: Queue,
    pub(super) node: Arc<Node>,
    pub(super) name: Option<Arc<str>>,
    ledger: Mutex<Ledger>,
    /// No task with a higher index than this begins.
    cut: AtomicU64,
    /// Whether a value can decide anything.
    counts_values: bool,
    /// Whether there is, or was, a limit: then spawning asks for room.
    limited: AtomicBool,
    /// The size of the stacks that its tasks want, if not the usual.
    pub(super) stack: Option<NonZeroUsize>,
    /// Whether its futures hear of a cancel.
    pub(super) stirs: AtomicBool,
    /// Where its runners come from, once it asked for one.
    pool: OnceLock<&'static Pool>,
    opener: Option<Opener>,
}

/// Where a scope was opened: in the body or in a task of another.
pub(super) struct Opener {
    pub(super) scope: Weak<Shared>,
    pub(super) in_task: bool,
}

impl Shared {
    pub(super) fn new(
        options: &Options,
        policy: Policy,
        node: Arc<Node>,
        opener: Option<Opener>,
    ) -> Self {
        let limit = options.limit.map_or(usize::MAX, NonZeroUsize::get);
        Shared {
            group: WaitGroup::new(),
            queue: Queue::new(limit),
            node,
            name: options.name.clone(),
            cut: AtomicU64::new(u64::MAX),
            counts_values: policy.counts_values(),
            ledger: Mutex::new(Ledger::new(policy, options.catches)),
            limited: AtomicBool::new(options.limit.is_some()),
            stack: options.stack_size,
            stirs: AtomicBool::new(false),
            pool: OnceLock::new(),
            opener,
        }
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

    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Whether this task is not to begin any more.
    #[inline]
    pub(super) fn skips(&self, index: u64) -> bool {
        // ORDERING: Relaxed. The number only goes down and says nothing about other memory.
        self.is_cancelled() || index > self.cut.load(Ordering::Relaxed)
    }

    /// Returns what those are told who wait in vain.
    pub(super) fn stopped(&self) -> Stopped {
        stopped(self.node.cause())
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

    /// Whether a value can decide anything.
    #[inline]
    pub(super) fn counts_values(&self) -> bool {
        self.counts_values
    }

    /// Enters a task that returned a value.
    #[inline]
    pub(super) fn value(&self, task: impl FnOnce() -> TaskInfo) {
        let verdict = self.judge_value(task);
        self.obey(verdict);
    }

    /// Enters a task that returned an error. The number orders failures by completion.
    pub(super) fn error(&self, task: &TaskInfo) -> usize {
        let (order, verdict) = self.judge_error(task);
        self.obey(verdict);
        order
    }

    /// As [`value`](Self::value), leaving to the caller to obey: a value that decides must be where
    /// it is looked for before those who look hear that all is over.
    #[inline]
    pub(super) fn judge_value(&self, task: impl FnOnce() -> TaskInfo) -> Verdict {
        if self.counts_values { self.ledger.lock().value(&task()) } else { Verdict::Continue }
    }

    /// As [`error`](Self::error), leaving to the caller to obey.
    pub(super) fn judge_error(&self, task: &TaskInfo) -> (usize, Verdict) {
        self.ledger.lock().error(task)
    }

    /// Enters a task that did not begin.
    pub(super) fn cancelled(&self, task: &TaskInfo) {
        let verdict = self.ledger.lock().cancelled(task);
        self.obey(verdict);
    }

    /// Enters a task's panic. Returns what those are told who wait for the task; and the payload,
    /// if it is a failure that the scope reports, with its place among the failures.
    pub(super) fn panicked(
        &self,
        payload: Payload,
        task: &TaskInfo,
    ) -> (Stopped, Option<(Payload, usize)>) {
        let echo = echo(&payload, task);
        let cancelled = self.is_cancelled();
        let Panicked { verdict, back } = self.ledger.lock().panicked(payload, task, cancelled);
        self.obey(verdict);
        let failure = match back {
            Back::Kept => None,
            Back::Failure(payload, order) => Some((payload, order)),
            Back::Unneeded(payload) => {
                discard(payload);
                None
            }
        };
        (echo, failure)
    }

    /// From here on, keeps the failures that nobody else keeps.
    pub(super) fn keep_strays(&self) {
        self.ledger.lock().keep_strays();
    }

    /// Keeps a panic that is a failure, where nobody else does, for a scope that reports failures.
    pub(super) fn stray(&self, task: TaskInfo, payload: Payload, order: usize) {
        let back = self.ledger.lock().stray((order, task, payload));
        if let Some(payload) = back {
            discard(payload);
        }
    }

    /// Does what the ledger decided.
    pub(super) fn obey(&self, verdict: Verdict) {
        match verdict {
            Verdict::Continue => {}
            Verdict::Cut(index) => {
                // Under no lock, so that another cut may come first: the lowest stays.
                let mut cut = self.cut.load(Ordering::Relaxed);
                while (index as u64) < cut {
                    let order = Ordering::Relaxed;
                    match self.cut.compare_exchange_weak(cut, index as u64, order, order) {
                        Ok(_) => break,
                        Err(now) => cut = now,
                    }
                }
            }
            Verdict::Cancel(cause) => {
                self.node.cancel(cause);
            }
        }
    }

    /// Closes the ledger, when every task has ended.
    pub(super) fn close(&self, body: Option<Payload>) -> Conclusion {
        // A payload may be dropped in there, which is user code, and not under the lock.
        let ledger = std::mem::take(&mut *self.ledger.lock());
        ledger.close(body)
    }

    /// Queues a counted task, and finds somebody to run it. Returns its index.
    pub(super) fn push(self: &Arc<Self>, job: Job) -> u64 {
        let (index, follow) = self.queue.push(job, pool::cores());
        self.follow(follow);
        index
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

    /// Does what follows from a change of the queue.
    pub(super) fn follow(self: &Arc<Self>, follow: Follow) {
        for thread in follow.wake {
            thread.unpark();
        }
        if follow.ask {
            self.lend();
        }
    }

    /// Asks for the runner that the queue counts as asked for. Returns whether one may come; if
    /// not, it does not count any more.
    pub(super) fn lend(self: &Arc<Self>) -> bool {
        // Looked up first: nothing that may give way to other threads runs while they wait for it.
        let pool = self.pool.get().copied();
        let pool = pool.unwrap_or_else(|| Pool::of_this_process(self.stack));
        let pool = *self.pool.get_or_init(|| pool);
        pool.lend(Arc::clone(self) as _)
    }

    /// Takes back what was asked for and has not come.
    pub(super) fn withdraw(self: &Arc<Self>) {
        if let Some(pool) = self.pool.get() {
            if self.queue.asked() {
                pool.withdraw(&(Arc::clone(self) as _));
            }
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("name", &self.name)
            .field("group", &self.group)
            .field("queue", &self.queue)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
