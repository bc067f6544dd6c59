//! Worker pools.

use std::collections::BTreeSet;
use std::mem::forget;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};
use std::time::Duration;

use wg::Policy;
use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught, until};

const MANY: usize = 100_000;

/// Long enough that a test that waits for it hangs.
const FOR_EVER: Duration = Duration::from_secs(3600);

#[test]
fn rule_16_results_end_when_all_jobs_are_done() {
    for workers in [1, 2, 7] {
        wg::scope(|s| {
            let mut pool = s.workers(workers, |n: usize| n * 2);
            assert_eq!(pool.recv(), None, "without a job there is nothing to wait for");
            for round in 0..100 {
                (0..4).for_each(|n| pool.send(n).unwrap());
                let results: BTreeSet<_> = pool.results().collect();
                assert!(results.into_iter().eq([0, 2, 4, 6]), "in round {round}");
            }
        });
    }
}

#[test]
fn rule_16_other_inlets_keep_the_results_open_until_they_are_dropped() {
    wg::scope(|s| {
        let mut pool = s.workers(2, |n: usize| n);
        for task in 0..3 {
            let inlet = pool.inlet();
            s.spawn(move || (0..100).for_each(|n| inlet.send(task * 100 + n).unwrap()));
        }
        let results: BTreeSet<_> = pool.results().collect();
        assert!(results.into_iter().eq(0..300));
        let inlet = pool.inlet();
        assert_eq!(pool.recv_timeout(Duration::from_millis(1)), Err(0));
        drop(inlet);
        assert_eq!(pool.recv_timeout(FOR_EVER), Ok(None));
    });
}

#[test]
fn rule_16_many_senders_many_workers_and_each_job_once() {
    wg::scope(|s| {
        let mut pool = s.workers(4, |n: usize| n).inlet_of(64).outlet_of(64);
        for sender in 0..4 {
            let inlet = pool.inlet();
            s.spawn(move || {
                (0..MANY / 4).for_each(|n| inlet.send(sender * (MANY / 4) + n).unwrap());
            });
        }
        let mut seen = vec![false; MANY];
        for n in pool.results() {
            assert!(!std::mem::replace(&mut seen[n], true), "{n} came twice");
        }
        assert!(seen.into_iter().all(|seen| seen));
    });
}

#[test]
fn rule_14_one_job_after_the_other_goes_in_and_comes_out() {
    wg::scope(|s| {
        let mut pool = s.workers(2, |n: usize| n + 1);
        for n in 0..MANY / 10 {
            pool.send(n).unwrap();
            assert_eq!(pool.recv(), Some(n + 1));
        }
    });
}

#[test]
fn rule_16_whoever_sends_all_and_reads_then_does_not_lock_itself_up() {
    for limit in [1, 2, 3, usize::MAX] {
        let count = wg::options().limit(limit).scope(|s| {
            let mut pool = s.workers(3, |n: usize| n).inlet_of(1);
            (0..2000).for_each(|n| pool.send(n).unwrap());
            pool.results().count()
        });
        assert_eq!(count, 2000);
    }
}

#[test]
fn rule_11_a_task_may_use_a_pool_at_any_limit() {
    for limit in [1, 2, 3] {
        for workers in [1, 2, 5] {
            let sums = wg::options().limit(limit).scope(|s| {
                let tasks: Vec<_> = (0..4)
                    .map(|_| {
                        s.spawn(move || {
                            let mut pool = s.workers(workers, |n: usize| n).inlet_of(2);
                            (0..100).for_each(|n| pool.send(n).unwrap());
                            pool.results().sum::<usize>()
                        })
                    })
                    .collect();
                tasks.into_iter().map(|task| task.join()).collect::<Vec<_>>()
            });
            assert_eq!(sums, [4950; 4]);
        }
    }
}

#[test]
fn rule_09_no_more_jobs_are_handled_at_once_than_there_are_workers() {
    for workers in [1, 2, 5] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        wg::scope(|s| {
            let pool = s.workers(workers, |n: usize| {
                most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                (0..n % 4).for_each(|_| std::thread::yield_now());
                now.fetch_sub(1, SeqCst);
            });
            (0..500).for_each(|n| pool.send(n).unwrap());
        });
        assert!(most.load(SeqCst) <= workers);
    }
}

#[test]
fn rule_12_as_many_jobs_as_workers_meet_at_a_barrier() {
    for workers in [2, 8, 40] {
        let barrier = Barrier::new(workers);
        wg::scope(|s| {
            let pool = s.workers(workers, |_| {
                barrier.wait();
            });
            (0..3 * workers).for_each(|n| pool.send(n).unwrap());
        });
        wg::scope(|s| {
            let mut pool = s
                .workers(workers, |_| {
                    barrier.wait();
                })
                .outlet_of(workers);
            for _ in 0..3 {
                (0..workers).for_each(|n| pool.send(n).unwrap());
                assert_eq!(pool.results().count(), workers);
            }
        });
    }
}

