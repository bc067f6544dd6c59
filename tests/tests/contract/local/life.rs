//! The life of a scope: from its first poll to its last drop.

use std::future::pending;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{BoxFuture, join_all};
use wg::local;
use wg_tests::{Bang, bang, caught};

#[test]
fn rule_01_a_scope_is_ready_when_every_task_has_ended() {
    let ran = AtomicUsize::new(0);
    block_on(local::scope(async |s| {
        for _ in 0..100 {
            let inner = s.clone();
            let ran = &ran;
            drop(s.spawn(async move {
                ran.fetch_add(1, SeqCst);
                drop(inner.spawn(async move { ran.fetch_add(1, SeqCst) }));
            }));
        }
    }));
    assert_eq!(ran.into_inner(), 200);
}

#[test]
fn rule_05_the_first_panic_is_resumed_and_the_others_are_dropped() {
    let bang: Bang = caught(|| {
        block_on(local::scope(async |s| {
            drop(s.spawn(pending::<()>()));
            drop(s.spawn(async { bang(3) }));
            pending::<()>().await;
        }));
    });
    assert_eq!(bang.0, 3);
}

#[test]
fn rule_11_tasks_join_each_other_at_a_limit_of_one() {
    fn fibonacci(s: local::Scope<'_>, n: u64) -> BoxFuture<'_, u64> {
        Box::pin(async move {
            if n < 2 {
                return n;
            }
            let left = s.spawn(fibonacci(s.clone(), n - 1));
            let right = s.spawn(fibonacci(s.clone(), n - 2));
            left.join().await + right.join().await
        })
    }
    for limit in [1, 2, 3, 64] {
        let result = block_on(
            wg::options()
                .limit(limit)
                .local()
                .scope(async |s| s.spawn(fibonacci(s.clone(), 12)).join().await),
        );
        assert_eq!(result, 144);
    }
}

#[test]
fn rule_11_a_task_awaits_many_at_once_at_a_limit_of_one() {
    let sum = block_on(wg::options().limit(1).local().scope(async |s| {
        let inner = s.clone();
        s.spawn(async move {
            let tasks = inner.spawn_all((0..100).map(|n| async move { n }));
            join_all(tasks).await.into_iter().map(|n| n.unwrap()).sum::<i32>()
        })
        .join()
        .await
    }));
    assert_eq!(sum, 4950);
}

#[test]
fn rule_21_a_deadline_drops_what_is_pending_and_is_its_own_cause() {
    let options = wg::options().timeout(Duration::from_millis(2));
    let cause = block_on(options.local().scope(async |s| {
        let endless = s.spawn(pending::<()>());
        assert!(endless.await.unwrap_err().cause().is_deadline());
        s.cancelled_by()
    }));
    assert!(cause.unwrap().is_deadline());
}

#[test]
fn the_future_of_a_scope_is_send_when_its_parts_are() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let text = String::from("borrowed");
    let scope = is_send(local::scope(async |s| {
        let task = s.spawn(async { text.len() });
        task.join().await
    }));
    assert_eq!(block_on(scope), 8);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let spawned = runtime.spawn(local::scope(async |s| s.spawn(async { 1 }).join().await));
    assert_eq!(runtime.block_on(spawned).unwrap(), 1);
    let spawned = runtime.spawn(wg::tokio::scope(async |s| s.spawn(async { 1 }).join().await));
    assert_eq!(runtime.block_on(spawned).unwrap(), 1);
}

#[test]
fn rule_24_a_handle_whose_output_was_taken_says_that_its_task_has_ended() {
    block_on(local::scope(async |s| {
        let mut task = s.spawn(async { 7 });
        assert!(!task.is_finished());
        assert_eq!((&mut task).await, Ok(7));
        assert!(task.is_finished());
    }));
}
