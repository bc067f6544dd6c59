//! How a task is joined: run in place if nobody has begun it, or waited for.

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
use crate::context::Role;
use crate::outcome::Outcome;

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
