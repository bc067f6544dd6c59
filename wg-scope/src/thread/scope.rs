//! The scope.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use super::cell::{self, Claim};
use super::crew::{Crew, Work};
use super::entry::Entry;
use super::future::Await;
use super::handle::Task;
use super::job::{Job, Run};
use super::large::{Unboxing, Value, boxed, is_large};
use super::shared::Shared;
use super::todo::Todo;
use crate::blocks::Counted;
use crate::cause::Cause;
use crate::closing::{split, unwinding};
use crate::ledger::Unwind;
use crate::options::{Options, options};
use crate::policy::Policy;
use crate::settle::{Plain, Settle};
use crate::task_info::{Label, OwnName, Site, Tag};

/// The line that spawned a task.
type Line = &'static Location<'static>;

/// Forgets all of a future but what its handle has to know.
#[expect(unsafe_code, reason = "to become a trait object is not safe where there is no `Arc`")]
pub(super) fn as_handled<'scope, C, T>(cell: Counted<C>) -> Counted<dyn Await<T> + 'scope>
where
    C: Await<T> + 'scope,
{
    // SAFETY: It is returned as it was.
    unsafe { cell.unsize::<dyn Await<T> + 'scope>(|cell| cell) }
}

/// A block in which tasks run on other threads; leaving it waits for all of them.
///
/// Made by [`scope`] and [`Options::scope`]. Tasks get at it through the reference that the body
/// received.
pub struct Scope<'scope, 'env: 'scope> {
    shared: Arc<Shared>,
    /// Invariant, so that neither lifetime can be made to fit by shrinking: a task that borrows
    /// from the body itself does not compile (rule 4), see [`scope`].
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `body`, in which tasks may be started that borrow from outside it, and returns when the
/// body and every task have ended.
///
/// Tasks are queued and run by threads that a pool of the process lends, about as many as there
/// are cores, and more if tasks block. The thread that calls `scope` runs tasks too, once the body
/// has returned.
///
/// # Examples
///
/// ```
/// let mut words = vec!["structured", "concurrency"];
/// let (longest, letters) = wg::scope(|s| {
///     let longest = s.spawn(|| words.iter().map(|word| word.len()).max());
///     let letters = s.spawn(|| words.iter().map(|word| word.len()).sum::<usize>());
///     (longest.join(), letters.join())
/// });
/// words.clear(); // the borrows are over
/// assert_eq!((longest, letters), (Some(11), 21));
/// ```
///
/// Tasks may start tasks, and nobody has to join them:
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let leaves = AtomicUsize::new(0);
/// wg::scope(|s| {
///     for _ in 0..3 {
///         s.spawn(|| {
///             for _ in 0..4 {
///                 s.spawn(|| leaves.fetch_add(1, Ordering::Relaxed));
///             }
///         });
///     }
/// });
/// assert_eq!(leaves.into_inner(), 12);
/// ```
///
/// What would dangle does not compile: a handle that leaves the scope,
///
/// ```compile_fail,E0521
/// let mut kept = None;
/// wg::scope(|s| kept = Some(s.spawn(|| 1)));
/// ```
///
/// a task that borrows the body's own locals,
///
/// ```compile_fail,E0373
/// wg::scope(|s| {
///     let local = 1;
///     s.spawn(|| println!("{local}"));
/// });
/// ```
///
/// and a value that may not change threads.
///
/// ```compile_fail,E0277
/// let here = std::rc::Rc::new(1);
/// wg::scope(|s| {
///     s.spawn(|| println!("{here}"));
/// });
/// ```
///
/// # Panics
///
/// If a task panics, tasks that have not begun are dropped, those that run are waited for, and
/// then the first panic is resumed here with its payload unchanged. Further panics have been
/// printed by the panic hook when they happened; how many there were is printed again, with their
/// messages, on standard error. If the body panics, the same happens, and the body's own panic is
/// the one that is resumed.
///
/// # Blocking
///
/// Blocks until every task has ended. It runs tasks of this scope meanwhile, and never others.
///
/// # Memory ordering
///
/// What happened before [`spawn`](Scope::spawn) is visible to the task, and what a task did is
/// visible when `scope` returns, or to whoever joined it before.
///
/// # Other ways to do it
///
/// [`std::thread::scope`] starts one thread for each task, some 50 µs apiece, and panics if one
/// cannot be started; in `wg::scope` a task is a queue entry. rayon's `scope` runs tasks on a
/// fixed pool, where a task that blocks holds up others, and runs unrelated work on a thread that
/// waits. The lifetimes `'scope` and `'env` are those of std's scope, whose idea this is.
#[track_caller]
pub fn scope<'env, F, R>(body: F) -> R
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
{
    options().scope(body)
}

/// # Scopes on threads
impl Options {
    /// As [`scope`], with these options.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let slept = wg::options().timeout(Duration::from_millis(1)).scope(|s| {
    ///     s.sleep(Duration::from_secs(3600))
    /// });
    /// assert!(slept.unwrap_err().cause().is_deadline());
    /// ```
    ///
    /// # Panics
    ///
    /// As [`scope`]. A cancel or a deadline makes no panic: what the body returns is returned. But
    /// if the body, or a task, unwound from [`join`](Task::join) because of it, and no scope
    /// outside was cancelled that could tell why, this panics with the cause.
    #[track_caller]
    pub fn scope<'env, F, R>(&self, body: F) -> R
    where
        F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> R,
    {
        let site = Location::caller();
        let entry = Entry::new(self, self.policy_or(Policy::fail_fast()), site);
        // It is not counted once more for its own scope: a small one takes as long as a few such steps.
        let (shared, mut stay) = entry.into_parts();
        let scope = Scope { shared, scope: PhantomData, env: PhantomData };
        let result = stay.run(&scope.shared, || body(&scope));
        let (result, payload) = split(result);
        let conclusion = stay.close(&scope.shared, payload);
        match conclusion.unwind {
            Unwind::Not => result.expect("a body that did not panic returned"),
            unwind => unwinding(unwind, result, &scope.shared, site),
        }
    }
}

impl<'scope> Scope<'scope, '_> {
    pub(super) fn of(entry: &Entry) -> Self {
        Scope { shared: Arc::clone(entry.shared()), scope: PhantomData, env: PhantomData }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// # Starting tasks
impl<'scope, 'env> Scope<'scope, 'env> {
    /// Starts a task: queues the closure, to be run once on some thread.
    ///
    /// It counts from here on; the scope cannot be left before it has ended. It starts at once if
    /// a core is idle and the limit allows. In a scope that is cancelled the task does not begin:
    /// its closure is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let text = String::from("borrowed");
    /// let length = wg::scope(|s| s.spawn(|| text.len()).join());
    /// assert_eq!(length, 8);
    /// ```
    ///
    /// # Blocking
    ///
    /// Without a limit it never blocks. In the body of a limited scope it blocks while as many
    /// tasks wait as may run, until the scope is cancelled; from inside a task it never blocks, so
    /// that a limit cannot deadlock.
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is visible to the task.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, task: F) -> Task<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.start(Location::caller(), task, Plain)
    }

    /// Names the task that is spawned next, for reports and errors. A name that all tasks of a line have in
    /// common costs next to nothing: the scope keeps that of the first of them, for the first few lines.
    ///
    /// # Examples
    ///
    /// ```
    /// wg::scope(|s| {
    ///     let fetch = s.task("fetch").spawn(|| 1);
    ///     assert!(fetch.info().to_string().starts_with("fetch#0 spawned at "));
    /// });
    /// ```
    pub fn task<'a>(&'scope self, name: &'a str) -> Named<'a, 'scope, 'env> {
        Named { scope: self, name }
    }

    /// Starts a task if it would not have to wait: if the scope is not cancelled, and a limited one
    /// has room. Never blocks.
    ///
    /// # Errors
    ///
    /// The closure, and why it was not started.
    ///
    /// # Examples
    ///
    /// ```
    /// let refused = wg::scope(|s| {
    ///     s.cancel("closing");
    ///     s.try_spawn(|| 1).unwrap_err()
    /// });
    /// assert_eq!(refused.to_string(), "not spawned: cancelled: closing");
    /// assert_eq!((refused.into_task())(), 1);
    /// ```
    #[track_caller]
    pub fn try_spawn<F, T>(&'scope self, task: F) -> Result<Task<'scope, T>, NotSpawned<F>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        if let Some(cause) = self.cancelled_by() {
            return Err(NotSpawned { task, why: Refusal::Cancelled(cause) });
        }
        if !self.shared.queue.has_room(None) {
            return Err(NotSpawned { task, why: Refusal::Full(self.shared.queue.limit()) });
        }
        Ok(self.queue(Location::caller(), task, Plain))
    }

    /// Starts a task for each closure, and returns their handles in the same order.
    ///
    /// # Examples
    ///
    /// ```
    /// let squares: Vec<u32> = wg::scope(|s| {
    ///     let tasks = s.spawn_all((1..=3).map(|n| move || n * n));
    ///     tasks.into_iter().map(|task| task.join()).collect()
    /// });
    /// assert_eq!(squares, [1, 4, 9]);
    /// ```
    ///
    /// # Blocking
    ///
    /// As [`spawn`](Self::spawn), for each of them.
    #[track_caller]
    pub fn spawn_all<I, F, T>(&'scope self, tasks: I) -> Vec<Task<'scope, T>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let site = Location::caller();
        let start = |task| self.start(site, task, Plain);
        tasks.into_iter().map(start).collect()
    }

    /// Starts a task, waiting for room where that is due.
    pub(super) fn start<F, T, S>(&'scope self, site: Line, task: F, settle: S) -> Task<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
        S: Settle<T> + Send + Sync + 'scope,
    {
        self.make_room();
        self.queue(site, task, settle)
    }

    /// As [`start`](Self::start), a task with a name.
    pub(super) fn start_named<F, T, S>(
        &'scope self,
        name: &str,
        site: Line,
        task: F,
        settle: S,
    ) -> Task<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
        S: Settle<T> + Send + Sync + 'scope,
    {
        self.make_room();
        let spawned = self.shared.spawns();
        if spawned.is_set() {
            self.queue_tagged(Label::named(name, site).spawned_at(spawned), task, settle)
        } else if let Some(known) = self.shared.names.know(name, site) {
            self.queue_tagged(known, task, settle)
        } else {
            self.queue_tagged(OwnName::new(name, site), task, settle)
        }
    }

    fn queue<F, T, S>(&'scope self, site: Line, task: F, settle: S) -> Task<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
        S: Settle<T> + Send + Sync + 'scope,
    {
        // Mostly nobody asks when, and the task is smaller by that.
        let spawned = self.shared.spawns();
        if spawned.is_set() {
            self.queue_tagged(Label::at(site).spawned_at(spawned), task, settle)
        } else {
            self.queue_tagged(Site(site), task, settle)
        }
    }

    fn queue_tagged<F, T, L, S>(&'scope self, tag: L, task: F, settle: S) -> Task<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
        L: Tag + Send + Sync + 'scope,
        S: Settle<T> + Send + Sync + 'scope,
    {
        if is_large::<F, T>() {
            let todo = Todo::new(&self.shared, tag, Unboxing(settle));
            return Task::new(self.queue_claimed(todo, boxed(task)));
        }
        let todo = Todo::new(&self.shared, tag, settle);
        Task::new(self.queue_claimed(todo, task))
    }

    /// Queues a task that nobody holds a handle of. Never blocks.
    pub(super) fn queue_free<F, T, S>(&'scope self, label: Label, task: F, settle: S) -> u64
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
        S: Settle<T> + Send + Sync + 'scope,
    {
        let label = self.shared.stamped(label);
        if is_large::<F, T>() {
            let todo = Todo::new(&self.shared, label, Unboxing(settle));
            return self.queue_unclaimed(todo, boxed(task));
        }
        self.queue_unclaimed(Todo::new(&self.shared, label, settle), task)
    }

    #[expect(unsafe_code, reason = "see `queue_unclaimed`")]
    fn queue_claimed<F, V, L, S, T>(
        &'scope self,
        todo: Todo<'scope, L, S>,
        task: F,
    ) -> Claim<'scope, T>
    where
        F: FnOnce() -> V + Send + 'scope,
        V: Value<T> + Send + 'scope,
        L: Tag + Send + Sync + 'scope,
        S: Settle<V> + Send + Sync + 'scope,
    {
        let queue = |task| self.shared.push(Job::Once(task));
        // SAFETY: As in `queue_unclaimed`.
        unsafe { cell::new(todo, task, queue) }
    }

    #[expect(unsafe_code, reason = "the lifetimes of tasks are erased here")]
    fn queue_unclaimed<F, T, L, S>(&'scope self, todo: Todo<'scope, L, S>, task: F) -> u64
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
        L: Tag + Send + Sync + 'scope,
        S: Settle<T> + Send + Sync + 'scope,
    {
        // SAFETY: The job must be run before `'scope` ends. `scope` does not return, by return or by
        // panic, before `finish` has, and `'scope` does not end before `scope` returns. `finish` returns
        // when nothing is left in the queue or in a hand, whoever took something out has run it and given
        // it back, and the group is empty. It has either seen all that with the queue locked, or the group
        // is empty after the queue was watched: from then on the tasks are members of the group, from the
        // push, under the queue's lock, until that is so. If queueing panics, the task leaks.
        let task = unsafe { cell::unclaimed(todo, task) };
        self.shared.push(Job::Once(task))
    }

    /// Queues a task that is counted already: it holds a token of this scope's group.
    pub(super) fn push(&'scope self, runnable: Arc<dyn Run + 'scope>) -> u64 {
        self.shared.push(self.erase(runnable))
    }

    /// Queues a future. Returns its index, and the future as its handle sees it.
    #[expect(unsafe_code, reason = "see `queue_unclaimed`")]
    pub(super) fn push_future<C, T>(&'scope self, cell: C) -> (Counted<dyn Await<T> + 'scope>, u64)
    where
        C: Run + Await<T> + 'scope,
    {
        let (cell, job) = Counted::two_as::<dyn Run + 'scope>(|| cell, |cell| cell);
        // SAFETY: What the job holds of the user's is gone or handed over before `'scope` ends, as `scope`
        // does not return before nothing is left in the queue and the group is empty (see
        // `queue_unclaimed`), and these count the future until `FutureCell::end` has dropped it, and has
        // dropped its output or left it to a handle:
        // - Until its job has been run once, and is given back, the queue counts it as it counts tasks.
        // - If it is pending then, or awaited before, it has a token beside it, wherever that is moved,
        //   which goes after `end`.
        // - Its waker has no part in this: it holds no job, and after the end it finds that there is nothing
        //   to queue. A job that was queued late is that of an ended future: it touches only its own locks.
        let index = self.shared.push(unsafe { Job::erase_future(job) });
        (as_handled(cell), index)
    }

    /// Creates a crew of at most `most` that works in this scope.
    pub(super) fn crew<W: Work + Send + 'scope>(
        &'scope self,
        label: Label,
        most: usize,
        work: W,
    ) -> Arc<Crew<'scope, W>> {
        let push = |crew, shares| self.shared.push_shares(self.erase(crew), shares);
        Crew::new(&self.shared, label, most, work, Box::new(push))
    }

    /// Erases the lifetime of a job of this scope.
    #[expect(unsafe_code, reason = "the one call of `Job::erase`")]
    fn erase(&'scope self, runnable: Arc<dyn Run + 'scope>) -> Job {
        // SAFETY: what the job holds of the user's must be gone or handed over before `'scope`
        // ends. `scope` does not return, by return or by panic, before the group is empty
        // (`finish`), and `'scope` does not end before `scope` returns. So it is enough that each
        // kind of job holds a token of the scope's group as long as it holds anything else.
        // - A task of an outlet (`Queued`) holds one until its closure has been run or dropped, its
        //   result has gone into the outlet or been dropped, and its hold on the outlet is gone.
        // - A crew holds one for each share that is posted or at work; a share drops its hold on
        //   the work before its token. The other hold is the crew's own: whoever made it dismisses
        //   the work within `'scope`, or has leaked the crew.
        // - If queueing panics, what the job holds is dropped with it, within `'scope`.
        // - Asking a crew how much is done finds the work dismissed, or holds off, by the crew's lock, the
        //   one who dismisses it; and of a crew that was leaked it reads counters that the crew owns.
        // - Running a job later finds the closure taken, or no token for a share, and touches only
        //   its own lock; asking it who it is reads a label that borrows nothing; dropping it later
        //   finds nothing of the user's in it.
        unsafe { Job::erase(runnable) }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("name", &self.shared.name)
            .field("counts", &self.counts())
            .field("cancelled_by", &self.cancelled_by())
            .finish_non_exhaustive()
    }
}

/// A name for the task that is spawned next. Made by [`Scope::task`].
#[must_use = "a name without a task does nothing"]
#[derive(Debug)]
pub struct Named<'a, 'scope, 'env> {
    pub(super) scope: &'scope Scope<'scope, 'env>,
    pub(super) name: &'a str,
}

impl<'scope> Named<'_, 'scope, '_> {
    /// As [`Scope::spawn`].
    #[track_caller]
    pub fn spawn<F, T>(self, task: F) -> Task<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.scope.start_named(self.name, Location::caller(), task, Plain)
    }
}

/// The error of [`Scope::try_spawn`], with the closure that was not started.
pub struct NotSpawned<F> {
    task: F,
    why: Refusal,
}

#[derive(Debug)]
enum Refusal {
    Cancelled(Cause),
    Full(usize),
}

impl<F> NotSpawned<F> {
    /// Returns the closure.
    pub fn into_task(self) -> F {
        self.task
    }

    /// Returns why the scope is cancelled; `None` if it is not, and had no room.
    pub fn cancelled_by(&self) -> Option<&Cause> {
        match &self.why {
            Refusal::Cancelled(cause) => Some(cause),
            Refusal::Full(_) => None,
        }
    }
}

impl<F> fmt::Display for NotSpawned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Refusal::Cancelled(cause) => write!(f, "not spawned: {cause}"),
            Refusal::Full(limit) => write!(f, "not spawned: no room at a limit of {limit}"),
        }
    }
}

impl<F> fmt::Debug for NotSpawned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotSpawned").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<F> std::error::Error for NotSpawned<F> {}
