//! A strand of a fan-out: one child of its scope, which handles one item after the other.
//!
//! A strand is no task of the ledger: the items are. The place polls and drops it as it does a
//! [`Cell`](crate::futures::cell::Cell).

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wg_core::OwnedToken;
use wg_core::sync::Mutex;

use super::done::Results;
use super::feed::{Claim, Feed};
use crate::context::{self, Role};
use crate::failures::Failures;
use crate::futures::cell::{Drive, Whose};
use crate::futures::line::Key;
use crate::futures::place::{Holds, Polls};
use crate::futures::shared::Shared;
use crate::ledger::as_echo;
use crate::outcome::{Payload, discard, drop_caught};
use crate::task_info::{Label, TaskInfo};

/// How many items a strand handles before others get a turn, where none of them waits.
const TURN: usize = 32;

/// What the strands of one fan-out have in common. The last of them to end drops it.
pub(super) struct Work<P: Polls, I: Iterator, F, Fut, R, E> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) failures: Arc<Failures<E>>,
    pub(super) results: Results<R>,
    pub(super) feed: Feed<I>,
    pub(super) function: F,
    pub(super) label: Label,
    /// The most strands.
    pub(super) most: u64,
    /// Starts one more strand. Here, because who polls a strand does not know what its place holds.
    pub(super) post: fn(&Arc<Self>, number: u64),
    pub(super) future: std::marker::PhantomData<fn() -> Fut>,
}

pub(crate) struct Strand<P: Polls, I: Iterator, F, Fut, R, E> {
    shared: Arc<Shared<P>>,
    label: Label,
    number: u64,
    stage: InHand<Rest<P, I, F, Fut, R, E>>,
}

/// Whose hands what is left of a strand is in.
type InHand<T> = Mutex<Stage<T>>;

enum Stage<T> {
    /// Not in the hands of its place yet.
    Waiting(T),
    Driven(T),
    /// Somebody polls it.
    Polled,
    Ended,
}

/// What is left of a strand that has not ended.
struct Rest<P: Polls, I: Iterator, F, Fut, R, E> {
    work: Arc<Work<P, I, F, Fut, R, E>>,
    /// What became of the item in hand. The place is used again for every item.
    future: Pin<Box<Option<Fut>>>,
    /// The index of the item in hand.
    index: u64,
    /// Whether the item in hand was told that it is stopped.
    told: bool,
    /// Whether there has been an item.
    begun: bool,
    token: Option<OwnedToken>,
    key: Option<Key>,
}

impl<P, I, F, Fut, R, E> Work<P, I, F, Fut, R, E>
where
    P: Holds<Strand<P, I, F, Fut, R, E>>,
    I: Iterator,
    F: Fn(I::Item) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    /// Starts the strand with this number.
    pub(super) fn start(self: &Arc<Self>, number: u64) {
        let rest = Rest {
            work: Arc::clone(self),
            future: Box::pin(None),
            index: 0,
            told: false,
            begun: false,
            token: self.shared.token(),
            key: None,
        };
        let strand = Strand {
            shared: Arc::clone(&self.shared),
            label: self.label.clone(),
            number,
            stage: Mutex::new(Stage::Waiting(rest)),
        };
        self.shared.submit(P::child(Arc::new(strand)), false);
    }
}

impl<P: Polls, I: Iterator, F, Fut, R, E> Work<P, I, F, Fut, R, E> {
    fn item(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.clone())
    }

    fn panicked(&self, index: u64, payload: Payload) {
        let task = self.item(index);
        let (_, failure) = self.shared.panicked(payload, &task);
        if let Some((payload, order)) = failure {
            self.failures.report().panicked(task, payload, order);
        }
    }

    /// Enters how an item ended. `told`: its error may be the echo of a cancel.
    fn settle(&self, index: u64, result: Result<Result<R, E>, Payload>, told: bool) {
        match result {
            Ok(Ok(value)) => {
                // It must be where it is looked for before those who look hear that all is over.
                self.results.push(index, value, self.shared.counts_values());
                let verdict = self.shared.judge_value(|| self.item(index));
                self.shared.obey(verdict);
            }
            Ok(Err(error)) => {
                let task = self.item(index);
                let (order, verdict) = self.shared.judge_error(&task);
                let order = if told { as_echo(order) } else { order };
                self.results.ended();
                self.failures.report().failed(task, error, order);
                self.shared.obey(verdict);
            }
            Err(payload) => {
                self.results.ended();
                self.panicked(index, payload);
            }
        }
    }

    /// Drops all of the user's that is not a result, and enters what the drops throw.
    pub(super) fn finish(self) {
        let thrown = self.feed.stop();
        let total = self.feed.total();
        self.results.total(total);
        thrown.into_iter().for_each(|payload| self.panicked(total.0 as u64, payload));
        let Work { shared, failures, label, function, .. } = self;
        if let Err(payload) = drop_caught(function) {
            let task = TaskInfo::new(total.0 as u64, label);
            let (_, failure) = shared.panicked(payload, &task);
            if let Some((payload, order)) = failure {
                failures.report().panicked(task, payload, order);
            }
        }
    }
}