/// The inlet's bound is exact: a sender goes on as soon as there is room, also if the only worker
/// is busy until then.
#[test]
fn rule_10_a_sender_goes_on_when_there_is_room() {
    let (send, receive) = channel::<()>();
    let (begun, receive) = (AtomicBool::new(false), Mutex::new(receive));
    wg::scope(|s| {
        let pool = s
            .workers(1, |n: usize| {
                if n == 0 {
                    begun.store(true, SeqCst);
                    receive.lock().unwrap().recv().unwrap();
                }
            })
            .inlet_of(8);
        // One is being handled, eight fill the inlet. The ninth waits for the worker to take the
        // first, and that one waits for the ninth to be sent.
        (0..9).for_each(|n| pool.send(n).unwrap());
        until(|| begun.load(SeqCst));
        assert_eq!(pool.try_send(9).unwrap_err().to_string(), "not sent: the inlet is full");
        send.send(()).unwrap();
    });
    for _ in 0..50 {
        wg::scope(|s| {
            let mut pool = s.workers(1, |n: usize| n).inlet_of(8).outlet_of(1);
            (0..9).for_each(|n| pool.send(n).unwrap());
            assert!(pool.results().eq(0..9));
        });
    }
}

#[test]
fn rule_16_a_bounded_outlet_holds_its_bound() {
    for bound in [1, 2, 5] {
        let begun = AtomicUsize::new(0);
        wg::scope(|s| {
            let mut pool = s
                .workers(3, |n: usize| {
                    begun.fetch_add(1, SeqCst);
                    n
                })
                .inlet_of(200)
                .outlet_of(bound);
            (0..100).for_each(|n| pool.send(n).unwrap());
            for taken in 0..100 {
                until(|| begun.load(SeqCst) >= 100.min(taken + bound));
                assert!(
                    begun.load(SeqCst) <= taken + bound,
                    "{} begun, {taken} taken",
                    begun.load(SeqCst)
                );
                if taken % 2 == 0 {
                    pool.recv().unwrap();
                } else {
                    until(|| pool.try_recv().is_some());
                }
            }
        });
    }
}

#[test]
fn rule_19_a_sender_that_waits_is_woken_by_a_cancel() {
    let (waiting, handled) = (AtomicUsize::new(0), AtomicUsize::new(0));
    wg::scope(|s| {
        let pool = s
            .workers(1, |_: usize| {
                handled.fetch_add(1, SeqCst);
                drop(s.sleep(FOR_EVER));
            })
            .inlet_of(2);
        let inlet = pool.inlet();
        let sender = s.spawn(move || {
            for n in 0..100 {
                waiting.store(n, SeqCst);
                if let Err(stopped) = inlet.send(n) {
                    return stopped.to_string();
                }
            }
            unreachable!("the inlet holds 2")
        });
        until(|| handled.load(SeqCst) == 1);
        s.cancel("enough");
        let told = sender.try_join().unwrap_or_else(|stopped| stopped.to_string());
        assert_eq!(told, "stopped: cancelled: enough");
        assert_eq!(pool.send(1).unwrap_err().to_string(), "stopped: cancelled: enough");
        let refused = pool.try_send(7).unwrap_err();
        assert_eq!(refused.to_string(), "not sent: cancelled: enough");
        assert_eq!(refused.into_job(), 7);
    });
    assert_eq!(handled.load(SeqCst), 1);
}

