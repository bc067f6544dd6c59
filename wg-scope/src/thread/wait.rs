//! The one way in which a thread waits for something inside a scope: until it is there, the scope
//! is cancelled, or the time is up.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use wg_core::sync::{current, now, park_until};

use super::frame;
use super::runner::run_one;
use super::shared::Shared;
use super::sleep::{Asleep, waker};
use crate::cancel::Node;
use crate::cause::{Cause, Stopped};
use crate::context::{self, Role};
use crate::ledger::stopped;

/// Why a wait ended without what it waited for.
#[derive(Debug)]
pub(super) enum Vain {
    Stopped(Stopped),
    TimedOut,
}

/// Waits until `poll` returns something. It is called with a waker that it must keep where the
/// event will find it, and is asked again after every wake-up.
pub(super) fn wait<T>(
    scope: &Arc<Shared>,
    deadline: Option<Instant>,
    poll: impl FnMut(&Waker) -> Option<T>,
) -> Result<T, Vain> {
    wait_with(scope, deadline, Asleep::fall, poll)
}

/// Waits until `deadline`, and keeps its slots: nothing that needs one is waited for.
pub(super) fn wait_in_vain(scope: &Arc<Shared>, deadline: Option<Instant>) -> Vain {
    match wait_with(scope, deadline, || (), |_| None::<Infallible>) {
        Ok(never) => match never {},
        Err(vain) => vain,
    }
}

fn wait_with<T, A>(
    scope: &Arc<Shared>,
    deadline: Option<Instant>,
    fall_asleep: impl FnOnce() -> A,
    mut poll: impl FnMut(&Waker) -> Option<T>,
) -> Result<T, Vain> {
    let waker = waker();
    // What is there is there, cancelled or not.
    if let Some(found) = poll(&waker) {
        return Ok(found);
    }
    let here = context::innermost().filter(|node| !Arc::ptr_eq(node, &scope.node));
    let nodes = Listening::to(&waker, [Some(&scope.node), here.as_ref()]);
    let in_body = frame::role_in(scope) == Some(Role::Body);
    let _asleep = fall_asleep();
    loop {
        if let Some(found) = poll(&waker) {
            return Ok(found);
        }
        if let Some(cause) = nodes.cause() {
            return Err(Vain::Stopped(context::tell(stopped(Some(cause)))));
        }
        let until = nodes.deadline().into_iter().chain(deadline).min();
        if let Some(until) = until {
            let now = now();
            if until <= now {
                nodes.pass(now);
                if deadline.is_some_and(|deadline| deadline <= now) {
                    return Err(Vain::TimedOut);
                }
                continue;
            }
        }
        // The body of a scope for which no thread can be had does the work itself: nobody else
        // would.
        if in_body {
            scope.queue.stand_by(current());
            if scope.queue.is_deserted() && !scope.lend() && run_one(scope) {
                continue;
            }
        }
        park_until(until);
    }
}

/// As [`wait`], for as long as it takes.
pub(super) fn wait_stopped<T>(
    scope: &Arc<Shared>,
    poll: impl FnMut(&Waker) -> Option<T>,
) -> Result<T, Stopped> {
    wait(scope, None, poll).map_err(|vain| match vain {
        Vain::Stopped(stopped) => stopped,
        Vain::TimedOut => unreachable!("a wait without a deadline"),
    })
}

/// The nodes whose cancel ends a wait.
struct Listening<'a>([Option<(&'a Arc<Node>, Option<usize>)>; 2]);

impl<'a> Listening<'a> {
    fn to(waker: &Waker, nodes: [Option<&'a Arc<Node>>; 2]) -> Self {
        Listening(nodes.map(|node| node.map(|node| (node, node.listen(waker.clone())))))
    }

    fn nodes(&self) -> impl Iterator<Item = &'a Arc<Node>> {
        self.0.iter().flatten().map(|&(node, _)| node)
    }

    fn cause(&self) -> Option<Cause> {
        self.nodes().find_map(|node| node.cause())
    }

    fn deadline(&self) -> Option<Instant> {
        self.nodes().filter_map(|node| node.deadline()).min()
    }

    /// Cancels those whose deadline has passed, for the case that the timer does not.
    fn pass(&self, now: Instant) {
        for node in self.nodes() {
            node.pass(now);
        }
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        for (node, key) in self.0.iter().flatten() {
            if let Some(key) = key {
                node.unlisten(*key);
            }
        }
    }
}
