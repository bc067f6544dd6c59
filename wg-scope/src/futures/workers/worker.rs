//! A worker of a pool: one child of its scope, which handles one job after the other while there
//! are some.
//!
//! As the strand of a fan-out it is no task of the ledger: the jobs are. It is polled by its place,
//! or else by whoever waits for the pool in a slot of the scope: there may be no other slot for it.

use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use wg_core::OwnedToken;
use wg_core::sync::Mutex;

use super::post::Post;
use crate::context::{self, Role};
use crate::failures::Failures;
use crate::futures::child::{Child, Drive, Whose};
use crate::futures::line::{Entry, Key};
use crate::futures::place::{Holds, Polls};
use crate::futures::results_spawner::held_open;
use crate::futures::shared::Shared;
use crate::ledger::as_echo;
use crate::outcome::{Payload, discard, drop_caught};
use crate::task_info::{Label, Stamp, TaskInfo};
use crate::timeline::OutcomeKind;

/// How many jobs a worker handles before others get a turn, where none of them waits.
const TURN: usize = 32;

/// What the workers of one pool have in common.
pub(crate) struct Crew<P: Polls, J, R, E, F, Fut> {
    post: Arc<Post<P, J, R>>,
    /// None when it is being dropped.
    handler: Option<F>,
    failures: Arc<Failures<E>>,
    /// Starts the workers that are wanted. Here, because who polls a worker does not know what its
    /// place holds.
    hire: fn(&Arc<Self>),
    future: PhantomData<fn() -> Fut>,
}

impl<P, J, R, E, F, Fut> Crew<P, J, R, E, F, Fut>
where
    P: Holds<Worker<P, J, R, E, F, Fut>> + Holds<Foreman<P, J, R, E, F, Fut>>,
    F: Fn(J) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    /// Creates a crew, and returns what starts its workers when it is polled.
    pub(super) fn form(
        post: &Arc<Post<P, J, R>>,
        handler: F,
        failures: &Arc<Failures<E>>,
    ) -> P::Child {
        let crew = Arc::new(Crew {
            post: Arc::clone(post),
            handler: Some(handler),
            failures: Arc::clone(failures),
            hire: Crew::hire,
            future: PhantomData,
        });
        <P as Holds<Foreman<_, _, _, _, _, _>>>::child(Arc::new(Foreman(crew)))
    }

    fn hire(self: &Arc<Self>) {
        for _ in 0..self.post.take_wanted() {
            let shared = &self.post.shared;
            let rest = Rest {
                crew: Arc::clone(self),
                future: Box::pin(None),
                index: 0,
                began: Stamp::NEVER,
                told: false,
                token: shared.token(),
                key: None,
            };
            let worker = Arc::new(Worker {
                shared: Arc::clone(shared),
                // One of its own, by which the scope's line tells it from other children.
                number: shared.number(),
                label: self.post.label.clone(),
                stage: Mutex::new(Stage::Apart(rest)),
            });
            let child = <P as Holds<Worker<_, _, _, _, _, _>>>::child(Arc::clone(&worker));
            if worker.is_of_an_ended_scope() {
                child.cancel();
                continue;
            }
            submit(&self.post, child, false);
        }
    }
}

/// Has a worker polled by its place, as soon as there is a slot for it. `first`: before all others
/// that wait.
pub(super) fn submit<P: Polls, J, R>(post: &Post<P, J, R>, worker: P::Child, first: bool) {
    let shared = &post.shared;
    if shared.is_cancelled() {
        // It may be the drop of the scope that has come here: nobody would poll it, or drop it.
        worker.cancel();
        return;
    }
    match shared.enter(&worker, first) {
        Entry::Begins(key) => {
            let driven = worker.drive(key);
            debug_assert!(driven, "nobody else can reach it");
            shared.start(worker, key);
        }
        Entry::Waits(place) => post.line_up(worker.info().index() as u64, worker, place),
    }
    // Whoever cancelled the scope may have looked at the line before the worker was there.
    if shared.is_cancelled() {
        shared.drain();
    }
}

impl<P: Polls, J, R, E, F, Fut> Crew<P, J, R, E, F, Fut> {
    /// Enters how a job ended. `told`: its error may be the echo of a cancel.
    fn settle(&self, index: u64, result: Result<Result<R, E>, Payload>, told: bool) {
        let (post, record) = (&self.post, &**self.post.shared);
        let verdict = match result {
            Ok(Ok(value)) => {
                // It must be where it is looked for before those who look hear that all is over.
                let unread = post.end(Some(value));
                let verdict = record.judge_value(|| post.task(index));
                if let Err(payload) = drop_caught(unread) {
                    self.panicked(index, payload);
                }
                verdict
            }
            Ok(Err(error)) => {
                let task = post.task(index);
                let (order, verdict) = record.judge_error(&task);
                let order = if told { as_echo(order) } else { order };
                // In this order: whoever sees the end sees the failure.
                self.failures.report().failed(task, error, order);
                post.end(None);
                verdict
            }
            Err(payload) => {
                self.panicked(index, payload);
                post.end(None);
                return;
            }
        };
        record.obey(verdict);
    }

