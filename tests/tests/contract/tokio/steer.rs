//! Cancels, deadlines and who is alive, in scopes on a runtime.

use std::future::{Future, pending};
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use wg::{Cancel, Cause};

use super::{Census, on_each};

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(1);

#[test]
fn rule_10_spawn_returns_at_once_and_ready_waits_for_room() {
    on_each(|| async {
        let (open, opened) = tokio::sync::oneshot::channel::<()>();
        let scope = wg::options().limit(1).tokio().scope(async move |s| {
            let first = s.spawn(async move { opened.await.is_ok() });
            let second = s.spawn(async { 2 });
            assert_eq!((s.counts().running, s.counts().waiting), (1, 1));
            let mut ready = Box::pin(s.ready());
            assert!(futures::poll!(&mut ready).is_pending());
            open.send(()).unwrap();
            assert!(first.join().await);
            ready.await.unwrap();
            second.join().await
        });
        assert_eq!(scope.await, 2);
    });
}

#[test]
fn rule_18_a_cancel_reaches_scopes_of_every_kind_inside_with_its_cause() {
    on_each(|| async {
        let stop = Cancel::new();
        let (deep, by_hand) = (Arc::new(tokio::sync::Notify::new()), stop.clone());
        let why = wg::options().cancel(&stop).tokio().scope(async |s| {
            let within = Arc::clone(&deep);
            drop(s.spawn(wg::options().grace(LONG).tokio().scope(async move |outer| {
                let inner = outer.spawn(wg::local::scope(async move |s| {
                    let stopped = s.spawn(pending::<()>());
                    within.notify_one();
                    stopped.await.unwrap_err()
                }));
                drop(inner);
            })));
            deep.notified().await;
            by_hand.cancel("enough");
            s.cancelled_by()
        });
        assert_eq!(why.await, Some(Cause::Asked("enough".into())));
    });
}

#[test]
fn rule_18_a_scope_inside_that_fails_reaches_outside_by_failing_only() {
    on_each(|| async {
        let sum: i32 = wg::tokio::scope(async |s| {
            let inner = s.spawn(async {
                let failed: Result<(), std::io::Error> = wg::tokio::try_scope(async |s| {
                    drop(s.spawn(async { Err::<(), _>(std::io::Error::other("broken")) }));
                    pending().await
                })
                .await;
                failed.unwrap_err().to_string().len() as i32
            });
            let other = s.spawn(async { 10 });
            inner.join().await + other.join().await
        })
        .await;
        assert_eq!(sum, 16);
    });
}

#[test]
fn rule_19_every_wait_returns_early_when_the_scope_is_cancelled() {
    on_each(|| async {
        wg::options()
            .limit(1)
            .tokio()
            .scope(async |s| {
                let endless = s.spawn(pending::<()>());
                let waiting = s.spawn(pending::<()>());
                let stop = s.canceller();
                let waits = futures::future::join(
                    futures::future::join3(endless, waiting, s.ready()),
                    futures::future::join3(
                        s.sleep(LONG),
                        s.unless_cancelled(pending::<()>()),
                        s.cancelled(),
                    ),
                );
                let canceller = async { assert!(stop.cancel("enough")) };
                let ((waits, ()), enough) =
                    (futures::future::join(waits, canceller).await, "cancelled: enough");
                let ((a, b, c), (d, e, f)) = waits;
                for stopped in [a.err(), b.err(), c.err(), d.err(), e.err(), Some(f)] {
                    assert_eq!(stopped.unwrap().cause().to_string(), enough);
                }
                assert!(s.wait_timeout(LONG).await.is_ok());
            })
            .await;
    });
}

#[test]
fn rule_20_a_shield_hides_the_cancel_of_the_scope_outside() {
    on_each(|| async {
        let done = Arc::new(AtomicBool::new(false));
        let its = Arc::clone(&done);
        let outer = wg::options().grace(LONG).tokio().scope(async move |s| {
            let stop = s.canceller();
            drop(s.spawn(async move {
                let careful = wg::options().shield().tokio();
                careful
                    .scope(async |inner| {
                        stop.cancel("enough");
                        let task = inner.spawn(async { 5 });
                        assert_eq!((task.join().await, inner.cancelled_by()), (5, None));
                    })
                    .await;
                its.store(true, SeqCst);
            }));
        });
        outer.await;
        assert!(done.load(SeqCst));
    });
}

