//! The scope.

use std::fmt;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::job::{Job, Run};
use super::shared::Shared;
use super::task::{Cell, Join, Task};
use crate::ledger::Closed;
use crate::outcome::{discard, drop_caught};

/// A block in which tasks run on other threads; leaving it waits for all of them.
///
/// Made by [`scope`]. Tasks get at it through the reference that the body received.
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
    let site = Location::caller();
    let scope = Scope { shared: Arc::new(Shared::new()), scope: PhantomData, env: PhantomData };
    let result = catch_unwind(AssertUnwindSafe(|| body(&scope)));
    if result.is_err() {
        scope.shared.cancel();
    }
    scope.shared.finish();
    match scope.shared.take_ledger().close(result) {
        Closed::Returned(result) => result,
        Closed::Panicked { first, unused, more } => {
            if let Err(payload) = drop_caught(unused) {
                discard(payload);
            }
            if let Some(more) = more {
                // Not `eprintln!`, which panics where standard error cannot be written.
                let _ = writeln!(io::stderr(), "in the scope at {site}: {more}");
            }
            resume_unwind(first)
        }
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a task: queues the closure, to be run once on some thread.
    ///
    /// It counts from here on; the scope cannot be left before it has ended. It starts at once if
    /// a core is idle. May be called from the body and from tasks, and never blocks. In a scope
    /// that is cancelled the task does not begin: its closure is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// let text = String::from("borrowed");
    /// let length = wg::scope(|s| s.spawn(|| text.len()).join());
    /// assert_eq!(length, 8);
    /// ```
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is visible to the task.
    #[track_caller]
    #[expect(unsafe_code, reason = "the one call of `Job::erase`")]
    pub fn spawn<F, T>(&'scope self, task: F) -> Task<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let cell =
            Arc::new(Cell::new(&self.shared, Location::caller(), task, self.shared.group.token()));
        let runnable: Arc<dyn Run + 'scope> = Arc::clone(&cell) as _;
        // SAFETY: the closure and the result must be gone or handed over before `'scope` ends.
        // - The cell holds a token of the scope's group from its making until `Cell::execute` has
        //   taken the closure out and run or dropped it, and has dropped the result or left it to
        //   a handle, which cannot outlive `'scope` by its type.
        // - `scope` does not return, by return or by panic, before the group is empty
        //   (`Shared::finish`), and `'scope` does not end before `scope` returns.
        // - If pushing panics, the closure is dropped with the job, within `'scope`. A job that is
        //   left in the queue after that was begun by its joiner, and is an empty cell.
        // - Running the job later finds the closure taken and touches only the cell's own lock;
        //   dropping it later finds nothing of the user's in the cell.
        let job = unsafe { Job::erase(runnable) };
        self.shared.push(job);
        let cell: Arc<dyn Join<T> + 'scope> = cell;
        Task::new(cell)
    }

    /// Returns whether the scope is cancelled: the body or a task has panicked. Long-running tasks
    /// may look at this, to end early.
    ///
    /// One relaxed load.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.is_cancelled()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("tasks", &self.shared.group.count())
            .field("is_cancelled", &self.is_cancelled())
            .field("queue", &self.shared.queue)
            .finish()
    }
}
