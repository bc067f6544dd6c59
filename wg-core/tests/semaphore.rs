//! The semaphore: by hand with futures on one thread, where every order can be chosen; against a
//! plain model; and with threads.
#![cfg(not(wg_loom))]
#![deny(unsafe_code)]

mod support;

use std::future::Future;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::sample::Index;
use support::{Wakes, block_on, counting, panic_text, until};
use wg_core::{Acquire, Permit, Semaphore};

fn poll<'a>(future: &mut Acquire<'a>, waker: &Waker) -> Poll<Permit<'a>> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// A future that is in the line, and how often it was woken.
fn queued(semaphore: &Semaphore, weight: u64) -> (Acquire<'_>, Arc<Wakes>) {
    let (wakes, waker) = counting();
    let mut future = semaphore.acquire_async(weight);
    assert!(poll(&mut future, &waker).is_pending());
    (future, wakes)
}

fn granted<'a>(future: &mut Acquire<'a>) -> Permit<'a> {
    match poll(future, Waker::noop()) {
        Poll::Ready(permit) => permit,
        Poll::Pending => panic!("not granted"),
    }
}

fn waits(future: &mut Acquire<'_>) -> bool {
    poll(future, Waker::noop()).is_pending()
}

/// What is free, and how many wait.
fn shape(semaphore: &Semaphore) -> (u64, usize) {
    (semaphore.available(), semaphore.waiters())
}

#[test]
fn a_permit_holds_its_weight_until_it_is_dropped() {
    let semaphore = Semaphore::new(10);
    let three = semaphore.acquire(3);
    let seven = semaphore.try_acquire(7).unwrap();
    assert_eq!((three.weight(), seven.weight(), semaphore.available()), (3, 7, 0));
    assert!(semaphore.try_acquire(1).is_none());
    drop(three);
    assert_eq!((semaphore.available(), semaphore.capacity()), (3, 10));
    drop(seven);
    assert_eq!(semaphore.available(), 10);
}

#[test]
fn a_permit_is_given_back_while_unwinding() {
    let semaphore = Semaphore::new(2);
    let text = panic_text(|| {
        let _permit = semaphore.acquire(2);
        panic!("the holder's own");
    });
    assert_eq!((text.as_str(), semaphore.available()), ("the holder's own", 2));
}

#[test]
fn a_semaphore_can_be_a_static_and_its_parts_may_be_sent() {
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    fn movable<T: Send + Sync + Unpin>(value: T) -> T {
        value
    }
    let permit = movable(SEMAPHORE.acquire(1));
    let mut future = movable(SEMAPHORE.acquire_async(1));
    assert!(waits(&mut future));
    thread::spawn(move || drop(permit)).join().unwrap();
    let permit = thread::spawn(move || granted(&mut future)).join().unwrap();
    assert_eq!(shape(&SEMAPHORE), (0, 0));
    drop(permit);
    assert_eq!(shape(movable(&SEMAPHORE)), (1, 0));
}

#[test]
fn debug_shows_what_is_free_and_who_waits() {
    let semaphore = Semaphore::new(4);
    let _held = semaphore.acquire(3);
    let _queued = queued(&semaphore, 2);
    assert_eq!(format!("{semaphore:?}"), "Semaphore { capacity: 4, available: 1, waiters: 1 }");
}

#[test]
fn rule_09_a_capacity_of_zero_is_refused_where_it_is_given() {
    let refused = panic_text(|| Semaphore::new(0));
    assert_eq!(refused, "a semaphore of 0 permits is refused: use 1 for one at a time");
    let semaphore = Semaphore::new(3);
    let refused = panic_text(|| semaphore.set_capacity(0));
    assert_eq!(refused, "a capacity of 0 permits is refused: use 1 for one at a time");
    assert_eq!((semaphore.capacity(), semaphore.available()), (3, 3));
}

#[test]
fn a_request_for_nothing_is_granted_at_once_whoever_waits() {
    let semaphore = Semaphore::new(1);
    let _held = semaphore.acquire(1);
    let _queued = queued(&semaphore, 1);
    assert_eq!(semaphore.acquire(0).weight(), 0);
    assert!(semaphore.try_acquire(0).is_some());
    assert!(semaphore.acquire_timeout(0, Duration::ZERO).is_ok());
    drop(granted(&mut semaphore.acquire_async(0)));
    assert_eq!(shape(&semaphore), (0, 1));
}

#[test]
fn a_heavy_request_is_not_overtaken() {
    let semaphore = Semaphore::new(4);
    let mut held = semaphore.acquire(3);
    let (mut heavy, _) = queued(&semaphore, 2);
    let (mut light, light_wakes) = queued(&semaphore, 1);
    assert_eq!(shape(&semaphore), (1, 2));
    assert!(semaphore.try_acquire(1).is_none());
    let late = semaphore.acquire_deadline(1, Instant::now()).unwrap_err();
    assert_eq!((late.wanted(), late.available()), (1, 1));
    assert!(waits(&mut light));
    drop(held.split(1));
    let permit = granted(&mut heavy);
    assert_eq!((permit.weight(), light_wakes.get()), (2, 0));
    assert!(waits(&mut light));
    drop(permit);
    assert_eq!(granted(&mut light).weight(), 1);
}

