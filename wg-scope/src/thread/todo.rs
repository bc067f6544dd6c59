//! One task without its closure: who it is, what running it means, and what becomes of its outcome.

use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::shared::Shared;
use crate::cause::Stopped;
use crate::context;
use crate::ledger::as_echo;
use crate::outcome::{Outcome, Payload, drop_caught};
use crate::policy::Verdict;
use crate::settle::Settle;
use crate::task_info::{Note, Tag, TaskInfo};
use crate::timeline::{Begun, Ended, OutcomeKind};

/// A task without its closure: who it is, and what becomes of its outcome.
pub(super) struct Todo<'scope, L, S> {
    scope: &'scope Arc<Shared>,
    label: L,
    settle: S,
}

/// What came of running a task.
pub(super) struct Executed<T> {
    pub(super) outcome: Outcome<T>,
    /// Orders failures by completion.
    pub(super) order: usize,
    pub(super) verdict: Verdict,
    /// When, if that is recorded.
    pub(super) ended: Option<Ended>,
}

impl<'scope, L: Tag, S> Todo<'scope, L, S> {
    pub(super) fn new(scope: &'scope Arc<Shared>, label: L, settle: S) -> Self {
        Todo { scope, label, settle }
    }

    pub(super) fn scope(&self) -> &'scope Arc<Shared> {
        self.scope
    }

    pub(super) fn task(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.label())
    }

    #[inline]
    pub(super) fn note(&self, index: u64) -> Note {
        self.label.note(index)
    }

    /// Runs the closure, unless the task is not to begin any more. When this returns nothing of the
    /// user's is left but the outcome (rule 1), which is to be laid down or forgone before the verdict
    /// is obeyed. `from`: as in [`Job::run_after`](super::job::Job::run_after).
    pub(super) fn execute<T>(
        &self,
        index: u64,
        closure: impl FnOnce() -> T,
        from: Option<Ended>,
    ) -> Executed<T>
    where
        S: Settle<T>,
    {
        let told = context::told();
        let mut span = self.scope.begin_span_from(from);
        let result = if self.scope.skips(index) {
            drop_caught(closure).map(|()| None)
        } else {
            catch_unwind(AssertUnwindSafe(closure)).map(Some)
        };
        let end = |span: &mut Begun<'_>| span.end(index, &self.label, self.kind_of(&result));
        let ended = span.as_mut().map(end);
        let mut verdict = Verdict::Continue;
        let mut order = 0;
        let outcome = match result {
            Ok(Some(value)) => {
                if self.settle.is_error(&value) {
                    (order, verdict) = self.scope.judge_error(&self.task(index));
                    order = if context::told() == told { order } else { as_echo(order) };
                } else {
                    verdict = self.scope.judge_value(|| self.task(index));
                }
                Outcome::Value(value)
            }
            Ok(None) => {
                self.scope.cancelled(&self.task(index));
                Outcome::Lost(Box::new(self.scope.stopped()))
            }
            Err(payload) => Outcome::Lost(Box::new(self.panicked(index, payload))),
        };
        Executed { outcome, order, verdict, ended }
    }

    #[cold]
    fn kind_of<T>(&self, result: &Result<Option<T>, Payload>) -> OutcomeKind
    where
        S: Settle<T>,
    {
        match result {
            Ok(Some(value)) => OutcomeKind::of_value(self.settle.is_error(value)),
            Ok(None) => OutcomeKind::Cancelled,
            Err(payload) => OutcomeKind::of_panic(payload),
        }
    }

    fn panicked<T>(&self, index: u64, payload: Payload) -> Stopped
    where
        S: Settle<T>,
    {
        let task = self.task(index);
        let (echo, failure) = self.scope.panicked(payload, &task);
        if let Some((payload, order)) = failure {
            self.settle.caught(task, payload, order);
        }
        echo
    }

    /// Settles a result that no handle claims. A panic in its drop is the task's, wherever it
    /// happens.
    pub(super) fn forgo<T>(&self, index: u64, outcome: Outcome<T>, order: usize)
    where
        S: Settle<T>,
    {
        if self.settle.drops(&outcome) {
            if needs_drop::<T>() {
                if let Err(payload) = drop_caught(outcome) {
                    self.panicked(index, payload);
                }
            }
            return;
        }
        let task = self.task(index);
        let settled = AssertUnwindSafe(|| self.settle.settle(task, outcome, order));
        if let Err(payload) = catch_unwind(settled) {
            self.panicked(index, payload);
        }
    }

    /// Runs a closure whose result nobody claims.
    pub(super) fn run<T>(&self, index: u64, closure: impl FnOnce() -> T)
    where
        S: Settle<T>,
    {
        let Executed { outcome, order, verdict, .. } = self.execute(index, closure, None);
        self.forgo(index, outcome, order);
        self.scope.obey(verdict);
    }
}
