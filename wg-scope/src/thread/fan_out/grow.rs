//! Fan-outs whose items bring further items: crawlers, walks of a tree.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use wg_core::sync::Mutex;

use super::FanOut;
use super::mapping::drop_each;
use crate::cause::{Cause, Stopped};
use crate::ledger::stopped;
use crate::outcome::{discard, drop_caught};
use crate::task_info::Label;
use crate::thread::pool::cores;
use crate::thread::try_scope::TryScope;

/// Where the function of [`FanOut::grow`] adds items, also from threads of its own.
pub struct More<'a, T> {
    add: &'a (dyn Fn(T) + Sync),
}

impl<T> More<'_, T> {
    /// Adds an item, to be handled like the others. Never blocks.
    pub fn push(&self, item: T) {
        (self.add)(item);
    }

    /// Adds items, to be handled like the others. Never blocks.
    pub fn extend(&self, items: impl IntoIterator<Item = T>) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> fmt::Debug for More<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("More").finish_non_exhaustive()
    }
}

impl<I, P> FanOut<'_, I, P>
where
    I: Iterator + Send,
    I::Item: Send,
{
    /// Runs `function` once on each item, and on each that it adds, and returns all results: those
    /// of the seeds first, in their order, and mixed with them and after them those of the items
    /// that were added, in the order in which they were.
    ///
    /// Ends when every item has been handled. What was added waits in memory.
    ///
    /// # Examples
    ///
    /// ```
    /// // A walk of a tree: each node brings its children.
    /// let visited = wg::fan_out([1]).grow(|node, more| {
    ///     if node < 8 {
    ///         more.extend([2 * node, 2 * node + 1]);
    ///     }
    ///     node
    /// });
    /// assert_eq!(visited.len(), 15);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`map`](Self::map). Also under a [`budget`](Self::budget), which a fan-out that grows
    /// cannot keep.
    ///
    /// # Blocking
    ///
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn grow<R, F>(self, function: F) -> Vec<R>
    where
        F: Fn(I::Item, &More<'_, I::Item>) -> R + Sync,
        R: Send,
    {
        let grown = self.try_grow(|item, more| Ok::<R, Stopped>(function(item, more)));
        grown.unwrap_or_else(|stopped| panic!("{stopped}"))
    }

    /// As [`grow`](Self::grow), with a function that may fail; the first error stops the rest and
    /// comes back.
    ///
    /// # Errors
    ///
    /// As [`try_map`](Self::try_map).
    ///
    /// # Panics
    ///
    /// As [`grow`](Self::grow).
    ///
    /// # Blocking
    ///
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn try_grow<R, E, F>(self, function: F) -> Result<Vec<R>, E>
    where
        F: Fn(I::Item, &More<'_, I::Item>) -> Result<R, E> + Sync,
        R: Send,
        E: From<Stopped> + Send,
    {
        assert!(self.budget.is_none(), "a fan-out that grows cannot keep a budget: use a limit");
        let limit = self.options.limit.map_or_else(cores, std::num::NonZeroUsize::get);
        let name = self.options.name.as_deref().unwrap_or("fan_out");
        let label = Label::named(name, self.site);
        let mut growth = Growth::new(function);
        let items = self.items;
        // Whether all seeds were begun, and what tells why not.
        let mut seeds = None;
        let ended = self.options.limit(limit).try_scope(|scope| {
            let grower = Grower { scope, growth: &growth, label: &label };
            let canceller = scope.canceller();
            let all = each(items, |item| {
                scope.make_room();
                let goes_on = !scope.is_cancelled();
                if goes_on {
                    grower.start(item)
                } else {
                    drop(item)
                }
                goes_on
            });
            seeds = Some((all, canceller));
            Ok(())
        });
        let lost = seeds.and_then(|(all, canceller)| {
            let cause = canceller.cancelled_by().filter(|cause| *cause != Cause::Decided);
            cause.filter(|_| !all || growth.lacks_values())
        });
        let ended = match (ended, lost) {
            (Ok(()), Some(cause)) => Err(E::from(stopped(Some(cause)))),
            (ended, _) => ended,
        };
        growth.take_values(ended)
    }
}

/// Hands items on one by one, as long as `take` wants more. Returns whether these were all.
///
/// An iterator that has panicked may panic again when it is dropped.
fn each<I: Iterator>(mut items: I, mut take: impl FnMut(I::Item) -> bool) -> bool {
    let taken = catch_unwind(AssertUnwindSafe(|| items.by_ref().all(&mut take)));
    let dropped = drop_caught(items);
    match (taken, dropped) {
        (Ok(all), Ok(())) => all,
        (Ok(_), Err(payload)) => resume_unwind(payload),
        (Err(payload), dropped) => {
            dropped.unwrap_or_else(discard);
            resume_unwind(payload)
        }
    }
}

/// The function, and what has come of it so far.
struct Growth<F, R> {
    /// Taken away only at the end.
    function: Option<F>,
    results: Mutex<Results<R>>,
}

/// The results so far, and how many items there have been.
struct Results<R> {
    values: Vec<(usize, R)>,
    added: usize,
}

impl<F, R> Growth<F, R> {
    fn new(function: F) -> Self {
        let results = Mutex::new(Results { values: Vec::new(), added: 0 });
        Growth { function: Some(function), results }
    }

    /// Counts an item in, and returns its index.
    fn add(&self) -> usize {
        let mut results = self.results.lock();
        results.added += 1;
        results.added - 1
    }

    /// Whether there are items that gave no result.
    fn lacks_values(&self) -> bool {
        let results = self.results.lock();
        results.values.len() < results.added
    }

    /// The results in the order of their items, if it ended well.
    fn take_values<E>(&mut self, ended: Result<(), E>) -> Result<Vec<R>, E> {
        let mut values = std::mem::take(&mut self.results.lock().values);
        let mut thrown = drop_caught(self.function.take()).err();
        if thrown.is_some() || ended.is_err() {
            let values = drop_each(values.drain(..));
            thrown = thrown.or(values);
        }
        if let Some(payload) = thrown {
            drop_caught(ended).unwrap_or_else(discard);
            resume_unwind(payload);
        }
        ended?;
        values.sort_by_key(|&(index, _)| index);
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }
}

impl<F, R> Drop for Growth<F, R> {
    /// There is something left only where something else is thrown already.
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.results.lock().values);
        drop_each(values.into_iter()).into_iter().for_each(discard);
        drop_caught(self.function.take()).unwrap_or_else(discard);
    }
}

struct Grower<'scope, 'env, F, R, E> {
    scope: &'scope TryScope<'scope, 'env, E>,
    growth: &'env Growth<F, R>,
    label: &'env Label,
}

impl<F, R, E> Clone for Grower<'_, '_, F, R, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F, R, E> Copy for Grower<'_, '_, F, R, E> {}

impl<'scope, 'env, F, R, E: Send> Grower<'scope, 'env, F, R, E> {
    fn start<T>(self, item: T)
    where
        F: Fn(T, &More<'_, T>) -> Result<R, E> + Sync,
        T: Send + 'scope,
        R: Send,
    {
        let growth = self.growth;
        let index = growth.add();
        let task = move || {
            let add = |item| self.start(item);
            let function = growth.function.as_ref().expect("a task runs, so this is not the end");
            let value = function(item, &More { add: &add })?;
            growth.results.lock().values.push((index, value));
            Ok(())
        };
        self.scope.queue_free(self.label.clone(), task, self.scope.report());
    }
}
