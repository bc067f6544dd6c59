//! Scopes of futures that run in parallel on a tokio runtime.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
//! # runtime.block_on(async {
//! let total = wg::tokio::scope(async |s| {
//!     let pages = ["one", "two", "three"];
//!     let counts = s.spawn_all(pages.map(|page| async move { page.len() }));
//!     let mut total = 0;
//!     for count in counts {
//!         total += count.join().await;
//!     }
//!     total
//! })
//! .await;
//! assert_eq!(total, 11);
//! # });
//! ```
//!
//! The body is polled by whoever polls the scope; each task is a task of the runtime, of either
//! flavour. Nothing is borrowed, so a scope's future may be dropped, and even forgotten: dropping it
//! aborts the tasks.
//!
//! A `wg::scope` (on threads) that is called on a runtime's worker blocks that worker; inside
//! `tokio::task::spawn_blocking` it does not. With the feature `tracing`, one that is entered where a
//! scope of futures polls its body or a task says so.

mod blocking;
#[cfg(feature = "macros")]
mod calls;
mod lend;
mod token;

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::cause::Stopped;
use crate::failure::Errors;
use crate::futures::child::Driven;
use crate::futures::run::Stopping;
use crate::futures::{self, AsyncFanOut, AsyncScope, AsyncTask, TryAsyncScope, TryAsyncTask};
use crate::futures::{
    Claimed, Claims, Held, Holds, Join, Joins, Polls, Sendable, Shared, Takes, surface,
};
use crate::options::{Options, options};
use crate::policy::Policy;
use crate::twin::{Giver, Taker, twins};

#[cfg(feature = "macros")]
pub use self::calls::Calls;
pub use self::lend::{for_each_mut, scope_with, try_scope_with};

/// A scope of futures on a tokio runtime.
pub type Scope = AsyncScope<Tokio>;

/// A scope of futures on a tokio runtime that may fail.
pub type TryScope<E> = TryAsyncScope<Tokio, E>;

/// The handle of a task; see [`AsyncTask`].
pub type Task<T> = AsyncTask<Tokio, T>;

/// The handle of a task that may fail; see [`TryAsyncTask`].
pub type TryTask<T, E> = TryAsyncTask<Tokio, T, E>;