#[test]
fn those_who_wait_are_granted_in_the_order_of_their_first_polls() {
    let semaphore = Semaphore::new(3);
    let held = semaphore.acquire(3);
    let mut unpolled = semaphore.acquire_async(1);
    let (mut first, first_wakes) = queued(&semaphore, 2);
    let (mut second, second_wakes) = queued(&semaphore, 1);
    assert!(waits(&mut unpolled));
    let woken = || (first_wakes.get(), second_wakes.get());
    assert_eq!(woken(), (0, 0));
    drop(held);
    assert_eq!((woken(), shape(&semaphore)), ((1, 1), (0, 1)));
    assert!(waits(&mut unpolled));
    drop((granted(&mut second), granted(&mut first)));
    assert_eq!(granted(&mut unpolled).weight(), 1);
}

#[test]
fn a_request_heavier_than_everything_runs_alone() {
    let semaphore = Semaphore::new(4);
    let one = semaphore.acquire(1);
    assert!(semaphore.try_acquire(100).is_none());
    let (mut giant, _) = queued(&semaphore, 100);
    drop(one);
    let giant = granted(&mut giant);
    assert_eq!((giant.weight(), semaphore.available()), (100, 0));
    assert!(semaphore.try_acquire(1).is_none());
    let (mut next_giant, _) = queued(&semaphore, u64::MAX);
    let (mut light, _) = queued(&semaphore, 1);
    drop(giant);
    let next_giant = granted(&mut next_giant);
    assert!(waits(&mut light));
    drop(next_giant);
    drop(granted(&mut light));
    assert_eq!(shape(&semaphore), (4, 0));
}

#[test]
fn parts_of_a_permit_that_is_heavier_than_everything_make_no_room_too_early() {
    let semaphore = Semaphore::new(4);
    let mut giant = semaphore.acquire(10);
    drop(giant.split(6));
    assert_eq!((giant.weight(), semaphore.available()), (4, 0));
    drop(giant.split(1));
    assert_eq!(semaphore.available(), 1);
    drop(giant);
    assert_eq!(semaphore.available(), 4);
}

#[test]
fn splitting_off_more_than_is_held_changes_nothing() {
    let semaphore = Semaphore::new(5);
    let mut permit = semaphore.acquire(5);
    assert!(permit.split(6).is_none());
    assert_eq!((permit.weight(), semaphore.available()), (5, 0));
    let all = permit.split(5).unwrap();
    drop(permit);
    assert_eq!((all.weight(), semaphore.available()), (5, 0));
    drop(all);
    assert_eq!(semaphore.available(), 5);
}

#[test]
fn the_largest_numbers_neither_wrap_nor_stick() {
    let semaphore = Semaphore::new(u64::MAX);
    let most = semaphore.acquire(u64::MAX - 1);
    let last = semaphore.acquire(1);
    assert!(semaphore.try_acquire(1).is_none());
    drop(last);
    assert_eq!(semaphore.available(), 1);
    drop(most);
    assert_eq!(semaphore.available(), u64::MAX);
    for edge in [(1 << 63) - 1, 1 << 63, (1 << 63) + 1] {
        semaphore.set_capacity(edge);
        let half = semaphore.acquire(edge / 2);
        let rest = semaphore.acquire(edge - edge / 2);
        assert!(semaphore.try_acquire(1).is_none());
        drop((half, rest));
        assert_eq!((semaphore.available(), semaphore.capacity()), (edge, edge));
    }
}

/// tokio#1898: who leaves the line without having been granted leaves a ghost there.
#[test]
fn rule_25_a_dropped_future_gives_its_place_back() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);
    let (first, first_wakes) = queued(&semaphore, 1);
    let (middle, _) = queued(&semaphore, 1);
    let (mut last, last_wakes) = queued(&semaphore, 1);
    drop((middle, first));
    assert_eq!(shape(&semaphore), (0, 1));
    drop(held);
    assert_eq!((first_wakes.get(), last_wakes.get()), (0, 1));
    drop(granted(&mut last));
    assert_eq!(shape(&semaphore), (1, 0));
}

/// tokio#900, tokio#904: dropped when it has been granted, and does not know it.
#[test]
fn rule_25_a_dropped_future_hands_its_permits_on() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.acquire(2);
    let (dropped, wakes) = queued(&semaphore, 2);
    let (mut next, next_wakes) = queued(&semaphore, 1);
    let (mut last, last_wakes) = queued(&semaphore, 1);
    drop(held);
    assert_eq!((wakes.get(), next_wakes.get(), last_wakes.get()), (1, 0, 0));
    drop(dropped);
    assert_eq!((next_wakes.get(), last_wakes.get(), semaphore.available()), (1, 1, 0));
    drop((granted(&mut next), granted(&mut last)));
    assert_eq!(shape(&semaphore), (2, 0));
}

/// tokio#904: the same, when nobody is behind it.
#[test]
fn rule_25_a_dropped_future_that_was_granted_gives_its_permits_back() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.acquire(2);
    let (dropped, _) = queued(&semaphore, 2);
    drop(held);
    assert_eq!(shape(&semaphore), (0, 0));
    drop(dropped);
    assert_eq!(shape(&semaphore), (2, 0));
    assert!(semaphore.try_acquire(2).is_some());
}

