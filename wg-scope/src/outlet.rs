//! The queue of results: what was delivered and not yet taken, and which tasks are still to
//! deliver.
//!
//! One lock, under which nothing of the user's runs: values move through, and are dropped by
//! whoever gets them. Who delivers and who reads agree by three facts, all changed under the lock:
//!
//! 1. A task is on the *roll* from its spawning until it has delivered, or ended without a value.
//!    It leaves the roll in the same step in which its value arrives. So what is read ends exactly
//!    when nobody is on the roll and nothing waits, and whoever sees that sees what the tasks did.
//! 2. Every value has its place in the order of delivery. Where there is a bound, whoever delivered
//!    goes on once fewer than so many before it are not taken. The value itself is here at once, so
//!    nothing depends on the deliverer's waking: the order stays, and one that leaves loses
//!    nothing.
//! 3. The receiver is there, or gone for ever. From then on values are refused.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::task::Waker;

use slab::Slab;
use wg_core::sync::{AtomicBool, Mutex, Ordering};

use crate::task_info::TaskInfo;

/// The queue of results of tasks of one type.
pub(crate) struct Outlet<T> {
    inner: Mutex<Inner<T>>,
    /// How many results may wait before a task that delivers does; `usize::MAX` stands for no
    /// bound.
    bound: usize,
    /// Whether tasks that have not begun need not.
    unwanted: AtomicBool,
}

struct Inner<T> {
    arrived: VecDeque<Arrived<T>>,
    roll: Roll,
    /// How many tasks were ever entered: the number of the next.
    spawned: u64,
    /// How many values were ever delivered, and taken.
    delivered: u64,
    taken: u64,
    receiver: Receiver,
    /// Wakes whoever holds the reading end, as it was last seen.
    reader: Waker,
    /// Whether it waits.
    awaited: bool,
    /// Those who have delivered and wait, by the place of what they delivered.
    blocked: BTreeMap<u64, Waker>,
}

/// A value that a task delivered.
pub(crate) struct Arrived<T> {
    /// Which of the outlet's tasks it was.
    pub(crate) number: u64,
    /// Whom a panic in the value's drop is entered for.
    pub(crate) task: TaskInfo,
    pub(crate) value: T,
}

/// The place of a task on the roll.
pub(crate) struct Ticket {
    pub(crate) number: u64,
    key: usize,
}

/// What became of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Receiver {
    Present,
    /// It is gone, and what has not begun need not.
    Gone,
    /// It is gone, and all the same every task is to run.
    Discards,
}

/// How things stood when the reader looked.
pub(crate) struct Look {
    /// Every task with a lower number has ended, and what it delivered has been taken. None if
    /// something still waits to be taken.
    pub(crate) frontier: Option<u64>,
    /// Nobody is on the roll.
    pub(crate) ended: bool,
}

impl<T> Outlet<T> {
    /// Creates an empty outlet; `reader` wakes who will probably read it.
    pub(crate) fn new(bound: usize, reader: Waker) -> Self {
        let inner = Inner {
            arrived: VecDeque::new(),
            roll: Roll::default(),
            spawned: 0,
            delivered: 0,
            taken: 0,
            receiver: Receiver::Present,
            reader,
            awaited: false,
            blocked: BTreeMap::new(),
        };
        Outlet { inner: Mutex::new(inner), bound, unwanted: AtomicBool::new(false) }
    }

    pub(crate) fn is_bounded(&self) -> bool {
        self.bound != usize::MAX
    }

    /// Whether a task that has not begun need not.
    pub(crate) fn is_unwanted(&self) -> bool {
        // ORDERING: Relaxed. The flag only goes up and says nothing about other memory. Whoever
        // spawns after it went up hands it to the task by the queue's lock.
        self.unwanted.load(Ordering::Relaxed)
    }

    /// Enters a task.
    pub(crate) fn enlist(&self) -> Ticket {
        let mut inner = self.inner.lock();
        let number = inner.spawned;
        inner.spawned += 1;
        Ticket { number, key: inner.roll.push(number) }
    }

