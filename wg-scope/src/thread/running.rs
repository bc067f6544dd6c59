//! What is known of a task that runs.

use std::time::Instant;

use crate::task_info::Note;

/// A task that runs. Its age is counted from when somebody first looked: the sentinel does so
/// every millisecond, and a clock for every task would cost more than a small task.
pub(super) struct Running {
    pub(super) task: Note,
    pub(super) since: Option<Instant>,
}

impl Running {
    #[inline]
    pub(super) fn new(task: Note) -> Self {
        Running { task, since: None }
    }
}
