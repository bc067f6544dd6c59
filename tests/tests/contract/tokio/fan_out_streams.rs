//! Results of a fan-out on a tokio runtime while it runs; fan-outs that grow, and budgets.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;
use tokio::task::yield_now;
use wg::{Policy, Stopped};
use wg_tests::{Bang, Bomb, Boom, bang};

/// A value that counts its drop in something that is shared.
struct Shared(Arc<AtomicUsize>);

impl Drop for Shared {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().build().unwrap(),
        Builder::new_multi_thread().worker_threads(4).build().unwrap(),
    ]
}

async fn work(n: usize) -> usize {
    for _ in 0..n * 7 % 11 {
        yield_now().await;
    }
    n
}

#[test]
fn rule_17_in_order_and_as_completed_give_every_result_once() {
    for runtime in runtimes() {
        for limit in [1, 2, 3, 50] {
            for count in [0, 1, 500] {
                runtime.block_on(wg::tokio::scope(async move |s| {
                    let ordered = s.fan_out(0..count).limit(limit).in_order(work);
                    assert!(ordered.collect::<Vec<_>>().await.into_iter().eq(0..count));
                    let all = s.fan_out(0..count).limit(limit).as_completed(work);
                    let mut all: Vec<_> = all.collect().await;
                    all.sort();
                    assert!(all.into_iter().eq((0..count).map(|n| (n, n))));
                }));
            }
        }
    }
}

#[test]
fn rule_16_many_items_flow() {
    for runtime in runtimes() {
        runtime.block_on(wg::tokio::scope(async |s| {
            for limit in [1, 16] {
                let mut stream = s.fan_out(0..20_000).limit(limit).in_order(async |n: u32| n);
                for n in 0..20_000 {
                    assert_eq!(stream.next().await, Some(n));
                }
                assert_eq!(stream.next().await, None);
            }
        }));
    }
}

#[test]
fn rule_16_no_more_are_pulled_and_not_taken_than_the_limit() {
    for runtime in runtimes() {
        for limit in [1, 2, 5] {
            let ahead = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
            let its = Arc::clone(&ahead);
            let source = (0..300_usize).inspect(move |_| {
                its.1.fetch_max(its.0.fetch_add(1, SeqCst) + 1, SeqCst);
            });
            let its = Arc::clone(&ahead);
            runtime.block_on(wg::tokio::scope(async move |s| {
                let mut results = s.fan_out(source).limit(limit).in_order(work);
                for taken in 1..=300 {
                    // A slow reader: it waits until as many are pulled as there is room for.
                    while its.0.load(SeqCst) < limit.min(300 + 1 - taken) {
                        yield_now().await;
                    }
                    its.0.fetch_sub(1, SeqCst);
                    results.next().await.unwrap();
                }
                assert_eq!(results.next().await, None);
            }));
            assert!(ahead.1.load(SeqCst) <= limit);
        }
    }
}

#[test]
fn rule_03_it_may_be_read_in_a_task_at_any_limit() {
    for runtime in runtimes() {
        for limit in [1, 2, 3, 7] {
            for inner in [1, 2, 9] {
                let options = wg::options().limit(limit).tokio();
                let sums = runtime.block_on(options.scope(async move |s| {
                    let tasks: Vec<_> = (0..6)
                        .map(|_| {
                            let its = s.clone();
                            s.spawn(async move {
                                let ordered = its.fan_out(0..50).limit(inner).in_order(work);
                                let ordered = ordered.fold(0, async |sum, n| sum + n).await;
                                let all = its.fan_out(0..50).limit(inner).as_completed(work);
                                ordered + all.fold(0, async |sum, (_, n)| sum + n).await
                            })
                        })
                        .collect();
                    let mut sums = Vec::new();
                    for task in tasks {
                        sums.push(task.join().await);
                    }
                    sums
                }));
                assert_eq!(sums, [2450; 6]);
            }
        }
    }
}

#[test]
fn rule_09_a_task_that_reads_keeps_the_limits() {
    for runtime in runtimes() {
        for (limit, inner) in [(1, 5), (2, 2), (3, 1)] {
            let crowd = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
            let its = Arc::clone(&crowd);
            let options = wg::options().limit(limit).tokio();
            runtime.block_on(options.scope(async move |s| {
                for _ in 0..3 {
                    let (scope, crowd) = (s.clone(), Arc::clone(&its));
                    drop(s.spawn(async move {
                        let items = scope.fan_out(0..50).limit(inner).in_order(move |n| {
                            let crowd = Arc::clone(&crowd);
                            async move {
                                crowd.1.fetch_max(crowd.0.fetch_add(1, SeqCst) + 1, SeqCst);
                                work(n).await;
                                crowd.0.fetch_sub(1, SeqCst);
                            }
                        });
                        assert_eq!(items.count().await, 50);
                    }));
                }
            }));
            assert!((1..=limit).contains(&crowd.1.load(SeqCst)));
        }
    }
}

