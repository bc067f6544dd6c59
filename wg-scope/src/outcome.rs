//! How a task ended.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// How a task ended, seen from whoever holds its handle. A panic's payload is not here: it belongs
/// to the scope, which resumes it.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    /// The task returned.
    Value(T),
    /// The task panicked, or was waiting for one that did.
    Panicked,
    /// The scope was cancelled before the task began.
    Cancelled,
}

/// The error of waiting for a task that has no value to give: it panicked, or its scope was
/// cancelled before it began.
///
/// [`Task::join`](crate::Task::join) unwinds with this as its payload, without calling the panic
/// hook. It is an echo: the panic that caused it is resumed when the scope is left, and this one
/// is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task was stopped")
    }
}

impl std::error::Error for Stopped {}

/// Returns the text of a panic, where it has one.
pub(crate) fn message(payload: &Payload) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a payload that is no text"
    }
}

/// Drops a value of the user's, whose drop may panic.
pub(crate) fn drop_caught<T>(value: T) -> Result<(), Payload> {
    catch_unwind(AssertUnwindSafe(|| drop(value)))
}

/// Drops a payload that nobody will see. Its drop may panic, as may the drop of what that throws;
/// where there is no end to it, the last is leaked.
pub(crate) fn discard(mut payload: Payload) {
    for _ in 0..8 {
        match drop_caught(payload) {
            Ok(()) => return,
            Err(worse) => payload = worse,
        }
    }
    std::mem::forget(payload);
}
