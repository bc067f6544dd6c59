//! One task: what running it means, and how it is joined.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use wg_core::sync::current;

use super::cell::Claim;
use super::frame;
use super::job::Job;
use super::onward::with_room;
use super::pool;
use super::queue::{Guest, Taken};
use super::shared::Shared;
use super::wait::{Vain, wait};
use crate::cause::Stopped;
use crate::context::{self, Role};
use crate::ledger::as_echo;
use crate::outcome::{Outcome, Payload, drop_caught};
use crate::policy::Verdict;
use crate::settle::Settle;
use crate::task_info::{Label, TaskInfo};

/// A task without its closure: who it is, and what becomes of its outcome.
pub(super) struct Todo<'scope, S> {
    scope: &'scope Arc<Shared>,
    label: Label,
    settle: S,
}

impl<'scope, S> Todo<'scope, S> {
    pub(super) fn new(scope: &'scope Arc<Shared>, label: Label, settle: S) -> Self {
        Todo { scope, label, settle }
    }

    pub(super) fn scope(&self) -> &'scope Arc<Shared> {
        self.scope
    }

    pub(super) fn task(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.clone())
    }

    /// Runs the closure, unless the task is not to begin any more. When this returns nothing of the
    /// user's is left but the outcome (rule 1), which is to be laid down or forgone before the verdict
    /// is obeyed; the number orders failures by completion.
    pub(super) fn execute<T>(
        &self,
        index: u64,
        closure: impl FnOnce() -> T,
    ) -> (Outcome<T>, usize, Verdict)
    where
        S: Settle<T>,
    {
        let told = context::told();
        let result = if self.scope.skips(index) {
            drop_caught(closure).map(|()| None)
        } else {
            catch_unwind(AssertUnwindSafe(closure)).map(Some)
        };
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
        (outcome, order, verdict)
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
        let (outcome, order, verdict) = self.execute(index, closure);
        self.forgo(index, outcome, order);
        self.scope.obey(verdict);
    }
}

/// What a joiner waits for.
enum Step<T> {
    Ended(Outcome<T>),
    /// There may be a slot to run the task in.
    MayBegin,
}

/// How a joiner waits.
#[derive(Clone, Copy)]
enum Sleeper {
    /// For the end of the task, which others run.
    Beside,
    /// For that, or for a slot to run it in.
    Guest(Guest),
}

/// # Joining
impl<T> Claim<'_, T> {
    /// Runs the task in place if it has not begun, otherwise blocks until it has ended.
    pub(super) fn join(&mut self, deadline: Option<Instant>) -> Result<Outcome<T>, Vain> {
        if let Some(outcome) = self.take() {
            return Ok(outcome);
        }
        // A timed join runs nothing: there would be no end to it. And a body whose stack is not for
        // these tasks has runners that it can wait for, and hears of a cancel meanwhile.
        let runs = self.scope().skips(self.index())
            || (deadline.is_none() && !is_for_runners(self.scope()));
        let sleeper = if runs { self.run_in_place() } else { Sleeper::Beside };
        match self.take() {
            Some(outcome) => Ok(outcome),
            None => self.await_end(deadline, sleeper),
        }
    }

    /// Runs the task in place, if this thread may run it now. Returns how to wait for its end.
    fn run_in_place(&self) -> Sleeper {
        let (scope, index) = (self.scope(), self.index());
        // Where nothing of it will run it needs no slot.
        if scope.skips(index) || frame::role_in(scope) == Some(Role::Task) {
            if let Some((job, begun, follow)) = scope.queue.take_in_slot(index) {
                scope.follow(follow);
                run_framed(scope, job, index);
                scope.queue.end_in_slot(begun);
            }
            return Sleeper::Beside;
        }
        let guest =
            if frame::is_inside_a_task_of(scope) { Guest::OfSleeper } else { Guest::Stranger };
        self.run_as_guest(guest)
    }

    fn run_as_guest(&self, guest: Guest) -> Sleeper {
        let (scope, index) = (self.scope(), self.index());
        match scope.queue.take_as(guest, index) {
            Taken::Begun(job, begun) => {
                run_framed(scope, job, index);
                let follow = scope.queue.end(begun, pool::cores());
                scope.follow(follow);
                Sleeper::Beside
            }
            Taken::NoRoom => Sleeper::Guest(guest),
            Taken::Elsewhere => Sleeper::Beside,
        }
    }

    /// Waits for the end of the task, which a guest may still have to run.
    fn await_end(
        &mut self,
        deadline: Option<Instant>,
        mut sleeper: Sleeper,
    ) -> Result<Outcome<T>, Vain> {
        let scope = Arc::clone(self.scope());
        loop {
            let step = wait(&scope, deadline, |waker| {
                if let Some(outcome) = self.take_or_await(waker) {
                    return Some(Step::Ended(outcome));
                }
                let Sleeper::Guest(guest) = sleeper else { return None };
                // All slots were taken. A runner will come to it, or a slot becomes free for it.
                scope.queue.has_room_for(guest, current()).then_some(Step::MayBegin)
            })?;
            match (step, sleeper) {
                (Step::Ended(outcome), _) => return Ok(outcome),
                // It is only now that this thread has its own slots back, in other scopes: who
                // waited for those with one of this scope in hand might wait for ever.
                (Step::MayBegin, Sleeper::Guest(guest)) => sleeper = self.run_as_guest(guest),
                (Step::MayBegin, Sleeper::Beside) => unreachable!("only guests begin anything"),
            }
        }
    }
}

/// Whether this is the body of a scope whose tasks want stacks of their own size.
fn is_for_runners(scope: &Arc<Shared>) -> bool {
    !scope.runs_anywhere() && frame::role_in(scope) == Some(Role::Body)
}

/// Runs a job here, as a task of the scope.
pub(super) fn run_framed(scope: &Arc<Shared>, job: Job, index: u64) {
    with_room(scope, || {
        let _frame = frame::enter(scope, Role::Task);
        job.run(index);
    });
}
