//! The handles of tasks.

use std::fmt;
use std::panic::resume_unwind;
use std::time::Duration;

use wg_core::sync::now;

use super::cell::Claim;
use super::wait::Vain;
use crate::cause::Stopped;
use crate::context;
use crate::outcome::Outcome;
use crate::task_info::TaskInfo;

/// The handle of a task: its value, once.
///
/// Dropping the handle gives the value up, not the task: it runs all the same, and the scope waits
/// for it. A handle cannot outlive its scope; it may be moved into other tasks of it.
pub struct Task<'scope, T> {
    claim: Claim<'scope, T>,
}

impl<'scope, T> Task<'scope, T> {
    pub(super) fn new(claim: Claim<'scope, T>) -> Self {
        Task { claim }
    }

    /// Waits for the task and returns its value.
    ///
    /// A task that has not begun is run here, on this thread, in the slot of the task that joins
    /// it; the body of a limited scope has none, and waits for one. Otherwise this thread sleeps
    /// until the task has ended. It runs no other task meanwhile.
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
    /// If the task panicked, did not begin because the scope was cancelled, or the scope is
    /// cancelled before its value is there: this unwinds with [`Stopped`], silently, and the scope
    /// resumes the panic that was the cause. [`try_join`](Self::try_join) returns it instead.
    ///
    /// # Blocking
    ///
    /// Blocks until the task has ended or the scope is cancelled. A task that joins one which waits
    /// for it waits until then.
    ///
    /// # Memory ordering
    ///
    /// What the task did happens before the return.
    pub fn join(self) -> T {
        self.try_join().unwrap_or_else(|stopped| resume_unwind(Box::new(stopped)))
    }

    /// As [`join`](Self::join), but returns an error where that unwinds.
    ///
    /// # Errors
    ///
    /// [`Stopped`], with the cause: the task panicked, or the scope was cancelled before its value
    /// was there.
    ///
    /// # Examples
    ///
    /// ```
    /// let answer = wg::scope(|s| {
    ///     let endless = s.spawn(|| s.sleep(std::time::Duration::MAX));
    ///     s.cancel("not needed");
    ///     endless.try_join()
    /// });
    /// assert_eq!(answer.unwrap_err().to_string(), "stopped: cancelled: not needed");
    /// ```
    ///
    /// # Blocking
    ///
    /// As [`join`](Self::join).
    pub fn try_join(mut self) -> Result<T, Stopped> {
        match self.claim.join(None) {
            Ok(Outcome::Value(value)) => Ok(value),
            Ok(Outcome::Lost(stopped)) => Err(context::tell(*stopped)),
            Err(Vain::Stopped(stopped)) => Err(stopped),
            Err(Vain::TimedOut) => unreachable!("no deadline was given"),
        }
    }

    /// As [`try_join`](Self::try_join), for at most `timeout`; then the handle comes back.
    ///
    /// A task that has not begun is not run here: it would take as long as it takes.
    ///
    /// # Errors
    ///
    /// The handle, if the task has not ended after that time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (send, receive) = std::sync::mpsc::channel();
    /// wg::scope(|s| {
    ///     let (begin, begun) = std::sync::mpsc::channel();
    ///     let task = s.spawn(move || {
    ///         begin.send(()).unwrap();
    ///         receive.recv().unwrap()
    ///     });
    ///     begun.recv().unwrap();
    ///     let task = task.join_timeout(Duration::from_millis(1)).unwrap_err();
    ///     send.send(7).unwrap();
    ///     assert_eq!(task.join(), 7);
    /// });
    /// ```
    ///
    /// # Blocking
    ///
    /// As [`join`](Self::join), for at most about `timeout`.
    pub fn join_timeout(mut self, timeout: Duration) -> Result<Result<T, Stopped>, Self> {
        match self.claim.join(now().checked_add(timeout)) {
            Ok(Outcome::Value(value)) => Ok(Ok(value)),
            Ok(Outcome::Lost(stopped)) => Ok(Err(context::tell(*stopped))),
            Err(Vain::Stopped(stopped)) => Ok(Err(stopped)),
            Err(Vain::TimedOut) => Err(self),
        }
    }

    /// Returns whether the task has ended, so that [`join`](Self::join) will not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.claim.has_ended()
    }

    /// Returns which task this is: its index, its name, and the line that spawned it.
    #[must_use]
    pub fn info(&self) -> TaskInfo {
        self.claim.info()
    }
}

impl<T> fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("info", &self.info())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// The handle of a task that may fail, in a [`TryScope`](crate::TryScope).
///
/// Its error goes to whoever joins it. Dropping the handle leaves the error to the scope, which
/// returns it.
pub struct TryTask<'scope, T, E> {
    task: Task<'scope, Result<T, E>>,
}

impl<'scope, T, E> TryTask<'scope, T, E> {
    pub(super) fn new(task: Task<'scope, Result<T, E>>) -> Self {
        TryTask { task }
    }

    /// Waits for the task and returns what it returned; see [`Task::join`].
    ///
    /// # Errors
    ///
    /// The task's own error. Or [`Stopped`], converted, if the task panicked or was cancelled:
    /// handed on with `?`, it never hides the error that was the cause.
    ///
    /// # Examples
    ///
    /// ```
    /// let sum = wg::try_scope(|s| {
    ///     let left = s.spawn(|| "1".parse::<i32>().map_err(|e| e.to_string()));
    ///     let right = s.spawn(|| "2".parse::<i32>().map_err(|e| e.to_string()));
    ///     Ok::<_, String>(left.join()? + right.join()?)
    /// });
    /// assert_eq!(sum, Ok(3));
    /// ```
    ///
    /// # Blocking
    ///
    /// As [`Task::join`].
    pub fn join(self) -> Result<T, E>
    where
        E: From<Stopped>,
    {
        self.task.try_join().unwrap_or_else(|stopped| Err(E::from(stopped)))
    }

    /// As [`join`](Self::join), for at most `timeout`; then the handle comes back.
    ///
    /// # Errors
    ///
    /// The handle, if the task has not ended after that time.
    ///
    /// # Blocking
    ///
    /// As [`Task::join_timeout`].
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, E>, Self>
    where
        E: From<Stopped>,
    {
        match self.task.join_timeout(timeout) {
            Ok(ended) => Ok(ended.unwrap_or_else(|stopped| Err(E::from(stopped)))),
            Err(task) => Err(TryTask { task }),
        }
    }

    /// Returns whether the task has ended, so that [`join`](Self::join) will not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Returns which task this is: its index, its name, and the line that spawned it.
    #[must_use]
    pub fn info(&self) -> TaskInfo {
        self.task.info()
    }
}

impl<T, E> fmt::Debug for TryTask<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryTask").field("task", &self.task).finish()
    }
}
