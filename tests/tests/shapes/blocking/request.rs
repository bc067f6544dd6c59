//! Requests: one side asks, the other answers, and one of them has stopped listening.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use wg::{Cause, NoResult};
use wg_tests::until;

use crate::{FOR_EVER, Roll, ends};

/// kubernetes#5316, and "Timeout" of Go's leak tests: the parent stops waiting for the answer after
/// a while, and the child, which sends it later, stays. Here the late answer waits in memory, or is
/// dropped with the outlet; delivering blocks nobody.
#[test]
fn rule_16_an_answer_that_comes_after_its_timeout_strands_nobody() {
    ends(|| {
        let roll = Roll::default();
        let (finish, unfinished) = channel::<()>();
        wg::scope(|s| {
            let answers = s.results();
            let roll = &roll;
            answers.task("request").spawn(move || {
                let _inside = roll.enter();
                unfinished.recv().map(|()| "late").unwrap()
            });
            until(|| roll.entered() == 1);
            assert_eq!(answers.recv_timeout(Duration::from_millis(2)), Err(NoResult::NotYet));
            drop(answers);
            finish.send(()).unwrap();
        });
        assert_eq!(roll.all_left(), 1);
    });
}

/// The same with a handle: the wait times out and gives the handle back, so that nobody can forget
/// that there is still a task. Who is meant is in the report.
#[test]
fn rule_22_a_join_that_times_out_leaves_the_task_with_its_scope() {
    ends(|| {
        let (finish, unfinished) = channel::<()>();
        let answer = wg::scope(|s| {
            let request = s.task("request").spawn(move || unfinished.recv().map(|()| "late"));
            let Err(request) = request.join_timeout(Duration::from_millis(2)) else {
                panic!("it waits for its message");
            };
            let report = s.wait_timeout(Duration::from_millis(2)).unwrap_err();
            assert!(report.to_string().starts_with("1 task alive: request#0 spawned at "));
            finish.send(()).unwrap();
            request.join()
        });
        assert_eq!(answer, Ok("late"));
    });
}

/// kubernetes#70277, kubernetes#85017, and "DoubleSend": the child sends twice, error and result,
/// and the parent reads once. Cannot be said: a task has one outcome. That a handle cannot be joined
/// twice either is in `ui/fail/a_task_is_joined_twice.rs`.
#[test]
fn rule_16_a_task_delivers_once_whichever_way_it_ends() {
    let (values, failed) = ends(|| {
        let (values, errors) = wg::collect_scope(|s| {
            let answers = s.results();
            for n in 0..100 {
                answers.spawn(move || if n % 4 == 0 { Err("refused") } else { Ok(n) });
            }
            answers.as_completed().count()
        });
        (values, errors.len())
    });
    assert_eq!((values, failed), (75, 25));
}

/// etcd#6857: a request to a loop that has stopped, which nobody answers any more. The request is
/// refused, with the reason.
#[test]
fn rule_19_a_request_to_a_loop_that_has_stopped_is_refused() {
    ends(|| {
        wg::scope(|s| {
            let node = s.workers(1, |request: &str| request.len()).inlet_of(1);
            let status = node.inlet();
            s.cancel("stopped");
            let refused = status.send("status").unwrap_err();
            assert_eq!(refused.cause(), &Cause::Asked("stopped".into()));
            assert_eq!(status.try_send("status").unwrap_err().into_job(), "status");
        });
    });
}

/// kubernetes#70277: a poller that goes on until a channel is closed that nobody closes. Its wait is
/// the scope's, which the scope's end by error ends.
#[test]
fn rule_02_a_poller_ends_when_the_body_gives_up() {
    let polls = ends(|| {
        let polls = Roll::default();
        let failed = wg::try_scope(|s| {
            s.task("poller").spawn(|| {
                while s.sleep(Duration::from_micros(10)).is_ok() {
                    drop(polls.enter());
                }
                Ok(())
            });
            until(|| polls.entered() > 3);
            Err::<(), _>("the condition cannot come true")
        });
        assert_eq!(failed, Err("the condition cannot come true"));
        polls.all_left()
    });
    assert!(polls > 3);
}

/// "MethodContractViolation": an object with workers is started and its `Stop` is forgotten. A pool
/// has nothing that could be forgotten: dropping it closes it, and what was sent is handled.
#[test]
fn rule_16_a_pool_that_is_dropped_is_a_pool_that_is_stopped() {
    let handled = ends(|| {
        let handled = Mutex::new(0);
        wg::scope(|s| {
            let pool = s.workers(2, |job: u32| *handled.lock().unwrap() += job);
            for _ in 0..8 {
                pool.send(1).unwrap();
            }
        });
        handled.into_inner().unwrap()
    });
    assert_eq!(handled, 8);
}

/// moby#27782, cockroach#13755: a watcher waits for an event that only a forgotten `Close` makes.
/// wg does not close behind one's back: a normal return waits (rule 3). Instead of a silent leak
/// there is a scope that tells whom it waits for, and one word that ends it.
#[test]
fn rule_22_a_watcher_that_nobody_ends_is_named_and_a_word_ends_it() {
    ends(|| {
        wg::options().name("query").scope(|s| {
            s.task("await_done").spawn(|| s.sleep(FOR_EVER));
            let rows = s.spawn(|| 3).join();
            let report = s.wait_timeout(Duration::from_millis(2)).unwrap_err().to_string();
            assert!(report.starts_with("1 task alive in `query`: await_done#0 "), "{report}");
            s.cancel("the query is over");
            assert_eq!(rows, 3);
        });
    });
}
