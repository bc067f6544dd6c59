//! The failures of a scope that nobody has claimed, and what is returned of them at its end.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use wg_core::sync::Mutex;

use crate::cause::{Cause, Stopped};
use crate::closing::unwinding;
use crate::failure::{Errors, Failure, FailureKind};
use crate::ledger::{Conclusion, Stray, Unwind, echo, is_echo};
use crate::outcome::{Outcome, Payload, discard, drop_caught};
use crate::policy::Policy;
use crate::record::Record;
use crate::settle::Settle;
use crate::task_info::TaskInfo;

/// The failures that nobody has claimed, each with its place in the order of completion.
pub(crate) struct Failures<E>(Mutex<Vec<(usize, Failure<E>)>>);

impl<E> Failures<E> {
    pub(crate) fn new() -> Self {
        Failures(Mutex::new(Vec::new()))
    }

    /// What enters failures here.
    pub(crate) fn report(&self) -> Report<'_, E> {
        Report(self)
    }

    fn settle<T>(&self, task: TaskInfo, outcome: Outcome<Result<T, E>>, order: usize) {
        if let Outcome::Value(Err(error)) = outcome {
            self.report().failed(task, error, order);
        }
    }

    fn add(&self, order: usize, failure: Failure<E>) {
        self.0.lock().push((order, failure));
    }

    /// Takes them all, with those that only the ledger has kept.
    fn take(&self, strays: Vec<Stray>) -> Vec<(usize, Failure<E>)> {
        let mut failures = std::mem::take(&mut *self.0.lock());
        let stray = |(order, task, payload)| (order, Failure::panic(task, payload));
        failures.extend(strays.into_iter().map(stray));
        failures
    }
}

/// What becomes of the outcomes of tasks that may fail: errors are kept for the scope.
#[derive(Debug)]
pub(crate) struct Report<'scope, E>(&'scope Failures<E>);

impl<E> Clone for Report<'_, E> {
    fn clone(&self) -> Self {
        Report(self.0)
    }
}

impl<E> Report<'_, E> {
    /// Keeps an error for the scope.
    pub(crate) fn failed(&self, task: TaskInfo, error: E, order: usize) {
        self.0.add(order, Failure::error(Some(task), error));
    }

    /// Keeps a panic that is a failure.
    pub(crate) fn panicked(&self, task: TaskInfo, payload: Payload, order: usize) {
        self.0.add(order, Failure::panic(task, payload));
    }
}

impl<T, E> Settle<Result<T, E>> for Report<'_, E> {
    fn is_error(&self, value: &Result<T, E>) -> bool {
        value.is_err()
    }

    fn drops(&self, outcome: &Outcome<Result<T, E>>) -> bool {
        !matches!(outcome, Outcome::Value(Err(_)))
    }

    fn settle(&self, task: TaskInfo, outcome: Outcome<Result<T, E>>, order: usize) {
        self.0.settle(task, outcome, order);
    }

    fn caught(&self, task: TaskInfo, payload: Payload, order: usize) {
        self.panicked(task, payload, order);
    }
}

/// As [`Report`], where nothing can be borrowed.
impl<T, E> Settle<Result<T, E>> for Arc<Failures<E>> {
    fn is_error(&self, value: &Result<T, E>) -> bool {
        value.is_err()
    }

    fn settle(&self, task: TaskInfo, outcome: Outcome<Result<T, E>>, order: usize) {
        Failures::settle(self, task, outcome, order);
    }

    fn caught(&self, task: TaskInfo, payload: Payload, order: usize) {
        self.report().panicked(task, payload, order);
    }
}

impl<E> fmt::Debug for Failures<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Failures").field(&self.0.lock().len()).finish()
    }
}

/// Drops what nobody will see, one by one: a drop that panics takes no other with it.
fn drop_unreported<T>(values: Vec<T>) {
    for value in values {
        drop_caught(value).unwrap_or_else(discard);
    }
}

