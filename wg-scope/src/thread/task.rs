//! One task: a closure on its way from the queue to its handle.

use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::sync::Arc;

use wg_core::Token;
use wg_core::sync::{Mutex, Thread, current, park_until};

use super::job::Run;
use super::shared::Shared;
use crate::outcome::{Outcome, Stopped, drop_caught};

/// A task as its handle sees it.
pub(super) trait Join<T>: Send + Sync {
    /// Runs the task in place if it has not begun, otherwise blocks until it has ended.
    fn join(&self) -> Outcome<T>;

    /// Gives the result up: it is dropped by whoever finds it first, here or at the task's end.
    fn abandon(&self);

    fn is_finished(&self) -> bool;
}

/// Where a task stands. The lock around it decides who runs the task and who drops its result.
enum Stage<'scope, F, T> {
    /// Not begun. Who takes the closure runs it, and ends the membership when all is dropped.
    Queued(F, Token<'scope>, Holder),
    Running(Holder),
    Ended(Outcome<T>),
    /// The result is somebody's, or nobody's any more. Nothing of the user's is left in here.
    Taken,
}

/// Whoever holds the handle of a task that has not ended.
enum Holder {
    Busy,
    Joining(Thread),
    Gone,
}

pub(super) struct Cell<'scope, F, T> {
    shared: &'scope Shared,
    site: &'static Location<'static>,
    stage: Mutex<Stage<'scope, F, T>>,
}

impl<'scope, F, T> Cell<'scope, F, T>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
{
    pub(super) fn new(
        shared: &'scope Shared,
        site: &'static Location<'static>,
        closure: F,
        token: Token<'scope>,
    ) -> Self {
        Cell { shared, site, stage: Mutex::new(Stage::Queued(closure, token, Holder::Busy)) }
    }

    /// Takes the closure, if the task has not begun.
    fn begin(&self) -> Option<(F, Token<'scope>)> {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Queued(closure, token, holder) => {
                *stage = Stage::Running(holder);
                Some((closure, token))
            }
            other => {
                *stage = other;
                None
            }
        }
    }

    /// Runs a task that was begun. When the token goes, at the very end, everything of the user's
    /// has been dropped or handed over (rule 1).
    fn execute(&self, closure: F, token: Token<'scope>) {
        let result = if self.shared.is_cancelled() {
            drop_caught(closure).map(|()| Outcome::Cancelled)
        } else {
            catch_unwind(AssertUnwindSafe(closure)).map(Outcome::Value)
        };
        let outcome = result.unwrap_or_else(|payload| {
            self.shared.panicked(payload, self.site);
            Outcome::Panicked
        });
        self.deliver(outcome);
        drop(token);
    }

    fn deliver(&self, outcome: Outcome<T>) {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Running(Holder::Gone) => {
                drop(stage);
                self.forgo(outcome);
            }
            Stage::Running(holder) => {
                *stage = Stage::Ended(outcome);
                drop(stage);
                if let Holder::Joining(thread) = holder {
                    thread.unpark();
                }
            }
            _ => unreachable!("only the one who began a task ends it"),
        }
    }

    /// Drops a result that nobody wants. A panic in its drop is the task's, wherever it happens.
    fn forgo(&self, outcome: Outcome<T>) {
        if let Err(payload) = drop_caught(outcome) {
            self.shared.panicked(payload, self.site);
        }
    }
}

impl<'scope, F, T> Run for Cell<'scope, F, T>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
{
    fn run(&self) {
        if let Some((closure, token)) = self.begin() {
            self.execute(closure, token);
        }
    }
}

impl<'scope, F, T> Join<T> for Cell<'scope, F, T>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
{
    fn join(&self) -> Outcome<T> {
        self.run();
        loop {
            let mut stage = self.stage.lock();
            match mem::replace(&mut *stage, Stage::Taken) {
                Stage::Ended(outcome) => return outcome,
                Stage::Running(_) => *stage = Stage::Running(Holder::Joining(current())),
                _ => unreachable!("a task is joined once, and after it was begun"),
            }
            drop(stage);
            park_until(None);
        }
    }

    fn abandon(&self) {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Queued(closure, token, _) => {
                *stage = Stage::Queued(closure, token, Holder::Gone);
            }
            Stage::Running(_) => *stage = Stage::Running(Holder::Gone),
            Stage::Ended(outcome) => {
                drop(stage);
                self.forgo(outcome);
            }
            Stage::Taken => {}
        }
    }

    fn is_finished(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Ended(_))
    }
}

/// The handle of a task: its value, once.
///
/// Dropping the handle gives the value up, not the task: it runs all the same, and the scope waits
/// for it. A handle cannot outlive its scope; it may be moved into other tasks of it.
pub struct Task<'scope, T> {
    cell: Arc<dyn Join<T> + 'scope>,
}

impl<'scope, T> Task<'scope, T> {
    pub(super) fn new(cell: Arc<dyn Join<T> + 'scope>) -> Self {
        Task { cell }
    }

    /// Waits for the task and returns its value.
    ///
    /// A task that has not begun is run here, on this thread; otherwise this thread sleeps until
    /// the task has ended. It runs no other task meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// let numbers = [1, 2, 3, 4];
    /// let (left, right) = numbers.split_at(2);
    /// let sum = wg::scope(|s| {
    ///     let left = s.spawn(|| left.iter().sum::<i32>());
    ///     let right = s.spawn(|| right.iter().sum::<i32>());
    ///     left.join() + right.join()
    /// });
    /// assert_eq!(sum, 10);
    /// ```
    ///
    /// # Panics
    ///
    /// If the task panicked, or did not begin because the scope was cancelled, there is no value:
    /// this unwinds with [`Stopped`], silently, and the scope resumes the panic that was the cause.
    ///
    /// # Blocking
    ///
    /// Blocks until the task has ended. A task that joins one which waits for it waits for ever.
    ///
    /// # Memory ordering
    ///
    /// What the task did happens before the return.
    pub fn join(self) -> T {
        match self.cell.join() {
            Outcome::Value(value) => value,
            Outcome::Panicked | Outcome::Cancelled => resume_unwind(Box::new(Stopped)),
        }
    }

    /// Returns whether the task has ended, so that [`join`](Self::join) will not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.cell.is_finished()
    }
}

impl<T> Drop for Task<'_, T> {
    fn drop(&mut self) {
        self.cell.abandon();
    }
}

impl<T> fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task").field("is_finished", &self.is_finished()).finish_non_exhaustive()
    }
}
