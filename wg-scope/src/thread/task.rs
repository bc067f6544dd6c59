//! One task: a closure on its way from the queue to its handle.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use wg_core::sync::{Mutex, current};

use super::frame;
use super::job::Run;
use super::onward::with_room;
use super::pool;
use super::queue::{Begun, Guest};
use super::shared::Shared;
use super::wait::{Vain, wait};
use crate::cause::Stopped;
use crate::context::{self, Role};
use crate::ledger::as_echo;
use crate::outcome::{Outcome, Payload, drop_caught};
use crate::policy::Verdict;
use crate::settle::Settle;
use crate::task_info::{Label, TaskInfo};

/// A task as its handle sees it.
pub(super) trait Join<T>: Send + Sync {
    /// Runs the task in place if it has not begun, otherwise blocks until it has ended.
    fn join(&self, index: u64, deadline: Option<Instant>) -> Result<Outcome<T>, Vain>;

    /// Gives the result up: it is settled by whoever finds it first, here or at the task's end.
    fn abandon(&self, index: u64);

    fn is_finished(&self) -> bool;

    fn info(&self, index: u64) -> TaskInfo;
}

/// Where a task stands. The lock around it decides who runs the task and who settles its result.
enum Stage<F, T> {
    /// Not begun. Who takes the closure runs it.
    Queued(F, Holder),
    Running(Holder),
    Ended(Outcome<T>, usize),
    /// The result is somebody's, or nobody's any more. Nothing of the user's is left in here.
    Taken,
}

/// Whoever holds the handle of a task that has not ended.
enum Holder {
    Busy,
    Joining(Waker),
    Gone,
}

pub(super) struct Cell<'scope, F, T, S> {
    scope: &'scope Arc<Shared>,
    label: Label,
    settle: S,
    stage: Mutex<Stage<F, T>>,
}