#[test]
fn rule_20_a_shield_does_not_hide_a_deadline_of_its_own() {
    on_each(|| async {
        let options = wg::options().shield().timeout(SHORT).tokio();
        let why = options.scope(async |s| s.spawn(pending::<()>()).await.unwrap_err());
        assert!(why.await.cause().is_deadline());
    });
}

#[test]
fn rule_21_a_deadline_is_its_own_cause_and_a_late_value_is_returned() {
    on_each(|| async {
        let options = wg::options().timeout(SHORT).tokio();
        let (cause, late) = options
            .scope(async |s| {
                let lost = s.spawn(pending::<()>()).await.unwrap_err();
                (lost.cause().clone(), "late")
            })
            .await;
        assert!(cause.is_deadline());
        assert_eq!(late, "late");
    });
}

#[test]
fn rule_21_of_nested_deadlines_the_earliest_counts() {
    on_each(|| async {
        let outer = wg::options().timeout(Duration::from_millis(20)).grace(LONG).tokio();
        let inner = wg::options().timeout(LONG).tokio();
        let scope = outer.scope(async |s| {
            let deadline = s.deadline();
            let task = s.spawn(async move {
                inner
                    .scope(async |s| {
                        assert!(deadline.is_some());
                        assert_eq!(s.deadline(), deadline);
                        let lost = s.spawn(pending::<()>()).await.unwrap_err();
                        assert!(lost.cause().is_deadline());
                    })
                    .await;
                // It has lost a task to what it did not ask for.
                unreachable!("the scope inside unwinds");
            });
            let lost: Result<(), _> = task.await;
            lost.unwrap_err().cause().clone()
        });
        assert!(scope.await.is_deadline());
    });
}

#[test]
fn rule_22_a_wait_that_times_out_says_who_is_alive() {
    on_each(|| async {
        wg::tokio::scope(async |s| {
            drop(s.task("fetch").spawn(pending::<()>()));
            let late = s.wait_timeout(SHORT).await.unwrap_err();
            let text = late.to_string();
            assert!(text.starts_with("1 task alive: fetch#0 spawned at "), "{text}");
            assert!(text.contains("running"), "{text}");
            s.cancel("enough");
        })
        .await;
    });
}

#[test]
fn tasks_that_look_end_by_themselves_in_the_grace_and_others_are_dropped_after_it() {
    on_each(|| async {
        let census = Census::new();
        let by_itself = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicUsize::new(0));
        let scope = wg::options().grace(Duration::from_millis(20)).tokio().scope(async |s| {
            let (inner, ended, held) = (s.clone(), Arc::clone(&by_itself), census.one());
            let begins = Arc::clone(&begun);
            drop(s.spawn(async move {
                begins.fetch_add(1, SeqCst);
                tokio::select! {
                    stopped = inner.cancelled() => assert_eq!(
                        stopped.cause().to_string(),
                        "cancelled: enough",
                    ),
                    () = pending() => unreachable!(),
                }
                ended.store(true, SeqCst);
                drop(held);
            }));
            let (begins, held) = (Arc::clone(&begun), census.one());
            let endless = s.spawn(async move {
                begins.fetch_add(1, SeqCst);
                pending::<()>().await;
                drop(held);
            });
            // A task that has not begun is not polled any more.
            while begun.load(SeqCst) < 2 {
                tokio::task::yield_now().await;
            }
            s.cancel("enough");
            endless.await.unwrap_err();
        });
        scope.await;
        assert!(by_itself.load(SeqCst));
        assert_eq!(census.count(), 0);
    });
}

#[test]
fn rule_24_aborting_the_task_that_awaits_a_scope_drops_its_tasks() {
    on_each(|| async {
        let census = Census::new();
        let (entered, begun) = tokio::sync::oneshot::channel();
        let its = census.clone();
        let scope = tokio::spawn(wg::tokio::scope(async move |s| {
            let held = its.one();
            drop(s.spawn(async move {
                entered.send(()).unwrap();
                pending::<()>().await;
                drop(held);
            }));
            pending::<()>().await;
        }));
        begun.await.unwrap();
        scope.abort();
        assert!(scope.await.unwrap_err().is_cancelled());
        while census.count() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_deadline_drops_a_body_that_waits_elsewhere() {
    fn is_lost<T>(result: Result<T, std::io::Error>) -> bool {
        result.is_err_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
    }
    on_each(|| async {
        let options = wg::options().timeout(SHORT).tokio();
        let scope: std::pin::Pin<Box<dyn Future<Output = _> + Send>> =
            Box::pin(options.try_scope(async |_| pending::<Result<(), std::io::Error>>().await));
        assert!(is_lost(scope.await));
    });
}
