//! The work of a fan-out whose results are collected.

#![allow(unsafe_code)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use wg_core::sync::Mutex;

use super::alone::Puller;
use super::budget::{Budget, Weighed};
use super::feed::Feed;
use crate::failure::Failure;
use crate::gather::{Part, Places};
use crate::outcome::{Payload, discard, drop_caught};
use crate::task_info::{Label, TaskInfo};
use crate::thread::crew::{Posting, Work};
use crate::thread::shared::Shared;
use crate::timeline::OutcomeKind;

/// One function over the items of a feed.
pub(super) struct Mapping<'w, I: Iterator, F, R, E> {
    pub(super) feed: Feed<I>,
    pub(super) budget: Option<Budget<'w, I::Item>>,
    pub(super) function: F,
    places: Places<R>,
    pub(super) done: Mutex<Done<R, E>>,
}

/// What has come of it so far.
pub(super) struct Done<R, E> {
    pub(super) parts: Vec<Part<R>>,
    /// Successes in the order of their completion, where a policy counts them.
    pub(super) completed: Vec<(usize, R)>,
    /// Failures, each with its place in the order of completion.
    pub(super) failures: Vec<(usize, Failure<E>)>,
    /// How many items were begun.
    pub(super) begun: usize,
}

/// What a share has done, which it hands in at its end.
struct Handing<R> {
    part: Part<R>,
    /// How many items were begun whose results are not there.
    others: usize,
}

impl<'w, I, F, R, E> Mapping<'w, I, F, R, E>
where
    I: Iterator + Send,
    I::Item: Send,
    F: Fn(I::Item) -> Result<R, E> + Sync,
    R: Send,
    E: Send,
{
    pub(super) fn new(
        feed: Feed<I>,
        budget: Option<Budget<'w, I::Item>>,
        function: F,
        places: Places<R>,
    ) -> Self {
        let done =
            Done { parts: Vec::new(), completed: Vec::new(), failures: Vec::new(), begun: 0 };
        Mapping { feed, budget, function, places, done: Mutex::new(done) }
    }

    #[inline]
    fn claim(&self, puller: &mut Puller<I>, crew: &dyn Posting) -> Weighed<I::Item> {
        match &self.budget {
            Some(budget) => budget.claim(&self.feed, puller, crew),
            None => self.feed.claim(puller, crew).into(),
        }
    }

    /// Handles an item, and those that come `next`. `PLAIN`: no policy counts results, and no timeline wants
    /// a span of each item. Small items are not to pay for that.
    #[inline]
    fn handle<const PLAIN: bool>(
        &self,
        (mut index, mut item): (usize, I::Item),
        mut next: impl FnMut() -> Option<(usize, I::Item)>,
        handing: &mut Handing<R>,
        crew: &dyn Posting,
    ) {
        let scope = crew.scope();
        let node = &*scope.node;
        let counts_values = !PLAIN && scope.counts_values();
        let mut at = index;
        let mut span = if PLAIN { None } else { scope.begin_span() };
        let handled = catch_unwind(AssertUnwindSafe(|| {
            loop {
                at = index;
                if node.skips(index as u64) {
                    self.skip(index, item, crew);
                    return;
                }
                let result = (self.function)(item);
                if let Some(span) = span.as_mut().filter(|_| !PLAIN) {
                    span.end(index as u64, crew.label(), OutcomeKind::of_value(result.is_err()));
                }
                match result {
                    Ok(result) if counts_values => {
                        handing.others += 1;
                        self.done.lock().completed.push((index, result));
                        scope.value(|| crew.item(index));
                    }
                    // SAFETY: This item was claimed, as each is once, and was used up by the function.
                    Ok(result) => unsafe { handing.part.push(index, result) },
                    Err(error) => {
                        handing.others += 1;
                        self.failed(index, error, crew);
                    }
                }
                let Some(next) = next() else { return };
                (index, item) = next;
            }
        }));
        if let Err(payload) = handled {
            handing.others += 1;
            if let Some(span) = &mut span {
                span.end(at as u64, crew.label(), OutcomeKind::of_panic(&payload));
            }
            self.panicked(at, payload, crew);
        }
    }

    /// Drops an item that is not to begin. Whatever else is pulled comes later, and is skipped as
    /// well.
    #[cold]
    fn skip(&self, index: usize, item: I::Item, crew: &dyn Posting) {
        let thrown = drop_caught(item).err().into_iter().chain(self.feed.stop());
        for payload in thrown {
            self.panicked(index, payload, crew);
        }
    }

    #[cold]
    fn failed(&self, index: usize, error: E, crew: &dyn Posting) {
        let task = crew.item(index);
        let order = crew.scope().error(&task);
        self.done.lock().failures.push((order, Failure::error(Some(task), error)));
    }

    #[cold]
    fn panicked(&self, index: usize, payload: Payload, crew: &dyn Posting) {
        let failure = failure(crew.scope(), crew.item(index), payload);
        self.done.lock().failures.extend(failure);
    }
}

