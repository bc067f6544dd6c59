//! Rules 1 to 3: what has happened when a scope is left.

use std::sync::Barrier;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use wg::Scope;
use wg_tests::{Bang, Counted, bang, caught, until};

/// A value whose drop writes to what it borrows, without any synchronisation: only the scope's
/// return makes that visible.
struct Writes<'a>(&'a mut bool);

impl Drop for Writes<'_> {
    fn drop(&mut self) {
        *self.0 = true;
    }
}

#[test]
fn rule_01_a_scope_without_tasks_returns_the_bodys_value() {
    assert_eq!(wg::scope(|_| 7), 7);
}

#[test]
fn rule_01_every_task_has_ended_when_the_scope_is_left() {
    let mut ended = [false; 1_000];
    wg::scope(|s| {
        for ended in &mut ended {
            s.spawn(|| *ended = true);
        }
    });
    assert_eq!(ended, [true; 1_000]);
}

#[test]
fn rule_01_a_task_that_is_held_up_is_waited_for() {
    let gate = Barrier::new(2);
    let ended = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            gate.wait();
            assert!(!ended.load(Relaxed));
            gate.wait();
        });
        wg::scope(|s| {
            s.spawn(|| {
                gate.wait();
                gate.wait();
                ended.store(true, Relaxed);
            });
        });
        assert!(ended.load(Relaxed));
    });
}

#[test]
fn rule_01_closures_are_dropped_before_the_scope_is_left() {
    let drops = AtomicUsize::new(0);
    wg::scope(|s| {
        for _ in 0..1_000 {
            let captured = Counted(&drops);
            s.spawn(|| {
                let _here = captured;
            });
        }
    });
    assert_eq!(drops.into_inner(), 1_000);
}

#[test]
fn rule_01_unclaimed_results_are_dropped_before_the_scope_is_left() {
    for _ in 0..10_000 {
        let mut dropped = false;
        wg::scope(|s| {
            s.spawn(|| Writes(&mut dropped));
        });
        assert!(dropped);
    }
}

#[test]
fn rule_01_a_result_is_dropped_once_whenever_its_handle_goes() {
    let drops = AtomicUsize::new(0);
    wg::scope(|s| {
        for _ in 0..1_000 {
            // Before the task begins, while it runs, or when it has ended: as it happens.
            drop(s.spawn(|| Counted(&drops)));
        }
    });
    assert_eq!(drops.into_inner(), 1_000);
}

#[test]
fn rule_01_a_result_is_dropped_if_its_handle_goes_while_the_task_runs() {
    let drops = AtomicUsize::new(0);
    let gate = Barrier::new(2);
    wg::scope(|s| {
        let task = s.spawn(|| {
            gate.wait();
            gate.wait();
            Counted(&drops)
        });
        gate.wait();
        drop(task);
        gate.wait();
    });
    assert_eq!(drops.into_inner(), 1);
}

#[test]
fn rule_01_a_result_is_dropped_with_its_handle_if_the_task_has_ended() {
    let drops = AtomicUsize::new(0);
    wg::scope(|s| {
        let task = s.spawn(|| Counted(&drops));
        until(|| task.is_finished());
        assert_eq!(drops.load(Relaxed), 0);
        drop(task);
        assert_eq!(drops.load(Relaxed), 1);
    });
}

#[test]
fn rule_01_a_result_is_dropped_by_the_task_that_was_given_its_handle() {
    let drops = AtomicUsize::new(0);
    wg::scope(|s| {
        for _ in 0..1_000 {
            let task = s.spawn(|| Counted(&drops));
            s.spawn(move || drop(task));
        }
    });
    assert_eq!(drops.into_inner(), 1_000);
}

#[test]
fn rule_01_a_handle_that_is_itself_an_unclaimed_result_gives_its_own_result_up() {
    let drops = AtomicUsize::new(0);
    wg::scope(|s| {
        for _ in 0..1_000 {
            s.spawn(|| s.spawn(|| Counted(&drops)));
        }
    });
    assert_eq!(drops.into_inner(), 1_000);
}

#[test]
fn rule_01_a_joined_result_is_the_joiners() {
    let drops = AtomicUsize::new(0);
    let kept = wg::scope(|s| s.spawn(|| Counted(&drops)).join());
    assert_eq!(drops.load(Relaxed), 0);
    drop(kept);
    assert_eq!(drops.load(Relaxed), 1);
}

#[test]
fn rule_01_results_that_go_from_task_to_task_are_dropped_once() {
    let drops = AtomicUsize::new(0);
    wg::scope(|s| {
        let mut last = s.spawn(|| Counted(&drops));
        for _ in 0..100 {
            let before = last;
            last = s.spawn(|| {
                drop(before.join());
                Counted(&drops)
            });
        }
    });
    assert_eq!(drops.into_inner(), 101);
}

