//! Scopes whose tasks may fail.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;

use super::entry::Entry;
use super::handle::TryTask;
use super::scope::Scope;
use crate::cause::{Cause, Stopped};
use crate::closing::split;
use crate::context;
use crate::failure::Errors;
use crate::failures::{BodyEnd, Failures, Report};
use crate::options::{Options, options};
use crate::policy::Policy;

/// A scope whose tasks return `Result`, and which knows what a failure does to the others.
///
/// Made by [`try_scope`] and [`collect_scope`]. It is a [`Scope`] in everything else: what that can
/// do, this can.
pub struct TryScope<'scope, 'env, E: 'env> {
    plain: Scope<'scope, 'env>,
    failures: Failures<E>,
}

/// Runs `body`, in which tasks may be started that may fail; the first failure cancels the rest and
/// comes back.
///
/// Otherwise as [`scope`](crate::scope): it returns when the body and every task have ended.
///
/// # Examples
///
/// ```
/// fn read(name: &str) -> std::io::Result<usize> {
///     if name.is_empty() { Err(std::io::ErrorKind::NotFound.into()) } else { Ok(name.len()) }
/// }
///
/// let total = wg::try_scope(|s| {
///     let first = s.spawn(|| read("one"));
///     let second = s.spawn(|| read("three"));
///     Ok(first.join()? + second.join()?)
/// });
/// assert_eq!(total.unwrap(), 8);
///
/// // Nobody has to join: an error that nobody took is the scope's.
/// let failed = wg::try_scope(|s| {
///     s.spawn(|| read("one"));
///     s.spawn(|| read(""));
///     Ok(())
/// });
/// assert_eq!(failed.unwrap_err().kind(), std::io::ErrorKind::NotFound);
/// ```
///
/// # Errors
///
/// The first error by completion: of a task that nobody joined, or of the body. An error that was
/// joined is the joiner's; handed on with `?` it comes back here all the same. If tasks were lost to
/// a deadline or to an outer scope's cancel, [`Stopped`] says so; being cancelled by hand is no
/// error. Where several tasks fail, only the first error is returned: [`collect_scope`] keeps all.
///
/// # Panics
///
/// As [`scope`](crate::scope). Under [`catch_panics`](Options::catch_panics) a task's panic is an
/// error, [`Stopped`] with the panic's words.
///
/// # Blocking
///
/// As [`scope`](crate::scope).
#[track_caller]
pub fn try_scope<'env, F, R, E>(body: F) -> Result<R, E>
where
    F: for<'scope> FnOnce(&'scope TryScope<'scope, 'env, E>) -> Result<R, E>,
    E: From<Stopped> + Send + 'env,
{
    options().try_scope(body)
}

/// Runs `body`, in which tasks may be started that may fail; none cancels another, and every failure
/// comes back.
///
/// # Examples
///
/// ```
/// let (spawned, errors) = wg::collect_scope(|s| {
///     for n in 0..120 {
///         s.spawn(move || if n % 50 == 0 { Err(format!("{n} is bad")) } else { Ok(()) });
///     }
///     s.counts().spawned
/// });
/// assert_eq!(spawned, 120);
/// assert_eq!(errors.len(), 3);
/// assert!(errors.to_string().starts_with("3 of 120 tasks failed; first: task#0 spawned at "));
/// ```
///
/// `errors.or(value)?` goes on only if there are none.
///
/// # Panics
///
/// As [`scope`](crate::scope). Under [`catch_panics`](Options::catch_panics) a task's panic is one
/// of the failures, with its payload.
///
/// # Blocking
///
/// As [`scope`](crate::scope).
#[track_caller]
pub fn collect_scope<'env, F, R, E>(body: F) -> (R, Errors<E>)
where
    F: for<'scope> FnOnce(&'scope TryScope<'scope, 'env, E>) -> R,
    E: Send + 'env,
{
    options().collect_scope(body)
}

