//! Results of tasks of one type, read as they come: a stream that ends by itself.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use super::helper::Helped;
use super::place::Place;
use super::results_spawner::{AsyncSpawner, held_open};
use super::scope::AsyncScope;
use super::shared::Shared;
use super::signal::Signal;
use crate::cancelled::Cancelled;
use crate::no_result::NoResult;
use crate::outcome::{discard, drop_caught};
use crate::outlet::{Arrived, ROOMY, Receiver};

/// The reading end of tasks of one type in a scope of futures: a [`Stream`] of what they return,
/// each with its task's number, which ends by itself when the last of them has ended.
///
/// Made by [`AsyncScope::results`]. Whoever holds it spawns through it and reads; tasks spawn
/// further ones through an [`AsyncSpawner`].
///
/// It has ended when no task of it waits or runs and nothing waits to be read, however the tasks
/// ended: one that panics, fails or is cancelled just yields nothing. If the scope is cancelled, it
/// ends after what is already there. Then it may be used again. Delivering never waits: what is not
/// read yet stays in memory.
///
/// Dropping it holds nobody up: tasks of it that have not begun are dropped when their turn comes;
/// those that have begun go on, and what they return is dropped. Others of the scope are not
/// touched. [`discard_rest`](Self::discard_rest) lets all of them run.
///
/// A task of a scope with a limit that reads lends its slot while it waits: a task of this outlet that
/// has none goes on in it, polled by the read. So reading completes at any limit.
///
/// Keep it in its scope: what was not taken is dropped with it, and while the scope has not ended, a
/// panic in such a drop is the task's whose value it was.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
///
/// let lengths = futures::executor::block_on(wg::local::scope(async |s| {
///     let mut results = s.results();
///     for word in ["structured", "concurrency"] {
///         results.spawn(async move { word.len() });
///     }
///     let mut lengths = vec![0; 2];
///     while let Some((index, length)) = results.next().await {
///         lengths[index] = length; // other tasks run meanwhile
///     }
///     lengths
/// }));
/// assert_eq!(lengths, [10, 11]);
/// ```
///
/// # Cancel safety
///
/// A read that is dropped loses no result: it stays for the next.
///
/// # Memory ordering
///
/// What a task did is visible to whoever receives its result; and what all of them did, to whoever
/// sees the end.
#[must_use = "results that are dropped cancel the tasks that have not begun"]
pub struct AsyncResults<P: Place, T> {
    spawner: AsyncSpawner<P, T>,
    /// What was taken from the outlet and not handed out.
    hand: VecDeque<Arrived<T>>,
    /// Between the outlet and the waker of whoever reads, which is foreign code: the outlet clones
    /// the waker it knows under its lock.
    signal: Arc<Signal>,
    waker: Waker,
    cancelled: Cancelled,
    helped: Helped<P>,
}

/// Nothing in it is pinned.
impl<P: Place, T> Unpin for AsyncResults<P, T> {}

/// # Results of many tasks
impl<P: Place> AsyncScope<P> {
    /// Creates an outlet for the results of tasks of one type, as many as there will be.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    ///
    /// let total = futures::executor::block_on(wg::local::scope(async |s| {
    ///     let results = s.results();
    ///     for n in 1..=10 {
    ///         results.spawn(async move { n * n });
    ///     }
    ///     results.fold(0, |sum, (_, square)| async move { sum + square }).await
    /// }));
    /// assert_eq!(total, 385);
    /// ```
    pub fn results<T>(&self) -> AsyncResults<P, T> {
        let signal = Arc::new(Signal::default());
        let waker = Waker::from(Arc::clone(&signal));
        let spawner = AsyncSpawner::new(self.shared(), waker.clone());
        let cancelled = self.cancelled();
        let (hand, helped) = (VecDeque::new(), Helped::Nobody);
        AsyncResults { spawner, hand, signal, waker, cancelled, helped }
    }
}

impl<P: Place, T> AsyncResults<P, T> {
    /// Names the tasks that are spawned through what it returns, for reports and errors.
    pub fn task(&self, name: &str) -> AsyncSpawner<P, T> {
        self.spawner.task(name)
    }

    /// Returns a handle with which tasks start tasks whose results come out here.
    ///
    /// It keeps nothing open: what ends is the tasks. One that spawns others before it ends leaves
    /// no gap.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures::StreamExt;
    ///
    /// let found = futures::executor::block_on(wg::local::scope(async |s| {
    ///     let results = s.results();
    ///     let more = results.spawner();
    ///     results.spawn(async move {
    ///         more.spawn(async { "leaf" });
    ///         "root"
    ///     });
    ///     results.map(|(_, name)| name).collect::<Vec<_>>().await
    /// }));
    /// assert_eq!(found, ["root", "leaf"]);
    /// ```
    pub fn spawner(&self) -> AsyncSpawner<P, T> {
        self.spawner.clone()
    }

