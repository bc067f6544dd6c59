//! Who may run: a limit, and those that wait for a slot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use wg_core::{OwnedToken, WaitGroup};

use super::child::Child;
pub(crate) use super::roll::Key;
use super::roll::{Roll, Running};

/// The children of one scope that wait, and how many may run.
pub(crate) struct Line<C> {
    limit: usize,
    /// Whether slots are counted: not before there is a limit.
    limited: bool,
    /// Slots that are taken.
    taken: usize,
    /// By their numbers: whoever begins in place leaves the line from its midst.
    waiting: BTreeMap<i64, C>,
    /// How many of those that wait have not been begun in place.
    queued: usize,
    /// How many of those have not ended that no list counts, and by what they are together a member of
    /// the scope's group.
    open: usize,
    token: Option<OwnedToken>,
    /// How many have begun that were not in the hands of their place from the beginning.
    begun: u64,
    /// The numbers of the next in line, before all others and behind them. Each is given once.
    before: i64,
    behind: i64,
    /// Those who wait for room.
    hopeful: Vec<Waker>,
    /// Whether somebody is giving away the slots that are free.
    filling: bool,
}

/// What becomes of a task that is spawned.
pub(crate) enum Opened {
    /// It has a slot. The list in which it is counts it, or the line.
    Begins(Key, By),
    /// It is to wait for one.
    Waits,
    /// It is not to begin.
    Skipped,
    /// The scope has ended.
    Refused,
}

/// Who counts a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    List,
    Line,
    /// The scope had ended before there was the task.
    Nobody,
}

/// How a child enters.
pub(crate) enum Entry {
    Begins(Key),
    /// With this number.
    Waits(i64),
}

impl<C: Child> Line<C> {
    pub(crate) fn new(limit: usize) -> Self {
        Line {
            limit,
            limited: limit != usize::MAX,
            taken: 0,
            waiting: BTreeMap::new(),
            queued: 0,
            open: 0,
            token: None,
            begun: 0,
            before: -1,
            behind: 0,
            hopeful: Vec::new(),
            filling: false,
        }
    }

    /// Counts a task that is spawned, and gives it a slot if there is one, and if it is to begin: then its
    /// place gets the whole of it.
    pub(crate) fn open<H>(
        &mut self,
        roll: &Roll<C, H>,
        group: &Arc<WaitGroup>,
        child: impl FnOnce() -> Running<C, H>,
        index: u64,
        begins: bool,
    ) -> Opened {
        if group.is_closed() || !self.count(group) {
            Opened::Refused
        } else if !begins {
            Opened::Skipped
        } else if self.take_slot() {
            Opened::Begins(roll.enter(child, index), By::Line)
        } else {
            Opened::Waits
        }
    }

    /// Counts one more task, if the scope has not ended.
    fn count(&mut self, group: &Arc<WaitGroup>) -> bool {
        if self.open == 0 {
            let Ok(token) = group.try_owned_token() else { return false };
            self.token = Some(token);
        }
        self.open += 1;
        true
    }

    /// Discounts a task that was counted here. The token of the last is to be dropped without the lock.
    pub(crate) fn discount(&mut self) -> Option<OwnedToken> {
        self.open -= 1;
        if self.open == 0 { self.token.take() } else { None }
    }

    /// Gives a slot to a child, or has it wait for one: then it gets its number in the line.
    /// `first`: before all others that wait.
    pub(crate) fn enter<H>(&mut self, roll: &Roll<C, H>, child: &C, first: bool) -> Entry {
        if self.take_slot() {
            return Entry::Begins(self.run(roll, child.clone()));
        }
        self.queued += 1;
        let number = if first {
            self.before -= 1;
            self.before + 1
        } else {
            self.behind += 1;
            self.behind - 1
        };
        self.waiting.insert(number, child.clone());
        Entry::Waits(number)
    }

