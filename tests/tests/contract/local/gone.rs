//! Scopes, bodies, handles and runtimes that go away.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use wg::local;
use wg_tests::{Bomb, Counted};

#[test]
fn rule_24_a_body_that_panics_when_it_is_dropped_keeps_no_task() {
    let dropped = AtomicUsize::new(0);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut scope = Box::pin(local::scope(async |s| {
            for _ in 0..10 {
                let counted = Counted(&dropped);
                drop(s.spawn(async move {
                    let _counted = counted;
                    pending::<()>().await;
                }));
            }
            let _bomb = Bomb::new(1);
            pending::<()>().await;
        }));
        assert!(scope.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(scope);
    }));
    // Whether the panic comes out is another question.
    drop(result);
    assert_eq!(dropped.into_inner(), 10);
}

#[test]
fn rule_24_a_scope_that_is_dropped_drops_what_waits_runs_and_has_not_been_polled() {
    let dropped = AtomicUsize::new(0);
    let mut scope = Box::pin(wg::options().limit(2).local().scope(async |s| {
        for _ in 0..10 {
            let counted = Counted(&dropped);
            drop(s.spawn(async move {
                let _counted = counted;
                pending::<()>().await;
            }));
        }
        pending::<()>().await;
    }));
    assert!(scope.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(scope);
    assert_eq!(dropped.into_inner(), 10);
}

#[test]
fn rule_03_a_scope_kept_in_a_static_spawns_nothing_after_its_end() {
    static KEPT: Mutex<Option<local::Scope<'static>>> = Mutex::new(None);
    block_on(local::scope(async |s| *KEPT.lock().unwrap() = Some(s.clone())));
    let scope = KEPT.lock().unwrap().take().unwrap();
    let late = scope.spawn(async { 1 });
    assert!(late.is_finished());
    assert_eq!(block_on(late).unwrap_err().cause(), &wg::Cause::Ended);
}

#[test]
fn rule_24_a_forgotten_scope_leaks_and_its_handles_can_be_dropped() {
    static KEPT: Mutex<Option<local::Task<'static, ()>>> = Mutex::new(None);
    let mut scope = Box::pin(local::scope(async |s: local::Scope<'static>| {
        *KEPT.lock().unwrap() = Some(s.spawn(pending()));
        pending::<()>().await;
    }));
    assert!(scope.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    std::mem::forget(scope);
    drop(KEPT.lock().unwrap().take());
}

#[test]
fn rule_21_a_deadline_in_the_past_begins_no_task() {
    let options = wg::options().deadline(Instant::now());
    let begun = AtomicUsize::new(0);
    let counts = block_on(options.local().scope(async |s| {
        drop(s.spawn(async { begun.fetch_add(1, SeqCst) }));
        s.counts()
    }));
    assert_eq!((counts.spawned, counts.ended, begun.into_inner()), (1, 1, 0));
}

#[test]
fn rule_19_what_runs_may_end_within_its_grace() {
    let options = wg::options().grace(Duration::from_secs(3_600));
    let ended = block_on(options.local().scope(async |s| {
        let inner = s.clone();
        let task = s.spawn(async move {
            inner.cancelled().await;
            7
        });
        let begun = s.spawn(async {});
        begun.join().await;
        s.cancel("enough");
        task.await
    }));
    assert_eq!(ended.ok(), Some(7));
}

#[test]
fn rule_24_a_runtime_that_goes_away_drops_a_long_line_on_a_short_stack() {
    static DROPPED: AtomicUsize = AtomicUsize::new(0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut scope = Box::pin(wg::options().limit(1).tokio().scope(async |s| {
        for _ in 0..20_000 {
            let counted = Counted(&DROPPED);
            drop(s.spawn(async move {
                let _counted = counted;
                pending::<()>().await;
            }));
        }
    }));
    let entered = runtime.enter();
    assert!(scope.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(entered);
    drop(runtime);
    assert_eq!(DROPPED.load(SeqCst), 20_000);
    block_on(scope);
}

#[test]
fn rule_24_scopes_inside_scopes_are_dropped_with_the_outermost() {
    fn nest(left: usize, dropped: &AtomicUsize) -> futures::future::BoxFuture<'_, ()> {
        Box::pin(async move {
            let _counted = Counted(dropped);
            if left == 0 {
                return pending().await;
            }
            local::scope(async |s| s.spawn(nest(left - 1, dropped)).join().await).await;
        })
    }
    let dropped = AtomicUsize::new(0);
    {
        let mut scope = pin!(nest(30, &dropped));
        assert!(scope.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    assert_eq!(dropped.into_inner(), 31);
}
