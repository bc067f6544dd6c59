//! The counter: counted too late, too many, too few, too often, for somebody else, or in a copy.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;

use wg::WaitGroup;
use wg::raw::{self, Misuse};
use wg_tests::{bang, payload, until};

use crate::{Roll, SOON, ends};

// Add inside the goroutine.

/// The bug itself: the thread has been started and has not counted itself yet, and `wait` finds
/// nobody.
#[test]
fn rule_23_add_inside_the_goroutine_lets_the_wait_of_go_return_before_the_work() {
    ends(|| {
        let (group, worked) = (raw::WaitGroup::new(), AtomicBool::new(false));
        thread::scope(|threads| {
            let (go, wait) = channel();
            let (group, worked) = (&group, &worked);
            threads.spawn(move || {
                wait.recv().unwrap();
                group.add(1).unwrap();
                worked.store(true, SeqCst);
                group.done().unwrap();
            });
            assert_eq!(group.wait(), Ok(()));
            assert!(!worked.load(SeqCst), "and the work is still to come");
            go.send(()).unwrap();
        });
        assert!(worked.into_inner());
    });
}

/// Cannot be said: `spawn` counts, and the scope knows the task before the task has begun.
#[test]
fn rule_01_add_inside_the_goroutine_cannot_be_said_for_spawn_counts_first() {
    ends(|| {
        let worked = AtomicUsize::new(0);
        wg::options().limit(1).scope(|s| {
            let (go, wait) = channel::<()>();
            let worked = &worked;
            s.spawn(move || {
                wait.recv().unwrap();
                worked.fetch_add(1, SeqCst);
            });
            s.spawn(move || worked.fetch_add(1, SeqCst));
            let alive = s.wait_timeout(SOON).unwrap_err();
            assert_eq!((alive.count(), s.counts().spawned), (2, 2));
            assert_eq!(alive.tasks()[1].age(), None, "counted, and has not begun");
            go.send(()).unwrap();
        });
        assert_eq!(worked.into_inner(), 2);
    });
}

/// For members that no scope can see: who starts the thread takes the token and moves it in. The
/// other order needs the group inside, and with a borrowed group it does not compile
/// (`ui/fail/bug_add_inside_the_goroutine.rs`).
#[test]
fn rule_23_add_inside_the_goroutine_a_token_is_counted_before_its_thread_exists() {
    ends(|| {
        let (group, worked) = (Arc::new(WaitGroup::new()), Arc::new(AtomicBool::new(false)));
        let (token, tell) = (group.owned_token(), Arc::clone(&worked));
        assert_eq!(group.wait_timeout(SOON).unwrap_err().count(), 1, "and there is no thread yet");
        thread::spawn(move || {
            let _member = token;
            tell.store(true, SeqCst);
        });
        group.wait();
        assert!(worked.load(SeqCst));
    });
}

// Add of all of them ahead, and a loop that skips some.

/// The bug itself: `add(10)`, and a `continue` that somebody wrote later. Five are missing for
/// ever.
#[test]
fn rule_28_add_of_all_ahead_of_a_loop_that_skips_counts_too_many_in_go() {
    let group = raw::WaitGroup::new();
    group.add(10).unwrap();
    for n in 0..10 {
        if n % 2 == 0 {
            continue;
        }
        group.done().unwrap();
    }
    assert!(format!("{group:?}").contains("count: 5"), "{group:?}");
}

/// Cannot be said: what is counted is what is started.
#[test]
fn rule_01_add_of_all_ahead_of_a_loop_that_skips_cannot_be_said_in_a_scope() {
    let (spawned, worked) = ends(|| {
        let worked = AtomicUsize::new(0);
        let spawned = wg::scope(|s| {
            for n in 0..10 {
                if n % 2 == 0 {
                    continue;
                }
                s.spawn(|| worked.fetch_add(1, SeqCst));
            }
            s.counts().spawned
        });
        (spawned, worked.into_inner())
    });
    assert_eq!((spawned, worked), (5, 5));
}

/// A batch of tokens is counted ahead, with one instruction; the tokens that a loop skips, or does
/// not come to, are given back.
#[test]
fn rule_28_add_of_all_ahead_of_a_loop_that_skips_gives_the_tokens_of_those_back() {
    ends(|| {
        let group = WaitGroup::new();
        let (mut kept, batch) = (Vec::new(), group.tokens(10));
        assert_eq!(group.count(), 10);
        for (n, token) in batch.enumerate() {
            if n % 2 == 0 {
                continue;
            }
            kept.push(token);
            if n == 7 {
                break;
            }
        }
        assert_eq!((kept.len(), group.count()), (4, 4));
        drop(kept);
        group.wait();
    });
}

// Forgetting Done.

/// Cannot be said: a task is counted out by its end, whichever way it goes.
#[test]
fn rule_01_forgotten_done_cannot_be_said_for_the_end_of_a_task_counts_it_out() {
    ends(|| {
        let roll = Roll::default();
        let (spawned, errors) = wg::options().catch_panics().collect_scope(|s| {
            for way in ["falls off the end", "returns early", "asks", "panics"] {
                let roll = &roll;
                s.spawn(move || {
                    let _inside = roll.enter();
                    match way {
                        "returns early" => return Ok(0),
                        "asks" => drop(way.parse::<u8>()?),
                        "panics" => bang(2),
                        _ => {}
                    }
                    Ok::<_, Box<dyn std::error::Error + Send + Sync>>(way.len())
                });
            }
            s.counts().spawned
        });
        assert_eq!((spawned, errors.len()), (4, 2));
        assert_eq!((roll.entered(), roll.inside()), (4, 0));
    });
}

