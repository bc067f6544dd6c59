//! Who waits for which group: the semaphore beside the word.
//!
//! The lists are global, keyed by the address of the word, as the semaphores of Go's runtime and
//! the kernel's futexes are. So a group is one word and nothing else, and whoever leaves it last
//! finds its waiters without touching it (rule 7 of `state`).
//!
//! *Being on the list is the truth.* A waiter, thread or task, has been released when it is no
//! longer listed; there are no permits, so none can be orphaned by a waiter that leaves. A wake-up
//! is only a hint to look again, and a spurious one does no harm.
//!
//! No user code runs under a lock: wakers are cloned before it and dropped or woken after it.

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::state::{Enlisted, State, Withdrawn};
use crate::sync::{self, Mutex, Thread};

/// A thread or a task that waits: the whole difference between the two.
#[derive(Debug)]
pub(crate) enum Waiter {
    Thread(Thread),
    Task(Waker),
}

impl Waiter {
    fn wake(self) {
        match self {
            Waiter::Thread(thread) => thread.unpark(),
            Waiter::Task(waker) => waker.wake(),
        }
    }
}

/// A place on a list. Later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// Why [`enlist`] did not.
pub(crate) enum NotEnlisted {
    /// The group is empty: the wait is over.
    Idle,
    /// There is no room for one more waiter.
    Full,
}

/// Waiters in the order of their arrival, which is the order of their tickets.
type Queue = VecDeque<(Ticket, Waiter)>;

/// Capacity up to which an empty queue's memory is kept for the next group that is waited for.
const KEPT: usize = 16;

#[derive(Debug)]
struct Bucket {
    /// By address of the word; none is empty.
    queues: HashMap<usize, Queue, BuildHasherDefault<AddressHasher>>,
    /// The memory of a queue that has become empty: a lone waiter, the common case, finds it here.
    spare: Queue,
    next: Ticket,
}

impl Bucket {
    const fn new() -> Self {
        let queues = HashMap::with_hasher(BuildHasherDefault::new());
        Bucket { queues, spare: Queue::new(), next: Ticket(0) }
    }

    fn push(&mut self, key: usize, waiter: Waiter) -> Ticket {
        let ticket = self.next;
        self.next.0 += 1;
        let queue = self.queues.entry(key).or_insert_with(|| mem::take(&mut self.spare));
        queue.push_back((ticket, waiter));
        ticket
    }

    fn find(&mut self, key: usize, ticket: Ticket) -> Option<&mut Waiter> {
        let queue = self.queues.get_mut(&key)?;
        let place = queue.binary_search_by_key(&ticket, |&(ticket, _)| ticket).ok()?;
        Some(&mut queue[place].1)
    }

    fn remove(&mut self, key: usize, ticket: Ticket) -> Option<Waiter> {
        let queue = self.queues.get_mut(&key)?;
        let place = queue.binary_search_by_key(&ticket, |&(ticket, _)| ticket).ok()?;
        let (_, waiter) = queue.remove(place)?;
        if queue.is_empty() {
            let queue = self.queues.remove(&key);
            self.keep(queue.unwrap_or_default());
        }
        Some(waiter)
    }

    /// Takes everybody off a list.
    fn take(&mut self, key: usize) -> Released {
        let queue = self.queues.remove(&key);
        self.released(queue.unwrap_or_default())
    }

    /// Separates waiters, who are to be woken, from the memory of their queue, if it is to be kept.
    fn released(&mut self, mut queue: Queue) -> Released {
        let first = queue.pop_front();
        if queue.is_empty() {
            self.keep(mem::take(&mut queue));
        }
        Released { first, rest: queue }
    }

    /// Keeps an empty queue's memory.
    fn keep(&mut self, queue: Queue) {
        if queue.capacity() <= KEPT {
            self.spare = queue;
        }
    }
}

/// Hashes the address of a word.
#[derive(Debug, Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write_usize(&mut self, address: usize) {
        // Fibonacci hashing: words that lie eight bytes apart spread over the high bits, and from
        // there, turned, over the low ones. Whoever chooses addresses to collide harms itself.
        self.0 = (address as u64 >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only addresses are hashed");
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

global! {
    static BUCKETS: [CachePadded<Mutex<Bucket>>; sync::BUCKETS] =
        array_of!(CachePadded::new(Mutex::new(Bucket::new())); sync::BUCKETS);
}

fn key(state: &State) -> usize {
    std::ptr::from_ref(state).addr()
}

fn bucket(key: usize) -> &'static Mutex<Bucket> {
    let mut hasher = AddressHasher::default();
    hasher.write_usize(key);
    // Bits that the map inside the bucket does not begin with.
    &BUCKETS[(hasher.finish() >> 16) as usize % BUCKETS.len()]
}