/// Enters a panic. Returns it as a failure, with its place in the order of completion, if it is one
/// that the scope does not resume.
fn failure<E>(scope: &Shared, task: TaskInfo, payload: Payload) -> Option<(usize, Failure<E>)> {
    let (_, failure) = scope.panicked(payload, &task);
    failure.map(|(payload, order)| (order, Failure::panic(task, payload)))
}

impl<I: Iterator, F, R, E> Mapping<'_, I, F, R, E> {
    /// Drops, one by one, all of the user's that is not a result, and enters what the drops throw.
    /// Returns what has come of it; how many items there were, as far as known, and whether these
    /// are all.
    pub(super) fn finish(self, scope: &Shared, label: &Label) -> (Done<R, E>, usize, bool) {
        let (items, are_all) = self.feed.total();
        let mut thrown = self.feed.clear();
        thrown.extend(self.budget.into_iter().flat_map(Budget::clear));
        thrown.extend(drop_caught(self.function).err());
        let mut done = self.done.into_inner();
        for payload in thrown {
            let task = TaskInfo::new(items as u64, label.clone());
            done.failures.extend(failure(scope, task, payload));
        }
        (done, items, are_all)
    }
}

impl<I, F, R, E> Work for Mapping<'_, I, F, R, E>
where
    I: Iterator + Send,
    I::Item: Send,
    F: Fn(I::Item) -> Result<R, E> + Sync,
    R: Send,
    E: Send,
{
    fn share(&self, crew: &dyn Posting) {
        let scope = crew.scope();
        let is_plain = !scope.counts_values() && scope.begin_span().is_none();
        let mut puller = self.feed.puller();
        let mut handing = Handing { part: self.places.part(), others: 0 };
        while !scope.is_cancelled() {
            match self.claim(&mut puller, crew) {
                Weighed::Item(index, item, weight) => {
                    let first = (index, item);
                    if let Some(budget) = &self.budget {
                        // The next one may fit as well.
                        crew.post(1);
                        self.handle::<false>(first, || None, &mut handing, crew);
                        budget.give_back(weight);
                    } else if is_plain && puller.is_alone() {
                        // The iterator may block, and whoever has cancelled may be who would feed it.
                        let next = || {
                            if scope.is_cancelled() {
                                return None;
                            }
                            self.feed.take_alone(&mut puller, crew)
                        };
                        self.handle::<true>(first, next, &mut handing, crew);
                    } else if is_plain {
                        self.handle::<true>(first, || puller.desk.take(), &mut handing, crew);
                    } else {
                        let next = || {
                            if scope.is_cancelled() {
                                return None;
                            }
                            self.feed.take(&mut puller, crew)
                        };
                        self.handle::<false>(first, next, &mut handing, crew);
                    }
                }
                Weighed::Panicked(index, payload) => self.panicked(index, payload, crew),
                Weighed::NotNow => break,
                Weighed::Ended => {
                    crew.retract();
                    break;
                }
            }
        }
        if let Some((index, payload)) = self.feed.leave(puller) {
            self.panicked(index, payload, crew);
        }
        let mut done = self.done.lock();
        done.begun += handing.part.len() + handing.others;
        done.parts.push(handing.part);
    }

    fn has_more(&self) -> bool {
        match &self.budget {
            Some(budget) => budget.has_more(self.feed.has_ended()),
            None => self.feed.has_more(),
        }
    }

    fn done(&self) -> Option<u64> {
        self.feed.done()
    }
}

/// Drops values one by one, so that one whose drop panics takes no other with it. Returns what they
/// have thrown: the first whole, as the others would be told by their words only.
pub(super) fn drop_each<T>(values: impl Iterator<Item = T>) -> Option<Payload> {
    let mut first = None;
    for value in values {
        if let Err(payload) = drop_caught(value) {
            if first.is_none() {
                first = Some(payload);
            } else {
                discard(payload);
            }
        }
    }
    first
}
