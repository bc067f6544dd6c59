//! Who may run: a limit, those that run, and those that wait for a slot.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use slab::Slab;
use wg_core::sync::now;
use wg_core::{OwnedToken, WaitGroup};

use super::child::Child;
use crate::task_info::TaskInfo;

/// The children of one scope.
pub(crate) struct Line<C, H> {
    limit: usize,
    /// Slots that are taken.
    taken: usize,
    /// By their numbers: whoever begins in place leaves the line from its midst.
    waiting: BTreeMap<i64, C>,
    /// How many of those that wait have not been begun in place.
    queued: usize,
    running: Slab<Running<C, H>>,
    /// Since when those run, by their numbers, that somebody has looked at: a clock for every task
    /// would cost more than a small task.
    since: BTreeMap<u64, Instant>,
    spawned: u64,
    /// How many of those have not ended, and by what they are together a member of the scope's group.
    open: usize,
    token: Option<OwnedToken>,
    /// How many have begun.
    begun: u64,
    /// The numbers of the next in line, before all others and behind them. Each is given once.
    before: i64,
    behind: i64,
    /// Those who wait for room.
    hopeful: Vec<Waker>,
    /// Whether those that run have been stopped.
    stopped: bool,
    /// Whether somebody is giving away the slots that are free.
    filling: bool,
}

/// A child that has begun and not ended.
struct Running<C, H> {
    child: C,
    number: u64,
    /// By what its place stops it, where the child does not know that itself.
    stop: Option<H>,
}

/// Where a child stands among those that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    place: usize,
    /// Another may have the place by now; nobody ever has the number.
    number: u64,
}

/// What becomes of a task that is spawned.
pub(crate) enum Opened {
    /// It has a slot.
    Begins(Key),
    /// It is to wait for one.
    Waits,
    /// It is not to begin.
    Skipped,
    /// The scope has ended.
    Refused,
}

/// How a child enters.
pub(crate) enum Entry {
    Begins(Key),
    /// With this number.
    Waits(i64),
}

/// How many children a scope has had, and where they are.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) spawned: u64,
    pub(crate) waiting: usize,
    pub(crate) running: usize,
}

impl<C: Child, H> Line<C, H> {
    pub(crate) fn new(limit: usize) -> Self {
        Line {
            limit,
            taken: 0,
            waiting: BTreeMap::new(),
            queued: 0,
            running: Slab::new(),
            since: BTreeMap::new(),
            spawned: 0,
            open: 0,
            token: None,
            begun: 0,
            before: -1,
            behind: 0,
            hopeful: Vec::new(),
            stopped: false,
            filling: false,
        }
    }

    /// The index of the next child.
    pub(crate) fn number(&mut self) -> u64 {
        self.spawned += 1;
        self.spawned - 1
    }

    /// Numbers a task that is spawned, counts it, and gives it a slot if there is one, and if it is to
    /// begin. `make` makes the child of the number.
    pub(crate) fn open(
        &mut self,
        group: &Arc<WaitGroup>,
        begins: impl FnOnce(u64) -> bool,
        make: impl FnOnce(u64) -> C,
    ) -> Opened {
        let index = self.number();
        let child = make(index);
        if !self.count(group) {
            return Opened::Refused;
        }
        if !begins(index) {
            return Opened::Skipped;
        }
        if self.taken >= self.limit {
            return Opened::Waits;
        }
        self.taken += 1;
        Opened::Begins(self.run(child))
    }

    /// Counts one more task, if the scope has not ended.
    fn count(&mut self, group: &Arc<WaitGroup>) -> bool {
        if group.is_closed() {
            return false;
        }
        if self.open == 0 {
            let Ok(token) = group.try_owned_token() else { return false };
            self.token = Some(token);
        }
        self.open += 1;
        true
    }

    /// Discounts a task. The token of the last is to be dropped without the lock.
    pub(crate) fn discount(&mut self) -> Option<OwnedToken> {
        self.open -= 1;
        if self.open == 0 { self.token.take() } else { None }
    }

    /// Gives a slot to a child, or has it wait for one: then it gets its number in the line.
    /// `first`: before all others that wait.
    pub(crate) fn enter(&mut self, child: &C, first: bool) -> Entry {
        if self.taken < self.limit {
            self.taken += 1;
            return Entry::Begins(self.run(child.clone()));
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
    /// then it is to be given back by [`undo`](Self::undo).
    pub(crate) fn next(&mut self) -> Option<(C, Key)> {
        if self.taken >= self.limit {
            return None;
        }
        let (_, child) = self.waiting.pop_first()?;
        self.taken += 1;
        let key = self.run(child.clone());
        Some((child, key))
    }

    /// Enters that one that waited does not any more.
    pub(crate) fn unqueue(&mut self) {
        self.queued -= 1;
    }

    /// Enters that one that waited with this number is begun in the slot of another. What is
    /// returned is to be dropped without the lock.
    pub(crate) fn begin_in_place(&mut self, child: &C, number: i64) -> (Key, Option<C>) {
        self.queued -= 1;
        // Somebody may have taken it out just now.
        let waited = self.waiting.remove(&number);
        (self.run(child.clone()), waited)
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

    fn run(&mut self, child: C) -> Key {
        let number = self.begun;
        self.begun += 1;
        let place = self.running.insert(Running { child, number, stop: None });
        Key { place, number }
    }

    /// Whether anybody waits for a slot, or for room.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.waiting.is_empty() || !self.hopeful.is_empty()
    }

    /// Enters by what it is stopped, if it still runs. Gives that back if it is to stop now.
    pub(crate) fn attach(&mut self, key: Key, handle: H) -> Option<H> {
        if self.stopped {
            return Some(handle);
        }
        if let Some(running) = self.running.get_mut(key.place) {
            if running.number == key.number {
                running.stop = Some(handle);
            }
        }
        None
    }

    /// Enters that it has ended, or does not need its slot. What is returned is to be dropped without
    /// the lock.
    pub(crate) fn end(&mut self, key: Key, had_slot: bool) -> impl Sized + use<C, H> {
        self.taken -= usize::from(had_slot);
        if !self.since.is_empty() {
            self.since.remove(&key.number);
        }
        self.running.remove(key.place)
    }

    /// Those that run, and by what they are stopped. Whoever is attached from now on is to stop at
    /// once.
    pub(crate) fn stop(&mut self) -> Vec<(C, Option<H>)> {
        self.stopped = true;
        self.running.iter_mut().map(|(_, it)| (it.child.clone(), it.stop.take())).collect()
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

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn numbers(&self) -> Numbers {
        Numbers { spawned: self.spawned, waiting: self.queued, running: self.running.len() }
    }

    /// Begins to count the age of what runs.
    pub(crate) fn look(&mut self) {
        let time = now();
        for (_, running) in &self.running {
            self.since.entry(running.number).or_insert(time);
        }
    }

    /// What runs, and since when somebody looks.
    pub(crate) fn alive(&self, most: usize) -> Vec<(TaskInfo, Option<Instant>)> {
        let since = |number| self.since.get(&number).copied();
        let running = self.running.iter().map(|(_, it)| (it.child.info(), since(it.number)));
        running.take(most).collect()
    }

    /// The first of those that wait.
    pub(crate) fn first(&self, most: usize) -> Vec<C> {
        self.waiting.values().take(most).cloned().collect()
    }
}
