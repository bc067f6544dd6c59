//! A scope from its beginning to its end.

use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use futures_util::FutureExt;
use wg_core::sync::now;

use super::place::{Place, Polls};
use super::scope::AsyncScope;
use super::shared::Shared;
use super::try_scope::TryAsyncScope;
use crate::cancel::Node;
use crate::cause::{Cause, Stopped};
use crate::closing::unwinding;
use crate::context::{self, Role};
use crate::failure::Errors;
use crate::failures::{BodyEnd, Failures};
use crate::ledger::{Conclusion, Unwind};
use crate::outcome::{Payload, discard, drop_caught};
use crate::policy::Policy;
use crate::timer::{self, Watched};

/// Runs a scope whose tasks do not fail.
pub(crate) fn plain<P, G, F, Fut>(
    open: G,
    body: F,
    site: &'static Location<'static>,
) -> impl Future<Output = Fut::Output> + use<P, G, F, Fut>
where
    P: Place,
    G: FnOnce() -> Arc<Shared<P>>,
    F: FnOnce(AsyncScope<P>) -> Fut,
    Fut: Future,
{
    let body = |shared: &Arc<Shared<P>>| body(AsyncScope::of(shared));
    Whole::new(open, body, |_| false).map(move |(ended, conclusion, shared)| {
        match conclusion.unwind {
            Unwind::Not => ended.result.expect("a body that did not panic returned"),
            unwind => unwinding(unwind, ended.result, &shared, site),
        }
    })
}

/// Runs a scope of which one failure comes back.
pub(crate) fn tried<P, G, F, Fut, R, E>(
    open: G,
    policy: Policy,
    body: F,
    site: &'static Location<'static>,
) -> impl Future<Output = Result<R, E>> + use<P, G, F, Fut, R, E>
where
    P: Place,
    G: FnOnce() -> Arc<Shared<P>>,
    F: FnOnce(TryAsyncScope<P, E>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: From<Stopped>,
{
    let failures = Arc::new(Failures::new());
    let its = Arc::clone(&failures);
    let body = move |shared: &Arc<Shared<P>>| body(TryAsyncScope::of(shared, &its));
    Whole::new(open, body, Result::is_err).map(move |(ended, conclusion, shared)| {
        let Ended { result, was_first, echoes } = ended;
        let body = BodyEnd { result, was_first, echoes };
        failures.conclude(body, conclusion, &policy, &shared, site)
    })
}

/// Runs a scope of which all failures come back.
pub(crate) fn collect<P, G, F, Fut, E>(
    open: G,
    body: F,
    site: &'static Location<'static>,
) -> impl Future<Output = (Fut::Output, Errors<E>)> + use<P, G, F, Fut, E>
where
    P: Place,
    G: FnOnce() -> Arc<Shared<P>>,
    F: FnOnce(TryAsyncScope<P, E>) -> Fut,
    Fut: Future,
{
    let failures = Arc::new(Failures::new());
    let its = Arc::clone(&failures);
    let body = move |shared: &Arc<Shared<P>>| body(TryAsyncScope::of(shared, &its));
    Whole::new(open, body, |_| false).map(move |(ended, conclusion, shared)| {
        let tasks = shared.counts().spawned;
        failures.collect(ended.result, conclusion, tasks, &shared, site)
    })
}

/// How the body ended.
struct Ended<R> {
    /// None if it panicked.
    result: Option<R>,
    /// Whether it failed of itself, before anything else went wrong.
    was_first: bool,
    /// Whether what it says may be the echo of something.
    echoes: bool,
}

/// A scope as its future: ready when the body and the children have ended.
///
/// Written by hand, as the places' own futures are: of an `async` block that holds them the compiler
/// could not tell whether it is `Send`.
enum Whole<P: Polls, G, F, Fut: Future> {
    /// It gets its place in the tree where it is polled first.
    Start(Option<Start<G, F, Fut::Output>>),
    Running(Running<P, Body<P, Fut>>),
    Ended,
}

struct Start<G, F, R> {
    open: G,
    body: F,
    fails: fn(&R) -> bool,
}

struct Running<P: Polls, B: Future> {
    shared: Arc<Shared<P>>,
    watched: Option<Watched>,
    heard: Option<usize>,
    drive: Pin<Box<P::Drive<B>>>,
    has_ended: bool,
}

impl<P: Polls, G, F, Fut: Future> Unpin for Whole<P, G, F, Fut> {}

impl<P, G, F, Fut> Whole<P, G, F, Fut>
where
    P: Polls,
    G: FnOnce() -> Arc<Shared<P>>,
    F: FnOnce(&Arc<Shared<P>>) -> Fut,
    Fut: Future,
{
    fn new(open: G, body: F, fails: fn(&Fut::Output) -> bool) -> Self {
        Whole::Start(Some(Start { open, body, fails }))
    }
}

impl<P, G, F, Fut> Future for Whole<P, G, F, Fut>
where
    P: Polls,
    G: FnOnce() -> Arc<Shared<P>>,
    F: FnOnce(&Arc<Shared<P>>) -> Fut,
    Fut: Future,
{
    type Output = (Ended<Fut::Output>, Conclusion, Arc<Shared<P>>);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Whole::Start(start) = this {
            let start = start.take().expect("it is not polled after a panic");
            let Start { open, body, fails } = start;
            let shared = open();
            let place = context::enter_to_poll(&shared.node, Role::Body);
            let future = catch_unwind(AssertUnwindSafe(|| Box::pin(body(&shared))));
            drop(place);
            let its = Arc::clone(&shared);
            let body = Body { shared: its, future: Some(future), told: false, fails };
            *this = Whole::Running(Running {
                watched: timer::watch(&shared.node),
                heard: shared.node.listen(Waker::from(Arc::clone(&shared.signal))),
                drive: Box::pin(P::drive(Arc::clone(&shared), body)),
                shared,
                has_ended: false,
            });
        }
        let Whole::Running(running) = this else { unreachable!("it is not polled after its end") };
        let (result, was_first, echoes) = ready!(running.drive.as_mut().poll(context));
        let shared = Arc::clone(&running.shared);
        running.end();
        *this = Whole::Ended;
        let (result, payload) = match result {
            Ok(result) => (Some(result), None),
            Err(payload) => (None, Some(payload)),
        };
        let conclusion = shared.close(payload);
        // A handle that is left over finds that there is no scope any more.
        shared.node.cancel(Cause::Ended);
        Poll::Ready((Ended { result, was_first, echoes }, conclusion, shared))
    }
}

