//! `Scope::spawn_future`: who polls a future and when, joining it and awaiting it.

use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, join_all, select};
use futures::{SinkExt, StreamExt};
use wg::{FutureTask, Scope};
use wg_tests::{Counted, until};

/// Is pending so many times, and wakes itself each time.
pub(super) struct Yield(pub(super) usize);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Is pending for ever, and tells how often it was polled and dropped.
pub(super) async fn pends(polled: &AtomicUsize, dropped: &AtomicUsize) {
    let _counted = Counted(dropped);
    polled.fetch_add(1, Relaxed);
    pending().await
}

#[test]
fn rule_01_futures_borrow_from_outside_and_are_awaited_by_the_scope() {
    let words = vec![String::from("one"), String::from("three")];
    let letters = AtomicUsize::new(0);
    wg::scope(|s| {
        for word in &words {
            s.spawn_future(async {
                Yield(3).await;
                letters.fetch_add(word.len(), Relaxed);
            });
        }
    });
    drop(words);
    assert_eq!(letters.into_inner(), 8);
}

#[test]
fn rule_14_futures_are_polled_in_parallel() {
    let meet = Barrier::new(2);
    wg::scope(|s| {
        for _ in 0..2 {
            s.spawn_future(async { meet.wait() });
        }
    });
}

#[test]
fn rule_12_futures_may_block_on_each_other() {
    let meet = Barrier::new(200);
    wg::scope(|s| {
        for _ in 0..200 {
            s.spawn_future(async {
                Yield(1).await;
                meet.wait()
            });
        }
    });
}

#[test]
fn rule_12_ten_thousand_pending_futures_hold_no_thread() {
    const FUTURES: usize = if cfg!(miri) { 50 } else { 10_000 };
    let polled = AtomicUsize::new(0);
    wg::scope(|s| {
        let (gates, waits): (Vec<_>, Vec<_>) = (0..FUTURES).map(|_| oneshot::channel()).unzip();
        for wait in waits {
            s.spawn_future(async {
                polled.fetch_add(1, Relaxed);
                wait.await.unwrap();
            });
        }
        until(|| polled.load(Relaxed) == FUTURES && s.counts().running == 0);
        let counts = s.counts();
        assert_eq!((counts.waiting, counts.ended), (FUTURES, 0));
        for gate in gates {
            gate.send(()).unwrap();
        }
    });
}

#[test]
fn rule_22_a_pending_future_is_alive() {
    let (polled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    wg::scope(|s| {
        s.task("fetch").spawn_future(pends(&polled, &dropped));
        until(|| polled.load(Relaxed) == 1 && s.counts().running == 0);
        let alive = s.wait_timeout(Duration::from_millis(1)).unwrap_err().to_string();
        assert!(alive.starts_with("1 task alive: fetch#0 spawned at "), "{alive}");
        s.cancel("seen");
    });
}

#[test]
fn rule_11_the_body_joins_a_pending_future() {
    let value = wg::scope(|s| {
        let (send, receive) = oneshot::channel();
        let task = s.spawn_future(async { receive.await.unwrap() });
        s.spawn(|| send.send(7).unwrap());
        task.join()
    });
    assert_eq!(value, 7);
}

#[test]
fn rule_11_at_a_limit_of_one_a_task_joins_the_future_that_it_spawned() {
    let value = wg::options().limit(1).scope(|s| {
        let outer = s.spawn(|| {
            let inner = s.spawn_future(async {
                Yield(100).await;
                7
            });
            inner.join()
        });
        outer.join()
    });
    assert_eq!(value, 7);
}

#[test]
fn rule_11_at_a_limit_of_one_a_task_joins_a_future_that_a_foreign_thread_wakes() {
    for _ in 0..100 {
        let (send, receive) = oneshot::channel();
        let waker = thread::spawn(move || send.send(7).unwrap());
        let value = wg::options()
            .limit(1)
            .scope(|s| s.spawn(|| s.spawn_future(async { receive.await.unwrap() }).join()).join());
        assert_eq!(value, 7);
        waker.join().unwrap();
    }
}

#[test]
fn rule_11_at_a_limit_of_one_futures_that_await_each_other_are_joined_by_a_task() {
    fn nest<'s>(
        s: &'s Scope<'s, '_>,
        depth: usize,
    ) -> Pin<Box<dyn Future<Output = usize> + Send + 's>> {
        Box::pin(async move {
            if depth == 0 {
                Yield(2).await;
                return 0;
            }
            let below = s.spawn_future(nest(s, depth - 1));
            Yield(1).await;
            below.await.unwrap() + 1
        })
    }
    for depth in [1, 2, 100] {
        let value = wg::options()
            .limit(1)
            .scope(|s| s.spawn(|| s.spawn_future(nest(s, depth)).join()).join());
        assert_eq!(value, depth);
    }
}

#[test]
fn rule_11_at_a_limit_of_one_a_chain_deeper_than_the_stack_is_joined_by_a_task() {
    const DEEP: usize = if cfg!(miri) { 20 } else { 2_000 };
    let value = wg::options().limit(1).scope(|s| {
        let joined = s.spawn(|| {
            let mut last = s.spawn_future(async {
                Yield(1).await;
                0
            });
            for _ in 0..DEEP {
                last = s.spawn_future(async { last.await.unwrap() + 1 });
            }
            last.join()
        });
        joined.join()
    });
    assert_eq!(value, DEEP);
}

