//! Results: what comes out, in which order, and when it ends.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::mpsc::channel;
use std::time::Duration;

use wg::{Cause, NoResult, Policy, Results, Spawner};
use wg_tests::{Bang, bang, caught, until};

/// Long enough that a test that waits for it hangs.
const FOR_EVER: Duration = Duration::from_secs(3600);

#[test]
fn rule_16_it_ends_when_the_last_task_has_ended_and_no_earlier() {
    let (send, receive) = channel::<()>();
    wg::scope(|s| {
        let results = s.results();
        results.spawn(|| "first");
        results.spawn(move || {
            receive.recv().unwrap();
            "second"
        });
        assert_eq!(results.recv(), Some((0, "first")));
        assert_eq!(results.try_recv(), Err(NoResult::NotYet));
        assert_eq!(results.recv_timeout(Duration::from_millis(2)), Err(NoResult::NotYet));
        assert_eq!(results.outstanding(), 1);
        send.send(()).unwrap();
        assert_eq!(results.recv_timeout(FOR_EVER), Ok((1, "second")));
        assert_eq!(results.recv(), None);
        assert_eq!(results.recv_timeout(FOR_EVER), Err(NoResult::Ended));
    });
}

#[test]
fn rule_16_without_a_task_it_has_ended() {
    wg::scope(|s| {
        let results: Results<'_, '_, u32> = s.results();
        let _more = results.spawner();
        assert_eq!(results.recv(), None);
        assert_eq!(results.try_recv(), Err(NoResult::Ended));
        assert_eq!(results.as_completed().count() + results.in_order().count(), 0);
    });
}

#[test]
fn rule_16_it_may_be_used_again_after_its_end() {
    wg::scope(|s| {
        let results = s.results();
        for round in 0..100 {
            assert_eq!(results.spawn(move || round), round);
            assert_eq!(results.as_completed().collect::<Vec<_>>(), [(round, round)]);
        }
    });
}

#[test]
fn rule_16_whoever_spawns_and_reads_in_one_place_does_not_lock_itself_up() {
    for limit in [1, 2, 3] {
        let read = wg::options().limit(limit).scope(|s| {
            let results = s.results();
            for n in 0..500 {
                results.spawn(move || n);
            }
            results.as_completed().collect::<BTreeSet<(usize, usize)>>()
        });
        assert!(read.into_iter().eq((0..500).map(|n| (n, n))));
    }
}

#[test]
fn rule_16_a_task_may_read_what_it_spawned_at_any_limit() {
    for limit in [1, 2, 3] {
        let sum = wg::options().limit(limit).scope(|s| {
            let sums = s.results();
            for _ in 0..5 {
                sums.spawn(move || {
                    let results = s.results();
                    for n in 1..=20 {
                        results.spawn(move || {
                            let inner = s.results_bounded(1);
                            for _ in 0..3 {
                                inner.spawn(move || n);
                            }
                            inner.in_order().sum::<usize>()
                        });
                    }
                    results.as_completed().map(|(_, n)| n).sum::<usize>()
                });
            }
            sums.as_completed().map(|(_, sum)| sum).sum::<usize>()
        });
        assert_eq!(sum, 5 * 3 * 210);
    }
}

#[test]
fn rule_16_a_scope_inside_a_task_may_read_for_it_at_any_limit() {
    for limit in [1, 2] {
        let sum = wg::options().limit(limit).scope(|outer| {
            let task = outer.spawn(|| {
                let results = outer.results();
                for n in 0..20 {
                    results.spawn(move || n);
                }
                let read = |results: Results<'_, '_, usize>| {
                    results.as_completed().map(|(_, n)| n).sum::<usize>()
                };
                // In the body of the inner scope, and in a task of it on another thread.
                let first = wg::scope(|_| results.recv().unwrap().1);
                let rest = wg::scope(|inner| {
                    let sums = inner.results();
                    sums.spawn(move || {
                        // None of these can have begun meanwhile.
                        for n in 20..40 {
                            results.spawn(move || n);
                        }
                        read(results)
                    });
                    sums.recv().unwrap().1
                });
                first + rest
            });
            task.join()
        });
        assert_eq!(sum, 780);
    }
}