#[test]
fn rule_01_the_scope_waits_for_the_drop_of_a_closure_and_of_a_result() {
    struct Slow<'a>(&'a Barrier, &'a AtomicBool);
    impl Drop for Slow<'_> {
        fn drop(&mut self) {
            self.0.wait();
            self.0.wait();
            self.1.store(true, Relaxed);
        }
    }
    let (gate, dropped) = (Barrier::new(2), [AtomicBool::new(false), AtomicBool::new(false)]);
    std::thread::scope(|threads| {
        // Lets the two drops pass one after the other, when it has seen that they have begun.
        threads.spawn(|| {
            for dropped in &dropped {
                gate.wait();
                assert!(!dropped.load(Relaxed));
                gate.wait();
            }
        });
        wg::scope(|s| {
            let captured = Slow(&gate, &dropped[0]);
            s.spawn(|| {
                drop(captured);
                Slow(&gate, &dropped[1])
            });
        });
        assert!(dropped.iter().all(|dropped| dropped.load(Relaxed)));
    });
}

#[test]
fn rule_02_a_panic_of_the_body_cancels_and_awaits_the_tasks() {
    let ended = AtomicUsize::new(0);
    let begun = Barrier::new(2);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| {
                begun.wait();
                until(|| s.is_cancelled());
                ended.fetch_add(1, Relaxed);
            });
            begun.wait();
            bang(1)
        })
    });
    assert_eq!(bang, Bang(1));
    assert_eq!(ended.into_inner(), 1);
}

#[test]
fn rule_02_a_panic_of_the_body_awaits_a_hundred_borrowers() {
    let mut ended = [false; 100];
    let begun = Barrier::new(101);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            for ended in &mut ended {
                s.spawn(|| {
                    begun.wait();
                    until(|| s.is_cancelled());
                    *ended = true;
                });
            }
            begun.wait();
            bang(2)
        })
    });
    assert_eq!(bang, Bang(2));
    assert_eq!(ended, [true; 100]);
}

#[test]
fn rule_02_the_bodys_panic_is_reported_before_a_tasks_that_came_first() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| bang(3));
            until(|| s.is_cancelled());
            bang(4)
        })
    });
    assert_eq!(bang, Bang(4));
}

#[test]
fn rule_02_the_bodys_panic_is_reported_before_those_that_follow_from_it() {
    let begun = Barrier::new(2);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| {
                begun.wait();
                until(|| s.is_cancelled());
                bang(5)
            });
            begun.wait();
            bang(6)
        })
    });
    assert_eq!(bang, Bang(6));
}

#[test]
fn rule_03_a_normal_return_does_not_cancel() {
    let ran = AtomicUsize::new(0);
    wg::scope(|s| {
        for _ in 0..1_000 {
            s.spawn(|| {
                assert!(!s.is_cancelled());
                ran.fetch_add(1, Relaxed);
            });
        }
    });
    assert_eq!(ran.into_inner(), 1_000);
}

#[test]
fn rule_03_tasks_of_a_scope_that_drains_may_spawn() {
    fn tree<'scope>(s: &'scope Scope<'scope, '_>, ran: &'scope AtomicUsize, depth: u32) {
        ran.fetch_add(1, Relaxed);
        if depth > 0 {
            for _ in 0..2 {
                s.spawn(move || tree(s, ran, depth - 1));
            }
        }
    }
    let ran = AtomicUsize::new(0);
    wg::scope(|s| drop(s.spawn(|| tree(s, &ran, 11))));
    assert_eq!(ran.into_inner(), (1 << 12) - 1);
}

#[test]
fn rule_03_the_last_task_of_a_scope_may_spawn_one_more() {
    for _ in 0..1_000 {
        let mut ran = false;
        wg::scope(|s| {
            s.spawn(|| s.spawn(|| s.spawn(|| ran = true)));
        });
        assert!(ran);
    }
}

#[test]
fn rule_03_a_cancelled_scope_starts_nothing_new() {
    let (ran, drops) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| bang(7));
            until(|| s.is_cancelled());
            for _ in 0..100 {
                let captured = Counted(&drops);
                s.spawn(|| {
                    let _captured = captured;
                    ran.fetch_add(1, Relaxed);
                });
            }
        });
    });
    assert_eq!(bang, Bang(7));
    assert_eq!((ran.into_inner(), drops.into_inner()), (0, 100));
}

#[test]
fn rule_03_a_task_of_a_cancelled_scope_starts_nothing_new() {
    let (ran, drops) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Barrier::new(2);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| {
                begun.wait();
                until(|| s.is_cancelled());
                let captured = Counted(&drops);
                s.spawn(|| {
                    let _captured = captured;
                    ran.fetch_add(1, Relaxed);
                });
            });
            begun.wait();
            bang(8)
        });
    });
    assert_eq!(bang, Bang(8));
    assert_eq!((ran.into_inner(), drops.into_inner()), (0, 1));
}
