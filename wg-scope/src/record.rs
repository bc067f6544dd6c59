//! What every scope has, of whatever kind: its place in the tree, its ledger, and what follows from
//! the ends of its tasks.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use wg_core::sync::{Mutex, MutexGuard};

use crate::cancel::Node;
use crate::cause::{Cause, Stopped};
use crate::ledger::{Back, Conclusion, Ledger, Panicked, Unwind, echo, stopped};
use crate::options::Options;
use crate::outcome::{Payload, discard};
use crate::policy::{Policy, Verdict};
use crate::task_info::{Label, Stamp, Tag, TaskInfo};
use crate::timeline::{Begun, Ended, Lane, OutcomeKind};

/// A scope, as far as it decides.
pub(crate) struct Record {
    pub(crate) node: Arc<Node>,
    pub(crate) name: Option<Arc<str>>,
    /// A predicate in there that panics is the scope's failure, and is not asked what it was left like.
    policy: AssertUnwindSafe<Policy>,
    catches: bool,
    /// Opened by the first end that is worth an entry: most scopes have none.
    ledger: OnceLock<Box<Mutex<Ledger>>>,
}

impl Record {
    pub(crate) fn new(options: &Options, policy: Policy) -> Self {
        Record {
            node: options.node(),
            name: options.name.clone(),
            policy: AssertUnwindSafe(policy),
            catches: options.catches,
            ledger: OnceLock::new(),
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.get_or_init(|| Box::new(Mutex::new(self.new_ledger()))).lock()
    }

    fn new_ledger(&self) -> Ledger {
        Ledger::new(self.policy.0.clone(), self.catches)
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.node.is_cancelled()
    }

    /// Returns when a task is spawned that is spawned now, if that is recorded.
    #[inline]
    pub(crate) fn spawns(&self) -> Stamp {
        self.node.lane().map_or(Stamp::NEVER, Lane::stamp)
    }

    /// Enters in a label when its task is spawned, if that is recorded.
    #[inline]
    pub(crate) fn stamped(&self, label: Label) -> Label {
        if label.stamp().is_set() { label } else { label.spawned_at(self.spawns()) }
    }

    /// Begins the span of a task or an item on this thread, if that is recorded.
    #[inline]
    pub(crate) fn begin_span(&self) -> Option<Begun<'_>> {
        self.node.lane().map(Lane::begin)
    }

