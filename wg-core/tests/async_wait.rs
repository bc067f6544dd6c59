//! `wait_async` with wakers made by hand: counting, recording, panicking, re-entering.
#![cfg(not(wg_loom))]
#![deny(unsafe_code)]

mod support;

use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use support::{block_on, counting, panic_text, poll, until};
use wg_core::{OwnedToken, Wait, WaitGroup};

const PENDING: Poll<()> = Poll::Pending;
const READY: Poll<()> = Poll::Ready(());

#[test]
fn an_idle_group_is_ready_at_the_first_poll_open_or_closed() {
    let group = WaitGroup::new();
    for _ in 0..2 {
        let (wakes, waker) = counting();
        assert_eq!(poll(&mut group.wait_async(), &waker), READY);
        assert_eq!((wakes.get(), Arc::strong_count(&wakes)), (0, 2));
        group.close();
    }
}

#[test]
fn a_future_waits_only_from_its_first_poll() {
    let group = WaitGroup::new();
    let token = group.token();
    let mut wait = group.wait_async();
    assert_eq!(group.waiters(), 0);
    drop(token);
    let next_round = group.token();
    let (_, waker) = counting();
    assert_eq!(poll(&mut wait, &waker), PENDING);
    drop(next_round);
    assert_eq!(poll(&mut wait, &waker), READY);
}

#[test]
fn a_pending_future_is_woken_once_by_the_last_member() {
    let group = WaitGroup::new();
    let (first, last) = (group.token(), group.token());
    let (wakes, waker) = counting();
    let mut wait = group.wait_async();
    assert_eq!(poll(&mut wait, &waker), PENDING);
    assert_eq!(group.waiters(), 1);
    drop(first);
    assert_eq!((wakes.get(), group.waiters()), (0, 1));
    drop(last);
    assert_eq!((wakes.get(), group.waiters()), (1, 0));
    assert_eq!(poll(&mut wait, &waker), READY);
    drop(wait);
    assert_eq!(wakes.get(), 1);
}

#[test]
fn polling_again_and_again_lists_one_waiter_and_wakes_once() {
    let group = WaitGroup::new();
    let token = group.token();
    let (wakes, waker) = counting();
    let mut wait = group.wait_async();
    for _ in 0..10 {
        assert_eq!(poll(&mut wait, &waker), PENDING);
        assert_eq!(group.waiters(), 1);
    }
    assert_eq!(Arc::strong_count(&wakes), 3);
    drop(token);
    assert_eq!((wakes.get(), Arc::strong_count(&wakes)), (1, 2));
}

#[test]
fn only_the_waker_of_the_last_poll_is_woken_and_the_older_is_let_go() {
    let group = WaitGroup::new();
    let token = group.token();
    let ((older, waker_older), (newer, waker_newer)) = (counting(), counting());
    let mut wait = group.wait_async();
    assert_eq!(poll(&mut wait, &waker_older), PENDING);
    assert_eq!(poll(&mut wait, &waker_newer), PENDING);
    assert_eq!((Arc::strong_count(&older), Arc::strong_count(&newer)), (2, 3));
    drop(token);
    assert_eq!((older.get(), newer.get()), (0, 1));
}

#[test]
fn rule_25_a_dropped_future_gives_its_place_back_and_is_not_woken() {
    let group = WaitGroup::new();
    let token = group.token();
    let ((left, waker_left), (stayed, waker_stayed)) = (counting(), counting());
    let (mut leaves, mut stays) = (group.wait_async(), group.wait_async());
    assert_eq!(poll(&mut leaves, &waker_left), PENDING);
    assert_eq!(poll(&mut stays, &waker_stayed), PENDING);
    drop(leaves);
    assert_eq!((group.waiters(), Arc::strong_count(&left)), (1, 2));
    drop(token);
    assert_eq!((left.get(), stayed.get()), (0, 1));
    assert_eq!(poll(&mut stays, &waker_stayed), READY);
}