/// Runs `body`, in which tasks may be started on the runtime; ready when the body and every task have
/// ended.
///
/// # Examples
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let sum = wg::tokio::scope(async |s| {
///     let left = s.spawn(async { 1 });
///     let right = s.spawn(async { 2 });
///     left.join().await + right.join().await
/// })
/// .await;
/// assert_eq!(sum, 3);
/// # });
/// ```
///
/// # Panics
///
/// If it is polled outside a tokio runtime. If a task panics, the others are aborted and awaited, and
/// the first panic is resumed here with its payload unchanged. If the body panics, the same happens,
/// and the body's own panic is the one that is resumed.
///
/// # Cancel safety
///
/// Dropping the future cancels the scope, drops the body, and aborts every task. It does not wait for
/// them: each is dropped where it next waits.
///
/// # Memory ordering
///
/// What a task did is visible when the scope is ready, or to whoever awaited it before.
#[track_caller]
pub fn scope<F, Fut>(body: F) -> impl Future<Output = Fut::Output> + use<F, Fut>
where
    F: FnOnce(Scope) -> Fut,
    Fut: Future,
{
    options().tokio().scope(body)
}

/// As [`scope`], for tasks that may fail: the first failure aborts the rest and comes back.
///
/// # Errors
///
/// The first error by completion: of a task that nobody awaited, or of the body. If tasks were lost
/// to a deadline or to an outer scope's cancel, [`Stopped`] says so.
///
/// # Panics
///
/// As [`scope`].
///
/// # Cancel safety
///
/// As [`scope`].
#[track_caller]
pub fn try_scope<F, Fut, R, E>(body: F) -> impl Future<Output = Result<R, E>> + use<F, Fut, R, E>
where
    F: FnOnce(TryScope<E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: From<Stopped> + Send + 'static,
{
    options().tokio().try_scope(body)
}

/// As [`scope`], for tasks that may fail: none cancels another, and every failure comes back.
///
/// # Panics
///
/// As [`scope`].
///
/// # Cancel safety
///
/// As [`scope`].
#[track_caller]
pub fn collect_scope<F, Fut, E>(
    body: F,
) -> impl Future<Output = (Fut::Output, Errors<E>)> + use<F, Fut, E>
where
    F: FnOnce(TryScope<E>) -> Fut,
    Fut: Future,
    E: Send + 'static,
{
    options().tokio().collect_scope(body)
}

/// Options for scopes on a tokio runtime. Made by [`Options::tokio`].
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a scope is started with them"]
pub struct Builder {
    options: Options,
}

/// # Scopes on a tokio runtime
impl Options {
    /// Starts scopes of futures on a tokio runtime with these options; see [`mod@crate::tokio`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let sum = wg::options().limit(2).tokio().scope(async |s| {
    ///     let mut sum = 0;
    ///     for task in s.spawn_all((1..=4).map(|n| async move { n * n })) {
    ///         sum += task.join().await;
    ///     }
    ///     sum
    /// });
    /// assert_eq!(sum.await, 30);
    /// # });
    /// ```
    pub fn tokio(&self) -> Builder {
        Builder { options: self.clone() }
    }
}

impl Builder {
    fn shared(&self, policy: Policy) -> Arc<Shared<Tokio>> {
        let runtime = Handle::try_current();
        let runtime = runtime.expect("a scope on tokio is polled inside a tokio runtime");
        Shared::new(&self.options, policy, Tokio { runtime })
    }

    /// As [`scope`], with these options.
    ///
    /// # Panics
    ///
    /// As [`scope`]. A cancel or a deadline makes no panic: what the body returns is returned. But
    /// if the body, or a task, unwound from [`join`](AsyncTask::join) because of it, and no scope
    /// outside was cancelled that could tell why, this panics with the cause.
    ///
    /// # Cancel safety
    ///
    /// As [`scope`].
    #[track_caller]
    pub fn scope<F, Fut>(&self, body: F) -> impl Future<Output = Fut::Output> + use<F, Fut>
    where
        F: FnOnce(Scope) -> Fut,
        Fut: Future,
    {
        let (this, site) = (self.clone(), Location::caller());
        futures::plain(move || this.shared(this.options.policy_or(Policy::fail_fast())), body, site)
    }

    /// As [`try_scope`], with these options.
    ///
    /// # Errors
    ///
    /// As [`try_scope`], if the [`policy`](Options::policy) calls it a failure.
    ///
    /// # Panics
    ///
    /// As [`scope`].
    ///
    /// # Cancel safety
    ///
    /// As [`scope`].
    #[track_caller]
    pub fn try_scope<F, Fut, R, E>(
        &self,
        body: F,
    ) -> impl Future<Output = Result<R, E>> + use<F, Fut, R, E>
    where
        F: FnOnce(TryScope<E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: From<Stopped> + Send + 'static,
    {
        let (this, site) = (self.clone(), Location::caller());
        let policy = this.options.policy_or(Policy::fail_fast());
        let its = policy.clone();
        futures::tried(move || this.shared(its), policy, body, site)
    }

    /// As [`collect_scope`], with these options.
    ///
    /// # Panics
    ///
    /// As [`scope`].
    ///
    /// # Cancel safety
    ///
    /// As [`scope`].
    #[track_caller]
    pub fn collect_scope<F, Fut, E>(
        &self,
        body: F,
    ) -> impl Future<Output = (Fut::Output, Errors<E>)> + use<F, Fut, E>
    where
        F: FnOnce(TryScope<E>) -> Fut,
        Fut: Future,
        E: Send + 'static,
    {
        let (this, site) = (self.clone(), Location::caller());
        futures::collect(
            move || this.shared(this.options.policy_or(Policy::collect_all())),
            body,
            site,
        )
    }
}

/// A tokio runtime, as the place where the futures of a scope are polled.
#[derive(Debug)]
pub struct Tokio {
    runtime: Handle,
}

impl<C: futures::Drive + Send + Sync + 'static> Holds<C> for Tokio {
    fn child(cell: Arc<C>) -> Sendable<'static> {
        Held(cell)
    }
}

impl<C: Join + Send + Sync + 'static> Joins<C> for Tokio {
    fn joined(cell: Arc<C>) -> Arc<Self::Joined> {
        cell
    }
}

impl<T, C: Claimed<T> + Send + Sync + 'static> Claims<C, T> for Tokio {
    fn claimed(claim: impl FnOnce() -> C) -> (Giver<T, C>, Taker<T, Self::Claimed<T>>) {
        twins::<T, C, dyn Claimed<T> + Send + Sync>(claim, |it| it)
    }
}

