//! How streams of a fan-out of futures end: by cancels, panics and drops.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::mem::forget;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use futures::task::noop_waker;
use wg::{Policy, local};
use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught};

/// Is ready when it has been polled so often.
async fn after(polls: usize) {
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&noop_waker()))
}

#[test]
fn rule_01_one_that_is_forgotten_or_kept_too_long_holds_nobody_up() {
    let begun = AtomicUsize::new(0);
    let kept = block_on(local::scope(async |s| {
        let begun = &begun;
        let count = move |n: usize| async move {
            begun.fetch_add(1, SeqCst);
            n
        };
        forget(s.fan_out(0..1000).limit(4).as_completed(count));
        forget(s.fan_out(0..0).in_order(count));
        s.fan_out(0..1000).limit(3).in_order(count)
    }));
    assert_eq!(begun.load(SeqCst), 7);
    // What is there is there. The scope has ended, so nothing more comes.
    let mut kept = pin!(kept);
    let rest: Vec<_> = block_on(kept.as_mut().collect());
    assert_eq!((rest, begun.load(SeqCst)), (vec![0, 1, 2], 7));
}

#[test]
fn rule_19_a_reader_that_waits_is_woken_by_a_cancel_a_deadline_and_a_panic() {
    let begun = AtomicUsize::new(0);
    let read = block_on(local::scope(async |s| {
        let (begun, its) = (&begun, s.clone());
        let stream = s.fan_out(0..10).limit(2).as_completed(move |n| {
            let its = its.clone();
            async move {
                begun.fetch_add(1, SeqCst);
                if n == 1 {
                    its.cancel("enough");
                }
                pending::<()>().await
            }
        });
        stream.count().await
    }));
    assert_eq!((read, begun.into_inner()), (0, 2));
    let late = wg::options().timeout(Duration::from_millis(1)).local();
    let late = late.try_scope(async |s| {
        let read = s.fan_out(0..1000).limit(1).in_order(async |_| pending::<()>().await);
        read.count().await;
        Ok::<_, std::io::Error>(s.cancelled_by().unwrap().is_deadline())
    });
    assert!(block_on(late).unwrap());
    for limit in [1, 3] {
        let first: Bang = caught(|| {
            block_on(local::scope(async |s| {
                let items = s.fan_out(0..1000).limit(limit);
                items.in_order(async |n| if n == 1 { bang(730) } else { n }).count().await
            }))
        });
        assert_eq!(first, Bang(730));
    }
}

#[test]
fn rule_05_an_item_whose_panic_was_caught_leaves_a_gap() {
    for limit in [1, 2, 5] {
        let options = wg::options().catch_panics().policy(Policy::collect_all());
        block_on(options.local().scope(async |s| {
            let work = async |n: usize| {
                after(n % 4).await;
                if n % 3 == 0 { bang(731) } else { n }
            };
            let kept: Vec<_> = (0..100).filter(|n| n % 3 != 0).collect();
            let ordered = s.fan_out(0..100).limit(limit).in_order(work);
            assert_eq!(ordered.collect::<Vec<_>>().await, kept);
            let all = s.fan_out(0..100).limit(limit).as_completed(work).map(|(_, n)| n);
            assert!(all.collect::<BTreeSet<_>>().await.into_iter().eq(kept));
        }));
    }
}

#[test]
fn rule_05_a_panic_of_the_iterator_is_the_scopes() {
    for (at, limit) in [(0, 1), (1, 3), (20, 2)] {
        let items = || {
            (0..).inspect(move |&n| {
                if n == at {
                    bang(732)
                }
            })
        };
        let payload: Bang = caught(|| {
            block_on(local::scope(async |s| {
                s.fan_out(items()).limit(limit).in_order(async |n| n).count().await
            }))
        });
        assert_eq!(payload, Bang(732));
        let options = wg::options().catch_panics().policy(Policy::collect_all());
        let read =
            block_on(options.local().scope(async |s| {
                s.fan_out(items()).limit(limit).in_order(async |n| n).count().await
            }));
        assert_eq!(read, at);
    }
}

#[test]
fn rule_05_a_caught_panic_of_a_streams_item_is_a_failure_of_its_try_scope() {
    let options = wg::options().catch_panics().local();
    let failed = block_on(options.try_scope(async |s| {
        let work = async |n| if n == 4 { bang(4) } else { n };
        let kept = s.fan_out(0..10).limit(2).as_completed(work).map(|(_, n)| n);
        assert!(!kept.collect::<Vec<usize>>().await.contains(&4));
        Ok::<_, String>(())
    }));
    assert!(failed.unwrap_err().contains("fan_out#4"));
    let (kept, errors) = block_on(options.collect_scope(async |s| {
        let _: &local::TryScope<'_, String> = &s;
        s.fan_out(0..10).limit(2).in_order(async |n| if n == 4 { bang(4) } else { n }).count().await
    }));
    assert_eq!((kept, errors.len()), (9, 1));
}

#[test]
fn rule_01_bombs_among_items_and_results_take_nothing_with_them() {
    for take in [0, 1, 5] {
        let _: Boom = caught(|| {
            block_on(local::scope(async |s| {
                let mut stream = s.fan_out(0..20).limit(3).as_completed(async |n| Bomb::new(n));
                for _ in 0..take {
                    forget(stream.next().await);
                }
                after(10).await;
                drop(stream);
            }))
        });
    }
    let _: Boom = caught(|| {
        block_on(local::scope(async |s| {
            // Of the iterator, with the stream.
            let bomb = Bomb::new(0);
            let items = (0..20).inspect(move |_| _ = &bomb);
            let stream = s.fan_out(items).limit(3).in_order(async |n| n);
            assert_eq!(stream.take(2).count().await, 2);
        }))
    });
    for early in [true, false] {
        let (bomb, other) = (Bomb::new(0), Bomb::new(1));
        let _: Boom = caught(move || {
            block_on(local::scope(async move |s| {
                let weight = move |_: &usize| {
                    let _held = &other;
                    1
                };
                let stream = s.fan_out(0..5).budget(9, weight).in_order(move |n| {
                    let _held = &bomb;
                    async move { n }
                });
                let taken = stream.take(if early { 2 } else { 9 }).count().await;
                assert_eq!(taken, if early { 2 } else { 5 });
            }))
        });
    }
}

#[test]
fn rule_24_dropping_the_scopes_future_drops_items_and_results() {
    let (items, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let vec: Vec<_> = (0..10).map(|n| (n, Counted(&items))).collect();
    let mut scope = Box::pin(local::scope(async |s| {
        let results = &results;
        let mut stream = s.fan_out(vec).limit(5).in_order(move |(n, held)| async move {
            let _held = held;
            if n == 1 {
                pending::<()>().await;
            }
            Counted(results)
        });
        while stream.next().await.is_some() {}
    }));
    for _ in 0..10 {
        assert!(poll_once(scope.as_mut()).is_pending());
    }
    // One was taken, one is pending, and four are held back.
    assert_eq!((items.load(SeqCst), results.load(SeqCst)), (5, 1));
    drop(scope);
    assert_eq!((items.into_inner(), results.into_inner()), (10, 5));
}
