//! Racing rounds, with data that shows a wait that ended too early; one that never ends is for the
//! harness to notice.
//!
//! `WG_STRESS_ROUNDS` says how many rounds; the default is for `cargo test`. The tests run one after
//! another, because each needs the cores for itself.
#![cfg(not(wg_loom))]
#![forbid(unsafe_code)]

mod support;

use std::hint::spin_loop;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use support::{block_on, counting, poll, until};
use wg_core::WaitGroup;

fn rounds() -> u64 {
    let default = 20_000;
    std::env::var("WG_STRESS_ROUNDS").map_or(default, |rounds| rounds.parse().expect("a number"))
}

/// Keeps the other tests of this file away.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Xorshift: dice that cost next to nothing.
struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    /// Lets a little time pass, mostly very little, so that the race comes out differently.
    fn linger(&mut self) {
        let most = if self.below(16) == 0 { 1000 } else { 30 };
        for _ in 0..self.below(most) {
            spin_loop();
        }
    }
}

/// As `until`, for partners that are about to arrive.
fn soon(mut condition: impl FnMut() -> bool) {
    for _ in 0..50 {
        if condition() {
            return;
        }
        spin_loop();
    }
    until(condition);
}

/// Waits in one of the three ways.
fn wait_somehow(group: &WaitGroup, round: u64) {
    match round % 3 {
        0 => group.wait(),
        1 => while group.wait_timeout(Duration::from_nanos(round % 2048)).is_err() {},
        _ => block_on(group.wait_async()),
    }
}

