//! `Scope::spawn_future`: what becomes of futures by cancel, by error and by panic.

use std::future::{pending, poll_fn};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, select};
use wg::{Cause, Stopped};
use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught, until};

use super::futures::{Yield, pends};

#[test]
fn rule_18_pending_futures_are_dropped_when_the_scope_is_cancelled_by_hand() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cause = wg::scope(|s| {
        let tasks: Vec<_> = (0..100).map(|_| s.spawn_future(pends(&polled, &dropped))).collect();
        until(|| polled.load(Relaxed) == 100);
        s.cancel("enough");
        // Nobody has left the scope, or joined: they are dropped all the same.
        until(|| dropped.load(Relaxed) == 100);
        tasks.into_iter().map(|task| task.try_join().unwrap_err()).last().unwrap()
    });
    assert_eq!(cause.to_string(), "stopped: cancelled: enough");
    assert_eq!(polled.into_inner(), 100);
}

#[test]
fn rule_21_pending_futures_are_dropped_when_the_deadline_passes() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cause = wg::options().timeout(Duration::from_millis(20)).scope(|s| {
        s.spawn_future(pends(&polled, &dropped));
        until(|| s.is_cancelled());
        s.cancelled_by()
    });
    assert_eq!(cause, Some(Cause::Deadline));
    assert_eq!(dropped.into_inner(), polled.into_inner());
}

#[test]
fn rule_18_pending_futures_are_dropped_when_an_outer_scope_is_cancelled() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    wg::scope(|outer| {
        outer.spawn(|| {
            wg::scope(|inner| {
                inner.spawn_future(pends(&polled, &dropped));
            });
        });
        until(|| polled.load(Relaxed) == 1);
        outer.cancel("enough");
        until(|| dropped.load(Relaxed) == 1);
    });
}

#[test]
fn rule_05_pending_futures_are_dropped_when_another_one_panics() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            for _ in 0..10 {
                s.spawn_future(pends(&polled, &dropped));
            }
            until(|| polled.load(Relaxed) == 10);
            s.spawn_future(async {
                Yield(1).await;
                bang(70)
            });
        });
    });
    assert_eq!(bang, Bang(70));
    assert_eq!(dropped.into_inner(), 10);
}

#[test]
fn rule_06_an_error_drops_the_pending_futures_and_comes_back() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let result = wg::try_scope(|s| {
        for _ in 0..10 {
            let pends = pends(&polled, &dropped);
            s.spawn_future(async {
                pends.await;
                Ok(())
            });
        }
        until(|| polled.load(Relaxed) == 10);
        s.task("fails").spawn_future(async {
            Yield(1).await;
            Err::<(), _>(String::from("broken"))
        });
        Ok(())
    });
    assert_eq!(result.unwrap_err(), "broken");
    assert_eq!(dropped.into_inner(), 10);
}

#[test]
fn rule_06_an_error_goes_to_the_future_that_awaits_it() {
    let (result, errors) = wg::collect_scope(|s| {
        let fails = s.spawn_future(async { Err::<i32, _>(String::from("broken")) });
        let asks = s.task("asks").spawn_future(async { Ok::<_, String>(fails.await.is_err()) });
        asks.join()
    });
    assert_eq!(result, Ok(true));
    assert_eq!(errors.len(), 0);
}

#[test]
fn rule_06_an_error_that_echoes_another_futures_end_does_not_hide_the_cause() {
    for _ in 0..100 {
        let result = wg::try_scope(|s| {
            let (send, receive) = oneshot::channel();
            let fails = s.spawn_future(async {
                receive.await.unwrap();
                Err::<(), _>(String::from("cause"))
            });
            s.spawn_future(async { fails.await.map_err(|error| format!("after {error}")) });
            send.send(()).unwrap();
            Ok(())
        });
        // The one who awaited it has the cause in hand, and says so; unless it was dropped before.
        assert!(["cause", "after cause"].contains(&result.unwrap_err().as_str()));
    }
}

#[test]
fn rule_08_a_future_that_was_dropped_pending_is_counted_as_cancelled() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let ((), errors) = wg::collect_scope(|s| {
        for _ in 0..3 {
            let pends = pends(&polled, &dropped);
            s.spawn_future(async {
                pends.await;
                Err::<(), _>("never")
            });
        }
        until(|| polled.load(Relaxed) == 3);
        s.cancel("enough");
    });
    assert_eq!((errors.len(), errors.cancelled()), (0, 3));
}

#[test]
fn rule_18_a_future_that_is_being_polled_is_dropped_when_it_is_pending() {
    let (begun, dropped) = (AtomicBool::new(false), AtomicUsize::new(0));
    wg::scope(|s| {
        s.spawn_future(async {
            let _counted = Counted(&dropped);
            begun.store(true, Relaxed);
            until(|| s.is_cancelled());
            assert_eq!(dropped.load(Relaxed), 0);
            pending::<()>().await
        });
        until(|| begun.load(Relaxed));
        s.cancel("enough");
    });
    assert_eq!(dropped.into_inner(), 1);
}

