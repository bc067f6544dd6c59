//! Fan-outs whose items bring further items: crawlers, walks of a tree.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use wg_core::sync::Mutex;

use super::budget::Weigh;
use super::feed::{Claim, Feed, wake};
use super::hand::{Hand, Pulled};
use crate::outcome::{Payload, drop_caught};

/// Where the function of a fan-out that grows adds items. It may be cloned, and kept by whatever the
/// item's future starts.
///
/// What is added after the fan-out has ended, or was cancelled, is dropped.
pub struct AsyncMore<T>(Arc<Added<T>>);

impl<T> AsyncMore<T> {
    pub(crate) fn new() -> (Self, Arc<Added<T>>) {
        let added = Arc::new(Added::new());
        (AsyncMore(Arc::clone(&added)), added)
    }

    /// Adds an item, to be handled like the others. Never waits.
    pub fn push(&self, item: T) {
        self.0.push(item);
    }

    /// Adds items, to be handled like the others. Never waits.
    pub fn extend(&self, items: impl IntoIterator<Item = T>) {
        items.into_iter().for_each(|item| self.push(item));
    }
}

impl<T> Clone for AsyncMore<T> {
    fn clone(&self) -> Self {
        AsyncMore(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for AsyncMore<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncMore").finish_non_exhaustive()
    }
}

/// Items that were added and have not begun.
pub(crate) struct Added<T>(Mutex<State<T>>);

struct State<T> {
    queue: VecDeque<(u64, T)>,
    /// How many items there have been, those of the iterator included.
    numbered: u64,
    /// How many strands have an item, or look for one.
    busy: usize,
    /// Strands that wait for items. Each is here once.
    waiting: BTreeMap<u64, Waker>,
    closed: bool,
}

impl<T> Added<T> {
    fn new() -> Self {
        let (queue, waiting) = (VecDeque::new(), BTreeMap::new());
        Added(Mutex::new(State { queue, numbered: 0, busy: 0, waiting, closed: false }))
    }

    fn push(&self, item: T) {
        let mut state = self.0.lock();
        if state.closed {
            drop(state);
            return drop(item);
        }
        let number = state.number();
        state.queue.push_back((number, item));
        let next = state.waiting.pop_first();
        drop(state);
        wake(next.map(|(_, waker)| waker));
    }

    /// Claims an item that was added, or else one of the feed: so no more is pulled than is needed,
    /// and what was added does not pile up. Where there is none, but may be one, the strand waits.
    pub(super) fn claim<I, W>(
        &self,
        feed: &Feed<I, W>,
        who: u64,
        waker: &Waker,
        hand: &mut Hand<T>,
    ) -> Claim
    where
        I: Iterator<Item = T>,
        W: Weigh<T>,
    {
        self.enter(who, mem::replace(&mut hand.busy, true));
        let mut spare = None;
        loop {
            if let Some((pulled, recruits)) = self.pop() {
                return Claim::Items(feed.take_other(hand, pulled, recruits));
            }
            match feed.claim(who, waker, hand) {
                Claim::Leave => {}
                claim => {
                    // One at most.
                    if !hand.items.is_empty() {
                        hand.items.renumber(self.0.lock().number());
                    }
                    return claim;
                }
            }
            // Cloning a waker may be anybody's code, so no lock is held meanwhile.
            let waker = spare.take().unwrap_or_else(|| waker.clone());
            match self.wait(who, waker) {
                Ok(claim) => {
                    hand.busy = false;
                    return claim;
                }
                Err(waker) => spare = Some(waker),
            }
        }
    }

    /// Enters that a strand looks for an item.
    fn enter(&self, who: u64, was_busy: bool) {
        if was_busy {
            return;
        }
        let mut state = self.0.lock();
        state.busy += 1;
        let before = state.waiting.remove(&who);
        drop(state);
        drop(before);
    }

    /// Takes an item, and says whether nobody else waits for one.
    fn pop(&self) -> Option<(Pulled<T>, bool)> {
        let mut state = self.0.lock();
        let (index, item) = state.queue.pop_front()?;
        Some((Pulled { index, weight: 0, item }, state.waiting.is_empty()))
    }

    /// Enters that a strand has found nothing, in a feed that has ended. The waker comes back if
    /// there is something now.
    fn wait(&self, who: u64, waker: Waker) -> Result<Claim, Waker> {
        let mut state = self.0.lock();
        if !state.queue.is_empty() {
            return Err(waker);
        }
        state.busy -= 1;
        if state.busy > 0 {
            let before = state.waiting.insert(who, waker);
            drop(state);
            drop(before);
            return Ok(Claim::Wait);
        }
        // Nobody is left who could add anything.
        let waiting = mem::take(&mut state.waiting);
        drop(state);
        waiting.into_values().for_each(|waker| wake(Some(waker)));
        Ok(Claim::Leave)
    }

    /// Lets nothing more in. Returns how many items there have been, whether some were left, and
    /// what their drops have thrown.
    pub(super) fn close(&self) -> (usize, bool, Vec<Payload>) {
        let mut state = self.0.lock();
        state.closed = true;
        let (queue, waiting) = (mem::take(&mut state.queue), mem::take(&mut state.waiting));
        let numbered = usize::try_from(state.numbered).unwrap_or(usize::MAX);
        drop(state);
        drop(waiting);
        let left = !queue.is_empty();
        let thrown = queue.into_iter().filter_map(|item| drop_caught(item).err()).collect();
        (numbered, left, thrown)
    }
}

impl<T> State<T> {
    fn number(&mut self) -> u64 {
        self.numbered += 1;
        self.numbered - 1
    }
}