/// golang/sync#10: the front leaves, and those behind it would fit.
#[test]
fn rule_25_those_behind_a_head_that_leaves_go_on() {
    let semaphore = Semaphore::new(5);
    let _held = semaphore.acquire(3);
    let (head, _) = queued(&semaphore, 3);
    let (mut behind, wakes) = queued(&semaphore, 1);
    let (mut further, further_wakes) = queued(&semaphore, 1);
    let (mut too_heavy, _) = queued(&semaphore, 2);
    drop(head);
    assert_eq!((wakes.get(), further_wakes.get(), shape(&semaphore)), (1, 1, (0, 1)));
    let permits = (granted(&mut behind), granted(&mut further));
    assert!(waits(&mut too_heavy));
    drop(permits);
    assert_eq!(granted(&mut too_heavy).weight(), 2);
}

/// golang/sync#10, with a thread at the front, whose deadline passes.
#[test]
fn rule_25_those_behind_a_thread_that_gives_up_go_on() {
    let semaphore = Semaphore::new(2);
    let held = semaphore.acquire(1);
    thread::scope(|s| {
        let head = s.spawn(|| {
            let late = semaphore.acquire_timeout(2, Duration::from_millis(50)).unwrap_err();
            assert_eq!((late.wanted(), late.available()), (2, 1));
        });
        until(|| semaphore.waiters() == 1 || head.is_finished());
        // Behind the head, or after it: it gets its permit either way.
        assert_eq!(semaphore.acquire(1).weight(), 1);
    });
    drop(held);
    assert_eq!(shape(&semaphore), (2, 0));
}

/// golang/sync#14, golang/sync#15: who leaves gives back what it was granted, once, and nothing that
/// it was not granted.
#[test]
fn rule_25_who_leaves_gives_back_what_it_had_and_no_more() {
    let semaphore = Semaphore::new(3);
    for capacity in [3, 1, 2, 7] {
        let held = semaphore.acquire(3);
        let (ungranted, _) = queued(&semaphore, 2);
        let (granted_later, _) = queued(&semaphore, 1);
        semaphore.set_capacity(capacity);
        drop(ungranted);
        assert!(semaphore.acquire_timeout(5, Duration::ZERO).is_err());
        drop(held);
        drop(granted_later);
        assert_eq!((semaphore.capacity(), shape(&semaphore)), (capacity, (capacity, 0)));
        semaphore.set_capacity(3);
    }
}

#[test]
fn a_future_never_polled_changes_nothing_when_dropped() {
    let semaphore = Semaphore::new(1);
    drop(semaphore.acquire_async(1));
    let held = semaphore.acquire(1);
    drop(semaphore.acquire_async(1));
    assert_eq!(shape(&semaphore), (0, 0));
    drop(held);
    assert_eq!(shape(&semaphore), (1, 0));
}

#[test]
fn a_future_that_has_given_its_permit_leaves_nothing_and_says_so_when_polled() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);
    let (mut future, _) = queued(&semaphore, 1);
    drop(held);
    let permit = granted(&mut future);
    let text = panic_text(|| poll(&mut future, Waker::noop()));
    assert_eq!(text, "an `Acquire` was polled after it was ready");
    drop(future);
    assert_eq!(shape(&semaphore), (0, 0));
    drop(permit);
    assert_eq!(shape(&semaphore), (1, 0));
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken_and_the_older_is_let_go() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);
    let (mut future, older) = queued(&semaphore, 1);
    let (newer, waker) = counting();
    for _ in 0..3 {
        assert!(poll(&mut future, &waker).is_pending());
    }
    // Ours, the waker's, and the line's.
    assert_eq!((Arc::strong_count(&older), Arc::strong_count(&newer)), (1, 3));
    drop(held);
    assert_eq!((older.get(), newer.get(), Arc::strong_count(&newer)), (0, 1, 2));
}

#[test]
fn a_request_that_is_granted_at_once_keeps_no_waker() {
    let semaphore = Semaphore::new(1);
    let (wakes, waker) = counting();
    for weight in [1, 9] {
        assert!(poll(&mut semaphore.acquire_async(weight), &waker).is_ready());
        assert_eq!((wakes.get(), Arc::strong_count(&wakes)), (0, 2));
    }
}

#[test]
fn a_forgotten_permit_loses_only_what_it_holds() {
    let semaphore = Semaphore::new(3);
    forget(semaphore.acquire(1));
    let two = semaphore.acquire(2);
    drop(two);
    assert_eq!(shape(&semaphore), (2, 0));
    assert!(semaphore.try_acquire(3).is_none());
}