    /// As [`begin_span`](Self::begin_span), on a thread that may have gone straight on from the end of
    /// another span of this scope.
    #[inline]
    pub(crate) fn begin_span_from(&self, end: Option<Ended>) -> Option<Begun<'_>> {
        self.node.lane().map(|lane| lane.begin_from(end))
    }

    /// Enters that a future is polled for the first time. What this returns is set in any case.
    #[inline]
    pub(crate) fn first_poll(&self) -> Stamp {
        self.node.lane().map_or(Stamp::SOME, Lane::stamp)
    }

    /// Enters that a future has ended on this thread, if that is recorded.
    #[inline]
    pub(crate) fn future_ended(
        &self,
        index: u64,
        label: &Label,
        began: Stamp,
        kind: impl FnOnce() -> OutcomeKind,
    ) {
        if let Some(lane) = self.node.lane() {
            lane.future_ended(index, label, began, kind());
        }
    }

    /// Whether this task is not to begin any more.
    #[inline]
    pub(crate) fn skips(&self, index: u64) -> bool {
        self.node.skips(index)
    }

    /// Returns what those are told who wait in vain.
    pub(crate) fn stopped(&self) -> Stopped {
        stopped(self.node.cause())
    }

    /// Whether a value can decide anything.
    #[inline]
    pub(crate) fn counts_values(&self) -> bool {
        self.policy.0.counts_values()
    }

    /// Whether anything is entered of a future that returns a value.
    #[cfg(feature = "local")]
    #[inline]
    pub(crate) fn enters_values(&self) -> bool {
        self.counts_values() || self.node.lane().is_some()
    }

    /// Enters a task that returned a value.
    #[inline]
    pub(crate) fn value(&self, task: impl FnOnce() -> TaskInfo) {
        let verdict = self.judge_value(task);
        self.obey(verdict);
    }

    /// Enters a task that returned an error. The number orders failures by completion.
    pub(crate) fn error(&self, task: &TaskInfo) -> usize {
        let (order, verdict) = self.judge_error(task);
        self.obey(verdict);
        order
    }

    /// As [`value`](Self::value), leaving to the caller to obey: a value that decides must be where
    /// it is looked for before those who look hear that all is over.
    #[inline]
    pub(crate) fn judge_value(&self, task: impl FnOnce() -> TaskInfo) -> Verdict {
        if self.counts_values() { self.ledger().value(&task()) } else { Verdict::Continue }
    }

    /// As [`error`](Self::error), leaving to the caller to obey.
    pub(crate) fn judge_error(&self, task: &TaskInfo) -> (usize, Verdict) {
        self.ledger().error(task)
    }

    /// Enters a task that did not begin.
    pub(crate) fn cancelled(&self, task: &TaskInfo) {
        let verdict = self.ledger().cancelled(task);
        self.obey(verdict);
    }

    /// Enters a task's panic. Returns what those are told who wait for the task; and the payload,
    /// if it is a failure that the scope reports, with its place among the failures.
    pub(crate) fn panicked(
        &self,
        payload: Payload,
        task: &TaskInfo,
    ) -> (Stopped, Option<(Payload, usize)>) {
        let echo = echo(&payload, task);
        let cancelled = self.is_cancelled();
        let Panicked { verdict, back } = self.ledger().panicked(payload, task, cancelled);
        self.obey(verdict);
        let failure = match back {
            Back::Kept => None,
            Back::Failure(payload, order) => Some((payload, order)),
            Back::Unneeded(payload) => {
                discard(payload);
                None
            }
        };
        (echo, failure)
    }

    /// From here on, keeps the failures that nobody else keeps.
    pub(crate) fn keep_strays(&self) {
        self.ledger().keep_strays();
    }

    /// Keeps a panic that is a failure, where nobody else does, for a scope that reports failures.
    pub(crate) fn stray(&self, task: TaskInfo, payload: Payload, order: usize) {
        let back = self.ledger().stray((order, task, payload));
        if let Some(payload) = back {
            discard(payload);
        }
    }

    /// Does what the ledger decided.
    #[inline]
    pub(crate) fn obey(&self, verdict: Verdict) {
        if !matches!(verdict, Verdict::Continue) {
            self.stop(verdict);
        }
    }

    #[cold]
    fn stop(&self, verdict: Verdict) {
        match verdict {
            Verdict::Continue => {}
            Verdict::Cut(index) => self.node.cut(index as u64),
            Verdict::Cancel(cause) => {
                self.node.cancel(*cause);
            }
        }
    }

    /// Closes the ledger, when every task has ended. `body` is the panic of the scope's own body, if
    /// it ended with one.
    pub(crate) fn close(&self, body: Option<Payload>) -> Conclusion {
        // A payload may be dropped in there, which is user code, and not under the lock.
        let ledger = match (self.ledger.get(), &body) {
            (Some(ledger), _) => std::mem::take(&mut *ledger.lock()),
            (None, Some(_)) => self.new_ledger(),
            (None, None) => return Conclusion::of_values(&self.policy.0),
        };
        let mut conclusion = ledger.close(body);
        // Whoever wrote this scope did not ask for it to be cancelled: to return as if all had been
        // done would pass nothing off as something.
        let lost = conclusion.tally.cancelled > 0;
        if let (Unwind::Not, true, Some(cause @ Cause::Outer(_))) =
            (&conclusion.unwind, lost, self.node.cause())
        {
            conclusion.unwind = Unwind::Echo(stopped(Some(cause)));
        }
        conclusion
    }
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Record")
            .field("name", &self.name)
            .field("node", &self.node)
            .finish_non_exhaustive()
    }
}
