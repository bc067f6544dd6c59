//! Rules 18 to 20: a tree of cancels, and waits that end with it.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use wg::{Cancel, Cause};
use wg_tests::{Counted, payload, until};

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn rule_18_an_outer_cancel_reaches_two_levels_in_with_its_reason() {
    let cause = wg::scope(|outer| {
        outer
            .spawn(|| {
                wg::scope(|middle| {
                    middle
                        .spawn(|| {
                            wg::scope(|inner| {
                                outer.cancel("shutdown");
                                inner.sleep(A_DAY).unwrap_err().cause().clone()
                            })
                        })
                        .try_join()
                })
            })
            .try_join()
    });
    // Whoever joins across the levels is told as well.
    let told = match cause {
        Ok(Ok(cause)) => cause,
        Ok(Err(stopped)) | Err(stopped) => stopped.cause().clone(),
    };
    assert_eq!(told.origin(), &Cause::Asked("shutdown".into()));
}

#[test]
fn rule_18_an_inner_cancel_does_not_reach_the_outer_scope() {
    wg::scope(|outer| {
        let inner = wg::scope(|inner| {
            inner.cancel("only here");
            inner.cancelled_by()
        });
        assert_eq!(inner.unwrap().to_string(), "cancelled: only here");
        assert!(!outer.is_cancelled());
        assert_eq!(outer.spawn(|| 1).join(), 1);
    });
}

#[test]
fn rule_18_the_first_cause_stays() {
    wg::scope(|s| {
        assert!(s.cancel("first"));
        assert!(!s.cancel("second"));
        assert_eq!(s.cancelled_by(), Some(Cause::Asked("first".into())));
    });
}

#[test]
fn rule_18_the_cause_of_a_failure_names_the_task() {
    let ((), errors) = wg::options().policy(wg::Policy::fail_fast()).collect_scope(|s| {
        s.task("fetch").spawn(|| Err::<(), _>("broken"));
        let told = s.sleep(A_DAY).unwrap_err();
        let Cause::Failed(task) = told.cause() else { panic!("{told}") };
        assert_eq!((task.name(), task.index()), (Some("fetch"), 0));
    });
    assert_eq!(errors.len(), 1);
}

#[test]
fn rule_18_one_handle_cancels_many_scopes_and_later_ones_too() {
    let stop = Cancel::new();
    let ended = AtomicUsize::new(0);
    let options = wg::options().cancel(&stop);
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                options.scope(|s| {
                    s.spawn(|| {
                        ended.fetch_add(1, SeqCst);
                        assert!(s.sleep(A_DAY).is_err());
                    });
                    assert!(s.sleep(A_DAY).is_err());
                });
            });
        }
        until(|| ended.load(SeqCst) == 8);
        assert!(stop.cancel("enough"));
    });
    let late = options.scope(|s| {
        s.spawn(|| ended.fetch_add(1, SeqCst));
        s.cancelled_by()
    });
    assert_eq!(late, Some(Cause::Asked("enough".into())));
    assert_eq!(ended.into_inner(), 8);
}

#[test]
fn rule_18_a_child_handle_is_cancelled_with_its_parent_and_not_the_reverse() {
    let parent = Cancel::new();
    let (one, other) = (parent.child(), parent.child());
    assert!(one.cancel("one"));
    assert!(!parent.is_cancelled() && !other.is_cancelled());
    parent.cancel("all");
    assert_eq!(other.cancelled_by().unwrap().origin(), &Cause::Asked("all".into()));
    assert_eq!(one.cancelled_by(), Some(Cause::Asked("one".into())));
}

#[test]
fn rule_18_a_chain_of_handles_deeper_than_the_stack_may_be_dropped() {
    let root = Cancel::new();
    let mut last = root.clone();
    for _ in 0..200_000 {
        last = last.child();
    }
    drop(root.clone());
    root.cancel("all");
    assert!(last.is_cancelled());
    let mut last = Cancel::new();
    for _ in 0..200_000 {
        last = last.child();
    }
    drop(last);
}

#[test]
fn rule_18_a_canceller_may_outlive_its_scope() {
    let stop = wg::scope(|s| s.canceller());
    assert!(!stop.is_cancelled());
    assert!(stop.cancel("too late"));
}

#[test]
fn rule_19_every_wait_returns_early() {
    for which in 0..6 {
        let stop = Cancel::new();
        wg::options().limit(1).cancel(&stop).scope(|s| {
            let (begin, begun) = channel();
            let running = s.spawn(move || {
                begin.send(()).unwrap();
                until(|| s.is_cancelled());
            });
            begun.recv().unwrap();
            let waiting = s.spawn(|| ());
            thread::scope(|threads| {
                threads.spawn(|| stop.cancel("enough"));
                match which {
                    0 => assert!(s.sleep(A_DAY).is_err()),
                    1 => assert!(s.ready().is_err()),
                    2 => drop(s.spawn(|| panic!("it does not begin"))),
                    3 => drop(waiting.try_join().unwrap_err()),
                    4 => drop(waiting.join_timeout(A_DAY).unwrap().unwrap_err()),
                    // It may have ended in time.
                    _ => drop(running.try_join()),
                }
                assert!(s.is_cancelled());
            });
        });
    }
}

#[test]
fn rule_19_a_join_of_an_outer_task_returns_early_when_the_inner_scope_is_cancelled() {
    let (go, gone) = channel::<()>();
    let (begin, begun) = channel();
    let value = wg::scope(|outer| {
        let slow = outer.spawn(move || {
            begin.send(()).unwrap();
            gone.recv().is_err()
        });
        // One that has not begun would be run by its joiner.
        begun.recv().unwrap();
        wg::scope(|inner| {
            let joiner = inner.spawn(|| slow.try_join());
            inner.cancel("only here");
            // Whether it began or not, it does not wait for the outer task.
            assert!(joiner.try_join().map_or(true, |told| told.is_err()));
        });
        drop(go);
        assert!(!outer.is_cancelled());
        1
    });
    assert_eq!(value, 1);
}

