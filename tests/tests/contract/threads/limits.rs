//! Limits: how many tasks run at once, and that none of them waits for itself.

use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

use wg::{Scope, Task};
use wg_tests::{Gauge, payload, until};

/// What a refusal says.
fn words<R>(refused: impl FnOnce() -> R) -> String {
    let payload = payload(refused);
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(ToString::to_string)).unwrap()
}

#[test]
fn rule_09_no_more_tasks_than_the_limit_run_at_once() {
    for limit in [1, 2, 3, 64] {
        let gauge = Gauge::default();
        wg::options().limit(limit).scope(|s| {
            for _ in 0..50 {
                s.spawn(|| {
                    gauge.work();
                    let inner = s.spawn(|| gauge.work());
                    s.spawn(|| gauge.work());
                    gauge.work();
                    inner.join();
                    gauge.work();
                });
            }
        });
        gauge.was_never_above(limit);
        assert_eq!(gauge.worked.into_inner(), 50 * 5);
    }
}

#[test]
fn rule_09_the_body_that_joins_is_no_more_than_the_limit_either() {
    for limit in [1, 2, 3, 64] {
        let gauge = Gauge::default();
        wg::options().limit(limit).scope(|s| {
            let mut tasks = VecDeque::new();
            for n in 0..100 {
                tasks.push_back(s.spawn(|| gauge.work()));
                if n % 3 == 0 {
                    tasks.pop_back().map(Task::join);
                }
                if n % 7 == 0 {
                    tasks.pop_front().map(Task::join);
                }
            }
        });
        gauge.was_never_above(limit);
        assert_eq!(gauge.worked.into_inner(), 100);
    }
}

#[test]
fn rule_09_as_many_tasks_as_the_limit_do_run_at_once() {
    // Also where they compute meanwhile: then a runner comes now and then, and many take minutes.
    for limit in [1, 2, 3, 8] {
        let begun = AtomicUsize::new(0);
        wg::options().limit(limit).scope(|s| {
            for _ in 0..limit {
                s.spawn(|| {
                    begun.fetch_add(1, SeqCst);
                    until(|| begun.load(SeqCst) == limit);
                });
            }
        });
    }
    for limit in [1, 2, 3, 64, 500] {
        let begun = Barrier::new(limit);
        wg::options().limit(limit).scope(|s| {
            for _ in 0..limit {
                s.spawn(|| begun.wait());
            }
        });
    }
}

#[test]
fn rule_09_a_limit_of_0_is_refused_where_it_is_given() {
    let text = words(|| wg::options().limit(0));
    assert!(text.contains("limit") && text.contains('0'), "{text}");
}

#[test]
fn rule_09_a_limit_of_0_is_refused_while_the_scope_runs_and_changes_nothing() {
    wg::options().limit(3).scope(|s| {
        let text = words(|| s.set_limit(0));
        assert!(text.contains("limit") && text.contains('0'), "{text}");
        assert_eq!(s.limit(), Some(3));
        assert_eq!(s.spawn(|| 1).join(), 1);
    });
}

#[test]
fn rule_09_a_limit_of_all_there_are_is_none() {
    let all = wg::options().limit(usize::MAX).scope(|s| {
        let tasks = s.spawn_all((0..1_000).map(|n| move || n));
        tasks.into_iter().map(Task::join).sum::<u32>()
    });
    assert_eq!(all, 499_500);
}

#[test]
fn rule_09_the_limit_may_rise_while_the_scope_runs() {
    let begun = AtomicUsize::new(0);
    wg::options().limit(1).scope(|s| {
        s.spawn(|| {
            for _ in 0..3 {
                s.spawn(|| {
                    begun.fetch_add(1, SeqCst);
                    until(|| begun.load(SeqCst) == 3);
                });
            }
            assert_eq!(begun.load(SeqCst), 0);
            s.set_limit(4);
            // They meet although this one goes on.
            until(|| begun.load(SeqCst) == 3);
        });
    });
}