#[test]
fn a_forgotten_future_keeps_its_place_and_takes_what_it_asked_for() {
    let (wakes, waker) = counting();
    {
        let semaphore = Semaphore::new(3);
        let held = semaphore.acquire(3);
        let (mut forgotten, mut behind) = (semaphore.acquire_async(2), semaphore.acquire_async(1));
        assert!(poll(&mut forgotten, &waker).is_pending());
        forget(forgotten);
        assert!(poll(&mut behind, &waker).is_pending());
        assert_eq!(shape(&semaphore), (0, 2));
        drop(held);
        assert_eq!(wakes.get(), 2);
        drop(granted(&mut behind));
        assert_eq!(shape(&semaphore), (1, 0));

        let mut forgotten = semaphore.acquire_async(2);
        assert!(poll(&mut forgotten, &waker).is_pending());
        forget(forgotten);
        assert_eq!(Arc::strong_count(&wakes), 3);
    }
    assert_eq!((wakes.get(), Arc::strong_count(&wakes)), (2, 2));
}

#[test]
fn a_capacity_that_grows_serves_the_line_as_far_as_it_reaches() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);
    let (mut first, first_wakes) = queued(&semaphore, 2);
    let (mut second, second_wakes) = queued(&semaphore, 2);
    semaphore.set_capacity(2);
    assert_eq!((first_wakes.get(), second_wakes.get()), (0, 0));
    semaphore.set_capacity(4);
    assert_eq!((first_wakes.get(), second_wakes.get(), shape(&semaphore)), (1, 0, (1, 1)));
    drop((granted(&mut first), held));
    drop(granted(&mut second));
    assert_eq!(shape(&semaphore), (4, 0));
}

#[test]
fn a_capacity_that_shrinks_takes_nothing_away_and_lends_nothing_until_it_is_paid() {
    let semaphore = Semaphore::new(4);
    let mut held = semaphore.acquire(4);
    semaphore.set_capacity(2);
    let (mut next, wakes) = queued(&semaphore, 1);
    drop(held.split(1));
    drop(held.split(1));
    assert_eq!((wakes.get(), semaphore.available()), (0, 0));
    drop(held.split(1));
    let next = granted(&mut next);
    assert_eq!((wakes.get(), shape(&semaphore)), (1, (0, 0)));
    drop((held, next));
    assert_eq!((semaphore.available(), semaphore.capacity()), (2, 2));
}

#[test]
fn a_request_that_has_become_heavier_than_everything_waits_until_nothing_is_held() {
    let semaphore = Semaphore::new(4);
    let mut held = semaphore.acquire(4);
    let (mut three, wakes) = queued(&semaphore, 3);
    semaphore.set_capacity(2);
    drop(held.split(3));
    assert_eq!((wakes.get(), semaphore.available()), (0, 1));
    drop(held);
    let three = granted(&mut three);
    assert_eq!((three.weight(), semaphore.available()), (3, 0));
    semaphore.set_capacity(5);
    assert_eq!(semaphore.available(), 2);
}

#[test]
fn a_timed_request_takes_what_is_there_whatever_the_time() {
    let semaphore = Semaphore::new(2);
    let past = Instant::now();
    assert!(semaphore.acquire_deadline(2, past).is_ok());
    assert!(semaphore.acquire_deadline(7, past).is_ok());
    assert_eq!(semaphore.acquire_timeout(1, Duration::MAX).unwrap().weight(), 1);
    let mut held = semaphore.acquire(2);
    for (wanted, free, text) in [
        (2, 0, "timed out waiting for 2 permits while 0 were available"),
        (2, 1, "timed out waiting for 2 permits while 1 was available"),
        (9, 1, "timed out waiting for 9 permits while 1 was available"),
    ] {
        if free == 1 {
            drop(held.split(1));
            held = held.split(held.weight()).unwrap();
        }
        let late = semaphore.acquire_deadline(wanted, past).unwrap_err();
        assert_eq!(
            (late.wanted(), late.available(), late.to_string().as_str()),
            (wanted, free, text)
        );
        assert_eq!(shape(&semaphore), (free, 0));
        if free == 1 {
            drop(held);
            held = semaphore.acquire(2);
        }
    }
    let late = semaphore.acquire_timeout(1, Duration::from_millis(1)).unwrap_err();
    assert_eq!(late.to_string(), "timed out waiting for 1 permit while 0 were available");
}

#[test]
fn threads_and_tasks_wait_in_one_line() {
    let semaphore = Semaphore::new(1);
    let order = Mutex::new(Vec::new());
    let held = semaphore.acquire(1);
    thread::scope(|s| {
        for number in 0..6 {
            let (semaphore, order) = (&semaphore, &order);
            s.spawn(move || {
                let permit = match number % 3 {
                    0 => semaphore.acquire(1),
                    1 => block_on(semaphore.acquire_async(1)),
                    _ => semaphore.acquire_timeout(1, Duration::MAX).unwrap(),
                };
                order.lock().unwrap().push(number);
                drop(permit);
            });
            until(|| semaphore.waiters() == number + 1);
        }
        drop(held);
    });
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_thread_that_is_unparked_for_no_reason_waits_on() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);
    thread::scope(|s| {
        let waiter = s.spawn(|| {
            thread::current().unpark();
            semaphore.acquire(1).weight()
        });
        until(|| semaphore.waiters() == 1);
        for _ in 0..100 {
            waiter.thread().unpark();
            thread::yield_now();
        }
        assert_eq!(shape(&semaphore), (0, 1));
        drop(held);
        assert_eq!(waiter.join().unwrap(), 1);
    });
}