/// When the scope has ended, nothing of it is left; whether the stream was read or not.
#[test]
fn rule_01_nothing_of_a_stream_is_dropped_after_the_scope() {
    for runtime in runtimes() {
        for round in 0..300 {
            let counts: [Arc<AtomicUsize>; 2] = Default::default();
            let [items, captures] = &counts;
            let vec: Vec<_> = (0..10).map(|_| Shared(Arc::clone(items))).collect();
            let capture = Shared(Arc::clone(captures));
            runtime.block_on(wg::tokio::scope(async move |s| {
                let stream = s.fan_out(vec).limit(1 + round % 4).as_completed(move |item| {
                    let _held = &capture;
                    async move {
                        yield_now().await;
                        drop(item);
                    }
                });
                assert_eq!(stream.take(round % 11).count().await, round % 11);
            }));
            assert_eq!((items.load(SeqCst), captures.load(SeqCst)), (10, 1));
        }
    }
}

#[test]
fn rule_05_a_panic_of_an_item_ends_the_stream_and_is_the_scopes() {
    for runtime in runtimes() {
        for limit in [1, 3] {
            let scope = wg::tokio::scope(async move |s| {
                let items = s.fan_out(0..).limit(limit);
                items.in_order(async |n: u32| if n == 50 { bang(750) } else { n }).count().await
            });
            let ended = runtime.block_on(AssertUnwindSafe(scope).catch_unwind());
            assert_eq!(*ended.unwrap_err().downcast::<Bang>().unwrap(), Bang(750));
        }
    }
}

#[test]
fn rule_19_a_cancel_from_an_item_ends_the_stream() {
    for runtime in runtimes() {
        for limit in [1, 4] {
            let read = runtime.block_on(wg::tokio::scope(async move |s| {
                let its = s.clone();
                let stream = s.fan_out(0..).limit(limit).as_completed(move |n: u32| {
                    let its = its.clone();
                    async move {
                        if n == 20 {
                            its.cancel("enough");
                            pending::<()>().await;
                        }
                        yield_now().await;
                    }
                });
                stream.count().await
            }));
            assert!(read <= 20 + limit, "{read}");
        }
    }
}

#[test]
fn rule_01_bombs_among_results_take_nothing_with_them() {
    for runtime in runtimes() {
        for take in [0, 3] {
            let scope = wg::tokio::scope(async move |s| {
                let mut stream = s.fan_out(0..20).limit(3).as_completed(async |n| Bomb::new(n));
                for _ in 0..take {
                    std::mem::forget(stream.next().await);
                }
                // One is there that nobody takes.
                while s.counts().running > 0 {
                    yield_now().await;
                }
            });
            let ended = runtime.block_on(AssertUnwindSafe(scope).catch_unwind());
            assert!(ended.unwrap_err().is::<Boom>());
        }
    }
}

#[test]
fn rule_24_dropping_the_scopes_future_ends_items_and_results() {
    for runtime in runtimes() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let its = Arc::clone(&dropped);
        runtime.block_on(async {
            let items: Vec<_> = (0..10).map(|_| Shared(Arc::clone(&its))).collect();
            let mut scope = Box::pin(wg::tokio::scope(async move |s| {
                let mut stream = s.fan_out(items).limit(3).in_order(|item| async move {
                    let _held = item;
                    pending::<()>().await;
                });
                stream.next().await
            }));
            assert!(futures::poll!(scope.as_mut()).is_pending());
            drop(scope);
            while dropped.load(SeqCst) < 10 {
                yield_now().await;
            }
        });
        assert_eq!(dropped.load(SeqCst), 10);
    }
}

#[test]
fn rule_03_a_tree_is_walked_whole_at_any_limit() {
    for runtime in runtimes() {
        for limit in [1, 2, 50] {
            let walk = wg::tokio::fan_out([1_usize]).limit(limit).grow(async |node, more| {
                work(node % 5).await;
                if node < 1024 {
                    more.extend([2 * node, 2 * node + 1]);
                }
                node
            });
            let mut nodes = runtime.block_on(walk);
            nodes.sort();
            assert!(nodes.into_iter().eq(1..2048));
        }
    }
}

#[test]
fn rule_12_an_item_that_waits_for_what_it_has_added_gets_it() {
    for runtime in runtimes() {
        for _ in 0..100 {
            let barrier = Arc::new(Barrier::new(4));
            let grow = wg::tokio::fan_out([0]).limit(4).grow(move |n: u32, more| {
                let barrier = Arc::clone(&barrier);
                async move {
                    if n < 3 {
                        // Also from elsewhere.
                        drop(tokio::spawn(async move { more.push(n + 1) }));
                    }
                    barrier.wait().await;
                    n
                }
            });
            assert_eq!(runtime.block_on(grow), [0, 1, 2, 3]);
        }
    }
}