#[test]
fn rule_09_a_task_that_reads_lends_its_place_and_the_limit_is_kept() {
    for limit in [1, 2] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            for _ in 0..4 {
                std::thread::yield_now();
            }
            now.fetch_sub(1, SeqCst);
        };
        wg::options().limit(limit).scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    let results = s.results();
                    for _ in 0..60 {
                        results.spawn(work);
                    }
                    loop {
                        work();
                        match results.recv_timeout(Duration::from_micros(20)) {
                            Ok(_) | Err(NoResult::NotYet) => {}
                            Err(_) => break,
                        }
                    }
                });
            }
        });
        assert!(most.load(SeqCst) <= limit, "{most:?} at a limit of {limit}");
    }
}

#[test]
fn rule_16_tasks_that_spawn_others_leave_no_gap_in_which_it_ends() {
    fn tree(more: &Spawner<'_, '_, usize>, depth: usize) {
        for _ in 0..3 {
            let below = more.clone();
            more.task("branch").spawn(move || {
                if depth > 0 {
                    tree(&below, depth - 1);
                }
                1
            });
        }
    }
    for _ in 0..50 {
        let nodes = wg::scope(|s| {
            let results = s.results();
            tree(&results.spawner(), 3);
            results.as_completed().map(|(_, one)| one).sum::<usize>()
        });
        assert_eq!(nodes, 3 + 9 + 27 + 81);
    }
}

#[test]
fn rule_16_the_loop_over_the_results_may_spawn_more() {
    let visited = wg::scope(|s| {
        let results = s.results();
        results.spawn(|| 1_u64);
        let mut visited = 0;
        for (_, page) in results.as_completed() {
            visited += 1;
            for link in [2 * page, 2 * page + 1] {
                if link < 200 {
                    results.spawn(move || link);
                }
            }
        }
        visited
    });
    assert_eq!(visited, 199);
}

#[test]
fn rule_16_it_ends_when_a_task_panics() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            let results = s.results::<()>();
            results.spawn(|| bang(50));
            assert_eq!(results.recv(), None);
            assert!(s.is_cancelled(), "the panic came before the end");
        })
    });
    assert_eq!(bang, Bang(50));
}

#[test]
fn rule_16_a_task_whose_panic_is_caught_yields_nothing() {
    let (read, errors) = wg::options().catch_panics().collect_scope(|s| {
        let results = s.results::<usize>();
        for n in 0..6 {
            results.spawn(move || {
                if n % 2 == 0 {
                    bang(51)
                }
                if n == 3 { Err("error") } else { Ok(n) }
            });
        }
        results.as_completed().collect::<BTreeSet<_>>()
    });
    assert!(read.into_iter().eq([(1, 1), (5, 5)]));
    assert_eq!(errors.len(), 4);
}

/// Reads in a scope that is cancelled meanwhile, while a task of it goes on.
fn ends_on_cancel(options: wg::Options, cancel: impl Fn() + Sync, cause: impl Fn(&Cause) -> bool) {
    let (send, receive) = channel::<()>();
    options.scope(|s| {
        let results = s.results();
        results.spawn(|| {
            cancel();
            receive.into_iter().count()
        });
        match results.recv_timeout(FOR_EVER) {
            Err(NoResult::Stopped(stopped)) => assert!(cause(stopped.cause())),
            // The deadline was faster than the task.
            Err(NoResult::Ended) => assert!(s.cancelled_by().is_some_and(|by| cause(&by))),
            other => panic!("{other:?}"),
        }
        drop(send);
    });
}

#[test]
fn rule_19_reading_ends_on_a_cancel_by_hand() {
    let stop = wg::Cancel::new();
    let asked = |cause: &Cause| *cause == Cause::Asked("enough".into());
    ends_on_cancel(wg::options().cancel(&stop), || _ = stop.cancel("enough"), asked);
}

#[test]
fn rule_19_reading_ends_at_the_deadline() {
    let deadline = wg::options().timeout(Duration::from_millis(2));
    ends_on_cancel(deadline, || (), Cause::is_deadline);
}

#[test]
fn rule_19_reading_ends_when_an_outer_scope_is_cancelled() {
    wg::scope(|outer| {
        let cancelled = |cause: &Cause| matches!(cause, Cause::Outer(_));
        ends_on_cancel(wg::options(), || _ = outer.cancel("enough"), cancelled);
    });
}

#[test]
fn rule_19_reading_ends_while_the_tasks_go_on() {
    let (send, receive) = channel::<()>();
    wg::scope(|s| {
        let results = s.results();
        let (begin, begun) = channel::<()>();
        results.spawn(move || {
            drop(begin);
            receive.recv().is_ok()
        });
        s.spawn(move || {
            begun.into_iter().count();
            s.cancel("enough")
        });
        assert_eq!(results.as_completed().count(), 0);
        assert_eq!(results.in_order().count(), 0);
        assert_eq!(results.outstanding(), 1);
        send.send(()).unwrap();
        // What comes late is there all the same.
        until(|| results.outstanding() == 0);
        assert_eq!(results.recv(), Some((0, true)));
    });
}