/// Wakes by panicking with a number.
struct Panics(u32);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        std::panic::panic_any(self.0);
    }
}

fn queued_as(semaphore: &Semaphore, waker: impl Wake + Send + Sync + 'static) -> Acquire<'_> {
    let mut future = semaphore.acquire_async(1);
    assert!(poll(&mut future, &Waker::from(Arc::new(waker))).is_pending());
    future
}

#[test]
fn a_panicking_waker_costs_nobody_its_permits_and_surfaces_in_the_one_who_gave_back() {
    let semaphore = Semaphore::new(4);
    for unwinding in [false, true] {
        let held = semaphore.acquire(4);
        let (mut before, before_wakes) = queued(&semaphore, 1);
        let mut panicking = [queued_as(&semaphore, Panics(1)), queued_as(&semaphore, Panics(2))];
        let (mut after, after_wakes) = queued(&semaphore, 1);
        let payload = catch_unwind(AssertUnwindSafe(|| {
            let _held = held;
            if unwinding {
                std::panic::panic_any(0_u32);
            }
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&u32::from(!unwinding)));
        assert_eq!((before_wakes.get(), after_wakes.get(), shape(&semaphore)), (1, 1, (0, 0)));
        drop((granted(&mut before), granted(&mut after)));
        drop(panicking.each_mut().map(granted));
        assert_eq!(shape(&semaphore), (4, 0));
    }
}

#[test]
fn a_panicking_waker_is_no_hindrance_to_a_growing_capacity_or_a_leaving_head() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);
    let panicking = queued_as(&semaphore, Panics(1));
    let (mut after, wakes) = queued(&semaphore, 1);
    let payload = catch_unwind(AssertUnwindSafe(|| semaphore.set_capacity(3))).unwrap_err();
    assert_eq!((payload.downcast_ref(), wakes.get()), (Some(&1_u32), 1));
    drop((granted(&mut after), panicking, held));

    let held = semaphore.acquire(2);
    let (head, _) = queued(&semaphore, 2);
    let panicking = queued_as(&semaphore, Panics(2));
    let payload = catch_unwind(AssertUnwindSafe(|| drop(head))).unwrap_err();
    assert_eq!((payload.downcast_ref(), shape(&semaphore)), (Some(&2_u32), (0, 0)));
    drop((panicking, held));
    assert_eq!(shape(&semaphore), (3, 0));
}

/// Panics when the last of it is dropped, but not by being woken.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        forget(self);
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a waker's drop");
    }
}

#[test]
fn a_waker_that_panics_when_dropped_takes_no_permits_and_no_place_with_it() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);

    // Dropped with its future, at the head, by which another goes on.
    let mut head = semaphore.acquire_async(2);
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(poll(&mut head, &bomb).is_pending());
    drop(bomb);
    let (mut other, wakes) = queued(&semaphore, 1);
    assert_eq!(panic_text(move || drop(head)), "a waker's drop");
    assert_eq!(shape(&semaphore), (0, 1));

    // Replaced by another waker.
    let mut replaced = queued_as(&semaphore, Bomb);
    let (newer, waker) = counting();
    assert_eq!(panic_text(|| poll(&mut replaced, &waker)), "a waker's drop");
    assert_eq!(shape(&semaphore), (0, 2));

    drop(held);
    assert_eq!(wakes.get(), 1);
    drop(granted(&mut other));
    assert_eq!(newer.get(), 1);
    drop(granted(&mut replaced));
    assert_eq!(shape(&semaphore), (1, 0));
}

#[test]
fn a_head_may_leave_with_wakers_that_panic_on_both_ways_also_while_unwinding() {
    let semaphore = Semaphore::new(3);
    for unwinding in [false, true] {
        let held = semaphore.acquire(1);
        let mut head = semaphore.acquire_async(3);
        let bomb = Waker::from(Arc::new(Bomb));
        assert!(poll(&mut head, &bomb).is_pending());
        drop(bomb);
        let panicking = queued_as(&semaphore, Panics(1));
        let (mut last, wakes) = queued(&semaphore, 1);
        let payload = catch_unwind(AssertUnwindSafe(|| {
            let _head = head;
            if unwinding {
                std::panic::panic_any(0_u32);
            }
        }))
        .unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&u32::from(!unwinding)));
        assert_eq!((wakes.get(), shape(&semaphore)), (1, (0, 0)));
        drop((panicking, granted(&mut last), held));
        assert_eq!(shape(&semaphore), (3, 0));
    }
}

/// A waker whose `clone` runs code of the test's, or whose drop does, which `Wake` does not offer
/// for the one that is dropped because it is not needed.
mod hooks {
    use std::cell::RefCell;
    use std::ptr::null;
    use std::task::{RawWaker, RawWakerVTable, Waker};

    type Hook = RefCell<Option<Box<dyn FnOnce()>>>;

