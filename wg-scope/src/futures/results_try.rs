//! Results of tasks that may fail: values come out, errors go to the scope.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;

use super::place::Place;
use super::results::AsyncResults;
use super::results_spawner::AsyncSpawner;
use super::try_scope::TryAsyncScope;
use crate::failures::Failures;

/// The reading end of tasks of one type that may fail, in a scope of futures.
///
/// Made by [`TryAsyncScope::try_results`]. What they return as `Ok` comes out here; an error goes to
/// the scope and its policy, like that of a task nobody awaits. It is an [`AsyncResults`] in
/// everything else.
///
/// # Examples
///
/// ```
/// use futures::StreamExt;
///
/// let (sum, errors) = futures::executor::block_on(wg::local::collect_scope(async |s| {
///     let results = s.try_results();
///     for word in ["7", "x", "9"] {
///         results.spawn(async move { word.parse::<u32>() });
///     }
///     results.fold(0, |sum, (_, number)| async move { sum + number }).await
/// }));
/// assert_eq!(sum, 16);
/// assert_eq!(errors.first().unwrap().index(), Some(1));
/// ```
#[must_use = "results that are dropped cancel the tasks that have not begun"]
pub struct TryAsyncResults<P: Place, T, E> {
    results: AsyncResults<P, T>,
    failures: Arc<Failures<E>>,
}

/// # Results of many tasks
impl<P: Place, E> TryAsyncScope<P, E> {
    /// Creates an outlet for the values of tasks of one type that may fail; see
    /// [`AsyncScope::results`](crate::AsyncScope::results).
    pub fn try_results<T>(&self) -> TryAsyncResults<P, T, E> {
        TryAsyncResults { results: self.results(), failures: Arc::clone(self.failures()) }
    }
}

impl<P: Place, T, E> TryAsyncResults<P, T, E> {
    /// Names the tasks that are spawned next; see [`AsyncResults::task`].
    pub fn task(&self, name: &str) -> TryAsyncSpawner<P, T, E> {
        self.with(self.results.task(name))
    }

    /// Returns a handle with which tasks start tasks whose values come out here; see
    /// [`AsyncResults::spawner`].
    pub fn spawner(&self) -> TryAsyncSpawner<P, T, E> {
        self.with(self.results.spawner())
    }

    /// Gives the values up and lets the tasks run; see [`AsyncResults::discard_rest`]. Errors are
    /// the scope's as ever.
    pub fn discard_rest(self) {
        self.results.discard_rest();
    }

    fn with(&self, spawner: AsyncSpawner<P, T>) -> TryAsyncSpawner<P, T, E> {
        TryAsyncSpawner { spawner, failures: Arc::clone(&self.failures) }
    }

    pub(crate) fn failures(&self) -> &Arc<Failures<E>> {
        &self.failures
    }
}

impl<P: Place, T, E> Unpin for TryAsyncResults<P, T, E> {}

impl<P: Place, T, E> Stream for TryAsyncResults<P, T, E> {
    type Item = (usize, T);

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.get_mut().results).poll_next(context)
    }
}

impl<P: Place, T, E> Deref for TryAsyncResults<P, T, E> {
    type Target = AsyncResults<P, T>;

    fn deref(&self) -> &Self::Target {
        &self.results
    }
}

impl<P: Place, T, E> DerefMut for TryAsyncResults<P, T, E> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.results
    }
}

impl<P: Place, T, E> fmt::Debug for TryAsyncResults<P, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryAsyncResults").field("results", &self.results).finish_non_exhaustive()
    }
}

/// Starts tasks that may fail, and whose values come out of one [`TryAsyncResults`]. Made by
/// [`TryAsyncResults::spawner`] and [`TryAsyncResults::task`].
#[must_use = "a spawner that spawns nothing does nothing"]
pub struct TryAsyncSpawner<P: Place, T, E> {
    spawner: AsyncSpawner<P, T>,
    failures: Arc<Failures<E>>,
}

impl<P: Place, T, E> TryAsyncSpawner<P, T, E> {
    /// Names the tasks that are spawned next, for reports and errors.
    pub fn task(&self, name: &str) -> Self {
        let failures = Arc::clone(&self.failures);
        TryAsyncSpawner { spawner: self.spawner.task(name), failures }
    }

    /// Returns whether nobody will read the values, so that tasks that are started now are dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.spawner.is_closed()
    }

    pub(crate) fn plain(&self) -> &AsyncSpawner<P, T> {
        &self.spawner
    }

    pub(crate) fn failures(&self) -> &Arc<Failures<E>> {
        &self.failures
    }
}

impl<P: Place, T, E> Clone for TryAsyncSpawner<P, T, E> {
    fn clone(&self) -> Self {
        let failures = Arc::clone(&self.failures);
        TryAsyncSpawner { spawner: self.spawner.clone(), failures }
    }
}

impl<P: Place, T, E> fmt::Debug for TryAsyncSpawner<P, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryAsyncSpawner").field("spawner", &self.spawner).finish_non_exhaustive()
    }
}
