//! Many tasks, and many scopes: everything exactly once, and nothing left behind.
//!
//! `WG_STRESS_ROUNDS` says how many; the default is for `cargo test`. The tests run one after
//! another, because they look at the whole process.
#![forbid(unsafe_code)]

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wg_tests::until;

fn rounds() -> usize {
    let default = 20_000;
    std::env::var("WG_STRESS_ROUNDS").map_or(default, |rounds| rounds.parse().expect("a number"))
}

/// Keeps the other tests of this file away.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts its drops.
struct Drops<'a>(&'a AtomicUsize);

impl Drop for Drops<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// Spawned by the body and by tasks, at several limits: what was spawned ran, gave a result and was
/// dropped, each once.
#[test]
fn check_20_every_task_of_a_bounded_scope_runs_and_is_dropped_exactly_once() {
    let _alone = alone();
    for limit in [1, 2, 3, 64] {
        let tasks = rounds() / 4;
        let (ran, sum, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let spawned = wg::options().limit(limit).scope(|s| {
            for n in 0..tasks / 4 {
                // A quarter by the body, three quarters by tasks: one is joined, one abandoned,
                // one joined by who knows whom.
                let (ran, sum, dropped) = (&ran, &sum, &dropped);
                let work = move |n: usize| {
                    let held = Drops(dropped);
                    move || {
                        let _held = held;
                        ran.fetch_add(1, Relaxed);
                        n
                    }
                };
                let outer = work(n);
                s.spawn(move || {
                    let joined = s.spawn(work(1));
                    drop(s.spawn(work(2)));
                    let handed_on = s.spawn(work(3));
                    sum.fetch_add(joined.join() + outer(), Relaxed);
                    s.spawn(move || sum.fetch_add(handed_on.join(), Relaxed));
                });
            }
            s.counts().spawned
        });
        assert!(spawned >= tasks / 4);
        let made = tasks / 4 * 4;
        assert_eq!((ran.into_inner(), dropped.into_inner()), (made, made), "limit {limit}");
        let quarter = tasks / 4;
        assert_eq!(sum.into_inner(), quarter * 4 + quarter * (quarter.max(1) - 1) / 2);
    }
}

/// The same through results, workers and a fan-out: what goes in comes out once.
#[test]
fn check_20_every_result_comes_out_exactly_once() {
    let _alone = alone();
    let items = rounds() / 4;
    let total = items * items.saturating_sub(1) / 2;
    for limit in [1, 2, 64] {
        let mapped = wg::fan_out(0..items).limit(limit).map(|n| n);
        assert!(mapped.into_iter().eq(0..items), "limit {limit}");
        wg::scope(|s| {
            let streamed = s.fan_out(0..items).limit(limit).as_completed(|n| n);
            assert_eq!(streamed.map(|(_, n)| n).sum::<usize>(), total, "limit {limit}");
            let mut pool = s.workers(limit, |n: usize| n);
            let mut sum = 0;
            for n in 0..items {
                pool.send(n).unwrap();
                sum += pool.try_recv().unwrap_or(0);
            }
            assert_eq!(sum + pool.results().sum::<usize>(), total, "limit {limit}");
            let results = s.results();
            for n in 0..items {
                results.spawn(move || n);
            }
            assert!(results.in_order().eq(0..items), "limit {limit}");
        });
    }
}

#[cfg(target_os = "linux")]
mod process {
    use super::*;

    /// What the process holds in memory, in bytes.
    fn resident() -> usize {
        let text = std::fs::read_to_string("/proc/self/statm").unwrap();
        let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
        pages * 4096
    }

    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").unwrap().count()
    }

    #[test]
    fn check_21_scopes_leave_no_memory_and_no_thread_behind() {
        let _alone = alone();
        let round = || {
            let sum: usize = wg::scope(|s| {
                let tasks = s.spawn_all((0..4).map(|n| move || n));
                tasks.into_iter().map(|task| task.join()).sum()
            });
            assert_eq!(sum, 6);
        };
        (0..rounds() / 10).for_each(|_| round());
        let before = resident();
        (0..rounds()).for_each(|_| round());
        let after = resident();
        assert!(after <= before + (1 << 20), "grew from {before} to {after} bytes");
        // The test's own threads stay: this one, and the harness's.
        until(|| threads() <= 3);
    }
}
