//! Fan-out: one future for each of many items, bounded.
//!
//! A fan-out runs in a scope of its own, of the kind of its place, in which it starts `strands`: at
//! most as many as its limit, each of which pulls an item from the `feed`, awaits what the function
//! made of it, and pulls the next. An item costs no allocation. What has come of it is `done`. The
//! items are the tasks of the scope's ledger, so that policies, panics and deadlines mean what they
//! mean elsewhere.

mod verbs;
mod run;
mod strand;
mod feed;
mod done;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::place::Place;
use super::shared::Shared;
use crate::cancel::Cancel;
use crate::options::Options;
use crate::policy::Policy;

pub(crate) use self::verbs::verbs;

/// One function over many items, whose results are awaited: how it is to run. Made by
/// [`local::fan_out`](crate::local::fan_out) and `tokio::fan_out`; a verb at the end makes a future
/// of it.
///
/// | verb | what the function makes is ready with | comes back |
/// |---|---|---|
/// | `map` | `R` | `Vec<R>`, in the order of the items |
/// | `for_each` | nothing | nothing |
/// | `try_map` | `Result<R, E>` | `Result<Vec<R>, E>`: the first error stops the rest |
/// | `try_for_each` | `Result<(), E>` | `Result<(), E>` |
/// | `collect_all` | `Result<R, E>` | `(Vec<R>, Errors<E>)`: nobody is stopped |
/// | `first_ok` | `Result<R, E>` | the first success; the losers are dropped |
/// | `quorum` | `Result<R, E>` | the first `k` successes |
///
/// At most [`limit`](Self::limit) items are handled at once. The items come from any iterator, which
/// is pulled one item at a time, when there is room to begin it: it may be longer than memory, or
/// endless if something stops it. It should not block.
#[must_use = "a fan-out does nothing until the future that a verb makes of it is awaited"]
pub struct AsyncFanOut<I: Iterator, P: Place> {
    items: I,
    options: Options,
    /// The limit where none is given.
    most: usize,
    open: fn(&Options, Policy) -> Arc<Shared<P>>,
    site: &'static Location<'static>,
}

impl<I: Iterator, P: Place> AsyncFanOut<I, P> {
    pub(crate) fn new(
        items: I,
        options: Options,
        most: usize,
        open: fn(&Options, Policy) -> Arc<Shared<P>>,
        site: &'static Location<'static>,
    ) -> Self {
        AsyncFanOut { items, options, most, open, site }
    }

    /// Limits how many items are handled at once.
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

    /// Cancels at this instant; see [`Options::deadline`].
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.options = self.options.deadline(deadline);
        self
    }

    /// Cancels so long after the future was first polled; see [`Options::timeout`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options = self.options.timeout(timeout);
        self
    }

    /// Gives items that run this long after a cancel; see [`Options::grace`].
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options = self.options.grace(grace);
        self
    }

    /// Cancels when `cancel` is cancelled.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.options = self.options.cancel(cancel);
        self
    }

    /// Says what a failure does to the other items. The verbs have policies of their own, which
    /// this replaces: `policy(Policy::fail_fast().lowest_index())` makes `try_map` deterministic.
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
}

impl<I: Iterator, P: Place> fmt::Debug for AsyncFanOut<I, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFanOut")
            .field("options", &self.options)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}
