//! As [`wg::local`](super), for futures that are not [`Send`]: they may hold an `Rc` or a `RefCell`'s
//! borrow across an `await`.
//!
//! ```
//! use std::cell::RefCell;
//! use std::rc::Rc;
//!
//! let log = Rc::new(RefCell::new(Vec::new()));
//! futures::executor::block_on(wg::local::unsend::scope(async |s| {
//!     for name in ["left", "right"] {
//!         let log = Rc::clone(&log);
//!         drop(s.spawn(async move { log.borrow_mut().push(name) }));
//!     }
//! }));
//! assert_eq!(*log.borrow(), ["left", "right"]);
//! ```
//!
//! The scope's future is not `Send`, nor are its handles: it goes to executors of one thread
//! (`block_on`, tokio's `LocalSet`). Everything else is as there.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use super::MOST;
use crate::cause::Stopped;
use crate::failure::Errors;
use crate::futures::{self, AsyncFanOut, AsyncScope, AsyncTask, TryAsyncScope, TryAsyncTask};
use crate::futures::{Begun, InTask, Shared, Started, Unsendable, in_task, surface};
use crate::options::{Options, options};
use crate::policy::Policy;

/// A scope of futures inside the current task and thread.
pub type Scope<'env> = AsyncScope<Unsend<'env>>;

/// A scope of futures inside the current task and thread that may fail.
pub type TryScope<'env, E> = TryAsyncScope<Unsend<'env>, E>;

/// The handle of a task; see [`AsyncTask`].
pub type Task<'env, T> = AsyncTask<Unsend<'env>, T>;

/// The handle of a task that may fail; see [`TryAsyncTask`].
pub type TryTask<'env, T, E> = TryAsyncTask<Unsend<'env>, T, E>;

/// As [`local::scope`](super::scope), for futures that are not `Send`.
///
/// # Panics
///
/// As [`local::scope`](super::scope).
///
/// # Cancel safety
///
/// As [`local::scope`](super::scope).
#[track_caller]
pub fn scope<'env, F, Fut>(body: F) -> impl Future<Output = Fut::Output> + use<'env, F, Fut>
where
    F: FnOnce(Scope<'env>) -> Fut,
    Fut: Future,
{
    options().unsend().scope(body)
}

/// As [`local::try_scope`](super::try_scope), for futures that are not `Send`.
///
/// # Errors
///
/// As [`local::try_scope`](super::try_scope).
///
/// # Panics
///
/// As [`local::scope`](super::scope).
///
/// # Cancel safety
///
/// As [`local::scope`](super::scope).
#[track_caller]
pub fn try_scope<'env, F, Fut, R, E>(
    body: F,
) -> impl Future<Output = Result<R, E>> + use<'env, F, Fut, R, E>
where
    F: FnOnce(TryScope<'env, E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: From<Stopped> + 'env,
{
    options().unsend().try_scope(body)
}

/// As [`local::collect_scope`](super::collect_scope), for futures that are not `Send`.
///
/// # Panics
///
/// As [`local::scope`](super::scope).
///
/// # Cancel safety
///
/// As [`local::scope`](super::scope).
#[track_caller]
pub fn collect_scope<'env, F, Fut, E>(
    body: F,
) -> impl Future<Output = (Fut::Output, Errors<E>)> + use<'env, F, Fut, E>
where
    F: FnOnce(TryScope<'env, E>) -> Fut,
    Fut: Future,
    E: 'env,
{
    options().unsend().collect_scope(body)
}

/// Options for scopes of futures that are not `Send`. Made by [`Options::unsend`].
#[derive(Clone, Debug)]
#[must_use = "options do nothing until a scope is started with them"]
pub struct Builder {
    options: Options,
}

/// # Scopes inside the current task and thread
impl Options {
    /// Goes on to scopes of futures that are not `Send`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// let one = Rc::new(1);
    /// let careful = wg::options().limit(2).unsend();
    /// let two = futures::executor::block_on(careful.scope(async |s| {
    ///     let tasks = s.spawn_all((0..2).map(|_| async { *Rc::clone(&one) }));
    ///     let mut sum = 0;
    ///     for task in tasks {
    ///         sum += task.join().await;
    ///     }
    ///     sum
    /// }));
    /// assert_eq!(two, 2);
    /// ```
    pub fn unsend(&self) -> Builder {
        Builder { options: self.clone() }
    }
}

impl Builder {
    fn shared<'env>(&self, policy: Policy) -> Arc<Shared<Unsend<'env>>> {
        Shared::new(&self.options, policy, Unsend { started: Started::new() })
    }

    /// As [`scope`], with these options.
    ///
    /// # Panics
    ///
    /// As [`local::Builder::scope`](super::Builder::scope).
    ///
    /// # Cancel safety
    ///
    /// As [`local::scope`](super::scope).
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
    /// As [`local::scope`](super::scope).
    ///
    /// # Cancel safety
    ///
    /// As [`local::scope`](super::scope).
    #[track_caller]
    pub fn try_scope<'env, F, Fut, R, E>(
        &self,
        body: F,
    ) -> impl Future<Output = Result<R, E>> + use<'env, F, Fut, R, E>
    where
        F: FnOnce(TryScope<'env, E>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: From<Stopped> + 'env,
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
    /// As [`local::scope`](super::scope).
    ///
    /// # Cancel safety
    ///
    /// As [`local::scope`](super::scope).
    #[track_caller]
    pub fn collect_scope<'env, F, Fut, E>(
        &self,
        body: F,
    ) -> impl Future<Output = (Fut::Output, Errors<E>)> + use<'env, F, Fut, E>
    where
        F: FnOnce(TryScope<'env, E>) -> Fut,
        Fut: Future,
        E: 'env,
    {
        let (this, site) = (self.clone(), Location::caller());
        let open = move || this.shared(this.options.policy_or(Policy::collect_all()));
        futures::collect(open, body, site)
    }
}

/// The current task and thread, as the place where the futures of a scope are polled.
pub struct Unsend<'env> {
    started: Started<Begun<Unsendable<'env>, <Self as InTask>::Whole>>,
}

