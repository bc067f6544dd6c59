//! The handles of futures.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use wg_core::sync::now;

use super::future::{Await, Join};
use super::large::unbox;
use super::shared::Shared;
use super::wait::Vain;
use crate::blocks::Counted;
use crate::cause::Stopped;
use crate::context;
use crate::outcome::Outcome;
use crate::task_info::TaskInfo;

/// The handle of a future in a [`Scope`](crate::Scope): its output, once.
///
/// What [`Task`](crate::Task) is for a closure: [`join`](Self::join) blocks the thread. And it is a
/// future itself, so that other futures can await the output without blocking a runner:
/// `task.await` is `Ok` with the output, or [`Stopped`].
///
/// Dropping the handle gives the output up, not the future: it is polled all the same, and the scope
/// waits for it. When the scope is cancelled, the future is dropped, and whoever awaits it is told.
///
/// # Examples
///
/// ```
/// let text = String::from("borrowed");
/// let sum = wg::scope(|s| {
///     let length = s.spawn_future(async { text.len() });
///     let more = s.spawn_future(async move { length.await.unwrap() + 1 });
///     more.join()
/// });
/// assert_eq!(sum, 9);
/// ```
///
/// # Panics
///
/// If it is polled after it was ready.
///
/// # Cancel safety
///
/// Nothing is lost where it is awaited by reference (`(&mut task).await`) and that is dropped.
/// Dropping the handle itself gives the output up.
///
/// # Memory ordering
///
/// What the future did happens before its output is returned.
pub struct FutureTask<'scope, T> {
    scope: &'scope Arc<Shared>,
    cell: Counted<dyn Await<T> + 'scope>,
    index: u64,
    /// Whether it was left to the runners once, by the one who awaits it.
    again: bool,
    /// Whether the outcome was returned: then there is nothing to give up.
    taken: bool,
}

impl<'scope, T> FutureTask<'scope, T> {
    pub(super) fn new(
        scope: &'scope Arc<Shared>,
        cell: Counted<dyn Await<T> + 'scope>,
        index: u64,
    ) -> Self {
        FutureTask { scope, cell, index, again: false, taken: false }
    }

    /// Blocks this thread until the future has ended, and returns its output.
    ///
    /// As with [`Task::join`](crate::Task::join), a future that is queued is polled here, in the
    /// slot of the task that joins it; and again whenever it is woken, unless a runner comes first.
    /// In a future, `task.await` does the same and blocks nobody.
    ///
    /// # Panics
    ///
    /// As [`Task::join`](crate::Task::join): with [`Stopped`], silently, if the future panicked, or
    /// the scope is cancelled before its output is there.
    ///
    /// # Blocking
    ///
    /// Blocks until the future has ended or the scope is cancelled.
    pub fn join(self) -> T {
        self.try_join().unwrap_or_else(|stopped| resume_unwind(Box::new(stopped)))
    }

    /// As [`join`](Self::join), but returns an error where that unwinds.
    ///
    /// # Errors
    ///
    /// [`Stopped`], with the cause: the future panicked, or the scope was cancelled before its
    /// output was there.
    ///
    /// # Examples
    ///
    /// ```
    /// let answer = wg::scope(|s| {
    ///     let endless = s.spawn_future(std::future::pending::<()>());
    ///     s.cancel("not needed");
    ///     endless.try_join()
    /// });
    /// assert_eq!(answer.unwrap_err().to_string(), "stopped: cancelled: not needed");
    /// ```
    ///
    /// # Blocking
    ///
    /// As [`join`](Self::join).
    pub fn try_join(self) -> Result<T, Stopped> {
        self.join_until(None).unwrap_or_else(|_| unreachable!("no deadline was given"))
    }

    /// As [`try_join`](Self::try_join), for at most `timeout`; then the handle comes back.
    ///
    /// The future is not polled here: a poll would take as long as it takes.
    ///
    /// # Errors
    ///
    /// The handle, if the future has not ended after that time.
    ///
    /// # Blocking
    ///
    /// As [`join`](Self::join), for at most about `timeout`.
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, Stopped>, Self> {
        self.join_until(now().checked_add(timeout))
    }

    fn join_until(mut self, deadline: Option<Instant>) -> Result<Result<T, Stopped>, Self> {
        match self.cell.join(self.scope, self.index, deadline) {
            Ok(outcome) => {
                self.taken = true;
                Ok(into_result(outcome))
            }
            Err(Vain::Stopped(stopped)) => Ok(Err(stopped)),
            Err(Vain::TimedOut) => Err(self),
        }
    }