#[test]
fn rule_09_the_limit_may_fall_while_the_scope_runs() {
    let gauge = Gauge::default();
    let (begun, over) = (AtomicUsize::new(0), AtomicUsize::new(0));
    wg::options().limit(4).scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                begun.fetch_add(1, SeqCst);
                until(|| over.load(SeqCst) == 1);
            });
        }
        until(|| begun.load(SeqCst) == 4);
        s.set_limit(1);
        over.store(1, SeqCst);
        assert_eq!(s.wait_timeout(Duration::from_secs(60)), Ok(()));
        for _ in 0..50 {
            s.spawn(|| gauge.work());
        }
    });
    gauge.was_never_above(1);
    assert_eq!(gauge.worked.into_inner(), 50);
}

#[test]
fn rule_09_tasks_that_run_go_on_when_the_limit_falls_also_after_a_wait() {
    let (tell, told) = channel();
    wg::options().limit(2).scope(|s| {
        let (begin, begun) = channel();
        let begin_2 = begin.clone();
        let (fall, fallen) = channel();
        s.spawn(move || {
            begin.send(()).unwrap();
            told.recv().unwrap();
        });
        s.spawn(move || {
            begin_2.send(()).unwrap();
            fallen.recv().unwrap();
            s.sleep(Duration::from_millis(1)).unwrap();
            s.spawn(|| ()).join();
            wg::scope(|inner| drop(inner.spawn(|| ())));
            tell.send(()).unwrap();
        });
        begun.recv().unwrap();
        begun.recv().unwrap();
        s.set_limit(1);
        fall.send(()).unwrap();
    });
}

#[test]
fn rule_09_tasks_that_wait_go_on_when_a_limit_comes_up() {
    for _ in 0..20 {
        let waiting = AtomicUsize::new(0);
        wg::scope(|s| {
            let (limit, limited) = channel();
            let slow = s.spawn(move || {
                limited.recv().unwrap();
                s.sleep(Duration::from_millis(1)).unwrap();
                wg::scope(|inner| drop(inner.spawn(|| ())));
                7
            });
            until(|| s.counts().running == 1);
            let joiner = s.spawn(|| {
                waiting.fetch_add(1, SeqCst);
                slow.join()
            });
            until(|| waiting.load(SeqCst) == 1);
            thread::yield_now();
            s.set_limit(1);
            limit.send(()).unwrap();
            assert_eq!(joiner.join(), 7);
        });
    }
}

#[test]
fn rule_09_the_limit_may_go_up_and_down_at_any_time() {
    let gauge = Gauge::default();
    wg::options().limit(1).scope(|s| {
        for round in 0..200 {
            s.set_limit(1 + round % 5);
            s.spawn(|| {
                gauge.work();
                s.spawn(|| gauge.work()).join();
                wg::options().limit(1).scope(|inner| drop(inner.spawn(|| gauge.work())));
            });
        }
    });
    // The inner scopes' tasks are under no limit together.
    gauge.was_never_above(10);
    assert_eq!(gauge.worked.into_inner(), 600);
}

#[test]
fn rule_10_the_body_is_held_back_at_twice_the_limit() {
    for limit in [1, 2, 5] {
        let most = AtomicUsize::new(0);
        let ended = AtomicUsize::new(0);
        wg::options().limit(limit).scope(|s| {
            for spawned in 1..=200 {
                s.spawn(|| {
                    thread::yield_now();
                    ended.fetch_add(1, SeqCst);
                });
                most.fetch_max(spawned - ended.load(SeqCst), SeqCst);
            }
        });
        // One may have ended and not be discounted yet where it counts here, never the reverse; and
        // `limit` may be between the two.
        assert!(most.into_inner() <= 2 * limit, "at a limit of {limit}");
    }
}

#[test]
fn rule_10_a_task_is_never_held_back() {
    let ran = AtomicUsize::new(0);
    wg::options().limit(1).scope(|s| {
        s.spawn(|| {
            for _ in 0..10_000 {
                s.spawn(|| ran.fetch_add(1, SeqCst));
            }
            assert_eq!(ran.load(SeqCst), 0, "this one has the only slot");
        });
    });
    assert_eq!(ran.into_inner(), 10_000);
}

