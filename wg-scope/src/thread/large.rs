//! Closures and results that are too large to be moved about by value: they go by box, so that no
//! stack has to hold them more often than the user's own code makes it.

use std::sync::Arc;
use std::time::Instant;

use super::task::Join;
use super::wait::Vain;
use crate::outcome::{Outcome, Payload};
use crate::settle::Settle;
use crate::task_info::TaskInfo;

/// From how many bytes on.
const LARGE: usize = 4096;

/// A large closure, or one with a large result.
pub(super) type Large<'scope, T> = Box<dyn FnOnce() -> Box<T> + Send + 'scope>;

/// Whether a closure or its result goes by box.
pub(super) const fn is_large<F, T>() -> bool {
    size_of::<F>() > LARGE || size_of::<T>() > LARGE
}

/// Puts a closure and its result to come into boxes.
#[inline(never)]
pub(super) fn boxed<'scope, F, T>(task: F) -> Large<'scope, T>
where
    F: FnOnce() -> T + Send + 'scope,
{
    let task = Box::new(task);
    Box::new(move || Box::new((*task)()))
}

/// Settles what comes in a box.
pub(super) struct Unboxing<S>(pub(super) S);

impl<T, S: Settle<T>> Settle<Box<T>> for Unboxing<S> {
    fn is_error(&self, value: &Box<T>) -> bool {
        self.0.is_error(value)
    }

    fn settle(&self, task: TaskInfo, outcome: Outcome<Box<T>>, order: usize) {
        self.0.settle(task, unbox(outcome), order);
    }

    fn caught(&self, task: TaskInfo, payload: Payload, order: usize) {
        self.0.caught(task, payload, order);
    }
}

/// A task as a handle sees it that wants the value out of its box.
pub(super) struct Unboxed<'scope, T>(pub(super) Arc<dyn Join<Box<T>> + 'scope>);

impl<T> Join<T> for Unboxed<'_, T> {
    fn join(&self, index: u64, deadline: Option<Instant>) -> Result<Outcome<T>, Vain> {
        self.0.join(index, deadline).map(unbox)
    }

    fn abandon(&self, index: u64) {
        self.0.abandon(index);
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.0.info(index)
    }
}

fn unbox<T>(outcome: Outcome<Box<T>>) -> Outcome<T> {
    match outcome {
        Outcome::Value(value) => Outcome::Value(*value),
        Outcome::Lost(stopped) => Outcome::Lost(stopped),
    }
}
