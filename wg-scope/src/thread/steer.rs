//! Watching a scope, and steering it while it runs.

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use wg_core::sync::now;

use super::scope::Scope;
use super::wait::{Vain, wait_in_vain};
use crate::cancel::Cancel;
use crate::cancelled::Cancelled;
use crate::cause::{Cause, Stopped};
use crate::context;
use crate::options::checked_limit;
use crate::report::{Alive, Counts, NAMED, StillRunning};

/// # Watching and steering
impl Scope<'_, '_> {
    /// Cancels the scope, and every scope inside: tasks that have not begun are dropped, waits
    /// return early, and [`is_cancelled`](Self::is_cancelled) tells the tasks that run. The first
    /// cause stays. Returns whether it was this call that did it.
    ///
    /// Being cancelled by hand is no failure: the scope returns what its body returns.
    pub fn cancel(&self, reason: impl Into<Cow<'static, str>>) -> bool {
        self.shared().node.cancel(Cause::Asked(reason.into()))
    }

    /// Returns a handle that cancels this scope, and may outlive it.
    #[must_use]
    pub fn canceller(&self) -> Cancel {
        Cancel::of(&self.shared().node)
    }

    /// Returns whether the scope is cancelled. Long-running tasks may look at this, to end early.
    ///
    /// One relaxed load.
    #[must_use]
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        self.shared().is_cancelled()
    }

    /// Returns why the scope is cancelled, if it is.
    #[must_use]
    pub fn cancelled_by(&self) -> Option<Cause> {
        self.shared().node.cause()
    }

    /// Returns `Ok` unless the scope is cancelled: `s.check()?` in a loop ends it early.
    ///
    /// One relaxed load.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled.
    #[inline]
    pub fn check(&self) -> Result<(), Stopped> {
        if self.is_cancelled() { Err(context::tell(self.shared().stopped())) } else { Ok(()) }
    }

    /// Returns the earliest deadline of this scope and those outside, if there is one.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.shared().node.deadline()
    }

    /// Sleeps for `time`, or until the scope is cancelled.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled before the time is up.
    ///
    /// # Blocking
    ///
    /// Blocks this thread. Other tasks go on: a thread that sleeps is replaced.
    pub fn sleep(&self, time: Duration) -> Result<(), Stopped> {
        match wait_in_vain(self.shared(), now().checked_add(time)) {
            Vain::TimedOut => Ok(()),
            Vain::Stopped(stopped) => Err(stopped),
        }
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
    /// wg::scope(|s| {
    ///     s.task("slow").spawn(|| s.sleep(Duration::from_secs(3600)));
    ///     let late = s.wait_timeout(Duration::from_millis(5)).unwrap_err();
    ///     assert!(late.to_string().starts_with("1 task alive: slow#0 spawned at "));
    ///     s.cancel("it takes too long");
    /// });
    /// ```
    ///
    /// # Blocking
    ///
    /// Blocks for at most about `timeout`, and runs no task meanwhile.
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), StillRunning> {
        self.shared().look_at_all();
        if self.shared().group.wait_timeout(timeout).is_ok() { Ok(()) } else { Err(self.alive()) }
    }

    /// Returns who is alive: the tasks that run, and the first of those that wait.
    #[must_use]
    pub fn alive(&self) -> StillRunning {
        let now = now();
        let shared = self.shared();
        let named = shared.queue.alive(NAMED, &shared.names).into_iter().map(|seen| {
            let age = seen.since.map(|since| now.saturating_duration_since(since));
            Alive::new(seen.task, age)
        });
        let counts = self.counts();
        let total = counts.waiting + counts.running;
        StillRunning::new(self.shared().name.as_deref(), named.collect(), total)
    }

    /// Returns how many tasks there are, and where.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let numbers = self.shared().queue.numbers();
        let spawned = usize::try_from(numbers.spawned).unwrap_or(usize::MAX);
        let ended = spawned.saturating_sub(numbers.waiting + numbers.running);
        Counts { spawned, waiting: numbers.waiting, running: numbers.running, ended }
    }

    /// Returns how many tasks may run at once, if that is limited.
    #[must_use]
    pub fn limit(&self) -> Option<usize> {
        Some(self.shared().queue.limit()).filter(|&limit| limit != usize::MAX)
    }

    /// Changes how many tasks may run at once. Tasks that run go on; fewer begin, or more.
    ///
    /// # Panics
    ///
    /// If `limit` is 0: nothing would ever run.
    #[track_caller]
    pub fn set_limit(&self, limit: usize) {
        let limit: NonZeroUsize = checked_limit(limit);
        self.shared().set_limit(limit);
    }
}

/// # Awaiting a cancel
impl Scope<'_, '_> {
    /// Returns a future that is ready when the scope is cancelled.
    ///
    /// The scope's own futures need it not: those that are pending when the scope is cancelled are
    /// dropped at once. It is for futures that go on after that: those of a
    /// [shielded](crate::Options::shield) scope inside, or on another executor.
    ///
    /// # Examples
    ///
    /// ```
    /// let said = wg::scope(|s| {
    ///     let cancelled = s.cancelled();
    ///     s.cancel("enough");
    ///     wg::options().shield().scope(|inner| inner.spawn_future(cancelled).join())
    /// });
    /// assert_eq!(said.to_string(), "stopped: cancelled: enough");
    /// ```
    pub fn cancelled(&self) -> Cancelled {
        Cancelled::of(&self.shared().node)
    }
}
