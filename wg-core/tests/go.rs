//! Facts taken from Go's `sync/waitgroup_test.go` and from the WaitGroup part of its race
//! detector's tests (`runtime/race/testdata/waitgroup_test.go`), in code of our own.
//!
//! What both kinds of group promise is written once, for [`Group`], and held by both. What would be
//! plain variables in Go are relaxed atomics here: only the group orders them.
#![cfg(not(wg_loom))]
#![forbid(unsafe_code)]

mod support;

use std::panic::catch_unwind;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Barrier, mpsc};
use std::thread;

use support::{panic_text, until};
use wg_core::{Token, WaitGroup, raw};

/// What the two kinds of group have in common.
trait Group: Default + Sync {
    type Member<'a>: Send
    where
        Self: 'a;

    /// Counts one more, until it is dropped.
    fn member(&self) -> Self::Member<'_>;

    fn wait(&self);

    /// As `Debug` shows it.
    fn shown(&self) -> String;
}

impl Group for WaitGroup {
    type Member<'a> = Token<'a>;

    fn member(&self) -> Token<'_> {
        self.token()
    }

    fn wait(&self) {
        self.wait();
    }

    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

/// `done` on drop, as Go's `defer wg.Done()`.
struct Done<'a>(&'a raw::WaitGroup);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.done_or_panic();
    }
}

impl Group for raw::WaitGroup {
    type Member<'a> = Done<'a>;

    fn member(&self) -> Done<'_> {
        self.add_or_panic(1);
        Done(self)
    }

    fn wait(&self) {
        self.wait_or_panic();
    }

    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

fn blocked(group: &impl Group, waiters: usize) -> bool {
    group.shown().contains(&format!("waiters: {waiters}"))
}

/// TestWaitGroup.
fn nobody_passes_a_group_before_its_last_member_has_left<G: Group>() {
    const N: usize = 16;
    let (first, second) = (G::default(), G::default());
    for _round in 0..8 {
        let passed = AtomicUsize::new(0);
        thread::scope(|s| {
            let holders: Vec<_> = (0..N).map(|_| second.member()).collect();
            for _ in 0..N {
                let member = first.member();
                s.spawn(|| {
                    drop(member);
                    second.wait();
                    passed.fetch_add(1, Relaxed);
                });
            }
            first.wait();
            for holder in holders {
                assert_eq!(passed.load(Relaxed), 0);
                drop(holder);
            }
        });
        assert_eq!(passed.into_inner(), N);
    }
}

/// TestWaitGroupRace.
fn a_wait_shows_what_every_member_did<G: Group>() {
    for _ in 0..1000 {
        let group = G::default();
        let done = AtomicUsize::new(0);
        thread::scope(|s| {
            for _ in 0..2 {
                let member = group.member();
                s.spawn(|| {
                    done.fetch_add(1, Relaxed);
                    drop(member);
                });
            }
            group.wait();
            assert_eq!(done.load(Relaxed), 2);
        });
    }
}

/// TestWaitGroupAlign.
fn a_group_works_at_any_place_of_a_struct<G: Group>() {
    #[repr(C)]
    #[derive(Default)]
    struct Odd<G> {
        byte: u8,
        group: G,
    }
    let odd = Odd::<G>::default();
    thread::scope(|s| {
        let member = odd.group.member();
        s.spawn(move || drop(member));
        odd.group.wait();
    });
    assert_eq!(odd.byte, 0);
}

/// NoRaceWaitGroupMultipleWait, MultipleWait3.
fn every_waiter_sees_what_every_member_did<G: Group>() {
    for _ in 0..100 {
        let group = G::default();
        let slots = [const { AtomicUsize::new(0) }; 3];
        thread::scope(|s| {
            let members: Vec<_> = slots.iter().map(|slot| (slot, group.member())).collect();
            for _ in 0..2 {
                s.spawn(|| {
                    group.wait();
                    assert!(slots.iter().all(|slot| slot.load(Relaxed) == 1));
                });
            }
            for (slot, member) in members {
                s.spawn(move || {
                    slot.store(1, Relaxed);
                    drop(member);
                });
            }
            group.wait();
            assert!(slots.iter().all(|slot| slot.load(Relaxed) == 1));
        });
    }
}