/// Puts a waiter on the list of a group that has members.
pub(crate) fn enlist(state: &State, waiter: Waiter) -> Result<Ticket, NotEnlisted> {
    let key = key(state);
    let mut bucket = bucket(key).lock();
    let verdict = state.enlist();
    if verdict == Enlisted::Waiting {
        return Ok(bucket.push(key, waiter));
    }
    let released = match verdict {
        Enlisted::Released => bucket.take(key),
        _ => Released::default(),
    };
    drop(bucket);
    released.wake_all();
    Err(if verdict == Enlisted::Full { NotEnlisted::Full } else { NotEnlisted::Idle })
}

/// Whether a waiter still waits.
fn is_listed(state: &State, ticket: Ticket) -> bool {
    // An idle group has ended every round there was, so there is no need for the lock.
    if state.load().is_idle() {
        return false;
    }
    let key = key(state);
    bucket(key).lock().find(key, ticket).is_some()
}

/// Whether a task still waits; if so it will be woken by `waker` from now on.
pub(crate) fn is_listed_as(state: &State, ticket: Ticket, waker: &Waker) -> bool {
    if state.load().is_idle() {
        return false;
    }
    let key = key(state);
    let mut newer = Waiter::Task(waker.clone());
    let mut bucket = bucket(key).lock();
    let Some(waiter) = bucket.find(key, ticket) else { return false };
    match waiter {
        Waiter::Task(known) if known.will_wake(waker) => {}
        _ => mem::swap(waiter, &mut newer),
    }
    drop(bucket);
    drop(newer);
    true
}

/// Takes a waiter that gives up off the list, and says whether it was still on it. If not, it has
/// been released.
pub(crate) fn withdraw(state: &State, ticket: Ticket) -> bool {
    let key = key(state);
    let mut bucket = bucket(key).lock();
    if bucket.find(key, ticket).is_none() {
        return false;
    }
    let verdict = state.withdraw();
    let own = bucket.remove(key, ticket);
    let others = match verdict {
        Withdrawn::Left => Released::default(),
        Withdrawn::Released => bucket.take(key),
    };
    drop(bucket);
    others.wake_all();
    drop(own);
    verdict == Withdrawn::Left
}

/// Carries the release out on behalf of the member that left last, by rule 7 of `state`: `state`
/// is touched only if somebody is listed for it.
#[cold]
pub(crate) fn release_listed(state: &State) {
    let key = key(state);
    let mut bucket = bucket(key).lock();
    // Not by `entry`, which makes room, and may allocate, where nobody is listed.
    if !bucket.queues.contains_key(&key) || !state.release() {
        return;
    }
    let released = bucket.take(key);
    drop(bucket);
    released.wake_all();
}

/// Carries a pending release out, if there is one, on behalf of an observer.
#[cold]
pub(crate) fn settle(state: &State) {
    let key = key(state);
    let mut bucket = bucket(key).lock();
    let released = if state.release() { bucket.take(key) } else { Released::default() };
    drop(bucket);
    released.wake_all();
}

/// Takes off the list what was left there by waits that were forgotten instead of dropped, because
/// the word is going away.
#[cold]
pub(crate) fn forget(state: &State) {
    let key = key(state);
    let forgotten = bucket(key).lock().take(key);
    drop(forgotten);
}

/// Blocks this thread until the group is empty (true) or the deadline has passed (false).
#[cold]
pub(crate) fn block(state: &State, deadline: Option<Instant>) -> Result<bool, NotEnlisted> {
    let ticket = match enlist(state, Waiter::Thread(sync::current())) {
        Ok(ticket) => ticket,
        Err(NotEnlisted::Idle) => return Ok(true),
        Err(full) => return Err(full),
    };
    loop {
        if !sync::park_until(deadline) {
            return Ok(!withdraw(state, ticket));
        }
        // A wake-up says nothing by itself: it may be spurious, or meant for somebody else who
        // parks on this thread.
        if !is_listed(state, ticket) {
            return Ok(true);
        }
    }
}

/// Waiters that were taken off their list and are to be woken, when no lock is held.
#[must_use]
#[derive(Default)]
struct Released {
    first: Option<(Ticket, Waiter)>,
    rest: Queue,
}

impl Released {
    /// Wakes everybody, in the order of their arrival, also if a waker panics: the first panic goes
    /// on when all have been woken, unless the thread is panicking already.
    fn wake_all(self) {
        let mut first = None;
        for (_, waiter) in self.first.into_iter().chain(self.rest) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waiter.wake())) {
                match &first {
                    None => first = Some(payload),
                    Some(_) => discard(payload),
                }
            }
        }
        match first {
            Some(payload) if std::thread::panicking() => discard(payload),
            Some(payload) => resume_unwind(payload),
            None => {}
        }
    }
}

/// Drops a panic's payload, whose own drop may panic, as may the drop of what that throws. Where
/// there is no end to it, the last is leaked.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(worse) => payload = worse,
        }
    }
    mem::forget(payload);
}
