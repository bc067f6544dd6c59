//! Fan-out: one function over many items, bounded.

mod verbs;
mod mapping;
mod stream;
mod outlet;
mod grow;
mod budget;
pub(super) mod alone;
pub(super) mod feed;

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::{Duration, Instant};

use self::budget::Budget;
pub use self::grow::More;
pub use self::stream::{AsCompleted, InOrder};
use super::pool::cores;
use super::scope::Scope;
use crate::cancel::Cancel;
use crate::options::{Options, options};
use crate::policy::Policy;
use crate::timeline::Timeline;

/// One function over many items, on threads: how it is to run. Made by [`fan_out`],
/// [`Options::fan_out`] and [`Scope::fan_out`]; a verb at the end runs it.
///
/// | verb | the function returns | comes back |
/// |---|---|---|
/// | [`map`](Self::map) | `R` | `Vec<R>`, in the order of the items |
/// | [`for_each`](Self::for_each) | nothing | nothing |
/// | [`try_map`](Self::try_map) | `Result<R, E>` | `Result<Vec<R>, E>`: the first error stops the rest |
/// | [`try_for_each`](Self::try_for_each) | `Result<(), E>` | `Result<(), E>` |
/// | [`collect_all`](Self::collect_all) | `Result<R, E>` | `(Vec<R>, Errors<E>)`: nobody is stopped |
/// | [`first_ok`](Self::first_ok) | `Result<R, E>` | the first success; the losers are cancelled |
/// | [`quorum`](Self::quorum) | `Result<R, E>` | the first `k` successes |
///
/// At most [`limit`](Self::limit) items are handled at once; without one, as many as there are
/// cores. The items come from any iterator, which is pulled as items are needed: it may be longer
/// than memory, or endless if something stops it. One thread at a time pulls it, and nobody waits
/// for that one; with a limit, no more items than that are pulled and not finished. Items that a
/// blocked thread has pulled ahead are taken over by others. Where the iterator says how many items there
/// are, memory for all results is taken at the beginning, up to 1 GiB. An iterator that blocks is not
/// interrupted by a cancel: what it returns then is dropped.
#[must_use = "a fan-out does nothing until a verb runs it"]
pub struct FanOut<'w, I: Iterator, P = Alone> {
    items: I,
    options: Options,
    site: &'static Location<'static>,
    budget: Option<Budget<'w, I::Item>>,
    place: P,
}

/// Where a fan-out runs that was not started in a scope: in one of its own.
#[derive(Clone, Copy, Debug)]
pub struct Alone(PhantomData<()>);

/// Where a fan-out runs that was started in a scope: there, so that its results can be read while
/// work goes on.
#[derive(Debug)]
pub struct Inside<'scope, 'env>(pub(super) &'scope Scope<'scope, 'env>);

/// Starts to describe one function over many items; see [`FanOut`].
///
/// # Examples
///
/// ```
/// let paths = ["a", "bb", "ccc"];
/// let lengths = wg::fan_out(&paths).limit(2).map(|path| path.len());
/// assert_eq!(lengths, [1, 2, 3]);
/// ```
#[track_caller]
pub fn fan_out<'w, I: IntoIterator>(items: I) -> FanOut<'w, I::IntoIter> {
    options().fan_out(items)
}

/// # Fan-out on threads
impl Options {
    /// As [`fan_out`], with these options.
    #[track_caller]
    pub fn fan_out<'w, I: IntoIterator>(&self, items: I) -> FanOut<'w, I::IntoIter> {
        FanOut {
            items: items.into_iter(),
            options: self.clone(),
            site: Location::caller(),
            budget: None,
            place: Alone(PhantomData),
        }
    }
}

impl<I: Iterator> FanOut<'_, I> {
    /// Cancels at this instant; see [`Options::deadline`].
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.options = self.options.deadline(deadline);
        self
    }

    /// Cancels so long after the verb was called; see [`Options::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options = self.options.timeout(timeout);
        self
    }

    /// Cancels when `cancel` is cancelled.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options = self.options.cancel(cancel);
        self
    }

    /// Says what a failure does to the other items. The verbs have policies of their own, which
    /// this replaces: `policy(Policy::fail_fast().lowest_index())` makes [`try_map`](Self::try_map)
    /// deterministic.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.options = self.options.policy(policy);
        self
    }

    /// Treats a panic as a failure of its item; see [`Options::catch_panics`].
    pub fn catch_panics(mut self) -> Self {
        self.options = self.options.catch_panics();
        self
    }

    /// Hides the cancels and deadlines of outer scopes.
    pub fn shield(mut self) -> Self {
        self.options = self.options.shield();
        self
    }

    /// Records in `timeline` what runs when; see [`Options::timeline`].
    pub fn timeline(mut self, timeline: &Timeline) -> Self {
        self.options = self.options.timeline(timeline);
        self
    }

    /// Runs on threads with stacks of at least `bytes` bytes; see [`Options::stack_size`].
    #[track_caller]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.options = self.options.stack_size(bytes);
        self
    }
}

impl<'w, I: Iterator, P> FanOut<'w, I, P> {
    /// Limits how many items are handled at once. Without it: as many as there are cores, or, under
    /// a [`budget`](Self::budget), as many as fit.
    ///
    /// # Panics
    ///
    /// If `limit` is 0.
    #[track_caller]
    pub fn limit(mut self, limit: usize) -> Self {
        self.options = self.options.limit(limit);
        self
    }

    /// Names it, for reports and errors.
    pub fn name(mut self, name: &str) -> Self {
        self.options = self.options.name(name);
        self
    }

    /// Limits the weight of the items in flight, whatever their number. They begin in their order;
    /// one that is heavier than the whole budget runs alone.
    ///
    /// # Examples
    ///
    /// ```
    /// let files = [("small", 10), ("huge", 10_000), ("medium", 400)];
    /// let names = wg::fan_out(files).budget(500, |file| file.1).map(|file| file.0);
    /// assert_eq!(names, ["small", "huge", "medium"]);
    /// ```
    ///
    /// # Panics
    ///
    /// If `total` is 0.
    #[track_caller]
    pub fn budget(
        mut self,
        total: u64,
        weight: impl Fn(&I::Item) -> u64 + Send + Sync + 'w,
    ) -> Self {
        assert!(total > 0, "a budget of 0 lets nothing run but one item at a time: use `limit(1)`");
        self.budget = Some(Budget::new(total, Box::new(weight)));
        self
    }

    /// The most items at once.
    fn most(&self) -> usize {
        match (self.options.limit, &self.budget) {
            (Some(limit), _) => limit.get(),
            (None, Some(_)) => usize::MAX,
            (None, None) => cores(),
        }
    }
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// Starts to describe one function over many items, inside this scope; see [`FanOut`].
    ///
    /// # Examples
    ///
    /// ```
    /// let items = [3, 1, 2];
    /// let doubled = wg::scope(|s| s.fan_out(&items).map(|n| n * 2));
    /// assert_eq!(doubled, [6, 2, 4]);
    /// ```
    #[track_caller]
    pub fn fan_out<I: IntoIterator>(
        &'scope self,
        items: I,
    ) -> FanOut<'scope, I::IntoIter, Inside<'scope, 'env>> {
        FanOut {
            items: items.into_iter(),
            options: options(),
            site: Location::caller(),
            budget: None,
            place: Inside(self),
        }
    }
}

impl<I: Iterator, P> fmt::Debug for FanOut<'_, I, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FanOut")
            .field("options", &self.options)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}