#[test]
fn rule_11_at_a_limit_of_one_a_future_of_an_inner_scope_awaits_one_of_the_outer() {
    for _ in 0..100 {
        let value = wg::options().limit(1).scope(|outer| {
            let task = outer.spawn(|| {
                let awaited = outer.spawn_future(async {
                    Yield(3).await;
                    3
                });
                let joined = outer.spawn_future(async {
                    Yield(3).await;
                    4
                });
                wg::options().limit(1).scope(|inner| {
                    let awaits = inner.spawn_future(async { awaited.await.unwrap() });
                    let joins = inner.spawn(|| joined.join());
                    awaits.join() + joins.join()
                })
            });
            task.join()
        });
        assert_eq!(value, 7);
    }
}

#[test]
fn rule_11_a_limit_that_falls_to_one_strands_no_future_that_is_joined() {
    for _ in 0..100 {
        let value = wg::scope(|s| {
            let task = s.spawn(|| {
                let below = s.spawn_future(async {
                    Yield(20).await;
                    7
                });
                s.spawn_future(async { below.await.unwrap() }).join()
            });
            s.set_limit(1);
            task.join()
        });
        assert_eq!(value, 7);
    }
}

#[test]
fn rule_09_no_more_futures_than_the_limit_are_polled_at_once() {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    wg::options().limit(2).scope(|s| {
        let tasks = (0..50).map(|_| {
            s.spawn_future(async {
                for _ in 0..20 {
                    most.fetch_max(now.fetch_add(1, Relaxed) + 1, Relaxed);
                    thread::yield_now();
                    now.fetch_sub(1, Relaxed);
                    Yield(1).await;
                }
            })
        });
        s.spawn_future(join_all(tasks.collect::<Vec<_>>())).join();
    });
    assert!(most.into_inner() <= 2);
}

#[test]
fn rule_16_futures_await_each_others_outputs_in_any_order() {
    let sum = wg::scope(|s| {
        let tasks: Vec<_> = (0..100_usize)
            .map(|n| {
                s.spawn_future(async move {
                    Yield(n % 7).await;
                    n
                })
            })
            .collect();
        let sum = s.spawn_future(async {
            join_all(tasks).await.into_iter().map(Result::unwrap).sum::<usize>()
        });
        sum.join()
    });
    assert_eq!(sum, 4_950);
}

#[test]
fn rule_25_a_handle_that_was_awaited_in_vain_still_has_the_output() {
    let value = wg::scope(|s| {
        let (send, receive) = oneshot::channel();
        let mut task = s.spawn_future(async { receive.await.unwrap() });
        let waits = s.spawn_future(async move {
            for _ in 0..3 {
                assert!(matches!(select(&mut task, Yield(1)).await, Either::Right(_)));
            }
            send.send(7).unwrap();
            (&mut task).await.unwrap()
        });
        waits.join()
    });
    assert_eq!(value, 7);
}

#[test]
fn rule_11_a_timed_join_gives_the_handle_back() {
    let value = wg::scope(|s| {
        let (send, receive) = oneshot::channel();
        let task = s.spawn_future(async { receive.await.unwrap() });
        let task = task.join_timeout(Duration::from_millis(1)).unwrap_err();
        send.send(7).unwrap();
        until(|| task.is_finished());
        task.join_timeout(Duration::ZERO).unwrap()
    });
    assert_eq!(value, Ok(7));
}

#[test]
fn rule_27_handles_of_futures_may_be_sent_and_shared() {
    const fn holds<T: Send + Sync + Unpin>() {}
    const {
        holds::<FutureTask<'_, u8>>();
        // Sharing the handle gives nobody the output.
        holds::<FutureTask<'_, Cell<u8>>>();
    }
}

#[test]
fn rule_01_outputs_and_futures_may_be_large() {
    const LARGE: usize = 64 << 10;
    let sum = wg::scope(|s| {
        let large = [1_u8; LARGE];
        let task = s.spawn_future(async move {
            Yield(1).await;
            large
        });
        let again = s.spawn_future(async { task.await.unwrap() });
        again.join().iter().map(|&byte| usize::from(byte)).sum::<usize>()
    });
    assert_eq!(sum, LARGE);
}

#[test]
fn rule_12_channels_between_futures_and_tasks() {
    let sum = AtomicUsize::new(0);
    wg::scope(|s| {
        let (send, mut receive) = mpsc::channel::<usize>(1);
        for part in 0..4 {
            let mut send = send.clone();
            s.spawn_future(async move {
                for n in 0..250 {
                    send.send(part * 250 + n).await.unwrap();
                }
            });
        }
        drop(send);
        let sum = &sum;
        s.spawn_future(async move {
            while let Some(n) = receive.next().await {
                sum.fetch_add(n, Relaxed);
            }
        });
    });
    assert_eq!(sum.into_inner(), 499_500);
}

#[test]
fn rule_14_a_future_that_wakes_itself_for_ever_lets_others_run_and_ends_by_cancel() {
    wg::options().limit(1).scope(|s| {
        s.spawn_future(Yield(usize::MAX));
        s.spawn_future(Yield(1_000)).join();
        s.spawn(|| ()).join();
        s.cancel("enough");
    });
}