/// # Scopes whose tasks may fail, on threads
impl Options {
    /// As [`try_scope`], with these options.
    ///
    /// # Errors
    ///
    /// As [`try_scope`], if the [`policy`](Options::policy) calls it a failure.
    ///
    /// # Panics
    ///
    /// As [`try_scope`].
    #[track_caller]
    pub fn try_scope<'env, F, R, E>(&self, body: F) -> Result<R, E>
    where
        F: for<'scope> FnOnce(&'scope TryScope<'scope, 'env, E>) -> Result<R, E>,
        E: From<Stopped> + Send + 'env,
    {
        let site = Location::caller();
        let policy = self.policy_or(Policy::fail_fast());
        let mut entry = Entry::new(self, policy.clone(), site);
        let scope = TryScope::of(&entry);
        // Whether the body failed of itself, before anything else went wrong; and whether what it
        // says may be an echo.
        let (mut body_was_first, mut body_echoes) = (false, false);
        let result = entry.run(|| {
            let told = context::told();
            let result = body(&scope);
            if result.is_err() {
                body_echoes = context::told() != told;
                body_was_first = scope.shared().node.cancel(Cause::BodyFailed) && !body_echoes;
            }
            result
        });
        let (result, payload) = split(result);
        let conclusion = entry.close(payload);
        let body = BodyEnd { result, was_first: body_was_first, echoes: body_echoes };
        scope.failures.conclude(body, conclusion, &policy, entry.shared(), site)
    }

    /// As [`collect_scope`], with these options.
    ///
    /// # Panics
    ///
    /// As [`collect_scope`].
    #[track_caller]
    pub fn collect_scope<'env, F, R, E>(&self, body: F) -> (R, Errors<E>)
    where
        F: for<'scope> FnOnce(&'scope TryScope<'scope, 'env, E>) -> R,
        E: Send + 'env,
    {
        let site = Location::caller();
        let mut entry = Entry::new(self, self.policy_or(Policy::collect_all()), site);
        let scope = TryScope::of(&entry);
        let result = entry.run(|| body(&scope));
        let (result, payload) = split(result);
        let conclusion = entry.close(payload);
        let tasks = scope.counts().spawned;
        scope.failures.collect(result, conclusion, tasks, entry.shared(), site)
    }
}

impl<'scope, 'env, E: Send + 'env> TryScope<'scope, 'env, E> {
    fn of(entry: &Entry) -> Self {
        entry.shared().keep_strays();
        TryScope { plain: Scope::of(entry), failures: Failures::new() }
    }

    pub(super) fn report(&'scope self) -> Report<'scope, E> {
        self.failures.report()
    }

    /// Starts a task that may fail; see [`Scope::spawn`].
    ///
    /// Its error goes to whoever joins it, or else to the scope. The policy judges it when it
    /// happens.
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, task: F) -> TryTask<'scope, T, E>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        TryTask::new(self.plain.start(Location::caller(), task, self.report()))
    }

    /// Names the task that is spawned next; see [`Scope::task`].
    pub fn task<'a>(&'scope self, name: &'a str) -> TryNamed<'a, 'scope, 'env, E> {
        TryNamed { scope: self, name }
    }

    /// Starts a task for each closure, and returns their handles in the same order; see
    /// [`Scope::spawn_all`].
    #[track_caller]
    pub fn spawn_all<I, F, T>(&'scope self, tasks: I) -> Vec<TryTask<'scope, T, E>>
    where
        I: IntoIterator<Item = F>,
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        let site = Location::caller();
        let start = |task| TryTask::new(self.plain.start(site, task, self.report()));
        tasks.into_iter().map(start).collect()
    }
}

impl<'scope, 'env, E: 'env> Deref for TryScope<'scope, 'env, E> {
    type Target = Scope<'scope, 'env>;

    fn deref(&self) -> &Self::Target {
        &self.plain
    }
}

impl<E> fmt::Debug for TryScope<'_, '_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryScope").field("plain", &self.plain).finish_non_exhaustive()
    }
}

/// A name for the task that is spawned next. Made by [`TryScope::task`].
#[must_use = "a name without a task does nothing"]
#[derive(Debug)]
pub struct TryNamed<'a, 'scope, 'env, E> {
    pub(super) scope: &'scope TryScope<'scope, 'env, E>,
    pub(super) name: &'a str,
}

impl<'scope, 'env, E: Send + 'env> TryNamed<'_, 'scope, 'env, E> {
    /// As [`TryScope::spawn`].
    #[track_caller]
    pub fn spawn<F, T>(self, task: F) -> TryTask<'scope, T, E>
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
        T: Send + 'scope,
    {
        let TryNamed { scope, name } = self;
        TryTask::new(scope.plain.start_named(name, Location::caller(), task, scope.report()))
    }
}
