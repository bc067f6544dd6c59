//! Results of tasks that may fail: values come out, errors go to the scope.

use std::fmt;
use std::ops::Deref;
use std::panic::Location;

use super::results::{Results, checked_bound};
use super::spawner::Spawner;
use super::try_scope::TryScope;
use crate::failures::Report;

/// The reading end of tasks of one type that may fail.
///
/// Made by [`TryScope::results`]. What they return as `Ok` comes out here; an error goes to the
/// scope and its policy, like that of a task nobody joins. It is a [`Results`] in everything else.
///
/// # Examples
///
/// ```
/// let words = ["7", "x", "9"];
/// let (sum, errors) = wg::collect_scope(|s| {
///     let results = s.results();
///     for word in words {
///         results.spawn(move || word.parse::<u32>());
///     }
///     results.as_completed().map(|(_, number)| number).sum::<u32>()
/// });
/// assert_eq!(sum, 16);
/// assert_eq!(errors.first().unwrap().index(), Some(1));
/// ```
#[must_use = "results that are dropped cancel the tasks that have not begun"]
pub struct TryResults<'scope, 'env, T, E> {
    results: Results<'scope, 'env, T>,
    report: Report<'scope, E>,
}

/// # Results of many tasks
impl<'scope, 'env, E: Send + 'env> TryScope<'scope, 'env, E> {
    /// Creates an outlet for the results of tasks of one type that may fail; see
    /// [`Scope::results`](crate::Scope::results).
    pub fn results<T: Send + 'scope>(&'scope self) -> TryResults<'scope, 'env, T, E> {
        self.results_within(usize::MAX)
    }

    /// As [`results`](Self::results), with a bound; see
    /// [`Scope::results_bounded`](crate::Scope::results_bounded).
    ///
    /// # Panics
    ///
    /// If `bound` is 0: nothing could ever be delivered.
    #[track_caller]
    pub fn results_bounded<T: Send + 'scope>(
        &'scope self,
        bound: usize,
    ) -> TryResults<'scope, 'env, T, E> {
        self.results_within(checked_bound(bound))
    }

    fn results_within<T>(&'scope self, bound: usize) -> TryResults<'scope, 'env, T, E> {
        let report = self.report();
        let caught = report.clone();
        let caught = move |task, payload, order| caught.panicked(task, payload, order);
        TryResults { results: Results::new(self, bound, Box::new(caught)), report }
    }
}

impl<'scope, 'env, T: Send + 'scope, E: Send + 'scope> TryResults<'scope, 'env, T, E> {
    /// Starts a task that may fail, and whose value comes out here; see [`Results::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, task: F) -> usize
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        self.results.at_reader().start(Location::caller(), task, self.report.clone())
    }

    /// Names the tasks that are spawned next; see [`Results::task`].
    pub fn task(&self, name: &str) -> TrySpawner<'scope, 'env, T, E> {
        TrySpawner { spawner: self.results.task(name), report: self.report.clone() }
    }

    /// Returns a handle with which others start tasks whose values come out here; see
    /// [`Results::spawner`].
    pub fn spawner(&self) -> TrySpawner<'scope, 'env, T, E> {
        TrySpawner { spawner: self.results.spawner(), report: self.report.clone() }
    }
}

impl<T, E> TryResults<'_, '_, T, E> {
    /// Gives the values up and lets the tasks run; see [`Results::discard_rest`]. Errors are the
    /// scope's as ever.
    pub fn discard_rest(self) {
        self.results.discard_rest();
    }
}

impl<'scope, 'env, T, E> Deref for TryResults<'scope, 'env, T, E> {
    type Target = Results<'scope, 'env, T>;

    fn deref(&self) -> &Self::Target {
        &self.results
    }
}

impl<T, E> fmt::Debug for TryResults<'_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryResults").field("results", &self.results).finish_non_exhaustive()
    }
}

/// Starts tasks that may fail, and whose values come out of one [`TryResults`]. Made by
/// [`TryResults::spawner`] and [`TryResults::task`].
#[must_use = "a spawner that spawns nothing does nothing"]
pub struct TrySpawner<'scope, 'env, T, E> {
    spawner: Spawner<'scope, 'env, T>,
    report: Report<'scope, E>,
}

impl<'scope, T: Send + 'scope, E: Send + 'scope> TrySpawner<'scope, '_, T, E> {
    /// As [`TryResults::spawn`]. Where the results are gone, the task is dropped when its turn
    /// comes.
    ///
    /// # Blocking
    ///
    /// As [`Scope::spawn`](crate::Scope::spawn).
    #[track_caller]
    pub fn spawn<F>(&self, task: F) -> usize
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        self.spawner.start(Location::caller(), task, self.report.clone())
    }

    /// Names the tasks that are spawned next, for reports and errors.
    pub fn task(&self, name: &str) -> Self {
        TrySpawner { spawner: self.spawner.task(name), report: self.report.clone() }
    }

    /// Returns whether nobody will read the values, so that tasks that are started now are dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.spawner.is_closed()
    }
}

impl<T, E> Clone for TrySpawner<'_, '_, T, E> {
    fn clone(&self) -> Self {
        TrySpawner { spawner: self.spawner.clone(), report: self.report.clone() }
    }
}

impl<T, E> fmt::Debug for TrySpawner<'_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySpawner").field("spawner", &self.spawner).finish_non_exhaustive()
    }
}
