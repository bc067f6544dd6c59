//! What people expect of a WaitGroup that Go's is not for: results, several waits, a lock, an end
//! to the wait, errors.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use futures::FutureExt;
use wg::{Cause, WaitGroup, raw};
use wg_tests::{Bang, bang, caught, until};

use crate::{FOR_EVER, Roll, SOON, ends};

// Results from a WaitGroup.

/// A `wait` returns nothing, and says so (`ui/fail/bug_results_from_a_wait.rs`). A scope returns
/// what its body returns, a task's handle the task's value, a fan-out all values in the order of
/// items.
#[test]
fn rule_17_results_from_a_wait_group_come_back_from_a_scope_in_three_ways() {
    let (joined, mut streamed, mapped) = ends(|| {
        let words = ["one", "three", "eleven"];
        let joined = wg::scope(|s| words.map(|word| s.spawn(move || word.len())).map(|t| t.join()));
        let streamed: Vec<_> = wg::scope(|s| {
            let results = s.results();
            for word in words {
                results.spawn(move || word.len());
            }
            results.as_completed().map(|(_, length)| length).collect()
        });
        (joined, streamed, wg::fan_out(words).map(str::len))
    });
    streamed.sort_unstable();
    assert_eq!((joined, streamed, mapped), ([3, 5, 6], vec![3, 5, 6], vec![3, 5, 6]));
}

// Several waits.

/// As in Go: all of them return, and later ones return at once. Blocking, timed and async waits
/// mix.
#[test]
fn rule_25_several_waits_of_one_group_all_return_and_later_ones_at_once() {
    ends(|| {
        let (group, returned) = (WaitGroup::new(), AtomicUsize::new(0));
        let token = group.token();
        thread::scope(|threads| {
            threads.spawn(|| {
                group.wait();
                returned.fetch_add(1, Relaxed);
            });
            threads.spawn(|| {
                group.wait_timeout(FOR_EVER).unwrap();
                returned.fetch_add(1, Relaxed);
            });
            threads.spawn(|| {
                futures::executor::block_on(group.wait_async());
                returned.fetch_add(1, Relaxed);
            });
            until(|| group.waiters() == 3);
            assert_eq!(returned.load(Relaxed), 0);
            drop(token);
        });
        assert_eq!(returned.into_inner(), 3);
        group.wait();
        group.wait();
    });
}

/// The trap in it: a wait that was over says nothing of who comes next. Each wait of a scope's body
/// is for what was spawned so far, and the last, which nobody writes, is for all.
#[test]
fn rule_01_several_waits_in_a_scope_are_for_what_was_spawned_so_far_and_its_end_for_all() {
    ends(|| {
        let roll = Roll::default();
        wg::scope(|s| {
            for round in 1..=3 {
                for _ in 0..10 {
                    s.spawn(|| drop(roll.enter()));
                }
                s.wait_timeout(Duration::MAX).unwrap();
                assert_eq!((roll.entered(), roll.inside()), (10 * round, 0));
            }
            s.spawn(|| drop(roll.enter()));
        });
        assert_eq!((roll.entered(), roll.inside()), (31, 0));
    });
}

// The data race on shared state.

/// Does not compile (`ui/fail/bug_data_race_on_a_counter.rs`). With an atomic or a lock it does,
/// and nothing is lost; better, each task returns its part.
#[test]
fn rule_23_data_race_on_a_counter_an_atomic_a_lock_or_a_value_loses_nothing() {
    let counted = ends(|| {
        let (atomic, mut locked) = (AtomicUsize::new(0), Mutex::new(0));
        let returned: usize = wg::scope(|s| {
            let tasks = (0..100).map(|_| {
                s.spawn(|| {
                    atomic.fetch_add(1, Relaxed);
                    *locked.lock().unwrap() += 1;
                    1
                })
            });
            let tasks: Vec<_> = tasks.collect();
            tasks.into_iter().map(|task| task.join()).sum()
        });
        (atomic.into_inner(), *locked.get_mut().unwrap(), returned)
    });
    assert_eq!(counted, (100, 100, 100));
}

