//! Handles and tokens, each made from the other.

use std::future::pending;

use tokio_util::sync::CancellationToken;
use wg::{Cancel, Cause};

use super::on_each;

#[test]
fn rule_18_a_token_cancels_a_scope_and_the_scope_not_the_token() {
    on_each(|| async {
        let token = CancellationToken::new();
        let stop = Cancel::from(token.clone());
        let why = wg::options().cancel(&stop).tokio().scope(async |s| {
            let task = s.spawn(pending::<()>());
            token.cancel();
            task.await.unwrap_err().cause().clone()
        });
        assert!(matches!(why.await, Cause::Asked(_)));
        let token = CancellationToken::new();
        assert!(Cancel::from(token.clone()).cancel("alone"));
        assert!(!token.is_cancelled());
    });
}

#[test]
fn rule_18_what_is_cancelled_already_makes_what_is_cancelled() {
    let token = CancellationToken::new();
    token.cancel();
    assert!(Cancel::from(token).is_cancelled());
    let stop = Cancel::new();
    stop.cancel("before");
    assert!(CancellationToken::from(&stop).is_cancelled());
}

#[test]
fn rule_18_a_child_token_that_only_the_handle_holds_is_reached_from_its_parent() {
    let parent = CancellationToken::new();
    let handles: Vec<_> = (0..100).map(|_| Cancel::from(parent.child_token())).collect();
    assert!(handles.iter().all(|handle| !handle.is_cancelled()));
    parent.cancel();
    assert!(handles.iter().all(Cancel::is_cancelled));
}

#[test]
fn rule_18_many_handles_listen_to_one_token_and_leave_it_one_by_one() {
    let token = CancellationToken::new();
    let mut handles: Vec<_> = (0..100).map(|_| Cancel::from(token.clone())).collect();
    for n in (0..100).step_by(3).rev() {
        handles.swap_remove(n);
    }
    token.cancel();
    assert!(handles.iter().all(Cancel::is_cancelled));
}

#[test]
fn a_handle_that_is_gone_leaves_nothing_with_the_token() {
    // What is seen here is that a clone listens on. What would be left behind after the last one is
    // memory, which is for the run with LeakSanitizer to see.
    let parent = CancellationToken::new();
    let child = parent.child_token();
    let heard = child.clone();
    let handle = Cancel::from(child);
    let scope = handle.clone();
    drop(handle);
    heard.cancel();
    assert!(scope.is_cancelled(), "a clone listens on");
    drop((scope, heard));
    parent.cancel();
}

#[test]
fn rule_18_a_handle_cancels_its_token_and_the_token_not_the_handle() {
    on_each(|| async {
        let stop = Cancel::new();
        let token = CancellationToken::from(&stop);
        let waits = tokio::spawn(token.child_token().cancelled_owned());
        stop.cancel("enough");
        waits.await.unwrap();
        let stop = Cancel::new();
        let token = CancellationToken::from(&stop);
        token.cancel();
        assert!(!stop.is_cancelled() && stop.cancel("later"));
    });
}

#[test]
fn rule_18_a_scope_cancels_the_token_of_its_handle() {
    on_each(|| async {
        let token = wg::tokio::scope(async |s| {
            let token = CancellationToken::from(&s.canceller());
            let its = token.clone();
            // Something of tokio-util's in a task, and not the scope's drop, is what ends it.
            let task = s.spawn(async move { its.is_cancelled() });
            assert!(!task.join().await);
            s.cancel("enough");
            token
        });
        assert!(token.await.is_cancelled());
    });
}
