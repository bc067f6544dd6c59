//! Environments and items that are lent to tasks, and come back.

use std::future::pending;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use wg_tests::{Bang, bang, caught, payload};

use super::{Census, on_each, runtimes};

#[test]
fn an_environment_comes_back_with_what_the_tasks_did() {
    on_each(|| async {
        let (sum, result) = wg::tokio::scope_with(AtomicUsize::new(0), async |s, sum| {
            for n in 1..=100 {
                let (its, sum) = (s.clone(), sum.clone());
                drop(s.spawn(async move {
                    drop(its.spawn_blocking(move || sum.fetch_add(n, SeqCst)));
                }));
            }
            "body"
        })
        .await;
        assert_eq!((sum.into_inner(), result), (5050, "body"));
    });
}

#[test]
fn an_environment_comes_back_when_the_scope_is_cancelled_or_fails() {
    on_each(|| async {
        let (env, result) =
            wg::tokio::try_scope_with(vec![1, 2, 3], async |s, env: std::sync::Arc<Vec<i32>>| {
                let its = env.clone();
                drop(s.spawn(async move {
                    pending::<()>().await;
                    drop(its);
                    Ok(())
                }));
                let its = env.clone();
                drop(s.spawn(
                    async move { Err::<(), _>(std::io::Error::other(its.len().to_string())) },
                ));
                pending::<Result<(), _>>().await
            })
            .await;
        assert_eq!(env, [1, 2, 3]);
        assert_eq!(result.unwrap_err().to_string(), "3");
    });
}

#[test]
fn an_environment_that_is_kept_is_missed_with_a_clear_message() {
    for runtime in runtimes() {
        let census = Census::new();
        let scope = wg::tokio::scope_with(census.one(), async |_, env| env);
        let text = payload(|| runtime.block_on(scope));
        let text = text.downcast_ref::<String>().cloned().unwrap();
        assert!(text.starts_with("the environment of the scope at "), "{text}");
        assert!(text.contains("is still held") && text.contains("lend.rs"), "{text}");
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn rule_05_a_panic_costs_the_environment() {
    for runtime in runtimes() {
        let census = Census::new();
        let scope = wg::tokio::scope_with(census.one(), async |s, env| {
            let its = env.clone();
            drop(s.spawn(async move {
                let _its = its;
                bang(2)
            }));
        });
        assert_eq!(caught::<Bang, _>(|| runtime.block_on(scope)), Bang(2));
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn every_item_comes_back_changed_and_in_order() {
    on_each(|| async {
        let items: Vec<u64> = (0..1_000).collect();
        let changed = wg::options().limit(7).tokio().for_each_mut(items, |n| async move {
            if n % 3 == 0 {
                tokio::task::yield_now().await;
            }
            n * 2
        });
        assert!(changed.await.into_iter().eq((0..1_000).map(|n| n * 2)));
        let none = wg::tokio::for_each_mut(Vec::<u8>::new(), |n| async move { n });
        assert_eq!(none.await, []);
    });
}

#[test]
fn rule_05_a_panic_costs_the_items_and_drops_them() {
    for runtime in runtimes() {
        let census = Census::new();
        let items: Vec<_> = (0..10).map(|n| (n, census.one())).collect();
        let changed =
            wg::tokio::for_each_mut(items, async |item| if item.0 == 3 { bang(3) } else { item });
        assert_eq!(caught::<Bang, _>(|| runtime.block_on(changed)), Bang(3));
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn rule_21_a_deadline_that_costs_an_item_is_told() {
    for runtime in runtimes() {
        let options = wg::options().timeout(Duration::from_millis(1)).tokio();
        let seen = Mutex::new(0);
        let changed = options.for_each_mut(vec![1, 2], |n| {
            *seen.lock().unwrap() += n;
            pending()
        });
        let text = payload(|| runtime.block_on(changed));
        let text = text.downcast_ref::<String>().cloned().unwrap();
        assert!(text.contains("deadline"), "{text}");
        assert_eq!(seen.into_inner().unwrap(), 3);
    }
}
