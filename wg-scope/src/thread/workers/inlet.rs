//! The inlets of a worker pool.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use wg_core::sync::now;

use super::linger;
use super::post::{Patience, Post};
use crate::cause::Stopped;
use crate::not_sent::NotSent;
use crate::task_info::Label;
use crate::thread::crew::{Crew, Posting, Work};
use crate::thread::shared::Shared;
use crate::thread::wait::{Vain, wait, wait_stopped};

/// How long a sender waits until half of the inlet is empty. Then any room will do, so that a worker
/// that is busy for long keeps nobody from using the room there is.
const PATIENCE: Duration = Duration::from_millis(1);

/// A further inlet of a pool, for other tasks: see [`Workers::inlet`](super::Workers::inlet).
/// Cloning gives another one.
pub struct Inlet<'scope, J, R> {
    pub(super) post: Arc<Post<J, R>>,
    pub(super) crew: Arc<dyn Hands + 'scope>,
    pub(super) scope: &'scope Arc<Shared>,
    pub(super) label: Label,
}

/// A crew as the inlets see it.
pub(super) trait Hands: Send + Sync {
    fn post(&self, workers: usize);

    /// Works here, if nobody else may come to do it. Returns whether it did.
    fn help(&self) -> bool;

    fn dismiss(&self);
}

impl<'scope, W: Work + Send + 'scope> Hands for Arc<Crew<'scope, W>> {
    fn post(&self, workers: usize) {
        Posting::post(&**self, workers);
    }

    fn help(&self) -> bool {
        Crew::help(self)
    }

    fn dismiss(&self) {
        Posting::dismiss(&**self);
    }
}

impl<J, R> Inlet<'_, J, R> {
    /// Sends a job to the pool.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled; the job is dropped, which nobody would handle.
    /// [`try_send`](Self::try_send) gives it back.
    ///
    /// # Blocking
    ///
    /// Blocks while the inlet is full. A task that sends so many jobs to its own pool that it fills
    /// the inlet waits for the workers; with results bounded by
    /// [`outlet_of`](super::Workers::outlet_of), for the reader.
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is visible to the handler.
    pub fn send(&self, job: J) -> Result<(), Stopped> {
        let mut job = match self.try_send(job) {
            Ok(()) => return Ok(()),
            Err(refused) => Some(refused.into_job()),
        };
        let mut offer = |patience: Patience<'_>| {
            job = self.offer(job.take().expect("it was not sent"), patience).err();
            job.is_none().then_some(())
        };
        while self.crew.help() {
            if offer(Patience::None).is_some() {
                return Ok(());
            }
        }
        // Where few may run, others may need the slot.
        if !self.scope.is_limited() && linger(|| offer(Patience::None)).is_some() {
            return Ok(());
        }
        let soon = now() + PATIENCE;
        match wait(self.scope, Some(soon), |waker| offer(Patience::Some(waker))) {
            Ok(()) => return Ok(()),
            Err(Vain::Stopped(stopped)) => return Err(stopped),
            Err(Vain::TimedOut) => {}
        }
        wait_stopped(self.scope, |waker| offer(Patience::NoMore(waker)))
    }

    /// Sends a job to the pool if the inlet has room.
    ///
    /// # Errors
    ///
    /// [`NotSent`], with the job, if the inlet is full or the scope is cancelled.
    pub fn try_send(&self, job: J) -> Result<(), NotSent<J>> {
        self.offer(job, Patience::None).map_err(|job| match self.scope.node.cause() {
            Some(cause) => NotSent::cancelled(job, cause),
            None => NotSent::full(job),
        })
    }

    fn offer(&self, job: J, patience: Patience<'_>) -> Result<(), J> {
        // A cancelled scope takes no more, also if there is room: the workers drop what they find.
        let wanted = self.post.offer(job, patience, || self.scope.is_cancelled())?;
        if wanted > 0 {
            self.crew.post(wanted);
        }
        Ok(())
    }
}

impl<J, R> Clone for Inlet<'_, J, R> {
    fn clone(&self) -> Self {
        self.post.add_inlet();
        Inlet {
            post: Arc::clone(&self.post),
            crew: Arc::clone(&self.crew),
            scope: self.scope,
            label: self.label.clone(),
        }
    }
}

impl<J, R> Drop for Inlet<'_, J, R> {
    fn drop(&mut self) {
        if self.post.remove_inlet() {
            self.crew.dismiss();
        }
    }
}

impl<J, R> fmt::Debug for Inlet<'_, J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inlet").field(&self.post).finish()
    }
}
