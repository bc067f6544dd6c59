//! Awaiting that a scope is cancelled.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wg_core::sync::now;

use super::frame;
use super::scope::Scope;
use crate::cancel::Node;
use crate::cause::Stopped;
use crate::ledger::stopped;

/// A future that is ready when a scope is cancelled, with the cause. Made by [`Scope::cancelled`].
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
}

/// # Awaiting a cancel
impl Scope<'_, '_> {
    /// Returns a future that is ready when the scope is cancelled.
    ///
    /// The scope's own futures need it not: those that are pending when the scope is cancelled are
    /// dropped at once. It is for futures that go on after that: those of a
    /// [shielded](crate::Options::shield) scope inside, or on another executor.
    ///
    /// # Examples
    ///
    /// ```
    /// let said = wg::scope(|s| {
    ///     let cancelled = s.cancelled();
    ///     s.cancel("enough");
    ///     wg::options().shield().scope(|inner| inner.spawn_future(cancelled).join())
    /// });
    /// assert_eq!(said.to_string(), "stopped: cancelled: enough");
    /// ```
    pub fn cancelled(&self) -> Cancelled {
        Cancelled { node: Arc::clone(&self.shared().node), listening: None }
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
            Some(cause) => Poll::Ready(frame::tell(stopped(Some(cause)))),
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
