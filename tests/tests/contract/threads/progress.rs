//! Rules 12 to 15, as far as `wg::scope` goes: who runs what, and that everybody gets to run.

use std::cell::Cell;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};
use std::thread;

use wg::Scope;
use wg_tests::until;

#[test]
fn rule_12_two_thousand_tasks_meet_at_one_barrier() {
    let barrier = Barrier::new(2_000);
    let leaders = AtomicUsize::new(0);
    wg::scope(|s| {
        for _ in 0..2_000 {
            s.spawn(|| leaders.fetch_add(usize::from(barrier.wait().is_leader()), Relaxed));
        }
    });
    assert_eq!(leaders.into_inner(), 1);
}

/// While tasks are taken all the time nobody looks often whether some are blocked.
#[test]
fn rule_12_tasks_meet_at_a_barrier_after_many_that_compute() {
    let (barrier, done) = (Barrier::new(100), AtomicUsize::new(0));
    wg::scope(|s| {
        for _ in 0..20_000 {
            s.spawn(|| {
                assert!((0..500).all(|n| std::hint::black_box(n) < 500));
                done.fetch_add(1, Relaxed);
            });
        }
        for _ in 0..100 {
            s.spawn(|| barrier.wait());
        }
    });
    assert_eq!(done.into_inner(), 20_000);
}

/// Those that wait for one another hold no core, and those that compute do not keep them from being given
/// threads: if each had to wait for a core to be idle, this would take a quarter of an hour.
#[test]
fn rule_12_tasks_meet_at_a_barrier_beside_others_that_keep_all_cores_busy() {
    let (barrier, met) = (Barrier::new(200), AtomicBool::new(false));
    wg::scope(|busy| {
        for _ in 0..8 {
            busy.spawn(|| until(|| met.load(Relaxed)));
        }
        wg::scope(|s| {
            for _ in 0..200 {
                s.spawn(|| barrier.wait());
            }
        });
        met.store(true, Relaxed);
    });
    assert!(met.into_inner());
}

#[test]
fn rule_12_a_thousand_tasks_each_wait_for_one_that_is_spawned_later() {
    let sum = wg::scope(|s| {
        let (sender, first) = channel();
        let mut sender_before = sender;
        for _ in 0..1_000 {
            let (sender, receiver) = channel::<usize>();
            let sender_before = std::mem::replace(&mut sender_before, sender);
            s.spawn(move || sender_before.send(receiver.recv().unwrap() + 1).unwrap());
        }
        s.spawn(move || sender_before.send(0).unwrap());
        first.recv().unwrap()
    });
    assert_eq!(sum, 1_000);
}

#[test]
fn rule_12_tasks_that_block_are_fed_by_a_task_of_the_same_scope() {
    let taken = AtomicUsize::new(0);
    wg::scope(|s| {
        let (sender, receiver) = channel();
        let receiver = std::sync::Arc::new(Mutex::new(receiver));
        for _ in 0..100 {
            let (receiver, taken) = (std::sync::Arc::clone(&receiver), &taken);
            s.spawn(move || {
                let value: usize = receiver.lock().unwrap().recv().unwrap();
                taken.fetch_add(value, Relaxed);
            });
        }
        s.spawn(move || (0..100).for_each(|value| sender.send(value).unwrap()));
    });
    assert_eq!(taken.into_inner(), 4_950);
}

#[test]
fn rule_12_a_blocked_scope_does_not_hold_up_another() {
    let (gate, ran) = (Barrier::new(51), AtomicUsize::new(0));
    wg::scope(|blocked| {
        for _ in 0..50 {
            blocked.spawn(|| gate.wait());
        }
        thread::scope(|threads| {
            threads.spawn(|| wg::scope(|s| s.spawn(|| ran.fetch_add(1, Relaxed)).join()));
        });
        gate.wait();
    });
    assert_eq!(ran.into_inner(), 1);
}

#[test]
fn rule_12_scopes_nest_a_hundred_deep() {
    fn nest(depth: usize) -> usize {
        if depth == 0 {
            return 0;
        }
        let mut below = 0;
        wg::scope(|s| {
            s.spawn(|| below = nest(depth - 1));
        });
        below + 1
    }
    assert_eq!(nest(100), 100);
}

#[test]
fn rule_01_a_chain_of_a_hundred_thousand_tasks_each_spawned_by_the_one_before() {
    fn chain<'scope>(s: &'scope Scope<'scope, '_>, left: usize, ran: &'scope AtomicUsize) {
        ran.fetch_add(1, Relaxed);
        if left > 0 {
            s.spawn(move || chain(s, left - 1, ran));
        }
    }
    let ran = AtomicUsize::new(0);
    wg::scope(|s| chain(s, 100_000, &ran));
    assert_eq!(ran.into_inner(), 100_001);
}

