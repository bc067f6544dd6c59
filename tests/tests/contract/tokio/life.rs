//! The life of a scope on a runtime, its ends, its panics and its errors.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::executor::block_on;
use futures::future::{BoxFuture, join_all};
use wg::{Cause, FailureKind, Stopped};
use wg_tests::{Bang, Bomb, Gauge, bang, caught, payload, until};

use super::{Census, on_each, runtimes};

#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    Number(u32),
    Stopped,
}

impl From<Stopped> for Trouble {
    fn from(_: Stopped) -> Self {
        Trouble::Stopped
    }
}

/// Gives way once.
async fn give_way() {
    let mut first = true;
    poll_fn(|context| {
        if std::mem::take(&mut first) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

#[test]
fn rule_01_a_scope_is_ready_when_every_task_has_ended_and_its_values_are_dropped() {
    on_each(|| async {
        let census = Census::new();
        wg::tokio::scope(async |s| {
            for _ in 0..100 {
                let (inner, held, result) = (s.clone(), census.one(), census.one());
                drop(s.spawn(async move {
                    let _held = held;
                    give_way().await;
                    drop(inner.spawn(async move { result }));
                }));
            }
        })
        .await;
        assert_eq!(census.count(), 0);
    });
}

#[test]
fn rule_02_a_body_that_panics_is_reported_first_when_the_tasks_are_gone() {
    for runtime in runtimes() {
        let census = Census::new();
        let scope = wg::tokio::scope(async |s| {
            for n in 0..10 {
                let held = (census.one(), (n == 5).then(|| Bomb::new(n)));
                drop(s.spawn(async move {
                    pending::<()>().await;
                    drop(held);
                }));
            }
            give_way().await;
            bang(7)
        });
        assert_eq!(caught::<Bang, ()>(|| runtime.block_on(scope)), Bang(7));
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn rule_02_an_error_of_the_body_comes_back_when_the_tasks_are_gone() {
    on_each(|| async {
        let census = Census::new();
        let result: Result<(), Trouble> = wg::tokio::try_scope(async |s| {
            let held = census.one();
            drop(s.spawn(async move {
                pending::<()>().await;
                drop(held);
                Ok(())
            }));
            Err(Trouble::Number(3))
        })
        .await;
        assert_eq!((result, census.count()), (Err(Trouble::Number(3)), 0));
    });
}

#[test]
fn rule_03_tasks_spawn_while_the_scope_drains() {
    on_each(|| async {
        let ran = Arc::new(AtomicUsize::new(0));
        wg::tokio::scope(async |s| {
            let (inner, ran) = (s.clone(), Arc::clone(&ran));
            drop(s.spawn(async move {
                for _ in 0..50 {
                    give_way().await;
                    let ran = Arc::clone(&ran);
                    drop(inner.spawn(async move { ran.fetch_add(1, SeqCst) }));
                }
            }));
        })
        .await;
        assert_eq!(ran.load(SeqCst), 50);
    });
}

#[test]
fn rule_03_a_scope_that_is_cancelled_or_over_polls_nothing_new() {
    on_each(|| async {
        let kept = wg::tokio::scope(async |s| {
            s.cancel("enough");
            assert!(s.spawn(async { bang(1) }).await.is_err());
            s
        })
        .await;
        assert!(kept.spawn(async { bang(2) }).await.is_err());
        assert!(kept.spawn_blocking(|| bang(3)).await.is_err());
    });
}

#[test]
fn rule_05_the_first_panic_is_resumed_unchanged_when_the_others_are_gone() {
    for runtime in runtimes() {
        let census = Census::new();
        let scope = wg::tokio::scope(async |s| {
            let held = census.one();
            drop(s.spawn(async move {
                pending::<()>().await;
                drop(held);
            }));
            drop(s.spawn(async { bang(3) }));
            pending::<()>().await;
        });
        assert_eq!(caught::<Bang, ()>(|| runtime.block_on(scope)), Bang(3));
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn rule_05_panics_that_are_caught_are_failures() {
    on_each(|| async {
        let options = wg::options().catch_panics().tokio();
        let ((), errors) = options
            .collect_scope(async |s: wg::tokio::TryScope<Trouble>| {
                drop(s.spawn(async { if true { bang(4) } else { Ok(()) } }));
                drop(s.spawn(async { Ok(()) }));
            })
            .await;
        assert_eq!(errors.len(), 1);
        let failure = errors.into_iter().next().unwrap();
        let FailureKind::Panic(payload) = failure.into_kind() else { panic!() };
        assert_eq!(*payload.downcast::<Bang>().unwrap(), Bang(4));
    });
}

#[test]
fn rule_06_the_first_error_cancels_the_rest_and_comes_back() {
    on_each(|| async {
        let census = Census::new();
        let result: Result<(), Trouble> = wg::tokio::try_scope(async |s| {
            let held = census.one();
            let endless = s.spawn(async move {
                pending::<()>().await;
                drop(held);
                Ok(())
            });
            drop(s.spawn(async { Err::<(), _>(Trouble::Number(8)) }));
            endless.await
        })
        .await;
        assert_eq!((result, census.count()), (Err(Trouble::Number(8)), 0));
    });
}

#[test]
fn rules_07_and_08_every_error_comes_back_in_order_and_no_cancelled_task() {
    on_each(|| async {
        let ((), errors) = wg::tokio::collect_scope(async |s| {
            let fails = |n: u32| async move { if n % 3 == 0 { Err(n) } else { Ok(n) } };
            join_all(s.spawn_all((0..12).map(fails)).into_iter().map(|task| async move {
                drop(task);
            }))
            .await;
            let endless = s.spawn(pending::<Result<(), u32>>());
            while s.counts().running > 1 {
                give_way().await;
            }
            drop(endless);
            s.cancel("enough");
        })
        .await;
        let found: Vec<_> = errors.iter().map(|it| *it.as_error().unwrap()).collect();
        assert_eq!(found, [0, 3, 6, 9]);
        assert_eq!((errors.tasks(), errors.cancelled()), (13, 1));
    });
}

#[test]
fn rule_09_at_most_limit_tasks_run_and_the_limit_may_change() {
    on_each(|| async {
        let gauge = Arc::new(Gauge::default());
        wg::options()
            .limit(3)
            .tokio()
            .scope(async |s| {
                for n in 0..300 {
                    let gauge = Arc::clone(&gauge);
                    drop(s.spawn(async move { gauge.work() }));
                    if n == 100 {
                        s.set_limit(2);
                    }
                }
            })
            .await;
        gauge.was_never_above(3);
        assert_eq!(gauge.worked.load(SeqCst), 300);
    });
}

#[test]
fn rule_11_tasks_join_each_other_at_a_limit_of_one() {
    fn fibonacci(s: wg::tokio::Scope, n: u64) -> BoxFuture<'static, u64> {
        Box::pin(async move {
            if n < 2 {
                return n;
            }
            let left = s.spawn(fibonacci(s.clone(), n - 1));
            let right = s.spawn(fibonacci(s.clone(), n - 2));
            left.join().await + right.join().await
        })
    }
    on_each(|| async {
        for limit in [1, 2, 64] {
            let options = wg::options().limit(limit).tokio();
            let scope = options.scope(async |s| s.spawn(fibonacci(s.clone(), 10)).join().await);
            assert_eq!(scope.await, 55);
        }
    });
}

#[test]
fn rule_16_a_scope_that_100_000_tasks_pass_through_keeps_nothing_of_them() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let census = Census::new();
            let scope = wg::options().limit(8).tokio().scope(async |s| {
                for n in 0..100_000 {
                    s.ready().await.unwrap();
                    let (held, result) = (census.one(), census.one());
                    let task = s.spawn(async move {
                        drop(held);
                        result
                    });
                    if n % 3 == 0 {
                        drop(task.join().await)
                    } else {
                        drop(task)
                    }
                    assert!(census.count() <= 2 * 9, "those that run, and the one here");
                }
                while s.counts().running > 0 {
                    give_way().await;
                }
                assert_eq!(census.count(), 0);
            });
            scope.await;
        });
    }
}

#[test]
fn rule_24_dropping_the_future_of_a_scope_drops_everything_in_it() {
    for runtime in runtimes() {
        let census = Census::new();
        let inside = Arc::new(Mutex::new(None));
        runtime.block_on(async {
            let mut scope = Box::pin(wg::options().limit(5).tokio().scope(async |s| {
                let _held = census.one();
                for _ in 0..10 {
                    let held = census.one();
                    drop(s.spawn(async move {
                        pending::<()>().await;
                        drop(held);
                    }));
                }
                *inside.lock().unwrap() = Some(s.clone());
                pending::<()>().await;
            }));
            poll_fn(|context| Poll::Ready(scope.as_mut().poll(context).is_pending())).await;
            assert_eq!(census.count(), 11);
            drop(scope);
            let s = inside.lock().unwrap().take().unwrap();
            assert_eq!(s.cancelled_by(), Some(Cause::Dropped));
            assert!(s.spawn(async { bang(1) }).await.is_err());
            while census.count() > 0 {
                give_way().await;
            }
        });
    }
}

#[test]
fn rule_24_a_runtime_that_is_shut_down_in_the_middle_drops_everything() {
    for runtime in runtimes() {
        let census = Census::new();
        let (entered, spawned) = std::sync::mpsc::channel();
        let its = census.clone();
        let scope = runtime.spawn(wg::tokio::scope(async move |s| {
            let _held = its.one();
            for _ in 0..10 {
                let held = its.one();
                drop(s.spawn(async move {
                    pending::<()>().await;
                    drop(held);
                }));
            }
            entered.send(()).unwrap();
            pending::<()>().await;
        }));
        runtime.block_on(give_way());
        runtime.block_on(async { until(|| spawned.try_recv().is_ok()) });
        drop(runtime);
        assert_eq!(census.count(), 0);
        assert!(block_on(scope).unwrap_err().is_cancelled());
    }
}

#[test]
fn rule_24_a_scope_whose_runtime_goes_away_is_ready_elsewhere() {
    for runtime in runtimes() {
        let mut scope = {
            let _inside = runtime.enter();
            let mut scope = Box::pin(wg::tokio::scope(async |s| {
                let lost = s.spawn(pending::<()>()).await.is_err();
                (lost, s.spawn(async { 1 }).await.is_err())
            }));
            let mut context = Context::from_waker(Waker::noop());
            assert!(scope.as_mut().poll(&mut context).is_pending());
            scope
        };
        drop(runtime);
        assert_eq!(block_on(scope.as_mut()), (true, true), "what it ran is cancelled");
    }
}

#[test]
fn rule_26_a_scope_that_is_polled_outside_a_runtime_says_so() {
    let text = payload(|| block_on(wg::tokio::scope(async |_| ())));
    let text = text.downcast_ref::<String>().cloned().unwrap();
    assert!(text.starts_with("a scope on tokio is polled inside a tokio runtime"), "{text}");
}

#[test]
fn rule_26_wakers_fire_after_the_end() {
    on_each(|| async {
        let wakers = Arc::new(Mutex::new(Vec::new()));
        let keep = |wakers: &Arc<Mutex<Vec<Waker>>>| {
            let (wakers, mut left) = (Arc::clone(wakers), 3);
            poll_fn(move |context| {
                wakers.lock().unwrap().push(context.waker().clone());
                context.waker().wake_by_ref();
                left -= 1;
                if left == 0 { Poll::Ready(()) } else { Poll::Pending }
            })
        };
        wg::tokio::scope(async |s| {
            drop(s.spawn(keep(&wakers)));
            keep(&wakers).await;
        })
        .await;
        let wakers = std::mem::take(&mut *wakers.lock().unwrap());
        assert_eq!(wakers.len(), 6);
        wakers.into_iter().for_each(Waker::wake);
        give_way().await;
    });
}

#[test]
fn the_future_of_a_scope_is_polled_by_different_tasks_in_turn() {
    on_each(|| async {
        let mut scope = pin!(wg::tokio::scope(async |s| {
            let task = s.spawn(async {
                give_way().await;
                2
            });
            task.join().await
        }));
        let mut context = Context::from_waker(Waker::noop());
        let first = scope.as_mut().poll(&mut context);
        let result = match first {
            Poll::Ready(result) => result,
            Poll::Pending => scope.await,
        };
        assert_eq!(result, 2);
    });
}

/// Polls a scope whenever it is woken, there and then; and whether it was ready, each time.
struct Polls(Mutex<Option<BoxFuture<'static, ()>>>, Mutex<Vec<bool>>);

impl Wake for Polls {
    fn wake(self: Arc<Self>) {
        let taken = self.0.lock().unwrap().take();
        if let Some(mut scope) = taken {
            let waker = Waker::from(Arc::clone(&self));
            let is_ready = scope.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
            if !is_ready {
                *self.0.lock().unwrap() = Some(scope);
            }
            self.1.lock().unwrap().push(is_ready);
        }
    }
}

#[test]
fn a_body_that_awaits_the_last_task_is_woken_when_that_does_not_count_any_more() {
    let [one, _] = runtimes();
    one.block_on(async {
        let scope = wg::tokio::scope(async |s| s.spawn(give_way()).join().await);
        let polls = Arc::new(Polls(Mutex::new(Some(Box::pin(scope))), Mutex::default()));
        Arc::clone(&polls).wake();
        while polls.1.lock().unwrap().last() != Some(&true) {
            give_way().await;
        }
        assert_eq!(*polls.1.lock().unwrap(), [false, true]);
    });
}
