//! Worker pools of futures on a runtime.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::oneshot;
use tokio::runtime::Builder;
use tokio::task::yield_now;
use wg_tests::{Bang, Bomb, Boom, bang, caught};

use super::on_each;

#[test]
fn rule_16_many_senders_many_workers_and_each_job_once() {
    on_each(async || {
        let seen = wg::tokio::scope(async |s| {
            let mut pool = s.workers(4, async |n: usize| n).inlet_of(8).outlet_of(64);
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
        });
        assert!(seen.await.into_iter().all(|seen| seen));
    });
}

#[test]
fn rule_14_one_job_after_the_other_goes_in_and_comes_out() {
    on_each(async || {
        wg::tokio::scope(async |s| {
            let mut pool = s.workers(2, async |n: usize| n + 1);
            for n in 0..5_000 {
                pool.send(n).await.unwrap();
                assert_eq!(pool.recv().await, Some(n + 1));
            }
            assert_eq!(pool.recv().await, None);
        })
        .await;
    });
}

#[test]
fn rule_16_whoever_sends_all_and_reads_then_does_not_lock_itself_up() {
    for limit in [1, 2, 1_000] {
        on_each(async || {
            let count = wg::options().limit(limit).tokio().scope(async |s| {
                let pool = s.workers(3, async |n: usize| n).inlet_of(1);
                for n in 0..1_000 {
                    pool.send(n).await.unwrap();
                }
                pool.count().await
            });
            assert_eq!(count.await, 1_000);
        });
    }
}

#[test]
fn rule_11_a_task_may_use_a_pool_at_any_limit() {
    for limit in [1, 2, 3] {
        for workers in [1, 3] {
            on_each(async || {
                let sums = wg::options().limit(limit).tokio().scope(async |s| {
                    let tasks = s.spawn_all((0..4).map(|_| {
                        let inner = s.clone();
                        async move {
                            let handler = async |n: usize| {
                                if n % 3 == 0 {
                                    yield_now().await;
                                }
                                n
                            };
                            let mut pool = inner.workers(workers, handler).inlet_of(2);
                            for n in 0..100 {
                                pool.send(n).await.unwrap();
                            }
                            let mut sum = 0;
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
                });
                assert_eq!(sums.await, [4_950; 4], "at a limit of {limit}");
            });
        }
    }
}

#[test]
fn rule_11_one_pool_for_many_tasks_at_any_limit() {
    for limit in [1, 2] {
        for _ in 0..20 {
            on_each(async || {
                let read = wg::options().limit(limit).tokio().scope(async |s| {
                    let handler = async |n: usize| {
                        yield_now().await;
                        n
                    };
                    let pool = s.workers(2, handler).inlet_of(1);
                    for sender in 0..5 {
                        let inlet = pool.inlet();
                        drop(s.spawn(async move {
                            for n in 0..20 {
                                inlet.send(sender * 20 + n).await.unwrap();
                            }
                        }));
                    }
                    pool.collect::<BTreeSet<_>>().await
                });
                assert!(read.await.into_iter().eq(0..100));
            });
        }
    }
}

#[test]
fn rule_12_as_many_jobs_as_workers_meet_at_a_barrier() {
    on_each(async || {
        for workers in [2, 40] {
            let barrier = Arc::new(tokio::sync::Barrier::new(workers));
            let count = wg::tokio::scope(async move |s| {
                let handler = move |_: usize| {
                    let barrier = Arc::clone(&barrier);
                    async move {
                        barrier.wait().await;
                    }
                };
                let pool = s.workers(workers, handler);
                for n in 0..3 * workers {
                    pool.send(n).await.unwrap();
                }
                pool.count().await
            });
            assert_eq!(count.await, 3 * workers);
        }
    });
}

#[test]
fn rule_19_a_sender_that_waits_is_woken_by_a_cancel_and_has_its_job_back() {
    on_each(async || {
        let left = wg::tokio::scope(async |s| {
            let begun = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&begun);
            let handler = move |_job: Arc<()>| {
                count.fetch_add(1, SeqCst);
                pending::<()>()
            };
            let pool = s.workers(1, handler).inlet_of(2);
            let job = Arc::new(());
            pool.send(Arc::clone(&job)).await.unwrap();
            while begun.load(SeqCst) == 0 {
                yield_now().await;
            }
            pool.send(Arc::clone(&job)).await.unwrap();
            pool.send(Arc::clone(&job)).await.unwrap();
            let (inlet, its) = (pool.inlet(), Arc::clone(&job));
            let (send, receive) = oneshot::channel();
            let sender = tokio::spawn(async move {
                let mut waiting = Box::pin(inlet.send(its));
                assert!(futures::poll!(&mut waiting).is_pending());
                send.send(()).unwrap();
                waiting.await.unwrap_err()
            });
            receive.await.unwrap();
            s.cancel("enough");
            let refused = sender.await.unwrap();
            assert_eq!(refused.to_string(), "not sent: cancelled: enough");
            drop(refused.into_job());
            job
        });
        assert_eq!(Arc::strong_count(&left.await), 1, "every job is gone");
    });
}

#[test]
fn rule_05_a_panic_of_the_handler_is_the_scopes() {
    on_each(async || {
        let scope = wg::tokio::scope(async |s| {
            let pool = s.workers(2, async |n: usize| if n == 3 { bang(670) } else { n });
            for n in 0..50 {
                if pool.send(n).await.is_err() {
                    break;
                }
            }
            pool.count().await
        });
        let thrown = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(scope)).await;
        assert_eq!(thrown.unwrap_err().downcast_ref(), Some(&Bang(670)));
    });
}

#[test]
fn rule_06_a_failing_handler_stops_the_rest() {
    on_each(async || {
        let failed = wg::tokio::try_scope(async |s| {
            let pool = s.workers(3, async |n: usize| match n {
                7 => Err(String::from("seven")),
                8.. => pending().await,
                n => Ok(n),
            });
            for n in 0..100 {
                if pool.send(n).await.is_err() {
                    break;
                }
            }
            pool.for_each(async |_| {}).await;
            Ok(())
        });
        assert_eq!(failed.await, Err(String::from("seven")));
    });
}

#[test]
fn rule_01_a_panicking_drop_of_a_result_is_the_scopes() {
    for flavour in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let mut flavour = flavour;
        let runtime = flavour.build().unwrap();
        let _: Boom = caught(|| {
            runtime.block_on(wg::tokio::scope(async |s| {
                let pool = s.workers(2, async |n: u32| Bomb::new(n)).inlet_of(20);
                (0..20).for_each(|n| drop(pool.try_send(n)));
            }))
        });
    }
}

#[test]
fn rule_01_dropping_the_pool_finishes_what_was_sent() {
    on_each(async || {
        let handled = Arc::new(AtomicUsize::new(0));
        let its = Arc::clone(&handled);
        wg::tokio::scope(async move |s| {
            let pool = s.workers(2, move |_: usize| {
                let its = Arc::clone(&its);
                async move { its.fetch_add(1, SeqCst) }
            });
            for n in 0..100 {
                pool.send(n).await.unwrap();
            }
        })
        .await;
        assert_eq!((handled.load(SeqCst), Arc::strong_count(&handled)), (100, 1));
    });
}

#[test]
fn rule_24_a_scope_that_is_dropped_frees_every_job() {
    on_each(async || {
        for polls in 0..40 {
            let job = Arc::new(());
            let its = Arc::clone(&job);
            let mut scope = Box::pin(wg::options().limit(2).tokio().scope(async move |s| {
                let handler = async |job: Arc<()>| {
                    yield_now().await;
                    job
                };
                let mut pool = s.workers(2, handler).inlet_of(1).outlet_of(1);
                for _ in 0..3 {
                    let (inlet, its) = (pool.inlet(), Arc::clone(&its));
                    drop(
                        s.spawn(async move { while inlet.send(Arc::clone(&its)).await.is_ok() {} }),
                    );
                }
                while pool.recv().await.is_some() {}
            }));
            for _ in 0..polls {
                assert!(futures::poll!(&mut scope).is_pending());
                yield_now().await;
            }
            drop(scope);
            while Arc::strong_count(&job) > 1 {
                yield_now().await;
            }
        }
    });
}

#[test]
fn rule_24_a_runtime_that_goes_away_loses_the_jobs_and_nobody_waits() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let mut scope = Box::pin(wg::tokio::scope(async |s| {
        let mut pool = s.workers(2, async |_: usize| pending::<()>().await).inlet_of(2);
        for n in 0..100 {
            pool.send(n).await.unwrap();
        }
        let inlet = pool.inlet();
        drop(inlet);
        pool.recv().await
    }));
    let entered = runtime.enter();
    let nobody = std::task::Waker::noop();
    let mut context = std::task::Context::from_waker(nobody);
    assert!(scope.as_mut().poll(&mut context).is_pending());
    drop(entered);
    drop(runtime);
    assert_eq!(futures::executor::block_on(scope), None);
}

