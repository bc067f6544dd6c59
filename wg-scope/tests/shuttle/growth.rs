//! Tasks that block until others run. Each of these needs more threads than there are cores, so they
//! have no end where threads cannot be created.

use std::sync::Arc;
use std::time::Duration;

use shuttle::sync::{Barrier, mpsc};
use wg::options;

use crate::kit::{Count, explore};

/// Six tasks wait for one another on two cores: the sentinel finds that none was taken.
#[test]
fn rule_12_tasks_that_meet_at_a_barrier_pass_it() {
    explore(|| {
        let barrier = Arc::new(Barrier::new(6));
        wg::scope(|s| {
            for _ in 0..6 {
                s.spawn(|| barrier.wait());
            }
        });
    });
}

/// A chain of tasks each of which waits for the next, which is queued behind it. The body waits too.
#[test]
fn rule_12_tasks_that_wait_for_those_behind_them_all_run() {
    explore(|| {
        wg::scope(|s| {
            let mut wait_for_next = None;
            let mut last = None;
            for n in 0..5 {
                let (tell, told) = mpsc::channel();
                let before: Option<mpsc::Sender<usize>> = wait_for_next.replace(tell);
                s.spawn(move || {
                    let after: usize = told.recv().unwrap();
                    if let Some(before) = before {
                        before.send(after + 1).unwrap();
                    } else {
                        assert_eq!((n, after), (0, 4));
                    }
                });
                last = wait_for_next.clone();
            }
            last.unwrap().send(0).unwrap();
        });
    });
}

/// Sleepers that would sleep for ever, with nobody else awake: each hears of the cancel.
#[test]
fn rule_19_a_cancel_ends_every_sleep() {
    explore(|| {
        let woken = Count::default();
        wg::scope(|s| {
            for _ in 0..5 {
                s.spawn(|| {
                    assert!(s.sleep(Duration::MAX).is_err());
                    woken.up()
                });
            }
            s.spawn(|| s.cancel("enough"));
            assert!(s.sleep(Duration::MAX).is_err());
        });
        // Those that had not begun were dropped.
        assert!(woken.get() <= 5);
    });
}

/// The same from an outer scope, to sleepers and joiners two levels further in.
#[test]
fn rule_18_an_outer_cancel_reaches_inner_waits() {
    explore(|| {
        let woken = Count::default();
        wg::scope(|outer| {
            for _ in 0..2 {
                outer.spawn(|| {
                    options().catch_panics().scope(|inner| {
                        let sleeper = inner.spawn(|| inner.sleep(Duration::MAX));
                        let _ = inner.spawn(|| sleeper.try_join()).try_join();
                        woken.up();
                    })
                });
            }
            outer.spawn(|| outer.cancel("enough"));
        });
        assert!(woken.get() <= 2);
    });
}