    /// The next that waits, with a slot, if there is one. It may have been begun in place meanwhile:
    /// then it is to be undone.
    pub(crate) fn next<H>(&mut self, roll: &Roll<C, H>) -> Option<(C, Key)> {
        if self.waiting.is_empty() || !self.take_slot() {
            return None;
        }
        let (_, child) = self.waiting.pop_first()?;
        let key = self.run(roll, child.clone());
        Some((child, key))
    }

    /// Enters that one that waited does not any more.
    pub(crate) fn unqueue(&mut self) {
        self.queued -= 1;
    }

    /// Enters that one that waited with this number is begun in the slot of another. What is
    /// returned is to be dropped without the lock.
    pub(crate) fn begin_in_place<H>(
        &mut self,
        roll: &Roll<C, H>,
        child: &C,
        number: i64,
    ) -> (Key, Option<C>) {
        self.queued -= 1;
        // Somebody may have taken it out just now.
        let waited = self.waiting.remove(&number);
        (self.run(roll, child.clone()), waited)
    }

    /// The one that waits with this number.
    pub(crate) fn at(&self, number: i64) -> Option<C> {
        self.waiting.get(&number).cloned()
    }

    /// The number of the first that waits.
    pub(crate) fn lowest(&self) -> Option<i64> {
        self.waiting.first_key_value().map(|(number, _)| *number)
    }

    /// Takes one out of the line again that waits with this number, unless somebody has already. What
    /// is returned is to be dropped without the lock.
    pub(crate) fn withdraw(&mut self, number: i64) -> Option<C> {
        let waited = self.waiting.remove(&number);
        self.queued -= usize::from(waited.is_some());
        waited
    }

    /// Everything that waits.
    pub(crate) fn drain(&mut self) -> BTreeMap<i64, C> {
        std::mem::take(&mut self.waiting)
    }

    /// Enters that somebody begins to give slots away. Returns false if somebody does already, who
    /// will find what has become free.
    pub(crate) fn begin_to_fill(&mut self) -> bool {
        !std::mem::replace(&mut self.filling, true)
    }

    /// Enters that he is through.
    pub(crate) fn end_filling(&mut self) {
        self.filling = false;
    }

    /// The number of one that begins.
    fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun - 1
    }

    fn run<H>(&mut self, roll: &Roll<C, H>, child: C) -> Key {
        let number = self.begin();
        roll.enter(|| Running::Driven { child, number, stop: None }, number)
    }

    fn take_slot(&mut self) -> bool {
        let is_free = self.taken < self.limit;
        self.taken += usize::from(is_free && self.limited);
        is_free
    }

    /// Enters that a slot that was counted is free.
    pub(crate) fn free_slot(&mut self) {
        self.taken -= 1;
    }

    /// Whether anybody waits for a slot, or for room.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.waiting.is_empty() || !self.hopeful.is_empty()
    }

    /// Whether a child that is spawned now would run at once.
    pub(crate) fn has_room(&self) -> bool {
        self.taken < self.limit && self.queued == 0
    }

    /// Enters who is to be woken when there may be room.
    pub(crate) fn hope(&mut self, waker: Waker) {
        if !self.hopeful.iter().any(|other| other.will_wake(&waker)) {
            self.hopeful.push(waker);
        }
    }

    /// Those who wait for room, if there may be some.
    pub(crate) fn hopeful(&mut self) -> Vec<Waker> {
        if self.has_room() { std::mem::take(&mut self.hopeful) } else { Vec::new() }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn set_limit<H>(&mut self, roll: &Roll<C, H>, limit: usize) {
        self.limit = limit;
        if limit != usize::MAX && !self.limited {
            self.limited = true;
            self.taken += roll.limit();
        }
    }

    /// How many wait.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// The first of those that wait.
    pub(crate) fn first(&self, most: usize) -> Vec<C> {
        self.waiting.values().take(most).cloned().collect()
    }
}
