//! Fan-out: one future for each of many items, bounded.
//!
//! A fan-out runs in a scope of its own, of the kind of its place (`run`), in which it starts
//! `strands`: at most as many as its limit, each of which takes items from the `feed`, awaits what
//! the function made of one, and goes on with the next. An item costs no allocation, and where items
//! are ready at once no lock. What has come of them is `done`. They are the tasks of the scope's
//! ledger, so that policies, panics and deadlines mean what they mean elsewhere.
//!
//! Where results are read while work goes on (`stream`), the strands are children of the user's own
//! scope, and end where there is no room in the `window`: the reader starts them again.

mod verbs;
mod verbs_more;
mod run;
mod stream;
mod mapping;
mod window;
mod grow;
mod strand;
mod feed;
mod hand;
mod budget;
mod done;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use self::budget::Weigh;
pub use self::budget::{Unweighed, Weighed};
pub use self::grow::AsyncMore;
pub use self::stream::{AsyncAsCompleted, AsyncInOrder};
pub(crate) use self::stream::{Reading, Reads, Streams};
pub(crate) use self::verbs::verbs;
pub(crate) use self::verbs_more::verbs_more;
pub(crate) use self::window::Order;
use super::place::Place;
use super::shared::Shared;
use crate::cancel::Cancel;
use crate::options::Options;
use crate::policy::Policy;
use crate::timeline::Timeline;

/// One function over many items, whose results are awaited: how it is to run. Made by
/// [`local::fan_out`](crate::local::fan_out), [`local::unsend::fan_out`](crate::local::unsend::fan_out)
/// and `tokio::fan_out`; a verb at the end makes a future of it.
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
/// | `grow`, `try_grow` | `R`, `Result<R, E>`, and adds items | as `map` and `try_map` |
/// | `as_completed`, `in_order` | `R` | a stream of the results; only of a scope's own `fan_out` |
///
/// At most [`limit`](Self::limit) items are handled at once. The items come from any iterator, which
/// is pulled as items are needed: it may be longer than memory, or endless if something stops it. No
/// more items than may be handled at once are pulled and not finished; and several are pulled
/// together only where those before were ready at once, and the iterator says that there are so many.
/// It should not block. On a runtime, whoever awaits a fan-out that is not in a scope handles items as well,
/// until one waits: to wake others takes longer than many items do. One that waits goes on on the runtime.
/// Where the iterator says how many items there are, memory for all results is taken at the
/// beginning, up to 1 GiB.
#[must_use = "a fan-out does nothing until the future that a verb makes of it is awaited"]
pub struct AsyncFanOut<I: Iterator, P: Place, W = Unweighed, S = AsyncAlone> {
    items: I,
    options: Options,
    weigh: W,
    /// The limit where none is given. Only then it is asked for: the number of cores is read in files.
    most: fn() -> usize,
    open: fn(&Options, Policy) -> Arc<Shared<P>>,
    site: &'static Location<'static>,
    place: S,
}

/// Where a fan-out runs that was not started in a scope: in one of its own.
#[derive(Clone, Copy, Debug)]
pub struct AsyncAlone(());

/// Where a fan-out runs that was started in a scope, and whose results are read while work goes on:
/// there.
pub struct AsyncInside<P: Place>(Arc<Shared<P>>);

impl<P: Place> fmt::Debug for AsyncInside<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncInside").finish_non_exhaustive()
    }
}

impl<I: Iterator, P: Place> AsyncFanOut<I, P> {
    pub(crate) fn new(
        items: I,
        options: Options,
        most: fn() -> usize,
        open: fn(&Options, Policy) -> Arc<Shared<P>>,
        site: &'static Location<'static>,
    ) -> Self {
        let (weigh, place) = (Unweighed(()), AsyncAlone(()));
        AsyncFanOut { items, options, weigh, most, open, site, place }
    }

    pub(crate) fn inside(
        self,
        shared: &Arc<Shared<P>>,
    ) -> AsyncFanOut<I, P, Unweighed, AsyncInside<P>> {
        let AsyncFanOut { items, options, weigh, most, open, site, .. } = self;
        let place = AsyncInside(Arc::clone(shared));
        AsyncFanOut { items, options, weigh, most, open, site, place }
    }
}

impl<I: Iterator, P: Place, S> AsyncFanOut<I, P, Unweighed, S> {
    #[track_caller]
    pub(crate) fn weighed<G>(self, total: u64, weight: G) -> AsyncFanOut<I, P, Weighed<G>, S> {
        let AsyncFanOut { items, options, most, open, site, place, .. } = self;
        let weigh = Weighed::new(total, weight);
        AsyncFanOut { items, options, weigh, most, open, site, place }
    }
}

#[expect(private_bounds, reason = "sealed")]
impl<I: Iterator, P: Place, W: Weigh<I::Item>, S> AsyncFanOut<I, P, W, S> {
    /// The most items at once.
    fn most(&self) -> usize {
        let most = || if W::WEIGHS { usize::MAX } else { (self.most)() };
        self.options.limit.map_or_else(most, std::num::NonZeroUsize::get)
    }
}

impl<I: Iterator, P: Place, W, S> AsyncFanOut<I, P, W, S> {
    /// Limits how many items are handled at once. Without it, under a budget, as many as fit.
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
}

impl<I: Iterator, P: Place, W> AsyncFanOut<I, P, W> {
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

    /// Records in `timeline` what runs when; see [`Options::timeline`].
    pub fn timeline(mut self, timeline: &Timeline) -> Self {
        self.options = self.options.timeline(timeline);
        self
    }
}

impl<I: Iterator, P: Place, W, S> fmt::Debug for AsyncFanOut<I, P, W, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFanOut")
            .field("options", &self.options)
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}
