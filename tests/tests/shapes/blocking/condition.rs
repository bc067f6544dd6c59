//! Conditions: `Wait` without a `Signal`. 3 of the 85 are `Wait` of a condition or a group.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use wg_tests::{Bang, bang, caught, until};

use crate::{Roll, ends};

/// moby#30408, kubernetes#11298: the activation fails and nobody signals, so who waits for it waits
/// for ever. Who joins a task is told of its end, whichever it is.
#[test]
fn rule_23_who_waits_for_a_task_is_told_though_it_fails() {
    ends(|| {
        let waited = wg::try_scope(|s| {
            let activation = s.task("activate").spawn(|| Err::<(), _>("no such plugin".to_owned()));
            let waiter = s.task("wait_active").spawn(move || activation.join());
            waiter.join()
        });
        assert_eq!(waited.unwrap_err(), "no such plugin");
    });
}

/// The same if it panics: the waiter is told that it is over, and the panic is the scope's.
#[test]
fn rule_05_who_waits_for_a_task_is_told_though_it_panics() {
    ends(|| {
        let told = AtomicBool::new(false);
        let bang: Bang = caught(|| {
            wg::scope(|s| {
                let roll = Roll::default();
                let activation = s.task("activate").spawn(move || {
                    until(|| s.counts().running == 2);
                    drop(roll.enter());
                    bang(30408)
                });
                let told = &told;
                s.task("wait_active").spawn(move || {
                    let stopped = activation.try_join().map(|never: ()| never).unwrap_err();
                    told.store(stopped.to_string().contains("activate#0"), SeqCst);
                });
            });
        });
        assert_eq!((bang, told.into_inner()), (Bang(30408), true));
    });
}

/// A signal that comes before the wait is lost in Go. An outcome is a state, not a signal: it may be
/// asked for at any later time.
#[test]
fn rule_23_an_outcome_that_came_before_the_wait_is_not_lost() {
    let sum = ends(|| {
        wg::scope(|s| {
            let tasks: Vec<_> = (0..100).map(|n| s.spawn(move || n)).collect();
            until(|| tasks.iter().all(|task| task.is_finished()));
            tasks.into_iter().map(|task| task.join()).sum::<u32>()
        })
    });
    assert_eq!(sum, 4950);
}