impl<W: Future<Output = ()> + Send + 'static> Takes<W> for Tokio {
    fn take(shared: &Arc<Shared<Self>>, whole: W) -> JoinHandle<()> {
        // Where the runtime is shut down the child is dropped here, which ends it.
        shared.place.runtime.spawn(whole)
    }
}

impl Polls for Tokio {
    type Child = Sendable<'static>;
    type Claimed<T> = dyn Claimed<T> + Send + Sync;
    type Joined = dyn Join + Send + Sync;
    type Handle = JoinHandle<()>;
    type Kept = JoinHandle<()>;
    type Drive<B: Future> = Drive<B>;

    const DROPS: bool = false;
    const LISTS: usize = 16;

    fn start(shared: &Arc<Shared<Self>>, child: Sendable<'static>) -> Option<JoinHandle<()>> {
        // Where the runtime is shut down the child is dropped here, which ends it.
        Some(shared.place.runtime.spawn(Driven::new(child)))
    }

    fn stop(handle: JoinHandle<()>) {
        handle.abort();
    }

    fn drive<B: Future>(shared: Arc<Shared<Self>>, body: B) -> Drive<B> {
        Drive { shared, body: Box::pin(body), result: None, stopping: Stopping::default() }
    }

    fn hands(&self) -> usize {
        self.runtime.metrics().num_workers()
    }

    fn lends_a_hand(&self) -> bool {
        Handle::try_current().is_ok()
    }

    fn abandon(_: &Shared<Self>) {}
}

/// Polls the body, and waits for the children.
pub(crate) struct Drive<B: Future> {
    shared: Arc<Shared<Tokio>>,
    body: Pin<Box<B>>,
    result: Option<B::Output>,
    stopping: Stopping,
}

impl<B: Future> Unpin for Drive<B> {}

impl<B: Future> Future for Drive<B> {
    type Output = B::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<B::Output> {
        let Drive { shared, body, result, stopping } = self.get_mut();
        shared.signal.awake(context.waker());
        loop {
            if stopping.is_due(shared) {
                shared.stop();
            }
            if result.is_none() {
                if let Poll::Ready(end) = body.as_mut().poll(context) {
                    *result = Some(end);
                }
            }
            if result.is_some() && shared.has_ended() {
                return Poll::Ready(result.take().expect("looked at it just now"));
            }
            if shared.signal.sleep() {
                return Poll::Pending;
            }
        }
    }
}

surface!(impl[] Tokio, 'static, [Send +]);

/// One function over many items on a tokio runtime; see [`AsyncFanOut`].
pub type FanOut<I> = AsyncFanOut<I, Tokio>;

/// Starts to describe one function over many items, on a tokio runtime; see
/// [`AsyncFanOut`]. Without a limit, as many items are handled at once as
/// there are cores.
///
/// # Examples
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
/// # runtime.block_on(async {
/// let pages = vec![String::from("one"), String::from("three")];
/// let lengths = wg::tokio::fan_out(pages).limit(100).map(async |page: String| page.len());
/// assert_eq!(lengths.await, [3, 5]);
/// # });
/// ```
#[track_caller]
pub fn fan_out<I: IntoIterator>(items: I) -> FanOut<I::IntoIter> {
    options().tokio().fan_out(items)
}

/// # Fan-out
impl Builder {
    /// As [`fan_out`], with these options.
    #[track_caller]
    pub fn fan_out<I: IntoIterator>(&self, items: I) -> FanOut<I::IntoIter> {
        let open = |options: &Options, policy| options.tokio().shared(policy);
        let (items, options) = (items.into_iter(), self.options.clone());
        AsyncFanOut::new(items, options, wg_core::sync::cores, open, Location::caller())
    }
}

futures::verbs!(impl[] Tokio, 'static, "tokio", [Send +], [Sync +]);

futures::results_surface!(impl[] Tokio, 'static, [Send +]);

futures::workers_surface!(impl[] Tokio, 'static, "tokio", [Send +], [Sync +]);
