//! The WaitGroup itself: what is counted too late, too often, not at all, or under a lock. Six of
//! the 86 bugs that do not block, and one of the 85 that do.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Barrier};
use std::thread;

use wg::raw::Misuse;
use wg::{TryTokenError, WaitGroup};
use wg_tests::{bang, until};

use crate::{FOR_EVER, Roll, ends};

/// etcd 2e59635 and 7adb765, kubernetes#9732, kubernetes-sigs/application#117 and many more: `Add`
/// inside the goroutine, so that `Wait` may come first and find nobody. Cannot be said: `spawn`
/// counts, and it counts before the task exists.
#[test]
fn rule_03_a_task_counts_before_it_exists_however_deep() {
    fn tree<'scope>(s: &'scope wg::Scope<'scope, '_>, depth: u32, roll: &'scope Roll) {
        let _inside = roll.enter();
        if depth > 0 {
            for _ in 0..2 {
                s.spawn(move || tree(s, depth - 1, roll));
            }
        }
    }

    let nodes = ends(|| {
        let roll = Roll::default();
        wg::scope(|s| {
            s.spawn(|| tree(s, 9, &roll));
        });
        roll.all_left()
    });
    assert_eq!(nodes, (1 << 10) - 1);
}

/// The same for members that no scope can see: the token is made by who counts, and goes along.
#[test]
fn rule_23_a_member_counts_before_its_thread_exists() {
    let ended = ends(|| {
        let (group, ended) = (Arc::new(WaitGroup::new()), Arc::new(AtomicUsize::new(0)));
        for _ in 0..20 {
            let (token, ended) = (group.owned_token(), Arc::clone(&ended));
            thread::spawn(move || {
                ended.fetch_add(1, Relaxed);
                drop(token);
            });
        }
        group.wait();
        ended.load(Relaxed)
    });
    assert_eq!(ended, 20);
}

/// etcd#6534, cockroach#4395, cockroach#7057, kubernetes#28153: new work arrives, and is counted,
/// while the shutdown waits for zero. Who is let in is waited for, who is not is told.
#[test]
fn rule_02_work_that_arrives_during_a_shutdown_is_waited_for_or_refused() {
    ends(|| {
        for _ in 0..50 {
            let (group, roll) = (WaitGroup::new(), Roll::default());
            let (both, down) = (Barrier::new(3), AtomicBool::new(false));
            thread::scope(|threads| {
                for _ in 0..2 {
                    threads.spawn(|| {
                        both.wait();
                        loop {
                            match group.try_token() {
                                Ok(_admitted) => {
                                    assert!(!down.load(SeqCst), "it was waited for");
                                    drop(roll.enter());
                                }
                                Err(refused) => {
                                    assert_eq!(refused, TryTokenError::Closed);
                                    break;
                                }
                            }
                        }
                    });
                }
                both.wait();
                group.close();
                group.wait();
                down.store(true, SeqCst);
                roll.all_left();
            });
        }
    });
}

/// tendermint#985, go-winio#29: the group is used for a second round before all who waited for the
/// first have returned. Rounds do not mix: nobody is kept from returning, nothing panics.
#[test]
fn rule_25_a_second_round_does_not_disturb_those_who_waited_for_the_first() {
    const ROUNDS: usize = 200;

    ends(|| {
        let group = WaitGroup::new();
        let (start, done) = (Barrier::new(4), AtomicUsize::new(0));
        thread::scope(|threads| {
            for _ in 0..3 {
                threads.spawn(|| {
                    for round in 0..ROUNDS {
                        start.wait();
                        group.wait();
                        assert!(done.load(SeqCst) > round, "the round is over");
                    }
                });
            }
            for _ in 0..ROUNDS {
                let token = group.token();
                start.wait();
                until(|| group.waiters() == 3);
                done.fetch_add(1, SeqCst);
                drop(token);
                // The next round begins at once, whoever is still on his way out of this one.
            }
        });
        assert_eq!(group.count(), 0);
    });
}

/// moby#25384: `Wait` inside the loop that starts the members, which waits for all `n` of them when
/// one has been started. A join waits for the one task it is of, wherever it stands.
#[test]
fn rule_02_waiting_inside_the_loop_waits_for_what_was_started() {
    let joined = ends(|| {
        let plugins = ["a", "b", "c", "d", "e"];
        wg::scope(|s| plugins.map(|plugin| s.spawn(move || plugin.to_uppercase()).join()).concat())
    });
    assert_eq!(joined, "ABCDE");
}

/// cockroach#1055, cockroach#1462: an early return, a panic, or a goroutine that is stuck never
/// calls `Done`. However a task ends, it is counted out.
#[test]
fn rule_02_a_task_is_counted_out_however_it_ends() {
    ends(|| {
        let roll = Roll::default();
        let (spawned, errors) = wg::options().catch_panics().collect_scope(|s| {
            for n in 0..30 {
                let roll = &roll;
                s.spawn(move || {
                    let _inside = roll.enter();
                    match n % 3 {
                        0 => return Err("early"),
                        1 => bang(n),
                        _ => {}
                    }
                    Ok(())
                });
            }
            s.counts().spawned
        });
        assert_eq!((spawned, errors.len(), roll.all_left()), (30, 20, 30));

        let group = WaitGroup::new();
        let token = group.token();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _member = token;
            bang(1462)
        }));
        assert!(panicked.is_err());
        group.wait();
    });
}

/// decred/gominer#55 and golang/go#28123: `Done` once too often, there by a second Ctrl-C, here by a
/// copied group. A token ends once, and a group is not copied
/// (`ui/fail/a_token_is_ended_twice.rs`, `a_wait_group_is_copied.rs`). Where Go's type is wanted bit
/// for bit, it is an error and not a crash.
#[test]
fn rule_28_done_once_too_often_is_an_error_where_it_can_be_said() {
    let group = wg::raw::WaitGroup::new();
    group.add(1).unwrap();
    group.done().unwrap();
    assert_eq!(group.done(), Err(Misuse::NegativeCounter));
}

/// cockroach#86: a WaitGroup as a lock or a latch. What is wanted there is one task that waits for
/// another, which is `join`; or many for one, which is a group with one member.
#[test]
fn rule_23_many_may_wait_for_one() {
    let ready = ends(|| {
        let (latch, value, ready) = (WaitGroup::new(), AtomicUsize::new(0), AtomicUsize::new(0));
        let starting = latch.token();
        wg::scope(|s| {
            for _ in 0..8 {
                s.spawn(|| {
                    latch.wait();
                    ready.fetch_add(value.load(Relaxed), Relaxed);
                });
            }
            s.spawn(|| {
                until(|| latch.waiters() == 8);
                value.store(1, Relaxed);
                drop(starting);
            });
        });
        ready.into_inner()
    });
    assert_eq!(ready, 8);
}

/// etcd#5459: a function returns early and what it started goes on. Cannot be said:
/// the only way out of a function is behind the end of its scope.
#[test]
fn rule_01_an_early_return_leaves_no_task_behind() {
    fn serve(roll: &Roll) -> Result<(), &'static str> {
        wg::try_scope(|s| {
            for _ in 0..4 {
                s.task("send loop").spawn(|| {
                    let _inside = roll.enter();
                    Ok(s.sleep(FOR_EVER)?)
                });
            }
            until(|| roll.entered() == 4);
            Err("no listener")?;
            Ok(s.sleep(FOR_EVER)?)
        })
    }

    ends(|| {
        let roll = Roll::default();
        assert_eq!(serve(&roll), Err("no listener"));
        assert_eq!(roll.all_left(), 4);
    });
}