/// What a strand does next.
enum Next {
    Item,
    Wait,
    End,
}

impl<P, I, F, Fut, R, E> Rest<P, I, F, Fut, R, E>
where
    P: Polls,
    I: Iterator,
    F: Fn(I::Item) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    /// Takes the next item in hand.
    fn claim(&mut self, number: u64, waker: &Waker) -> Next {
        let work = &*self.work;
        if work.shared.is_cancelled() {
            return Next::End;
        }
        let (index, item) = match work.feed.claim(number, waker) {
            Claim::Item(index, item) => (index, item),
            Claim::Wait => return Next::Wait,
            Claim::Ended(thrown) => {
                let items = work.feed.total().0 as u64;
                thrown.into_iter().for_each(|payload| work.panicked(items, payload));
                return Next::End;
            }
            Claim::Panicked(index, payload) => {
                work.panicked(index, payload);
                return Next::End;
            }
        };
        if work.shared.skips(index) {
            // Whatever else is pulled comes later, and is skipped as well.
            let thrown = drop_caught(item).err().into_iter().chain(work.feed.stop());
            thrown.for_each(|payload| work.panicked(index, payload));
            return Next::End;
        }
        self.index = index;
        self.told = false;
        if !mem::replace(&mut self.begun, true) && number + 1 < work.most {
            // There may be an item for another strand, now that there was one for this.
            (work.post)(&self.work, number + 1);
        }
        let called = catch_unwind(AssertUnwindSafe(|| (work.function)(item)));
        match called {
            Ok(future) => self.future.set(Some(future)),
            Err(payload) => work.settle(index, Err(payload), false),
        }
        Next::Item
    }

    /// Polls the item in hand. Returns false if it waits.
    fn advance(&mut self, context: &mut Context<'_>) -> bool {
        let Some(future) = self.future.as_mut().as_pin_mut() else { return true };
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
                        self.work.panicked(self.index, worse);
                    }
                }
            }
        }
        self.work.settle(self.index, result, self.told);
        true
    }
}

impl<P: Polls, I: Iterator, F, Fut, R, E> Rest<P, I, F, Fut, R, E> {
    fn drop_future(&mut self) -> Result<(), Payload> {
        catch_unwind(AssertUnwindSafe(|| self.future.set(None)))
    }
}

impl<P: Polls, I: Iterator, F, Fut, R, E> Strand<P, I, F, Fut, R, E> {
    /// Ends a strand that is in hand. When the token goes, at the very end, everything of the user's
    /// has been dropped or handed over (rule 1).
    fn end(&self, mut rest: Rest<P, I, F, Fut, R, E>) {
        if let Err(payload) = rest.drop_future() {
            rest.work.panicked(rest.index, payload);
        }
        let Rest { work, future, token, key, .. } = rest;
        drop(future);
        *self.stage.lock() = Stage::Ended;
        if let Some(work) = Arc::into_inner(work) {
            work.finish();
        }
        self.shared.end(key, key.is_some());
        drop(token);
        if self.shared.group.count() == 0 {
            self.shared.signal.ring();
        }
    }
}

impl<P, I, F, Fut, R, E> Drive for Strand<P, I, F, Fut, R, E>
where
    P: Polls,
    I: Iterator,
    F: Fn(I::Item) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    fn drive(&self, key: Key) -> bool {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Waiting(mut rest) => {
                rest.key = Some(key);
                *stage = Stage::Driven(rest);
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
        let mut rest = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Driven(rest) => rest,
            other => {
                *stage = other;
                return Poll::Ready(());
            }
        };
        drop(stage);
        let place = context::enter_to_poll(&self.shared.node, Role::Task);
        let mut turns = 0;
        let next = loop {
            if rest.future.is_none() {
                match rest.claim(self.number, context.waker()) {
                    Next::Item => {}
                    other => break other,
                }
            }
            if !rest.advance(context) {
                break Next::Wait;
            }
            turns += 1;
            if turns == TURN {
                context.waker().wake_by_ref();
                break Next::Wait;
            }
        };
        if let Next::End = next {
            // What is dropped at the end is dropped in the scope.
            self.end(rest);
            drop(place);
            return Poll::Ready(());
        }
        drop(place);
        *self.stage.lock() = Stage::Driven(rest);
        Poll::Pending
    }

    fn cancel(&self, whose: Whose) -> bool {
        let mut stage = self.stage.lock();
        let rest = match mem::replace(&mut *stage, Stage::Polled) {
            Stage::Waiting(rest) if whose == Whose::Lines => rest,
            Stage::Driven(rest) if whose == Whose::Places => rest,
            other => {
                *stage = other;
                return false;
            }
        };
        drop(stage);
        self.end(rest);
        true
    }

    fn is_waiting(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Waiting(_))
    }

    fn info(&self) -> TaskInfo {
        TaskInfo::new(self.number, self.label.clone())
    }
}
