//! Starting futures.

use std::future::Future;
use std::panic::Location;

use super::future::{Boxed, Fresh, FutureCell, Started};
use super::future_task::{FutureTask, TryFutureTask, Unboxed};
use super::large::{Unboxing, is_large};
use super::ring::stir_on_cancel;
use super::scope::{Named, Scope, as_handled};
use super::try_scope::{TryNamed, TryScope};
use crate::blocks::{Counted, pin};
use crate::settle::Plain;
use crate::settle::Settle;
use crate::task_info::Label;

/// # Starting futures
impl<'scope> Scope<'scope, '_> {
    /// Starts a future: it borrows from outside the scope as closures do, and is polled by the
    /// scope's runners, in parallel with the others. While it is pending it holds no thread.
    ///
    /// It counts from here to its end. It is polled when it is spawned, and again whenever it was
    /// woken, in the order of the queue; nothing else of it ever runs. The waker may be called by
    /// any thread, at any time, also after the end.
    ///
    /// When the scope is cancelled, futures that are queued or pending are dropped at once, without
    /// waiting to be woken, and one that is being polled is dropped if it is pending then.
    ///
    /// There is no reactor in here: timers and sockets are those of whoever wakes. For tokio's, poll
    /// inside of its runtime, which must be running:
    ///
    /// ```
    /// # use std::{future::Future, pin::Pin, task::{Context, Poll}};
    /// # struct Handle; impl Handle { fn enter(&self) {} }
    /// /// Polls a future where tokio's timers and sockets are to be had.
    /// struct In<'a, F>(&'a Handle, Pin<Box<F>>); // `tokio::runtime::Handle`
    ///
    /// impl<F: Future> Future for In<'_, F> {
    ///     type Output = F::Output;
    ///
    ///     fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
    ///         let _entered = self.0.enter();
    ///         self.1.as_mut().poll(cx)
    ///     }
    /// }
    /// ```
    ///
    /// # Limits
    ///
    /// A limit counts futures that are being polled. A pending one holds no slot, so there may be
    /// any number of them; [`counts`](Self::counts) has them among the tasks that wait.
    ///
    /// A future that blocks (a lock, [`join`](FutureTask::join)) blocks the thread that polls it, as
    /// a closure does. Other futures are awaited: the [handle](FutureTask) is a future itself. In a
    /// scope with a limit the one who awaits may poll what it awaits, in its own slot, so that a
    /// limit of 1 suffices for futures that await each other.
    ///
    /// # Examples
    ///
    /// ```
    /// let pages = ["one", "two", "three"];
    /// let total = wg::scope(|s| {
    ///     let counts: Vec<_> =
    ///         pages.iter().map(|page| s.spawn_future(async { page.len() })).collect();
    ///     counts.into_iter().map(|count| count.join()).sum::<usize>()
    /// });
    /// assert_eq!(total, 11);
    /// ```
    ///
    /// A future that borrows what is gone before the scope is left does not compile,
    ///
    /// ```compile_fail,E0373
    /// wg::scope(|s| {
    ///     let local = 1;
    ///     s.spawn_future(async { println!("{local}") });
    /// });
    /// ```
    ///
    /// nor does one that may not change threads.
    ///
    /// ```compile_fail,E0277
    /// let here = std::rc::Rc::new(1);
    /// wg::scope(|s| {
    ///     s.spawn_future(async { println!("{here}") });
    /// });
    /// ```
    ///
    /// # Blocking
    ///
    /// As [`spawn`](Self::spawn): only in the body of a limited scope, while as many tasks wait as
    /// may run.
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is visible to the future; what one poll did, to the next; and
    /// what happened before a wake-up, to a poll after it.
    #[track_caller]
    pub fn spawn_future<F>(&'scope self, future: F) -> FutureTask<'scope, F::Output>
    where
        F: Future + Send + 'scope,
        F::Output: Send + 'scope,
    {
        self.start_future(Label::at(Location::caller()), future, Plain)
    }

    /// Starts a future, waiting for room where that is due.
    fn start_future<F, S>(
        &'scope self,
        label: Label,
        future: F,
        settle: S,
    ) -> FutureTask<'scope, F::Output>
    where
        F: Future + Send + 'scope,
        F::Output: Send + 'scope,
        S: Settle<F::Output> + Send + Sync + 'scope,
    {
        self.make_room();
        stir_on_cancel(self.shared());
        if is_large::<(), F::Output>() {
            let future = Started(with_boxed_output(future));
            let cell = FutureCell::new(self.shared(), label, future, Unboxing(settle));
            let (cell, index) = self.push_future(cell);
            let cell = as_handled(Counted::new(Unboxed(cell)));
            return FutureTask::new(self.shared(), cell, index);
        }
        let (cell, index) = if is_small::<F>() {
            self.push_future(FutureCell::new(self.shared(), label, Fresh(future), settle))
        } else {
            let future = Started(pin(future));
            self.push_future(FutureCell::new(self.shared(), label, future, settle))
        };
        FutureTask::new(self.shared(), cell, index)
    }
}

/// Whether a future is worth no block of its own before its first poll.
const fn is_small<F>() -> bool {
    size_of::<F>() <= 64
}

fn with_boxed_output<'scope, F>(future: F) -> Boxed<'scope, Box<F::Output>>
where
    F: Future + Send + 'scope,
{
    let future = pin(future);
    pin(async { Box::new(future.await) })
}

impl<'scope> Named<'_, 'scope, '_> {
    /// As [`Scope::spawn_future`].
    #[track_caller]
    pub fn spawn_future<F>(self, future: F) -> FutureTask<'scope, F::Output>
    where
        F: Future + Send + 'scope,
        F::Output: Send + 'scope,
    {
        self.scope.start_future(Label::named(self.name, Location::caller()), future, Plain)
    }
}

impl<'scope, 'env, E: Send + 'env> TryScope<'scope, 'env, E> {
    /// Starts a future that may fail; see [`Scope::spawn_future`].
    ///
    /// Its error goes to whoever joins or awaits it, or else to the scope. The policy judges it when
    /// it happens.
    #[track_caller]
    pub fn spawn_future<F, T>(&'scope self, future: F) -> TryFutureTask<'scope, T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'scope,
        T: Send + 'scope,
    {
        let label = Label::at(Location::caller());
        TryFutureTask::new(self.start_future(label, future, self.report()))
    }
}

impl<'scope, 'env, E: Send + 'env> TryNamed<'_, 'scope, 'env, E> {
    /// As [`TryScope::spawn_future`].
    #[track_caller]
    pub fn spawn_future<F, T>(self, future: F) -> TryFutureTask<'scope, T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'scope,
        T: Send + 'scope,
    {
        let label = Label::named(self.name, Location::caller());
        TryFutureTask::new(self.scope.start_future(label, future, self.scope.report()))
    }
}
