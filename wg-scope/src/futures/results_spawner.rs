//! Starting tasks whose results come out of an outlet, and what they are on the way there.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::cell::Cell;
use super::helper::Exit;
use super::place::{Place, Polls, Spawns};
use super::shared::Shared;
use crate::failures::Failures;
use crate::outcome::{Outcome, Payload, discard};
use crate::outlet::Ticket;
use crate::settle::{Plain, Settle};
use crate::task_info::{Label, TaskInfo};

/// Starts tasks whose results come out of one [`AsyncResults`](crate::AsyncResults).
///
/// Made by [`AsyncResults::spawner`](crate::AsyncResults::spawner) and
/// [`AsyncResults::task`](crate::AsyncResults::task). Tasks can take it, or a clone of it, with them.
/// It keeps nothing open: what ends is the tasks.
#[must_use = "a spawner that spawns nothing does nothing"]
pub struct AsyncSpawner<P: Place, T> {
    shared: Arc<Shared<P>>,
    outlet: Arc<Exit<T>>,
    name: Option<Arc<str>>,
}

impl<P: Place, T> AsyncSpawner<P, T> {
    /// Creates an outlet, and what starts tasks for it. `reader` wakes who reads it.
    pub(super) fn new(shared: &Arc<Shared<P>>, reader: Waker) -> Self {
        let outlet = Arc::new(Exit::new(reader));
        AsyncSpawner { shared: Arc::clone(shared), outlet, name: None }
    }

    /// Names the tasks that are spawned through what it returns, for reports and errors.
    pub fn task(&self, name: &str) -> Self {
        AsyncSpawner { name: Some(name.into()), ..self.clone() }
    }

    /// Returns whether nobody will read the results, so that tasks that are started now are dropped.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.outlet.is_unwanted()
    }

    pub(super) fn shared(&self) -> &Arc<Shared<P>> {
        &self.shared
    }

    pub(crate) fn outlet(&self) -> &Arc<Exit<T>> {
        &self.outlet
    }

    /// Starts a task. `keep` says what becomes of an outcome that is no value for the outlet.
    pub(crate) fn start<F, K>(
        &self,
        site: &'static Location<'static>,
        task: Wanted<F, T>,
        keep: K,
    ) -> usize
    where
        P: Spawns<Wanted<F, T>, Deliver<T, K>>,
        F: Future,
        Deliver<T, K>: Settle<Option<F::Output>>,
    {
        let label = match &self.name {
            Some(name) => Label::named(name, site),
            None => Label::at(site),
        };
        // The scope is not to end before the task's outcome is the outlet's, wherever this runs.
        held_open(&self.shared, || {
            let ticket = self.outlet.enlist();
            let number = usize::try_from(ticket.number).unwrap_or(usize::MAX);
            let deliver = Deliver { outlet: Arc::clone(&self.outlet), ticket, keep };
            Cell::spawn(&self.shared, label, task, deliver).leave();
            number
        })
    }
}

/// Calls, and lets the scope not end meanwhile, if it has not yet.
pub(super) fn held_open<P: Polls, R>(shared: &Shared<P>, call: impl FnOnce() -> R) -> R {
    let token = shared.token();
    let result = call();
    drop(token);
    if shared.group.count() == 0 {
        shared.signal.ring();
    }
    result
}

impl<P: Place, T> Clone for AsyncSpawner<P, T> {
    fn clone(&self) -> Self {
        let (shared, outlet) = (Arc::clone(&self.shared), Arc::clone(&self.outlet));
        AsyncSpawner { shared, outlet, name: self.name.clone() }
    }
}

impl<P: Place, T> fmt::Debug for AsyncSpawner<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncSpawner")
            .field("outlet", &**self.outlet)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A task of an outlet. Where nobody wants what would come of it, it does not begin, and is ready
/// with nothing.
pub(crate) struct Wanted<F, T> {
    /// None from its beginning on.
    outlet: Option<Arc<Exit<T>>>,
    /// In a box, so that it is dropped after its value was handed over, and not inside of `poll`.
    future: Pin<Box<F>>,
}

impl<F, T> Wanted<F, T> {
    pub(crate) fn new(outlet: &Arc<Exit<T>>, future: F) -> Self {
        Wanted { outlet: Some(Arc::clone(outlet)), future: Box::pin(future) }
    }
}

impl<F: Future, T> Future for Wanted<F, T> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.outlet.take().is_some_and(|outlet| outlet.is_unwanted()) {
            return Poll::Ready(None);
        }
        self.future.as_mut().poll(context).map(Some)
    }
}

/// What becomes of the outcome of a task of an outlet. Whatever it is, the task leaves the roll,
/// once.
pub(crate) struct Deliver<T, K> {
    outlet: Arc<Exit<T>>,
    ticket: Ticket,
    /// What becomes of an outcome that is no value for the outlet.
    keep: K,
}

impl<T, K> Deliver<T, K> {
    /// Delivers a value. What is refused is dropped here, where the task's own panics are caught.
    fn deliver(&self, task: TaskInfo, value: T) {
        let refused = self.outlet.deliver(&self.ticket, task, value);
        drop(refused);
    }
}

impl<T> Settle<Option<T>> for Deliver<T, Plain> {
    fn settle(&self, task: TaskInfo, outcome: Outcome<Option<T>>, _: usize) {
        match outcome {
            Outcome::Value(Some(value)) => self.deliver(task, value),
            Outcome::Value(None) | Outcome::Lost(_) => self.outlet.end(&self.ticket),
        }
    }

    fn lines_up(&self, number: i64, lowest: i64) {
        self.outlet.line_up(number, lowest);
    }

    fn caught(&self, _: TaskInfo, payload: Payload, _: usize) {
        discard(payload);
    }
}

impl<T, E> Settle<Option<Result<T, E>>> for Deliver<T, Arc<Failures<E>>> {
    fn is_error(&self, value: &Option<Result<T, E>>) -> bool {
        matches!(value, Some(Err(_)))
    }

    fn settle(&self, task: TaskInfo, outcome: Outcome<Option<Result<T, E>>>, order: usize) {
        match outcome {
            Outcome::Value(Some(Ok(value))) => self.deliver(task, value),
            Outcome::Value(Some(Err(error))) => {
                // In this order: whoever sees the end sees the failure.
                self.keep.report().failed(task, error, order);
                self.outlet.end(&self.ticket);
            }
            Outcome::Value(None) | Outcome::Lost(_) => self.outlet.end(&self.ticket),
        }
    }

    fn lines_up(&self, number: i64, lowest: i64) {
        self.outlet.line_up(number, lowest);
    }

    fn caught(&self, task: TaskInfo, payload: Payload, order: usize) {
        self.keep.report().panicked(task, payload, order);
    }
}
