//! Who runs: in several lists, so that who spawns and those who end are seldom at the same one.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use slab::Slab;
use wg_core::sync::{Mutex, now, times};
use wg_core::{OwnedToken, WaitGroup};

use super::child::Child;
use crate::task_info::{Label, TaskInfo};

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
    running: Slab<Option<Running<C, H>>>,
    /// Since when those run, by their places, that somebody has looked at: a clock for every task
    /// would cost more than a small task.
    since: BTreeMap<usize, Instant>,
    /// How many of those are counted here, and by what they are together a member of the group.
    counted: usize,
    token: Option<OwnedToken>,
    /// Whether those that run have been stopped.
    stopped: bool,
    /// Whether their slots are counted, by the line.
    limited: bool,
}

/// A child that has begun and not ended.
pub(crate) enum Running<C, H> {
    /// Its place has the whole of it: what there is to know of it stands here, so that the list needs
    /// no pointer to it.
    Placed { label: Label, index: u64, stop: Option<Waker> },
    Driven {
        child: C,
        number: u64,
        /// By what its place stops it, where the child does not know that itself.
        stop: Option<H>,
    },
}

/// What becomes of a child where slots may not be counted.
pub(crate) enum Entered {
    Counted(Key),
    /// They are: it needs one.
    Limited,
    /// The scope has ended.
    Refused,
}

/// What stops a child that runs.
pub(crate) enum Stop<C, H> {
    Wakes(Waker),
    Handle(H),
    Child(C),
}

/// Where a child stands among those that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    place: usize,
    /// That of a task which its place has from the beginning is its index. Another may have the place by
    /// now; nobody else of this kind ever has the number. It says which list it is.
    number: u64,
}

/// One that has ended, or waits again. To be dropped when no lock is held.
#[must_use]
pub(crate) struct Left<C, H> {
    /// If it may hold what is anybody's, as a waker is.
    pub(crate) child: Option<Running<C, H>>,
    /// Of the last that the list counted: the scope may end when it is dropped.
    pub(crate) token: Option<OwnedToken>,
    /// Whether its slot is counted.
    pub(crate) limited: bool,
}

impl<C: Child, H> Roll<C, H> {
    /// `lists` is a power of two.
    pub(crate) fn new(lists: usize, limited: bool) -> Self {
        debug_assert!(lists.is_power_of_two(), "{lists} lists");
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
        // As many as a power of two, which is not divided by at each task.
        &self.0[(number as usize / ROW) & (self.0.len() - 1)].0
    }

    /// Enters a child with a number that no other has had.
    pub(crate) fn enter(&self, child: impl FnOnce() -> Running<C, H>, number: u64) -> Key {
        self.list(number).lock().insert(child, number)
    }

    /// As [`enter`](Self::enter), and counts the child, if the scope has not ended and slots are not
    /// counted.
    pub(crate) fn enter_and_count(
        &self,
        child: impl FnOnce() -> Running<C, H>,
        number: u64,
        group: &Arc<WaitGroup>,
    ) -> Entered {
        let mut list = self.list(number).lock();
        if list.limited {
            return Entered::Limited;
        }
        if group.is_closed() {
            return Entered::Refused;
        }
        if list.counted == 0 {
            let Ok(token) = group.try_owned_token() else { return Entered::Refused };
            list.token = Some(token);
        }
        list.counted += 1;
        Entered::Counted(list.insert(child, number))
    }

    /// Enters by what a child is stopped, if it still runs. Gives that back if it is to stop now.
    pub(crate) fn attach(&self, key: Key, handle: H) -> Option<H> {
        let mut list = self.list(key.number).lock();
        if list.stopped {
            return Some(handle);
        }
        match list.running.get_mut(key.place) {
            Some(Some(Running::Driven { number, stop, .. })) if *number == key.number => {
                *stop = Some(handle);
            }
            _ => {}
        }
        None
    }

    /// Enters whom to wake to stop a child that waits, and that its place does not drop. Returns false
    /// if it is to stop now. `again`: it has waited before.
    pub(crate) fn waits(&self, key: Key, waker: &Waker, again: bool) -> bool {
        let list = self.list(key.number);
        if again {
            let list = list.lock();
            let knows = |stop: &Option<Waker>| stop.as_ref().is_some_and(|it| it.will_wake(waker));
            match list.running.get(key.place) {
                _ if list.stopped => return false,
                Some(Some(Running::Placed { stop, .. })) if knows(stop) => return true,
                _ => {}
            }
        }
        // Cloning and dropping a waker may be anybody's code, so no lock is held meanwhile.
        let waker = waker.clone();
        let mut list = list.lock();
        if list.stopped {
            drop(list);
            return false;
        }
        let Some(Some(Running::Placed { stop, .. })) = list.running.get_mut(key.place) else {
            unreachable!("it is in its place")
        };
        let before = stop.replace(waker);
        drop(list);
        drop(before);
        true
    }

