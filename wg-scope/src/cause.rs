//! Why a scope was cancelled, and what those are told who waited.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::task_info::TaskInfo;

/// Why a scope was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// By hand, with a reason.
    Asked(Cow<'static, str>),
    /// This task returned an error.
    Failed(TaskInfo),
    /// This task panicked, with this message.
    Panicked(TaskInfo, Arc<str>),
    /// The body of the scope returned an error or panicked.
    BodyFailed,
    /// The policy had all it wanted: enough successes, or what its predicate was looking for.
    Decided,
    /// All tasks had ended, and there were fewer successes than the policy asks for.
    TooFewSuccesses,
    /// The deadline passed.
    Deadline,
    /// Nobody was left to receive the results.
    ReceiverGone,
    /// The scope's future was dropped before it was ready.
    Dropped,
    /// The scope had ended.
    Ended,
    /// An outer scope was cancelled, for this cause.
    Outer(Arc<Cause>),
}

impl Cause {
    /// Returns the cause as it was where it arose, without the scopes it came through.
    #[must_use]
    pub fn origin(&self) -> &Cause {
        match self {
            Cause::Outer(cause) => cause.origin(),
            own => own,
        }
    }

    /// Returns whether a deadline passed, here or in an outer scope.
    #[must_use]
    pub fn is_deadline(&self) -> bool {
        *self.origin() == Cause::Deadline
    }

    /// Returns what the cause is to the scopes inside.
    pub(crate) fn inward(&self) -> Cause {
        match self {
            Cause::Outer(_) => self.clone(),
            own => Cause::Outer(Arc::new(own.clone())),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Asked(reason) => write!(f, "cancelled: {reason}"),
            Cause::Failed(task) => write!(f, "{task} failed"),
            Cause::Panicked(task, message) => write!(f, "{task} panicked: {message}"),
            Cause::BodyFailed => f.write_str("the body of the scope failed"),
            Cause::Decided => f.write_str("the outcome was decided without it"),
            Cause::TooFewSuccesses => f.write_str("there were too few successes"),
            Cause::Deadline => f.write_str("the deadline passed"),
            Cause::ReceiverGone => f.write_str("nobody receives the results any more"),
            Cause::Dropped => f.write_str("the scope's future was dropped"),
            Cause::Ended => f.write_str("the scope has ended"),
            Cause::Outer(cause) => write!(f, "in an outer scope, {cause}"),
        }
    }
}

/// The error of a wait that had nothing to wait for any more: the scope was cancelled, or the task
/// panicked. It carries the cause.
///
/// It is an echo. What caused it is reported by the scope it arose in: a panic is resumed there, an
/// error returned. [`Task::join`](crate::Task::join) unwinds with this as its payload, without
/// calling the panic hook; the other waits return it.
///
/// It converts to [`io::Error`], `String`, `&str`, `()` and every boxed error, so that
/// tasks with these error types need no conversion of their own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stopped: {cause}")]
pub struct Stopped {
    cause: Cause,
}

impl Stopped {
    pub(crate) fn new(cause: Cause) -> Self {
        Stopped { cause }
    }

    /// Returns why.
    #[must_use]
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl From<Stopped> for io::Error {
    /// Of the kind [`TimedOut`](io::ErrorKind::TimedOut) if a deadline passed, otherwise
    /// [`Other`](io::ErrorKind::Other): not `Interrupted`, which callers take as "try again".
    fn from(stopped: Stopped) -> Self {
        let late = stopped.cause.is_deadline();
        io::Error::new(if late { io::ErrorKind::TimedOut } else { io::ErrorKind::Other }, stopped)
    }
}

impl From<Stopped> for String {
    fn from(stopped: Stopped) -> Self {
        stopped.to_string()
    }
}

impl From<Stopped> for &str {
    fn from(stopped: Stopped) -> Self {
        if stopped.cause.is_deadline() { "the deadline passed" } else { "the scope was cancelled" }
    }
}

impl From<Stopped> for () {
    fn from(_: Stopped) -> Self {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_18_an_outer_cause_is_kept_whole_and_wrapped_once() {
        let cause = Cause::Asked("shutdown".into());
        let inner = cause.inward();
        assert_eq!(inner.inward(), inner);
        assert_eq!(inner.origin(), &cause);
        assert_eq!(inner.to_string(), "in an outer scope, cancelled: shutdown");
    }

    #[test]
    fn rule_21_a_deadline_is_its_own_error_kind() {
        let late = Stopped::new(Cause::Deadline.inward());
        assert_eq!(io::Error::from(late.clone()).kind(), io::ErrorKind::TimedOut);
        assert_eq!(<&str>::from(late), "the deadline passed");
        let asked = Stopped::new(Cause::Asked("enough".into()));
        assert_eq!(io::Error::from(asked.clone()).kind(), io::ErrorKind::Other);
        assert_eq!(String::from(asked), "stopped: cancelled: enough");
    }
}