    /// Receives the next result that comes, with the number of its task.
    ///
    /// # Errors
    ///
    /// [`NoResult::Ended`] if no task is outstanding, or [`NoResult::Stopped`] if the scope is
    /// cancelled and nothing is there.
    ///
    /// # Examples
    ///
    /// ```
    /// use wg::NoResult;
    ///
    /// futures::executor::block_on(wg::local::scope(async |s| {
    ///     let mut results = s.results();
    ///     results.spawn(async { "done" });
    ///     assert_eq!(results.try_recv(), Err(NoResult::NotYet));
    ///     assert_eq!(results.recv().await, Ok((0, "done")));
    ///     assert_eq!(results.recv().await, Err(NoResult::Ended));
    /// }));
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost where it is dropped.
    pub fn recv(&mut self) -> impl Future<Output = Result<(usize, T), NoResult>> {
        Recv(self)
    }

    /// Receives the next result if it is there.
    ///
    /// # Errors
    ///
    /// [`NoResult::NotYet`] or [`NoResult::Ended`].
    pub fn try_recv(&mut self) -> Result<(usize, T), NoResult> {
        if let Some(next) = self.next_in_hand() {
            return Ok(next);
        }
        let look = self.spawner.outlet().take(&mut self.hand);
        let none = if look.ended { NoResult::Ended } else { NoResult::NotYet };
        self.next_in_hand().ok_or(none)
    }

    /// Returns how many tasks have not ended. What they have delivered is not counted.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.spawner.outlet().numbers().0
    }

    /// Gives the results up and lets the tasks run, all of them: what they return is dropped.
    pub fn discard_rest(mut self) {
        self.leave(Receiver::Discards);
    }

    pub(crate) fn at_reader(&self) -> &AsyncSpawner<P, T> {
        &self.spawner
    }

    fn shared(&self) -> &Arc<Shared<P>> {
        self.spawner.shared()
    }

    /// Takes what is next out of the hand, in the order in which it came.
    fn next_in_hand(&mut self) -> Option<(usize, T)> {
        let Arrived { number, value, .. } = self.hand.pop_front()?;
        if self.hand.is_empty() && self.hand.capacity() > ROOMY {
            // Gives back what a burst has left.
            self.hand = VecDeque::new();
        }
        Some((usize::try_from(number).unwrap_or(usize::MAX), value))
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Result<(usize, T), NoResult>> {
        let next = self.poll_next_result(context);
        if next.is_ready() {
            self.give_back();
        }
        next
    }

    /// Has the task that is polled here go on by itself.
    fn give_back(&mut self) {
        self.helped.give_back(self.spawner.shared(), self.spawner.outlet());
    }

    fn poll_next_result(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<(usize, T), NoResult>> {
        if let Some(next) = self.next_in_hand() {
            return Poll::Ready(Ok(next));
        }
        self.signal.awake(context.waker());
        loop {
            let look = self.spawner.outlet().take_or_await(&mut self.hand, &self.waker);
            if let Some(next) = self.next_in_hand() {
                return Poll::Ready(Ok(next));
            }
            if look.ended {
                return Poll::Ready(Err(NoResult::Ended));
            }
            let mut own = Context::from_waker(&self.waker);
            if let Poll::Ready(stopped) = Pin::new(&mut self.cancelled).poll(&mut own) {
                return Poll::Ready(Err(NoResult::Stopped(stopped)));
            }
            if self.helped.help(self.spawner.shared(), self.spawner.outlet(), context) {
                continue;
            }
            if self.signal.sleep() {
                return Poll::Pending;
            }
        }
    }

    /// Lets go of everything, which may panic: that is entered for the tasks, and is the scope's. If
    /// that has ended, there is nobody to tell.
    fn leave(&mut self, how: Receiver) {
        self.give_back();
        let hand = mem::take(&mut self.hand);
        let shared = Arc::clone(self.shared());
        held_open(&shared, || {
            let arrived = self.spawner.outlet().leave(how);
            for Arrived { task, value, .. } in hand.into_iter().chain(arrived) {
                let Err(payload) = drop_caught(value) else { continue };
                if shared.group.count() == 0 {
                    discard(payload);
                    continue;
                }
                let (_, failure) = shared.panicked(payload, &task);
                if let Some((payload, order)) = failure {
                    shared.stray(task, payload, order);
                }
            }
        });
        self.signal.dismiss();
    }
}

impl<P: Place, T> Stream for AsyncResults<P, T> {
    type Item = (usize, T);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(context).map(Result::ok)
    }
}

/// A read.
#[must_use = "a future does nothing unless it is polled"]
struct Recv<'a, P: Place, T>(&'a mut AsyncResults<P, T>);

impl<P: Place, T> Future for Recv<'_, P, T> {
    type Output = Result<(usize, T), NoResult>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.poll_recv(context)
    }
}

/// What was polled here goes on by itself.
impl<P: Place, T> Drop for Recv<'_, P, T> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl<P: Place, T> Drop for AsyncResults<P, T> {
    fn drop(&mut self) {
        self.leave(Receiver::Gone);
    }
}

impl<P: Place, T> fmt::Debug for AsyncResults<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outlet = self.spawner.outlet();
        f.debug_struct("AsyncResults").field("outlet", &***outlet).finish_non_exhaustive()
    }
}