/// A failure as the error of a whole scope.
pub(crate) fn into_error<E: From<Stopped>>(failure: Failure<E>) -> E {
    let task = failure.task().cloned();
    match (failure.into_kind(), task) {
        (FailureKind::Error(error), _) => error,
        (FailureKind::Panic(payload), Some(task)) => {
            let payload = payload.into_inner();
            let echo = echo(&payload, &task);
            discard(payload);
            E::from(echo)
        }
        (FailureKind::Panic(_), None) => unreachable!("a body's panic is resumed"),
    }
}

/// How the body of a scope ended whose tasks may fail.
pub(crate) struct BodyEnd<R, E> {
    /// None if it panicked, or unwound by an echo.
    pub(crate) result: Option<Result<R, E>>,
    /// Whether it failed of itself, before anything else went wrong.
    pub(crate) was_first: bool,
    /// Whether what it says may be the echo of something.
    pub(crate) echoes: bool,
}

impl<E> Failures<E> {
    /// Returns what a scope returns that fails with one error, or unwinds.
    #[track_caller]
    pub(crate) fn conclude<R>(
        &self,
        body: BodyEnd<R, E>,
        conclusion: Conclusion,
        policy: &Policy,
        record: &Record,
        site: &Location<'_>,
    ) -> Result<R, E>
    where
        E: From<Stopped>,
    {
        let BodyEnd { result, was_first, echoes } = body;
        // A body that unwound by an echo has no result.
        let (result, echo) = match conclusion.unwind {
            Unwind::Not => (result, None),
            Unwind::Echo(stopped) => (result, Some(stopped)),
            unwind => unwinding(unwind, result, record, site),
        };
        let body_failed = matches!(result, Some(Err(_)));
        let tally = conclusion.tally;
        let mut failures = self.take(conclusion.strays);
        if conclusion.failed && !was_first && !failures.is_empty() {
            if policy.takes_the_lowest() {
                failures.sort_by_key(|(order, failure)| (is_echo(*order), failure.index()));
            } else {
                failures.sort_by_key(|&(order, _)| order);
            }
            let order = failures[0].0;
            // If the first was joined, it is what the body handed on.
            let is_first = order == 0 || (policy.takes_the_lowest() && !is_echo(order));
            if !body_failed || echoes || is_first {
                let (_, failure) = failures.remove(0);
                drop_unreported(failures);
                drop_unreported(result.into_iter().collect());
                return Err(into_error(failure));
            }
        }
        drop_unreported(failures);
        let result = match (result, echo) {
            (Some(Err(error)), _) => return Err(error),
            (_, Some(echo)) => return Err(E::from(echo)),
            (Some(Ok(result)), None) => result,
            (None, None) => unreachable!("a body that did not panic returned"),
        };
        let lost = tally.cancelled > 0 && record.node.cause() == Some(Cause::Deadline);
        if lost {
            return Err(E::from(record.stopped()));
        }
        if policy.lacks_successes(&tally) {
            return Err(E::from(Stopped::new(Cause::TooFewSuccesses)));
        }
        // Whoever joined the tasks that failed has dealt with their errors.
        Ok(result)
    }

    /// Returns what a scope returns that keeps all errors, or unwinds.
    #[track_caller]
    pub(crate) fn collect<R>(
        &self,
        result: Option<R>,
        conclusion: Conclusion,
        tasks: usize,
        record: &Record,
        site: &Location<'_>,
    ) -> (R, Errors<E>) {
        match conclusion.unwind {
            Unwind::Not => {}
            unwind => unwinding(unwind, result, record, site),
        }
        let failures = self.take(conclusion.strays).into_iter().map(|(_, failure)| failure);
        let errors = Errors::new(failures.collect(), tasks, conclusion.tally.cancelled);
        (result.expect("a body that did not panic returned"), errors)
    }
}
