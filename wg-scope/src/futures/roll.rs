//! Who runs: in several lists, so that who spawns and those who end are seldom at the same one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use slab::Slab;
use wg_core::sync::{Mutex, now, times};
use wg_core::{OwnedToken, WaitGroup};

use super::child::Child;
use crate::task_info::TaskInfo;

/// How many that begin one after the other are in the same list.
const ROW: usize = times(16);

/// The children of one scope that have begun and not ended.
///
/// Where nothing limits the scope, the lists count its tasks: each is a member of the scope's group
/// while there are tasks of it. So the end of a task takes the lock of one list, and no other.
pub(crate) struct Roll<C, H>(Box<[Padded<C, H>]>);

/// A list in cache lines of its own.
#[repr(align(128))]
struct Padded<C, H>(Mutex<List<C, H>>);

struct List<C, H> {
    running: Slab<Running<C, H>>,
    /// Since when those run, by their numbers, that somebody has looked at: a clock for every task
    /// would cost more than a small task.
    since: BTreeMap<u64, Instant>,
    /// How many of those are counted here, and by what they are together a member of the group.
    counted: usize,
    token: Option<OwnedToken>,
    /// Whether those that run have been stopped.
    stopped: bool,
    /// Whether their slots are counted, by the line.
    limited: bool,
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
    /// Another may have the place by now; nobody ever has the number. It says which list it is.
    number: u64,
}

/// One that has ended, or waits again. To be dropped when no lock is held.
#[must_use]
pub(crate) struct Left<C, H> {
    #[expect(dead_code, reason = "is to be dropped")]
    child: Running<C, H>,
    /// Of the last that the list counted: the scope may end when it is dropped.
    pub(crate) token: Option<OwnedToken>,
    /// Whether its slot is counted.
    pub(crate) limited: bool,
}

impl<C: Child, H> Roll<C, H> {
    pub(crate) fn new(lists: usize, limited: bool) -> Self {
        let list = || List {
            running: Slab::new(),
            since: BTreeMap::new(),
            counted: 0,
            token: None,
            stopped: false,
            limited,
        };
        Roll((0..lists).map(|_| Padded(Mutex::new(list()))).collect())
    }

    fn list(&self, number: u64) -> &Mutex<List<C, H>> {
        &self.0[number as usize / ROW % self.0.len()].0
    }

    /// Enters a child with a number that no other has had.
    pub(crate) fn enter(&self, child: C, number: u64) -> Key {
        self.list(number).lock().insert(child, number)
    }

    /// As [`enter`](Self::enter), and counts the child, if the scope has not ended.
    pub(crate) fn enter_and_count(
        &self,
        child: C,
        number: u64,
        group: &Arc<WaitGroup>,
    ) -> Option<Key> {
        let mut list = self.list(number).lock();
        if list.counted == 0 {
            list.token = Some(group.try_owned_token().ok()?);
        }
        list.counted += 1;
        Some(list.insert(child, number))
    }

    /// Enters by what a child is stopped, if it still runs. Gives that back if it is to stop now.
    pub(crate) fn attach(&self, key: Key, handle: H) -> Option<H> {
        let mut list = self.list(key.number).lock();
        if list.stopped {
            return Some(handle);
        }
        if let Some(running) = list.running.get_mut(key.place) {
            if running.number == key.number {
                running.stop = Some(handle);
            }
        }
        None
    }

    /// Enters that a child has ended, or does not need its slot. `counted`: by the list.
    pub(crate) fn leave(&self, key: Key, counted: bool) -> Left<C, H> {
        let mut list = self.list(key.number).lock();
        if !list.since.is_empty() {
            list.since.remove(&key.number);
        }
        list.counted -= usize::from(counted);
        let child = list.running.remove(key.place);
        let token = if list.counted == 0 { list.token.take() } else { None };
        Left { child, token, limited: list.limited }
    }

    /// Those that run, and by what they are stopped. Whoever is attached from now on is to stop at
    /// once.
    pub(crate) fn stop(&self) -> Vec<(C, Option<H>)> {
        let mut running = Vec::new();
        for list in &self.0 {
            let mut list = list.0.lock();
            list.stopped = true;
            let all = list.running.iter_mut();
            running.extend(all.map(|(_, it)| (it.child.clone(), it.stop.take())));
        }
        running
    }

    /// From here on, the line counts the slots. Returns how many there are that it does not know of.
    pub(crate) fn limit(&self) -> usize {
        let mut slots = 0;
        for list in &self.0 {
            let mut list = list.0.lock();
            if !std::mem::replace(&mut list.limited, true) {
                slots += list.running.len();
            }
        }
        slots
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|list| list.0.lock().running.len()).sum()
    }

    /// Begins to count the age of what runs.
    pub(crate) fn look(&self) {
        let time = now();
        for list in &self.0 {
            let mut list = list.0.lock();
            let List { running, since, .. } = &mut *list;
            for (_, running) in running {
                since.entry(running.number).or_insert(time);
            }
        }
    }

    /// What runs, and since when somebody looks, about in the order in which it has begun.
    pub(crate) fn alive(&self, most: usize) -> Vec<(TaskInfo, Option<Instant>)> {
        let mut alive = Vec::new();
        for list in &self.0 {
            let list = list.0.lock();
            let since = |number| list.since.get(&number).copied();
            let running = list.running.iter().take(most);
            alive.extend(running.map(|(_, it)| (it.number, it.child.info(), since(it.number))));
        }
        alive.sort_unstable_by_key(|(number, ..)| *number);
        alive.into_iter().take(most).map(|(_, task, since)| (task, since)).collect()
    }
}

impl<C: Child, H> List<C, H> {
    fn insert(&mut self, child: C, number: u64) -> Key {
        let place = self.running.insert(Running { child, number, stop: None });
        Key { place, number }
    }
}