    /// Enters that a task has ended with this value. Returns the place of the value in the order of
    /// delivery; or the value, if there is no receiver.
    pub(crate) fn deliver(&self, ticket: &Ticket, task: TaskInfo, value: T) -> Result<u64, T> {
        let mut inner = self.inner.lock();
        inner.roll.remove(ticket.key);
        let place = if inner.receiver == Receiver::Present {
            inner.arrived.push_back(Arrived { number: ticket.number, task, value });
            inner.delivered += 1;
            Ok(inner.delivered - 1)
        } else {
            Err(value)
        };
        let reader = inner.call_reader();
        drop(inner);
        wake(reader);
        place
    }

    /// Enters that a task has ended without a value.
    pub(crate) fn end(&self, ticket: &Ticket) {
        let mut inner = self.inner.lock();
        inner.roll.remove(ticket.key);
        let reader = inner.call_reader();
        drop(inner);
        wake(reader);
    }

    /// Whether whoever delivered the value with this place may go on; if not, it is woken when that
    /// may have changed.
    pub(crate) fn may_pass(&self, place: u64, waker: &Waker) -> bool {
        let mut inner = self.inner.lock();
        let free = place < inner.taken.saturating_add(self.bound as u64);
        // On the thread of the reader, which cannot take anything before this one has gone on,
        // nobody waits.
        let passes = free || inner.receiver != Receiver::Present || is_same(&inner.reader, waker);
        let old = if passes {
            inner.blocked.remove(&place)
        } else {
            inner.blocked.insert(place, waker.clone())
        };
        drop(inner);
        drop(old);
        passes
    }

    /// Takes back what [`may_pass`](Self::may_pass) entered.
    pub(crate) fn pass(&self, place: u64) {
        let old = self.inner.lock().blocked.remove(&place);
        drop(old);
    }

    /// Whether somebody waits for the reader; if not, the reader is woken when that may have
    /// changed.
    pub(crate) fn holds_up(&self, reader: &Waker) -> bool {
        let mut inner = self.inner.lock();
        let holds_up = inner.arrived.len() > self.bound;
        let old = inner.await_by(reader, !holds_up);
        drop(inner);
        drop(old);
        holds_up
    }

    /// Moves what has arrived into `hand`, which is empty: everything, or one value where there is
    /// a bound, so that what was taken is what was asked for.
    pub(crate) fn take(&self, hand: &mut VecDeque<Arrived<T>>) -> Look {
        self.take_with(hand, |_, _| None)
    }

    /// As [`take`](Self::take). If there is nothing, `reader` is woken when that has changed, or
    /// when a task has ended.
    pub(crate) fn take_or_await(&self, hand: &mut VecDeque<Arrived<T>>, reader: &Waker) -> Look {
        self.take_with(hand, |inner, nothing| inner.await_by(reader, nothing))
    }

    fn take_with(
        &self,
        hand: &mut VecDeque<Arrived<T>>,
        enter: impl FnOnce(&mut Inner<T>, bool) -> Option<Waker>,
    ) -> Look {
        let mut inner = self.inner.lock();
        if self.is_bounded() {
            hand.extend(inner.arrived.pop_front());
        } else {
            mem::swap(hand, &mut inner.arrived);
        }
        inner.taken += hand.len() as u64;
        let free = inner.released(self.bound);
        let old = enter(&mut inner, hand.is_empty());
        let first = inner.roll.first();
        let frontier = inner.arrived.is_empty().then(|| first.unwrap_or(inner.spawned));
        let look = Look { frontier, ended: first.is_none() };
        drop(inner);
        drop(old);
        free.into_iter().for_each(Waker::wake);
        look
    }

    /// Enters that the receiver is gone. Returns what it left, which is to be dropped by the
    /// caller.
    pub(crate) fn leave(&self, how: Receiver) -> VecDeque<Arrived<T>> {
        let mut inner = self.inner.lock();
        if inner.receiver == Receiver::Present {
            inner.receiver = how;
            self.unwanted.store(how == Receiver::Gone, Ordering::Relaxed);
        }
        let left = mem::take(&mut inner.arrived);
        let blocked = mem::take(&mut inner.blocked);
        drop(inner);
        blocked.into_values().for_each(Waker::wake);
        left
    }

