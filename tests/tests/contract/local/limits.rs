//! Who may run, and in whose slot.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::executor::block_on;
use futures::future::{BoxFuture, FutureExt, join_all, poll_immediate};
use wg::local;
use wg_tests::{Bang, bang, caught};

/// Polls a future until it is ready or has been polled in vain very often.
fn in_time<F: Future>(future: F) -> Option<F::Output> {
    let (mut future, mut context) = (pin!(future), Context::from_waker(Waker::noop()));
    for _ in 0..10_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}

async fn turn() {
    let mut turned = false;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut turned, true) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

#[test]
#[expect(clippy::async_yields_async, reason = "the task hands over the handle")]
fn rule_11_a_task_begun_in_place_does_not_run_beside_one_that_has_the_only_slot() {
    let (beside, busy) = (AtomicBool::new(false), AtomicBool::new(false));
    let ended = in_time(wg::options().limit(1).local().scope(async |s| {
        let (inner, beside, busy) = (s.clone(), &beside, &busy);
        let host = s.spawn(async move {
            let mut guest = inner.spawn(async move {
                for _ in 0..50 {
                    beside.fetch_or(busy.load(SeqCst), SeqCst);
                    turn().await;
                }
            });
            assert!(poll_immediate(&mut guest).await.is_none());
            drop(inner.spawn(async move {
                busy.store(true, SeqCst);
                for _ in 0..10 {
                    turn().await;
                }
                busy.store(false, SeqCst);
            }));
            guest
        });
        let guest = host.join().await;
        guest.join().await;
    }));
    assert!(ended.is_some());
    assert!(!beside.into_inner(), "two ran at a limit of one");
}

#[test]
#[expect(clippy::async_yields_async, reason = "the task hands over the handle")]
fn rule_19_awaiting_a_task_begun_in_place_returns_early_from_the_body() {
    let cause = in_time(wg::options().limit(1).local().scope(async |s| {
        let inner = s.clone();
        let host = s.spawn(async move {
            let mut guest = inner.spawn(pending::<()>());
            assert!(poll_immediate(&mut guest).await.is_none());
            guest
        });
        let guest = host.join().await;
        s.cancel("enough");
        guest.await.unwrap_err().cause().to_string()
    }));
    assert_eq!(cause.as_deref(), Some("cancelled: enough"));
}

#[test]
fn rule_01_a_cancelled_scope_drops_a_task_begun_in_place_whose_handle_is_forgotten() {
    let ended = in_time(wg::options().limit(1).local().scope(async |s| {
        let inner = s.clone();
        let host = s.spawn(async move {
            let mut guest = inner.spawn(pending::<()>());
            assert!(poll_immediate(&mut guest).await.is_none());
            std::mem::forget(guest);
        });
        host.join().await;
        s.cancel("enough");
    }));
    assert!(ended.is_some());
}

#[test]
fn rule_02_a_body_that_pends_is_dropped_when_the_last_task_ends_elsewhere() {
    let handle = Arc::new(Mutex::new(None::<local::Task<'static, ()>>));
    let options = wg::options().limit(1).grace(Duration::from_millis(1));
    let mut scope = Box::pin(options.local().scope(async |s: local::Scope<'static>| {
        let (inner, handle) = (s.clone(), Arc::clone(&handle));
        drop(s.spawn(async move {
            let mut guest = inner.spawn(pending::<()>());
            assert!(poll_immediate(&mut guest).await.is_none());
            *handle.lock().unwrap() = Some(guest);
            bang(41)
        }));
        pending::<()>().await;
    }));
    let mut context = Context::from_waker(Waker::noop());
    let bang: Bang = caught(|| {
        assert!(scope.as_mut().poll(&mut context).is_pending());
        drop(handle.lock().unwrap().take());
        block_on(scope)
    });
    assert_eq!(bang.0, 41);
    drop(handle.lock().unwrap().take());
}

#[test]
fn rule_22_tasks_that_were_joined_in_place_hide_none_that_wait() {
    let report = block_on(wg::options().limit(1).local().scope(async |s| {
        let inner = s.clone();
        let host = s.task("host").spawn(async move {
            for n in 0..100 {
                assert_eq!(inner.spawn(async move { n }).join().await, n);
            }
            drop(inner.task("late").spawn(async {}));
            inner.alive().to_string()
        });
        host.join().await
    }));
    assert!(report.contains("late#101"), "{report}");
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn rule_25_whoever_waits_for_room_is_entered_once_however_often_it_is_polled() {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    block_on(wg::options().limit(1).local().scope(async |s| {
        let (open, closed) = futures::channel::oneshot::channel::<()>();
        let task = s.spawn(closed.map(drop));
        let mut ready = Box::pin(s.ready());
        for _ in 0..100 {
            assert!(ready.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        open.send(()).unwrap();
        task.join().await;
        assert!(ready.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
    }));
    assert_eq!(woken.0.load(SeqCst), 1);
}

#[test]
fn rule_11_a_chain_of_joins_is_longer_than_the_stack() {
    fn link(s: local::Scope<'_>, left: usize) -> BoxFuture<'_, usize> {
        Box::pin(async move {
            if left == 0 {
                return 0;
            }
            let next = s.spawn(link(s.clone(), left - 1));
            next.join().await + 1
        })
    }
    let links = wg::options().limit(1).local();
    let links = block_on(links.scope(async |s| s.spawn(link(s.clone(), 100_000)).join().await));
    assert_eq!(links, 100_000);
}

#[test]
fn rule_18_a_hundred_thousand_that_wait_are_cancelled() {
    let dropped = AtomicUsize::new(0);
    let counts = block_on(wg::options().limit(1).local().scope(async |s| {
        drop(s.spawn(pending::<()>()));
        for _ in 0..100_000 {
            let counted = wg_tests::Counted(&dropped);
            drop(s.spawn(async move {
                let _counted = counted;
                pending::<()>().await;
            }));
        }
        s.cancel("enough");
        s.wait_timeout(std::time::Duration::MAX).await.unwrap();
        s.counts()
    }));
    assert_eq!((counts.waiting, counts.running, counts.ended), (0, 0, 100_001));
    assert_eq!(dropped.into_inner(), 100_000);
}

#[test]
fn rule_11_tasks_in_place_that_are_polled_once_and_given_up_keep_the_counts() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    for limit in [1, 2, 3] {
        for _ in 0..20 {
            let counts = runtime.block_on(wg::options().limit(limit).tokio().scope(async |s| {
                for _ in 0..50 {
                    let inner = s.clone();
                    drop(s.spawn(async move {
                        let mut tasks = inner.spawn_all((0..8).map(|_| turn()));
                        for task in &mut tasks {
                            let _ = poll_immediate(Pin::new(task)).await;
                        }
                        drop(tasks);
                        turn().await;
                        let rest = inner.spawn_all((0..4).map(|_| turn()));
                        join_all(rest).await;
                    }));
                }
                let group = s.wait_timeout(std::time::Duration::MAX);
                group.await.unwrap();
                s.counts()
            }));
            assert_eq!((counts.spawned, counts.ended), (650, 650), "{counts:?}");
            assert_eq!((counts.waiting, counts.running), (0, 0), "{counts:?}");
        }
    }
}