#[test]
fn rule_10_try_spawn_says_when_there_is_no_room() {
    let (go, gone) = channel::<()>();
    let gone = Mutex::new(gone);
    wg::options().limit(2).scope(|s| {
        let mut handles = Vec::new();
        loop {
            match s.try_spawn(|| gone.lock().unwrap().recv().is_err()) {
                Ok(task) => handles.push(task),
                Err(refused) => {
                    assert_eq!(refused.to_string(), "not spawned: no room at a limit of 2");
                    assert!(refused.cancelled_by().is_none());
                    assert!(refused.cancelled_by().is_none(), "{refused}");
                    break;
                }
            }
        }
        assert_eq!(handles.len(), 4, "two run and two wait");
        drop(go);
        assert!(s.ready().is_ok(), "there is room when some have ended");
    });
}

#[test]
fn rule_10_a_body_that_is_held_back_goes_on_when_the_scope_is_cancelled() {
    let stop = wg::Cancel::new();
    let ran = AtomicUsize::new(0);
    wg::options().limit(1).cancel(&stop).scope(|s| {
        let stopper = s.canceller();
        s.spawn(move || {
            until(|| s.counts().waiting == 1);
            stopper.cancel("enough");
        });
        for _ in 0..10 {
            s.spawn(|| ran.fetch_add(1, SeqCst));
        }
        assert!(s.is_cancelled());
    });
    assert_eq!(ran.into_inner(), 0);
}

#[test]
fn rule_10_a_body_that_is_held_back_goes_on_when_the_deadline_passes() {
    let ran = AtomicUsize::new(0);
    wg::options().limit(1).timeout(Duration::from_millis(5)).scope(|s| {
        s.spawn(|| until(|| s.is_cancelled()));
        for _ in 0..10 {
            s.spawn(|| ran.fetch_add(1, SeqCst));
        }
        assert!(s.cancelled_by().unwrap().is_deadline());
    });
    assert_eq!(ran.into_inner(), 0);
}

#[test]
fn rule_10_a_body_that_is_held_back_goes_on_when_the_limit_rises() {
    let (begin, begun) = channel();
    wg::options().limit(1).scope(|s| {
        s.spawn(move || {
            until(|| s.counts().waiting == 1);
            s.set_limit(8);
            begun.recv().unwrap();
        });
        for _ in 0..5 {
            s.spawn(|| ());
        }
        // The first still runs.
        begin.send(()).unwrap();
    });
}

#[test]
fn rule_10_what_was_joined_in_place_holds_nobody_back() {
    let (go, gone) = channel::<()>();
    wg::options().limit(2).scope(|s| {
        let holding = s.spawn(move || gone.recv().unwrap_err());
        until(|| s.counts().running == 1);
        for _ in 0..100 {
            s.spawn(|| ()).join();
        }
        let counts = s.counts();
        assert_eq!((counts.spawned, counts.waiting, counts.running), (101, 0, 1));
        assert_eq!(s.alive().count(), 1);
        drop(go);
        holding.join();
    });
}

#[test]
fn rule_11_spawn_and_join_from_inside_at_a_limit_of_one() {
    fn fibonacci<'s>(s: &'s Scope<'s, '_>, n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        let left = s.spawn(move || fibonacci(s, n - 1));
        let right = s.spawn(move || fibonacci(s, n - 2));
        left.join() + right.join()
    }
    for limit in [1, 2, 3, 64] {
        let result = wg::options().limit(limit).scope(|s| s.spawn(move || fibonacci(s, 12)).join());
        assert_eq!(result, 144);
    }
}

#[test]
fn rule_11_a_task_that_joins_in_place_takes_one_slot_and_not_two() {
    // A joins B in place, because X has the other slot; when X has ended, that is free for C.
    wg::options().limit(2).scope(|s| {
        let (end, ended) = channel::<()>();
        s.spawn(move || ended.recv().unwrap_err());
        until(|| s.counts().running == 1);
        s.spawn(move || {
            let b = s.spawn(move || {
                drop(end);
                let (meet, met) = channel();
                s.spawn(move || meet.send(()).unwrap());
                met.recv().unwrap();
            });
            b.join();
        });
    });
}

