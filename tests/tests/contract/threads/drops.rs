//! Rule 1: a panic in the drop of a closure, a result or a payload aborts nothing and skips nothing.

use std::panic::panic_any;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Barrier};

use wg::{Scope, Stopped};
use wg_tests::{Bang, Bomb, Boom, bang, caught, payload, until};

/// `bombs` tasks panic with a payload whose drop panics, and another one runs meanwhile.
fn payloads_that_go_off(bombs: u32) {
    let (ended, begun) = (AtomicUsize::new(0), Barrier::new(bombs as usize + 1));
    let first: Bomb = caught(|| {
        wg::scope(|s| {
            s.spawn(|| {
                begun.wait();
                until(|| s.is_cancelled());
                ended.fetch_add(1, Relaxed);
            });
            for number in 0..bombs {
                let begun = &begun;
                s.spawn(move || {
                    begun.wait();
                    panic_any(Bomb::new(number))
                });
            }
        });
    });
    assert!(first.0 < bombs);
    assert!(first.defuse());
    assert_eq!(ended.into_inner(), 1);
}

#[test]
fn rule_01_a_payload_whose_drop_panics_is_handed_over_unexploded() {
    payloads_that_go_off(1);
}

#[test]
fn rule_01_of_two_payloads_whose_drop_panics_one_is_handed_over_and_the_other_dropped() {
    payloads_that_go_off(2);
}

#[test]
fn rule_01_many_payloads_whose_drop_panics_abort_nothing() {
    payloads_that_go_off(32);
}

#[test]
fn rule_02_a_tasks_payload_whose_drop_panics_gives_way_to_the_bodys() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| panic_any(Bomb::new(0)));
            until(|| s.is_cancelled());
            bang(32)
        })
    });
    assert_eq!(bang, Bang(32));
}

#[test]
fn rule_01_a_body_may_panic_with_a_payload_whose_drop_panics() {
    let first: Bomb = caught(|| {
        wg::scope(|s| {
            s.spawn(|| panic_any(Bomb::new(1)));
            until(|| s.is_cancelled());
            panic_any(Bomb::new(2))
        })
    });
    assert_eq!(first.0, 2);
    assert!(first.defuse());
}

/// Opens a scope in which `body` has something dropped whose drop panics. The scope must resume that
/// panic, and not before a task has ended that was running meanwhile.
fn goes_off<'env>(body: impl for<'scope> FnOnce(&'scope Scope<'scope, 'env>)) {
    let ended = Arc::new(AtomicBool::new(false));
    let begun = Arc::new(Barrier::new(2));
    let boom = caught::<Boom, _>(|| {
        wg::scope(|s| {
            let (begun_there, ended) = (Arc::clone(&begun), Arc::clone(&ended));
            s.spawn(move || {
                begun_there.wait();
                until(|| s.is_cancelled());
                ended.store(true, Relaxed);
            });
            begun.wait();
            body(s);
        });
    });
    assert_eq!(boom, Boom);
    assert!(ended.load(Relaxed));
}

#[test]
fn rule_01_a_result_whose_drop_panics_may_be_left_unclaimed() {
    goes_off(|s| drop(s.spawn(|| Bomb::new(0))));
}

#[test]
fn rule_01_a_result_whose_drop_panics_may_be_given_up_by_the_body() {
    let after = AtomicBool::new(false);
    goes_off(|s| {
        let task = s.spawn(|| Bomb::new(0));
        until(|| task.is_finished());
        drop(task);
        // It was the task that panicked and not the body, which goes on.
        after.store(s.is_cancelled(), Relaxed);
    });
    assert!(after.into_inner());
}

#[test]
fn rule_01_a_result_whose_drop_panics_may_be_given_up_by_another_task() {
    let after = AtomicBool::new(false);
    goes_off(|s| {
        let task = s.spawn(|| Bomb::new(0));
        until(|| task.is_finished());
        s.spawn(|| {
            drop(task);
            after.store(s.is_cancelled(), Relaxed);
        });
    });
    assert!(after.into_inner());
}

#[test]
fn rule_01_a_result_whose_drop_panics_may_be_dropped_by_its_joiner() {
    goes_off(|s| drop(s.spawn(|| Bomb::new(0)).join()));
}

#[test]
fn rule_01_a_result_whose_drop_panics_may_go_while_the_body_unwinds() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            let task = s.spawn(|| Bomb::new(0));
            until(|| task.is_finished());
            bang(40)
        })
    });
    assert_eq!(bang, Bang(40));
}

#[test]
fn rule_01_a_result_whose_drop_panics_may_go_while_a_task_unwinds() {
    let payload = payload(|| {
        wg::scope(|s| {
            let task = s.spawn(|| Bomb::new(0));
            until(|| task.is_finished());
            s.spawn(|| {
                let _task = task;
                bang(41)
            });
        })
    });
    // The drop's panic begins later and ends earlier than the other.
    assert!(payload.is::<Bang>() || payload.is::<Boom>());
}

#[test]
fn rule_01_many_results_whose_drops_panic_may_be_left_unclaimed() {
    goes_off(|s| {
        for number in 0..100 {
            s.spawn(move || Bomb::new(number));
        }
    });
}

#[test]
fn rule_01_the_bodys_result_may_panic_in_its_drop_when_a_task_has_panicked() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| bang(42));
            until(|| s.is_cancelled());
            Bomb::new(0)
        })
    });
    assert_eq!(bang, Bang(42));
}

#[test]
fn rule_01_a_captured_value_whose_drop_panics_is_a_panic_of_its_task() {
    goes_off(|s| {
        let captured = Bomb::new(0);
        s.spawn(|| {
            let _here = captured;
        });
    });
}

#[test]
fn rule_01_a_captured_value_whose_drop_panics_costs_the_task_its_result() {
    goes_off(|s| {
        let captured = Bomb::new(0);
        let task = s.spawn(|| {
            let _here = captured;
            7
        });
        caught::<Stopped, _>(|| task.join());
    });
}

#[test]
fn rule_01_captured_values_whose_drops_panic_may_go_unrun() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| bang(43));
            until(|| s.is_cancelled());
            for number in 0..100 {
                let captured = Bomb::new(number);
                s.spawn(move || captured);
            }
        });
    });
    assert_eq!(bang, Bang(43));
}

#[test]
fn rule_01_a_captured_value_whose_drop_panics_may_go_in_the_join_of_a_cancelled_task() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| bang(44));
            until(|| s.is_cancelled());
            let captured = Bomb::new(0);
            let task = s.spawn(move || captured);
            caught::<Stopped, _>(|| task.join());
        });
    });
    assert_eq!(bang, Bang(44));
}