#[test]
fn rule_25_a_future_released_in_an_earlier_round_takes_no_place_of_the_next() {
    let group = WaitGroup::new();
    let token = group.token();
    let ((_, waker_old), (wakes, waker)) = (counting(), counting());
    let mut old = group.wait_async();
    assert_eq!(poll(&mut old, &waker_old), PENDING);
    drop(token);
    let token = group.token();
    let mut new = group.wait_async();
    assert_eq!(poll(&mut new, &waker), PENDING);
    drop(old);
    assert_eq!((group.waiters(), wakes.get()), (1, 0));
    assert_eq!(poll(&mut new, &waker), PENDING);
    drop(token);
    assert_eq!(wakes.get(), 1);
}

#[test]
fn a_future_never_polled_changes_nothing_when_dropped() {
    let group = WaitGroup::new();
    let _token = group.token();
    drop(group.wait_async());
    assert_eq!(group.waiters(), 0);
}

#[test]
fn a_future_that_was_ready_stays_ready_when_the_group_is_used_again() {
    let group = WaitGroup::new();
    let token = group.token();
    let (wakes, waker) = counting();
    let (mut listed, mut at_once) = (group.wait_async(), group.wait_async());
    assert_eq!(poll(&mut listed, &waker), PENDING);
    drop(token);
    assert_eq!(poll(&mut at_once, &waker), READY);
    let _next_round = group.token();
    for wait in [&mut listed, &mut at_once] {
        assert_eq!(poll(wait, &waker), READY);
        assert_eq!(poll(wait, &waker), READY);
    }
    assert_eq!((group.waiters(), wakes.get()), (0, 1));
}

#[test]
fn a_future_released_but_not_polled_is_ready_in_the_next_round_too() {
    let group = WaitGroup::new();
    let (_, waker) = counting();
    let mut wait = group.wait_async();
    let token = group.token();
    assert_eq!(poll(&mut wait, &waker), PENDING);
    drop(token);
    let _next_round = group.token();
    let mut other = group.wait_async();
    assert_eq!(poll(&mut other, &waker), PENDING);
    assert_eq!(poll(&mut wait, &waker), READY);
    assert_eq!(group.waiters(), 1);
}

#[test]
fn futures_and_threads_are_released_together_in_order_of_arrival() {
    struct Recorder(usize, Arc<Mutex<Vec<usize>>>);
    impl Wake for Recorder {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let group = WaitGroup::new();
    let token = group.token();
    let order = Arc::new(Mutex::new(Vec::new()));
    thread::scope(|s| {
        let mut waits = Vec::new();
        for number in 0..40 {
            if number % 4 == 0 {
                s.spawn(|| group.wait());
            } else {
                let waker = Waker::from(Arc::new(Recorder(number, Arc::clone(&order))));
                let mut wait = group.wait_async();
                assert_eq!(poll(&mut wait, &waker), PENDING);
                waits.push((wait, waker));
            }
            until(|| group.waiters() == number + 1);
        }
        // Polling again, with another waker as well, does not change one's place.
        let again = Waker::from(Arc::new(Recorder(1, Arc::clone(&order))));
        assert_eq!(poll(&mut waits[0].0, &again), PENDING);
        drop(token);
        assert_eq!(group.waiters(), 0);
        for (mut wait, waker) in waits {
            assert_eq!(poll(&mut wait, &waker), READY);
        }
    });
    let arrived: Vec<_> = (0..40).filter(|number| number % 4 != 0).collect();
    assert_eq!(*order.lock().unwrap(), arrived);
}

#[test]
fn groups_that_share_a_lock_do_not_share_waiters() {
    // More groups than there are locks.
    let groups: Vec<_> = (0..200).map(|_| WaitGroup::new()).collect();
    let (mut tokens, mut waits) = (Vec::new(), Vec::new());
    for group in &groups {
        let (wakes, waker) = counting();
        let mut wait = group.wait_async();
        tokens.push(group.token());
        assert_eq!(poll(&mut wait, &waker), PENDING);
        waits.push((wait, wakes));
    }
    for released in (0..200).rev() {
        drop(tokens.pop());
        for (number, (_, wakes)) in waits.iter().enumerate() {
            assert_eq!(wakes.get(), usize::from(number >= released));
        }
    }
}

#[test]
fn rule_23_an_awaited_group_shows_what_its_members_did() {
    let group = WaitGroup::new();
    for round in 1..=200 {
        let (first, second) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|s| {
            let mut tokens = group.tokens(2);
            for slot in [&first, &second] {
                let token = tokens.next();
                s.spawn(move || {
                    slot.store(round, Relaxed);
                    drop(token);
                });
            }
            block_on(group.wait_async());
            assert_eq!((first.load(Relaxed), second.load(Relaxed)), (round, round));
        });
    }
}

