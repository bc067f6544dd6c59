//! Closures that block, as tasks of a scope.

use std::cell::Cell;
use std::future::pending;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, mpsc};

use tokio::runtime::{Builder, Runtime};
use wg::{Cancel, Cause, Stopped};
use wg_tests::{Bang, Bomb, Boom, Gauge, bang, caught, until};

use super::{Census, on_each, runtimes};

/// A runtime whose one blocking thread is the first closure's.
fn narrow() -> Runtime {
    Builder::new_current_thread().max_blocking_threads(1).build().unwrap()
}

#[test]
fn rule_01_a_scope_waits_for_closures_nobody_awaits() {
    on_each(|| async {
        let ran = Arc::new(AtomicUsize::new(0));
        wg::tokio::scope(async |s| {
            for _ in 0..50 {
                let ran = Arc::clone(&ran);
                drop(s.spawn_blocking(move || ran.fetch_add(1, SeqCst)));
            }
        })
        .await;
        assert_eq!(ran.load(SeqCst), 50);
    });
}

#[test]
fn rule_01_a_scope_that_is_cancelled_waits_for_a_closure_that_runs() {
    for runtime in runtimes() {
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (end, ends) = mpsc::channel::<()>();
        let census = Census::new();
        let (held, late) = (census.one(), census.one());
        let told = Cell::new(false);
        let mut scope = Box::pin(wg::tokio::scope(async |s| {
            let task = s.spawn_blocking(move || {
                begun.send(()).unwrap();
                ends.recv().unwrap();
                drop(held);
                late
            });
            begins.await.unwrap();
            s.cancel("enough");
            assert!(task.await.is_err(), "its wait returns early");
            told.set(true);
        }));
        runtime.block_on(async {
            // The closure runs until `end`, so however often it is polled it must not be ready.
            let mut polls = 0;
            while !told.get() || polls < 1_000 {
                assert!(futures::poll!(&mut scope).is_pending());
                tokio::task::yield_now().await;
                polls += 1;
            }
            end.send(()).unwrap();
            scope.await;
        });
        assert_eq!(census.count(), 0);
    }
}

#[test]
fn rule_03_a_closure_that_has_not_begun_is_not_run_when_the_scope_is_cancelled() {
    narrow().block_on(async {
        let (begun, begins) = tokio::sync::oneshot::channel();
        let (end, ends) = mpsc::channel::<()>();
        let census = Census::new();
        wg::tokio::scope(async |s| {
            drop(s.spawn_blocking(move || {
                begun.send(()).unwrap();
                ends.recv().unwrap();
            }));
            begins.await.unwrap();
            let held = census.one();
            let second = s.spawn_blocking(move || {
                let _held = held;
                bang(1)
            });
            // Once it has been polled it is in the queue of the one thread, which is taken.
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            s.cancel("enough");
            assert!(second.await.is_err());
            assert_eq!(census.count(), 0, "dropped where it waited");
            end.send(()).unwrap();
        })
        .await;
    });
}

#[test]
fn rule_05_a_panic_of_a_closure_is_resumed_unchanged() {
    for runtime in runtimes() {
        let scope = wg::tokio::scope(async |s| {
            drop(s.spawn_blocking(|| bang(5)));
            pending::<()>().await;
        });
        assert_eq!(caught::<Bang, ()>(|| runtime.block_on(scope)), Bang(5));
    }
}

#[test]
fn rule_05_a_panic_after_the_cancel_is_not_lost() {
    for runtime in runtimes() {
        let scope = wg::tokio::scope(async |s| {
            let (begun, begins) = tokio::sync::oneshot::channel();
            let inner = s.clone();
            let task = s.spawn_blocking(move || {
                begun.send(()).unwrap();
                until(|| inner.is_cancelled());
                bang(6)
            });
            begins.await.unwrap();
            s.cancel("enough");
            drop(task);
        });
        assert_eq!(caught::<Bang, ()>(|| runtime.block_on(scope)), Bang(6));
    }
}

#[test]
fn rule_05_a_late_value_that_panics_when_it_is_dropped_is_a_panic_of_the_task() {
    for runtime in runtimes() {
        let scope = wg::tokio::scope(async |s| {
            let (begun, begins) = tokio::sync::oneshot::channel();
            let inner = s.clone();
            drop(s.spawn_blocking(move || {
                begun.send(()).unwrap();
                until(|| inner.is_cancelled());
                Bomb::new(1)
            }));
            begins.await.unwrap();
            s.cancel("enough");
        });
        assert_eq!(caught::<Boom, ()>(|| runtime.block_on(scope)), Boom);
    }
}

#[test]
fn rule_06_an_error_of_a_closure_comes_back() {
    on_each(|| async {
        let result = wg::tokio::try_scope(async |s| {
            drop(s.task("parse").spawn_blocking(|| "x".parse::<u8>().map_err(wrong)));
            pending::<Result<(), std::io::Error>>().await
        });
        assert_eq!(result.await.unwrap_err().to_string(), "invalid digit found in string");
    });
}

fn wrong(error: std::num::ParseIntError) -> std::io::Error {
    std::io::Error::other(error)
}