    /// Whether those are to stop among which this child is.
    pub(crate) fn is_stopped(&self, key: Key) -> bool {
        self.list(key.number).lock().stopped
    }

    /// Enters that a child has ended, or does not need its slot. `counted`: by the list. Mostly that is all
    /// there is to do; what else there is, is returned.
    #[inline]
    pub(crate) fn leave(&self, key: Key, counted: bool) -> Option<Left<C, H>> {
        let mut list = self.list(key.number).lock();
        let is_plain = matches!(
            list.running.get(key.place),
            Some(Some(Running::Placed { label: Label::Site(..), stop: None, .. }))
        );
        if !is_plain || !counted || list.counted == 1 || list.limited || !list.since.is_empty() {
            return Some(list.leave(key.place, counted));
        }
        list.counted -= 1;
        list.running.remove(key.place);
        None
    }

    /// By what those are stopped that run. Whoever is attached from now on, or waits, is to stop at
    /// once.
    pub(crate) fn stop(&self) -> Vec<Stop<C, H>> {
        let mut running = Vec::new();
        for list in &self.0 {
            let mut list = list.0.lock();
            list.stopped = true;
            let all = list.running.iter_mut().flat_map(|(_, it)| it);
            running.extend(all.filter_map(|it| match it {
                Running::Placed { stop, .. } => stop.take().map(Stop::Wakes),
                Running::Driven { child, stop, .. } => {
                    Some(stop.take().map_or_else(|| Stop::Child(child.clone()), Stop::Handle))
                }
            }));
        }
        running
    }

    /// From here on, the line counts the slots. Returns how many there are that it does not know of.
    pub(crate) fn limit(&self) -> usize {
        let mut slots = 0;
        for list in &self.0 {
            let mut list = list.0.lock();
            if !mem::replace(&mut list.limited, true) {
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
            for (place, _) in running {
                since.entry(place).or_insert(time);
            }
        }
    }

    /// What runs, and since when somebody looks, about in the order in which it has begun.
    pub(crate) fn alive(&self, most: usize) -> Vec<(TaskInfo, Option<Instant>)> {
        let mut alive = Vec::new();
        for list in &self.0 {
            let list = list.0.lock();
            let since = |place| list.since.get(&place).copied();
            let running = list.running.iter().take(most);
            let running = running.filter_map(|(place, it)| Some((place, it.as_ref()?)));
            alive.extend(running.map(|(place, it)| (it.number(), it.info(), since(place))));
        }
        alive.sort_unstable_by_key(|(number, ..)| *number);
        alive.into_iter().take(most).map(|(_, task, since)| (task, since)).collect()
    }
}

impl<C: Child, H> List<C, H> {
    #[inline]
    fn insert(&mut self, child: impl FnOnce() -> Running<C, H>, number: u64) -> Key {
        let vacant = self.running.vacant_entry();
        let place = vacant.key();
        vacant.insert(Some(child()));
        Key { place, number }
    }

    /// See [`Roll::leave`].
    fn leave(&mut self, place: usize, counted: bool) -> Left<C, H> {
        if !self.since.is_empty() {
            self.since.remove(&place);
        }
        self.counted -= usize::from(counted);
        let child = match self.running.remove(place) {
            // A name at most is let go of here.
            Some(Running::Placed { stop: None, .. }) => None,
            child => child,
        };
        let token = if self.counted == 0 { self.token.take() } else { None };
        Left { child, token, limited: self.limited }
    }
}

impl<C: Child, H> Running<C, H> {
    /// One that begins about then: most begin when they are spawned.
    fn number(&self) -> u64 {
        match self {
            Running::Placed { index, .. } => *index,
            Running::Driven { number, .. } => *number,
        }
    }

    fn info(&self) -> TaskInfo {
        match self {
            Running::Placed { label, index, .. } => TaskInfo::new(*index, label.clone()),
            Running::Driven { child, .. } => child.info(),
        }
    }
}
