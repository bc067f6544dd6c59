//! Joins deep in a stack, which go on on another one: in the same slots, scopes and order as in place.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use wg::{Scope, Task};
use wg_tests::{Dice, Gauge, deep_in_the_stack, until};

/// What random trees are made of.
struct Forest {
    gauge: Gauge,
    grown: AtomicUsize,
    /// One task in so many stands deep in its stack when it joins others; 0: none.
    deep: u64,
}

/// A task of a random tree: it spawns tasks, joins some of them here and some in an inner scope, and
/// drops the handles of others.
fn grow<'s>(s: &'s Scope<'s, '_>, forest: &'s Forest, seed: u64, depth: u64) {
    let mut dice = Dice(seed | 1);
    dice.throw(2);
    forest.grown.fetch_add(1, SeqCst);
    forest.gauge.work();
    if forest.deep > 0 && dice.throw(forest.deep) == 0 {
        deep_in_the_stack(|| grow_on(s, forest, dice, depth));
    } else {
        grow_on(s, forest, dice, depth);
    }
    forest.gauge.work();
}

fn grow_on<'s>(s: &'s Scope<'s, '_>, forest: &'s Forest, mut dice: Dice, depth: u64) {
    let mut tasks = Vec::new();
    for _ in 0..if depth == 0 { 0 } else { dice.throw(4) } {
        let seed = dice.throw(u64::MAX);
        let task = s.spawn(move || grow(s, forest, seed, depth - 1));
        match dice.throw(4) {
            0 => task.join(),
            1 => drop(task),
            _ => tasks.push(task),
        }
        forest.gauge.work();
    }
    match dice.throw(3) {
        0 => tasks.into_iter().for_each(Task::join),
        1 => tasks.into_iter().rev().for_each(Task::join),
        _ => {
            let limit = 1 + dice.throw(2) as usize;
            wg::options().limit(limit).scope(|inner| {
                for task in tasks {
                    inner.spawn(move || task.join());
                }
            });
        }
    }
}

fn random_trees_end_at_every_limit(trees: u64, deep: u64) {
    for seed in 1..=trees {
        for limit in 1..=4 {
            let (gauge, grown) = (Gauge::default(), AtomicUsize::new(0));
            let forest = Forest { gauge, grown, deep };
            let spawned = wg::options().limit(limit).scope(|s| {
                let mut dice = Dice(seed << 20 | seed);
                for _ in 0..3 {
                    let seed = dice.throw(u64::MAX);
                    let task = s.spawn(|| ());
                    let root = s.spawn({
                        let forest = &forest;
                        move || {
                            task.join();
                            grow(s, forest, seed, 3);
                        }
                    });
                    if dice.throw(2) == 0 {
                        root.join();
                    }
                }
                s.wait_timeout(Duration::MAX).unwrap();
                s.counts().spawned
            });
            forest.gauge.was_never_above(limit);
            assert_eq!(forest.grown.into_inner() + 3, spawned);
        }
    }
}

#[test]
fn rule_11_random_trees_of_tasks_end_at_every_limit() {
    random_trees_end_at_every_limit(if cfg!(debug_assertions) { 1_000 } else { 4_000 }, 0);
}

#[test]
fn rule_11_random_trees_of_tasks_deep_in_their_stacks_end_at_every_limit() {
    let trees = if cfg!(debug_assertions) { 50 } else { 400 };
    for deep in [1, 4] {
        random_trees_end_at_every_limit(trees, deep);
    }
}

#[test]
fn rule_11_tasks_deep_in_their_stacks_await_futures_at_a_limit_of_one() {
    fn link<'s>(s: &'s Scope<'s, '_>, left: u32) -> u32 {
        if left == 0 {
            return 0;
        }
        let next = s.spawn_future(async move { link(s, left - 1) });
        let after = s.spawn_future(async move { next.await.unwrap() + 1 });
        deep_in_the_stack(|| after.join())
    }
    for limit in [1, 2] {
        let sum = wg::options().limit(limit).scope(|s| s.spawn(move || link(s, 40)).join());
        assert_eq!(sum, 40);
    }
}

#[test]
fn rule_05_a_task_that_is_joined_deep_in_a_stack_may_panic() {
    let panic = wg_tests::payload(|| {
        wg::scope(|s| {
            s.spawn(|| {
                let panics = s.spawn(|| wg_tests::bang(7));
                deep_in_the_stack(|| panics.try_join().unwrap_err());
            });
        });
    });
    assert_eq!(panic.downcast_ref::<wg_tests::Bang>().unwrap().0, 7);
}

#[test]
fn rule_18_a_scope_that_is_opened_deep_in_a_stack_hears_of_the_outer_cancel() {
    wg::scope(|s| {
        let outer = s.spawn(|| {
            let inner = s.spawn(|| {
                // On another stack, and inside of the same scope.
                wg::scope(|inner| {
                    s.cancel("enough");
                    until(|| inner.is_cancelled());
                });
            });
            deep_in_the_stack(|| inner.try_join())
        });
        until(|| s.is_cancelled());
        drop(outer);
    });
}

#[test]
fn rule_15_a_scope_that_is_left_deep_in_a_stack_runs_its_tasks_all_the_same() {
    let ran = AtomicUsize::new(0);
    wg::scope(|s| {
        s.spawn(|| {
            deep_in_the_stack(|| {
                wg::scope(|inner| {
                    for _ in 0..100 {
                        inner.spawn(|| ran.fetch_add(1, SeqCst));
                    }
                });
            });
            ran.fetch_add(1, SeqCst);
        });
    });
    assert_eq!(ran.into_inner(), 101);
}

#[test]
fn rule_15_a_task_is_not_run_in_place_on_a_smaller_stack_than_it_wants() {
    const LARGE: usize = 512 << 10;
    for limit in [1, usize::MAX] {
        wg::options().limit(limit).scope(|s| {
            let usual = s.spawn(|| {
                std::hint::black_box([1_u8; LARGE]).iter().map(|&n| u32::from(n)).sum::<u32>()
            });
            let sum = wg::options().stack_size(256 << 10).scope(|small| {
                let joiner = small.spawn(|| usual.join());
                joiner.join()
            });
            assert_eq!(sum, LARGE as u32);
        });
    }
}

#[test]
fn rule_11_tasks_with_large_stacks_join_each_other_in_place() {
    fn link<'s>(s: &'s Scope<'s, '_>, left: u32) -> u32 {
        if left == 0 {
            return 0;
        }
        s.spawn(move || link(s, left - 1)).join() + 1
    }
    let large = wg::options().stack_size(16 << 20);
    for limit in [1, 2] {
        let (depth, in_place) = large.clone().limit(limit).scope(|s| {
            let first = s.spawn(move || {
                let mine = std::thread::current().id();
                let same = s.spawn(move || std::thread::current().id() == mine).join();
                (link(s, 1_000), same)
            });
            first.join()
        });
        assert_eq!(depth, 1_000);
        // With two slots another may have begun it before it was joined.
        assert!(in_place || limit > 1);
    }
}
