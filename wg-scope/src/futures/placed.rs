//! A child together with its future, in the hands of its place: from a slot that was free to its end.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::claim::{Claim, Held};
use super::line::{By, Key};
use super::place::Polls;
use super::shared::Standing;
use crate::context::{self, Role};
use crate::ending::End;
use crate::outcome::Payload;
use crate::settle::Settle;
use crate::task_info::Stamp;
use crate::twin::Giver;

pin_project! {
    /// A child that has begun where it was spawned: ready when it has ended. Dropping it ends the
    /// child. The future lies in here, so that a place that allocates for it allocates once.
    pub(crate) struct Placed<P: Polls, F: Future, S: Settle<F::Output>> {
        held: Held<P, F::Output, S>,
        // None when it has ended.
        #[pin]
        future: Option<F>,
        key: Key,
        // When it was first polled, if it was.
        began: Stamp,
        counts: By,
        // Whether it has waited, and may be told to stop.
        waits: bool,
        told: bool,
    }

    impl<P: Polls, F: Future, S: Settle<F::Output>> PinnedDrop for Placed<P, F, S> {
        fn drop(this: Pin<&mut Self>) {
            if this.future.is_some() {
                this.end(Ok(None));
            }
        }
    }
}

impl<P: Polls, F: Future, S: Settle<F::Output>> Placed<P, F, S> {
    pub(super) fn new(
        claim: Giver<F::Output, Claim<P, S>>,
        future: F,
        key: Key,
        counts: By,
    ) -> Self {
        let (held, future) = (Held::Claimed(claim), Some(future));
        Placed { held, future, key, counts, began: Stamp::NEVER, waits: false, told: false }
    }

    fn end(self: Pin<&mut Self>, result: Result<Option<F::Output>, Payload>) {
        let mut this = self.project();
        let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
        let standing = Standing { key: Some(*this.key), has_slot: true, counts: *this.counts };
        let end = End { dropped, result, told: *this.told, began: *this.began };
        this.held.conclude(end, &standing);
    }
}

impl<P: Polls, F: Future, S: Settle<F::Output>> Future for Placed<P, F, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let Some(future) = this.future.as_pin_mut() else { return Poll::Ready(()) };
        let Claim { shared, index, .. } = this.held.claim();
        let stops = !P::DROPS && *this.waits && shared.is_told(*this.key);
        if stops || !this.began.is_set() && shared.skips(*index) {
            self.end(Ok(None));
            return Poll::Ready(());
        }
        if !this.began.is_set() {
            *this.began = shared.first_poll();
        }
        let told = context::told();
        let place = context::enter_to_poll(&shared.node, Role::Task);
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(context)));
        drop(place);
        *this.told |= context::told() != told;
        match polled {
            Ok(Poll::Pending) => {
                this.held.look();
                let again = mem::replace(this.waits, true);
                let shared = &this.held.claim().shared;
                if P::DROPS || shared.waits(*this.key, context.waker(), again) {
                    return Poll::Pending;
                }
                self.end(Ok(None));
            }
            Ok(Poll::Ready(value)) => self.end(Ok(Some(value))),
            Err(payload) => self.end(Err(payload)),
        }
        Poll::Ready(())
    }
}
