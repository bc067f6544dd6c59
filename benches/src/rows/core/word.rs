//! C1, C2, C3, C6: rows that touch nothing but the word.

use std::hint::{self, black_box};
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::Instant;

use tokio_util::task::TaskTracker;
use wg_core::WaitGroup;

use crate::cores::{Cores, run_two};
use crate::go;
use crate::measure::{nanos, nanos_each};
use crate::row::Contender;

const BATCH: usize = 100;

/// How much two threads do at a time, so that their coming and going is little beside it.
const STINT: u64 = 10_000;

// No token is hidden from the compiler: it neither drops nor merges atomic operations.

/// What entering and leaving come to at best: the same addition and subtraction, bare.
#[inline]
fn bare_pair(word: &AtomicU64) {
    word.fetch_add(1 << 32, Relaxed);
    word.fetch_sub(1 << 32, Release);
}

pub(super) fn token() -> Vec<Contender> {
    let group = WaitGroup::new();
    let word = AtomicU64::new(0);
    let crossbeam = crossbeam_utils::sync::WaitGroup::new();
    let tracker = TaskTracker::new();
    vec![
        Contender::ours(move |times| nanos(times, || drop(group.token()))),
        Contender::new("bare pair", move |times| nanos(times, || bare_pair(&word))),
        Contender::new("tokio TaskTracker", move |times| nanos(times, || drop(tracker.token()))),
        Contender::new("crossbeam", move |times| nanos(times, || drop(crossbeam.clone()))),
        go::peer("Go", "token"),
    ]
}

pub(super) fn idle_wait() -> Vec<Contender> {
    let group = WaitGroup::new();
    let word = AtomicU64::new(0);
    // Inside the loops, `black_box(())` is a fence for the compiler: whatever it knows of a word
    // that has escaped, it has to read anew.
    vec![
        Contender::ours(move |times| {
            black_box(&group);
            nanos(times, || {
                group.wait();
                black_box(())
            })
        }),
        Contender::new("acquire load", move |times| {
            black_box(&word);
            nanos(times, || {
                if word.load(Acquire) != 0 {
                    busy();
                }
                black_box(())
            })
        }),
        go::peer("Go", "idle"),
    ]
}

/// What a wait does with what it has read, if it is not idle.
#[cold]
#[inline(never)]
fn busy() {
    unreachable!("nobody has touched the word");
}

pub(super) fn token_by_two() -> Vec<Contender> {
    let group = Arc::new(WaitGroup::new());
    let word = Arc::new(AtomicU64::new(0));
    let tracker = TaskTracker::new();
    let crossbeam = Arc::new(crossbeam_utils::sync::WaitGroup::new());
    vec![
        Contender::ours(move |times| by_two(times, || drop(group.token()))),
        Contender::new("bare pair", move |times| by_two(times, || bare_pair(&word))),
        Contender::new("tokio TaskTracker", move |times| by_two(times, || drop(tracker.token()))),
        Contender::new("crossbeam", move |times| {
            by_two(times, || drop(crossbeam.as_ref().clone()))
        }),
    ]
}

/// As [`nanos`], done by two threads at once, `times` stints each: the nanoseconds of one `work`,
/// for each of them.
fn by_two(times: u64, work: impl Fn() + Sync) -> f64 {
    let times = times * STINT;
    let ready = AtomicUsize::new(0);
    let run = || {
        // Not a barrier that sleeps: one would run alone while the other wakes up.
        ready.fetch_add(1, Relaxed);
        while ready.load(Relaxed) < 2 {
            hint::spin_loop();
        }
        let start = Instant::now();
        for _ in 0..times {
            work();
        }
        start.elapsed()
    };
    let (one, other) = run_two(Cores::Two, run, run);
    nanos_each((one + other) / 2, times)
}

pub(super) fn batch() -> Vec<Contender> {
    let group = Arc::new(WaitGroup::new());
    let single = Arc::clone(&group);
    vec![
        Contender::ours(move |times| {
            nanos(times, || {
                for token in group.tokens(black_box(BATCH)) {
                    drop(token);
                }
            }) / BATCH as f64
        }),
        Contender::new("100 singles", move |times| {
            nanos(times, || {
                for _ in 0..black_box(BATCH) {
                    drop(single.token());
                }
            }) / BATCH as f64
        }),
    ]
}
