//! The lists of the groups that share a lock.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;

use crate::sync::Arc;

use super::Waiter;
use super::gate::Gate;
use super::place::{Place, Queue, Released, Ticket};

/// The only one who waits for its group.
#[derive(Debug)]
pub(super) struct Lone {
    key: usize,
    ticket: Ticket,
    place: Place,
}

/// How many lone waiters have room in the bucket itself. Of a hundred groups that are waited for at
/// once, in 64 buckets, two find none if they lie here and there; if they lie in a row, each finds some.
pub(super) const LONE: usize = 4;

/// Most threads that share a gate: each of them takes its lock when it has been woken.
const CROWD: usize = 1024;

/// Capacity up to which an empty queue's memory is kept for the next group that is waited for.
const KEPT: usize = 16;

/// Lists by address of the word. A group has a lone waiter, or a queue, or neither.
#[derive(Debug)]
pub(super) struct Bucket {
    /// The common case, which neither hashes nor allocates.
    lone: [Option<Lone>; LONE],
    /// None is empty.
    queues: HashMap<usize, Queue, BuildHasherDefault<AddressHasher>>,
    /// The memory of a queue that has become empty.
    spare: Queue,
    next: Ticket,
}

impl Bucket {
    pub(super) const fn new() -> Self {
        Bucket {
            lone: [const { None }; LONE],
            queues: HashMap::with_hasher(BuildHasherDefault::new()),
            spare: Queue::new(),
            next: Ticket::FIRST,
        }
    }

    /// Puts a waiter at the end of a list. A thread behind a thread is told the gate to wait at.
    #[inline]
    pub(super) fn push(&mut self, key: usize, waiter: Waiter) -> (Ticket, Option<Arc<Gate>>) {
        let ticket = self.next.draw();
        let mut free = None;
        for slot in self.lone.iter_mut().rev() {
            match slot {
                Some(lone) if lone.key == key => return self.push_back(key, ticket, waiter),
                Some(_) => {}
                None => free = Some(slot),
            }
        }
        match free {
            Some(slot) if self.queues.is_empty() || !self.queues.contains_key(&key) => {
                *slot = Some(Lone { key, ticket, place: Place::One(waiter) });
                (ticket, None)
            }
            _ => self.push_back(key, ticket, waiter),
        }
    }

    #[cold]
    fn push_back(
        &mut self,
        key: usize,
        ticket: Ticket,
        waiter: Waiter,
    ) -> (Ticket, Option<Arc<Gate>>) {
        let first = self.take_lone(key);
        let queue = self.queues.entry(key).or_insert_with(|| mem::take(&mut self.spare));
        queue.extend(first.map(|lone| (lone.ticket, lone.place)));
        let (place, gate) = match (&waiter, queue.back_mut()) {
            (Waiter::Thread(_), Some((ticket, Place::Crowd(gate, members @ ..CROWD)))) => {
                *members += 1;
                return (*ticket, Some(Arc::clone(gate)));
            }
            (Waiter::Thread(_), Some((_, Place::One(Waiter::Thread(_)) | Place::Crowd(..)))) => {
                let gate = Arc::new(Gate::new());
                (Place::Crowd(Arc::clone(&gate), 1), Some(gate))
            }
            _ => (Place::One(waiter), None),
        };
        queue.push_back((ticket, place));
        (ticket, gate)
    }

    fn slot_of(&self, key: usize) -> Option<usize> {
        self.lone.iter().position(|slot| matches!(slot, Some(lone) if lone.key == key))
    }

    fn take_lone(&mut self, key: usize) -> Option<Lone> {
        self.slot_of(key).and_then(|slot| self.lone[slot].take())
    }

    /// The list of a group, if anybody is on it.
    #[inline]
    pub(super) fn list(&mut self, key: usize) -> Option<List<'_>> {
        match self.slot_of(key) {
            Some(slot) => Some(List::Lone(&mut self.lone[slot])),
            None if self.queues.contains_key(&key) => Some(List::Queue(self, key)),
            None => None,
        }
    }

    pub(super) fn find(&mut self, key: usize, ticket: Ticket) -> Option<&mut Place> {
        if let Some(lone) = self.lone.iter_mut().flatten().find(|lone| lone.key == key) {
            return (lone.ticket == ticket).then_some(&mut lone.place);
        }
        let queue = self.queues.get_mut(&key)?;
        let at = queue.binary_search_by_key(&ticket, |&(ticket, _)| ticket).ok()?;
        Some(&mut queue[at].1)
    }

    /// Takes one waiter off a list: its place, or one of a crowd's.
    pub(super) fn remove(&mut self, key: usize, ticket: Ticket) -> Option<Place> {
        if let Some(slot) = self.slot_of(key) {
            return self.lone[slot].take_if(|lone| lone.ticket == ticket).map(|lone| lone.place);
        }
        let queue = self.queues.get_mut(&key)?;
        let at = queue.binary_search_by_key(&ticket, |&(ticket, _)| ticket).ok()?;
        if let (_, Place::Crowd(_, members @ 2..)) = &mut queue[at] {
            *members -= 1;
            return None;
        }
        let (_, place) = queue.remove(at)?;
        if queue.is_empty() {
            let queue = self.queues.remove(&key);
            self.keep(queue.unwrap_or_default());
        }
        Some(place)
    }

    /// Takes everybody off a list.
    pub(super) fn take(&mut self, key: usize) -> Released {
        self.list(key).map_or(Released::Nobody, List::take)
    }

    #[cold]
    fn take_queue(&mut self, key: usize) -> Released {
        match self.queues.remove(&key) {
            Some(mut queue) if queue.len() == 1 => {
                let first = queue.pop_front();
                self.keep(queue);
                first.map_or(Released::Nobody, |(_, place)| Released::One(place))
            }
            Some(queue) => Released::Many(queue),
            None => Released::Nobody,
        }
    }

    /// Keeps an empty queue's memory.
    fn keep(&mut self, queue: Queue) {
        if queue.capacity() <= KEPT {
            self.spare = queue;
        }
    }
}

/// A list with somebody on it.
pub(super) enum List<'a> {
    Lone(&'a mut Option<Lone>),
    Queue(&'a mut Bucket, usize),
}

impl List<'_> {
    /// Takes everybody off it.
    #[inline]
    pub(super) fn take(self) -> Released {
        match self {
            List::Lone(slot) => {
                slot.take().map_or(Released::Nobody, |lone| Released::One(lone.place))
            }
            List::Queue(bucket, key) => bucket.take_queue(key),
        }
    }
}

/// Hashes the address of a word.
#[derive(Debug, Default)]
pub(super) struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write_usize(&mut self, address: usize) {
        // A multiplication whose halves are folded: of words that lie in a row, however far apart, the
        // middle bits are as different as can be. Whoever chooses addresses to collide harms itself.
        let product = (address as u128 >> 3) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only addresses are hashed");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