#[test]
fn a_listed_future_may_be_sent_to_another_thread_and_polled_there() {
    fn movable<T: Unpin + Send + 'static>(value: T) -> T {
        value
    }
    static GROUP: WaitGroup = WaitGroup::new();
    let token = GROUP.token();
    let (here, waker) = counting();
    let mut wait = movable(GROUP.wait_async());
    assert_eq!(poll(&mut wait, &waker), PENDING);
    let thread = thread::spawn(move || block_on(wait));
    // Its waker over there has replaced the one from here.
    until(|| Arc::strong_count(&here) == 2);
    drop(token);
    thread.join().unwrap();
    assert_eq!(here.get(), 0);
}

#[test]
fn rule_26_a_waker_may_fire_when_its_future_is_gone() {
    // Drops the other future while the list is being woken: its waker is woken afterwards.
    struct DropOther(Mutex<Option<Wait<'static>>>);
    impl Wake for DropOther {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    static GROUP: WaitGroup = WaitGroup::new();
    let token = GROUP.token();
    let other = Arc::new(DropOther(Mutex::new(None)));
    let mut first = GROUP.wait_async();
    assert_eq!(poll(&mut first, &Waker::from(Arc::clone(&other))), PENDING);
    let (wakes, waker) = counting();
    let mut second = GROUP.wait_async();
    assert_eq!(poll(&mut second, &waker), PENDING);
    *other.0.lock().unwrap() = Some(second);
    drop(token);
    assert!(other.0.lock().unwrap().is_none());
    assert_eq!((wakes.get(), GROUP.waiters()), (1, 0));
}

/// Panics with its number when woken.
struct Panics(u32);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic_any(self.0);
    }
}

fn listed(group: &WaitGroup, waker: impl Wake + Send + Sync + 'static) -> Wait<'_> {
    let mut wait = group.wait_async();
    assert_eq!(poll(&mut wait, &Waker::from(Arc::new(waker))), PENDING);
    wait
}

#[test]
fn a_panicking_waker_keeps_nobody_from_being_woken_and_surfaces_in_the_last_member() {
    let group = WaitGroup::new();
    thread::scope(|s| {
        let token = group.token();
        let (before, waker_before) = counting();
        let (after, waker_after) = counting();
        let (mut first, mut last) = (group.wait_async(), group.wait_async());
        assert_eq!(poll(&mut first, &waker_before), PENDING);
        let panicking = [listed(&group, Panics(1)), listed(&group, Panics(2))];
        assert_eq!(poll(&mut last, &waker_after), PENDING);
        let thread = s.spawn(|| group.wait());
        until(|| group.waiters() == 5);

        let payload = catch_unwind(AssertUnwindSafe(|| drop(token))).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&1_u32));
        assert_eq!((before.get(), after.get()), (1, 1));
        thread.join().unwrap();
        for mut wait in panicking {
            assert_eq!(poll(&mut wait, Waker::noop()), READY);
        }
    });
    assert_eq!((group.count(), group.waiters()), (0, 0));
    drop(group.token());
    group.wait();
}