    /// Returns whether the future has ended, so that [`join`](Self::join) will not block.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.cell.is_finished()
    }

    /// Returns which task this is: its index, its name, and the line that spawned it.
    #[must_use]
    pub fn info(&self) -> TaskInfo {
        self.cell.info(self.index)
    }
}

fn into_result<T>(outcome: Outcome<T>) -> Result<T, Stopped> {
    match outcome {
        Outcome::Value(value) => Ok(value),
        Outcome::Lost(stopped) => Err(context::tell(*stopped)),
    }
}

impl<T> Future for FutureTask<'_, T> {
    type Output = Result<T, Stopped>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let FutureTask { scope, cell, index, again, .. } = this;
        let outcome = ready!(cell.poll_end(scope, *index, again, context));
        this.taken = true;
        Poll::Ready(into_result(outcome))
    }
}

impl<T> Drop for FutureTask<'_, T> {
    fn drop(&mut self) {
        if !self.taken {
            self.cell.abandon(self.scope, self.index);
        }
    }
}

impl<T> fmt::Debug for FutureTask<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureTask")
            .field("info", &self.info())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// The handle of a future that may fail, in a [`TryScope`](crate::TryScope).
///
/// What [`TryTask`](crate::TryTask) is for a closure, and a future itself: `task.await?`. The error
/// goes to whoever joins or awaits it. Dropping the handle leaves it to the scope, which returns it.
///
/// # Examples
///
/// ```
/// let sum = wg::try_scope(|s| {
///     let one = s.spawn_future(async { "1".parse::<i32>().map_err(|e| e.to_string()) });
///     let more = s.spawn_future(async { Ok(one.await? + 1) });
///     more.join()
/// });
/// assert_eq!(sum, Ok(2));
/// ```
///
/// # Cancel safety
///
/// As [`FutureTask`].
pub struct TryFutureTask<'scope, T, E> {
    task: FutureTask<'scope, Result<T, E>>,
}

impl<'scope, T, E> TryFutureTask<'scope, T, E> {
    pub(super) fn new(task: FutureTask<'scope, Result<T, E>>) -> Self {
        TryFutureTask { task }
    }

    /// Blocks this thread until the future has ended, and returns its output; see
    /// [`FutureTask::join`].
    ///
    /// # Errors
    ///
    /// The future's own error. Or [`Stopped`], converted, if it panicked or was cancelled: handed
    /// on with `?`, it never hides the error that was the cause.
    ///
    /// # Blocking
    ///
    /// As [`FutureTask::join`].
    pub fn join(self) -> Result<T, E>
    where
        E: From<Stopped>,
    {
        flatten(self.task.try_join())
    }

    /// As [`join`](Self::join), for at most `timeout`; then the handle comes back.
    ///
    /// # Errors
    ///
    /// The handle, if the future has not ended after that time.
    ///
    /// # Blocking
    ///
    /// As [`FutureTask::join_timeout`].
    pub fn join_timeout(self, timeout: Duration) -> Result<Result<T, E>, Self>
    where
        E: From<Stopped>,
    {
        match self.task.join_timeout(timeout) {
            Ok(ended) => Ok(flatten(ended)),
            Err(task) => Err(TryFutureTask { task }),
        }
    }

    /// Returns whether the future has ended, so that [`join`](Self::join) will not block.
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

fn flatten<T, E: From<Stopped>>(ended: Result<Result<T, E>, Stopped>) -> Result<T, E> {
    ended.unwrap_or_else(|stopped| Err(E::from(stopped)))
}

impl<T, E: From<Stopped>> Future for TryFutureTask<'_, T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(flatten(ready!(Pin::new(&mut self.task).poll(context))))
    }
}

impl<T, E> fmt::Debug for TryFutureTask<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryFutureTask").field("task", &self.task).finish()
    }
}

/// A future whose output comes in a box, because it is large.
pub(super) struct Unboxed<'scope, T>(pub(super) Counted<dyn Await<Box<T>> + 'scope>);

impl<T> Join<T> for Unboxed<'_, T> {
    fn join(
        &self,
        home: &Arc<Shared>,
        index: u64,
        deadline: Option<Instant>,
    ) -> Result<Outcome<T>, Vain> {
        self.0.join(home, index, deadline).map(unbox)
    }

    fn abandon(&self, home: &Arc<Shared>, index: u64) {
        self.0.abandon(home, index);
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.0.info(index)
    }
}

impl<T> Await<T> for Unboxed<'_, T> {
    fn poll_end(
        &self,
        home: &Arc<Shared>,
        index: u64,
        again: &mut bool,
        context: &Context<'_>,
    ) -> Poll<Outcome<T>> {
        self.0.poll_end(home, index, again, context).map(unbox)
    }
}
