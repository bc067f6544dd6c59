//! Worker pools: jobs go in by a bounded inlet, results come out as they are completed.
//!
//! From the surface down: `surface` (starting pools), this file (the reading end), `inlet`
//! (sending) → `worker` (handling) → `post` (what waits where, and who is wanted).

mod inlet;
mod post;
mod surface;
mod worker;

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;

pub use self::inlet::AsyncInlet;
use self::inlet::Lent;
use self::post::Post;
pub(crate) use self::surface::workers_surface;
pub(crate) use self::worker::{Crew, Foreman, Worker};
use super::place::{Holds, Place};
use super::scope::AsyncScope;
use crate::cancelled::Cancelled;
use crate::failures::Failures;
use crate::not_sent::NotSent;
use crate::task_info::Label;

/// A pool of workers in a scope of futures: `n` jobs at once, through one handler. Made by
/// [`AsyncScope::workers`] and [`TryAsyncScope::workers`](crate::TryAsyncScope::workers).
///
/// Jobs go in through a bounded inlet, which has its senders wait when it is full; results come out
/// as they are completed: the pool is a [`Stream`] of them. They wait in memory until they are
/// taken, so that whoever sends and receives in the same place cannot lock himself up. A pool
/// without a job holds no slot of its scope, and keeps that from nothing. The scope's limit counts
/// the workers that are at work.
///
/// The stream ends when no job is left and no other inlet is there by which one could come, or if
/// the scope is cancelled and no result is waiting. It is no end for good: after it, jobs may be
/// sent again.
///
/// Dropping the pool closes its inlet: jobs that were sent are handled, also those that other
/// [`AsyncInlet`]s still send, and results that nobody took are dropped. In a cancelled scope jobs
/// that have not begun are dropped, as tasks are.
///
/// Keep it in its scope: when the scope has ended, nobody hears of a panic in the drop of what was
/// left in it.
///
/// # Cancel safety
///
/// A read that is dropped loses no result: it stays for the next.
///
/// # Memory ordering
///
/// What the handler did for a result happens before it is returned.
pub struct AsyncWorkers<P: Place, J, R> {
    inlet: AsyncInlet<P, J, R>,
    /// Results that were taken from the post all at once.
    ready: VecDeque<R>,
    cancelled: Cancelled,
    lent: Lent<P>,
}

impl<P: Place> AsyncScope<P> {
    /// Starts a pool. What it takes was checked by the compiler where the place was known.
    #[track_caller]
    pub(crate) fn start_workers<J, R, E, F, Fut>(
        &self,
        n: usize,
        failures: &Arc<Failures<E>>,
        handler: F,
    ) -> AsyncWorkers<P, J, R>
    where
        P: Holds<Worker<P, J, R, E, F, Fut>> + Holds<Foreman<P, J, R, E, F, Fut>>,
        F: Fn(J) -> Fut,
        Fut: Future<Output = Result<R, E>>,
    {
        assert!(n > 0, "a pool of 0 workers handles nothing: it must have at least 1");
        let label = Label::named("worker", Location::caller());
        let post = Arc::new(Post::new(self.shared(), label, n));
        let foreman = Crew::form(&post, handler, failures);
        let inlet = AsyncInlet { post, foreman };
        let (ready, cancelled) = (VecDeque::new(), self.cancelled());
        AsyncWorkers { inlet, ready, cancelled, lent: Lent::default() }
    }
}

impl<P: Place, J, R> AsyncWorkers<P, J, R> {
    /// Sets how many jobs may wait in the inlet. Without it, four for each worker.
    ///
    /// # Panics
    ///
    /// If `jobs` is 0.
    #[must_use = "returns the pool"]
    #[track_caller]
    pub fn inlet_of(self, jobs: usize) -> Self {
        assert!(jobs > 0, "an inlet for 0 jobs is always full: it must hold at least 1");
        let hire = self.inlet.post.set_most_jobs(jobs);
        self.inlet.hire(hire);
        self
    }

    /// Bounds how many results may wait to be taken: no job begins whose result would have no room.
    /// Whoever sends and receives in the same place must then receive in time: a full outlet stops
    /// the workers, and then the inlet fills up.
    ///
    /// # Panics
    ///
    /// If `results` is 0.
    #[must_use = "returns the pool"]
    #[track_caller]
    pub fn outlet_of(self, results: usize) -> Self {
        assert!(results > 0, "an outlet for 0 results lets nothing begin: it must hold at least 1");
        let hire = self.inlet.post.set_most_results(results);
        self.inlet.hire(hire);
        self
    }