impl<P: Polls, B: Future> Running<P, B> {
    fn end(&mut self) {
        if let Some(key) = self.heard.take() {
            self.shared.node.unlisten(key);
        }
        self.shared.signal.dismiss();
        self.watched = None;
        self.has_ended = true;
    }
}

/// Cancels a scope whose future is dropped before it is ready, and only then drops what it polls:
/// what is dropped with the scope is told why.
impl<P: Polls, B: Future> Drop for Running<P, B> {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        let shared = &self.shared;
        shared.group.close();
        shared.node.cancel(Cause::Dropped);
        shared.signal.dismiss();
        shared.drain();
        shared.stop();
        P::abandon(shared);
    }
}

/// The body as its scope polls it: in the scope's context, and panicking into its hands.
struct Body<P: Polls, Fut: Future> {
    shared: Arc<Shared<P>>,
    /// The panic of the one who was to make it, or the future. None when it has ended.
    future: Option<Result<Pin<Box<Fut>>, Payload>>,
    told: bool,
    fails: fn(&Fut::Output) -> bool,
}

impl<P: Polls, Fut: Future> Unpin for Body<P, Fut> {}

/// Drops a body that has not ended. Its panic keeps nothing else from being dropped; the hook has
/// printed it.
impl<P: Polls, Fut: Future> Drop for Body<P, Fut> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            let place = context::enter_to_poll(&self.shared.node, Role::Body);
            drop_caught(future).unwrap_or_else(discard);
            drop(place);
        }
    }
}

impl<P: Polls, Fut: Future> Body<P, Fut> {
    fn advance(&mut self, context: &mut Context<'_>) -> Poll<Result<Fut::Output, Payload>> {
        let mut future = match self.future.take().expect("it is not polled after its end") {
            Ok(future) => future,
            Err(payload) => return Poll::Ready(Err(payload)),
        };
        let told = context::told();
        let place = context::enter_to_poll(&self.shared.node, Role::Body);
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context)));
        let mut result = match polled {
            // There is nothing of the scope's left that it could wait for.
            Ok(Poll::Pending) if self.shared.gives_up() => {
                Err(Box::new(self.shared.stopped()) as _)
            }
            Ok(Poll::Pending) => {
                self.future = Some(Ok(future));
                self.told |= context::told() != told;
                return Poll::Pending;
            }
            Ok(Poll::Ready(result)) => Ok(result),
            Err(payload) => Err(payload),
        };
        if let Err(payload) = drop_caught(future) {
            // A panic in the drop of what it holds costs it its value.
            let unseen = std::mem::replace(&mut result, Err(payload));
            drop_caught(unseen).unwrap_or_else(discard);
        }
        drop(place);
        self.told |= context::told() != told;
        Poll::Ready(result)
    }
}

impl<P: Polls, Fut: Future> Future for Body<P, Fut> {
    type Output = (Result<Fut::Output, Payload>, bool, bool);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let result = ready!(this.advance(context));
        let failed = result.as_ref().map_or(true, this.fails);
        // Before anything else is polled: it may be what fails because of this.
        let was_first = failed && this.shared.node.cancel(Cause::BodyFailed) && !this.told;
        Poll::Ready((result, was_first, this.told))
    }
}

/// When the children of a cancelled scope are dropped.
#[derive(Default)]
pub(crate) enum Stopping {
    #[default]
    NotYet,
    /// When this is cancelled.
    InGrace(Arc<Node>, #[expect(dead_code, reason = "watches while it is here")] Option<Watched>),
    Done,
}

impl Stopping {
    /// Whether those that have begun are to be dropped now; true once. What has not begun is dropped
    /// as soon as the scope is cancelled.
    pub(crate) fn is_due<P: Polls>(&mut self, shared: &Shared<P>) -> bool {
        if !shared.is_cancelled() {
            return false;
        }
        match self {
            Stopping::NotYet => {
                shared.drain();
                if let Some(grace) = shared.grace {
                    let over = Node::new(&[], now().checked_add(grace));
                    let heard = over.listen(Waker::from(Arc::clone(&shared.signal)));
                    let watched = timer::watch(&over);
                    if heard.is_some() && !over.is_cancelled() {
                        *self = Stopping::InGrace(over, watched);
                        return false;
                    }
                }
            }
            Stopping::InGrace(over, _) => {
                over.pass(now());
                if !over.is_cancelled() {
                    return false;
                }
            }
            Stopping::Done => return false,
        }
        *self = Stopping::Done;
        shared.stop();
        true
    }
}
