//! Fan-outs over futures on a tokio runtime.

use std::future::{pending, ready};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Barrier;
use tokio::task::yield_now;
use wg::{Cancel, Cause, Policy, Stopped};
use wg_tests::{Bang, Bomb, Boom, bang, caught, until};

#[derive(Debug, PartialEq)]
enum Failed {
    Item(usize),
    Stopped(Stopped),
}

impl From<Stopped> for Failed {
    fn from(stopped: Stopped) -> Self {
        Failed::Stopped(stopped)
    }
}

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

#[test]
fn rule_26_results_are_in_the_order_of_the_items_in_either_flavour() {
    for runtime in runtimes() {
        for limit in [1, 2, 7, 64] {
            let results =
                runtime.block_on(wg::tokio::fan_out(0..3000).limit(limit).map(async |n: usize| {
                    for _ in 0..n * 7 % 13 {
                        yield_now().await;
                    }
                    n
                }));
            assert!(results.into_iter().eq(0..3000));
        }
    }
}

#[test]
fn rule_09_no_more_than_the_limit_are_handled_at_once() {
    for runtime in runtimes() {
        for limit in [1, 2, 5] {
            let crowd = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
            let its = Arc::clone(&crowd);
            runtime.block_on(wg::tokio::fan_out(0..500).limit(limit).for_each(move |n| {
                let crowd = Arc::clone(&its);
                async move {
                    crowd.1.fetch_max(crowd.0.fetch_add(1, SeqCst) + 1, SeqCst);
                    for _ in 0..n % 5 {
                        yield_now().await;
                    }
                    crowd.0.fetch_sub(1, SeqCst);
                }
            }));
            assert!(crowd.1.load(SeqCst) <= limit);
        }
    }
}

#[test]
fn rule_09_as_many_items_as_the_limit_are_handled_at_once() {
    for runtime in runtimes() {
        for limit in [2, 8, 100] {
            let barrier = Arc::new(Barrier::new(limit));
            runtime.block_on(wg::tokio::fan_out(0..limit * 3).limit(limit).for_each(move |_| {
                let barrier = Arc::clone(&barrier);
                async move { _ = barrier.wait().await }
            }));
        }
    }
}

#[test]
fn rule_06_the_first_error_ends_an_endless_fan_out() {
    for runtime in runtimes() {
        let error =
            runtime.block_on(wg::tokio::fan_out(0..).limit(4).try_for_each(async |n: usize| {
                yield_now().await;
                if n == 1000 { Err(Failed::Item(n)) } else { Ok(()) }
            }));
        assert_eq!(error, Err(Failed::Item(1000)));
    }
}

#[test]
fn rule_06_the_lowest_index_does_not_depend_on_who_is_faster() {
    for runtime in runtimes() {
        for _ in 0..50 {
            let policy = Policy::fail_fast().lowest_index();
            let fan_out = wg::tokio::fan_out(0..100).limit(8).policy(policy);
            let error = runtime.block_on(fan_out.try_for_each(async |n: usize| {
                yield_now().await;
                if n % 10 == 3 { Err(Failed::Item(n)) } else { Ok(()) }
            }));
            assert_eq!(error, Err(Failed::Item(3)));
        }
    }
}

#[test]
fn rule_07_errors_name_the_item_and_the_line_of_the_call() {
    for runtime in runtimes() {
        let line = line!() + 1;
        let fan_out = wg::tokio::fan_out(0..50).name("fetch").limit(4);
        let (values, errors) = runtime.block_on(
            fan_out.collect_all(async |n: i32| if n == 20 { Err("gone") } else { Ok(n) }),
        );
        assert_eq!(values.len(), 49);
        let at = format!("fetch#20 spawned at {}:{line}", file!());
        assert_eq!(errors.to_string(), format!("1 of 50 tasks failed; first: {at} failed: gone"));
    }
}

#[test]
fn rule_05_a_panic_drops_the_rest_before_it_is_resumed() {
    for runtime in runtimes() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let begun = Arc::new(AtomicUsize::new(0));
        let its = (Arc::clone(&begun), Arc::clone(&dropped));
        let barrier = Arc::new(Barrier::new(5));
        let fan_out = wg::tokio::fan_out(0..).limit(5).for_each(move |n| {
            its.0.fetch_add(1, SeqCst);
            let (shared, barrier) = (Shared(Arc::clone(&its.1)), Arc::clone(&barrier));
            async move {
                let _shared = shared;
                barrier.wait().await;
                if n == 2 { bang(4) } else { pending().await }
            }
        });
        let ended = runtime.block_on(AssertUnwindSafe(fan_out).catch_unwind());
        assert_eq!(*ended.unwrap_err().downcast::<Bang>().unwrap(), Bang(4));
        assert_eq!((begun.load(SeqCst), dropped.load(SeqCst)), (5, 5));
    }
}