#[test]
fn rule_21_an_output_that_comes_after_the_cancel_is_returned() {
    let value = wg::scope(|s| {
        let begun = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&begun);
        let task = s.spawn_future(async move {
            theirs.store(true, Relaxed);
            until(|| s.is_cancelled());
            7
        });
        until(|| begun.load(Relaxed));
        s.cancel("enough");
        until(|| task.is_finished());
        task.join()
    });
    assert_eq!(value, 7);
}

#[test]
fn rule_01_a_future_is_dropped_before_its_scope_is_left_and_what_it_holds_in_order() {
    struct Says<'a>(&'static str, &'a Mutex<Vec<&'static str>>);
    impl Drop for Says<'_> {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let said = Mutex::new(Vec::new());
    let polled = AtomicUsize::new(0);
    wg::scope(|s| {
        s.spawn_future(async {
            let _first = Says("first", &said);
            let _second = Says("second", &said);
            polled.fetch_add(1, Relaxed);
            pending::<()>().await
        });
        until(|| polled.load(Relaxed) == 1);
        s.cancel("enough");
    });
    said.lock().unwrap().push("left");
    assert_eq!(said.into_inner().unwrap(), ["second", "first", "left"]);
}

#[test]
fn rule_18_a_future_of_a_cancelled_scope_is_not_polled() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    wg::scope(|s| {
        s.cancel("enough");
        let held = Counted(&dropped);
        let task = s.spawn_future(async {
            let _held = held;
            polled.fetch_add(1, Relaxed);
        });
        assert_eq!(task.try_join().unwrap_err().to_string(), "stopped: cancelled: enough");
        assert_eq!(dropped.load(Relaxed), 1);
    });
    assert_eq!(polled.into_inner(), 0);
}

#[test]
fn rule_05_a_panic_in_a_poll_is_resumed_and_told_to_who_awaits() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            let task = s.spawn_future(async {
                Yield(1).await;
                bang(71)
            });
            until(|| task.is_finished());
            assert!(matches!(task.try_join().unwrap_err().cause(), Cause::Panicked(..)));
        });
    });
    assert_eq!(bang, Bang(71));
}

#[test]
fn rule_01_a_future_whose_drop_panics_costs_itself_its_output() {
    let boom = caught::<Boom, _>(|| {
        wg::scope(|s| {
            let held = Bomb::new(0);
            let mut polls = 0;
            // Not an async block, which drops what it holds before it is ready.
            let task = s.spawn_future(poll_fn(move |context| {
                let _held = &held;
                polls += 1;
                context.waker().wake_by_ref();
                if polls == 3 { Poll::Ready(7) } else { Poll::Pending }
            }));
            caught::<Stopped, _>(|| task.join());
        });
    });
    assert_eq!(boom, Boom);
}

#[test]
fn rule_01_futures_whose_drops_panic_are_dropped_by_a_cancel_all_the_same() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let boom = caught::<Boom, _>(|| {
        wg::scope(|s| {
            for number in 0..10 {
                let pends = pends(&polled, &dropped);
                s.spawn_future(async move {
                    let _bomb = Bomb::new(number);
                    pends.await;
                });
            }
            until(|| polled.load(Relaxed) == 10);
            s.cancel("enough");
        });
    });
    assert_eq!(boom, Boom);
    assert_eq!(dropped.into_inner(), 10);
}

#[test]
fn rule_01_outputs_whose_drops_panic_may_be_left_unclaimed() {
    let boom = caught::<Boom, _>(|| {
        wg::scope(|s| {
            for number in 0..10 {
                s.spawn_future(async move { Bomb::new(number) });
            }
        });
    });
    assert_eq!(boom, Boom);
}

#[test]
fn rule_19_a_future_of_a_shielded_scope_hears_that_the_outer_one_is_cancelled() {
    let polled = AtomicUsize::new(0);
    let said = wg::scope(|s| {
        let task = s.spawn(|| {
            wg::options().shield().scope(|inner| {
                let stop = s.cancelled();
                let waits = inner.spawn_future(async {
                    polled.fetch_add(1, Relaxed);
                    match select(stop, pending::<()>()).await {
                        Either::Left((stopped, _)) => stopped,
                        Either::Right(_) => unreachable!(),
                    }
                });
                waits.join()
            })
        });
        until(|| polled.load(Relaxed) == 1);
        s.cancel("enough");
        until(|| task.is_finished());
        task.join()
    });
    assert_eq!(said.to_string(), "stopped: cancelled: enough");
}
