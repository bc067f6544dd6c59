//! What becomes of the outcome of a task that no handle claims.

use crate::outcome::{Outcome, Payload, discard};
use crate::task_info::TaskInfo;

/// What becomes of a task's outcome, where no handle claims it.
pub(crate) trait Settle<T> {
    /// Whether this value is an error, which the policy judges.
    fn is_error(&self, _value: &T) -> bool {
        false
    }

    /// Whether all that becomes of this outcome is that it is dropped. Then nobody need be told whose it
    /// is.
    fn drops(&self, _outcome: &Outcome<T>) -> bool {
        false
    }

    /// Takes an outcome that no handle will claim. `order` orders failures by completion.
    fn settle(&self, task: TaskInfo, outcome: Outcome<T>, order: usize);

    /// Enters that the task waits in the line of its scope, with this number, and none with a number
    /// below `lowest`. Called under the line's lock.
    #[cfg(feature = "local")]
    fn lines_up(&self, _number: i64, _lowest: i64) {}

    /// Takes the payload of a panic that is a failure.
    fn caught(&self, task: TaskInfo, payload: Payload, order: usize);
}

/// What becomes of the outcomes of plain tasks: nothing, if no handle claims them.
pub(crate) struct Plain;

impl<T> Settle<T> for Plain {
    fn drops(&self, _: &Outcome<T>) -> bool {
        true
    }

    fn settle(&self, _: TaskInfo, outcome: Outcome<T>, _: usize) {
        drop(outcome);
    }

    fn caught(&self, _: TaskInfo, payload: Payload, _: usize) {
        discard(payload);
    }
}
