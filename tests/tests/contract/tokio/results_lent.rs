//! Tasks on a runtime that read results in a slot of a scope with a limit.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use futures::{FutureExt, StreamExt};
use tokio::task::yield_now;
use wg::tokio::Scope;

use super::on_each;

#[test]
fn rule_11_tasks_that_spawn_and_read_complete_at_any_limit_and_take_no_slot_beyond_it() {
    for limit in [1, 2, 3] {
        on_each(async || {
            let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let counts = (Arc::clone(&now), Arc::clone(&most));
            let sums = wg::options().limit(limit).tokio().scope(async |s| {
                let tasks = s.spawn_all((0..4).map(|_| {
                    let (inner, (now, most)) = (s.clone(), counts.clone());
                    async move {
                        let results = inner.results();
                        for n in 0..50 {
                            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
                            results.spawn(async move {
                                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                                for _ in 0..n % 3 {
                                    yield_now().await;
                                }
                                now.fetch_sub(1, SeqCst);
                                n
                            });
                        }
                        results.fold(0, |sum, (_, n)| async move { sum + n }).await
                    }
                }));
                let mut sums = Vec::new();
                for task in tasks {
                    sums.push(task.join().await);
                }
                sums
            });
            assert_eq!(sums.await, [1_225; 4]);
            assert_eq!(now.load(SeqCst), 0);
            assert!(most.load(SeqCst) <= limit, "{} at a limit of {limit}", most.load(SeqCst));
        });
    }
}

/// Counts the nodes of a binary tree, each of which reads of its branches.
fn count(s: &Scope, depth: usize) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    let s = s.clone();
    async move {
        if depth == 0 {
            return 1;
        }
        let results = s.results();
        for _ in 0..2 {
            results.spawn(count(&s, depth - 1));
        }
        1 + results.fold(0, |sum, (_, n)| async move { sum + n }).await
    }
    .boxed()
}

#[test]
fn rule_11_readers_within_readers_complete_at_limit_1() {
    for limit in [1, 2, 3] {
        on_each(async || {
            let nodes = wg::options().limit(limit).tokio().scope(async |s| {
                let root = count(&s, 9);
                s.spawn(root).join().await
            });
            assert_eq!(nodes.await, 1_023);
        });
    }
}

/// A chain of readers, each of one task.
fn chain(s: &Scope, left: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    let s = s.clone();
    async move {
        if left == 0 {
            return 0;
        }
        let mut results = s.results();
        results.spawn(chain(&s, left - 1));
        1 + results.recv().await.unwrap().1
    }
    .boxed()
}

#[test]
fn rule_11_a_chain_of_readers_may_be_longer_than_the_stack() {
    on_each(async || {
        let long = wg::options().limit(1).tokio().scope(async |s| {
            let first = chain(&s, 2_000);
            s.spawn(first).join().await
        });
        assert_eq!(long.await, 2_000);
    });
}

#[test]
fn rule_18_a_cancel_reaches_what_goes_on_in_a_lent_slot() {
    on_each(async || {
        wg::options()
            .limit(1)
            .tokio()
            .scope(async |s| {
                let inner = s.clone();
                drop(s.spawn(async move {
                    let results = inner.results();
                    let canceller = inner.clone();
                    results.spawn(async move {
                        canceller.cancel("enough");
                        std::future::pending::<()>().await;
                    });
                    assert_eq!(results.count().await, 0);
                }));
            })
            .await;
    });
}
