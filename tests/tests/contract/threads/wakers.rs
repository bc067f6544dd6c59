//! Rule 26: wakers may fire from any thread, at any time, also after the end.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use wg_tests::{Counted, bang, until};

/// Gives its waker away at every poll, and is ready when it is told so.
struct Gives<'a>(&'a Mutex<Vec<Waker>>, &'a AtomicBool);

impl Future for Gives<'_> {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<u32> {
        self.0.lock().unwrap().push(context.waker().clone());
        if self.1.load(SeqCst) { Poll::Ready(7) } else { Poll::Pending }
    }
}

#[test]
fn rule_26_a_future_that_is_woken_while_it_is_polled_is_polled_again() {
    let polls = AtomicUsize::new(0);
    wg::scope(|s| {
        s.spawn_future(poll_fn(|context| {
            let waker = context.waker().clone();
            // Woken by another thread, which is done before this poll is.
            thread::spawn(move || waker.wake()).join().unwrap();
            if polls.fetch_add(1, Relaxed) == 99 { Poll::Ready(()) } else { Poll::Pending }
        }));
    });
    assert_eq!(polls.into_inner(), 100);
}

#[test]
fn rule_26_wakers_that_are_called_after_the_end_of_future_and_scope_do_nothing() {
    let wakers = Mutex::new(Vec::new());
    let dropped = AtomicUsize::new(0);
    {
        let ready = AtomicBool::new(false);
        wg::scope(|s| {
            let held = Counted(&dropped);
            let (wakers, ready) = (&wakers, &ready);
            let task = s.spawn_future(async move {
                let value = Gives(wakers, ready).await;
                drop(held);
                value
            });
            until(|| !wakers.lock().unwrap().is_empty());
            ready.store(true, SeqCst);
            let waker = wakers.lock().unwrap()[0].clone();
            waker.wake_by_ref();
            until(|| task.is_finished());
            waker.wake();
            assert_eq!(task.join(), 7);
        });
    }
    let wakers = wakers.into_inner().unwrap();
    assert_eq!(wakers.len(), 2);
    for waker in &wakers {
        waker.wake_by_ref();
    }
    let elsewhere: Vec<_> =
        wakers.into_iter().map(|waker| thread::spawn(move || waker.wake())).collect();
    elsewhere.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(dropped.into_inner(), 1);
}

#[test]
fn rule_26_a_waker_keeps_nothing_of_the_future_alive() {
    let wakers = Mutex::new(Vec::new());
    let (held, ready) = (Arc::new(()), AtomicBool::new(false));
    wg::scope(|s| {
        for _ in 0..10 {
            let (held, gives) = (Arc::clone(&held), Gives(&wakers, &ready));
            s.spawn_future(async move {
                let _held = held;
                gives.await
            });
        }
        until(|| wakers.lock().unwrap().len() == 10);
        s.cancel("enough");
    });
    assert_eq!(Arc::strong_count(&held), 1);
    assert_eq!(wakers.into_inner().unwrap().len(), 10);
}

#[test]
fn rule_26_four_threads_that_wake_at_once_make_one_end() {
    const ROUNDS: usize = if cfg!(miri) { 5 } else { 300 };
    let ends = AtomicUsize::new(0);
    for _ in 0..ROUNDS {
        let (wakers, ready) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        wg::scope(|s| {
            s.spawn_future(async {
                Gives(&wakers, &ready).await;
                ends.fetch_add(1, Relaxed);
            });
            until(|| !wakers.lock().unwrap().is_empty());
            let waker = wakers.lock().unwrap()[0].clone();
            thread::scope(|threads| {
                for number in 0..4 {
                    let (waker, ready) = (&waker, &ready);
                    threads.spawn(move || {
                        for _ in 0..20 {
                            waker.wake_by_ref();
                        }
                        if number == 0 {
                            ready.store(true, SeqCst);
                        }
                        waker.wake_by_ref();
                    });
                }
            });
        });
    }
    assert_eq!(ends.into_inner(), ROUNDS);
}

#[test]
fn rule_26_no_wake_up_is_lost_between_a_poll_and_the_shelf() {
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };
    let (wakers, told) = (Mutex::new(None::<Waker>), AtomicUsize::new(0));
    let done = AtomicBool::new(false);
    wg::scope(|s| {
        let (wakers, told, done) = (&wakers, &told, &done);
        let counts = s.spawn_future(poll_fn(move |context| {
            *wakers.lock().unwrap() = Some(context.waker().clone());
            if told.load(SeqCst) == ROUNDS { Poll::Ready(()) } else { Poll::Pending }
        }));
        s.spawn(move || {
            for _ in 0..ROUNDS {
                told.fetch_add(1, SeqCst);
                let waker = wakers.lock().unwrap().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
            done.store(true, SeqCst);
        });
        counts.join();
    });
    assert!(done.into_inner());
}

#[test]
fn rule_26_what_came_before_a_wake_up_is_visible_to_the_poll_after_it() {
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 5_000 };
    let (wakers, written) = (Mutex::new(None::<Waker>), AtomicUsize::new(0));
    wg::scope(|s| {
        let (wakers, written) = (&wakers, &written);
        let mut seen = 0;
        let reads = s.spawn_future(poll_fn(move |context| {
            // Relaxed: only the wake-up orders it.
            let now = written.load(Relaxed);
            assert!(seen == 0 || now >= seen);
            seen = now;
            *wakers.lock().unwrap() = Some(context.waker().clone());
            if now == ROUNDS { Poll::Ready(()) } else { Poll::Pending }
        }));
        until(|| wakers.lock().unwrap().is_some());
        let waker = wakers.lock().unwrap().clone().unwrap();
        for round in 1..=ROUNDS {
            written.store(round, Relaxed);
            waker.wake_by_ref();
        }
        reads.join();
    });
}

#[test]
fn rule_26_a_panic_in_the_waker_of_one_who_awaits_is_a_panic_of_the_task() {
    struct Bangs;
    impl Wake for Bangs {
        fn wake(self: Arc<Self>) {
            bang(72)
        }
    }
    let bang = wg_tests::caught::<wg_tests::Bang, _>(|| {
        wg::scope(|s| {
            let ready = AtomicBool::new(false);
            let ready = Arc::new(ready);
            let theirs = Arc::clone(&ready);
            let mut task = s.spawn_future(async move { until(|| theirs.load(SeqCst)) });
            let waker = Waker::from(Arc::new(Bangs));
            let poll = Pin::new(&mut task).poll(&mut Context::from_waker(&waker));
            assert!(poll.is_pending());
            ready.store(true, SeqCst);
            until(|| s.is_cancelled());
        });
    });
    assert_eq!(bang, wg_tests::Bang(72));
}
