//! The semaphore: permits that change hands, waiters that leave, a capacity that changes.
//!
//! Who holds everything acts on a deed, who holds a part looks at it. So two holders too many are
//! a race that loom sees, and so is a give-back that does not happen before the next acquire.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Waker;
use std::time::Instant;

use loom::thread::JoinHandle;
use wg_core::{Permit, Semaphore};

use crate::kit::{Alarm, Deed, assert_all_seen, block_on, exhaust, explore, join, member, poll};

/// Runs a model on a semaphore that threads may borrow. After it everybody has left without a
/// trace, and the semaphore ends.
fn lend(permits: u64, model: impl Fn(&'static Semaphore)) {
    let place = Box::into_raw(Box::new(Semaphore::new(permits)));
    // SAFETY: the memory is valid until it is freed below, and is only shared until then.
    model(unsafe { &*place });
    // SAFETY: that of the box above. Models join their threads, and keep no reference.
    let semaphore = unsafe { Box::from_raw(place) };
    assert_eq!(semaphore.waiters(), 0, "a ghost is in the line");
    assert_eq!(semaphore.available(), semaphore.capacity(), "permits were lost");
}

/// Starts a thread that blocks for the weight of everything, and then acts.
fn writer(semaphore: &'static Semaphore, weight: u64, deed: &Arc<Deed>) -> JoinHandle<()> {
    let deed = Arc::clone(deed);
    loom::thread::spawn(move || write(&semaphore.acquire(weight), &deed))
}

/// Starts a thread that blocks for a part, and then looks.
fn reader(semaphore: &'static Semaphore, deeds: &[Arc<Deed>]) -> JoinHandle<()> {
    let deeds = deeds.to_vec();
    loom::thread::spawn(move || {
        let _permit = semaphore.acquire(1);
        assert_all_seen(&deeds);
    })
}

fn write(_: &Permit<'_>, deed: &Deed) {
    deed.act();
}

/// Three threads want the same permit. Weaker orderings in `take`, `put` or `settle` show here: the
/// holders then race with each other.
#[test]
fn a_permit_passes_from_thread_to_thread() {
    explore(|| {
        lend(1, |semaphore| {
            let deed = Deed::new();
            let others = [writer(semaphore, 1, &deed), writer(semaphore, 1, &deed)];
            write(&semaphore.acquire(1), &deed);
            join(others);
        });
    });
}

/// Two threads, in every order there is.
#[test]
fn two_threads_take_turns() {
    exhaust(|| {
        lend(1, |semaphore| {
            let deed = Deed::new();
            let other = writer(semaphore, 1, &deed);
            write(&semaphore.acquire(1), &deed);
            join([other]);
        });
    });
}

/// The heavy request is served between the light ones, never beside them.
#[test]
fn a_heavy_request_blocks_until_the_light_ones_are_done_and_they_until_it_is() {
    explore(|| {
        lend(2, |semaphore| {
            let deed = Deed::new();
            deed.act();
            let heavy = writer(semaphore, 2, &deed);
            let light = reader(semaphore, &[Arc::clone(&deed)]);
            let permit = semaphore.acquire(1);
            deed.assert_seen();
            drop(permit);
            join([heavy, light]);
        });
    });
}

/// The same with a request that is heavier than all there is.
#[test]
fn a_request_heavier_than_everything_runs_alone() {
    explore(|| {
        lend(2, |semaphore| {
            let deed = Deed::new();
            deed.act();
            let heavy = writer(semaphore, 5, &deed);
            let light = reader(semaphore, &[Arc::clone(&deed)]);
            let permit = semaphore.acquire(1);
            deed.assert_seen();
            drop(permit);
            join([heavy, light]);
        });
    });
}

/// While the heavy request waits at the head, or holds everything, nobody passes: neither one that
/// waits behind it nor one that only tries, whenever the permit that it lacks comes back.
#[test]
fn nobody_overtakes_a_heavy_request() {
    exhaust(|| {
        lend(2, |semaphore| {
            let over = Arc::new(AtomicBool::new(false));
            let held = semaphore.acquire(1);
            let (mut heavy, mut light) = (semaphore.acquire_async(2), semaphore.acquire_async(1));
            assert!(poll(&mut heavy, Waker::noop()).is_pending());
            assert!(poll(&mut light, Waker::noop()).is_pending());
            let giver = loom::thread::spawn(move || drop(held));
            let trier = {
                let over = Arc::clone(&over);
                loom::thread::spawn(move || {
                    if semaphore.try_acquire(1).is_some() {
                        assert!(over.load(Relaxed), "the heavy request was overtaken");
                    }
                })
            };
            let permit = block_on(heavy);
            assert!(poll(&mut light, Waker::noop()).is_pending());
            over.store(true, Relaxed);
            drop(permit);
            drop(block_on(light));
            join([giver, trier]);
        });
    });
}

/// The future is dropped while the permit that it waits for comes back, so before it is granted or
/// after: in either case the one behind it gets the permit.
#[test]
fn rule_25_a_dropped_future_hands_its_permit_on() {
    exhaust(|| {
        lend(1, |semaphore| {
            let deed = Deed::new();
            let permit = semaphore.acquire(1);
            let mut leaves = semaphore.acquire_async(1);
            assert!(poll(&mut leaves, Waker::noop()).is_pending());
            let giver = member(permit, &deed);
            let behind = reader(semaphore, &[Arc::clone(&deed)]);
            drop(leaves);
            join([giver, behind]);
        });
    });
}

/// The head leaves, and nothing comes back: the one behind it, which fits without it, goes on.
#[test]
fn rule_25_those_behind_a_head_that_leaves_go_on() {
    exhaust(|| {
        lend(2, |semaphore| {
            let held = semaphore.acquire(1);
            let mut head = semaphore.acquire_async(2);
            assert!(poll(&mut head, Waker::noop()).is_pending());
            let behind = reader(semaphore, &[]);
            drop(head);
            join([behind]);
            drop(held);
        });
    });
}

/// The deadline passes when it is worst. Who gives up has not got the permit; who got it at the last
/// moment says so; in either case the other one gets it.
#[test]
fn rule_25_a_timed_request_that_gives_up_robs_no_other() {
    exhaust(|| {
        lend(1, |semaphore| {
            let deed = Deed::new();
            let giver = member(semaphore.acquire(1), &deed);
            let other = reader(semaphore, &[Arc::clone(&deed)]);
            if let Ok(permit) = semaphore.acquire_deadline(1, Instant::now()) {
                deed.assert_seen();
                drop(permit);
            }
            join([giver, other]);
        });
    });
}

/// Both give up, or one, or none, while the permit comes back: it is not lost.
#[test]
fn rule_25_two_timed_requests_give_up_together() {
    exhaust(|| {
        lend(1, |semaphore| {
            let deed = Deed::new();
            let giver = member(semaphore.acquire(1), &deed);
            let try_briefly = move |deed: &Deed| {
                if let Ok(permit) = semaphore.acquire_deadline(1, Instant::now()) {
                    deed.assert_seen();
                    write(&permit, deed);
                }
            };
            let other = {
                let deed = Arc::clone(&deed);
                loom::thread::spawn(move || try_briefly(&deed))
            };
            try_briefly(&deed);
            join([giver, other]);
        });
    });
}

/// The capacity grows while somebody comes to wait: there is room for both, without any give-back.
#[test]
fn a_capacity_that_grows_wakes_who_waits() {
    exhaust(|| {
        lend(1, |semaphore| {
            let held = semaphore.acquire(1);
            let waiter = reader(semaphore, &[]);
            let grower = loom::thread::spawn(move || semaphore.set_capacity(2));
            join([waiter, grower]);
            drop(held);
        });
    });
}

/// The capacity shrinks while permits are taken and given back: none is lost, none is made.
#[test]
fn a_capacity_that_shrinks_loses_nothing() {
    explore(|| {
        lend(2, |semaphore| {
            let shrinker = loom::thread::spawn(move || semaphore.set_capacity(1));
            let light = reader(semaphore, &[]);
            drop(semaphore.acquire(2));
            join([shrinker, light]);
            assert_eq!(semaphore.capacity(), 1);
        });
    });
}

/// More is held than the capacity, so the first that is given back comes to the lock, and the second
/// may pass by it. Whoever takes what both have made possible sees both: the word that is opened
/// under the lock has to publish, or the first is not seen.
#[test]
fn what_was_given_back_under_the_lock_is_seen_without_it() {
    exhaust(|| {
        lend(2, |semaphore| {
            let deeds = [Deed::new(), Deed::new()];
            let mut first = semaphore.acquire(2);
            let second = first.split(1);
            semaphore.set_capacity(1);
            let givers = [member(first, &deeds[0]), member(second, &deeds[1])];
            let permit = semaphore.acquire(1);
            assert_all_seen(&deeds);
            drop(permit);
            join(givers);
        });
    });
}

/// The task is polled with another waker while its permit comes: the newest waker is woken, or the
/// poll has said so.
#[test]
fn rule_26_the_newest_waker_is_woken_or_the_poll_is_ready() {
    exhaust(|| {
        lend(1, |semaphore| {
            let deed = Deed::new();
            let giver = member(semaphore.acquire(1), &deed);
            let mut task = semaphore.acquire_async(1);
            let mut polled = poll(&mut task, Waker::noop());
            if polled.is_pending() {
                let alarm = Alarm::new();
                let waker = Waker::from(Arc::clone(&alarm));
                polled = poll(&mut task, &waker);
                if polled.is_pending() {
                    alarm.sleep();
                    polled = poll(&mut task, Waker::noop());
                }
            }
            assert!(polled.is_ready());
            deed.assert_seen();
            drop(polled);
            join([giver]);
        });
    });
}

/// A thread and a task wait in one line for what the third gives back.
#[test]
fn a_thread_and_a_task_share_a_line() {
    explore(|| {
        lend(1, |semaphore| {
            let deed = Deed::new();
            let permit = semaphore.acquire(1);
            let thread = writer(semaphore, 1, &deed);
            let task = {
                let deed = Arc::clone(&deed);
                loom::thread::spawn(move || write(&block_on(semaphore.acquire_async(1)), &deed))
            };
            write(&permit, &deed);
            drop(permit);
            join([thread, task]);
        });
    });
}
