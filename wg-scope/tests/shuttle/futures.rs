//! Futures that are polled by the runners.

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use shuttle::thread;
use wg::options;

use crate::kit::{Count, Dropped, Narrow, explore};

/// An event that somebody waits for. The lock is `std`'s: nobody comes in between.
#[derive(Default)]
struct Event(Mutex<(bool, Option<Waker>)>);

impl Event {
    fn fire(&self) {
        let mut inner = self.0.lock().unwrap();
        inner.0 = true;
        let waker = inner.1.take();
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn fired(&self) {
        poll_fn(|cx| {
            let mut inner = self.0.lock().unwrap();
            if inner.0 {
                return Poll::Ready(());
            }
            inner.1 = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The wake-up comes before, while and after the poll returns, and from a thread outside.
#[test]
fn a_future_that_is_woken_while_it_is_polled_is_polled_again() {
    explore(|| {
        let events: Vec<_> = (0..3).map(|_| Arc::new(Event::default())).collect();
        let fired = events.clone();
        let outside = thread::spawn(move || fired.iter().rev().for_each(|event| event.fire()));
        let done = wg::scope(|s| {
            let waiting: Vec<_> = events
                .iter()
                .map(|event| {
                    s.spawn_future(async move {
                        event.fired().await;
                        1
                    })
                })
                .collect();
            waiting.into_iter().map(|task| task.join()).sum::<usize>()
        });
        assert_eq!(done, 3);
        outside.join().unwrap();
    });
}

/// One slot for a chain of futures each of which awaits the next, and for a closure that joins it.
#[test]
fn rule_11_futures_that_await_each_other_complete_at_a_limit_of_one() {
    explore(|| {
        let door = Narrow::new(1);
        let sum = options().limit(1).scope(|s| {
            let first = s.spawn_future(async {
                door.pass();
                1
            });
            let second = s.spawn_future(async {
                let first = first.await.unwrap();
                door.pass();
                first + 1
            });
            s.spawn(|| {
                let third = s.spawn_future(async { second.await.unwrap() + 1 });
                door.pass();
                third.join()
            })
            .join()
        });
        assert_eq!(sum, 3);
    });
}

/// Futures that nobody will wake are dropped by the cancel, whatever they were doing.
#[test]
fn rule_19_a_cancel_drops_futures_that_are_pending_queued_or_polled() {
    explore(|| {
        let dropped = Count::default();
        let event = Event::default();
        wg::scope(|s| {
            for _ in 0..4 {
                let (capture, event) = (Dropped(&dropped), &event);
                s.spawn_future(async move {
                    let _capture = capture;
                    event.fired().await;
                });
            }
            s.spawn(|| s.cancel("enough"));
        });
        assert_eq!(dropped.get(), 4);
    });
}

/// The waker is called when the future, the task and the scope have ended, or are about to.
#[test]
fn rule_26_a_waker_may_be_called_at_the_end_and_after_it() {
    explore(|| {
        let event = Arc::new(Event::default());
        let outside = thread::spawn({
            let event = Arc::clone(&event);
            move || event.fire()
        });
        let event = &event;
        wg::scope(|s| {
            s.spawn_future(async move {
                let mut polls = 0;
                poll_fn(|cx| {
                    polls += 1;
                    let _ = std::pin::pin!(event.fired()).poll(cx);
                    if polls == 2 {
                        return Poll::Ready(());
                    }
                    cx.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
            });
        });
        outside.join().unwrap();
    });
}
