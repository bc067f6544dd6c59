//! Closures and results that are too large to be moved about by value: they go by box, so that no
//! stack has to hold them more often than the user's own code makes it.

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

/// What a task returns, as it is claimed.
pub(super) trait Value<T> {
    fn into_value(self) -> T;
}

impl<T> Value<T> for T {
    fn into_value(self) -> T {
        self
    }
}

impl<T> Value<T> for Box<T> {
    fn into_value(self) -> T {
        *self
    }
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

/// Takes an outcome out of its box.
pub(super) fn unbox<T>(outcome: Outcome<Box<T>>) -> Outcome<T> {
    match outcome {
        Outcome::Value(value) => Outcome::Value(*value),
        Outcome::Lost(stopped) => Outcome::Lost(stopped),
    }
}