    /// How many tasks have not ended, and how many values wait to be taken.
    pub(crate) fn numbers(&self) -> (usize, usize) {
        let inner = self.inner.lock();
        (inner.roll.len(), inner.arrived.len())
    }
}

impl<T> Inner<T> {
    /// The waker of the reader, if it waits. Then it does not any more.
    fn call_reader(&mut self) -> Option<Waker> {
        mem::take(&mut self.awaited).then(|| self.reader.clone())
    }

    /// Enters who reads, and whether it waits. Returns who did before.
    fn await_by(&mut self, reader: &Waker, waits: bool) -> Option<Waker> {
        self.awaited = waits;
        let known = is_same(&self.reader, reader);
        (!known).then(|| mem::replace(&mut self.reader, reader.clone()))
    }

    /// Those who delivered and may go on now.
    fn released(&mut self, bound: usize) -> Vec<Waker> {
        let free = self.taken.saturating_add(bound as u64);
        let mut wakers = Vec::new();
        while let Some(first) = self.blocked.first_entry().filter(|first| *first.key() < free) {
            wakers.push(first.remove());
        }
        wakers
    }
}

/// Whether both wake the same thread. `will_wake` also compares addresses of tables, of which there
/// may be several for one type; each thread has one waker, and what it points to is its own.
fn is_same(one: &Waker, other: &Waker) -> bool {
    one.data() == other.data()
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> fmt::Debug for Outlet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (outstanding, waiting) = self.numbers();
        f.debug_struct("Outlet")
            .field("outstanding", &outstanding)
            .field("waiting", &waiting)
            .field("unwanted", &self.is_unwanted())
            .finish_non_exhaustive()
    }
}

/// The tasks that have not ended, in the order of their spawning. As large as they are many,
/// however far their numbers lie apart.
#[derive(Default)]
struct Roll {
    entries: Slab<Entry>,
    /// The keys of the first and the last.
    ends: Option<(usize, usize)>,
}

struct Entry {
    number: u64,
    before: Option<usize>,
    after: Option<usize>,
}

impl Roll {
    fn push(&mut self, number: u64) -> usize {
        let before = self.ends.map(|(_, last)| last);
        let key = self.entries.insert(Entry { number, before, after: None });
        if let Some(before) = before {
            self.entries[before].after = Some(key);
        }
        let first = self.ends.map_or(key, |(first, _)| first);
        self.ends = Some((first, key));
        key
    }

    fn remove(&mut self, key: usize) {
        let Entry { before, after, .. } = self.entries.remove(key);
        if let Some(before) = before {
            self.entries[before].after = after;
        }
        if let Some(after) = after {
            self.entries[after].before = before;
        }
        self.ends = self.ends.and_then(|(first, last)| {
            let first = if first == key { after } else { Some(first) };
            let last = if last == key { before } else { Some(last) };
            first.zip(last)
        });
        if self.entries.is_empty() && self.entries.capacity() > ROOMY {
            self.entries = Slab::new();
        }
    }

    fn first(&self) -> Option<u64> {
        self.ends.map(|(first, _)| self.entries[first].number)
    }

    fn len(&self) -> usize {
        self.entries.len()
    }
}