#[test]
fn rule_19_check_is_ok_until_the_cancel() {
    wg::scope(|s| {
        assert_eq!(s.check(), Ok(()));
        s.cancel("enough");
        assert_eq!(s.check().unwrap_err().to_string(), "stopped: cancelled: enough");
    });
}

#[test]
fn rule_03_what_was_not_begun_is_dropped_and_not_run() {
    let (ran, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    wg::options().limit(1).scope(|s| {
        s.spawn(|| {
            for _ in 0..100 {
                let (ran, counted) = (&ran, Counted(&dropped));
                s.spawn(move || {
                    let _counted = counted;
                    ran.fetch_add(1, SeqCst);
                });
            }
            s.cancel("enough");
        });
    });
    assert_eq!((ran.into_inner(), dropped.into_inner()), (0, 100));
}

#[test]
fn rule_18_cancel_beside_spawn_loses_no_task_and_starts_none_after() {
    for before in 0..16 {
        for after in 0..16 {
            let (dropped, late) = (AtomicUsize::new(0), AtomicUsize::new(0));
            wg::scope(|s| {
                for _ in 0..before {
                    let counted = Counted(&dropped);
                    s.spawn(move || {
                        let _counted = counted;
                        let _ = s.sleep(A_DAY);
                    });
                }
                if (before + after) % 2 == 0 {
                    // Beside.
                    s.spawn(|| s.cancel("enough"));
                    let _ = s.sleep(A_DAY);
                } else {
                    s.cancel("enough");
                }
                for _ in 0..after {
                    let (counted, late) = (Counted(&dropped), &late);
                    s.spawn(move || {
                        let _counted = counted;
                        late.fetch_add(1, SeqCst);
                    });
                }
            });
            assert_eq!((dropped.into_inner(), late.into_inner()), (before + after, 0));
        }
    }
}

#[test]
fn rule_18_tasks_lost_to_an_outer_cancel_do_not_let_the_inner_scope_return() {
    let returned = AtomicUsize::new(0);
    wg::scope(|outer| {
        outer.spawn(|| {
            wg::options().limit(1).scope(|inner| {
                inner.spawn(|| {
                    outer.cancel("enough");
                });
                inner.spawn(|| ());
            });
            returned.fetch_add(1, SeqCst);
        });
    });
    assert_eq!(returned.into_inner(), 0);
}

#[test]
fn rule_18_tasks_lost_to_an_outer_deadline_do_not_let_the_inner_scope_return() {
    // Whoever is the first to see that the deadline has passed: the inner scope's own waits may.
    for round in 0..300 {
        let returned = AtomicUsize::new(0);
        wg::options().timeout(Duration::from_micros(100 + 10 * round)).scope(|outer| {
            outer.spawn(|| {
                wg::options().limit(1).scope(|inner| {
                    inner.spawn(|| inner.sleep(A_DAY));
                    inner.spawn(|| ());
                });
                returned.fetch_add(1, SeqCst);
            });
        });
        assert_eq!(returned.into_inner(), 0);
    }
}

#[test]
fn rule_18_an_inner_scope_that_lost_nothing_returns_although_the_outer_is_cancelled() {
    let value = wg::scope(|outer| {
        outer.cancel("enough");
        wg::scope(|inner| inner.is_cancelled())
    });
    assert!(value);
}

#[test]
fn rule_20_a_shield_hides_an_outer_cancel() {
    let value = wg::scope(|outer| {
        outer.cancel("enough");
        wg::options().shield().scope(|inner| {
            assert!(!inner.is_cancelled());
            inner.spawn(|| inner.spawn(|| 7).join()).join()
        })
    });
    assert_eq!(value, 7);
}

#[test]
fn rule_20_a_shield_hides_an_outer_deadline_and_not_its_own() {
    wg::options().deadline(Instant::now()).scope(|outer| {
        assert!(outer.is_cancelled());
        wg::options().shield().scope(|inner| {
            assert_eq!(inner.deadline(), None);
            assert_eq!(inner.spawn(|| 7).join(), 7);
        });
        let own = wg::options().shield().timeout(Duration::from_millis(1));
        own.scope(|inner| assert!(inner.sleep(A_DAY).unwrap_err().cause().is_deadline()));
    });
}

#[test]
fn rule_20_a_shield_does_not_hide_a_handle_that_the_scope_was_given() {
    let stop = Cancel::new();
    wg::options().shield().cancel(&stop).scope(|s| {
        stop.cancel("enough");
        assert!(s.is_cancelled());
    });
}

#[test]
fn rule_20_what_is_inside_of_a_shield_hears_of_the_shielded_scope() {
    wg::scope(|outer| {
        wg::options().shield().scope(|shielded| {
            wg::scope(|inner| {
                outer.cancel("outside");
                assert!(!inner.is_cancelled());
                shielded.cancel("inside");
                assert!(inner.is_cancelled());
            });
        });
    });
}

#[test]
fn rule_18_a_join_that_a_deadline_ends_makes_a_scope_panic_with_the_cause() {
    let told = payload(|| {
        wg::options().timeout(Duration::from_millis(1)).scope(|s| {
            s.spawn(|| until(|| s.is_cancelled()));
            s.spawn(|| s.sleep(A_DAY).unwrap()).join();
        })
    });
    // Either the task's own unwrap was first, or the join's echo.
    let text = told.downcast_ref::<String>().expect("words");
    assert!(text.contains("the deadline passed") || text.contains("Deadline"), "{text}");
}
