//! Rule 23: what is visible to whom. Everything here is relaxed or not atomic at all, so that only
//! the scope can order it.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use wg_tests::until;

#[test]
fn rule_23_what_came_before_spawn_is_visible_to_the_task() {
    let written = AtomicUsize::new(0);
    wg::scope(|s| {
        let written = &written;
        for round in 0..10_000 {
            written.store(round, Relaxed);
            s.spawn(move || assert!(written.load(Relaxed) >= round));
        }
    });
}

#[test]
fn rule_23_what_a_task_did_is_visible_to_its_joiner() {
    let written = AtomicUsize::new(0);
    wg::scope(|s| {
        let written = &written;
        for round in 0..10_000 {
            s.spawn(move || written.store(round, Relaxed)).join();
            assert_eq!(written.load(Relaxed), round);
        }
    });
}

#[test]
fn rule_23_what_a_task_did_is_visible_to_who_sees_that_it_is_finished() {
    let written = AtomicUsize::new(0);
    wg::scope(|s| {
        let written = &written;
        for round in 0..10_000 {
            let task = s.spawn(move || written.store(round, Relaxed));
            until(|| task.is_finished());
            assert_eq!(written.load(Relaxed), round);
        }
    });
}

#[test]
fn rule_23_what_a_task_did_is_visible_when_the_scope_is_left() {
    let mut written = [0; 8];
    for round in 1..=5_000 {
        wg::scope(|s| {
            for written in &mut written {
                s.spawn(|| *written += 1);
            }
        });
        assert_eq!(written, [round; 8]);
    }
}

#[test]
fn rule_23_what_a_task_did_is_visible_to_the_task_that_joins_it() {
    for _ in 0..5_000 {
        let written = AtomicUsize::new(0);
        let seen = wg::scope(|s| {
            let first = s.spawn(|| written.store(1, Relaxed));
            let second = s.spawn(|| {
                first.join();
                written.load(Relaxed)
            });
            second.join()
        });
        assert_eq!(seen, 1);
    }
}

#[test]
fn rule_23_one_scopes_writes_are_visible_to_the_next_ones_tasks() {
    let mut list = Vec::new();
    for round in 0..5_000 {
        wg::scope(|s| {
            s.spawn(|| list.push(round));
        });
        let length = wg::scope(|s| s.spawn(|| list.len()).join());
        assert_eq!(length, round + 1);
    }
}