    thread_local! {
        static ON_CLONE: Hook = const { RefCell::new(None) };
        static ON_DROP: Hook = const { RefCell::new(None) };
    }

    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, ignore, ignore, drop);

    fn run(hook: Option<Box<dyn FnOnce()>>) {
        if let Some(hook) = hook {
            hook();
        }
    }

    fn clone(_: *const ()) -> RawWaker {
        run(ON_CLONE.take());
        RawWaker::new(null(), &VTABLE)
    }

    fn drop(_: *const ()) {
        run(ON_DROP.take());
    }

    fn ignore(_: *const ()) {}

    #[allow(unsafe_code, reason = "no safe way to write a waker's `clone`")]
    fn waker() -> Waker {
        // SAFETY: the functions ignore the pointer, so any will do and there is nothing to own;
        // what they do is as good on one thread as on another.
        unsafe { Waker::from_raw(RawWaker::new(null(), &VTABLE)) }
    }

    /// A waker that runs `hook` when it is cloned for the first time.
    pub(crate) fn on_clone(hook: impl FnOnce() + 'static) -> Waker {
        ON_CLONE.set(Some(Box::new(hook)));
        waker()
    }

    /// A waker that runs `hook` when the first of its clones is dropped, or woken.
    pub(crate) fn on_drop(hook: impl FnOnce() + 'static) -> Waker {
        ON_DROP.set(Some(Box::new(hook)));
        waker()
    }
}

#[test]
fn a_waker_that_panics_when_cloned_leaves_nobody_in_the_line() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.acquire(1);
    let mut future = semaphore.acquire_async(1);
    let (wakes, waker) = counting();
    for waiters in [0, 1] {
        let bomb = hooks::on_clone(|| panic!("a waker's clone"));
        assert_eq!(panic_text(|| poll(&mut future, &bomb)), "a waker's clone");
        assert_eq!(semaphore.waiters(), waiters);
        assert!(poll(&mut future, &waker).is_pending());
    }
    drop(held);
    assert_eq!((wakes.get(), granted(&mut future).weight()), (1, 1));
}

#[test]
fn a_waker_that_is_not_needed_and_panics_when_dropped_takes_no_permits_with_it() {
    // Heavier than everything, so not granted by the open word.
    let semaphore = Semaphore::new(1);
    let mut future = semaphore.acquire_async(2);
    let bomb = hooks::on_drop(|| panic!("a waker's drop"));
    assert_eq!(panic_text(|| poll(&mut future, &bomb)), "a waker's drop");
    assert_eq!(shape(&semaphore), (1, 0));

    // Granted before it is polled again.
    let held = semaphore.acquire(1);
    let (mut future, _) = queued(&semaphore, 1);
    drop(held);
    let bomb = hooks::on_drop(|| panic!("a waker's drop"));
    assert_eq!(panic_text(|| poll(&mut future, &bomb)), "a waker's drop");
    assert_eq!(shape(&semaphore), (0, 0));
    drop(future);
    assert_eq!(shape(&semaphore), (1, 0));
}

#[test]
fn permits_may_come_while_the_waker_is_cloned() {
    static SEMAPHORE: Semaphore = Semaphore::new(1);
    let semaphore: &'static Semaphore = &SEMAPHORE;
    for polled_before in [false, true] {
        let held = semaphore.acquire(1);
        let mut future = semaphore.acquire_async(1);
        if polled_before {
            assert!(waits(&mut future));
        }
        let waker = hooks::on_clone(move || drop(held));
        assert!(poll(&mut future, &waker).is_ready());
        drop(future);
        assert_eq!(shape(semaphore), (1, 0));
    }
}

/// Uses the semaphore in every way that does not wait for the caller itself.
fn reenter(semaphore: &Semaphore) {
    let _shown = format!("{semaphore:?}");
    drop(semaphore.try_acquire(1));
    let _late = semaphore.acquire_timeout(1, Duration::ZERO).is_err();
    let mut future = semaphore.acquire_async(1);
    let _polled = poll(&mut future, Waker::noop()).is_pending();
    semaphore.set_capacity(semaphore.capacity());
}

#[test]
fn a_waker_may_use_the_semaphore_while_it_is_woken_dropped_and_cloned() {
    struct Reenter(Arc<Semaphore>, Arc<AtomicU64>);
    impl Wake for Reenter {
        fn wake(self: Arc<Self>) {
            reenter(&self.0);
            self.1.fetch_add(1, Relaxed);
        }
    }
    impl Drop for Reenter {
        fn drop(&mut self) {
            reenter(&self.0);
            self.1.fetch_add(100, Relaxed);
        }
    }
    let semaphore = Arc::new(Semaphore::new(1));
    let ran = Arc::new(AtomicU64::new(0));
    let entrant = || Reenter(Arc::clone(&semaphore), Arc::clone(&ran));
    let held = semaphore.acquire(1);

    drop(queued_as(&semaphore, entrant()));
    assert_eq!((ran.load(Relaxed), semaphore.waiters()), (100, 0));

    let mut replaced = queued_as(&semaphore, entrant());
    let theirs = Arc::clone(&semaphore);
    assert!(poll(&mut replaced, &hooks::on_clone(move || reenter(&theirs))).is_pending());
    assert_eq!((ran.load(Relaxed), semaphore.waiters()), (200, 1));

    let woken = queued_as(&semaphore, entrant());
    drop(held);
    drop(granted(&mut replaced));
    assert_eq!((ran.load(Relaxed), semaphore.waiters()), (301, 0));
    drop(woken);
    assert_eq!(shape(&semaphore), (1, 0));
}

