//! How deep and how many: nothing here may use up a stack.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};

use wg::{Scope, Task};

/// Fewer where the code is slow.
const fn many(most: usize) -> usize {
    if cfg!(debug_assertions) { most / 10 } else { most }
}

fn nest(depth: usize, joins: bool) -> usize {
    if depth == 0 {
        return 0;
    }
    let below = AtomicUsize::new(0);
    wg::scope(|s| {
        let inner = s.spawn(|| below.store(nest(depth - 1, joins), SeqCst));
        if joins {
            inner.join();
        }
    });
    below.into_inner() + 1
}

#[test]
fn rule_15_scopes_may_be_nested_ten_thousand_deep() {
    assert_eq!(nest(10_000, false), 10_000);
}

#[test]
fn rule_15_scopes_may_be_nested_deep_and_joined() {
    assert_eq!(nest(many(10_000), true), many(10_000));
}

#[test]
fn rule_18_deeply_nested_scopes_are_cancelled_and_left() {
    fn nest(depth: usize, outermost: &(dyn Fn() + Sync)) {
        if depth == 0 {
            return outermost();
        }
        wg::scope(|s| drop(s.spawn(|| nest(depth - 1, outermost))));
    }
    wg::scope(|s| {
        s.spawn(|| {
            nest(many(20_000), &|| {
                s.cancel("enough");
            })
        });
    });
}

#[test]
fn rule_01_a_chain_of_a_million_tasks_each_spawned_by_the_one_before() {
    fn link<'s>(s: &'s Scope<'s, '_>, left: usize, ran: &'s AtomicUsize) {
        ran.fetch_add(1, SeqCst);
        if left > 1 {
            s.spawn(move || link(s, left - 1, ran));
        }
    }
    for limit in [1, usize::MAX] {
        let ran = AtomicUsize::new(0);
        wg::options().limit(limit).scope(|s| link(s, many(1_000_000), &ran));
        assert_eq!(ran.into_inner(), many(1_000_000));
    }
}

#[test]
fn rule_11_a_chain_of_joins_each_of_the_task_spawned_before() {
    for limit in [1, 2, usize::MAX] {
        let length = many(100_000);
        let joined = wg::options().limit(limit).scope(|s| {
            let first = s.spawn(move || {
                let mut last = s.spawn(|| 0);
                for _ in 0..length {
                    let before = last;
                    last = s.spawn(move || before.join() + 1);
                }
                last.join()
            });
            first.join()
        });
        assert_eq!(joined, length);
    }
}

#[test]
fn rule_11_a_chain_of_joins_each_of_a_task_that_begins_after() {
    for limit in [1, 2, usize::MAX] {
        let length = many(100_000);
        let joined = wg::options().limit(limit).scope(|s| {
            let first = s.spawn(move || {
                type Next<'s> = Mutex<Option<Task<'s, usize>>>;
                let next: Arc<Vec<Next<'_>>> =
                    Arc::new((0..length).map(|_| Mutex::new(None)).collect());
                for n in 0..length {
                    let all = Arc::clone(&next);
                    let task = s.spawn(move || {
                        let next = all.get(n + 1).and_then(|next| next.lock().unwrap().take());
                        next.map_or(0, Task::join) + 1
                    });
                    *next[n].lock().unwrap() = Some(task);
                }
                let first = next[0].lock().unwrap().take().unwrap();
                first.join()
            });
            first.join()
        });
        if limit == 1 {
            // At more, a task may look for the next before that is there.
            assert_eq!(joined, length);
        }
    }
}

#[test]
fn rule_11_an_inner_scope_deep_in_a_chain_joins_the_outer_ones_tasks() {
    fn link<'s>(s: &'s Scope<'s, '_>, left: usize) -> usize {
        if left == 0 {
            return 0;
        }
        let next = s.spawn(move || link(s, left - 1));
        wg::options().limit(1).scope(|inner| inner.spawn(|| next.join()).join()) + 1
    }
    for limit in [1, 2] {
        let sum = wg::options().limit(limit).scope(|s| s.spawn(move || link(s, 2_000)).join());
        assert_eq!(sum, 2_000);
    }
}

#[test]
fn rule_01_a_million_tasks_may_wait_in_the_queue() {
    let ran = AtomicUsize::new(0);
    wg::options().limit(1).scope(|s| {
        s.spawn(|| {
            for _ in 0..many(1_000_000) {
                s.spawn(|| ran.fetch_add(1, SeqCst));
            }
            assert_eq!(s.counts().waiting, many(1_000_000));
        });
    });
    assert_eq!(ran.into_inner(), many(1_000_000));
}

#[test]
fn rule_01_a_million_queued_tasks_may_be_cancelled() {
    let ran = AtomicUsize::new(0);
    wg::options().limit(1).scope(|s| {
        s.spawn(|| {
            for _ in 0..many(1_000_000) {
                s.spawn(|| ran.fetch_add(1, SeqCst));
            }
            s.cancel("enough");
        });
    });
    assert_eq!(ran.into_inner(), 0);
}

#[test]
fn rule_11_many_queued_tasks_may_be_joined_in_any_order() {
    let length = many(100_000);
    wg::options().limit(1).scope(|s| {
        s.spawn(|| {
            let mut tasks: Vec<_> = (0..length).map(|n| Some(s.spawn(move || n))).collect();
            for step in 0..length {
                let n = step * 7_919 % length;
                assert_eq!(tasks[n].take().unwrap().join(), n);
            }
            assert_eq!(s.counts().waiting, 0);
        });
    });
}

#[test]
fn rule_15_a_lock_may_be_held_across_ten_thousand_inner_scopes() {
    let lock = Mutex::new(0);
    wg::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..2_500 {
                    let mut held = lock.lock().unwrap();
                    *held += wg::scope(|inner| {
                        let one = inner.spawn(|| 1);
                        inner.spawn(|| ());
                        one.join()
                    });
                }
            });
        }
    });
    assert_eq!(lock.into_inner().unwrap(), 10_000);
}

#[test]
fn rule_01_closures_and_results_of_a_megabyte_fit_into_a_usual_stack() {
    const SIZE: usize = if cfg!(debug_assertions) { 128 << 10 } else { 1 << 20 };
    struct Large([u8; SIZE]);
    let usual = std::thread::Builder::new().stack_size(2 << 20).spawn(|| {
        wg::scope(|s| {
            let result = s.spawn(|| Box::new(Large([1; SIZE])));
            assert_eq!(result.join().0[SIZE / 2], 1);
            let large = s.spawn(|| Large([2; SIZE]));
            drop(large);
            let large = Large([3; SIZE]);
            assert_eq!(s.spawn(move || large.0[SIZE / 2]).join(), 3);
        });
    });
    usual.unwrap().join().unwrap();
}
