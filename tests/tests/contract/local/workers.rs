//! Worker pools of futures in the current task.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::mem::forget;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::block_on;
use futures::{FutureExt, StreamExt, poll};
use wg::{Policy, local};
use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught};

/// Lets others go on, so many times.
async fn give_way(times: usize) {
    for _ in 0..times {
        let mut gave = false;
        futures::future::poll_fn(|context| {
            if std::mem::replace(&mut gave, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

#[test]
fn rule_16_results_end_when_all_jobs_are_done() {
    for workers in [1, 2, 7] {
        block_on(local::scope(async |s| {
            let mut pool = s.workers(workers, async |n: usize| n * 2);
            assert_eq!(pool.recv().await, None, "without a job there is nothing to wait for");
            for round in 0..100 {
                for n in 0..4 {
                    pool.send(n).await.unwrap();
                }
                let results: BTreeSet<_> = pool.by_ref().collect().await;
                assert!(results.into_iter().eq([0, 2, 4, 6]), "in round {round}");
            }
        }));
    }
}

#[test]
fn rule_16_other_inlets_keep_the_results_open_until_they_are_dropped() {
    block_on(local::scope(async |s| {
        let mut pool = s.workers(2, async |n: usize| n);
        for task in 0..3 {
            let inlet = pool.inlet();
            drop(s.spawn(async move {
                for n in 0..100 {
                    inlet.send(task * 100 + n).await.unwrap();
                }
            }));
        }
        let results: BTreeSet<_> = pool.by_ref().collect().await;
        assert!(results.into_iter().eq(0..300));
        let inlet = pool.inlet();
        let mut read = pin!(pool.recv());
        assert_eq!(poll!(&mut read), Poll::Pending);
        drop(inlet);
        assert_eq!(read.await, None);
    }));
}

#[test]
fn rule_16_ten_thousand_jobs_each_once() {
    let read = block_on(local::scope(async |s| {
        let mut pool = s.workers(4, async |n: usize| n).inlet_of(64).outlet_of(64);
        for sender in 0..4 {
            let inlet = pool.inlet();
            drop(s.spawn(async move {
                for n in 0..2_500 {
                    inlet.send(sender * 2_500 + n).await.unwrap();
                }
            }));
        }
        let mut seen = vec![false; 10_000];
        while let Some(n) = pool.recv().await {
            assert!(!std::mem::replace(&mut seen[n], true), "{n} came twice");
        }
        seen
    }));
    assert!(read.into_iter().all(|seen| seen));
}

#[test]
fn rule_16_ten_thousand_senders_of_one_job_get_their_turn() {
    let handled = AtomicUsize::new(0);
    block_on(local::scope(async |s| {
        let handled = &handled;
        let pool = s
            .workers(2, async move |_: usize| {
                handled.fetch_add(1, SeqCst);
            })
            .inlet_of(1);
        for n in 0..10_000 {
            let inlet = pool.inlet();
            drop(s.spawn(async move { inlet.send(n).await.unwrap() }));
        }
    }));
    assert_eq!(handled.into_inner(), 10_000);
}

#[test]
fn rule_14_one_job_after_the_other_goes_in_and_comes_out() {
    block_on(local::scope(async |s| {
        let mut pool = s.workers(2, async |n: usize| n + 1);
        for n in 0..10_000 {
            pool.send(n).await.unwrap();
            assert_eq!(pool.recv().await, Some(n + 1));
        }
    }));
}

#[test]
fn rule_16_whoever_sends_all_and_reads_then_does_not_lock_itself_up() {
    for limit in [1, 2, 3, 1_000] {
        let count = block_on(wg::options().limit(limit).local().scope(async |s| {
            let pool = s.workers(3, async |n: usize| n).inlet_of(1);
            for n in 0..2_000 {
                pool.send(n).await.unwrap();
            }
            pool.count().await
        }));
        assert_eq!(count, 2_000);
    }
}

#[test]
fn rule_11_a_task_may_use_a_pool_at_any_limit() {
    for limit in [1, 2, 3] {
        for workers in [1, 2, 5] {
            let sums = block_on(wg::options().limit(limit).local().scope(async |s| {
                let tasks = s.spawn_all((0..4).map(|_| {
                    let inner = s.clone();
                    async move {
                        let pool = inner.workers(workers, async |n: usize| {
                            give_way(n % 3).await;
                            n
                        });
                        let mut pool = pool.inlet_of(2);
                        let mut sum = 0;
                        for n in 0..100 {
                            pool.send(n).await.unwrap();
                            sum += pool.try_recv().unwrap_or_default();
                        }
                        while let Some(n) = pool.recv().await {
                            sum += n;
                        }
                        sum
                    }
                }));
                let mut sums = Vec::new();
                for task in tasks {
                    sums.push(task.join().await);
                }
                sums
            }));
            assert_eq!(sums, [4_950; 4], "at a limit of {limit} with {workers} workers");
        }
    }
}

#[test]
fn rule_09_a_task_that_lends_its_slot_takes_no_other() {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    block_on(wg::options().limit(2).local().scope(async |s| {
        let (now, most) = (&now, &most);
        let tasks = s.spawn_all((0..3).map(|_| {
            let inner = s.clone();
            async move {
                let handler = async move |_: usize| {
                    most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                    give_way(3).await;
                    now.fetch_sub(1, SeqCst);
                };
                let mut pool = inner.workers(4, handler).inlet_of(1);
                for n in 0..20 {
                    pool.send(n).await.unwrap();
                }
                while pool.recv().await.is_some() {}
            }
        }));
        for task in tasks {
            task.join().await;
        }
    }));
    assert_eq!((most.into_inner(), now.into_inner()), (2, 0));
}

#[test]
fn rule_11_a_job_that_was_begun_in_a_lent_slot_goes_on_when_that_is_taken_back() {
    for ends_early in [false, true] {
        let handled = AtomicUsize::new(0);
        block_on(wg::options().limit(1).local().scope(async |s| {
            let (send, receive) = oneshot::channel::<()>();
            let (send, receive) = (Some(send), receive.shared());
            let (inner, handled) = (s.clone(), &handled);
            drop(s.spawn(async move {
                let mut send = send;
                let handler = move |n: usize| {
                    let receive = receive.clone();
                    async move {
                        receive.await.unwrap();
                        handled.fetch_add(1, SeqCst);
                        n
                    }
                };
                let mut pool = inner.workers(1, handler);
                pool.send(7).await.unwrap();
                // The job waits for what comes below, in this slot.
                assert_eq!(poll!(pin!(pool.recv())), Poll::Pending);
                if ends_early {
                    send.take().unwrap().send(()).unwrap();
                    return;
                }
                assert_eq!(poll!(pin!(pool.recv())), Poll::Pending);
                send.take().unwrap().send(()).unwrap();
                assert_eq!(pool.recv().await, Some(7));
            }));
        }));
        assert_eq!(handled.into_inner(), 1);
    }
}

#[test]
fn rule_09_no_more_jobs_are_handled_at_once_than_there_are_workers() {
    for workers in [1, 2, 5] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        block_on(local::scope(async |s| {
            let (now, most) = (&now, &most);
            let pool = s.workers(workers, async move |n: usize| {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                give_way(n % 4).await;
                now.fetch_sub(1, SeqCst);
            });
            for n in 0..500 {
                pool.send(n).await.unwrap();
            }
        }));
        assert_eq!(most.into_inner(), workers);
    }
}

#[test]
fn rule_10_a_sender_waits_while_the_inlet_is_full_and_room_wakes_it() {
    block_on(local::scope(async |s| {
        let (send, receive) = oneshot::channel::<()>();
        let receive = receive.shared();
        let mut pool = s
            .workers(1, move |n: usize| {
                let receive = receive.clone();
                async move {
                    receive.await.unwrap();
                    n
                }
            })
            .inlet_of(2);
        pool.send(0).await.unwrap();
        give_way(2).await; // it is being handled
        pool.send(1).await.unwrap();
        pool.send(2).await.unwrap();
        let refused = pool.try_send(3).unwrap_err();
        assert_eq!(refused.to_string(), "not sent: the inlet is full");
        assert!(refused.cancelled_by().is_none());
        let inlet = pool.inlet();
        let mut waiting = Box::pin(inlet.send(refused.into_job()));
        assert!(poll!(&mut waiting).is_pending());
        send.send(()).unwrap();
        waiting.await.unwrap();
        drop(inlet);
        let mut read = Vec::new();
        while let Some(n) = pool.recv().await {
            read.push(n);
        }
        assert_eq!(read, [0, 1, 2, 3]);
    }));
}

#[test]
fn rule_25_a_sender_that_is_dropped_while_it_waits_takes_its_job_along_and_holds_nobody_up() {
    let dropped = AtomicUsize::new(0);
    block_on(local::scope(async |s| {
        let (send, receive) = oneshot::channel::<()>();
        let receive = receive.shared();
        let pool = s
            .workers(1, move |(n, job): (usize, Counted<'_>)| {
                let receive = receive.clone();
                async move {
                    receive.await.unwrap();
                    drop(job);
                    n
                }
            })
            .inlet_of(1);
        let job = |n| (n, Counted(&dropped));
        pool.send(job(0)).await.unwrap();
        give_way(2).await; // it is being handled
        pool.send(job(1)).await.unwrap();
        let inlet = pool.inlet();
        let mut first = Box::pin(inlet.send(job(2)));
        let mut second = Box::pin(inlet.send(job(3)));
        let mut third = Box::pin(inlet.send(job(4)));
        assert!(poll!(&mut first).is_pending());
        assert!(poll!(&mut second).is_pending());
        assert!(poll!(&mut third).is_pending());
        drop(first);
        assert_eq!(dropped.load(SeqCst), 1);
        send.send(()).unwrap();
        // The second is not polled meanwhile, and the third comes all the same.
        third.await.unwrap();
        // There was room for it before: it makes no difference that it goes away.
        drop(second);
        drop(inlet);
        assert_eq!(pool.collect::<Vec<_>>().await, [0, 1, 3, 4]);
    }));
    assert_eq!(dropped.into_inner(), 5);
}

#[test]
fn rule_19_a_sender_that_waits_is_woken_by_a_cancel_and_has_its_job_back() {
    let handled = AtomicUsize::new(0);
    let dropped = AtomicUsize::new(0);
    block_on(local::scope(async |s| {
        let handled = &handled;
        let pool = s
            .workers(1, async move |_: (usize, Counted<'_>)| {
                handled.fetch_add(1, SeqCst);
                pending::<()>().await;
            })
            .inlet_of(2);
        for n in 0..3 {
            pool.send((n, Counted(&dropped))).await.unwrap();
            give_way(2).await;
        }
        let canceller = s.clone();
        drop(s.spawn(async move {
            canceller.cancel("enough");
        }));
        let refused = pool.send((3, Counted(&dropped))).await.unwrap_err();
        assert_eq!(refused.to_string(), "not sent: cancelled: enough");
        assert_eq!(refused.into_job().0, 3);
        let refused = pool.send((4, Counted(&dropped))).await.unwrap_err();
        assert_eq!(refused.into_job().0, 4);
        let refused = pool.try_send((5, Counted(&dropped))).unwrap_err();
        assert_eq!(refused.cancelled_by(), s.cancelled_by().as_ref());
    }));
    assert_eq!((handled.into_inner(), dropped.into_inner()), (1, 6));
}

#[test]
fn rule_19_a_reader_that_waits_is_woken_by_a_cancel() {
    block_on(local::scope(async |s| {
        let mut pool = s.workers(1, async |n: usize| if n == 1 { pending().await } else { n });
        pool.send(0).await.unwrap();
        pool.send(1).await.unwrap();
        give_way(2).await;
        let canceller = s.clone();
        drop(s.spawn(async move { canceller.cancel("enough") }));
        assert_eq!(pool.recv().await, Some(0));
        assert_eq!(pool.recv().await, None);
        assert!(s.is_cancelled());
    }));
}

#[test]
fn rule_16_a_bounded_outlet_holds_its_bound() {
    for bound in [1, 2, 5] {
        let begun = AtomicUsize::new(0);
        block_on(local::scope(async |s| {
            let count = &begun;
            let mut pool = s
                .workers(3, async move |n: usize| {
                    count.fetch_add(1, SeqCst);
                    give_way(n % 2).await;
                    n
                })
                .inlet_of(100)
                .outlet_of(bound);
            for n in 0..100 {
                pool.try_send(n).unwrap();
            }
            for taken in 0..100 {
                give_way(10).await;
                assert_eq!(begun.load(SeqCst), 100.min(taken + bound));
                if taken % 2 == 0 {
                    pool.recv().await.unwrap();
                } else {
                    pool.try_recv().unwrap();
                }
            }
            assert_eq!(pool.recv().await, None);
        }));
    }
}

#[test]
fn rule_01_dropping_the_pool_finishes_what_was_sent() {
    for bound in [1, 1_000] {
        let (jobs, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
        block_on(local::scope(async |s| {
            let results = &results;
            let pool = s
                .workers(3, async move |_job: Counted<'_>| Counted(results))
                .inlet_of(100)
                .outlet_of(bound);
            for _ in 0..100 {
                pool.send(Counted(&jobs)).await.unwrap();
            }
            let inlet = pool.inlet();
            drop(pool);
            inlet.send(Counted(&jobs)).await.unwrap();
        }));
        assert_eq!((jobs.into_inner(), results.into_inner()), (101, 101));
    }
}

#[test]
fn rule_01_a_pool_or_an_inlet_that_is_forgotten_or_returned_holds_nobody_up() {
    let handled = AtomicUsize::new(0);
    let kept = block_on(local::scope(async |s| {
        let handled = &handled;
        let pool = s
            .workers(2, async move |n: usize| {
                handled.fetch_add(1, SeqCst);
                n
            })
            .outlet_of(3);
        for n in 0..5 {
            pool.send(n).await.unwrap();
        }
        forget(pool.inlet());
        forget(pool);
        let pool = s.workers(2, async move |_: usize| {
            handled.fetch_add(100, SeqCst);
        });
        pool.send(1).await.unwrap();
        pool
    }));
    assert_eq!(handled.load(SeqCst), 103);
    let refused = block_on(kept.send(2)).unwrap_err();
    assert_eq!(refused.into_job(), 2);
    drop(kept);
    assert_eq!(handled.into_inner(), 103);
}

#[test]
fn rule_01_nothing_of_a_pool_is_dropped_after_the_scope() {
    for round in 0..60 {
        let (jobs, results, captures) =
            (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let capture = Counted(&captures);
        block_on(local::scope(async |s| {
            let results = &results;
            let mut pool = s.workers(1 + round % 3, move |_job: Counted<'_>| {
                let _held = &capture;
                async move { Counted(results) }
            });
            for _ in 0..round % 9 {
                pool.send(Counted(&jobs)).await.unwrap();
            }
            if round % 2 == 0 {
                let inlet = pool.inlet();
                drop(s.spawn(async move { drop(inlet) }));
            }
            drop(pool.recv().await);
        }));
        let sent = round % 9;
        let dropped = (jobs.into_inner(), results.into_inner(), captures.into_inner());
        assert_eq!(dropped, (sent, sent, 1));
    }
}

#[test]
fn rule_05_a_panic_of_the_handler_is_the_scopes_and_jobs_that_wait_are_dropped() {
    let (jobs, handled) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let first: Bang = caught(|| {
        block_on(local::scope(async |s| {
            let handled = &handled;
            let pool = s
                .workers(1, async move |(n, _job): (usize, Counted<'_>)| {
                    handled.fetch_add(1, SeqCst);
                    if n == 3 {
                        bang(660)
                    }
                })
                .inlet_of(100);
            for n in 0..50 {
                pool.send((n, Counted(&jobs))).await.unwrap();
            }
            assert_eq!(pool.count().await, 3);
        }))
    });
    assert_eq!((first, jobs.into_inner(), handled.into_inner()), (Bang(660), 50, 4));
}

#[test]
fn rule_05_a_handler_that_panics_before_there_is_a_future_is_the_same() {
    let first: Bang = caught(|| {
        block_on(local::scope(async |s| {
            let pool = s.workers(2, |n: usize| {
                if n == 1 {
                    bang(661)
                }
                async move { n }
            });
            for n in 0..3 {
                pool.send(n).await.unwrap();
            }
        }))
    });
    assert_eq!(first, Bang(661));
}

#[test]
fn rule_06_errors_of_the_handler_go_to_the_scope() {
    let failed = block_on(local::try_scope(async |s| {
        let pool = s.workers(2, async |n: usize| if n == 40 { Err("forty") } else { Ok(n) });
        for n in 0..1_000 {
            if pool.send(n).await.is_err() {
                break;
            }
        }
        pool.for_each(async |_| {}).await;
        Ok(())
    }));
    assert_eq!(failed.unwrap_err(), "forty");
    let (count, errors) = block_on(local::collect_scope(async |s| {
        let handler = async |n: usize| if n % 10 == 7 { Err(n) } else { Ok(n) };
        let pool = s.workers(3, handler).inlet_of(200);
        for n in 0..100 {
            pool.send(n).await.unwrap();
        }
        pool.count().await
    }));
    assert_eq!((count, errors.len()), (90, 10));
    let first = errors.first().unwrap();
    let task = first.task().unwrap();
    assert_eq!((task.index(), task.name()), (7, Some("worker")));
    assert!(task.site().file().ends_with("local/workers.rs"));
}

#[test]
fn rule_05_caught_panics_are_failures_of_the_jobs() {
    let options = wg::options().catch_panics();
    let (count, errors) = block_on(options.local().collect_scope(async |s| {
        let pool = s.workers(1, async |n: usize| {
            if n == 1 {
                bang(662)
            }
            Ok::<_, String>(n)
        });
        for n in 0..3 {
            pool.send(n).await.unwrap();
        }
        pool.count().await
    }));
    assert_eq!((count, errors.len()), (2, 1));
    assert_eq!(errors.first().unwrap().index(), Some(1));
}

#[test]
fn rule_06_the_first_success_is_there_to_be_read() {
    let first = wg::options().policy(Policy::first_success()).local();
    let read = block_on(first.try_scope(async |s| {
        let pool = s.workers(3, async |n: usize| match n {
            2 => Ok::<_, String>(n),
            _ => pending().await,
        });
        for n in 0..3 {
            pool.send(n).await.unwrap();
        }
        Ok(pool.collect::<Vec<_>>().await)
    }));
    assert_eq!(read, Ok(vec![2]));
}

#[test]
fn rule_01_bombs_among_jobs_and_results_take_nothing_with_them() {
    for workers in [1, 3] {
        // Dropped by the handler.
        let _: Boom = caught(|| {
            block_on(local::scope(async |s| {
                let pool = s.workers(workers, async |bomb: Bomb| drop(bomb)).inlet_of(100);
                (0..20).for_each(|n| pool.try_send(Bomb::new(n)).unwrap());
            }))
        });
        // Results that nobody takes, of a pool that is there and of one that is gone.
        for stays in [false, true] {
            let _: Boom = caught(|| {
                block_on(local::scope(async |s| {
                    let pool = s.workers(workers, async |n: u32| Bomb::new(n)).inlet_of(100);
                    (0..20).for_each(|n| pool.try_send(n).unwrap());
                    if stays {
                        give_way(10).await;
                    }
                }))
            });
        }
        // Jobs that are dropped because the scope is cancelled.
        let _: Boom = caught(|| {
            block_on(local::scope(async |s| {
                let handler = async |bomb: Bomb| forget(bomb);
                let pool = s.workers(workers, handler).inlet_of(100).outlet_of(1);
                (0..20).for_each(|n| pool.try_send(Bomb::new(n)).unwrap());
                s.cancel("enough");
            }))
        });
        // The handler.
        let bomb = Bomb::new(0);
        let _: Boom = caught(|| {
            block_on(local::scope(async |s| {
                let pool = s.workers(workers, move |n: u32| {
                    let _held = &bomb;
                    async move { n }
                });
                pool.send(1).await.unwrap();
            }))
        });
    }
    let options = wg::options().catch_panics();
    let ((), errors) = block_on(options.local().collect_scope(async |s| {
        let pool = s
            .workers(2, async |bomb: Bomb| {
                drop(bomb);
                Ok::<(), ()>(())
            })
            .inlet_of(100);
        (0..20).for_each(|n| pool.try_send(Bomb::new(n)).unwrap());
    }));
    assert_eq!(errors.len(), 20);
}

#[test]
fn rule_09_a_pool_of_nothing_is_refused_where_it_is_made() {
    block_on(local::scope(async |s| {
        let words: &str = caught(|| s.workers(0, async |n: u32| n));
        assert!(words.starts_with("a pool of 0 workers"), "{words}");
        let words: &str = caught(|| s.workers(1, async |n: u32| n).inlet_of(0));
        assert!(words.starts_with("an inlet for 0 jobs"), "{words}");
        let words: &str = caught(|| s.workers(1, async |n: u32| n).outlet_of(0));
        assert!(words.starts_with("an outlet for 0 results"), "{words}");
    }));
}

#[test]
fn rule_25_a_read_that_is_dropped_loses_nothing() {
    block_on(local::scope(async |s| {
        let mut pool = s.workers(1, async |n: usize| {
            give_way(3).await;
            n
        });
        pool.send(1).await.unwrap();
        for _ in 0..2 {
            assert_eq!(poll!(pin!(pool.recv())), Poll::Pending);
        }
        assert_eq!(pool.recv().await, Some(1));
    }));
}

#[test]
fn rule_22_a_report_names_the_pool() {
    let options = wg::options();
    let late = block_on(options.local().scope(async |s| {
        let pool = s.workers(1, async |_: usize| pending::<()>().await);
        pool.send(1).await.unwrap();
        let late = s.wait_timeout(Duration::from_millis(1)).await.unwrap_err();
        s.cancel("seen");
        late.to_string()
    }));
    assert!(late.starts_with("1 task alive: worker#0 spawned at "), "{late}");
    assert!(late.contains("local/workers.rs:"), "{late}");
}

/// A scope with senders, workers and a reader that wait for one another at many places.
fn busy<'a>(
    limit: usize,
    jobs: &'a AtomicUsize,
    results: &'a AtomicUsize,
    captured: Counted<'a>,
) -> impl Future<Output = usize> + 'a {
    wg::options().limit(limit).local().scope(async move |s| {
        let handler = move |(n, job): (usize, Counted<'a>)| {
            let _held = &captured;
            async move {
                give_way(n % 3).await;
                drop(job);
                Counted(results)
            }
        };
        let mut pool = s.workers(2, handler).inlet_of(1).outlet_of(2);
        for _ in 0..3 {
            let inlet = pool.inlet();
            drop(s.spawn(async move {
                for n in 0..4 {
                    inlet.send((n, Counted(jobs))).await.unwrap();
                    give_way(1).await;
                }
            }));
        }
        let mut read = 0;
        while let Some(result) = pool.recv().await {
            give_way(1).await;
            drop(result);
            read += 1;
        }
        read
    })
}

#[test]
fn rule_24_a_scope_that_is_dropped_at_any_point_frees_each_job_once() {
    let mut context = Context::from_waker(Waker::noop());
    for limit in [1, 2, 100] {
        let mut polls = 0;
        loop {
            let (jobs, results, captures) =
                (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
            let mut scope = Box::pin(busy(limit, &jobs, &results, Counted(&captures)));
            let ended = (0..polls).any(|_| scope.as_mut().poll(&mut context).is_ready());
            drop(scope);
            assert_eq!(captures.into_inner(), 1);
            let (jobs, results) = (jobs.into_inner(), results.into_inner());
            assert!(results <= jobs && jobs <= 12, "{results} results of {jobs} jobs");
            if ended {
                assert_eq!((jobs, results), (12, 12));
                break;
            }
            polls += 1;
            assert!(polls < 10_000, "it does not end");
        }
        assert!(polls > 5);
    }
}

#[test]
fn the_futures_of_a_pool_are_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let text = String::from("borrowed");
    let scope = is_send(local::scope(async |s| {
        let text = &text;
        let mut pool = s.workers(2, async move |n: usize| text.len() + n);
        pool.send(1).await.unwrap();
        let inlet = pool.inlet();
        inlet.send(2).await.unwrap();
        drop(inlet);
        let mut sum = pool.recv().await.unwrap();
        while let Some(n) = pool.next().await {
            sum += n;
        }
        sum
    }));
    assert_eq!(block_on(scope), 19);
}
