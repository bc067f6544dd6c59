//! The handles of tasks.

use std::fmt;
use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::cell::Spawned;
use super::place::Place;
use crate::cause::Stopped;
use crate::context;
use crate::outcome::Outcome;
use crate::task_info::TaskInfo;

/// The handle of a task in a scope of futures: its output, once, to whoever awaits it.
///
/// `task.await` is `Ok` with the output, or [`Stopped`] if the task panicked or the scope was
/// cancelled first. [`join`](Self::join) unwinds instead of returning that.
///
/// Dropping the handle gives the output up, not the task: a scope's tasks are the scope's, which
/// waits for them. To stop a task, cancel its scope, or a scope inside that it is the only task of.
///
/// # Examples
///
/// ```
/// # fn block_on<F: Future>(future: F) -> F::Output { futures::executor::block_on(future) }
/// let sum = block_on(wg::local::scope(async |s| {
///     let one = s.spawn(async { 1 });
///     let two = s.spawn(async { 2 });
///     one.join().await + two.join().await
/// }));
/// assert_eq!(sum, 3);
/// ```
///
/// # Panics
///
/// If it is polled after it was ready.
///
/// # Cancel safety
///
/// Nothing is lost where it is awaited by reference (`(&mut task).await`) and that is dropped.
///
/// # Memory ordering
///
/// What the task did happens before its output is returned.
#[must_use = "a task that nobody awaits runs all the same; drop the handle to say so"]
pub struct AsyncTask<P: Place, T> {
    /// Moved out when the handle is dropped.
    spawned: Option<Spawned<P, T>>,
}

impl<P: Place, T> AsyncTask<P, T> {
    pub(crate) fn new(spawned: Spawned<P, T>) -> Self {
        AsyncTask { spawned: Some(spawned) }
    }

    fn spawned(&self) -> &Spawned<P, T> {
        self.spawned.as_ref().expect("it is here until its drop")
    }

    /// Returns the task's output when it has ended.
    ///
    /// # Panics
    ///
    /// With [`Stopped`], silently, if the task panicked, or the scope is cancelled before its output
    /// is there: the scope reports the cause.
    ///
    /// # Cancel safety
    ///
    /// Dropping this future gives the output up. Await the handle by reference to keep it.
    pub async fn join(self) -> T {
        self.await.unwrap_or_else(|stopped| resume_unwind(Box::new(stopped)))
    }

    /// Returns whether the task has ended, so that awaiting it will not have to wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.spawned().is_finished()
    }

    /// Returns which task this is: its index, its name, and the line that spawned it.
    #[must_use]
    pub fn info(&self) -> TaskInfo {
        self.spawned().info()
    }
}

/// Nothing in it is pinned.
impl<P: Place, T> Unpin for AsyncTask<P, T> {}

impl<P: Place, T> Future for AsyncTask<P, T> {
    type Output = Result<T, Stopped>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let spawned = self.spawned.as_mut().expect("it is here until its drop");
        let outcome = match spawned.take_if_ended() {
            Some(outcome) => outcome,
            None => ready!(spawned.poll_join(context)),
        };
        Poll::Ready(match outcome {
            Outcome::Value(value) => Ok(value),
            Outcome::Lost(stopped) => Err(context::tell(*stopped)),
        })
    }
}

impl<P: Place, T> Drop for AsyncTask<P, T> {
    fn drop(&mut self) {
        if let Some(spawned) = self.spawned.take() {
            spawned.leave();
        }
    }
}

impl<P: Place, T> fmt::Debug for AsyncTask<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTask")
            .field("info", &self.info())
            .field("is_finished", &self.is_finished())
            .finish()
    }
}

/// The handle of a task that may fail, in a [`TryAsyncScope`](crate::TryAsyncScope).
///
/// `task.await?` is its value, or its error, or [`Stopped`], converted. The error goes to whoever
/// awaits it. Dropping the handle leaves it to the scope, which returns it.
///
/// # Cancel safety
///
/// As [`AsyncTask`].
#[must_use = "a task that nobody awaits runs all the same; drop the handle to say so"]
pub struct TryAsyncTask<P: Place, T, E> {
    task: AsyncTask<P, Result<T, E>>,
}

impl<P: Place, T, E> TryAsyncTask<P, T, E> {
    pub(crate) fn new(task: AsyncTask<P, Result<T, E>>) -> Self {
        TryAsyncTask { task }
    }

    /// Returns the task's value when it has ended. The same as awaiting the handle.
    ///
    /// # Errors
    ///
    /// The task's own error. Or [`Stopped`], converted, if it panicked or was cancelled: handed on
    /// with `?`, it never hides the error that was the cause.
    ///
    /// # Cancel safety
    ///
    /// As [`AsyncTask::join`].
    pub async fn join(self) -> Result<T, E>
    where
        E: From<Stopped>,
    {
        self.await
    }

    /// Returns whether the task has ended, so that awaiting it will not have to wait.
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

impl<P: Place, T, E: From<Stopped>> Future for TryAsyncTask<P, T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(Pin::new(&mut self.task).poll(context));
        Poll::Ready(ended.unwrap_or_else(|stopped| Err(E::from(stopped))))
    }
}

impl<P: Place, T, E> fmt::Debug for TryAsyncTask<P, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryAsyncTask").field("task", &self.task).finish()
    }
}