impl<'scope, F, T, S> Cell<'scope, F, T, S>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    /// Creates a task whose handle is held.
    pub(super) fn held(scope: &'scope Arc<Shared>, label: Label, closure: F, settle: S) -> Self {
        let stage = Stage::Queued(closure, Holder::Busy);
        Cell { scope, label, settle, stage: Mutex::new(stage) }
    }

    /// Creates a task that nobody holds a handle of.
    pub(super) fn free(scope: &'scope Arc<Shared>, label: Label, closure: F, settle: S) -> Self {
        let stage = Stage::Queued(closure, Holder::Gone);
        Cell { scope, label, settle, stage: Mutex::new(stage) }
    }

    fn task(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.clone())
    }

    /// Takes the closure, if the task has not begun.
    fn begin(&self) -> Option<F> {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Queued(closure, holder) => {
                *stage = Stage::Running(holder);
                Some(closure)
            }
            other => {
                *stage = other;
                None
            }
        }
    }

    /// Runs a task that was begun. At the end everything of the user's has been dropped or handed over
    /// (rule 1).
    fn execute(&self, index: u64, closure: F) {
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
        self.deliver(index, outcome, order);
        self.scope.obey(verdict);
    }

    fn panicked(&self, index: u64, payload: Payload) -> Stopped {
        let task = self.task(index);
        let (echo, failure) = self.scope.panicked(payload, &task);
        if let Some((payload, order)) = failure {
            self.settle.caught(task, payload, order);
        }
        echo
    }

    fn deliver(&self, index: u64, outcome: Outcome<T>, order: usize) {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Running(Holder::Gone) => {
                drop(stage);
                self.forgo(index, outcome, order);
            }
            Stage::Running(holder) => {
                *stage = Stage::Ended(outcome, order);
                drop(stage);
                if let Holder::Joining(waker) = holder {
                    waker.wake();
                }
            }
            _ => unreachable!("only the one who began a task ends it"),
        }
    }

    /// Settles a result that no handle claims. A panic in its drop is the task's, wherever it
    /// happens.
    fn forgo(&self, index: u64, outcome: Outcome<T>, order: usize) {
        let task = self.task(index);
        let settled = AssertUnwindSafe(|| self.settle.settle(task, outcome, order));
        if let Err(payload) = catch_unwind(settled) {
            self.panicked(index, payload);
        }
    }

    /// What this thread is to the scope if it has no slot there.
    fn guest(&self) -> Guest {
        if frame::is_inside_a_task_of(self.scope) { Guest::OfSleeper } else { Guest::Stranger }
    }

    /// Whether this is the body of a scope whose tasks want stacks of their own size.
    fn is_for_runners(&self) -> bool {
        !self.scope.runs_anywhere() && frame::role_in(self.scope) == Some(Role::Body)
    }

    fn has_slot(&self) -> bool {
        frame::role_in(self.scope) == Some(Role::Task)
    }

    /// Runs the task in place, if this thread may run it now.
    fn run_in_place(&self, index: u64) {
        let queue = &self.scope.queue;
        if self.scope.skips(index) {
            // Nothing of it will run, so it needs no slot.
            let (begun, follow) = queue.take_in_slot(index, self.task(index));
            self.scope.follow(follow);
            self.run(index);
            queue.end_in_slot(begun);
        } else if self.has_slot() {
            let (begun, follow) = queue.take_in_slot(index, self.task(index));
            self.scope.follow(follow);
            self.run_framed(index);
            queue.end_in_slot(begun);
        } else if let Some(begun) = queue.take_as(self.guest(), index, self.task(index)) {
            self.run_as_guest(index, begun);
        }
    }

    fn run_as_guest(&self, index: u64, begun: Begun) {
        self.run_framed(index);
        let follow = self.scope.queue.end(begun, pool::cores());
        self.scope.follow(follow);
    }

    fn run_framed(&self, index: u64) {
        with_room(self.scope, || {
            let _frame = frame::enter(self.scope, Role::Task);
            self.run(index);
        });
    }

    /// Waits for the end of the task, which a guest may still have to run.
    fn await_end(
        &self,
        index: u64,
        deadline: Option<Instant>,
        sleeper: Sleeper,
    ) -> Result<Outcome<T>, Vain> {
        loop {
            let step = wait(self.scope, deadline, |waker| {
                if let Some(outcome) = self.take(waker) {
                    return Some(Step::Ended(outcome));
                }
                let Sleeper::Guest(guest) = sleeper else { return None };
                // All slots were taken. A runner will come to it, or a slot becomes free for it.
                let may_begin =
                    !self.has_begun() && self.scope.queue.has_room_for(guest, current());
                may_begin.then_some(Step::MayBegin)
            })?;
            match (step, sleeper) {
                (Step::Ended(outcome), _) => return Ok(outcome),
                // It is only now that this thread has its own slots back, in other scopes: who
                // waited for those with one of this scope in hand might wait for ever.
                (Step::MayBegin, Sleeper::Guest(guest)) => {
                    let begun = self.scope.queue.take_as(guest, index, self.task(index));
                    if let Some(begun) = begun {
                        self.run_as_guest(index, begun);
                    }
                }
                (Step::MayBegin, Sleeper::Beside) => unreachable!("only guests begin anything"),
            }
        }
    }

    fn has_begun(&self) -> bool {
        !matches!(*self.stage.lock(), Stage::Queued(..))
    }

    /// Takes the outcome if it is there; otherwise `waker` is woken when it is.
    fn take(&self, waker: &Waker) -> Option<Outcome<T>> {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Ended(outcome, _) => return Some(outcome),
            Stage::Running(_) => *stage = Stage::Running(Holder::Joining(waker.clone())),
            Stage::Queued(closure, _) => {
                *stage = Stage::Queued(closure, Holder::Joining(waker.clone()));
            }
            Stage::Taken => unreachable!("a task is joined once"),
        }
        None
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
    /// For a task that others run.
    Beside,
    /// For that, or for a slot to run it in.
    Guest(Guest),
}

impl<'scope, F, T, S> Run for Cell<'scope, F, T, S>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn run(&self, index: u64) {
        if let Some(closure) = self.begin() {
            self.execute(index, closure);
        }
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.task(index)
    }
}

impl<'scope, F, T, S> Join<T> for Cell<'scope, F, T, S>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn join(&self, index: u64, deadline: Option<Instant>) -> Result<Outcome<T>, Vain> {
        // A timed join runs nothing: there would be no end to it. And a body whose stack is not for
        // these tasks has runners that it can wait for, and hears of a cancel meanwhile.
        let runs = self.scope.skips(index) || (deadline.is_none() && !self.is_for_runners());
        if self.has_begun() || !runs {
            return self.await_end(index, deadline, Sleeper::Beside);
        }
        self.run_in_place(index);
        self.await_end(index, deadline, Sleeper::Guest(self.guest()))
    }

    fn abandon(&self, index: u64) {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Queued(closure, _) => {
                *stage = Stage::Queued(closure, Holder::Gone);
            }
            Stage::Running(_) => *stage = Stage::Running(Holder::Gone),
            Stage::Ended(outcome, order) => {
                drop(stage);
                self.forgo(index, outcome, order);
            }
            Stage::Taken => {}
        }
    }

    fn is_finished(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Ended(..))
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.task(index)
    }
}
