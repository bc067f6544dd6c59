//! The future of a wait.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::group::{WaitGroup, crowded};
use crate::waiters::{self, NotEnlisted, Ticket, Waiter};

/// The future of [`WaitGroup::wait_async`]: ready when the group is empty.
///
/// Once ready it stays so, also if the group is used again.
///
/// # Cancel safety
///
/// Dropping it, at any time, ends this wait and changes nothing for others. Forgetting it
/// (`mem::forget`) leaves it counted in [`WaitGroup::waiters`] until the group is empty.
///
/// # Panics
///
/// Polling panics if 2³¹ − 1 waiters wait already.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct Wait<'a> {
    group: &'a WaitGroup,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Unpolled,
    Listed(Ticket),
    Ready,
}

impl<'a> Wait<'a> {
    pub(crate) fn new(group: &'a WaitGroup) -> Self {
        Wait { group, stage: Stage::Unpolled }
    }
}

impl Future for Wait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let state = self.group.state();
        let stage = match self.stage {
            Stage::Ready => Stage::Ready,
            Stage::Unpolled if state.load().is_idle() => Stage::Ready,
            Stage::Unpolled => match waiters::enlist(state, Waiter::Task(cx.waker().clone())) {
                Ok(ticket) => Stage::Listed(ticket),
                Err(NotEnlisted::Idle) => Stage::Ready,
                Err(full) => crowded(full),
            },
            Stage::Listed(ticket) if waiters::is_listed_as(state, ticket, cx.waker()) => {
                Stage::Listed(ticket)
            }
            Stage::Listed(_) => Stage::Ready,
        };
        self.stage = stage;
        match self.stage {
            Stage::Ready => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        if let Stage::Listed(ticket) = self.stage {
            // Whether it was released in the meantime makes no difference to anybody.
            let _ = waiters::withdraw(self.group.state(), ticket);
        }
    }
}