#[test]
fn check_16_no_wait_ends_early_and_none_is_lost() {
    let _alone = alone();
    let rounds = rounds();
    let group = WaitGroup::new();
    let published = AtomicU64::new(0);
    let (begun, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    let (mut early, mut ghosts) = (0, 0);
    thread::scope(|s| {
        s.spawn(|| {
            let mut dice = Dice(1);
            for round in 1..=rounds {
                let token = group.token();
                begun.store(round, Release);
                dice.linger();
                published.store(round, Relaxed); // only the group orders it
                drop(token);
                soon(|| ended.load(Acquire) == round);
            }
        });
        let mut dice = Dice(2);
        for round in 1..=rounds {
            soon(|| begun.load(Acquire) == round);
            dice.linger();
            wait_somehow(&group, round);
            early += u64::from(published.load(Relaxed) != round);
            ghosts += group.waiters();
            ended.store(round, Release);
        }
    });
    assert_eq!((early, ghosts), (0, 0), "early waits and ghosts in {rounds} rounds");
    println!("{rounds} rounds of publish and drop against wait");
}

#[test]
fn check_40_a_deadline_that_races_the_last_member_has_one_outcome() {
    let _alone = alone();
    let rounds = rounds();
    let group = WaitGroup::new();
    let published = AtomicU64::new(0);
    let (begun, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    let (mut early, mut impatient, mut ghosts, mut timed_out) = (0, 0, 0, 0);
    thread::scope(|s| {
        s.spawn(|| {
            let mut dice = Dice(3);
            for round in 1..=rounds {
                let token = group.token();
                begun.store(round, Release);
                dice.linger();
                published.store(round, Relaxed);
                drop(token);
                soon(|| ended.load(Acquire) == round);
            }
        });
        let mut dice = Dice(4);
        for round in 1..=rounds {
            soon(|| begun.load(Acquire) == round);
            let deadline = Instant::now() + Duration::from_nanos(dice.below(2000));
            match group.wait_deadline(deadline) {
                Ok(()) => early += u64::from(published.load(Relaxed) != round),
                Err(_) => {
                    timed_out += 1;
                    impatient += u64::from(Instant::now() < deadline);
                }
            }
            ghosts += group.waiters();
            group.wait();
            early += u64::from(published.load(Relaxed) != round);
            ended.store(round, Release);
        }
    });
    assert_eq!((early, impatient, ghosts), (0, 0, 0), "in {rounds} rounds");
    println!("{rounds} rounds of a deadline against the last member, {timed_out} timed out");
}

#[test]
fn check_18_a_storm_of_futures_polled_and_dropped_leaves_no_waiter_and_no_waker() {
    const POLLERS: usize = 2;
    const BATCH: u64 = 1000;
    let _alone = alone();
    let rounds = rounds();
    let group = WaitGroup::new();
    let (first, waker_first) = counting();
    let (second, waker_second) = counting();
    let seed = AtomicU64::new(1);
    let mut polled = 0;
    while polled < rounds {
        let stop = AtomicBool::new(false);
        let polls = AtomicU64::new(0);
        let anchor = thread::scope(|s| {
            for _ in 0..POLLERS {
                s.spawn(|| {
                    let wakers: [&Waker; 2] = [&waker_first, &waker_second];
                    let mut dice = Dice(seed.fetch_add(1, Relaxed));
                    let mut kept = Vec::new();
                    while !stop.load(Relaxed) {
                        let mut wait = group.wait_async();
                        let _ready = poll(&mut wait, wakers[dice.below(2) as usize]);
                        polls.fetch_add(1, Relaxed);
                        match dice.below(4) {
                            0 => kept.push(wait),
                            1 if !kept.is_empty() => {
                                let one = dice.below(kept.len() as u64) as usize;
                                let _ready = poll(&mut kept[one], wakers[0]);
                                drop(kept.swap_remove(one));
                            }
                            2 => drop(group.wait_timeout(Duration::ZERO)),
                            _ => drop(wait),
                        }
                        kept.truncate(16);
                    }
                });
                s.spawn(|| {
                    let mut dice = Dice(seed.fetch_add(1, Relaxed));
                    while !stop.load(Relaxed) {
                        let token = group.token();
                        dice.linger();
                        drop(token);
                    }
                });
            }
            soon(|| polls.load(Relaxed) >= BATCH);
            // From now on the group is never empty, so nothing tidies up after a future that left
            // something behind.
            let anchor = group.token();
            stop.store(true, Relaxed);
            anchor
        });
        assert_eq!((group.count(), group.waiters()), (1, 0));
        let live = (Arc::strong_count(&first), Arc::strong_count(&second));
        assert_eq!(live, (2, 2), "wakers beyond ours");
        drop(anchor);
        polled += polls.into_inner();
    }
    println!("{polled} futures polled, dropped and woken at random");
}

#[test]
fn a_wait_ends_only_when_each_member_has_left_at_least_once() {
    const MEMBERS: u64 = 2;
    let _alone = alone();
    let rounds = rounds();
    let group = WaitGroup::new();
    // Odd while its member is certainly in the group.
    let stays: [AtomicU64; MEMBERS as usize] = [const { AtomicU64::new(0) }; MEMBERS as usize];
    let stop = AtomicBool::new(false);
    let early = AtomicUsize::new(0);
    thread::scope(|s| {
        for (seed, stay) in (1..).zip(&stays) {
            let (group, stop) = (&group, &stop);
            s.spawn(move || {
                let mut dice = Dice(seed);
                let mut number = 0;
                while !stop.load(Relaxed) {
                    let token = group.token();
                    stay.store(number + 1, Release);
                    dice.linger();
                    stay.store(number + 2, Relaxed); // only the group orders it
                    drop(token);
                    number += 2;
                }
            });
        }
        let waiters: Vec<_> = (0..2)
            .map(|seed| {
                let (group, stays, early) = (&group, &stays, &early);
                s.spawn(move || {
                    for round in 0..rounds / 2 {
                        let before = stays.each_ref().map(|stay| stay.load(Acquire));
                        wait_somehow(group, round + seed);
                        let after = stays.each_ref().map(|stay| stay.load(Relaxed));
                        let stayed = (before.iter().zip(&after))
                            .any(|(before, after)| before % 2 == 1 && before == after);
                        early.fetch_add(usize::from(stayed), Relaxed);
                    }
                })
            })
            .collect();
        soon(|| waiters.iter().all(|waiter| waiter.is_finished()));
        stop.store(true, Relaxed);
    });
    assert_eq!((early.into_inner(), group.count(), group.waiters()), (0, 0, 0));
    println!("{rounds} waits for members that come and go");
}

#[test]
fn a_group_handed_from_member_to_member_releases_nobody() {
    let _alone = alone();
    let rounds = rounds();
    let group = WaitGroup::new();
    let (wakes, waker) = counting();
    let stop = AtomicBool::new(false);
    let released = AtomicUsize::new(0);
    let mut token = group.token();
    let mut listed = group.wait_async();
    assert!(poll(&mut listed, &waker).is_pending());
    thread::scope(|s| {
        s.spawn(|| {
            while !stop.load(Relaxed) {
                let timed = group.wait_timeout(Duration::from_nanos(100)).is_ok();
                let awaited = poll(&mut group.wait_async(), &waker).is_ready();
                released.fetch_add(usize::from(timed) + usize::from(awaited), Relaxed);
            }
        });
        s.spawn(|| {
            while !stop.load(Relaxed) {
                drop(group.token());
            }
        });
        for round in 0..rounds {
            let next = if round % 2 == 0 { token.clone() } else { group.token() };
            token = next; // the former member leaves when its successor is in
        }
        stop.store(true, Relaxed);
    });
    assert_eq!((released.into_inner(), wakes.get(), group.waiters()), (0, 0, 1));
    drop(token);
    assert_eq!((wakes.get(), group.waiters()), (1, 0));
    println!("{rounds} members in a chain");
}

#[test]
fn a_wait_that_gives_up_while_the_group_is_revived_leaves_no_ghost() {
    let _alone = alone();
    let rounds = rounds();
    let group = WaitGroup::new();
    let (begun, ended) = (AtomicU64::new(0), AtomicU64::new(0));
    let (left, revived) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut ghosts = 0;
    thread::scope(|s| {
        s.spawn(|| {
            let mut dice = Dice(5);
            for round in 1..=rounds {
                let token = group.token();
                begun.store(round, Release);
                dice.linger();
                drop(token);
                left.store(round, Release);
                soon(|| ended.load(Acquire) == round);
            }
        });
        s.spawn(|| {
            let mut dice = Dice(6);
            for round in 1..=rounds {
                soon(|| begun.load(Acquire) == round);
                dice.linger();
                let token = group.token();
                revived.store(round, Release);
                soon(|| ended.load(Acquire) == round);
                drop(token);
            }
        });
        let mut dice = Dice(7);
        for round in 1..=rounds {
            soon(|| begun.load(Acquire) == round);
            for _ in 0..1 + dice.below(8) {
                let _late = group.wait_timeout(Duration::ZERO);
            }
            soon(|| left.load(Acquire) == round && revived.load(Acquire) == round);
            ghosts += group.waiters();
            ended.store(round, Release);
        }
    });
    assert_eq!(ghosts, 0, "in {rounds} rounds");
    println!("{rounds} rounds of leaving, giving up and reviving at once");
}
