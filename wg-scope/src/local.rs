//! Scopes of futures that run inside the current task: they borrow, on any executor.
//!
//! ```
//! let pages = vec!["one", "two", "three"];
//! let total = futures::executor::block_on(wg::local::scope(async |s| {
//!     let counts = s.spawn_all(pages.iter().map(|page| async { page.len() }));
//!     let mut total = 0;
//!     for count in counts {
//!         total += count.join().await;
//!     }
//!     total
//! }));
//! assert_eq!(total, 11);
//! ```
//!
//! Body and tasks are polled together by whoever polls the scope: concurrently, and not in parallel.
//! Tasks go on whenever the body awaits something, whatever that is. The scope's future is `Send` if
//! the body's is, so it may be spawned on a runtime of several threads; for tasks that are not
//! there is [`unsend`].
//!
//! Dropping the scope's future drops its tasks on the spot. Forgetting it leaks them, and nothing
//! dangles: they are owned by the future that was forgotten.

pub mod unsend;

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use crate::cause::Stopped;
use crate::failure::Errors;
use crate::futures::{self, AsyncFanOut, AsyncScope, AsyncTask, TryAsyncScope, TryAsyncTask};
use crate::futures::{Begun, InTask, Sendable, Shared, Started, in_task, surface};
use crate::options::{Options, options};
use crate::policy::Policy;

/// A scope of futures inside the current task.
pub type Scope<'env> = AsyncScope<Local<'env>>;

/// A scope of futures inside the current task that may fail.
pub type TryScope<'env, E> = TryAsyncScope<Local<'env>, E>;

/// The handle of a task; see [`AsyncTask`].
pub type Task<'env, T> = AsyncTask<Local<'env>, T>;

/// The handle of a task that may fail; see [`TryAsyncTask`].
pub type TryTask<'env, T, E> = TryAsyncTask<Local<'env>, T, E>;