#[test]
fn rule_07_an_error_after_the_cancel_is_collected_and_an_echo_is_not_the_first() {
    on_each(|| async {
        let ((), errors) = wg::tokio::collect_scope(async |s| {
            let (begun, begins) = tokio::sync::oneshot::channel();
            let inner = s.clone();
            drop(s.task("late").spawn_blocking(move || {
                begun.send(()).unwrap();
                until(|| inner.is_cancelled());
                Err::<(), _>("late")
            }));
            begins.await.unwrap();
            s.cancel("enough");
        })
        .await;
        let found: Vec<_> = errors.iter().map(|it| *it.as_error().unwrap()).collect();
        assert_eq!(found, ["late"]);
        assert_eq!(errors.first().unwrap().task().unwrap().name(), Some("late"));
    });
}

#[test]
fn rule_06_the_echo_of_a_closure_does_not_hide_the_error_that_was_the_cause() {
    #[derive(Debug, PartialEq, Eq)]
    enum Why {
        Broken,
        Stopped,
    }
    impl From<Stopped> for Why {
        fn from(_: Stopped) -> Self {
            Why::Stopped
        }
    }
    on_each(|| async {
        let result: Result<(), Why> = wg::tokio::try_scope(async |s| {
            let (begun, begins) = tokio::sync::oneshot::channel();
            let inner = s.clone();
            drop(s.spawn_blocking(move || {
                begun.send(()).unwrap();
                loop {
                    inner.check()?;
                    std::thread::yield_now();
                }
                #[expect(unreachable_code, reason = "it gives the closure its type")]
                Ok::<(), Why>(())
            }));
            begins.await.unwrap();
            drop(s.spawn(async { Err::<(), _>(Why::Broken) }));
            Ok(())
        })
        .await;
        assert_eq!(result, Err(Why::Broken));
    });
}

#[test]
fn rule_09_closures_keep_to_the_limit() {
    on_each(|| async {
        let gauge = Arc::new(Gauge::default());
        let scope = wg::options().limit(2).tokio().scope(async |s| {
            for _ in 0..100 {
                let gauge = Arc::clone(&gauge);
                drop(s.spawn_blocking(move || gauge.work()));
            }
        });
        scope.await;
        gauge.was_never_above(2);
        assert_eq!(gauge.worked.load(SeqCst), 100);
    });
}

#[test]
fn rule_11_a_task_joins_a_closure_at_a_limit_of_one_without_blocking_the_worker() {
    for runtime in runtimes() {
        let here = std::thread::current().id();
        let scope = wg::options().limit(1).tokio().scope(async |s| {
            let inner = s.clone();
            let outer = s.spawn(async move {
                let worker = std::thread::current().id();
                let thread = inner.spawn_blocking(|| std::thread::current().id()).join().await;
                thread != worker
            });
            outer.join().await
        });
        assert!(runtime.block_on(scope));
        assert_eq!(here, std::thread::current().id());
    }
}

#[test]
fn rule_18_a_scope_on_threads_in_a_closure_is_inside() {
    on_each(|| async {
        let why = wg::tokio::scope(async |s| {
            let stop = s.canceller();
            let (say, said) = tokio::sync::oneshot::channel();
            drop(s.spawn_blocking(move || {
                wg::scope(|s| {
                    stop.cancel("enough");
                    say.send(s.cancelled_by()).unwrap();
                });
            }));
            said.await.unwrap()
        });
        let outer = Cause::Outer(Arc::new(Cause::Asked("enough".into())));
        assert_eq!(why.await, Some(outer));
    });
}

#[test]
fn rule_24_a_scope_that_is_dropped_lets_a_closure_run_to_its_end_and_frees_everything() {
    for runtime in runtimes() {
        let census = Census::new();
        let (begun, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let held = (census.one(), census.one());
        runtime.block_on(async {
            let mut scope = Box::pin(wg::tokio::scope(async |s| {
                let task = s.spawn_blocking(move || {
                    begun.send(()).unwrap();
                    ends.recv().unwrap();
                    held
                });
                task.join().await
            }));
            assert!(futures::poll!(&mut scope).is_pending());
            while begins.try_recv().is_err() {
                tokio::task::yield_now().await;
            }
            drop(scope);
        });
        assert_eq!(census.count(), 2);
        end.send(()).unwrap();
        // Only in a runtime that somebody drives does a task hear that it is aborted.
        runtime.block_on(async {
            while census.count() > 0 {
                tokio::task::yield_now().await;
            }
        });
    }
}

#[test]
fn rule_24_a_runtime_that_is_shut_down_cancels_closures_that_wait() {
    let census = Census::new();
    let stop = Cancel::new();
    let runtime = narrow();
    let (end, ends) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let (its, by_hand) = (census.clone(), stop.clone());
    let scope = wg::options().cancel(&by_hand).tokio().scope(async move |s| {
        drop(s.spawn_blocking(move || {
            begun.send(()).unwrap();
            ends.recv().unwrap();
        }));
        let held = its.one();
        s.spawn_blocking(move || {
            drop(held);
            bang(1)
        })
        .await
        .is_err()
    });
    let scope = runtime.spawn(scope);
    runtime.block_on(async {
        while begins.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
    });
    runtime.shutdown_background();
    end.send(()).unwrap();
    until(|| census.count() == 0);
    assert!(futures::executor::block_on(scope).unwrap_err().is_cancelled());
}
