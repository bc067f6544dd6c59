//! How a task ended; what a panic carries, and how to drop what may panic again.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cause::Stopped;

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

/// How a task ended, seen from whoever holds its handle.
#[derive(Debug)]
pub(crate) enum Outcome<T> {
    /// It returned this.
    Value(T),
    /// It panicked, or did not begin. A panic's payload is not here: it belongs to the scope.
    Lost(Box<Stopped>),
}

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