    fn panicked(&self, index: u64, payload: Payload) {
        self.post.panicked(self.post.task(index), payload);
    }
}

/// Drops the handler, where its panic is entered: with the last inlet, or the last worker.
impl<P: Polls, J, R, E, F, Fut> Drop for Crew<P, J, R, E, F, Fut> {
    fn drop(&mut self) {
        let handler = self.handler.take();
        held_open(&self.post.shared, || {
            if let Err(payload) = drop_caught(handler) {
                self.panicked(0, payload);
            }
        });
    }
}

/// Starts the workers of a crew that are wanted each time it is polled: what inlets hold, to whom a
/// child of their place is the only thing that has no handler in its type.
pub(crate) struct Foreman<P: Polls, J, R, E, F, Fut>(Arc<Crew<P, J, R, E, F, Fut>>);

impl<P: Polls, J, R, E, F, Fut> Drive for Foreman<P, J, R, E, F, Fut> {
    fn poll(&self, _: &mut Context<'_>) -> Poll<()> {
        (self.0.hire)(&self.0);
        Poll::Ready(())
    }

    fn drive(&self, _: Key) -> bool {
        false
    }

    fn cancel(&self, _: Whose) -> bool {
        false
    }

    fn is_waiting(&self) -> bool {
        false
    }

    fn info(&self) -> TaskInfo {
        self.0.post.task(0)
    }

    fn has_ended(&self) -> bool {
        false
    }
}

pub(crate) struct Worker<P: Polls, J, R, E, F, Fut> {
    shared: Arc<Shared<P>>,
    number: u64,
    label: Label,
    stage: InHand<Rest<P, J, R, E, F, Fut>>,
}

/// Whose hands what is left of a worker is in.
type InHand<T> = Mutex<Stage<T>>;

enum Stage<T> {
    /// Not in the hands of its place: in the line, or with one who has called it from there.
    Apart(T),
    Driven(T),
    /// Somebody polls it.
    Polled,
    Ended,
}

/// What is left of a worker that has not ended.
struct Rest<P: Polls, J, R, E, F, Fut> {
    crew: Arc<Crew<P, J, R, E, F, Fut>>,
    /// What became of the job in hand. The place is used again for every job.
    future: Pin<Box<Option<Fut>>>,
    /// The number of the job in hand.
    index: u64,
    /// When the job in hand began.
    began: Stamp,
    /// Whether the job in hand was told that it is stopped.
    told: bool,
    /// None if the scope had ended before there was the worker.
    token: Option<OwnedToken>,
    key: Option<Key>,
}

/// How far a worker has come.
enum Step {
    /// A job is through.
    On,
    /// The job in hand waits.
    Wait,
    /// There is nothing to do. Already entered.
    Leave,
    /// The scope is cancelled.
    Stop,
}

impl<P, J, R, E, F, Fut> Rest<P, J, R, E, F, Fut>
where
    P: Polls,
    F: Fn(J) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    fn step(&mut self, context: &mut Context<'_>) -> Step {
        if self.future.is_none() {
            if self.crew.post.shared.is_cancelled() {
                return Step::Stop;
            }
            let next = self.crew.post.claim();
            if next.hire {
                (self.crew.hire)(&self.crew);
            }
            let Some((index, job)) = next.job else { return Step::Leave };
            let handler = self.crew.handler.as_ref().expect("it is dropped with the crew");
            self.index = index;
            self.told = false;
            self.began = self.crew.post.shared.first_poll();
            match catch_unwind(AssertUnwindSafe(|| handler(job))) {
                Ok(future) => self.future.set(Some(future)),
                Err(payload) => {
                    self.record(|| OutcomeKind::of_panic(&payload));
                    self.crew.settle(index, Err(payload), false);
                    return Step::On;
                }
            }
        }
        if self.advance(context) { Step::On } else { Step::Wait }
    }

    /// Polls the job in hand. Returns false if it waits.
    fn advance(&mut self, context: &mut Context<'_>) -> bool {
        let future = self.future.as_mut().as_pin_mut().expect("it was looked for");
        let told = context::told();
        let polled = catch_unwind(AssertUnwindSafe(|| future.poll(context)));
        self.told |= context::told() != told;
        let mut result = match polled {
            Ok(Poll::Pending) => return false,
            Ok(Poll::Ready(result)) => Ok(result),
            Err(payload) => Err(payload),
        };
        if let Err(payload) = self.drop_future() {
            // A panic in the drop of what it holds costs it its value.
            match mem::replace(&mut result, Err(payload)) {
                Ok(value) => drop_caught(value).unwrap_or_else(discard),
                Err(first) => {
                    if let Err(worse) = mem::replace(&mut result, Err(first)) {
                        self.crew.panicked(self.index, worse);
                    }
                }
            }
        }
        self.record(|| match &result {
            Ok(output) => OutcomeKind::of_value(output.is_err()),
            Err(payload) => OutcomeKind::of_panic(payload),
        });
        self.crew.settle(self.index, result, self.told);
        true
    }
}