    /// Sends a job to the pool; see [`AsyncInlet::send`].
    ///
    /// # Errors
    ///
    /// [`NotSent`], with the job, if the scope is cancelled.
    ///
    /// # Cancel safety
    ///
    /// As [`AsyncInlet::send`].
    pub fn send(&self, job: J) -> impl Future<Output = Result<(), NotSent<J>>> + use<'_, P, J, R> {
        self.inlet.send(job)
    }

    /// Sends a job to the pool if the inlet has room.
    ///
    /// # Errors
    ///
    /// [`NotSent`], with the job, if the inlet is full or the scope is cancelled.
    pub fn try_send(&self, job: J) -> Result<(), NotSent<J>> {
        self.inlet.try_send(job)
    }

    /// Returns a further inlet, for another task. The results end only when all inlets but the
    /// pool's own are dropped.
    #[must_use = "an inlet that is dropped sends nothing"]
    pub fn inlet(&self) -> AsyncInlet<P, J, R> {
        self.inlet.clone()
    }

    /// Takes the next result by completion. None if no job is left and no other inlet is there by
    /// which one could come, or if the scope is cancelled and no result is waiting.
    ///
    /// It is no end for good: after it, jobs may be sent again. In a task of a scope with a limit
    /// it lends the task's slot to the pool while it waits, as the only one it may be.
    ///
    /// # Examples
    ///
    /// ```
    /// futures::executor::block_on(wg::local::scope(async |s| {
    ///     let mut pool = s.workers(2, async |n: u32| n * n);
    ///     pool.send(7).await.unwrap();
    ///     assert_eq!(pool.recv().await, Some(49));
    ///     assert_eq!(pool.recv().await, None);
    /// }));
    /// ```
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost where it is dropped.
    pub fn recv(&mut self) -> impl Future<Output = Option<R>> + use<'_, P, J, R> {
        Recv(self)
    }

    /// Takes a result that is there.
    pub fn try_recv(&mut self) -> Option<R> {
        if self.ready.is_empty() {
            let look = self.inlet.post.take(&mut self.ready);
            self.inlet.hire(look.hire);
        }
        self.ready.pop_front()
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<R>> {
        let next = self.poll_next_result(context);
        if next.is_ready() {
            self.lent.give_back(&self.inlet.post);
        }
        next
    }

    fn poll_next_result(&mut self, context: &mut Context<'_>) -> Poll<Option<R>> {
        let AsyncWorkers { inlet, ready, cancelled, lent } = self;
        let post = &inlet.post;
        loop {
            if let Some(result) = ready.pop_front() {
                return Poll::Ready(Some(result));
            }
            let look = post.take_or_await(ready, context.waker().clone());
            inlet.hire(look.hire);
            if !ready.is_empty() {
                continue;
            }
            if look.ended || Pin::new(&mut *cancelled).poll(context).is_ready() {
                return Poll::Ready(None);
            }
            if !lent.help(post, context) {
                return Poll::Pending;
            }
        }
    }
}

impl<P: Place, J, R> Unpin for AsyncWorkers<P, J, R> {}

/// The results as [`recv`](AsyncWorkers::recv) returns them.
impl<P: Place, J, R> Stream for AsyncWorkers<P, J, R> {
    type Item = R;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<R>> {
        self.get_mut().poll_recv(context)
    }
}

impl<P: Place, J, R> Drop for AsyncWorkers<P, J, R> {
    fn drop(&mut self) {
        let hire = self.inlet.post.leave(mem::take(&mut self.ready));
        self.inlet.hire(hire);
        self.lent.give_back(&self.inlet.post);
    }
}

impl<P: Place, J, R> fmt::Debug for AsyncWorkers<P, J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncWorkers").field(&self.inlet).finish()
    }
}

/// A read.
#[must_use = "a future does nothing unless it is polled"]
struct Recv<'a, P: Place, J, R>(&'a mut AsyncWorkers<P, J, R>);

impl<P: Place, J, R> Future for Recv<'_, P, J, R> {
    type Output = Option<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<R>> {
        self.get_mut().0.poll_recv(context)
    }
}

/// What was polled here goes on by itself.
impl<P: Place, J, R> Drop for Recv<'_, P, J, R> {
    fn drop(&mut self) {
        self.0.lent.give_back(&self.0.inlet.post);
    }
}
