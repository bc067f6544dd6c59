//! Watching a scope, and steering it while it runs.

use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant};

use wg_core::sync::now;

use super::place::Place;
use super::scope::AsyncScope;
use crate::cancel::{Cancel, Node};
use crate::cancelled::Cancelled;
use crate::cause::{Cause, Stopped};
use crate::context;
use crate::options::checked_limit;
use crate::report::{Counts, StillRunning};
use crate::timer;

/// # Watching and steering
impl<P: Place> AsyncScope<P> {
    /// Cancels the scope, and every scope inside: tasks that have not begun are dropped, those that
    /// have are dropped where they wait, or after the [grace](crate::Options::grace); the waits of
    /// the body return early. The first cause stays. Returns whether it was this call that did it.
    ///
    /// Being cancelled by hand is no failure: the body goes on, and the scope returns what it
    /// returns; what it awaits elsewhere it may put into
    /// [`unless_cancelled`](Self::unless_cancelled). Where a scope has failed, or its deadline has
    /// passed, or an outer scope was cancelled, a body that still waits when every task has ended is
    /// dropped.
    pub fn cancel(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        self.shared().node.cancel(Cause::Asked(reason.into()))
    }

    /// Returns a handle that cancels this scope, and may outlive it.
    #[must_use]
    pub fn canceller(&self) -> Cancel {
        Cancel::of(&self.shared().node)
    }

    /// Returns whether the scope is cancelled. One relaxed load.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared().is_cancelled()
    }

    /// Returns why the scope is cancelled, if it is.
    #[must_use]
    pub fn cancelled_by(&self) -> Option<Cause> {
        self.shared().node.cause()
    }

    /// Returns a future that is ready when the scope is cancelled, with the cause: for `select!`.
    pub fn cancelled(&self) -> Cancelled {
        Cancelled::of(&self.shared().node)
    }

    /// Awaits a future, unless the scope is cancelled before that is ready.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled first. The future is dropped then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let options = wg::options().timeout(Duration::from_millis(1));
    /// let read = futures::executor::block_on(options.local().scope(async |s| {
    ///     s.unless_cancelled(std::future::pending::<u8>()).await
    /// }));
    /// assert!(read.unwrap_err().cause().is_deadline());
    /// ```
    ///
    /// # Cancel safety
    ///
    /// As safe as the future.
    pub async fn unless_cancelled<F: Future>(&self, future: F) -> Result<F::Output, Stopped> {
        let (mut future, mut cancelled) = (pin!(future), pin!(self.cancelled()));
        poll_fn(|context| {
            // What is there is there, cancelled or not.
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            cancelled.as_mut().poll(context).map(Err)
        })
        .await
    }

    /// Returns `Ok` unless the scope is cancelled: `s.check()?` in a loop ends it early.
    ///
    /// One relaxed load.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled.
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_cancelled() { Err(context::tell(self.shared().stopped())) } else { Ok(()) }
    }

    /// Returns the earliest deadline of this scope and those outside, if there is one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.shared().node.deadline()
    }

    /// Sleeps for `time`, or until the scope is cancelled. Any executor will do: a thread of wg
    /// watches the time.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled before the time is up.
    ///
    /// # Cancel safety
    ///
    /// Dropping it ends the sleep.
    pub async fn sleep(&self, time: Duration) -> Result<(), Stopped> {
        let over = Node::new(&[], now().checked_add(time));
        let watched = timer::watch(&over);
        let slept = self.unless_cancelled(Cancelled::passing_of(&over)).await;
        drop(watched);
        slept.map(drop)
    }

    /// Waits until every task that was spawned so far has ended, for at most `timeout`. For the
    /// body: a task that waits so waits for itself.
    ///
    /// # Errors
    ///
    /// [`StillRunning`], with the tasks that are alive: their names, ages, and where they were
    /// spawned. Also if the scope is cancelled meanwhile and tasks still run after that time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// futures::executor::block_on(wg::local::scope(async |s| {
    ///     drop(s.task("slow").spawn(std::future::pending::<()>()));
    ///     let late = s.wait_timeout(Duration::from_millis(5)).await.unwrap_err();
    ///     assert!(late.to_string().starts_with("1 task alive: slow#0 spawned at "));
    ///     s.cancel("it takes too long");
    /// }));
    /// ```
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any time.
    pub async fn wait_timeout(&self, timeout: Duration) -> Result<(), StillRunning> {
        self.shared().look();
        let over = Node::new(&[], now().checked_add(timeout));
        let watched = timer::watch(&over);
        let group = std::sync::Arc::clone(&self.shared().group);
        let (mut ended, mut late) = (pin!(group.wait_async()), pin!(Cancelled::passing_of(&over)));
        let in_time = poll_fn(|context| {
            if ended.as_mut().poll(context).is_ready() {
                return Poll::Ready(true);
            }
            late.as_mut().poll(context).map(|_| false)
        })
        .await;
        drop(watched);
        if in_time { Ok(()) } else { Err(self.alive()) }
    }

    /// Returns who is alive: the tasks that run, and the first of those that wait.
    #[must_use]
    pub fn alive(&self) -> StillRunning {
        self.shared().alive()
    }

    /// Returns how many tasks there are, and where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared().counts()
    }

    /// Returns how many tasks may run at once, if that is limited.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        Some(self.shared().limit()).filter(|&limit| limit != usize::MAX)
    }

    /// Changes how many tasks may run at once. Tasks that run go on; fewer begin, or more.
    ///
    /// # Panics
    ///
    /// If `limit` is 0: nothing would ever run.
    #[track_caller]
    pub fn set_limit(&self, limit: usize) {
        self.shared().set_limit(checked_limit(limit).get());
    }
}