#[test]
fn rule_06_an_error_ends_one_that_would_grow_for_ever() {
    for runtime in runtimes() {
        for limit in [1, 4] {
            let dropped = Arc::new(AtomicUsize::new(0));
            let made = Arc::new(AtomicUsize::new(0));
            let its = (Arc::clone(&made), Arc::clone(&dropped));
            let make = move |n: u32| {
                its.0.fetch_add(1, SeqCst);
                (n, Shared(Arc::clone(&its.1)))
            };
            let first = make(0);
            let grow = wg::tokio::fan_out([first]).limit(limit).try_grow(move |(n, held), more| {
                more.extend([make(n + 1), make(n + 1)]);
                async move {
                    let _held = held;
                    yield_now().await;
                    if n == 8 { Err("eight") } else { Ok(()) }
                }
            });
            assert_eq!(runtime.block_on(grow), Err("eight"));
            assert_eq!(made.load(SeqCst), dropped.load(SeqCst));
        }
    }
}

#[test]
fn rule_21_one_that_grows_ends_at_its_deadline() {
    for runtime in runtimes() {
        let grow = wg::tokio::fan_out([0_u64]).limit(3).timeout(Duration::from_millis(2));
        let grow = grow.try_grow(async |n, more| {
            more.push(n + 1);
            Ok::<_, Stopped>(n)
        });
        assert!(runtime.block_on(grow).unwrap_err().cause().is_deadline());
    }
}

const TOTAL: u64 = 100;

#[derive(Default)]
struct Scales {
    now: AtomicU64,
    count: AtomicU64,
}

async fn carry(scales: Arc<Scales>, weight: u64) -> u64 {
    let now = scales.now.fetch_add(weight, SeqCst) + weight;
    let count = scales.count.fetch_add(1, SeqCst) + 1;
    assert!(now <= TOTAL || count == 1, "{now} in {count} items");
    for _ in 0..weight % 7 {
        yield_now().await;
        let now = scales.now.load(SeqCst);
        assert!(now <= TOTAL || now == weight);
    }
    scales.count.fetch_sub(1, SeqCst);
    scales.now.fetch_sub(weight, SeqCst);
    weight
}

fn weights() -> impl Iterator<Item = u64> + Send {
    (0..400_u64).map(|n| [1, 60, 3, 40, 250, 0, 99, 100, 101, 7][(n * n % 10) as usize] + n % 2)
}

#[test]
fn rule_09_the_weight_in_flight_never_exceeds_the_budget() {
    for runtime in runtimes() {
        for limit in [None, Some(1), Some(2), Some(5)] {
            let scales = Arc::new(Scales::default());
            let fan_out = wg::tokio::fan_out(weights()).budget(TOTAL, |&weight| weight);
            let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
            let its = Arc::clone(&scales);
            let done = fan_out.map(move |weight| carry(Arc::clone(&its), weight));
            assert!(runtime.block_on(done).into_iter().eq(weights()));
            runtime.block_on(wg::tokio::scope(async move |s| {
                let stream = s.fan_out(weights()).limit(limit.unwrap_or(20));
                let stream = stream.budget(TOTAL, |&weight| weight);
                let stream = stream.in_order(move |weight| carry(Arc::clone(&scales), weight));
                assert!(stream.collect::<Vec<_>>().await.into_iter().eq(weights()));
            }));
        }
    }
}

#[test]
fn rule_12_as_many_as_fit_are_in_flight_at_once() {
    for runtime in runtimes() {
        for limit in [None, Some(10), Some(30)] {
            let barrier = Arc::new(Barrier::new(10));
            let fan_out = wg::tokio::fan_out(0..40).budget(TOTAL, |_| 10);
            let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
            runtime.block_on(fan_out.for_each(move |_| {
                let barrier = Arc::clone(&barrier);
                async move { _ = barrier.wait().await }
            }));
        }
    }
}

#[test]
fn rule_17_items_are_given_back_to_others_where_one_of_them_waits() {
    for runtime in runtimes() {
        for _ in 0..50 {
            // Many that are ready at once, so that several are pulled together; then as many as
            // may be at once meet, also where the iterator has ended.
            let barrier = Arc::new(Barrier::new(16));
            let fan_out = wg::tokio::fan_out(0..516).limit(16).map(move |n| {
                let barrier = Arc::clone(&barrier);
                async move {
                    if n >= 500 {
                        barrier.wait().await;
                    }
                    n
                }
            });
            assert!(runtime.block_on(fan_out).into_iter().eq(0..516));
        }
    }
}

#[test]
fn rule_06_the_lowest_index_is_found_behind_one_that_waits() {
    for runtime in runtimes() {
        for _ in 0..50 {
            let begun = Arc::new(Mutex::new(Vec::new()));
            let its = Arc::clone(&begun);
            let fan_out = wg::tokio::fan_out(0..200).limit(8);
            let fan_out = fan_out.policy(Policy::fail_fast().lowest_index());
            let failed = runtime.block_on(fan_out.try_for_each(move |n: usize| {
                its.lock().unwrap().push(n);
                async move {
                    if n % 10 == 4 {
                        yield_now().await;
                    }
                    if n >= 154 { Err(n.to_string()) } else { Ok(()) }
                }
            }));
            assert_eq!(failed, Err("154".to_owned()));
            assert!((0..=154).all(|n| begun.lock().unwrap().contains(&n)));
        }
    }
}
