//! How to get permits: blocking, for a time, as a future, or not at all.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::sync;
use crate::waiters::Waiter;

use super::line::{Asked, Ticket, Withdrawn};
use super::{Permit, Semaphore, wakes};

/// # Acquiring
impl Semaphore {
    /// Blocks until `n` permits are free and nobody who asked earlier waits, and takes them.
    ///
    /// Where `n` is more than the capacity, blocks until nothing else is held.
    ///
    /// # Examples
    ///
    /// ```
    /// use wg_core::Semaphore;
    ///
    /// let semaphore = Semaphore::new(10);
    /// let permit = semaphore.acquire(4);
    /// assert_eq!((permit.weight(), semaphore.available()), (4, 6));
    /// drop(permit);
    /// let alone = semaphore.acquire(1000);
    /// assert_eq!((alone.weight(), semaphore.available()), (1000, 0));
    /// ```
    ///
    /// # Blocking
    ///
    /// Parks the thread, without spinning, until the permits are there. Who asks for more while
    /// holding some may wait for itself, or two for each other, and never return: ask once, for
    /// everything.
    ///
    /// # Memory ordering
    ///
    /// What happened before these permits were given back happens before the return.
    #[inline]
    pub fn acquire(&self, n: u64) -> Permit<'_> {
        if self.take(n) {
            return Permit::new(self, n);
        }
        match self.block(n, None) {
            Ok(permit) => permit,
            Err(_) => unreachable!("timed out without a deadline"),
        }
    }

    /// Takes `n` permits if they are free and nobody waits.
    ///
    /// It takes nothing while somebody waits, also if there would be enough: those who wait are
    /// not overtaken.
    ///
    /// # Examples
    ///
    /// ```
    /// use wg_core::Semaphore;
    ///
    /// let semaphore = Semaphore::new(2);
    /// let permit = semaphore.try_acquire(2);
    /// assert!(permit.is_some() && semaphore.try_acquire(1).is_none());
    /// ```
    ///
    /// # Memory ordering
    ///
    /// As [`acquire`](Self::acquire), if it takes them.
    #[inline]
    #[must_use = "permits are given back at once when this is dropped"]
    pub fn try_acquire(&self, n: u64) -> Option<Permit<'_>> {
        let taken = self.take(n) || self.settle(|line| line.try_take(n));
        taken.then(|| Permit::new(self, n))
    }

    /// Blocks as [`acquire`](Self::acquire), for at most `timeout`.
    ///
    /// A timeout that no clock can express (`Duration::MAX`) waits for ever; zero returns at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use wg_core::Semaphore;
    ///
    /// let semaphore = Semaphore::new(5);
    /// let permit = semaphore.acquire(4);
    /// let late = semaphore.acquire_timeout(3, Duration::from_millis(1)).unwrap_err();
    /// assert_eq!(late.to_string(), "timed out waiting for 3 permits while 1 was available");
    /// drop(permit);
    /// assert!(semaphore.acquire_timeout(3, Duration::ZERO).is_ok());
    /// ```
    ///
    /// # Errors
    ///
    /// [`AcquireTimedOut`] if it has not got the permits after that time. It has given its place in
    /// the line back then, and holds nothing.
    pub fn acquire_timeout(
        &self,
        n: u64,
        timeout: Duration,
    ) -> Result<Permit<'_>, AcquireTimedOut> {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.acquire_deadline(n, deadline),
            None => Ok(self.acquire(n)),
        }
    }

    /// Blocks as [`acquire`](Self::acquire), until `deadline` at most, which may lie in the past.
    ///
    /// # Errors
    ///
    /// [`AcquireTimedOut`] if it has not got the permits then. It has given its place in the line
    /// back, and holds nothing.
    pub fn acquire_deadline(
        &self,
        n: u64,
        deadline: Instant,
    ) -> Result<Permit<'_>, AcquireTimedOut> {
        if self.take(n) {
            return Ok(Permit::new(self, n));
        }
        self.block(n, Some(deadline))
    }

    /// Returns a future of `n` permits.
    ///
    /// It takes its place in the line when it is first polled, works with any executor, and may be
    /// mixed with blocking waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use std::task::{Context, Waker};
    /// use wg_core::Semaphore;
    ///
    /// let semaphore = Semaphore::new(1);
    /// let permit = semaphore.acquire(1);
    /// let mut next = pin!(semaphore.acquire_async(1));
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert!(next.as_mut().poll(&mut cx).is_pending());
    /// drop(permit);
    /// assert!(next.as_mut().poll(&mut cx).is_ready());
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, at any time, gives its place back, hands on what it had been granted,
    /// and lets those behind it go on. Its place is lost with it: to wait on, keep it.
    pub fn acquire_async(&self, n: u64) -> Acquire<'_> {
        Acquire { semaphore: self, weight: n, stage: Stage::Unpolled }
    }

    /// The shell for threads.
    #[cold]
    fn block(&self, weight: u64, deadline: Option<Instant>) -> Result<Permit<'_>, AcquireTimedOut> {
        let ticket = match self.ask(weight, Waiter::Thread(sync::current())) {
            Ok(permit) => return Ok(permit),
            Err(ticket) => ticket,
        };
        loop {
            if !sync::park_until(deadline) {
                return match self.withdraw(ticket) {
                    Some(available) => Err(AcquireTimedOut { wanted: weight, available }),
                    None => Ok(Permit::new(self, weight)),
                };
            }
            // A wake-up says nothing by itself: it may be spurious, or meant for somebody else who
            // parks on this thread.
            if self.line.lock().find(ticket).is_none() {
                return Ok(Permit::new(self, weight));
            }
        }
    }

    /// Takes permits, or a place in the line.
    fn ask(&self, weight: u64, waiter: Waiter) -> Result<Permit<'_>, Ticket> {
        match self.settle(|line| line.ask(weight, waiter)) {
            Asked::Waiting(ticket) => Err(ticket),
            Asked::Granted(waiter) => {
                // Before the waiter is dropped, which may panic.
                let permit = Permit::new(self, weight);
                drop(waiter);
                Ok(permit)
            }
        }
    }

    /// Takes a waiter that gives up off the line, and says what was free then; or says nothing,
    /// because it had been granted what it wanted.
    fn withdraw(&self, ticket: Ticket) -> Option<u64> {
        match self.settle(|line| line.withdraw(ticket)) {
            Withdrawn::Granted => None,
            Withdrawn::Left { waiter, granted, available } => {
                wakes::carry_out(granted, Some(waiter));
                Some(available)
            }
        }
    }

    /// Whether a task still waits; if so it will be woken by `waker` from now on.
    fn waits_as(&self, ticket: Ticket, waker: &Waker) -> bool {
        let mut newer = Waiter::Task(waker.clone());
        let mut line = self.line.lock();
        let Some(waiter) = line.find(ticket) else {
            drop(line);
            return false;
        };
        match waiter {
            Waiter::Task(known) if known.will_wake(waker) => {}
            _ => mem::swap(waiter, &mut newer),
        }
        drop(line);
        drop(newer);
        true
    }
}