/// From how many places on a buffer that has become empty is given back.
pub(crate) const ROOMY: usize = 1024;

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use super::*;
    use crate::task_info::Label;
    use std::panic::Location;

    fn outlet(bound: usize) -> Outlet<u64> {
        Outlet::new(bound, Waker::noop().clone())
    }

    fn deliver(outlet: &Outlet<u64>, ticket: &Ticket) -> Result<u64, u64> {
        let task = TaskInfo::new(ticket.number, Label::at(Location::caller()));
        outlet.deliver(ticket, task, ticket.number)
    }

    fn numbers(hand: &mut VecDeque<Arrived<u64>>) -> Vec<u64> {
        hand.drain(..).map(|arrived| arrived.number).collect()
    }

    #[test]
    fn rule_16_it_has_ended_when_nobody_is_to_deliver_and_may_be_used_again() {
        let (outlet, mut hand) = (outlet(usize::MAX), VecDeque::new());
        assert!(outlet.take(&mut hand).ended, "no task");
        let (first, second) = (outlet.enlist(), outlet.enlist());
        assert!(!outlet.take(&mut hand).ended);
        deliver(&outlet, &second).unwrap();
        let look = outlet.take(&mut hand);
        assert_eq!((look.ended, look.frontier, numbers(&mut hand)), (false, Some(0), vec![1]));
        outlet.end(&first);
        let look = outlet.take(&mut hand);
        assert_eq!((look.ended, look.frontier, numbers(&mut hand)), (true, Some(2), vec![]));
        assert_eq!(outlet.enlist().number, 2);
        assert!(!outlet.take(&mut hand).ended);
    }

    #[test]
    fn rule_16_everything_that_waits_is_taken_at_once_and_one_by_one_where_there_is_a_bound() {
        let all = (usize::MAX, vec![0, 1, 2], Some(3));
        for (bound, expected, frontier) in [all, (1, vec![0], None)] {
            let (outlet, mut hand) = (outlet(bound), VecDeque::new());
            for _ in 0..3 {
                deliver(&outlet, &outlet.enlist()).unwrap();
            }
            assert_eq!(outlet.take(&mut hand).frontier, frontier);
            assert_eq!(numbers(&mut hand), expected);
        }
    }

    #[test]
    fn rule_16_whoever_delivers_beyond_the_bound_passes_when_enough_was_taken() {
        struct Nobody;
        impl std::task::Wake for Nobody {
            fn wake(self: std::sync::Arc<Self>) {}
        }
        let other = Waker::from(std::sync::Arc::new(Nobody));
        let (outlet, mut hand) = (outlet(2), VecDeque::new());
        let places: Vec<_> = (0..4).map(|_| deliver(&outlet, &outlet.enlist()).unwrap()).collect();
        let passing = |outlet: &Outlet<u64>| -> Vec<bool> {
            places.iter().map(|&place| outlet.may_pass(place, &other)).collect()
        };
        assert_eq!(passing(&outlet), [true, true, false, false]);
        assert!(outlet.may_pass(places[3], Waker::noop()), "on the reader's own thread");
        assert!(outlet.holds_up(Waker::noop()));
        outlet.take(&mut hand);
        assert_eq!(passing(&outlet), [true, true, true, false]);
        assert_eq!(outlet.leave(Receiver::Gone).len(), 3);
        assert_eq!(passing(&outlet), [true; 4]);
    }

    #[test]
    fn rule_16_without_a_receiver_values_come_back() {
        for (how, unwanted) in [(Receiver::Gone, true), (Receiver::Discards, false)] {
            let outlet = outlet(usize::MAX);
            let ticket = outlet.enlist();
            assert!(outlet.leave(how).is_empty());
            assert_eq!(deliver(&outlet, &ticket), Err(0));
            assert_eq!((outlet.is_unwanted(), outlet.numbers()), (unwanted, (0, 0)));
        }
    }

    #[test]
    fn rule_17_the_roll_knows_its_first_whoever_leaves() {
        let mut roll = Roll::default();
        let keys: Vec<_> = (0..5).map(|number| roll.push(number)).collect();
        for (leaves, first) in [(2, Some(0)), (0, Some(1)), (4, Some(1)), (1, Some(3))] {
            roll.remove(keys[leaves]);
            assert_eq!(roll.first(), first);
        }
        roll.remove(keys[3]);
        assert_eq!((roll.first(), roll.len()), (None, 0));
        roll.push(9);
        assert_eq!((roll.first(), roll.len()), (Some(9), 1));
    }
}