#[test]
fn a_panicking_waker_does_not_abort_a_member_that_unwinds_already() {
    let group = WaitGroup::new();
    let (wakes, waker) = counting();
    let mut last = group.wait_async();
    let token = group.token();
    let _panicking = [listed(&group, Panics(1)), listed(&group, Panics(2))];
    assert_eq!(poll(&mut last, &waker), PENDING);
    let own = panic_text(move || {
        let _token = token;
        panic!("the member's own");
    });
    assert_eq!((own.as_str(), wakes.get()), ("the member's own", 1));
    assert_eq!((group.count(), group.waiters()), (0, 0));
}

#[test]
fn payloads_that_panic_when_dropped_abort_nothing_and_cost_nobody_a_waking() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a payload's drop");
        }
    }
    struct ThrowsBomb;
    impl Wake for ThrowsBomb {
        fn wake(self: Arc<Self>) {
            resume_unwind(Box::new(Bomb));
        }
    }
    let group = WaitGroup::new();
    let (wakes, waker) = counting();
    for unwinding in [false, true] {
        let token = group.token();
        let _throwing = [listed(&group, ThrowsBomb), listed(&group, ThrowsBomb)];
        let mut last = group.wait_async();
        assert_eq!(poll(&mut last, &waker), PENDING);
        let payload = catch_unwind(AssertUnwindSafe(move || {
            let _token = token;
            if unwinding {
                panic_any("the member's own");
            }
        }))
        .unwrap_err();
        assert_eq!(payload.is::<&str>(), unwinding);
        assert_eq!(payload.is::<Bomb>(), !unwinding);
        if payload.is::<Bomb>() {
            forget(payload); // it has no size, so this leaks nothing
        }
        assert_eq!(wakes.get(), 1 + usize::from(unwinding));
        assert_eq!((group.count(), group.waiters()), (0, 0));
    }
}

#[test]
fn a_waker_that_panics_when_dropped_leaves_no_waiter_behind() {
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
    let group = WaitGroup::new();
    let token = group.token();
    let (wakes, waker) = counting();
    let mut other = group.wait_async();
    assert_eq!(poll(&mut other, &waker), PENDING);

    // Dropped with its future.
    let bomb = listed(&group, Bomb);
    assert_eq!(panic_text(move || drop(bomb)), "a waker's drop");
    assert_eq!(group.waiters(), 1);

    // Replaced by another waker.
    let mut bomb = listed(&group, Bomb);
    let (replaced, waker_replaced) = counting();
    assert_eq!(panic_text(|| poll(&mut bomb, &waker_replaced)), "a waker's drop");
    assert_eq!(group.waiters(), 2);

    drop(token);
    assert_eq!((wakes.get(), replaced.get(), group.waiters()), (1, 1, 0));
    assert_eq!(poll(&mut bomb, &waker_replaced), READY);
}

/// Uses the group in every way that does not wait for the caller itself.
fn reenter(group: &Arc<WaitGroup>) {
    let members = group.count();
    let token = group.try_token();
    let clone = token.as_ref().ok().cloned();
    assert!(group.count() >= members);
    let (_, waker) = counting();
    let mut wait = group.wait_async();
    let _ready = poll(&mut wait, &waker);
    let _ready = poll(&mut wait, Waker::noop());
    let _late = group.wait_timeout(Duration::ZERO);
    drop((token, clone, wait));
    if members == 0 {
        group.wait();
    }
    let _shown = format!("{group:?} {} {}", group.waiters(), group.is_closed());
}

#[test]
fn a_waker_may_use_the_group_while_it_is_woken() {
    struct Reenter(Arc<WaitGroup>, Arc<AtomicBool>);
    impl Wake for Reenter {
        fn wake(self: Arc<Self>) {
            reenter(&self.0);
            self.1.store(true, Relaxed);
        }
    }
    let group = Arc::new(WaitGroup::new());
    let token = group.token();
    let (wakes, waker) = counting();
    let ran = Arc::new(AtomicBool::new(false));
    let first = listed(&group, Reenter(Arc::clone(&group), Arc::clone(&ran)));
    let mut second = group.wait_async();
    assert_eq!(poll(&mut second, &waker), PENDING);
    drop(token);
    assert!(ran.load(Relaxed));
    assert_eq!((wakes.get(), group.count(), group.waiters()), (1, 0, 0));
    drop((first, second));
}