/// Runs `body`, in which tasks may be started that borrow from outside it; ready when the body and
/// every task have ended.
///
/// # Examples
///
/// ```
/// let sum = futures::executor::block_on(wg::local::scope(async |s| {
///     let left = s.spawn(async { 1 });
///     let right = s.spawn(async { 2 });
///     left.join().await + right.join().await
/// }));
/// assert_eq!(sum, 3);
/// ```
///
/// Tasks that spawn take a clone of the scope along:
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// let leaves = AtomicUsize::new(0);
/// futures::executor::block_on(wg::local::scope(async |s| {
///     for _ in 0..3 {
///         let inner = s.clone();
///         let leaves = &leaves;
///         drop(s.spawn(async move {
///             for _ in 0..4 {
///                 drop(inner.spawn(async move { leaves.fetch_add(1, Ordering::Relaxed) }));
///             }
///         }));
///     }
/// }));
/// assert_eq!(leaves.into_inner(), 12);
/// ```
///
/// # Panics
///
/// If a task panics, the others are dropped, and the first panic is resumed here with its payload
/// unchanged. If the body panics, the same happens, and the body's own panic is the one that is
/// resumed.
///
/// # Cancel safety
///
/// Dropping the future cancels the scope and drops the body and every task on the spot.
///
/// # Memory ordering
///
/// What a task did is visible when the scope is ready, or to whoever awaited it before.
#[track_caller]
pub fn scope<'env, F, Fut>(body: F) -> impl Future<Output = Fut::Output> + use<'env, F, Fut>
where
    F: FnOnce(Scope<'env>) -> Fut,
    Fut: Future,
{
    options().local().scope(body)
}

/// As [`scope`], for tasks that may fail: the first failure drops the rest and comes back.
///
/// # Examples
///
/// ```
/// let total = futures::executor::block_on(wg::local::try_scope(async |s| {
///     let one = s.spawn(async { "1".parse::<i32>().map_err(|error| error.to_string()) });
///     drop(s.spawn(async { Err::<(), _>(String::from("broken")) }));
///     one.await
/// }));
/// assert_eq!(total, Err(String::from("broken")));
/// ```
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
pub fn try_scope<'env, F, Fut, R, E>(
    body: F,
) -> impl Future<Output = Result<R, E>> + use<'env, F, Fut, R, E>
where
    F: FnOnce(TryScope<'env, E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: From<Stopped> + Send + 'env,
{
    options().local().try_scope(body)
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
pub fn collect_scope<'env, F, Fut, E>(
    body: F,
) -> impl Future<Output = (Fut::Output, Errors<E>)> + use<'env, F, Fut, E>
where
    F: FnOnce(TryScope<'env, E>) -> Fut,
    Fut: Future,
    E: Send + 'env,
{
    options().local().collect_scope(body)
}

/// Options for scopes inside the current task. Made by [`Options::local`].
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a scope is started with them"]
pub struct Builder {
    options: Options,
}

/// # Scopes inside the current task
impl Options {
    /// Starts scopes of futures inside the current task with these options; see [`mod@crate::local`].
    ///
    /// # Examples
    ///
    /// ```
    /// let careful = wg::options().limit(2).local();
    /// let sum = futures::executor::block_on(careful.scope(async |s| {
    ///     let tasks = s.spawn_all((1..=4).map(|n| async move { n * n }));
    ///     let mut sum = 0;
    ///     for task in tasks {
    ///         sum += task.join().await;
    ///     }
    ///     sum
    /// }));
    /// assert_eq!(sum, 30);
    /// ```
    pub fn local(&self) -> Builder {
        Builder { options: self.clone() }
    }
}

impl Builder {
    fn shared<'env>(&self, policy: Policy) -> Arc<Shared<Local<'env>>> {
        Shared::new(&self.options, policy, Local { started: Started::new() })
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
    pub fn scope<'env, F, Fut>(
        &self,
        body: F,
    ) -> impl Future<Output = Fut::Output> + use<'env, F, Fut>
    where
        F: FnOnce(Scope<'env>) -> Fut,
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
    pub fn try_scope<'env, F, Fut, R, E>(
        &self,
        body: F,
    ) -> impl Future<Output = Result<R, E>> + use<'env, F, Fut, R, E>
    where
        F: FnOnce(TryScope<'env, E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: From<Stopped> + Send + 'env,
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
    pub fn collect_scope<'env, F, Fut, E>(
        &self,
        body: F,
    ) -> impl Future<Output = (Fut::Output, Errors<E>)> + use<'env, F, Fut, E>
    where
        F: FnOnce(TryScope<'env, E>) -> Fut,
        Fut: Future,
        E: Send + 'env,
    {
        let (this, site) = (self.clone(), Location::caller());
        futures::collect(
            move || this.shared(this.options.policy_or(Policy::collect_all())),
            body,
            site,
        )
    }
}

/// The current task, as the place where the futures of a scope are polled.
pub struct Local<'env> {
    started: Started<Begun<Sendable<'env>, <Self as InTask>::Whole>>,
}

in_task!(Local<'env>, [+ Send], [+ Sync], PinnedSend, pin);
surface!(impl['env] Local<'env>, 'env, [Send +]);
futures::results_surface!(impl['env] Local<'env>, 'env, [Send +]);
futures::workers_surface!(impl['env] Local<'env>, 'env, "local", [Send +], [Sync +]);

impl std::fmt::Debug for Local<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local").finish_non_exhaustive()
    }
}

/// One function over many items inside the current task; see [`AsyncFanOut`].
pub type FanOut<'env, I> = AsyncFanOut<I, Local<'env>>;

/// How many items are handled at once where no limit is given. What is limited is not computing,
/// which is one task's anyway, but waiting: enough for the waits to overlap, and few enough for the
/// other end, and for the files a process may have open, whoever calls it.
const MOST: usize = 16;

/// Starts to describe one function over many items, inside the current task; see [`AsyncFanOut`].
/// Without a limit, at most 16 items are handled at once: the number of cores says nothing about
/// futures that wait, and an unlimited number is seldom what the other end likes.
///
/// # Examples
///
/// ```
/// let pages = vec![String::from("one"), String::from("three")];
/// let lengths = wg::local::fan_out(&pages).limit(100).map(async |page| page.len());
/// assert_eq!(futures::executor::block_on(lengths), [3, 5]);
/// ```
#[track_caller]
pub fn fan_out<'env, I: IntoIterator>(items: I) -> FanOut<'env, I::IntoIter> {
    options().local().fan_out(items)
}

/// # Fan-out
impl Builder {
    /// As [`fan_out`], with these options.
    #[track_caller]
    pub fn fan_out<'env, I: IntoIterator>(&self, items: I) -> FanOut<'env, I::IntoIter> {
        let open = |options: &Options, policy| options.local().shared(policy);
        let (items, options) = (items.into_iter(), self.options.clone());
        AsyncFanOut::new(items, options, || MOST, open, Location::caller())
    }
}

futures::verbs!(impl['env] Local<'env>, 'env, "local", [Send +], [Sync +]);

/// An async function and its items, inside the current task; see [`AsyncCalls`](crate::AsyncCalls).
#[cfg(feature = "macros")]
pub type Calls<'fan, I, R> = crate::calls::AsyncCalls<'fan, I, R, Local<'fan>>;

#[cfg(feature = "macros")]
crate::calls::calls!(impl['fan] Local<'fan>, 'fan, local);