/// NoRaceWaitGroupMultipleWait2.
fn a_member_may_leave_and_then_wait_for_the_others<G: Group>() {
    for _ in 0..100 {
        let group = G::default();
        let (left, right) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|s| {
            let group = &group;
            let members = [(&left, &right), (&right, &left)].map(|pair| (pair, group.member()));
            for ((own, other), member) in members {
                s.spawn(move || {
                    own.store(1, Relaxed);
                    drop(member);
                    group.wait();
                    assert_eq!(other.load(Relaxed), 1);
                });
            }
        });
    }
}

/// NoRaceWaitGroupTransitive.
fn a_wait_sees_members_that_left_long_before_the_last<G: Group>() {
    let group = G::default();
    let (early, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::scope(|s| {
        let (first, last) = (group.member(), group.member());
        let waiter = s.spawn(|| {
            group.wait();
            assert_eq!((early.load(Relaxed), late.load(Relaxed)), (1, 1));
        });
        until(|| blocked(&group, 1));
        s.spawn(|| {
            early.store(1, Relaxed);
            drop(first);
        });
        until(|| group.shown().contains("count: 1"));
        assert!(!waiter.is_finished());
        s.spawn(|| {
            late.store(1, Relaxed);
            drop(last);
        });
    });
}

/// NoRaceWaitGroupReuse, Reuse2.
fn a_group_may_be_used_again_when_every_wait_has_returned<G: Group>() {
    let group = G::default();
    let slot = AtomicUsize::new(0);
    for round in 0..200 {
        thread::scope(|s| {
            let member = group.member();
            s.spawn(|| {
                slot.store(round, Relaxed);
                drop(member);
            });
            group.wait();
            assert_eq!(slot.load(Relaxed), round);
        });
    }
}

/// NoRaceWaitGroupConcurrentAdd.
fn members_may_come_from_many_threads_before_the_wait<G: Group>() {
    for _ in 0..50 {
        let group = G::default();
        let slots = [const { AtomicUsize::new(0) }; 4];
        thread::scope(|s| {
            let (sender, counted) = mpsc::channel();
            for slot in &slots {
                let (group, sender) = (&group, sender.clone());
                s.spawn(move || {
                    let member = group.member();
                    sender.send(()).unwrap();
                    slot.store(1, Relaxed);
                    drop(member);
                });
            }
            assert_eq!(counted.iter().take(slots.len()).count(), slots.len());
            group.wait();
            assert!(slots.iter().all(|slot| slot.load(Relaxed) == 1));
        });
    }
}

/// TestWaitGroupManyBubbles, as far as it is about the group: many threads, many groups.
fn groups_do_not_disturb_each_other<G: Group>() {
    let start = Barrier::new(8);
    thread::scope(|s| {
        for _ in 0..8 {
            s.spawn(|| {
                start.wait();
                for _ in 0..25 {
                    let group = G::default();
                    let done = AtomicUsize::new(0);
                    thread::scope(|inner| {
                        let member = group.member();
                        inner.spawn(|| {
                            done.store(1, Relaxed);
                            drop(member);
                        });
                        group.wait();
                        assert_eq!(done.load(Relaxed), 1);
                    });
                }
            });
        }
    });
}

macro_rules! facts {
    ($kind:ident, $group:ty: $($fact:ident)*) => {
        mod $kind {
            $(#[test]
            fn $fact() {
                super::$fact::<$group>();
            })*
        }
    };
}

macro_rules! facts_of_both {
    ($($fact:ident)*) => {
        facts!(tokens, wg_core::WaitGroup: $($fact)*);
        facts!(add_and_done, wg_core::raw::WaitGroup: $($fact)*);
    };
}

facts_of_both! {
    nobody_passes_a_group_before_its_last_member_has_left
    a_wait_shows_what_every_member_did
    a_group_works_at_any_place_of_a_struct
    every_waiter_sees_what_every_member_did
    a_member_may_leave_and_then_wait_for_the_others
    a_wait_sees_members_that_left_long_before_the_last
    a_group_may_be_used_again_when_every_wait_has_returned
    members_may_come_from_many_threads_before_the_wait
    groups_do_not_disturb_each_other
}

mod misuse {
    use super::raw::{Misuse, WaitGroup};
    use super::*;

    const EMPTY: &str = "WaitGroup { count: 0, waiters: 0 }";
    const MOST: isize = (1 << 31) - 1;

    /// A delta of 64 bits, where `isize` has them.
    fn wide(delta: i64) -> isize {
        isize::try_from(delta).unwrap_or(if delta < 0 { isize::MIN } else { isize::MAX })
    }

    #[test]
    fn every_misuse_is_named_as_go_names_it() {
        let texts = [
            (Misuse::NegativeCounter, "negative WaitGroup counter"),
            (Misuse::AddDuringWait, "WaitGroup misuse: add called concurrently with wait"),
            (
                Misuse::ReusedBeforeWaitReturned,
                "WaitGroup is reused before previous wait has returned",
            ),
            (Misuse::Overflow, "WaitGroup counter overflow"),
        ];
        for (misuse, text) in texts {
            let error: &dyn std::error::Error = &misuse;
            assert_eq!(error.to_string(), text);
        }
    }

    /// TestWaitGroupMisuse.
    #[test]
    fn one_done_too_many_is_a_negative_counter() {
        let group = WaitGroup::new();
        group.add_or_panic(1);
        group.done_or_panic();
        assert_eq!(panic_text(|| group.done_or_panic()), "negative WaitGroup counter");
        assert_eq!(panic_text(|| group.add_or_panic(-1)), "negative WaitGroup counter");
        assert_eq!(group.done(), Err(Misuse::NegativeCounter));
        assert_eq!(format!("{group:?}"), EMPTY);
    }

    /// NoRaceWaitGroupPanicRecover, PanicRecover2.
    #[test]
    fn a_group_works_after_a_misuse_was_caught() {
        let group = WaitGroup::new();
        let slot = AtomicUsize::new(0);
        thread::scope(|s| {
            group.add_or_panic(1);
            s.spawn(|| {
                assert_eq!(panic_text(|| group.add_or_panic(-2)), "negative WaitGroup counter");
                slot.store(1, Relaxed);
                group.done_or_panic();
            });
            group.wait_or_panic();
            assert_eq!(slot.load(Relaxed), 1);
        });
        assert_eq!(format!("{group:?}"), EMPTY);
    }

    #[test]
    fn the_widest_deltas_are_refused_and_change_nothing() {
        let group = WaitGroup::new();
        for delta in [-1, -MOST, wide(-(1 << 32)), isize::MIN] {
            assert_eq!(group.add(delta), Err(Misuse::NegativeCounter));
        }
        assert_eq!(format!("{group:?}"), EMPTY);
        assert_eq!(group.add(MOST), Ok(()));
        for delta in [1, 2, MOST, wide(1 << 31), wide(1 << 32), wide((1 << 32) + 1), isize::MAX] {
            assert_eq!(group.add(delta), Err(Misuse::Overflow));
        }
        assert_eq!(panic_text(|| group.add_or_panic(1)), "WaitGroup counter overflow");
        assert_eq!(group.add(isize::MIN), Err(Misuse::NegativeCounter));
        assert_eq!(format!("{group:?}"), "WaitGroup { count: 2147483647, waiters: 0 }");
        assert_eq!(group.add(-MOST), Ok(()));
        assert_eq!(group.wait(), Ok(()));
        assert_eq!(format!("{group:?}"), EMPTY);
    }

    /// Go loses `Add(1<<32)` and calls `Add(1<<31)` negative.
    #[test]
    #[cfg(target_pointer_width = "64")]
    fn a_delta_that_go_would_lose_is_an_overflow() {
        let group = WaitGroup::new();
        for delta in [1 << 31, 1 << 32, (1 << 32) + 1, isize::MAX] {
            assert_eq!(group.add(delta), Err(Misuse::Overflow));
        }
        assert_eq!(format!("{group:?}"), EMPTY);
    }

    #[test]
    fn an_idle_group_is_waited_for_at_once_and_adding_zero_changes_nothing() {
        for group in [const { WaitGroup::new() }, WaitGroup::default()] {
            assert_eq!(group.add(0), Ok(()));
            assert_eq!(group.wait(), Ok(()));
            assert_eq!(format!("{group:?}"), EMPTY);
        }
    }

    #[test]
    fn adding_zero_releases_nobody_and_a_negative_delta_may_release_all() {
        let group = WaitGroup::new();
        let left = AtomicUsize::new(0);
        group.add_or_panic(5);
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    assert_eq!(group.wait(), Ok(()));
                    assert_eq!(left.load(Relaxed), 1);
                });
            }
            until(|| blocked(&group, 4));
            group.add_or_panic(0);
            group.add_or_panic(-4);
            assert_eq!(format!("{group:?}"), "WaitGroup { count: 1, waiters: 4 }");
            assert_eq!(group.add(-2), Err(Misuse::NegativeCounter));
            assert_eq!(format!("{group:?}"), "WaitGroup { count: 1, waiters: 4 }");
            left.store(1, Relaxed);
            group.add_or_panic(-1);
        });
        assert_eq!(format!("{group:?}"), EMPTY);
    }

    /// TestWaitGroupMisuse3, which Go dropped as nondeterministic: how many tries it takes is left
    /// to chance here too, that it shows is not.
    #[test]
    fn a_wait_that_returns_into_the_next_round_says_so() {
        fn as_an_error(group: &WaitGroup) -> Option<String> {
            group.wait().err().map(|misuse| misuse.to_string())
        }
        fn as_a_panic(group: &WaitGroup) -> Option<String> {
            let payload = catch_unwind(|| group.wait_or_panic()).err()?;
            Some(*payload.downcast().unwrap())
        }
        let group = WaitGroup::new();
        for wait in [as_an_error, as_a_panic] {
            let mut misuse = None;
            while misuse.is_none() {
                thread::scope(|s| {
                    group.add_or_panic(1);
                    let waiter = s.spawn(|| wait(&group));
                    until(|| blocked(&group, 1));
                    group.done_or_panic();
                    group.add_or_panic(1);
                    misuse = waiter.join().unwrap();
                    group.done_or_panic();
                });
                assert_eq!(format!("{group:?}"), EMPTY);
            }
            let text = "WaitGroup is reused before previous wait has returned";
            assert_eq!(misuse.unwrap(), text);
        }
    }

    /// TestWaitGroupMisuse2, likewise.
    #[test]
    fn an_add_that_races_the_last_done_is_counted_or_refused_and_strands_nobody() {
        for _ in 0..500 {
            let group = WaitGroup::new();
            let start = Barrier::new(2);
            group.add_or_panic(1);
            thread::scope(|s| {
                let waiter = s.spawn(|| group.wait());
                until(|| blocked(&group, 1));
                let adder = s.spawn(|| {
                    start.wait();
                    let added = group.add(1);
                    if added.is_ok() {
                        group.done_or_panic();
                    }
                    added
                });
                start.wait();
                group.done_or_panic();
                let added = adder.join().unwrap();
                assert!(matches!(added, Ok(()) | Err(Misuse::AddDuringWait)), "{added:?}");
                let waited = waiter.join().unwrap();
                assert!(matches!(waited, Ok(()) | Err(Misuse::ReusedBeforeWaitReturned)));
            });
            assert_eq!(format!("{group:?}"), EMPTY);
        }
    }
}