#[test]
fn rule_01_dropping_the_pool_finishes_what_was_sent() {
    for bound in [1, 1000] {
        let (jobs, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
        wg::scope(|s| {
            let pool =
                s.workers(3, |_job: Counted<'_>| Counted(&results)).inlet_of(100).outlet_of(bound);
            (0..100).for_each(|_| pool.send(Counted(&jobs)).unwrap());
        });
        assert_eq!((jobs.load(SeqCst), results.load(SeqCst)), (100, 100));
    }
}

#[test]
fn rule_01_a_pool_or_an_inlet_that_is_forgotten_holds_nobody_up() {
    let handled = AtomicUsize::new(0);
    wg::scope(|s| {
        let pool = s
            .workers(2, |n: usize| {
                handled.fetch_add(1, SeqCst);
                n
            })
            .outlet_of(3);
        (0..5).for_each(|n| pool.send(n).unwrap());
        forget(pool.inlet());
        forget(pool);
        let pool = s.workers(2, |_: usize| {
            handled.fetch_add(100, SeqCst);
        });
        pool.send(1).unwrap();
        forget(pool.inlet());
    });
    assert_eq!(handled.load(SeqCst), 103);
}

#[test]
fn rule_01_nothing_of_a_pool_is_dropped_after_the_scope() {
    for round in 0..300 {
        let (jobs, results, captures) =
            (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let capture = Counted(&captures);
        wg::scope(|s| {
            let results = &results;
            let mut pool = s.workers(1 + round % 3, move |_job| {
                let _held = &capture;
                Counted(results)
            });
            (0..round % 9).for_each(|_| pool.send(Counted(&jobs)).unwrap());
            if round % 2 == 0 {
                let inlet = pool.inlet();
                s.spawn(move || drop(inlet));
            }
            drop(pool.recv());
        });
        let sent = round % 9;
        assert_eq!(
            (jobs.load(SeqCst), results.load(SeqCst), captures.load(SeqCst)),
            (sent, sent, 1)
        );
    }
}

#[test]
fn rule_05_a_panic_of_the_handler_is_the_scopes_and_jobs_that_wait_are_dropped() {
    let (jobs, handled) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let first: Bang = caught(|| {
        wg::scope(|s| {
            let mut pool = s
                .workers(1, |(n, _job): (usize, Counted<'_>)| {
                    handled.fetch_add(1, SeqCst);
                    if n == 3 {
                        bang(650)
                    }
                })
                .inlet_of(100);
            let sent = (0..50).filter(|&n| pool.send((n, Counted(&jobs))).is_ok()).count();
            assert!(sent >= 4);
            assert!(pool.results().count() <= 3);
        })
    });
    assert_eq!((first, jobs.load(SeqCst), handled.load(SeqCst)), (Bang(650), 50, 4));
}

#[test]
fn rule_06_errors_of_the_handler_go_to_the_scope() {
    let failed = wg::try_scope(|s| {
        let mut pool = s.workers(2, |n: usize| if n == 40 { Err("forty") } else { Ok(n) });
        for n in 0..1000 {
            pool.send(n)?;
        }
        pool.results().for_each(drop);
        Ok(())
    });
    assert_eq!(failed.unwrap_err(), "forty");
    let (sum, errors) = wg::collect_scope(|s| {
        let mut pool =
            s.workers(3, |n: usize| if n % 10 == 7 { Err(n) } else { Ok(n) }).inlet_of(200);
        (0..100).for_each(|n| pool.send(n).unwrap());
        pool.results().count()
    });
    assert_eq!((sum, errors.len()), (90, 10));
    let caught = wg::options().catch_panics().policy(Policy::collect_all()).try_scope(|s| {
        let pool = s.workers(1, |n: usize| if n == 1 { bang(651) } else { Ok::<_, String>(n) });
        (0..3).for_each(|n| pool.send(n).unwrap());
        Ok(())
    });
    assert!(caught.is_err());
}

#[test]
fn rule_01_bombs_among_jobs_and_results_take_nothing_with_them() {
    for workers in [1, 3] {
        let bombs = || (0..20).map(Bomb::new);
        let _: Boom = caught(|| {
            wg::scope(|s| {
                let pool = s.workers(workers, drop::<Bomb>).inlet_of(100);
                bombs().for_each(|bomb| {
                    if let Err(refused) = pool.try_send(bomb) {
                        forget(refused.into_job());
                    }
                });
            })
        });
        let _: Boom = caught(|| {
            wg::scope(|s| {
                let pool = s.workers(workers, Bomb::new).inlet_of(100);
                (0..20).for_each(|n| drop(pool.send(n)));
            })
        });
        // Jobs that are dropped because the scope is cancelled.
        let _: Boom = caught(|| {
            wg::scope(|s| {
                let pool = s.workers(workers, forget::<Bomb>).inlet_of(100).outlet_of(1);
                bombs().for_each(|bomb| {
                    if let Err(refused) = pool.try_send(bomb) {
                        forget(refused.into_job());
                    }
                });
                s.cancel("enough");
            })
        });
        let bomb = Bomb::new(0);
        let _: Boom = caught(move || {
            wg::scope(move |s| {
                let pool = s.workers(workers, move |_: u32| {
                    let _held = &bomb;
                });
                pool.send(1).unwrap();
            })
        });
    }
}

#[test]
fn rule_09_a_pool_of_nothing_is_refused_where_it_is_made() {
    wg::scope(|s| {
        let words: &str = caught(|| s.workers(0, |n: u32| n));
        assert!(words.starts_with("a pool of 0 workers"), "{words}");
        let words: &str = caught(|| s.workers(1, |n: u32| n).inlet_of(0));
        assert!(words.starts_with("an inlet for 0 jobs"), "{words}");
        let words: &str = caught(|| s.workers(1, |n: u32| n).outlet_of(0));
        assert!(words.starts_with("an outlet for 0 results"), "{words}");
    });
}

#[test]
fn rule_16_a_timed_wait_says_how_many_jobs_are_left() {
    let (send, receive) = channel::<()>();
    let receive = Mutex::new(receive);
    wg::scope(|s| {
        let mut pool = s.workers(1, |n: usize| {
            receive.lock().unwrap().recv().unwrap();
            n
        });
        (0..3).for_each(|n| pool.send(n).unwrap());
        assert_eq!(pool.recv_timeout(Duration::from_millis(1)), Err(3));
        assert_eq!(pool.try_recv(), None);
        (0..3).for_each(|_| send.send(()).unwrap());
        assert_eq!(pool.recv_timeout(FOR_EVER), Ok(Some(0)));
        assert_eq!((pool.recv(), pool.recv(), pool.recv()), (Some(1), Some(2), None));
    });
}
