//! What a timeline tells of one task.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::recorder::{Place, Thread};
use crate::cause::Stopped;
use crate::outcome::Payload;
use crate::task_info::TaskInfo;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// It returned a value.
    Value,
    /// It returned an error, in a scope or a fan-out that judges errors.
    Error,
    /// It panicked.
    Panic,
    /// It was cancelled: it did not begin, was dropped where it waited, or unwound because it was told
    /// that it is stopped.
    Cancelled,
}

impl OutcomeKind {
    /// What a value is.
    pub(crate) fn of_value(is_error: bool) -> Self {
        if is_error { OutcomeKind::Error } else { OutcomeKind::Value }
    }

    /// What it is that a task was dropped before its end.
    #[cfg_attr(not(feature = "local"), allow(dead_code, reason = "scopes of futures ask it"))]
    pub(crate) fn of_drop(dropped: &Result<(), Payload>) -> Self {
        dropped.as_ref().map_or_else(Self::of_panic, |()| OutcomeKind::Cancelled)
    }

    /// What a panic is: that of a task that was told that it is stopped is none of its own.
    pub(crate) fn of_panic(payload: &Payload) -> Self {
        if payload.is::<Stopped>() { OutcomeKind::Cancelled } else { OutcomeKind::Panic }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OutcomeKind::Value => "value",
            OutcomeKind::Error => "error",
            OutcomeKind::Panic => "panic",
            OutcomeKind::Cancelled => "cancelled",
        })
    }
}

/// One task of a [`Timeline`](crate::Timeline), or one item: who it was, when and where it ran, and how
/// it ended.
///
/// All times are since the [start](crate::Timeline::start) of the timeline.
#[derive(Clone)]
pub struct Span {
    pub(super) task: TaskInfo,
    pub(super) place: Arc<Place>,
    pub(super) thread: Arc<Thread>,
    pub(super) spawned: u64,
    pub(super) began: u64,
    pub(super) ended: u64,
    pub(super) outcome: OutcomeKind,
    pub(super) is_future: bool,
}

impl Span {
    /// Returns which task of its scope it was, or which item of its fan-out.
    #[must_use]
    pub fn task(&self) -> &TaskInfo {
        &self.task
    }

    /// Returns the name of its scope or fan-out, if [it was given one](crate::Options::name).
    #[must_use]
    pub fn scope(&self) -> Option<&str> {
        self.place.name.as_deref()
    }

    /// Returns how many scopes and fan-outs of the timeline were entered before its own.
    #[must_use]
    pub fn scope_number(&self) -> usize {
        self.place.number
    }

    /// Returns the name of the thread on which it ended, if that has one.
    #[must_use]
    pub fn thread(&self) -> Option<&str> {
        self.thread.name.as_deref()
    }

    /// Returns how many threads there were in the timeline before that one.
    #[must_use]
    pub fn thread_number(&self) -> usize {
        self.thread.number
    }

    /// Returns when it was spawned. An item of a fan-out, and a job of a worker, is not spawned: for it
    /// this is when it began.
    #[must_use]
    pub fn spawned(&self) -> Duration {
        Duration::from_nanos(self.spawned)
    }

    /// Returns when it began: a future, when it was first polled. What was cancelled before that began
    /// when it was dropped.
    #[must_use]
    pub fn began(&self) -> Duration {
        Duration::from_nanos(self.began)
    }

    /// Returns when it ended.
    #[must_use]
    pub fn ended(&self) -> Duration {
        Duration::from_nanos(self.ended)
    }

    /// Returns how it ended.
    #[must_use]
    pub fn outcome(&self) -> OutcomeKind {
        self.outcome
    }

    /// Returns whether it was a future: it may have waited meanwhile, and been polled on other threads
    /// before the one where it ended.
    #[must_use]
    pub fn is_future(&self) -> bool {
        self.is_future
    }
}

/// Reads `fetch#7 spawned at src/a.rs:41, from 1.2ms to 3.4ms: value`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { task, outcome, .. } = self;
        write!(f, "{task}, from {:?} to {:?}: {outcome}", self.began(), self.ended())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Span")
            .field("task", &self.task)
            .field("scope", &self.scope())
            .field("thread", &self.thread())
            .field("spawned", &self.spawned())
            .field("began", &self.began())
            .field("ended", &self.ended())
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}
