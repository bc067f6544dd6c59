//! What an outcome does to the other tasks.

use std::fmt;
use std::sync::Arc;

use crate::cause::Cause;
use crate::task_info::TaskInfo;

/// What the end of a task does to the others: which outcome cancels them, and when the whole has
/// failed.
///
/// Plain and `try_` scopes and fan-outs fail fast unless they are told otherwise. A panic cancels
/// the rest under every policy, unless [`catch_panics`](crate::Options::catch_panics) makes a
/// failure of it.
///
/// # Examples
///
/// ```
/// use wg::Policy;
///
/// // Two of three mirrors have to agree.
/// let stored = wg::options().policy(Policy::quorum(2)).try_scope(|s| {
///     for mirror in ["a", "b", "broken"] {
///         s.spawn(move || if mirror == "broken" { Err("disk full") } else { Ok(()) });
///     }
///     Ok(())
/// });
/// assert_eq!(stored, Ok(()));
/// ```
#[derive(Clone, Default)]
pub struct Policy {
    kind: Kind,
    lowest: bool,
}

#[derive(Clone, Default)]
enum Kind {
    #[default]
    FailFast,
    CollectAll,
    Successes(usize),
    Until(Arc<dyn Fn(&Tally) -> bool + Send + Sync>),
}

/// How many tasks have ended, and how. A [`Policy::until`] decides by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// Tasks that returned, and not an error.
    pub values: usize,
    /// Tasks that returned an error.
    pub errors: usize,
    /// Tasks that panicked.
    pub panics: usize,
    /// Tasks that did not begin, because the scope was cancelled before.
    pub cancelled: usize,
    /// The index of the task that ended last.
    pub last: usize,
}

impl Tally {
    /// Returns how many ended without a value by their own doing.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.errors + self.panics
    }
}

impl Policy {
    /// The first failure, by completion, cancels the rest. The default.
    #[must_use]
    pub fn fail_fast() -> Self {
        Policy::default()
    }

    /// Failures cancel nobody; all are kept.
    #[must_use]
    pub fn collect_all() -> Self {
        Policy { kind: Kind::CollectAll, lowest: false }
    }

    /// The first success cancels the rest. The whole fails if there is none.
    #[must_use]
    pub fn first_success() -> Self {
        Policy::quorum(1)
    }

    /// The first `successes` successes cancel the rest. The whole fails if there are fewer.
    ///
    /// # Panics
    ///
    /// If `successes` is 0.
    #[must_use]
    #[track_caller]
    pub fn quorum(successes: usize) -> Self {
        assert!(successes > 0, "a quorum of 0 is reached before anything begins");
        Policy { kind: Kind::Successes(successes), lowest: false }
    }

    /// Cancels the rest as soon as `enough` says so. It is asked after every task's end, one at a
    /// time, under a lock: it should be short, and must not use the scope. Failures do not fail the
    /// whole; all are kept.
    #[must_use]
    pub fn until(enough: impl Fn(&Tally) -> bool + Send + Sync + 'static) -> Self {
        Policy { kind: Kind::Until(Arc::new(enough)), lowest: false }
    }

    /// Makes the choice among several failures deterministic: the one with the lowest index is
    /// reported, instead of the first by completion.
    ///
    /// When failing fast, tasks with a higher index than the failed one are not begun any more;
    /// the others still run, and none is told to stop, so that the choice depends on nothing but
    /// the tasks' own results.
    #[must_use]
    pub fn lowest_index(mut self) -> Self {
        self.lowest = true;
        self
    }

    pub(crate) fn takes_the_lowest(&self) -> bool {
        self.lowest
    }

    /// Whether the end of a task that did its work can change anything.
    pub(crate) fn counts_values(&self) -> bool {
        matches!(self.kind, Kind::Successes(_) | Kind::Until(_))
    }

    /// What follows from the end of a task, which is in the tally already.
    /// `cause` says more of a failure than that the task failed.
    pub(crate) fn judge(
        &self,
        tally: &Tally,
        end: End,
        task: &TaskInfo,
        cause: Option<&Cause>,
    ) -> Verdict {
        match (&self.kind, end) {
            (Kind::FailFast, End::Error | End::Panic) if self.lowest => Verdict::Cut(task.index()),
            (Kind::FailFast, End::Error | End::Panic) => {
                Verdict::cancel(cause.cloned().unwrap_or_else(|| Cause::Failed(task.clone())))
            }
            (Kind::Successes(wanted), End::Value) if tally.values >= *wanted => {
                Verdict::cancel(Cause::Decided)
            }
            (Kind::Until(enough), _) if enough(tally) => Verdict::cancel(Cause::Decided),
            _ => Verdict::Continue,
        }
    }

    /// Whether the whole has failed for want of successes.
    pub(crate) fn lacks_successes(&self, tally: &Tally) -> bool {
        matches!(self.kind, Kind::Successes(_)) && self.failed(tally)
    }

    /// Whether the whole has failed, all tasks having ended.
    pub(crate) fn failed(&self, tally: &Tally) -> bool {
        match self.kind {
            Kind::FailFast | Kind::CollectAll => tally.failures() > 0,
            Kind::Successes(wanted) => tally.values < wanted,
            Kind::Until(_) => false,
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::FailFast => f.write_str("fail_fast")?,
            Kind::CollectAll => f.write_str("collect_all")?,
            Kind::Successes(wanted) => write!(f, "quorum({wanted})")?,
            Kind::Until(_) => f.write_str("until(…)")?,
        }
        f.write_str(if self.lowest { ".lowest_index()" } else { "" })
    }
}

/// How a task ended, as far as a policy cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    Error,
    Panic,
    Cancelled,
}

/// What the end of a task means for the others.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Continue,
    /// Begin no task with a higher index than this.
    Cut(usize),
    /// It is made once in a scope, and each task's end returns a verdict: that is to be small.
    Cancel(Box<Cause>),
}

impl Verdict {
    pub(crate) fn cancel(cause: Cause) -> Self {
        Verdict::Cancel(Box::new(cause))
    }
}