#[test]
fn what_was_done_before_a_give_back_is_seen_after_the_acquire_that_it_made_possible() {
    let (rounds, threads) = if cfg!(miri) { (10, 2) } else { (5000, 4) };
    let semaphore = Semaphore::new(3);
    // Not atomic additions: each loses others' unless they are ordered.
    let count = AtomicU64::new(0);
    thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| {
                for round in 0..rounds {
                    let permit = match round % 3 {
                        0 => semaphore.acquire(3),
                        1 => block_on(semaphore.acquire_async(3)),
                        _ => semaphore.acquire(17),
                    };
                    count.store(count.load(Relaxed) + 1, Relaxed);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!((count.into_inner(), shape(&semaphore)), (rounds * threads, (3, 0)));
}

#[test]
fn threads_never_hold_more_than_there_is_and_lose_nothing() {
    let rounds = if cfg!(miri) { 20 } else { 3000 };
    const CAPACITY: u64 = 10;
    let semaphore = Semaphore::new(CAPACITY);
    let held = AtomicU64::new(0);
    let hold = |permit: Option<Permit<'_>>| {
        let Some(permit) = permit else { return };
        let weight = permit.weight().min(CAPACITY);
        assert!(held.fetch_add(weight, SeqCst) + weight <= CAPACITY);
        held.fetch_sub(weight, SeqCst);
    };
    thread::scope(|s| {
        for number in 0..4 {
            let (semaphore, hold) = (&semaphore, &hold);
            s.spawn(move || {
                for round in 0..rounds {
                    let weight = (round * 7 + number * 3) % 14; // from nothing to too much
                    match (round + number) % 5 {
                        0 => hold(Some(semaphore.acquire(weight))),
                        1 => hold(Some(block_on(semaphore.acquire_async(weight)))),
                        2 => hold(semaphore.try_acquire(weight)),
                        3 => hold(semaphore.acquire_timeout(weight, Duration::ZERO).ok()),
                        _ => {
                            let mut future = semaphore.acquire_async(weight);
                            let polled = poll(&mut future, Waker::noop());
                            drop(future);
                            drop(polled);
                        }
                    }
                }
            });
        }
    });
    assert_eq!((held.into_inner(), shape(&semaphore)), (0, (CAPACITY, 0)));
}

#[derive(Clone, Debug)]
enum Op {
    TryAcquire(u64),
    AcquireBriefly(u64),
    NewFuture(u64),
    /// Polls one of the futures with one of its two wakers.
    Poll(Index, usize),
    DropFuture(Index),
    DropPermit(Index),
    Split(Index, u64),
    SetCapacity(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let weight = || prop_oneof![12 => 0..6_u64, 2 => 6..20_u64, 1 => Just(u64::MAX)];
    prop_oneof![
        3 => weight().prop_map(Op::TryAcquire),
        2 => weight().prop_map(Op::AcquireBriefly),
        6 => weight().prop_map(Op::NewFuture),
        9 => (index(), 0..2_usize).prop_map(|(future, waker)| Op::Poll(future, waker)),
        3 => index().prop_map(Op::DropFuture),
        7 => index().prop_map(Op::DropPermit),
        2 => (index(), weight()).prop_map(|(permit, n)| Op::Split(permit, n)),
        1 => prop_oneof![8 => 1..12_u64, 1 => Just(u64::MAX)].prop_map(Op::SetCapacity),
    ]
}

/// Who was woken: the number of the future, and by which of its wakers.
type Woken = (usize, usize);

struct Recorder(Woken, Arc<Mutex<Vec<Woken>>>);

impl Wake for Recorder {
    fn wake(self: Arc<Self>) {
        self.1.lock().unwrap().push(self.0);
    }
}

/// What a semaphore is: weights that are held, and a queue.
struct Model {
    capacity: u64,
    /// Weights of permits, and of futures that were granted and have not heard of it.
    held: Vec<u64>,
    queue: Vec<(Woken, u64)>,
    woken: Vec<Woken>,
}

impl Model {
    fn sum(&self) -> u128 {
        self.held.iter().map(|&weight| u128::from(weight)).sum()
    }

    fn available(&self) -> u64 {
        u128::from(self.capacity).saturating_sub(self.sum()) as u64
    }

    fn fits(&self, weight: u64) -> bool {
        self.sum() == 0 || self.sum() + u128::from(weight) <= u128::from(self.capacity)
    }

    /// Whether a request is granted without waiting; if so it is held.
    fn takes(&mut self, weight: u64) -> bool {
        let takes = weight == 0 || self.queue.is_empty() && self.fits(weight);
        if takes {
            self.held.push(weight);
        }
        takes
    }

    fn give_back(&mut self, weight: u64) {
        let place = self.held.iter().position(|&held| held == weight).expect("held");
        self.held.swap_remove(place);
        self.serve();
    }

    fn serve(&mut self) {
        while let Some(&(me, weight)) = self.queue.first() {
            if !self.fits(weight) {
                break;
            }
            self.queue.remove(0);
            self.held.push(weight);
            self.woken.push(me);
        }
    }
}

struct Queued<'a> {
    number: usize,
    weight: u64,
    future: Acquire<'a>,
    wakers: [Waker; 2],
    polled: bool,
}

struct Machine<'a> {
    semaphore: &'a Semaphore,
    permits: Vec<Permit<'a>>,
    futures: Vec<Queued<'a>>,
    born: usize,
    woken: Arc<Mutex<Vec<Woken>>>,
    model: Model,
}

