//! Why there is no result to receive.

use crate::cause::Stopped;

/// Why there is no result to receive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoResult {
    /// Tasks are outstanding, and none has delivered, or not in time.
    #[error("no task has delivered a result yet")]
    NotYet,
    /// No task is outstanding.
    #[error("no task is outstanding")]
    Ended,
    /// The scope was cancelled, and nothing was there.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
