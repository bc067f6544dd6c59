//! Jobs that were not sent to a worker pool.

use std::fmt;

use crate::cause::Cause;

/// The error of sending a job to a pool, with the job.
pub struct NotSent<J> {
    job: J,
    why: Refusal,
}

#[derive(Debug)]
enum Refusal {
    Full,
    Cancelled(Cause),
}

impl<J> NotSent<J> {
    pub(crate) fn full(job: J) -> Self {
        NotSent { job, why: Refusal::Full }
    }

    pub(crate) fn cancelled(job: J, cause: Cause) -> Self {
        NotSent { job, why: Refusal::Cancelled(cause) }
    }

    /// Returns the job.
    pub fn into_job(self) -> J {
        self.job
    }

    /// Returns why the scope is cancelled; `None` if it is not, and the inlet was full.
    pub fn cancelled_by(&self) -> Option<&Cause> {
        match &self.why {
            Refusal::Cancelled(cause) => Some(cause),
            Refusal::Full => None,
        }
    }
}

impl<J> fmt::Display for NotSent<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.why {
            Refusal::Cancelled(cause) => write!(f, "not sent: {cause}"),
            Refusal::Full => f.write_str("not sent: the inlet is full"),
        }
    }
}

impl<J> fmt::Debug for NotSent<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotSent").field("why", &self.why).finish_non_exhaustive()
    }
}

impl<J> std::error::Error for NotSent<J> {}
