//! A child together with its future, in the hands of its place: from a slot that was free to its end.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::cell::Cell;
use super::line::{By, Key};
use super::place::Polls;
use super::shared::Standing;
use crate::context::{self, Role};
use crate::outcome::Payload;
use crate::settle::Settle;
use crate::task_info::Stamp;

pin_project! {
    /// A child that has begun where it was spawned: ready when it has ended. Dropping it ends the
    /// child. The future lies in here, so that a place that allocates for it allocates once.
    pub(crate) struct Placed<P: Polls, F: Future, S: Settle<F::Output>> {
        cell: Arc<Cell<P, F, S>>,
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
    pub(super) fn new(cell: &Arc<Cell<P, F, S>>, future: F, key: Key, counts: By) -> Self {
        let (cell, future) = (Arc::clone(cell), Some(future));
        Placed { cell, future, key, counts, began: Stamp::NEVER, waits: false, told: false }
    }

    fn end(self: Pin<&mut Self>, result: Result<Option<F::Output>, Payload>) {
        let mut this = self.project();
        if *this.waits {
            // What wakes it is let go of.
            this.cell.tell_nobody();
        }
        let dropped = catch_unwind(AssertUnwindSafe(|| this.future.set(None)));
        let standing = Standing { key: Some(*this.key), has_slot: true, counts: *this.counts };
        this.cell.conclude(dropped, result, *this.told, *this.began, &standing);
    }
}

impl<P: Polls, F: Future, S: Settle<F::Output>> Future for Placed<P, F, S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.as_mut().project();
        let Some(future) = this.future.as_pin_mut() else { return Poll::Ready(()) };
        let shared = &this.cell.shared;
        let stops = *this.waits && this.cell.is_told();
        if stops || !this.began.is_set() && shared.skips(this.cell.index) {
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
            Ok(Poll::Pending) if P::DROPS => return Poll::Pending,
            Ok(Poll::Pending) => {
                *this.waits = true;
                if this.cell.waits(context.waker()) {
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
