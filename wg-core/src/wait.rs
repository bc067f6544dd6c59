//! How to wait: blocking, for a time, and as a future.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::group::WaitGroup;
use crate::state::MAX_WAITERS;
use crate::waiters::{self, NotEnlisted, Ticket};

/// # Waiting
impl WaitGroup {
    /// Blocks until the group is empty. Returns at once if it is, open or closed.
    ///
    /// # Panics
    ///
    /// If 2³¹ − 1 waiters wait already.
    ///
    /// # Blocking
    ///
    /// The thread sleeps, without spinning, until the last member leaves. A member that waits for
    /// its own group waits for itself, and never returns.
    ///
    /// # Memory ordering
    ///
    /// What every member did before its token was dropped happens before the return.
    #[inline]
    #[track_caller]
    pub fn wait(&self) {
        if !self.state().load().is_idle() {
            self.block(None);
        }
    }

    /// Blocks until the group is empty, for at most `timeout`.
    ///
    /// A timeout that no clock can express (`Duration::MAX`) waits for ever; zero returns at once.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if members are left after that time.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use wg_core::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// let token = group.token();
    /// let late = group.wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(late.to_string(), "timed out while 1 member was left");
    /// drop(token);
    /// assert_eq!(group.wait_timeout(Duration::ZERO), Ok(()));
    /// ```
    #[track_caller]
    pub fn wait_timeout(&self, timeout: Duration) -> Result<(), TimedOut> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.wait_deadline(deadline),
            None => {
                self.wait();
                Ok(())
            }
        }
    }

    /// Blocks until the group is empty, or until `deadline`, which may lie in the past.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] if members are left then.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_deadline(&self, deadline: Instant) -> Result<(), TimedOut> {
        if self.state().load().is_idle() || self.block(Some(deadline)) {
            return Ok(());
        }
        Err(TimedOut { count: self.state().load().count })
    }

    /// Returns a future that is ready when the group is empty.
    ///
    /// It begins to wait when it is first polled, works with any executor, and may be mixed with
    /// blocking waits.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any time, ends this wait and changes nothing for others.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    /// use wg_core::WaitGroup;
    ///
    /// let group = WaitGroup::new();
    /// let token = group.token();
    /// let mut wait = pin!(group.wait_async());
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(wait.as_mut().poll(&mut cx), Poll::Pending);
    /// drop(token);
    /// assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(()));
    /// ```
    pub fn wait_async(&self) -> Wait<'_> {
        Wait::new(self)
    }

    /// Returns whether the group was empty before the deadline.
    #[track_caller]
    fn block(&self, deadline: Option<Instant>) -> bool {
        match waiters::block(self.state(), deadline) {
            Ok(released) => released,
            Err(full) => crowded(full),
        }
    }
}

/// Ends a wait that found no room on the list.
#[cold]
#[track_caller]
fn crowded(_: NotEnlisted) -> ! {
    panic!("cannot wait: {MAX_WAITERS} waiters wait for this group already")
}

/// The future of [`WaitGroup::wait_async`]: ready when the group is empty.
///
/// Once ready it stays so, also if the group is used again.
///
/// # Cancel safety
///
/// Dropping it, at any time, ends this wait and changes nothing for others. Forgetting it
/// (`mem::forget`) leaves it counted in [`WaitGroup::waiters`] until the group is empty.
///
/// # Panics
///
/// Polling panics if 2³¹ − 1 waiters wait already.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Wait<'a> {
    group: &'a WaitGroup,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Unpolled,
    Listed(Ticket),
    Ready,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(group: &'a WaitGroup) -> Self {
        Wait { group, stage: Stage::Unpolled }
    }

    /// Begins to wait, or goes on waiting.
    #[inline(never)]
    fn listen(&mut self, waker: &Waker) -> Stage {
        let state = self.group.state();
        match self.stage {
            Stage::Unpolled => match waiters::enlist(state, waker) {
                Ok(ticket) => Stage::Listed(ticket),
                Err(NotEnlisted::Idle) => Stage::Ready,
                Err(full) => crowded(full),
            },
            Stage::Listed(ticket) if waiters::is_listed_as(state, ticket, waker) => {
                Stage::Listed(ticket)
            }
            Stage::Listed(_) | Stage::Ready => Stage::Ready,
        }
    }
}

impl Future for Wait<'_> {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // An idle group has ended every round there was, so there is no need for a lock.
        if !matches!(self.stage, Stage::Ready) {
            self.stage = match self.group.state().load().is_idle() {
                true => Stage::Ready,
                false => self.listen(cx.waker()),
            };
        }
        match self.stage {
            Stage::Ready => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Stage::Listed(ticket) = self.stage {
            // Whether it was released in the meantime makes no difference to anybody.
            let _ = waiters::withdraw(self.group.state(), ticket);
        }
    }
}

/// The error of a wait whose deadline passed while members were left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timed out while {count} {} left", if *count == 1 { "member was" } else { "members were" })]
pub struct TimedOut {
    count: u32,
}

impl TimedOut {
    /// Returns how many members were left just after the wait gave up. It may be 0, if the last
    /// one left in between.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count as usize
    }
}
