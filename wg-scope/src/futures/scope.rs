//! The scope.

use std::fmt;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use super::cell::{Cell, Spawned};
use super::place::{Place, Spawns};
use super::shared::Shared;
use crate::cause::Stopped;
use crate::context;
use crate::settle::Settle;
use crate::task_info::Label;

/// A block of futures that run at the same time; it is ready when all of them have ended.
///
/// The same for every place where futures are polled: [`local::Scope`](crate::local::Scope) and
/// `tokio::Scope` are names of it. The body receives it, and may clone it: tasks that spawn tasks
/// take a clone along. A handle that is left when the scope has ended spawns nothing any more.
pub struct AsyncScope<P: Place> {
    shared: Arc<Shared<P>>,
}

impl<P: Place> Clone for AsyncScope<P> {
    fn clone(&self) -> Self {
        AsyncScope { shared: Arc::clone(&self.shared) }
    }
}

impl<P: Place> AsyncScope<P> {
    pub(crate) fn of(shared: &Arc<Shared<P>>) -> Self {
        AsyncScope { shared: Arc::clone(shared) }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared<P>> {
        &self.shared
    }

    pub(crate) fn start<F, S>(&self, label: Label, future: F, settle: S) -> Spawned<P, F::Output>
    where
        P: Spawns<F, S>,
        F: Future,
        S: Settle<F::Output>,
    {
        Cell::spawn(&self.shared, label, future, settle)
    }

    /// Waits until a task that is spawned now would be polled at once. In a task of this scope it
    /// does not wait: the room may be its own.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled.
    ///
    /// # Examples
    ///
    /// ```
    /// let spawned = futures::executor::block_on(wg::options().limit(2).local().scope(async |s| {
    ///     for n in 0..10 {
    ///         s.ready().await.unwrap();
    ///         drop(s.spawn(async move { n }));
    ///     }
    ///     s.counts().spawned
    /// }));
    /// assert_eq!(spawned, 10);
    /// ```
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time: no room is kept for the one who asks.
    pub async fn ready(&self) -> Result<(), Stopped> {
        // Most find room, and need not listen to anything. A deadline may have passed unnoticed.
        let node = &self.shared.node;
        let is_open = !node.is_cancelled() && node.deadline().is_none();
        if is_open && self.shared.has_room(None) {
            return Ok(());
        }
        let mut cancelled = std::pin::pin!(self.cancelled());
        poll_fn(|context| {
            if let Poll::Ready(stopped) = cancelled.as_mut().poll(context) {
                return Poll::Ready(Err(stopped));
            }
            let in_task = context::is_in_a_task_of(&self.shared.node);
            if in_task || self.shared.has_room(Some(context.waker())) {
                return Poll::Ready(Ok(()));
            }
            Poll::Pending
        })
        .await
    }
}

impl<P: Place> fmt::Debug for AsyncScope<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncScope").field("shared", &self.shared).finish()
    }
}

/// A name for the task that is spawned next. Made by `task`.
#[must_use = "a name without a task does nothing"]
pub struct AsyncNamed<'a, S> {
    pub(crate) scope: &'a S,
    pub(crate) name: &'a str,
}

impl<S> fmt::Debug for AsyncNamed<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncNamed").field("name", &self.name).finish_non_exhaustive()
    }
}