#[test]
fn rule_08_the_first_success_ends_the_losers() {
    for runtime in runtimes() {
        let (begun, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let its = Arc::clone(&dropped);
        let fan_out = wg::tokio::fan_out(0..4).limit(4).first_ok(move |n| {
            let (shared, begun) = (Shared(Arc::clone(&its)), Arc::clone(&begun));
            async move {
                let _shared = shared;
                begun.fetch_add(1, SeqCst);
                while n == 3 && begun.load(SeqCst) < 4 {
                    yield_now().await;
                }
                if n == 3 { Ok::<_, ()>(n) } else { pending().await }
            }
        });
        assert_eq!(runtime.block_on(fan_out).unwrap(), 3);
        assert_eq!(dropped.load(SeqCst), 4);
    }
}

#[test]
fn rule_17_a_quorum_has_as_many_as_it_wants() {
    for runtime in runtimes() {
        for _ in 0..50 {
            let votes = wg::tokio::fan_out(0..100).limit(8).quorum(5, async |n: usize| {
                yield_now().await;
                if n % 2 == 0 { Ok(n) } else { Err(n) }
            });
            let votes = runtime.block_on(votes).unwrap();
            assert_eq!(votes.len(), 5);
            assert!(votes.iter().all(|&(index, n)| index == n && n % 2 == 0));
        }
    }
}

#[test]
fn rule_21_a_deadline_is_its_own_cause() {
    for runtime in runtimes() {
        let endless = wg::options().timeout(Duration::from_millis(2)).tokio().fan_out(0..10);
        let error = endless.try_map(async |_| pending::<Result<(), Failed>>().await);
        let error = runtime.block_on(error);
        let Err(Failed::Stopped(stopped)) = error else { panic!("{error:?}") };
        assert_eq!(stopped.cause(), &Cause::Deadline);
    }
}

#[test]
fn rule_24_dropping_the_future_ends_the_items() {
    for runtime in runtimes() {
        let dropped = Arc::new(AtomicUsize::new(0));
        let its = Arc::clone(&dropped);
        runtime.block_on(async {
            let items: Vec<_> = (0..6).map(|_| Shared(Arc::clone(&its))).collect();
            let fan_out = wg::tokio::fan_out(items).limit(2).for_each(|item| async move {
                let _item = item;
                pending().await
            });
            let mut fan_out = Box::pin(fan_out);
            assert!(futures::poll!(fan_out.as_mut()).is_pending());
            drop(fan_out);
            while dropped.load(SeqCst) < 6 {
                yield_now().await;
            }
        });
        assert_eq!(dropped.load(SeqCst), 6);
    }
}

#[test]
fn items_that_are_ready_at_once_are_handled_by_who_awaits_them() {
    for runtime in runtimes() {
        let here = std::thread::current().id();
        let threads =
            wg::tokio::fan_out(0..5000).limit(1).map(async |_| std::thread::current().id());
        let threads = runtime.block_on(threads);
        assert!(threads.len() == 5000 && threads.iter().all(|it| *it == here));
    }
}

#[test]
fn an_item_that_waits_goes_on_also_if_who_awaits_it_polls_no_more() {
    let [_, runtime] = runtimes();
    for ready_before in [0, 1, 700] {
        runtime.block_on(async {
            let (go, gone) = tokio::sync::oneshot::channel::<()>();
            let done = Arc::new(AtomicUsize::new(0));
            let its = Arc::clone(&done);
            let items = (0..ready_before).map(|_| None).chain([Some(gone)]);
            let mut fan_out = pin!(wg::tokio::fan_out(items).limit(1).for_each(move |gone| {
                let its = Arc::clone(&its);
                async move {
                    if let Some(gone) = gone {
                        its.fetch_add(1, SeqCst);
                        gone.await.unwrap();
                        its.fetch_add(1, SeqCst);
                    }
                }
            }));
            while done.load(SeqCst) == 0 {
                assert!(futures::poll!(fan_out.as_mut()).is_pending());
            }
            go.send(()).unwrap();
            until(|| done.load(SeqCst) == 2);
            fan_out.await;
        });
    }
}

#[test]
fn rule_24_who_awaits_endless_items_that_are_ready_at_once_lets_others_have_turns() {
    for runtime in runtimes() {
        for limit in [1, 3] {
            let dropped = Arc::new(AtomicUsize::new(0));
            let held = Shared(Arc::clone(&dropped));
            let items = (0..).inspect(move |_| assert_eq!(held.0.load(SeqCst), 0));
            let fan_out = wg::tokio::fan_out(items).limit(limit).for_each(async |_: usize| ());
            runtime.block_on(async {
                let others = async {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                };
                let first = futures::future::select(Box::pin(others), Box::pin(fan_out)).await;
                let futures::future::Either::Left(((), fan_out)) = first else { panic!("endless") };
                drop(fan_out);
                while dropped.load(SeqCst) == 0 {
                    yield_now().await;
                }
            });
        }
    }
}

#[test]
fn rule_24_whoever_gives_endless_items_up_survives_the_drops_of_all_that_belongs_to_them() {
    for runtime in runtimes() {
        let (first, second, results) = (Bomb::new(1), Bomb::new(2), AtomicUsize::new(0));
        let items = (0..).inspect(move |_| _ = &first);
        let fan_out = wg::tokio::fan_out(items).limit(1).map(move |_: usize| {
            _ = &second;
            results.fetch_add(1, SeqCst);
            ready(Bomb::new(3))
        });
        runtime.block_on(async {
            let mut fan_out = Box::pin(fan_out);
            assert!(futures::poll!(fan_out.as_mut()).is_pending());
            let _: Boom = caught(|| drop(fan_out));
        });
    }
}

#[test]
fn rule_19_a_cancel_ends_endless_items_that_are_ready_at_once() {
    for runtime in runtimes() {
        let cancel = Cancel::new();
        let fan_out = wg::tokio::fan_out(0..).limit(2).cancel(&cancel);
        let fan_out = fan_out.try_for_each(async |_: usize| Ok::<_, Failed>(()));
        let stop = async {
            yield_now().await;
            cancel.cancel("enough");
        };
        let (error, ()) = runtime.block_on(async { futures::join!(fan_out, stop) });
        let Err(Failed::Stopped(stopped)) = error else { panic!("{error:?}") };
        assert!(matches!(stopped.cause(), Cause::Asked(_)), "{stopped}");
    }
}

#[test]
fn fan_outs_inside_of_each_other_take_no_stack_for_each() {
    fn inside(depth: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
        Box::pin(async move {
            if depth == 0 {
                return 0;
            }
            let inner = wg::tokio::fan_out([depth - 1]).map(inside);
            inner.await[0] + 1
        })
    }

    for runtime in runtimes() {
        assert_eq!(runtime.block_on(inside(3000)), 3000);
    }
}

#[test]
fn rule_01_many_fan_outs_at_once_lose_no_item() {
    for runtime in runtimes() {
        let total = runtime.block_on(async {
            let each = wg::tokio::fan_out(0..50_u64).limit(10).map(async |n| {
                let inner = wg::tokio::fan_out(0..=n).limit(3).map(async |m| m);
                inner.await.into_iter().sum::<u64>()
            });
            each.await.into_iter().sum::<u64>()
        });
        assert_eq!(total, (0..50).map(|n| n * (n + 1) / 2).sum::<u64>());
    }
}

#[test]
fn rule_10_no_more_than_the_limit_are_pulled_and_not_finished() {
    for runtime in runtimes() {
        for limit in [1, 2, 7, 64] {
            let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (pulled, highest) = (Arc::clone(&open), Arc::clone(&most));
            let items = (0..5000).inspect(move |_| {
                let now = pulled.fetch_add(1, SeqCst) + 1;
                highest.fetch_max(now, SeqCst);
            });
            let fan_out = wg::tokio::fan_out(items).limit(limit).map(move |n: usize| {
                let open = Arc::clone(&open);
                async move {
                    if n % 97 == 0 {
                        yield_now().await;
                    }
                    open.fetch_sub(1, SeqCst);
                    n
                }
            });
            assert!(runtime.block_on(fan_out).into_iter().eq(0..5000));
            let most = most.load(SeqCst);
            assert!((1..=limit).contains(&most), "{most} at a limit of {limit}");
        }
    }
}
