//! Wakers are foreign code: they may panic, call back, and fire whenever they like.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::executor::block_on;
use wg::local;
use wg_tests::{Bomb, bang};

/// Panics when it is used to wake.
struct WakesBadly;

impl Wake for WakesBadly {
    fn wake(self: Arc<Self>) {
        bang(50)
    }
}

/// Panics when it is dropped.
struct DropsBadly(#[expect(dead_code, reason = "dropped")] Bomb);

impl Wake for DropsBadly {
    fn wake(self: Arc<Self>) {
        std::mem::forget(self);
    }
}

#[test]
fn rule_26_whoever_spawns_is_not_blamed_for_the_waker_of_the_scope() {
    let kept = Mutex::new(None);
    let mut scope = Box::pin(local::scope(async |s: local::Scope<'static>| {
        *kept.lock().unwrap() = Some(s.clone());
        pending::<()>().await;
    }));
    let waker = Waker::from(Arc::new(WakesBadly));
    assert!(scope.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let s = kept.lock().unwrap().take().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(s.spawn(async {})))).is_ok());
}

#[test]
fn rule_01_a_waker_that_panics_when_it_is_dropped_loses_no_task() {
    let ran = AtomicUsize::new(0);
    block_on(wg::options().limit(1).local().scope(async |s| {
        let inner = s.clone();
        let ran = &ran;
        let host = s.spawn(async move {
            let (open, closed) = futures::channel::oneshot::channel::<()>();
            let mut guest = inner.spawn(async move {
                closed.await.unwrap();
                ran.fetch_add(1, SeqCst);
            });
            let waker = Waker::from(Arc::new(DropsBadly(Bomb::new(1))));
            assert!(Pin::new(&mut guest).poll(&mut Context::from_waker(&waker)).is_pending());
            std::mem::forget(waker);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(guest)));
            open.send(()).unwrap();
        });
        host.join().await;
    }));
    assert_eq!(ran.into_inner(), 1);
}

#[test]
fn rule_26_a_waker_of_one_who_waits_for_all_may_panic() {
    let waits = Mutex::new(None);
    let (open, closed) = futures::channel::oneshot::channel::<()>();
    block_on(local::scope(async |s: local::Scope<'_>| {
        drop(s.spawn(async move { closed.await.unwrap() }));
        let its = s.clone();
        let mut wait = Box::pin(async move { its.wait_timeout(Duration::MAX).await.is_ok() });
        let waker = Waker::from(Arc::new(WakesBadly));
        assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        *waits.lock().unwrap() = Some(wait);
        open.send(()).unwrap();
    }));
}

/// Does something with the scope when it wakes.
struct CallsBack(Mutex<Option<local::Scope<'static>>>, AtomicUsize);

impl Wake for CallsBack {
    fn wake(self: Arc<Self>) {
        let scope = self.0.lock().unwrap().take();
        if let Some(s) = scope {
            self.1.fetch_add(1, SeqCst);
            drop(s.spawn(async {}));
            let _ = (s.counts(), s.alive().to_string(), s.cancel("from a waker"));
            drop(s.spawn(async {}));
        }
    }
}

#[test]
fn rule_26_a_waker_may_call_back_into_the_scope() {
    let back = Arc::new(CallsBack(Mutex::new(None), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&back));
    let (open, closed) = futures::channel::oneshot::channel::<()>();
    let its = Arc::clone(&back);
    let mut scope =
        Box::pin(wg::options().limit(1).local().scope(async |s: local::Scope<'static>| {
            *its.0.lock().unwrap() = Some(s.clone());
            drop(s.spawn(async move { closed.await.unwrap() }));
            let _ = s.ready().await;
        }));
    assert!(scope.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    open.send(()).unwrap();
    assert_eq!(back.1.load(SeqCst), 1);
    block_on(scope);
}

#[test]
fn rule_26_a_handle_is_awaited_in_one_place_after_another() {
    let sum = block_on(wg::options().limit(1).local().scope(async |s| {
        let mut asked = 0;
        let mut task = s.spawn(poll_fn(move |context| {
            asked += 1;
            context.waker().wake_by_ref();
            if asked > 5 { Poll::Ready(asked) } else { Poll::Pending }
        }));
        // First here, without a slot, and then in a task.
        let mut context = Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut task).poll(&mut context).is_pending());
        s.spawn(async move { task.join().await }).join().await
    }));
    assert_eq!(sum, 6);
}

#[test]
fn rule_26_wakers_may_fire_after_the_end() {
    let kept = Mutex::new(Vec::new());
    block_on(local::scope(async |s| {
        let kept = &kept;
        for _ in 0..3 {
            let mut first = true;
            drop(s.spawn(poll_fn(move |context| {
                kept.lock().unwrap().push(context.waker().clone());
                context.waker().wake_by_ref();
                if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
            })));
        }
    }));
    let wakers = kept.into_inner().unwrap();
    assert_eq!(wakers.len(), 6);
    wakers.into_iter().for_each(Waker::wake);
}