impl<P: Polls, J, R, E, F, Fut> Rest<P, J, R, E, F, Fut> {
    fn drop_future(&mut self) -> Result<(), Payload> {
        catch_unwind(AssertUnwindSafe(|| self.future.set(None)))
    }

    /// Enters the span of the job in hand in the timeline, if there is one.
    fn record(&self, kind: impl FnOnce() -> OutcomeKind) {
        let post = &self.crew.post;
        post.shared.future_ended(self.index, &post.label, self.began, kind);
    }

    /// Drops the job in hand, and those that no worker will handle.
    fn give_up(&mut self) {
        let had_a_job = self.future.is_some();
        if had_a_job {
            let dropped = self.drop_future();
            self.record(|| OutcomeKind::of_drop(&dropped));
            match dropped {
                Ok(()) => self.crew.post.shared.cancelled(&self.crew.post.task(self.index)),
                Err(payload) => self.crew.panicked(self.index, payload),
            }
        }
        let jobs = self.crew.post.lose(had_a_job);
        self.crew.post.drop_jobs(jobs);
    }
}

impl<P: Polls, J, R, E, F, Fut> Worker<P, J, R, E, F, Fut> {
    /// Ends a worker that is in hand and has no job. When the token goes, at the very end,
    /// everything of the user's has been dropped or handed over (rule 1).
    fn end(&self, rest: Rest<P, J, R, E, F, Fut>) {
        let Rest { crew, future, token, key, .. } = rest;
        drop(future);
        *self.stage.lock() = Stage::Ended;
        drop(crew);
        self.shared.end(key, key.is_some());
        // Those who wait for all may have wakers that panic.
        drop_caught(token).unwrap_or_else(discard);
        if self.shared.group.count() == 0 {
            self.shared.signal.ring();
        }
    }

    fn is_of_an_ended_scope(&self) -> bool {
        matches!(&*self.stage.lock(), Stage::Apart(rest) if rest.token.is_none())
    }
}

impl<P, J, R, E, F, Fut> Drive for Worker<P, J, R, E, F, Fut>
where
    P: Polls,
    F: Fn(J) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    fn drive(&self, key: Key) -> bool {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Apart(mut rest) => {
                rest.key = Some(key);
                let post = Arc::clone(&rest.crew.post);
                *stage = Stage::Driven(rest);
                drop(stage);
                post.leave_line(self.number);
                true
            }
            other => {
                *stage = other;
                false
            }
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut stage = self.stage.lock();
        let (mut rest, back): (_, fn(_) -> _) = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Driven(rest) => (rest, Stage::Driven),
            Stage::Apart(rest) => (rest, Stage::Apart),
            other => {
                *stage = other;
                return Poll::Ready(());
            }
        };
        drop(stage);
        let place = context::enter_to_poll(&self.shared.node, Role::Task);
        let mut turns = 0;
        let step = loop {
            let step = rest.step(context);
            turns += 1;
            match step {
                Step::On if turns == TURN => {
                    context.waker().wake_by_ref();
                    break Step::Wait;
                }
                Step::On => {}
                other => break other,
            }
        };
        if let Step::Wait = step {
            drop(place);
            *self.stage.lock() = back(rest);
            return Poll::Pending;
        }
        if let Step::Stop = step {
            rest.give_up();
        }
        // What is dropped at the end is dropped in the scope.
        self.end(rest);
        drop(place);
        Poll::Ready(())
    }

    fn cancel(&self, whose: Whose) -> bool {
        let mut stage = self.stage.lock();
        let mut rest = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Apart(rest) if whose == Whose::Lines => rest,
            Stage::Driven(rest) if whose == Whose::Places => rest,
            other => {
                *stage = other;
                return false;
            }
        };
        drop(stage);
        rest.crew.post.leave_line(self.number);
        rest.give_up();
        self.end(rest);
        true
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Apart(_))
    }

    fn info(&self) -> TaskInfo {
        TaskInfo::new(self.number, self.label.clone())
    }

    fn has_ended(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Ended)
    }
}
