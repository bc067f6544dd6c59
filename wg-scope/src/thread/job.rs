//! What stands in a queue; the one place where a lifetime is erased.
#![allow(unsafe_code)]

use std::any::Any;
use std::mem::{self, transmute};
use std::ptr::NonNull;
use std::sync::Arc;

use wg_core::sync::AtomicU64;
use wg_core::{Token, WaitGroup};

use super::running::Running;
use crate::blocks::Counted;
use crate::task_info::TaskInfo;
use crate::timeline::Ended;

/// What every task begins with, whatever its types.
pub(super) struct Header {
    pub(super) state: AtomicU64,
    pub(super) table: &'static Table,
}

/// What can be done with a cell whose types are not known.
pub(super) struct Table {
    pub(super) run: unsafe fn(NonNull<Header>, u64, Option<Ended>) -> Option<Ended>,
    pub(super) enter: unsafe fn(NonNull<Header>, u64, &mut Option<Running>),
    pub(super) info: unsafe fn(NonNull<Header>, u64) -> TaskInfo,
}

/// The job's part of a task: to be run, once. Dropped without that, it leaks the closure.
pub(super) struct Once(NonNull<Header>);

// SAFETY: What a task holds may change threads: `of` asks for it.
unsafe impl Send for Once {}
// SAFETY: By reference there are only `enter` and `info`, which read what nobody changes.
unsafe impl Sync for Once {}

impl Once {
    /// Makes the job of a task.
    ///
    /// # Safety
    ///
    /// The header must be that of a task which is there until its job has run, whose table is that of
    /// its types, and whose contents may change threads; and it must have no other job.
    pub(super) unsafe fn of(task: NonNull<Header>) -> Self {
        Once(task)
    }

    /// Runs the task; see [`Job::run_after`].
    #[inline]
    fn run(self, index: u64, from: Option<Ended>) -> Option<Ended> {
        let run = self.table().run;
        // SAFETY: The table is that of the cell's types, and the job is used up.
        unsafe { run(self.0, index, from) }
    }

    /// Enters the task there as one that runs. What is known of it is put together in that place.
    #[inline]
    pub(super) fn enter(&self, index: u64, place: &mut Option<Running>) {
        // SAFETY: The table is that of the cell's types, and the job has not let go of it.
        unsafe { (self.table().enter)(self.0, index, place) }
    }

    fn info(&self, index: u64) -> TaskInfo {
        // SAFETY: As in `enter`.
        unsafe { (self.table().info)(self.0, index) }
    }

    fn table(&self) -> &'static Table {
        // SAFETY: The job has not let go of it.
        unsafe { self.0.as_ref() }.table
    }
}

/// Where a task's job lies that may be taken out. That there is none is not told by a null pointer: so
/// null is left to whatever has this for one of several things.
pub(super) struct Slot(NonNull<Header>);

// SAFETY: As `Once`.
unsafe impl Send for Slot {}
// SAFETY: As `Once`.
unsafe impl Sync for Slot {}

impl Slot {
    pub(super) fn new(Once(task): Once) -> Self {
        Slot(task)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0 == NonNull::dangling()
    }

    pub(super) fn take(&mut self) -> Option<Once> {
        let task = mem::replace(&mut self.0, NonNull::dangling());
        (task != NonNull::dangling()).then_some(Once(task))
    }

    pub(super) fn info(&self, index: u64) -> Option<TaskInfo> {
        (!self.is_empty()).then(|| Once(self.0).info(index))
    }
}

/// What may be run several times, as a runner sees it.
pub(super) trait Run: Send + Sync {
    /// Runs the task, unless that was begun elsewhere.
    fn run(&self, index: u64);

    /// As [`run`](Self::run), for a task that may have to be run again, and keeps `job` for that.
    fn run_as(&self, index: u64, _job: &Job) {
        self.run(index);
    }

    /// Whether there is still something to do for who begins it. It is asked under the queue's lock, and
    /// takes none.
    fn is_wanted(&self) -> bool {
        true
    }

    /// How much of it those have done who share it. It is asked under the queue's lock, at any time, also
    /// after the end; and waits for nobody: None where it would have to.
    fn done(&self) -> Option<u64> {
        Some(0)
    }

    /// Has a task looked after again that waits for something.
    fn stir(&self) {}

    /// Says which task it is, given its index. It may be asked at any time, also after the end.
    fn info(&self, index: u64) -> TaskInfo;
}

/// What stands in a queue, whose captures live only as long as its scope.
pub(super) enum Job {
    /// A task, which runs once.
    Once(Once),
    /// What may have to be run several times: a crew.
    Often(Arc<dyn Run>),
    /// A future, which may have to be, too.
    Future(Counted<dyn Run>),
}