#[test]
fn a_waker_may_use_the_group_while_it_is_dropped() {
    struct Reenter(Arc<WaitGroup>, Arc<AtomicUsize>);
    impl Wake for Reenter {
        fn wake(self: Arc<Self>) {}
    }
    impl Drop for Reenter {
        fn drop(&mut self) {
            reenter(&self.0);
            self.1.fetch_add(1, Relaxed);
        }
    }
    let group = Arc::new(WaitGroup::new());
    let token = group.token();
    let drops = Arc::new(AtomicUsize::new(0));
    let entrant = || Reenter(Arc::clone(&group), Arc::clone(&drops));

    drop(listed(&group, entrant()));
    assert_eq!((drops.load(Relaxed), group.waiters()), (1, 0));

    let mut replaced = listed(&group, entrant());
    assert_eq!(poll(&mut replaced, Waker::noop()), PENDING);
    assert_eq!((drops.load(Relaxed), group.waiters()), (2, 1));

    let woken = listed(&group, entrant());
    drop(token);
    assert_eq!((drops.load(Relaxed), group.count(), group.waiters()), (3, 0, 0));
    drop(woken);
}

/// Holds a member, which leaves when this is woken or dropped.
struct HoldsLast(Mutex<Option<OwnedToken>>);

impl Wake for HoldsLast {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn waking_one_group_may_empty_another_and_so_on() {
    let groups: Vec<_> = (0..100).map(|_| Arc::new(WaitGroup::new())).collect();
    let tokens: Vec<_> = groups.iter().map(WaitGroup::owned_token).collect();
    let mut tokens = tokens.into_iter();
    let first = tokens.next();
    let waits: Vec<_> = groups
        .iter()
        .zip(tokens)
        .map(|(group, next)| listed(group, HoldsLast(Mutex::new(Some(next)))))
        .collect();
    drop(first);
    assert!(groups.iter().all(|group| (group.count(), group.waiters()) == (0, 0)));
    for mut wait in waits {
        assert_eq!(poll(&mut wait, Waker::noop()), READY);
    }
}

#[test]
fn the_last_member_may_leave_while_the_waker_of_the_first_poll_is_replaced() {
    // The older waker holds the last token: dropping it within a poll empties the group.
    let group = Arc::new(WaitGroup::new());
    let mut wait = group.wait_async();
    let older = Waker::from(Arc::new(HoldsLast(Mutex::new(Some(group.owned_token())))));
    assert_eq!(poll(&mut wait, &older), PENDING);
    drop(older);
    let (wakes, waker) = counting();
    let polled = poll(&mut wait, &waker);
    assert_eq!((group.count(), group.waiters()), (0, 0));
    assert!(polled == READY || wakes.get() == 1);
    assert_eq!(poll(&mut wait, &waker), READY);
}

#[test]
fn a_forgotten_future_is_counted_until_the_group_is_empty() {
    let group = WaitGroup::new();
    let token = group.token();
    let (wakes, waker) = counting();
    let mut wait = group.wait_async();
    assert_eq!(poll(&mut wait, &waker), PENDING);
    forget(wait);
    assert_eq!(group.waiters(), 1);
    drop(token);
    assert_eq!((wakes.get(), group.waiters()), (1, 0));
    drop(group.token());
    group.wait();
    assert_eq!((wakes.get(), Arc::strong_count(&wakes)), (1, 2));
}

#[test]
fn a_group_that_ends_lets_go_of_the_waker_of_a_forgotten_future() {
    let (wakes, waker) = counting();
    {
        let group = WaitGroup::new();
        forget(group.token());
        let mut wait = group.wait_async();
        assert_eq!(poll(&mut wait, &waker), PENDING);
        forget(wait);
        assert_eq!(Arc::strong_count(&wakes), 3);
    }
    assert_eq!((wakes.get(), Arc::strong_count(&wakes)), (0, 2));
}

#[test]
fn a_group_may_move_away_from_a_forgotten_future_and_another_take_its_place() {
    let mut place = WaitGroup::new();
    forget(place.token()); // or the future would have been released
    let (forgotten, waker_forgotten) = counting();
    let mut wait = place.wait_async();
    assert_eq!(poll(&mut wait, &waker_forgotten), PENDING);
    forget(wait);
    let moved = std::mem::take(&mut place);

    for (group, others) in [(&moved, 1), (&place, 0)] {
        let token = group.token();
        let (wakes, waker) = counting();
        let (mut leaves, mut stays) = (group.wait_async(), group.wait_async());
        assert_eq!(poll(&mut leaves, &waker), PENDING);
        assert_eq!(poll(&mut stays, &waker), PENDING);
        assert_eq!(group.waiters(), others + 2);
        drop(leaves);
        assert!(group.wait_timeout(Duration::ZERO).is_err());
        assert_eq!((group.waiters(), wakes.get()), (others + 1, 0));
        drop(token);
        assert_eq!((group.count(), wakes.get()), (others, 1 - others));
    }
    place.wait();
    assert_eq!((place.waiters(), forgotten.get()), (0, 1));
    drop((moved, place));
    assert_eq!(Arc::strong_count(&forgotten), 2);
}

/// A waker whose `clone` runs code of the test's, which `Wake` does not offer.
mod clone_hook {
    use std::cell::RefCell;
    use std::ptr::null;
    use std::task::{RawWaker, RawWakerVTable, Waker};

