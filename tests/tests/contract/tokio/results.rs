//! Results of futures on a runtime: what comes out, and when it ends.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use futures::StreamExt;
use futures::channel::oneshot;
use wg::{Cause, NoResult};
use wg_tests::{Bang, Bomb, Boom, bang, caught};

use super::on_each;

#[test]
fn rule_16_whoever_spawns_and_reads_in_one_place_does_not_lock_itself_up() {
    for limit in [1, 2, 3] {
        on_each(async || {
            let read = wg::options().limit(limit).tokio().scope(async |s| {
                let results = s.results();
                for n in 0..500 {
                    results.spawn(async move { n });
                }
                results.collect::<BTreeSet<(usize, usize)>>().await
            });
            assert!(read.await.into_iter().eq((0..500).map(|n| (n, n))));
        });
    }
}

#[test]
fn rule_16_it_ends_exactly_when_the_last_task_has_ended() {
    on_each(async || {
        wg::tokio::scope(async |s| {
            let mut results = s.results();
            for round in 0..200 {
                let more = results.spawner();
                results.spawn(async move {
                    tokio::task::yield_now().await;
                    more.spawn(async move { round });
                    round
                });
                // On two threads the second may be through before the first.
                let both = results.by_ref().collect::<BTreeSet<(usize, usize)>>().await;
                assert!(both.into_iter().eq([(2 * round, round), (2 * round + 1, round)]));
            }
        })
        .await;
    });
}

#[test]
fn rule_16_without_a_receiver_what_has_not_begun_is_dropped() {
    on_each(async || {
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        wg::options()
            .limit(1)
            .tokio()
            .scope(async move |s| {
                let (send, receive) = oneshot::channel::<()>();
                let (tell, told) = oneshot::channel::<()>();
                let results = s.results();
                results.spawn(async move {
                    tell.send(()).unwrap();
                    receive.await.unwrap();
                });
                for _ in 0..10 {
                    let counted = Arc::clone(&counted);
                    results.spawn(async move {
                        counted.fetch_add(1, SeqCst);
                    });
                }
                told.await.unwrap();
                drop(results);
                send.send(()).unwrap();
                assert_eq!(s.spawn(async { "not touched" }).join().await, "not touched");
            })
            .await;
        assert_eq!(begun.load(SeqCst), 0);
        assert_eq!(Arc::strong_count(&begun), 1, "they were dropped");
    });
}

#[test]
fn rule_01_a_panic_in_the_drop_of_what_was_not_taken_is_the_tasks() {
    let _: Boom = caught(|| {
        on_each(async || {
            wg::tokio::scope(async |s| {
                let results = s.results();
                results.spawn(async { Bomb::new(1) });
                s.wait_timeout(std::time::Duration::from_secs(3600)).await.unwrap();
            })
            .await;
        });
    });
}

#[test]
fn rule_05_a_panic_ends_the_reading_and_is_resumed() {
    let bang: Bang = caught(|| {
        on_each(async || {
            wg::tokio::scope(async |s| {
                let mut results = s.results();
                results.spawn(pending::<()>());
                results.spawn(async { bang(6) });
                assert_eq!(results.next().await, None);
            })
            .await;
        });
    });
    assert_eq!(bang.0, 6);
}

#[test]
fn rule_06_an_error_goes_to_the_scope() {
    on_each(async || {
        let error = wg::tokio::try_scope(async |s| {
            let results = s.try_results();
            results.spawn(async { Err::<(), _>(String::from("bad")) });
            results.spawn(pending());
            Ok(results.count().await)
        });
        assert_eq!(error.await, Err(String::from("bad")));
    });
}

#[test]
fn rule_19_a_cancel_ends_the_reading_and_tells_why() {
    on_each(async || {
        wg::tokio::scope(async |s| {
            let mut results = s.results::<()>();
            results.spawn(pending());
            let canceller = s.canceller();
            drop(s.spawn(async move { canceller.cancel("enough") }));
            match results.recv().await {
                Err(NoResult::Stopped(stopped)) => {
                    assert_eq!(stopped.cause(), &Cause::Asked("enough".into()));
                }
                // The task may have been dropped by then.
                other => assert_eq!(other, Err(NoResult::Ended)),
            }
        })
        .await;
    });
}

#[test]
fn rule_23_a_task_on_the_runtime_may_read() {
    on_each(async || {
        let sum = tokio::spawn(wg::tokio::scope(async |s| {
            let mut results = s.results();
            let more = results.spawner();
            results.spawn(async move {
                for n in 1..=10 {
                    more.spawn(async move { n });
                }
                0
            });
            let reader = s.spawn(async move {
                let mut sum = 0;
                while let Ok((_, n)) = results.recv().await {
                    sum += n;
                }
                sum
            });
            reader.join().await
        }));
        assert_eq!(sum.await.unwrap(), 55);
    });
}