#[test]
fn rule_19_what_is_there_when_the_scope_is_cancelled_is_handed_out() {
    let (send, receive) = channel::<()>();
    wg::scope(|s| {
        let results = s.results();
        let (begin, begun) = channel::<()>();
        results.spawn(move || {
            drop(begin);
            receive.into_iter().count()
        });
        for n in 1..10 {
            results.spawn(move || n);
        }
        begun.into_iter().count();
        until(|| results.outstanding() == 1);
        s.cancel("enough");
        // In order, with a gap; and what comes after its successors does not come there.
        let mut in_order = results.in_order();
        assert!(in_order.by_ref().take(4).eq(1..5));
        drop(send);
        until(|| results.outstanding() == 0);
        assert!(in_order.eq(5..10));
        assert_eq!(results.recv(), Some((0, 0)));
    });
}

#[test]
fn rule_16_a_task_that_delivers_beyond_a_bound_waits_until_enough_is_taken() {
    wg::scope(|s| {
        let results = s.results_bounded(2);
        for n in 0..5 {
            results.spawn(move || n);
        }
        until(|| results.outstanding() == 0);
        for blocked in [3, 2, 1, 0] {
            until(|| s.counts().running <= blocked);
            for _ in 0..100 {
                std::thread::yield_now();
                assert_eq!(s.counts().running, blocked, "they wait");
            }
            assert!(results.recv().is_some());
        }
        assert!(results.recv().is_some() && results.recv().is_none());
    });
}

#[test]
fn rule_16_a_bound_and_a_limit_of_one_with_the_reader_in_the_body() {
    for (bound, limit) in [(1, 1), (1, 2), (2, 1), (3, 3)] {
        wg::options().limit(limit).scope(|s| {
            let results = s.results_bounded(bound);
            for n in 0..300 {
                results.task("numbered").spawn(move || n);
            }
            assert!(results.in_order().eq(0..300));
            for n in 0..300 {
                results.spawn(move || n);
            }
            assert_eq!(results.as_completed().count(), 300);
        });
    }
}

#[test]
fn rule_16_a_cancel_ends_the_waiting_at_a_bound_and_loses_nothing() {
    wg::scope(|s| {
        let results = s.results_bounded(1);
        for n in 0..5 {
            results.spawn(move || n);
        }
        until(|| results.outstanding() == 0);
        s.cancel("enough");
        until(|| s.counts().running == 0);
        assert_eq!(results.as_completed().count(), 5);
    });
}

#[test]
fn rule_09_a_bound_of_zero_is_refused_where_it_is_given() {
    let refused: String = match catch_unwind(|| wg::scope(|s| drop(s.results_bounded::<()>(0)))) {
        Err(payload) => (*payload.downcast_ref::<&str>().unwrap()).to_owned(),
        Ok(()) => unreachable!(),
    };
    assert!(refused.contains("at least 1"), "{refused}");
}

/// Ten results that have all come, the first of them last.
fn with_a_late_first(read: impl FnOnce(Results<'_, '_, usize>) -> Vec<usize>) -> Vec<usize> {
    let (send, receive) = channel::<()>();
    wg::scope(|s| {
        let results = s.results();
        results.spawn(|| receive.into_iter().count());
        for n in 1..10 {
            results.spawn(move || n);
        }
        until(|| results.outstanding() == 1);
        drop(send);
        read(results)
    })
}

#[test]
fn rule_17_in_order_holds_back_what_comes_early() {
    let read = with_a_late_first(|results| results.in_order().collect());
    assert!(read.into_iter().eq(0..10));
}

#[test]
fn rule_17_as_completed_holds_nothing_back() {
    let read = with_a_late_first(|results| results.as_completed().map(|(_, n)| n).collect());
    assert_eq!((read.len(), read.last()), (10, Some(&0)));
}

#[test]
fn rule_17_in_order_passes_over_tasks_that_yield_nothing() {
    let (read, errors) = wg::collect_scope(|s| {
        let results = s.results();
        for n in 0..100 {
            results.spawn(move || if n % 3 == 0 { Err(n) } else { Ok(n) });
        }
        results.in_order().collect::<Vec<_>>()
    });
    assert!(read.into_iter().eq((0..100).filter(|n| n % 3 != 0)));
    assert_eq!(errors.len(), 34);
}