#[test]
fn rule_14_a_task_for_which_a_join_makes_room_begins_at_once() {
    for round in 0..200 {
        wg::options().limit(2).scope(|s| {
            s.spawn(move || {
                let (meet, met) = channel();
                let b = s.spawn(move || {
                    s.spawn(move || meet.send(()).unwrap());
                    for _ in 0..round {
                        thread::yield_now();
                    }
                });
                b.join();
                met.recv().unwrap();
            });
        });
    }
}

#[test]
fn rule_11_the_tasks_of_an_inner_scope_may_join_tasks_of_the_outer_one() {
    for inner_limit in [1, 2, usize::MAX] {
        for outer_limit in [1, 2, 3] {
            let gauge = Gauge::default();
            wg::options().limit(outer_limit).scope(|s| {
                for _ in 0..20 {
                    s.spawn(|| {
                        gauge.work();
                        let tasks = s.spawn_all((0..4).map(|n| {
                            let gauge = &gauge;
                            move || {
                                gauge.work();
                                n
                            }
                        }));
                        let sum = wg::options().limit(inner_limit).scope(|inner| {
                            let joins = tasks.into_iter().map(|t| inner.spawn(move || t.join()));
                            let joins: Vec<_> = joins.collect();
                            joins.into_iter().map(Task::join).sum::<u32>()
                        });
                        assert_eq!(sum, 6);
                        gauge.work();
                    });
                }
            });
            gauge.was_never_above(outer_limit);
            assert_eq!(gauge.worked.into_inner(), 20 * 6);
        }
    }
}

#[test]
fn rule_11_a_scope_in_a_scope_in_a_scope_may_join_the_outermost_ones_tasks() {
    let one = wg::options().limit(1);
    let sum = one.scope(|s| {
        s.spawn(|| {
            let outer = s.spawn(|| 1);
            one.scope(|t| {
                t.spawn(|| {
                    let middle = t.spawn(|| 2);
                    one.scope(|u| {
                        let sum = u.spawn(|| outer.join() + middle.join());
                        u.spawn(|| 4).join() + sum.join()
                    })
                })
                .join()
            })
        })
        .join()
    });
    assert_eq!(sum, 7);
}

#[test]
fn rule_11_a_join_of_the_body_takes_no_slot_from_a_task_that_sleeps() {
    // The consumer may not begin in the producer's slot: it would wait for it for ever.
    let sum = wg::options().limit(1).scope(|s| {
        let (send, receive) = channel();
        let (begin, begun) = channel();
        let producer = s.spawn(move || {
            begin.send(()).unwrap();
            for n in 0..3 {
                s.sleep(Duration::from_millis(1)).unwrap();
                send.send(n).unwrap();
            }
        });
        begun.recv().unwrap();
        let consumer = s.spawn(move || receive.into_iter().sum::<u32>());
        let sum = consumer.join();
        producer.join();
        sum
    });
    assert_eq!(sum, 3);
}

#[test]
fn rule_11_two_scopes_whose_tasks_run_in_each_others_slots_end() {
    for _ in 0..50 {
        let gauge = Gauge::default();
        let one = wg::options().limit(1);
        one.scope(|s| {
            s.spawn(|| {
                let outer = s.spawn(|| {
                    gauge.work();
                    s.sleep(Duration::from_micros(50)).unwrap();
                    s.spawn(|| gauge.work()).join();
                });
                one.scope(|inner| {
                    let first = inner.spawn(|| outer.join());
                    let second = inner.spawn(|| {
                        inner.sleep(Duration::from_micros(50)).unwrap();
                        s.spawn(|| gauge.work()).join();
                    });
                    s.sleep(Duration::from_micros(50)).unwrap();
                    second.join();
                    first.join();
                });
            });
        });
        gauge.was_never_above(1);
        assert_eq!(gauge.worked.into_inner(), 3);
    }
}