// No cancel of a wait.

/// The bug itself: `wait` of Go's type waits until all are done, and there is no other way out.
#[test]
fn rule_19_no_cancel_of_a_wait_is_what_gos_type_is_and_stays() {
    ends(|| {
        let (group, returned) = (raw::WaitGroup::new(), Roll::default());
        group.add(1).unwrap();
        thread::scope(|threads| {
            threads.spawn(|| {
                group.wait().unwrap();
                drop(returned.enter());
            });
            until(|| format!("{group:?}").contains("waiters: 1"));
            assert_eq!(returned.entered(), 0);
            group.done().unwrap();
        });
        assert_eq!(returned.entered(), 1);
    });
}

/// Answered: a wait may have a time, and the future of a wait may be dropped. Who leaves changes
/// nothing for the others.
#[test]
fn rule_25_no_cancel_of_a_wait_a_wait_that_gives_up_leaves_nothing_behind() {
    ends(|| {
        let group = WaitGroup::new();
        let token = group.token();
        assert_eq!(group.wait_timeout(SOON).unwrap_err().count(), 1);
        let mut waiting = group.wait_async();
        assert_eq!((&mut waiting).now_or_never(), None);
        assert_eq!(group.waiters(), 1);
        drop(waiting);
        assert_eq!((group.waiters(), group.count()), (0, 1));
        drop(token);
        group.wait();
    });
}

/// Answered: the waits of a scope end with it, by a cancel from outside or by a deadline, and each
/// says by which.
#[test]
fn rule_19_no_cancel_of_a_wait_every_wait_of_a_scope_ends_with_its_cause() {
    ends(|| {
        let stop = wg::Cancel::new();
        let asked = wg::options().cancel(&stop).scope(|s| {
            let (stop, slow) = (stop.clone(), s.spawn(|| s.sleep(FOR_EVER)));
            s.spawn(move || stop.cancel("closing time"));
            let waited = slow.try_join();
            // It may have begun, and then returned what its own wait ended with.
            waited.and_then(|slept| slept).unwrap_err()
        });
        assert_eq!(asked.cause(), &Cause::Asked("closing time".into()));

        let late = wg::options().timeout(SOON).scope(|s| s.sleep(FOR_EVER).unwrap_err());
        assert!(late.cause().is_deadline());
    });
}

// No errors.

/// Answered: the first error comes back and stops the rest; or all of them come back; and a panic
/// is not lost either.
#[test]
fn rule_06_no_errors_the_first_comes_back_and_the_rest_is_stopped() {
    let failed = ends(|| {
        wg::try_scope(|s| {
            s.spawn(|| Ok(s.sleep(FOR_EVER)?));
            s.task("write").spawn(|| Err::<(), _>("disk full"));
            Ok(())
        })
    });
    assert_eq!(failed, Err("disk full"));
}

#[test]
fn rule_07_no_errors_all_of_them_come_back_in_the_order_of_the_tasks() {
    let errors = ends(|| {
        let ((), errors) = wg::collect_scope(|s| {
            for n in 0..9 {
                s.task("write").spawn(move || if n % 3 == 0 { Err(n) } else { Ok(()) });
            }
        });
        errors
    });
    let listed = errors.iter().map(|failure| (failure.index(), failure.as_error().copied()));
    let expected = [0, 3, 6].map(|n| (Some(n), Some(n)));
    assert_eq!(listed.collect::<Vec<_>>(), expected);
}

#[test]
fn rule_05_no_errors_a_panic_comes_out_of_the_scope_as_it_was() {
    let panicked: Bang = ends(|| {
        caught(|| {
            wg::scope(|s| {
                s.spawn(|| bang(15));
            })
        })
    });
    assert_eq!(panicked, Bang(15));
}
