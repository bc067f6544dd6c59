//! What the end of one task does to the others.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use wg::{Cause, Policy, Stopped};
use wg_tests::{Bang, bang, caught, payload, until};

type Text = String;

fn wins_if(number: usize, wins: bool) -> Result<usize, Text> {
    if wins { Ok(number) } else { Err(format!("{number} lost")) }
}

#[test]
fn rule_06_the_first_success_stops_the_rest_and_awaits_them() {
    let (stopped, won) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let done = wg::options().policy(Policy::first_success()).try_scope(|s| {
        for n in 0..10 {
            let (stopped, won) = (&stopped, &won);
            s.spawn(move || {
                if n == 7 {
                    until(|| s.counts().running == 10);
                    won.store(n, SeqCst);
                    return Ok(());
                }
                let told = s.sleep(Duration::MAX).unwrap_err();
                assert_eq!(told.cause(), &Cause::Decided);
                stopped.fetch_add(1, SeqCst);
                Err("too late".to_owned())
            });
        }
        Ok(())
    });
    assert_eq!(done, Ok(()));
    assert_eq!((stopped.into_inner(), won.into_inner()), (9, 7));
}

#[test]
fn rule_06_without_a_success_the_first_failure_comes_back() {
    let failed: Result<(), Text> =
        wg::options().limit(1).policy(Policy::first_success()).try_scope(|s| {
            for n in 0..3 {
                s.spawn(move || wins_if(n, false));
            }
            Ok(())
        });
    assert_eq!(failed, Err("0 lost".to_owned()));
}

#[test]
fn rule_06_without_any_task_there_are_too_few_successes() {
    let failed: Result<(), Stopped> =
        wg::options().policy(Policy::first_success()).try_scope(|_| Ok(()));
    assert_eq!(failed.unwrap_err().cause(), &Cause::TooFewSuccesses);
}

#[test]
fn rule_06_a_quorum_is_reached_although_some_fail() {
    let done: Result<(), Text> = wg::options().policy(Policy::quorum(3)).try_scope(|s| {
        for n in 0..5 {
            s.spawn(move || wins_if(n, n % 2 == 0));
        }
        Ok(())
    });
    assert_eq!(done, Ok(()));
}

#[test]
fn rule_06_a_quorum_that_is_reached_begins_nothing_more() {
    let begun = AtomicUsize::new(0);
    let done: Result<(), Text> = wg::options().limit(1).policy(Policy::quorum(3)).try_scope(|s| {
        for n in 0..100 {
            let begun = &begun;
            s.spawn(move || {
                begun.fetch_add(1, SeqCst);
                wins_if(n, true)
            });
        }
        Ok(())
    });
    assert_eq!(done, Ok(()));
    assert_eq!(begun.into_inner(), 3);
}

#[test]
fn rule_06_a_quorum_that_cannot_be_reached_says_so() {
    let too_few: Result<(), Stopped> = wg::options().policy(Policy::quorum(3)).try_scope(|s| {
        s.spawn(|| Ok(()));
        s.spawn(|| Ok(()));
        Ok(())
    });
    assert_eq!(too_few.unwrap_err().to_string(), "stopped: there were too few successes");

    let failed: Result<(), Text> = wg::options().policy(Policy::quorum(3)).try_scope(|s| {
        for n in 0..4 {
            s.spawn(move || wins_if(n, n != 2 && n != 3));
        }
        Ok(())
    });
    assert!(["2 lost", "3 lost"].contains(&&*failed.unwrap_err()));
}

#[test]
fn rule_06_a_failure_that_a_quorum_puts_up_with_does_not_hide_the_bodys_own() {
    let failed: Result<(), Text> = wg::options().policy(Policy::quorum(1)).try_scope(|s| {
        let lost = s.spawn(|| wins_if(0, false));
        until(|| lost.is_finished());
        drop(lost);
        s.spawn(|| wins_if(1, true));
        until(|| s.is_cancelled());
        Err("the body's own".to_owned())
    });
    assert_eq!(failed, Err("the body's own".to_owned()));
}

#[test]
fn rule_06_a_quorum_of_0_is_refused() {
    let refused = payload(|| Policy::quorum(0));
    assert!(refused.downcast_ref::<&str>().unwrap().contains("quorum of 0"));
}

#[test]
fn rule_06_the_predicate_sees_every_end_and_decides() {
    let seen = std::sync::Arc::new(AtomicUsize::new(0));
    let sees = std::sync::Arc::clone(&seen);
    let policy = Policy::until(move |tally| {
        sees.fetch_add(1, SeqCst);
        tally.values + tally.errors == 4 && tally.errors == 2
    });
    let ((), errors) = wg::options().limit(1).policy(policy).collect_scope(|s| {
        for n in 0..10 {
            s.spawn(move || wins_if(n, n % 2 == 0));
        }
    });
    assert_eq!(errors.len(), 2);
    assert_eq!((errors.cancelled(), errors.tasks()), (6, 10));
    assert_eq!(seen.load(SeqCst), 10);
}

#[test]
fn rule_05_a_predicate_that_panics_cancels_the_rest_and_comes_out() {
    let ended = AtomicUsize::new(0);
    let panicked: Bang = caught(|| {
        let policy = Policy::until(|tally| if tally.values == 2 { bang(80) } else { false });
        wg::options().limit(1).policy(policy).scope(|s| {
            for _ in 0..10 {
                s.spawn(|| ended.fetch_add(1, SeqCst));
            }
        });
    });
    assert_eq!(panicked, Bang(80));
    assert_eq!(ended.into_inner(), 2);
}

#[test]
fn rule_05_a_panic_stops_the_rest_under_every_policy_that_does_not_catch_it() {
    for policy in [Policy::fail_fast(), Policy::collect_all(), Policy::quorum(9)] {
        let panicked: Bang = caught(|| {
            let _: Result<(), Text> = wg::options().policy(policy).try_scope(|s| {
                s.spawn::<_, ()>(|| bang(81));
                until(|| s.is_cancelled());
                Ok(())
            });
        });
        assert_eq!(panicked, Bang(81));
    }
}

#[test]
fn rule_07_under_collect_all_a_try_scope_runs_everything_and_returns_the_first() {
    let ran = AtomicUsize::new(0);
    let failed: Result<(), Text> =
        wg::options().limit(1).policy(Policy::collect_all()).try_scope(|s| {
            for n in 0..20 {
                let ran = &ran;
                s.spawn(move || {
                    ran.fetch_add(1, SeqCst);
                    wins_if(n, n < 5)
                });
            }
            Ok(())
        });
    assert_eq!(failed, Err("5 lost".to_owned()));
    assert_eq!(ran.into_inner(), 20);
}