in_task!(Unsend<'env>, [], [], Pinned, pin_here);
surface!(impl['env] Unsend<'env>, 'env, []);
futures::results_surface!(impl['env] Unsend<'env>, 'env, []);
futures::workers_surface!(impl['env] Unsend<'env>, 'env, "local::unsend", [], []);

impl std::fmt::Debug for Unsend<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unsend").finish_non_exhaustive()
    }
}

/// One function over many items inside the current task and thread; see [`AsyncFanOut`].
pub type FanOut<'env, I> = AsyncFanOut<I, Unsend<'env>>;

/// As [`local::fan_out`](super::fan_out), for futures that are not `Send`: the items, the function, its
/// futures and what they are ready with may hold an `Rc` or a `RefCell`'s borrow.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// let total = Cell::new(0);
/// let words = [Rc::<str>::from("one"), Rc::from("three")];
/// let lengths = wg::local::unsend::fan_out(&words).limit(100).map(async |word| {
///     total.set(total.get() + word.len());
///     Rc::clone(word)
/// });
/// assert_eq!(futures::executor::block_on(lengths), words);
/// assert_eq!(total.get(), 8);
/// ```
#[track_caller]
pub fn fan_out<'env, I: IntoIterator>(items: I) -> FanOut<'env, I::IntoIter> {
    options().unsend().fan_out(items)
}

/// # Fan-out
impl Builder {
    /// As [`fan_out`], with these options.
    #[track_caller]
    pub fn fan_out<'env, I: IntoIterator>(&self, items: I) -> FanOut<'env, I::IntoIter> {
        let open = |options: &Options, policy| options.unsend().shared(policy);
        let (items, options) = (items.into_iter(), self.options.clone());
        AsyncFanOut::new(items, options, || MOST, open, Location::caller())
    }
}

futures::verbs!(impl['env] Unsend<'env>, 'env, "local::unsend", [], []);
