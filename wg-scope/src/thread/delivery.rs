//! A task on its way to an outlet: it runs as any other, or is dropped because nobody wants what
//! would come of it; and delivers.

use std::sync::Arc;

use wg_core::Token;
use wg_core::sync::Mutex;

use super::job::Run;
use super::large::Unboxing;
use super::shared::Shared;
use super::todo::Todo;
use super::wait::wait;
use crate::cause::{Cause, Stopped};
use crate::failures::Report;
use crate::outcome::{Outcome, Payload, discard, drop_caught};
use crate::outlet::{Outlet, Ticket};
use crate::settle::Plain;
use crate::settle::Settle;
use crate::task_info::{Label, Tag, TaskInfo};
use crate::timeline::OutcomeKind;

/// What becomes of the outcome of a task of an outlet. Whatever it is, the task leaves the roll,
/// once, before anything of the user's is dropped.
pub(super) struct Deliver<'scope, T, K> {
    pub(super) scope: &'scope Arc<Shared>,
    pub(super) outlet: Arc<Outlet<T>>,
    pub(super) ticket: Ticket,
    /// What becomes of an outcome that is no value for the outlet.
    pub(super) keep: K,
}

impl<T, K> Deliver<'_, T, K> {
    /// Delivers a value, and waits where there is a bound. What is refused is dropped here, where
    /// the task's own panics are caught.
    fn deliver(&self, task: TaskInfo, value: T) {
        match self.outlet.deliver(&self.ticket, task, value) {
            Ok(place) if self.outlet.is_bounded() => {
                let free = |waker: &_| self.outlet.may_pass(place, waker).then_some(());
                // If the scope is cancelled, the task does not wait any more. The value stays.
                if wait(self.scope, None, free).is_err() {
                    self.outlet.pass(place);
                }
            }
            Ok(_) => {}
            Err(value) => drop(value),
        }
    }
}

impl<T: Send> Settle<T> for Deliver<'_, T, Plain> {
    fn settle(&self, task: TaskInfo, outcome: Outcome<T>, _: usize) {
        match outcome {
            Outcome::Value(value) => self.deliver(task, value),
            Outcome::Lost(_) => self.outlet.end(&self.ticket),
        }
    }

    fn caught(&self, _: TaskInfo, payload: Payload, _: usize) {
        discard(payload);
    }
}

impl<T: Send, E: Send> Settle<Result<T, E>> for Deliver<'_, T, Report<'_, E>> {
    fn is_error(&self, value: &Result<T, E>) -> bool {
        value.is_err()
    }

    fn settle(&self, task: TaskInfo, outcome: Outcome<Result<T, E>>, order: usize) {
        match outcome {
            Outcome::Value(Ok(value)) => self.deliver(task, value),
            Outcome::Value(Err(error)) => {
                // In this order: whoever sees the end sees the failure.
                self.keep.failed(task, error, order);
                self.outlet.end(&self.ticket);
            }
            Outcome::Lost(_) => self.outlet.end(&self.ticket),
        }
    }

    fn caught(&self, task: TaskInfo, payload: Payload, order: usize) {
        self.keep.panicked(task, payload, order);
    }
}

/// Whether anybody still wants what would come of a task that has not begun.
pub(super) trait Wanted {
    fn is_unwanted(&self) -> bool;
}

impl<T, K> Wanted for Deliver<'_, T, K> {
    fn is_unwanted(&self) -> bool {
        self.outlet.is_unwanted()
    }
}

impl<S: Wanted> Wanted for Unboxing<S> {
    fn is_unwanted(&self) -> bool {
        self.0.is_unwanted()
    }
}

/// A task of an outlet that has not begun.
///
/// It holds a token of the scope's group as long as it holds anything else of the scope's or the
/// user's; its share in the outlet is given back before that token. What is left in a queue after
/// it was run is a label.
pub(super) struct Queued<'scope, F, S> {
    scope: &'scope Arc<Shared>,
    label: Label,
    waiting: Mutex<Option<(F, S, Token<'scope>)>>,
}

impl<'scope, F, S> Queued<'scope, F, S> {
    pub(super) fn new(scope: &'scope Arc<Shared>, label: Label, closure: F, settle: S) -> Self {
        let waiting = Mutex::new(Some((closure, settle, scope.group.token())));
        Queued { scope, label: scope.stamped(label), waiting }
    }

    /// Ends a task that nobody wants, as one that was cancelled.
    fn skip<T>(&self, task: TaskInfo, closure: F, settle: &S)
    where
        S: Settle<T> + Send + Sync,
    {
        match drop_caught(closure) {
            Ok(()) => self.scope.cancelled(&task),
            Err(payload) => {
                let (_, failure) = self.scope.panicked(payload, &task);
                if let Some((payload, order)) = failure {
                    settle.caught(task.clone(), payload, order);
                }
            }
        }
        let stopped = Stopped::new(Cause::ReceiverGone);
        settle.settle(task, Outcome::Lost(Box::new(stopped)), 0);
    }
}

impl<'scope, F, T, S> Run for Queued<'scope, F, S>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
    S: Settle<T> + Wanted + Send + Sync + 'scope,
{
    fn run(&self, index: u64) {
        let Some((closure, settle, token)) = self.waiting.lock().take() else { return };
        if settle.is_unwanted() {
            if let Some(mut span) = self.scope.begin_span() {
                span.end(index, &self.label, OutcomeKind::Cancelled);
            }
            self.skip(self.info(index), closure, &settle);
            drop(settle);
        } else {
            let label = self.label.clone().spawned_at(self.label.stamp());
            Todo::new(self.scope, label, settle).run(index, closure);
        }
        drop(token);
    }

    fn info(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.clone())
    }
}