#[test]
fn rule_01_a_hundred_thousand_tasks_run_once_each() {
    let mut ran = vec![0_u8; 100_000];
    wg::scope(|s| {
        for ran in &mut ran {
            s.spawn(|| *ran += 1);
        }
    });
    assert!(ran.iter().all(|&times| times == 1));
}

#[test]
fn rule_01_closures_and_results_may_be_large() {
    const LARGE: usize = 64 << 10;
    let sum = wg::scope(|s| {
        let large = [1_u8; LARGE];
        let task = s.spawn(move || {
            let mut doubled = large;
            doubled.iter_mut().for_each(|byte| *byte *= 2);
            doubled
        });
        task.join().iter().map(|&byte| usize::from(byte)).sum::<usize>()
    });
    assert_eq!(sum, 2 * LARGE);
}

#[test]
fn rule_01_many_threads_may_spawn_at_once() {
    let ran = AtomicUsize::new(0);
    wg::scope(|s| {
        thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..1_000 {
                        s.spawn(|| ran.fetch_add(1, Relaxed));
                    }
                });
            }
        });
    });
    assert_eq!(ran.into_inner(), 8_000);
}

#[test]
fn rule_01_many_scopes_may_be_open_at_once() {
    let ran = AtomicUsize::new(0);
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                for _ in 0..1_250 {
                    let sum = wg::scope(|s| {
                        let (a, b) = (s.spawn(|| 1), s.spawn(|| 2));
                        s.spawn(|| s.spawn(|| ran.fetch_add(1, Relaxed)));
                        a.join() + b.join()
                    });
                    assert_eq!(sum, 3);
                }
            });
        }
    });
    assert_eq!(ran.into_inner(), 10_000);
}

#[test]
fn rule_14_a_task_begins_while_the_body_computes_on() {
    for _ in 0..1_000 {
        let begun = AtomicBool::new(false);
        wg::scope(|s| {
            s.spawn(|| begun.store(true, Relaxed));
            // The body never blocks, so another thread must come to run the task.
            until(|| begun.load(Relaxed));
        });
    }
}

#[test]
fn rule_14_a_task_begins_while_the_task_that_spawned_it_computes_on() {
    for _ in 0..1_000 {
        wg::scope(|s| {
            s.spawn(|| {
                let begun = s.spawn(|| ());
                until(|| begun.is_finished());
            });
        });
    }
}

#[test]
fn rule_14_a_task_begins_although_the_bodys_thread_is_blocked_outside_of_the_scope() {
    for _ in 0..1_000 {
        let (sender, receiver) = channel();
        wg::scope(|s| {
            s.spawn(|| sender.send(7).unwrap());
            assert_eq!(receiver.recv(), Ok(7));
        });
    }
}

thread_local! {
    /// How many inner scopes wait on this thread's stack.
    static INSIDE: Cell<usize> = const { Cell::new(0) };
}

#[test]
fn rule_15_a_thread_that_waits_at_the_end_of_a_scope_runs_no_task_of_another() {
    wg::scope(|outer| {
        for _ in 0..1_000 {
            outer.spawn(|| {
                assert_eq!(INSIDE.get(), 0, "this runs on top of another task of the outer scope");
                INSIDE.set(1);
                wg::scope(|inner| {
                    for _ in 0..3 {
                        inner.spawn(|| ());
                    }
                });
                INSIDE.set(0);
            });
        }
    });
}

#[test]
fn rule_15_a_lock_may_be_held_across_an_inner_scope() {
    let lock = Mutex::new(0);
    wg::scope(|outer| {
        for _ in 0..8 {
            outer.spawn(|| {
                for _ in 0..1_250 {
                    let mut guard = lock.lock().unwrap();
                    let held = &mut *guard;
                    let added = wg::scope(|inner| inner.spawn(|| 1).join());
                    wg::scope(|inner| {
                        inner.spawn(|| *held += added);
                    });
                }
            });
        }
    });
    assert_eq!(lock.into_inner().unwrap(), 10_000);
}

#[test]
fn rule_15_a_lock_may_be_held_across_an_inner_scope_while_tasks_that_want_it_are_queued() {
    let lock = Mutex::new(0);
    wg::scope(|outer| {
        for _ in 0..10_000 {
            outer.spawn(|| {
                let mut guard = lock.lock().unwrap();
                let held = &mut *guard;
                wg::scope(|inner| {
                    inner.spawn(|| *held += 1);
                });
            });
        }
    });
    assert_eq!(lock.into_inner().unwrap(), 10_000);
}
