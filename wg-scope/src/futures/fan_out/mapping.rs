//! The work of a fan-out whose results are collected.

#![allow(unsafe_code)]

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::Waker;

use super::budget::Weigh;
use super::done::Results;
use super::feed::{Claim, Feed};
use super::grow::Added;
use super::hand::Hand;
use super::strand::{InHand, Work};
use crate::failures::Failures;
use crate::futures::place::Polls;
use crate::futures::shared::Shared;
use crate::gather::{Part, Places};
use crate::ledger::as_echo;
use crate::outcome::{Payload, drop_caught};
use crate::task_info::{Label, TaskInfo};

/// One function over the items of a feed, and over those that were added.
pub(crate) struct Mapping<P, I, W, F, Fut, R, E>
where
    P: Polls,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    pub(super) shared: Arc<Shared<P>>,
    pub(super) failures: Arc<Failures<E>>,
    pub(super) results: Results<R>,
    pub(super) places: Places<R>,
    pub(super) feed: Feed<I, W>,
    /// Where items are added, if they are.
    pub(super) added: Option<Arc<Added<I::Item>>>,
    pub(super) function: F,
    pub(super) label: Label,
    pub(super) post: fn(InHand<Self>, u64),
    pub(super) future: PhantomData<fn() -> Fut>,
}

impl<P, I, W, F, Fut, R, E> Mapping<P, I, W, F, Fut, R, E>
where
    P: Polls,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    fn item(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.clone())
    }

    /// Enters a value that may decide.
    #[inline(never)]
    fn count(&self, index: u64, value: R) {
        // It must be where it is looked for before those who look hear that all is over.
        self.results.complete(index, value);
        let verdict = self.shared.judge_value(|| self.item(index));
        self.shared.obey(verdict);
    }

    #[cold]
    fn failed(&self, index: u64, error: E, told: bool) {
        let task = self.item(index);
        let (order, verdict) = self.shared.judge_error(&task);
        let order = if told { as_echo(order) } else { order };
        self.results.ended();
        self.failures.report().failed(task, error, order);
        self.shared.obey(verdict);
    }
}

/// Enters a panic.
fn enter<P: Polls, E>(shared: &Shared<P>, failures: &Failures<E>, task: TaskInfo, it: Payload) {
    let (_, failure) = shared.panicked(it, &task);
    if let Some((payload, order)) = failure {
        failures.report().panicked(task, payload, order);
    }
}

impl<P, I, W, F, Fut, R, E> Work for Mapping<P, I, W, F, Fut, R, E>
where
    P: Polls,
    I: Iterator,
    W: Weigh<I::Item>,
    F: Fn(I::Item) -> Fut,
    Fut: Future<Output = Result<R, E>>,
{
    type Place = P;
    type Item = I::Item;
    type Future = Fut;
    type Kept = Part<R>;

    fn keeps(&self) -> Part<R> {
        self.places.part()
    }

    fn shared(&self) -> &Arc<Shared<P>> {
        &self.shared
    }

    fn label(&self) -> &Label {
        &self.label
    }

    fn claim(&self, who: u64, waker: &Waker, hand: &mut Hand<I::Item>) -> Claim {
        match &self.added {
            None => self.feed.claim(who, waker, hand),
            Some(added) => added.claim(&self.feed, who, waker, hand),
        }
    }

    fn give_back(&self, hand: &mut Hand<I::Item>) -> Option<u64> {
        self.feed.give_back(hand)
    }

    fn pause(&self, hand: &mut Hand<I::Item>) {
        self.feed.settle(hand);
    }

    fn skips(&self, index: u64) -> bool {
        self.shared.skips(index)
    }

    fn stop(&self) -> Option<Payload> {
        self.feed.stop()
    }

    fn call(&self, item: I::Item) -> Fut {
        (self.function)(item)
    }

    fn is_error(output: &Result<R, E>) -> bool {
        output.is_err()
    }

    #[inline]
    fn settle(&self, kept: &mut Part<R>, index: u64, output: Result<R, E>, told: bool) {
        match output {
            Ok(value) if !self.shared.counts_values() => {
                // There is no memory for as many results, unless they take none, and have no place.
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                // SAFETY: A strand settles an item that it has claimed, and once. Each index is claimed once:
                // the feed numbers items as it pulls them, and hands on those that are given back.
                unsafe { kept.push(index, value) };
            }
            Ok(value) => self.count(index, value),
            Err(error) => self.failed(index, error, told),
        }
    }

    fn broken(&self, index: u64, payload: Payload) {
        self.results.ended();
        self.panicked(index, payload);
    }

    fn panicked(&self, index: u64, payload: Payload) {
        enter(&self.shared, &self.failures, self.item(index), payload);
    }

    fn hand_in(&self, kept: Part<R>) {
        self.results.hand_in(kept);
    }

    fn finish(self) {
        let Mapping { shared, failures, results, feed, added, label, function, .. } = self;
        let mut thrown: Vec<_> = feed.stop().into_iter().collect();
        let (pulled, left, mut are_all) = feed.total();
        let mut items = pulled.saturating_add(left);
        if let Some(added) = added {
            // Those that were pulled are among these.
            let (numbered, some_left, more) = added.close();
            items = numbered.saturating_add(left);
            are_all &= !some_left;
            thrown.extend(more);
        }
        results.total((items, are_all));
        thrown.extend(feed.clear());
        thrown.extend(drop_caught(function).err());
        // Here if the future of the fan-out was dropped before.
        thrown.extend(drop_caught(results).err());
        for payload in thrown {
            enter(&shared, &failures, TaskInfo::new(items as u64, label.clone()), payload);
        }
    }

    fn post(&self) -> fn(InHand<Self>, u64) {
        self.post
    }

    fn enlist(&self) -> u64 {
        self.feed.enlist()
    }
}
