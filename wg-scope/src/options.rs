//! The one value that says how a scope or a fan-out is to run.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wg_core::sync::now;

use crate::cancel::{Cancel, Node, Relation};
use crate::context;
use crate::policy::Policy;
use crate::timeline::{Lane, Timeline};

/// How a scope or a fan-out is to run. Made by [`options`]; the same value serves every entry
/// point, any number of times.
///
/// # Examples
///
/// ```
/// let careful = wg::options().name("index").limit(2);
/// let total = careful.scope(|s| {
///     let parts: Vec<_> = (1..=4).map(|n| s.spawn(move || n * n)).collect();
///     parts.into_iter().map(|part| part.join()).sum::<u32>()
/// });
/// assert_eq!(total, 30);
/// ```
#[derive(Clone, Default)]
#[must_use = "options do nothing until a scope or a fan-out is started with them"]
pub struct Options {
    pub(crate) name: Option<Arc<str>>,
    pub(crate) limit: Option<NonZeroUsize>,
    deadline: Option<Instant>,
    timeout: Option<Duration>,
    pub(crate) cancel: Option<Cancel>,
    policy: Option<Policy>,
    pub(crate) catches: bool,
    pub(crate) shielded: bool,
    pub(crate) stack_size: Option<NonZeroUsize>,
    pub(crate) grace: Option<Duration>,
    timeline: Option<Timeline>,
}

/// Returns the options that a scope has without any: no name, no limit, no deadline, failing fast.
pub fn options() -> Options {
    Options::default()
}

impl Options {
    /// Names the scope, for its reports.
    pub fn name(mut self, name: &str) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Limits how many tasks run at once.
    ///
    /// # Panics
    ///
    /// If `limit` is 0: nothing would ever run.
    #[track_caller]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(checked_limit(limit));
        self
    }

    /// Cancels the scope at this instant, with [`Cause::Deadline`](crate::Cause::Deadline). Of
    /// several deadlines, also of outer scopes, the earliest counts. An instant in the past cancels
    /// at once.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |other| other.min(deadline)));
        self
    }

    /// As [`deadline`](Self::deadline), so long after the scope is entered. A time that no clock can
    /// express (`Duration::MAX`) is none.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(self.timeout.map_or(timeout, |other| other.min(timeout)));
        self
    }

    /// Cancels the scope when `cancel` is cancelled.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = Some(cancel.clone());
        self
    }

    /// Says what the end of a task does to the others. Without it, the first failure cancels them,
    /// save where the call's name says that all are collected.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Treats a task's panic as a failure, which the policy judges, instead of resuming it from the
    /// scope. The panic hook prints it in any case. A panic of the body is resumed as ever.
    pub fn catch_panics(mut self) -> Self {
        self.catches = true;
        self
    }

    /// Hides the cancels and deadlines of outer scopes from this one; its own deadline stays.
    pub fn shield(mut self) -> Self {
        self.shielded = true;
        self
    }

    /// Gives futures that run this long after a cancel, to end by themselves; then they are dropped.
    /// Without it they are dropped at once.
    ///
    /// For scopes of futures: `local` and `tokio`. A thread cannot be stopped from outside, and is
    /// waited for in any case.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Runs the tasks on threads with stacks of at least `bytes` bytes.
    ///
    /// Such tasks run on no thread with a smaller stack: not on the one that leaves the scope, and
    /// not on one that joins them from outside.
    ///
    /// # Panics
    ///
    /// If `bytes` is 0.
    #[track_caller]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        let bytes = NonZeroUsize::new(bytes).expect("a stack of 0 bytes holds no task");
        self.stack_size = Some(bytes);
        self
    }

    /// Records in `timeline` what runs when, here and in the scopes inside that are not given another
    /// one.
    ///
    /// # Examples
    ///
    /// ```
    /// let timeline = wg::Timeline::new();
    /// wg::options().timeline(&timeline).scope(|s| {
    ///     s.spawn(|| wg::fan_out(0..3).name("inside").for_each(drop));
    /// });
    /// let inside = timeline.spans().into_iter().filter(|span| span.scope() == Some("inside"));
    /// assert_eq!(inside.count(), 3);
    /// ```
    pub fn timeline(mut self, timeline: &Timeline) -> Self {
        self.timeline = Some(timeline.clone());
        self
    }

    /// The policy that was asked for, or else this one.
    pub(crate) fn policy_or(&self, policy: Policy) -> Policy {
        self.policy.clone().unwrap_or(policy)
    }

    /// A place in the tree for a scope that is entered now, on this thread.
    pub(crate) fn node(&self) -> Arc<Node> {
        let around = context::innermost();
        let outer = around.as_ref().filter(|_| !self.shielded).map(|node| (node, Relation::Inside));
        let by_hand = self.cancel.as_ref().map(|cancel| (cancel.node(), Relation::Same));
        let above: Vec<_> = outer.into_iter().chain(by_hand).collect();
        Node::recorded(&above, self.deadline_from_now(), self.lane(around.as_deref()))
    }

    /// Where the tasks of a scope are recorded that is entered in the one `around`.
    fn lane(&self, around: Option<&Node>) -> Option<Lane> {
        let outer = around.and_then(Node::lane);
        let own = self.timeline.as_ref().map(|timeline| timeline.lane(self.name.clone()));
        own.or_else(|| outer.map(|lane| lane.inside(self.name.clone())))
    }

    /// The earliest deadline of these options, for a scope that is entered now.
    fn deadline_from_now(&self) -> Option<Instant> {
        let timeout = self.timeout.and_then(|timeout| now().checked_add(timeout));
        self.deadline.into_iter().chain(timeout).min()
    }
}

/// Refuses a limit of 0 where it is given (rule 9).
#[track_caller]
pub(crate) fn checked_limit(limit: usize) -> NonZeroUsize {
    NonZeroUsize::new(limit).expect("a limit of 0 lets nothing run: it must be at least 1")
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .field("limit", &self.limit)
            .field("deadline", &self.deadline)
            .field("timeout", &self.timeout)
            .field("cancel", &self.cancel)
            .field("policy", &self.policy)
            .field("catch_panics", &self.catches)
            .field("shield", &self.shielded)
            .field("stack_size", &self.stack_size)
            .field("grace", &self.grace)
            .field("timeline", &self.timeline)
            .finish()
    }
}