/// The future of [`Semaphore::acquire_async`]: ready with the [`Permit`] once that is granted.
///
/// The permits are its own from the moment in which they are granted, polled or not: nobody else
/// gets them while it is kept.
///
/// # Cancel safety
///
/// Dropping it, at any time, gives its place in the line back, hands on what it had been granted,
/// and lets those behind it go on. Forgetting it (`mem::forget`) leaves its place taken: when its
/// turn comes it is granted what it asked for, which is lost then, as by a permit that is forgotten.
///
/// # Panics
///
/// Polling panics after it was ready.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    weight: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Unpolled,
    /// In the line, or granted and not yet aware of it.
    Listed(Ticket),
    Ready,
}

impl<'a> Future for Acquire<'a> {
    type Output = Permit<'a>;

    /// The shell for tasks.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Permit<'a>> {
        let (semaphore, weight) = (self.semaphore, self.weight);
        let permit = match self.stage {
            Stage::Unpolled if semaphore.take(weight) => Permit::new(semaphore, weight),
            Stage::Unpolled => match semaphore.ask(weight, Waiter::Task(cx.waker().clone())) {
                Ok(permit) => permit,
                Err(ticket) => {
                    self.stage = Stage::Listed(ticket);
                    return Poll::Pending;
                }
            },
            Stage::Listed(ticket) if semaphore.waits_as(ticket, cx.waker()) => {
                return Poll::Pending;
            }
            Stage::Listed(_) => Permit::new(semaphore, weight),
            Stage::Ready => panic!("an `Acquire` was polled after it was ready"),
        };
        self.stage = Stage::Ready;
        Poll::Ready(permit)
    }
}

impl Drop for Acquire<'_> {
    fn drop(&mut self) {
        if let Stage::Listed(ticket) = self.stage {
            if self.semaphore.withdraw(ticket).is_none() {
                self.semaphore.give_back(self.weight);
            }
        }
    }
}

/// The error of an acquire whose deadline passed before it got its permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "timed out waiting for {wanted} permit{} while {available} {} available",
    if *wanted == 1 { "" } else { "s" },
    if *available == 1 { "was" } else { "were" }
)]
pub struct AcquireTimedOut {
    wanted: u64,
    available: u64,
}

impl AcquireTimedOut {
    /// Returns how many permits were wanted.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        self.wanted
    }

    /// Returns how many permits were free when it gave up. It may be as many as were wanted, if
    /// somebody else came first in the line.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.available
    }
}
