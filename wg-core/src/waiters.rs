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
//! Most groups have one waiter, who is kept in the bucket itself. Of threads that come one after the
//! other the first parks, and the others share gates: whoever releases them wakes each crowd at once.
//!
//! No user code runs under a lock: wakers are cloned before it and dropped or woken after it.

mod gate;
mod place;

mod bucket;

use std::hash::Hasher;
use std::mem;
use std::sync::OnceLock;
use std::task::Waker;
use std::time::Instant;

use crossbeam_utils::CachePadded;

use crate::state::{Enlisted, State, Withdrawn};
use crate::sync::{self, Arc, Mutex, Thread};

use self::bucket::{AddressHasher, Bucket};
use self::gate::Gate;
use self::place::{Place, Released};

pub(crate) use self::place::Ticket;

/// A thread or a task that waits: the whole difference between the two.
#[derive(Debug)]
pub(crate) enum Waiter {
    Thread(Thread),
    Task(Waker),
}

/// Why [`enlist`] did not.
pub(crate) enum NotEnlisted {
    /// The group is empty: the wait is over.
    Idle,
    /// There is no room for one more waiter.
    Full,
}

type Buckets = [CachePadded<Mutex<Bucket>>; sync::BUCKETS];

global! {
    static BUCKETS: Buckets = array_of!(CachePadded::new(Mutex::new(Bucket::new())); sync::BUCKETS);
}

/// The lists of processes that were forked, each by the one before: those on the lists of the parent are
/// not there, and a lock may have been held by a thread that is not there either.
static OF_CHILDREN: [OnceLock<Box<Buckets>>; 7] = [const { OnceLock::new() }; 7];

#[cold]
fn of_child(forks: u64) -> &'static Buckets {
    let place = usize::try_from(forks).unwrap_or(usize::MAX).min(OF_CHILDREN.len()) - 1;
    let buckets = || array_of!(CachePadded::new(Mutex::new(Bucket::new())); sync::BUCKETS);
    OF_CHILDREN[place].get_or_init(|| Box::new(buckets()))
}

fn key(state: &State) -> usize {
    std::ptr::from_ref(state).addr()
}

fn bucket(key: usize) -> &'static Mutex<Bucket> {
    let mut hasher = AddressHasher::default();
    hasher.write_usize(key);
    let buckets: &'static Buckets = match sync::forks() {
        0 => &BUCKETS,
        forks => of_child(forks),
    };
    // Bits that the map inside the bucket does not begin with.
    &buckets[(hasher.finish() >> 20) as usize % buckets.len()]
}

/// Puts a task on the list of a group that has members.
pub(crate) fn enlist(state: &State, waker: &Waker) -> Result<Ticket, NotEnlisted> {
    push(state, Waiter::Task(waker.clone())).map(|(ticket, _)| ticket)
}

/// Puts a waiter on the list of a group that has members. A thread may be told a gate to wait at.
#[inline(always)]
fn push(state: &State, waiter: Waiter) -> Result<(Ticket, Option<Arc<Gate>>), NotEnlisted> {
    let key = key(state);
    let mut bucket = bucket(key).lock();
    let verdict = state.enlist();
    if verdict == Enlisted::Waiting {
        return Ok(bucket.push(key, waiter));
    }
    let released = match verdict {
        Enlisted::Released => bucket.take(key),
        _ => Released::Nobody,
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
    let key = key(state);
    let mut newer = waker.clone();
    let mut bucket = bucket(key).lock();
    match bucket.find(key, ticket) {
        None => return false,
        Some(Place::One(Waiter::Task(known))) if !known.will_wake(waker) => {
            mem::swap(known, &mut newer);
        }
        Some(_) => {}
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
        Withdrawn::Left => Released::Nobody,
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
    let Some(list) = bucket.list(key) else { return };
    if !state.release() {
        return;
    }
    match list.take() {
        // Most groups have one waiter. A waker is two words, which need not be put down on the way.
        Released::One(Place::One(Waiter::Task(waker))) => {
            drop(bucket);
            place::wake_task(waker);
        }
        released => {
            drop(bucket);
            released.wake_all();
        }
    }
}

/// Carries a pending release out, if there is one, on behalf of an observer.
#[cold]
pub(crate) fn settle(state: &State) {
    let key = key(state);
    let mut bucket = bucket(key).lock();
    let released = if state.release() { bucket.take(key) } else { Released::Nobody };
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
    let (ticket, gate) = match push(state, Waiter::Thread(sync::current())) {
        Ok(listed) => listed,
        Err(NotEnlisted::Idle) => return Ok(true),
        Err(full) => return Err(full),
    };
    if let Some(gate) = gate {
        return Ok(gate.pass(deadline) || !withdraw(state, ticket));
    }
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

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn a_hundred_words_in_a_row_all_find_room_for_a_lone_waiter_however_far_apart_they_lie() {
        for stride in [8, 16, 24, 32, 40, 48, 64, 96, 128, 256, 1024, 4096] {
            let mut found = HashMap::new();
            for place in 0..100 {
                let bucket = std::ptr::from_ref(bucket(0x7f00_1000 + place * stride));
                *found.entry(bucket).or_insert(0) += 1;
            }
            let most = found.values().max();
            assert!(most <= Some(&bucket::LONE), "{most:?} in one bucket, {stride} bytes apart");
        }
    }
}