fn pick<T>(index: Index, of: &[T]) -> Option<usize> {
    (!of.is_empty()).then(|| index.index(of.len()))
}

impl<'a> Machine<'a> {
    fn new(semaphore: &'a Semaphore, capacity: u64) -> Self {
        let model = Model { capacity, held: vec![], queue: vec![], woken: vec![] };
        let (permits, futures) = (vec![], vec![]);
        Machine { semaphore, permits, futures, born: 0, woken: Arc::default(), model }
    }

    fn apply(&mut self, op: Op) {
        let semaphore = self.semaphore;
        match op {
            Op::TryAcquire(weight) => {
                let permit = semaphore.try_acquire(weight);
                assert_eq!(permit.is_some(), self.model.takes(weight));
                self.permits.extend(permit);
            }
            Op::AcquireBriefly(weight) => {
                let result = semaphore.acquire_deadline(weight, Instant::now());
                assert_eq!(result.is_ok(), self.model.takes(weight));
                match result {
                    Ok(permit) => self.permits.push(permit),
                    Err(late) => {
                        assert_eq!(
                            (late.wanted(), late.available()),
                            (weight, self.model.available())
                        );
                    }
                }
            }
            Op::NewFuture(weight) => {
                let number = self.born;
                self.born += 1;
                let wakers = [0, 1].map(|which| {
                    Waker::from(Arc::new(Recorder((number, which), Arc::clone(&self.woken))))
                });
                let future = semaphore.acquire_async(weight);
                self.futures.push(Queued { number, weight, future, wakers, polled: false });
            }
            Op::Poll(index, which) => {
                let Some(one) = pick(index, &self.futures) else { return };
                let Queued { number, weight, future, wakers, polled } = &mut self.futures[one];
                let me = (*number, which);
                let waiting = self.model.queue.iter_mut().find(|(other, _)| other.0 == me.0);
                let ready = match waiting {
                    Some(waiting) => {
                        waiting.0 = me;
                        false
                    }
                    None if *polled => true,
                    None => {
                        let takes = self.model.takes(*weight);
                        if !takes {
                            self.model.queue.push((me, *weight));
                        }
                        takes
                    }
                };
                *polled = true;
                match poll(future, &wakers[which]) {
                    Poll::Ready(permit) => {
                        assert!(ready && permit.weight() == *weight);
                        self.permits.push(permit);
                        self.futures.swap_remove(one);
                    }
                    Poll::Pending => assert!(!ready),
                }
            }
            Op::DropFuture(index) => {
                let Some(one) = pick(index, &self.futures) else { return };
                let gone = self.futures.swap_remove(one);
                let before = self.model.queue.len();
                self.model.queue.retain(|(waiting, _)| waiting.0 != gone.number);
                if self.model.queue.len() < before {
                    self.model.serve();
                } else if gone.polled {
                    self.model.give_back(gone.weight);
                }
            }
            Op::DropPermit(index) => {
                let Some(one) = pick(index, &self.permits) else { return };
                let permit = self.permits.swap_remove(one);
                self.model.give_back(permit.weight());
            }
            Op::Split(index, n) => {
                let Some(one) = pick(index, &self.permits) else { return };
                let whole = self.permits[one].weight();
                let part = self.permits[one].split(n);
                assert_eq!(part.is_some(), n <= whole);
                if let Some(part) = part {
                    let place = self.model.held.iter().position(|&held| held == whole);
                    self.model.held[place.expect("held")] = whole - n;
                    self.model.held.push(part.weight());
                    self.permits.push(part);
                }
            }
            Op::SetCapacity(capacity) => {
                semaphore.set_capacity(capacity);
                self.model.capacity = capacity;
                self.model.serve();
            }
        }
    }

    fn compare(&self) {
        let Model { capacity, ref queue, ref woken, .. } = self.model;
        // In the order of the line, and nobody twice.
        assert_eq!(*self.woken.lock().unwrap(), *woken);
        let expected = (self.model.available(), queue.len());
        assert_eq!((self.semaphore.capacity(), shape(self.semaphore)), (capacity, expected));
    }

    /// Everybody leaves.
    fn finish(self) {
        let Machine { semaphore, permits, futures, .. } = self;
        drop((permits, futures));
        assert_eq!(shape(semaphore), (semaphore.capacity(), 0));
        assert_eq!(
            semaphore.try_acquire(semaphore.capacity()).map(|all| all.weight()),
            Some(semaphore.capacity())
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_semaphore_is_a_sum_and_a_queue(
        capacity in 1..10_u64,
        ops in prop::collection::vec(op(), 0..80),
    ) {
        let semaphore = Semaphore::new(capacity);
        let mut machine = Machine::new(&semaphore, capacity);
        for op in ops {
            machine.apply(op);
            machine.compare();
        }
        machine.finish();
    }
}
