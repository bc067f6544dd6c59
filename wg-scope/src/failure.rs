//! Failures, with who failed; and many of them as one error.

use std::error::Error;
use std::fmt;

use crate::outcome::Payload;
use crate::payload::PanicPayload;
use crate::task_info::TaskInfo;

/// An outcome that is not a value: what went wrong, in which task.
pub struct Failure<E> {
    /// None where the body of the scope failed.
    task: Option<TaskInfo>,
    kind: FailureKind<E>,
}

/// What went wrong in a task.
#[non_exhaustive]
pub enum FailureKind<E> {
    /// It returned this error.
    Error(E),
    /// It panicked with this payload, under [`catch_panics`](crate::Options::catch_panics).
    Panic(PanicPayload),
}

impl<E> Failure<E> {
    pub(crate) fn error(task: Option<TaskInfo>, error: E) -> Self {
        Failure { task, kind: FailureKind::Error(error) }
    }

    pub(crate) fn panic(task: TaskInfo, payload: Payload) -> Self {
        Failure { task: Some(task), kind: FailureKind::Panic(PanicPayload::new(payload)) }
    }

    /// Returns which task failed, or `None` if it was the scope's body.
    #[must_use]
    pub fn task(&self) -> Option<&TaskInfo> {
        self.task.as_ref()
    }

    /// Returns the index of the task or item that failed; `None` for the scope's body.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        self.task.as_ref().map(TaskInfo::index)
    }

    /// Returns what went wrong.
    #[must_use]
    pub fn kind(&self) -> &FailureKind<E> {
        &self.kind
    }

    /// Returns the error, unless it was a panic.
    #[must_use]
    pub fn as_error(&self) -> Option<&E> {
        match &self.kind {
            FailureKind::Error(error) => Some(error),
            FailureKind::Panic(_) => None,
        }
    }

    /// Returns what went wrong, by value.
    #[must_use]
    pub fn into_kind(self) -> FailureKind<E> {
        self.kind
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.task {
            Some(task) => write!(f, "{task}")?,
            None => f.write_str("the body of the scope")?,
        }
        match &self.kind {
            FailureKind::Error(error) => write!(f, " failed: {error}"),
            FailureKind::Panic(payload) => write!(f, " panicked: {}", payload.message()),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").field("task", &self.task).field("kind", &self.kind).finish()
    }
}

impl<E: fmt::Debug> fmt::Debug for FailureKind<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FailureKind::Error(error) => f.debug_tuple("Error").field(error).finish(),
            FailureKind::Panic(payload) => {
                f.debug_tuple("Panic").field(&payload.message()).finish()
            }
        }
    }
}

impl<E: Error + 'static> Error for Failure<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.as_error().map(|error| error as _)
    }
}

/// All failures of a scope or a fan-out, in index order; those of the body come first.
///
/// Reads `3 of 120 tasks failed; first: …`. Its [`source`](Error::source) is the first. An empty one
/// stands for no failure, where results and errors come back together.
#[must_use = "these are failures: look at them, or drop them to say that they are of no concern"]
pub struct Errors<E> {
    failures: Vec<Failure<E>>,
    /// How many tasks there were, and how many of them did not begin because of a cancel.
    tasks: usize,
    cancelled: usize,
}

impl<E> Errors<E> {
    /// Puts failures that are in the order of their completion into index order.
    pub(crate) fn new(mut failures: Vec<Failure<E>>, tasks: usize, cancelled: usize) -> Self {
        failures.sort_by_key(Failure::index);
        Errors { failures, tasks, cancelled }
    }

    /// Returns how many failed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// Returns whether none failed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.failures.is_empty()
    }

    /// Returns how many tasks there were, failed or not.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// Returns how many tasks did not begin because of a cancel. They are no failures (rule 8).
    #[must_use]
    pub fn cancelled(&self) -> usize {
        self.cancelled
    }

    /// Returns the failure with the lowest index.
    #[must_use]
    pub fn first(&self) -> Option<&Failure<E>> {
        self.failures.first()
    }

    /// Iterates over the failures, in index order.
    pub fn iter(&self) -> std::slice::Iter<'_, Failure<E>> {
        self.failures.iter()
    }

    /// Returns `Ok(value)` if none failed, and this otherwise.
    ///
    /// # Errors
    ///
    /// This, if there is a failure.
    pub fn or<R>(self, value: R) -> Result<R, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl<E> IntoIterator for Errors<E> {
    type Item = Failure<E>;
    type IntoIter = std::vec::IntoIter<Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.failures.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a Errors<E> {
    type Item = &'a Failure<E>;
    type IntoIter = std::slice::Iter<'a, Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: fmt::Display> fmt::Display for Errors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(first) = self.first() else {
            return f.write_str("no task failed");
        };
        let tasks = if self.tasks == 1 { "task" } else { "tasks" };
        write!(f, "{} of {} {tasks} failed; first: {first}", self.len(), self.tasks)
    }
}

impl<E: fmt::Debug> fmt::Debug for Errors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errors")
            .field("failures", &self.failures)
            .field("tasks", &self.tasks)
            .field("cancelled", &self.cancelled)
            .finish()
    }
}

impl<E: Error + 'static> Error for Errors<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first().map(|first| first as _)
    }
}
