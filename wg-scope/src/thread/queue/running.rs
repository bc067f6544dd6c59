//! What is known of a task that runs.

use std::time::Instant;

use crate::task_info::Note;
use crate::thread::job::Job;

/// A task that runs. Its age is counted from when somebody first looked: the sentinel does so
/// every millisecond, and a clock for every task would cost more than a small task.
pub(super) struct Running {
    pub(super) task: Note,
    pub(super) since: Option<Instant>,
}

impl Running {
    pub(super) fn new(task: Note) -> Self {
        Running { task, since: None }
    }

    /// Enters the task of a job that begins. Most say no more of themselves than a line, and that is put
    /// together where it is to lie.
    #[inline]
    pub(super) fn enter(place: &mut Option<Running>, job: &Job, index: u64) {
        match job.site() {
            Some(site) => *place = Some(Running::new(Note::at(index, site))),
            None => Running::enter_other(place, job, index),
        }
    }

    #[cold]
    pub(super) fn enter_other(place: &mut Option<Running>, job: &Job, index: u64) {
        *place = Some(Running::new(job.note(index)));
    }
}