/// The same for a token: it goes when its holder goes, also by panic.
#[test]
fn rule_28_forgotten_done_cannot_be_said_for_a_panic_ends_a_token_too() {
    ends(|| {
        let group = WaitGroup::new();
        let token = group.token();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _member = token;
            bang(2)
        }));
        assert!(panicked.is_err());
        group.wait();
    });
}

/// What can be said is `mem::forget`. Then a wait with a time says how many are missing.
#[test]
fn rule_22_forgotten_done_by_mem_forget_is_told_by_a_timed_wait() {
    let group = WaitGroup::new();
    std::mem::forget(group.token());
    let late = group.wait_timeout(SOON).unwrap_err();
    assert_eq!((late.count(), late.to_string()), (1, "timed out while 1 member was left".into()));
}

// The negative counter.

/// Tokens: does not compile (`ui/fail/bug_done_more_often_than_add.rs`,
/// `bug_add_and_done_by_hand.rs`). Go's type: an error, and the group is as before, where Go's
/// counter stays negative.
#[test]
fn rule_28_negative_counter_is_an_error_and_the_group_can_be_used_on() {
    ends(|| {
        let group = raw::WaitGroup::new();
        group.add(1).unwrap();
        group.done().unwrap();
        assert_eq!(group.done(), Err(Misuse::NegativeCounter));
        assert_eq!(group.add(-7), Err(Misuse::NegativeCounter));
        let text = payload(|| group.done_or_panic());
        assert_eq!(text.downcast_ref(), Some(&"negative WaitGroup counter".to_owned()));
        group.add(1).unwrap();
        group.done().unwrap();
        assert_eq!(group.wait(), Ok(()));
    });
}

// Reuse without waiting.

/// The bug itself: who waits for the second batch waits for the first as well, which was never
/// waited for.
#[test]
fn rule_28_reuse_without_waiting_lets_the_first_batch_leak_into_the_second_in_go() {
    ends(|| {
        let (group, returned) = (raw::WaitGroup::new(), AtomicBool::new(false));
        group.add(1).unwrap(); // batch 1: the wait was forgotten
        group.add(1).unwrap(); // batch 2
        thread::scope(|threads| {
            threads.spawn(|| {
                group.wait().unwrap();
                returned.store(true, SeqCst);
            });
            until(|| format!("{group:?}").contains("waiters: 1"));
            group.done().unwrap(); // batch 2 is done
            assert!(format!("{group:?}").contains("count: 1, waiters: 1"), "{group:?}");
            assert!(!returned.load(SeqCst), "it waits for batch 1");
            group.done().unwrap();
        });
        assert!(returned.into_inner());
    });
}

/// Cannot be said: a batch is a scope, and the way out of it is the wait.
#[test]
fn rule_01_reuse_without_waiting_cannot_be_said_for_leaving_a_batch_waits_for_it() {
    fn batch(roll: &Roll, tasks: usize) -> usize {
        wg::scope(|s| {
            for _ in 0..tasks {
                s.spawn(|| drop(roll.enter()));
            }
            s.counts().spawned
        })
    }

    ends(|| {
        let roll = Roll::default();
        assert_eq!(batch(&roll, 20), 20);
        assert_eq!((roll.entered(), roll.inside()), (20, 0), "before the second begins");
        assert_eq!(batch(&roll, 30), 30, "its own tasks only");
        assert_eq!((roll.entered(), roll.inside()), (50, 0));
    });
}

/// Members that no scope can see: a group is one word and needs no heap, so each batch has its own.
/// One group for two batches can be said, and then both are waited for, which a timed wait tells.
#[test]
fn rule_25_reuse_without_waiting_a_group_of_its_own_waits_for_its_own_batch() {
    ends(|| {
        let (first, second) = (WaitGroup::new(), WaitGroup::new());
        let leaked = first.token();
        drop(second.tokens(3));
        second.wait();
        drop(first.tokens(3)); // as if it were the second
        assert_eq!(first.wait_timeout(SOON).unwrap_err().count(), 1);
        drop(leaked);
        first.wait();
    });
}

// Copying.

/// By value a group is moved, and does not compile where it is used again
/// (`ui/fail/bug_copying_a_group_by_value.rs`, `bug_copying_a_scope_by_value.rs`). What goes by
/// value is the token; the group goes by reference, and there is one counter.
#[test]
fn rule_27_copying_cannot_be_said_and_by_reference_there_is_one_counter() {
    fn do_work(group: &raw::WaitGroup) {
        group.done().unwrap();
    }
    fn do_work_as(member: wg::Token<'_>) {
        assert_eq!(member.group().count(), 1);
    }

    ends(|| {
        let group = raw::WaitGroup::new();
        group.add(1).unwrap();
        thread::scope(|threads| {
            threads.spawn(|| do_work(&group));
            assert_eq!(group.wait(), Ok(()));
        });

        let group = WaitGroup::new();
        let token = group.token();
        thread::scope(|threads| {
            threads.spawn(move || do_work_as(token));
            group.wait();
        });
        assert_eq!(group.count(), 0);
    });
}