#[test]
fn rule_26_a_scope_with_a_pool_is_spawned_as_a_task() {
    on_each(async || {
        let sum = tokio::spawn(async {
            wg::tokio::try_scope(async |s| {
                let mut pool = s.workers(2, async |n: usize| Ok::<_, wg::Stopped>(n));
                let inlet = pool.inlet();
                let sender = s.spawn(async move {
                    for n in 0..10 {
                        inlet.send(n).await.unwrap();
                    }
                    Ok(())
                });
                let mut sum = 0;
                while let Some(n) = pool.recv().await {
                    sum += n;
                }
                sender.await?;
                Ok(sum)
            })
            .await
        });
        assert_eq!(sum.await.unwrap().unwrap(), 45);
    });
}

#[test]
fn rule_19_a_grace_lets_jobs_that_have_begun_end() {
    on_each(async || {
        let options = wg::options().grace(Duration::from_secs(3_600));
        let read = options.tokio().scope(async |s| {
            let its = s.clone();
            let (send, receive) = oneshot::channel();
            let send = Arc::new(std::sync::Mutex::new(Some(send)));
            let handler = move |n: usize| {
                let (its, send) = (its.clone(), Arc::clone(&send));
                async move {
                    let begun = send.lock().unwrap().take();
                    begun.into_iter().for_each(|begun| begun.send(()).unwrap());
                    its.cancelled().await;
                    n
                }
            };
            let mut pool = s.workers(1, handler);
            pool.send(1).await.unwrap();
            pool.send(2).await.unwrap();
            receive.await.unwrap();
            s.cancel("closing");
            s.wait_timeout(Duration::from_secs(3_600)).await.unwrap();
            [pool.recv().await, pool.recv().await]
        });
        assert_eq!(read.await, [Some(1), None]);
    });
}