impl Job {
    /// Erases the lifetime of a job, so that threads that outlive the scope can hold it.
    ///
    /// # Safety
    ///
    /// The task's closure and its result must be gone, or be in the hands of somebody who holds
    /// the lifetime `'scope`, before `'scope` ends. What a `Job` does after that (it may be run
    /// again, asked who it is, or dropped) must touch neither.
    pub(super) unsafe fn erase<'scope>(task: Arc<dyn Run + 'scope>) -> Self {
        // SAFETY:
        // - Both types are the same but for a lifetime bound of the trait object, so they have the
        //   same layout and the same vtable.
        // - The bound matters only to the closure and the result inside, which the caller promises
        //   to be gone in time.
        Job::Often(unsafe { transmute::<Arc<dyn Run + 'scope>, Arc<dyn Run + 'static>>(task) })
    }

    /// As [`erase`](Self::erase), for a future.
    ///
    /// # Safety
    ///
    /// As there; the closure is the future.
    pub(super) unsafe fn erase_future<'scope>(task: Counted<dyn Run + 'scope>) -> Self {
        // SAFETY: As there.
        let task =
            unsafe { transmute::<Counted<dyn Run + 'scope>, Counted<dyn Run + 'static>>(task) };
        Job::Future(task)
    }

    /// Runs it.
    pub(super) fn run(self, index: u64) {
        self.run_after(index, None);
    }

    /// Runs it. `from` is when the task before it ended, if that is recorded, and this thread has gone
    /// straight on from there; and this task was spawned before. Returns the same for the next one, unless
    /// something of the user's was dropped since.
    #[inline]
    pub(super) fn run_after(self, index: u64, from: Option<Ended>) -> Option<Ended> {
        match self {
            Job::Once(task) => task.run(index, from),
            // A task is not to be laid down for those of which a reference is taken.
            job => {
                job.run_again(index);
                None
            }
        }
    }

    fn run_again(self, index: u64) {
        match &self {
            Job::Once(_) => unreachable!("it runs once"),
            Job::Often(job) => job.run_as(index, &self),
            Job::Future(job) => job.run_as(index, &self),
        }
    }

    /// Says which task it is.
    pub(super) fn info(&self, index: u64) -> TaskInfo {
        match self {
            Job::Once(task) => task.info(index),
            Job::Often(job) => job.info(index),
            Job::Future(job) => job.info(index),
        }
    }

    /// Enters its task there as one that runs.
    #[inline]
    pub(super) fn enter(&self, index: u64, place: &mut Option<Running>) {
        match self {
            Job::Once(task) => task.enter(index, place),
            Job::Often(_) | Job::Future(_) => *place = Some(Running::new(self.info(index).into())),
        }
    }

    /// Whether there is still something to do for who begins it.
    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Job::Once(_) | Job::Future(_) => true,
            Job::Often(job) => job.is_wanted(),
        }
    }

    /// How much of it those have done who share it.
    pub(super) fn done(&self) -> Option<u64> {
        match self {
            Job::Once(_) | Job::Future(_) => Some(0),
            Job::Often(job) => job.done(),
        }
    }

    /// Has it looked after again, if it waits for something.
    pub(super) fn stir(&self) {
        match self {
            Job::Once(_) => {}
            Job::Often(job) => job.stir(),
            Job::Future(job) => job.stir(),
        }
    }

    /// Another one of a job that may be run several times.
    pub(super) fn share(&self) -> Option<Self> {
        match self {
            Job::Once(_) => None,
            Job::Often(job) => Some(Job::Often(Arc::clone(job))),
            Job::Future(job) => Some(Job::Future(job.clone())),
        }
    }
}

/// The membership of a scope's tasks in its group, as long as some wait or run.
///
/// It holds the scope that holds it. The queue lets go of it when its last task has ended, and a scope
/// does not end before.
pub(super) struct Membership {
    /// Dropped first: the group is in the scope.
    _token: Token<'static>,
    _scope: Arc<dyn Any + Send + Sync>,
}

impl Membership {
    pub(super) fn of(scope: &Arc<impl AsRef<WaitGroup> + Send + Sync + 'static>) -> Self {
        let token = scope.as_ref().as_ref().token();
        // SAFETY: Both types are the same but for a lifetime, that of the borrow of the group, which
        // lasts as long as the scope is borrowed. It is in an `Arc`, which keeps it where it is, and
        // lends it to nobody for change, as long as `_scope` is there; and that is dropped after the
        // token.
        let token = unsafe { transmute::<Token<'_>, Token<'static>>(token) };
        Membership { _token: token, _scope: Arc::clone(scope) as _ }
    }
}

#[cfg(all(test, wg_loom))]
impl Job {
    /// A job that borrows nothing.
    pub(super) fn of(task: Arc<dyn Run>) -> Self {
        Job::Often(task)
    }
}