#[test]
fn rule_17_one_way_to_read_goes_on_where_the_other_stopped() {
    let (send, receive) = channel::<()>();
    wg::scope(|s| {
        let results = s.results();
        results.spawn(|| 0);
        results.spawn(move || receive.recv().map_or(0, |()| 1));
        for n in 2..6 {
            results.spawn(move || n);
        }
        assert_eq!(results.in_order().next(), Some(0));
        until(|| results.outstanding() == 1);
        let (first, _) = results.recv().unwrap();
        assert!((2..6).contains(&first));
        send.send(()).unwrap();
        assert!(results.in_order().eq((1..6).filter(|&n| n != first)));
    });
}

#[test]
fn rule_06_the_first_error_of_a_result_task_ends_the_reading_and_comes_back() {
    let (send, receive) = channel::<()>();
    let result = wg::try_scope(|s| {
        let results = s.results();
        results.spawn(|| Ok(1));
        assert_eq!(results.recv(), Some((0, 1)));
        let more = results.spawner();
        results.spawn(move || {
            let _ = receive.recv();
            more.spawn(|| Ok(3));
            Ok(2)
        });
        results.task("bad").spawn(|| Err("bad"));
        assert_eq!(results.recv(), None);
        let Some(Cause::Failed(task)) = s.cancelled_by() else { panic!("not cancelled") };
        assert_eq!(task.name(), Some("bad"));
        drop(send);
        Ok(results.as_completed().count())
    });
    assert_eq!(result, Err("bad"));
}

#[test]
fn rule_07_errors_of_result_tasks_are_all_collected() {
    let (sum, errors) = wg::collect_scope(|s| {
        let results = s.results();
        for n in 0..40 {
            results.spawn(move || if n % 10 == 0 { Err(n) } else { Ok(n) });
        }
        results.as_completed().map(|(_, n)| n).sum::<usize>()
    });
    assert_eq!(sum, (0..40).filter(|n| n % 10 != 0).sum());
    assert!(errors.iter().map(|failure| *failure.as_error().unwrap()).eq([0, 10, 20, 30]));
}

#[test]
fn rule_06_a_quorum_is_decided_by_results() {
    let read = wg::options().policy(Policy::quorum(2)).try_scope(|s| {
        let results = s.results();
        for n in 0..2 {
            results.spawn(move || Ok::<_, String>(n));
        }
        results.spawn(|| Err("bad".to_owned()));
        until(|| results.outstanding() == 0);
        Ok(results.in_order().collect::<Vec<_>>())
    });
    assert_eq!(read, Ok(vec![0, 1]));
}

#[test]
fn rule_23_what_a_task_did_is_visible_to_whoever_receives_its_result() {
    let written = AtomicUsize::new(0);
    wg::scope(|s| {
        let (written, results) = (&written, s.results());
        for round in 0..10_000 {
            results.spawn(move || written.store(round, Relaxed));
            results.recv();
            assert_eq!(written.load(Relaxed), round);
        }
    });
}

#[test]
fn rule_23_what_a_task_did_is_visible_to_whoever_sees_the_end() {
    let mut slots = [const { AtomicUsize::new(0) }; 4];
    for round in 1..2_000 {
        wg::scope(|s| {
            let results = s.results();
            for slot in &slots {
                results.spawn(move || slot.store(round, Relaxed));
            }
            while results.try_recv() != Err(NoResult::Ended) {}
            assert!(slots.iter().all(|slot| slot.load(Relaxed) == round));
        });
    }
    assert!(slots.iter_mut().all(|slot| *slot.get_mut() == 1_999));
}

#[test]
fn large_results_come_out_whole() {
    let sum = wg::scope(|s| {
        let results = s.results();
        for n in 0..20_u8 {
            results.spawn(move || [n; 100_000]);
        }
        results
            .in_order()
            .enumerate()
            .filter(|(n, all)| all.iter().all(|x| *x as usize == *n))
            .count()
    });
    assert_eq!(sum, 20);
}

#[test]
fn a_reader_may_be_another_task() {
    let total = wg::scope(|s| {
        let results = s.results();
        for n in 0..100 {
            results.spawn(move || n);
        }
        s.spawn(move || results.as_completed().map(|(_, n)| n).sum::<u32>()).join()
    });
    assert_eq!(total, 4_950);
}
