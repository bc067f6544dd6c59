//! The inlets of a worker pool.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::post::{Offer, Post};
use super::worker::submit;
use crate::cancelled::Cancelled;
use crate::context;
use crate::futures::child::Child;
use crate::futures::place::{Place, Polls};
use crate::not_sent::NotSent;

/// A further inlet of a pool of workers in a scope of futures, for other tasks. Made by
/// [`AsyncWorkers::inlet`](crate::AsyncWorkers::inlet); cloning gives another one.
pub struct AsyncInlet<P: Place, J, R> {
    pub(super) post: Arc<Post<P, J, R>>,
    /// Starts workers when it is polled.
    pub(super) foreman: P::Child,
}

impl<P: Place, J, R> AsyncInlet<P, J, R> {
    /// Sends a job to the pool; ready when there was room for it in the inlet.
    ///
    /// Those who wait get their turn in the order in which they came. A task of a scope with a
    /// limit that waits lends its slot to the pool meanwhile, so that it cannot lock itself up; but
    /// with results bounded by [`outlet_of`](crate::AsyncWorkers::outlet_of) it may wait for their
    /// reader.
    ///
    /// # Errors
    ///
    /// [`NotSent`], with the job, if the scope is cancelled.
    ///
    /// # Cancel safety
    ///
    /// A job that still waits when the future is dropped is dropped with it. If there was room for
    /// it meanwhile it is sent, whether or not the future was polled again: to keep a job that was
    /// not sent, use [`try_send`](Self::try_send).
    ///
    /// # Memory ordering
    ///
    /// What happened before the future's first poll is visible to the handler.
    pub fn send(&self, job: J) -> impl Future<Output = Result<(), NotSent<J>>> + use<'_, P, J, R> {
        Send { inlet: self, stage: Stage::Fresh(job), lent: Lent::default() }
    }

    /// Sends a job to the pool if the inlet has room.
    ///
    /// # Errors
    ///
    /// [`NotSent`], with the job, if the inlet is full or the scope is cancelled.
    pub fn try_send(&self, job: J) -> Result<(), NotSent<J>> {
        match self.post.offer(job, None) {
            Offer::Sent(hire) => self.hire(hire),
            Offer::Refused(job) => return Err(self.refuse(job)),
            Offer::Waits(_) => unreachable!("nobody waits for it"),
        }
        Ok(())
    }

    fn refuse(&self, job: J) -> NotSent<J> {
        match self.post.shared.node.cause() {
            Some(cause) => NotSent::cancelled(job, cause),
            None => NotSent::full(job),
        }
    }

    /// Starts the workers that are wanted, if there are some.
    pub(super) fn hire(&self, wanted: bool) {
        if wanted {
            let ready = self.foreman.poll(&mut Context::from_waker(Waker::noop()));
            debug_assert!(ready.is_ready(), "it does not wait");
        }
    }
}

impl<P: Place, J, R> Clone for AsyncInlet<P, J, R> {
    fn clone(&self) -> Self {
        self.post.add_inlet();
        AsyncInlet { post: Arc::clone(&self.post), foreman: self.foreman.clone() }
    }
}

impl<P: Place, J, R> Drop for AsyncInlet<P, J, R> {
    fn drop(&mut self) {
        self.post.remove_inlet();
    }
}

impl<P: Place, J, R> fmt::Debug for AsyncInlet<P, J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncInlet").field(&self.post).finish()
    }
}

/// A job on its way into the inlet.
#[must_use = "a job is sent when this is awaited"]
struct Send<'a, P: Place, J, R> {
    inlet: &'a AsyncInlet<P, J, R>,
    stage: Stage<J>,
    lent: Lent<P>,
}

enum Stage<J> {
    Fresh(J),
    /// In the line before the inlet, with this ticket.
    Waits(u64, Cancelled),
    Over,
}

/// Nothing in it is pinned.
impl<P: Place, J, R> Unpin for Send<'_, P, J, R> {}

impl<P: Place, J, R> Future for Send<'_, P, J, R> {
    type Output = Result<(), NotSent<J>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let (inlet, post) = (this.inlet, &this.inlet.post);
        match std::mem::replace(&mut this.stage, Stage::Over) {
            Stage::Fresh(job) => match post.offer(job, Some(context.waker().clone())) {
                Offer::Sent(hire) => {
                    inlet.hire(hire);
                    return Poll::Ready(Ok(()));
                }
                Offer::Refused(job) => {
                    // Whoever hears of it may echo it.
                    let refused = inlet.refuse(job);
                    context::tell(post.shared.stopped());
                    return Poll::Ready(Err(refused));
                }
                Offer::Waits(ticket) => {
                    this.stage = Stage::Waits(ticket, Cancelled::of(&post.shared.node));
                }
            },
            waits @ Stage::Waits(..) => this.stage = waits,
            Stage::Over => panic!("a job is sent once"),
        }
        let Stage::Waits(ticket, cancelled) = &mut this.stage else { unreachable!("just set") };
        loop {
            let sent = if !post.waits(*ticket, context.waker().clone()) {
                Ok(())
            } else if Pin::new(&mut *cancelled).poll(context).is_ready() {
                // There may have been room just now.
                post.withdraw(*ticket).map_or(Ok(()), |job| Err(inlet.refuse(job)))
            } else if this.lent.help(post, context) {
                continue;
            } else {
                return Poll::Pending;
            };
            this.stage = Stage::Over;
            this.lent.give_back(post);
            return Poll::Ready(sent);
        }
    }
}

impl<P: Place, J, R> Drop for Send<'_, P, J, R> {
    fn drop(&mut self) {
        self.lent.give_back(&self.inlet.post);
        if let Stage::Waits(ticket, _) = self.stage {
            let job = self.inlet.post.withdraw(ticket);
            drop(job);
        }
    }
}

/// A worker that is polled here, by one who waits for its pool in a slot of the scope: it may be
/// the only one.
pub(super) struct Lent<P: Polls>(Option<P::Child>);

impl<P: Polls> Default for Lent<P> {
    fn default() -> Self {
        Lent(None)
    }
}

impl<P: Polls> Lent<P> {
    /// Polls a worker that would wait for a slot, if there is one, and this is called in a slot.
    /// Returns whether it has done what there was to do.
    pub(super) fn help<J, R>(&mut self, post: &Post<P, J, R>, context: &mut Context<'_>) -> bool {
        if !context::is_in_a_task_of(&post.shared.node) {
            self.give_back(post);
            return false;
        }
        if self.0.is_none() {
            self.0 = post.call();
        }
        let Some(worker) = &self.0 else { return false };
        let ready = worker.poll(context).is_ready();
        if ready {
            self.0 = None;
        }
        ready
    }

    /// Has the worker that is polled here go on in a slot of its own, before all others that wait.
    pub(super) fn give_back<J, R>(&mut self, post: &Post<P, J, R>) {
        if let Some(worker) = self.0.take() {
            submit(post, worker, true);
        }
    }
}
