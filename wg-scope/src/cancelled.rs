//! Awaiting that a scope is cancelled.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wg_core::sync::now;

use crate::cancel::Node;
use crate::cause::Stopped;
use crate::context;
use crate::ledger::stopped;

/// A future that is ready when a scope is cancelled, with the cause. Made by
/// [`Scope::cancelled`](crate::Scope::cancelled).
///
/// It borrows nothing and may outlive the scope. It is ready each time it is polled from then on.
///
/// # Cancel safety
///
/// Nothing is lost where it is dropped: being cancelled is a state, and stays.
#[must_use = "a future does nothing unless it is polled"]
pub struct Cancelled {
    node: Arc<Node>,
    listening: Option<(usize, Waker)>,
    /// Whether those who await it are told that they are stopped.
    tells: bool,
}

impl Cancelled {
    pub(crate) fn of(node: &Arc<Node>) -> Self {
        Cancelled { node: Arc::clone(node), listening: None, tells: true }
    }

    /// As [`of`](Self::of), for a node that stands for a time.
    pub(crate) fn passing_of(node: &Arc<Node>) -> Self {
        Cancelled { node: Arc::clone(node), listening: None, tells: false }
    }
}

impl Cancelled {
    fn unlisten(&mut self) {
        if let Some((key, waker)) = self.listening.take() {
            self.node.unlisten(key);
            drop(waker);
        }
    }
}

impl Future for Cancelled {
    type Output = Stopped;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Stopped> {
        let waker = context.waker();
        let heard = self.listening.as_ref().is_some_and(|(_, known)| known.will_wake(waker));
        if !heard && !self.node.is_cancelled() {
            self.unlisten();
            let key = self.node.listen(waker.clone());
            self.listening = key.map(|key| (key, waker.clone()));
        }
        // For the case that the timer does not.
        if self.node.deadline().is_some() {
            self.node.pass(now());
        }
        match self.node.cause() {
            Some(cause) if self.tells => Poll::Ready(context::tell(stopped(Some(cause)))),
            Some(cause) => Poll::Ready(stopped(Some(cause))),
            None => Poll::Pending,
        }
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        self.unlisten();
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled").field("cause", &self.node.cause()).finish()
    }
}