    thread_local! {
        static HOOK: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    }

    static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, ignore, ignore, ignore);

    fn clone(_: *const ()) -> RawWaker {
        if let Some(hook) = HOOK.take() {
            hook();
        }
        RawWaker::new(null(), &VTABLE)
    }

    fn ignore(_: *const ()) {}

    /// A waker that runs `hook` when it is cloned for the first time.
    #[allow(unsafe_code, reason = "no safe way to write a waker's `clone`")]
    pub(crate) fn waker(hook: impl FnOnce() + 'static) -> Waker {
        HOOK.set(Some(Box::new(hook)));
        // SAFETY: the functions ignore the pointer, so any will do and there is nothing to own;
        // what they do is as good on one thread as on another.
        unsafe { Waker::from_raw(RawWaker::new(null(), &VTABLE)) }
    }
}

#[test]
fn a_waker_may_use_the_group_while_it_is_cloned() {
    let group = Arc::new(WaitGroup::new());
    let token = group.token();
    let mut wait = group.wait_async();
    for _ in 0..2 {
        let theirs = Arc::clone(&group);
        let waker = clone_hook::waker(move || reenter(&theirs));
        assert_eq!(poll(&mut wait, &waker), PENDING);
        assert_eq!((group.count(), group.waiters()), (1, 1));
    }
    drop(token);
    assert_eq!(poll(&mut wait, Waker::noop()), READY);
}

#[test]
fn the_last_member_may_leave_while_the_waker_is_cloned() {
    let group = Arc::new(WaitGroup::new());
    for polled_before in [false, true] {
        let token = group.owned_token();
        let mut wait = group.wait_async();
        if polled_before {
            assert_eq!(poll(&mut wait, &counting().1), PENDING);
        }
        let waker = clone_hook::waker(move || drop(token));
        assert_eq!(poll(&mut wait, &waker), READY);
        assert_eq!((group.count(), group.waiters()), (0, 0));
    }
}

#[test]
fn a_waker_that_panics_when_cloned_leaves_no_waiter_behind() {
    let group = WaitGroup::new();
    let token = group.token();
    let mut wait = group.wait_async();
    let (wakes, waker) = counting();
    for waiters in [0, 1] {
        let bomb = clone_hook::waker(|| panic!("a waker's clone"));
        assert_eq!(panic_text(|| poll(&mut wait, &bomb)), "a waker's clone");
        assert_eq!(group.waiters(), waiters);
        assert_eq!(poll(&mut wait, &waker), PENDING);
    }
    drop(token);
    assert_eq!(wakes.get(), 1);
}
