//! Results of a fan-out while it runs.

use std::collections::BTreeSet;
use std::mem::forget;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::time::Duration;

use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught, until};

const MANY: usize = 100_000;

/// Long enough that a test that waits for it hangs.
const FOR_EVER: Duration = Duration::from_secs(3600);

#[test]
fn rule_17_in_order_and_as_completed_give_every_result_once() {
    for limit in [1, 2, 3, 50] {
        for count in [0, 1, 2, 500] {
            wg::scope(|s| {
                let work = |n: usize| {
                    (0..n * 7 % 11).for_each(|_| std::thread::yield_now());
                    n * 2
                };
                let doubles = (0..count).map(|n| n * 2);
                assert!(s.fan_out(0..count).limit(limit).in_order(work).eq(doubles));
                let all: BTreeSet<_> =
                    s.fan_out(0..count).limit(limit).as_completed(work).collect();
                assert!(all.into_iter().eq((0..count).map(|n| (n, n * 2))));
            });
        }
    }
}

#[test]
fn rule_16_many_items_flow() {
    wg::scope(|s| {
        assert!(s.fan_out(0..MANY).limit(16).in_order(|n| n).eq(0..MANY));
        assert_eq!(
            s.fan_out(0..MANY).as_completed(|n| n).map(|(_, n)| n).sum::<usize>(),
            MANY * (MANY - 1) / 2
        );
    });
}

#[test]
fn rule_17_what_is_completed_first_is_read_first() {
    let (send, receive) = channel::<()>();
    let receive = Mutex::new(receive);
    wg::scope(|s| {
        let mut stream = s.fan_out(0..2).limit(2).as_completed(|n| {
            if n == 0 {
                receive.lock().unwrap().recv().unwrap();
            }
            n
        });
        // The first item ends only after the second was read.
        assert_eq!(stream.next(), Some((1, 1)));
        send.send(()).unwrap();
        assert_eq!(stream.next(), Some((0, 0)));
        assert_eq!((stream.next(), stream.next()), (None, None));
    });
}

#[test]
fn rule_16_no_more_are_pulled_and_not_taken_than_the_limit() {
    for limit in [1, 2, 5, 20] {
        for in_order in [true, false] {
            let (ahead, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let source = (0..500_usize).inspect(|_| {
                most.fetch_max(ahead.fetch_add(1, SeqCst) + 1, SeqCst);
            });
            wg::scope(|s| {
                let fan_out = s.fan_out(source).limit(limit);
                let mut results: Box<dyn Iterator<Item = usize>> = if in_order {
                    Box::new(fan_out.in_order(|n| n))
                } else {
                    Box::new(fan_out.as_completed(|n| n).map(|(_, n)| n))
                };
                // A slow reader: it waits until no more is pulled than there is room for.
                for taken in 1..=500 {
                    // Counted off before it is taken, as nobody can pull before that.
                    until(|| ahead.load(SeqCst) >= limit.min(500 + 1 - taken));
                    ahead.fetch_sub(1, SeqCst);
                    results.next().unwrap();
                }
                assert_eq!(results.next(), None);
            });
            assert!(most.load(SeqCst) <= limit, "{} > {limit}", most.load(SeqCst));
        }
    }
}

#[test]
fn rule_16_dropped_midway_it_drops_what_has_not_begun_and_what_was_not_taken() {
    for take in [0, 1, 7] {
        let (items, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let vec: Vec<_> = (0..100).map(|_| Counted(&items)).collect();
        wg::scope(|s| {
            let stream = s.fan_out(vec).limit(4).as_completed(|_item| Counted(&results));
            assert_eq!(stream.take(take).count(), take);
        });
        let made = results.load(SeqCst);
        assert_eq!(items.load(SeqCst), 100);
        assert!((take..=take + 4).contains(&made), "{made} results for {take} that were taken");
    }
}

#[test]
fn rule_01_one_that_is_forgotten_holds_nobody_up() {
    let begun = AtomicUsize::new(0);
    wg::scope(|s| {
        forget(s.fan_out(0..1000).limit(4).as_completed(|n| {
            begun.fetch_add(1, SeqCst);
            n
        }));
        forget(s.fan_out(0..0).in_order(|n: usize| n));
    });
    assert_eq!(begun.load(SeqCst), 4);
}

#[test]
fn rule_16_it_may_be_read_in_a_task_at_any_limit() {
    for limit in [1, 2, 3, 7] {
        for inner in [1, 2, 9] {
            let sums = wg::options().limit(limit).scope(|s| {
                let tasks: Vec<_> = (0..6)
                    .map(|_| {
                        s.spawn(move || {
                            let ordered: usize =
                                s.fan_out(0..100).limit(inner).in_order(|n| n).sum();
                            let completed: usize = s
                                .fan_out(0..100)
                                .limit(inner)
                                .as_completed(|n| n)
                                .map(|(_, n)| n)
                                .sum();
                            ordered + completed
                        })
                    })
                    .collect();
                tasks.into_iter().map(|task| task.join()).collect::<Vec<_>>()
            });
            assert_eq!(sums, [9900; 6]);
        }
    }
}

#[test]
fn rule_09_a_task_that_reads_keeps_the_limits() {
    for (limit, inner) in [(1, 5), (2, 2), (3, 1)] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        wg::options().limit(limit).scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    s.fan_out(0..100)
                        .limit(inner)
                        .in_order(|n| {
                            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                            std::thread::yield_now();
                            now.fetch_sub(1, SeqCst);
                            n
                        })
                        .count();
                });
            }
        });
        assert!(most.load(SeqCst) <= limit);
    }
}

#[test]
fn rule_19_a_reader_that_waits_is_woken_by_a_cancel_a_deadline_and_a_panic() {
    let waits = |s: &wg::Scope<'_, '_>| drop(s.sleep(FOR_EVER));
    let begun = AtomicUsize::new(0);
    wg::scope(|s| {
        s.spawn(|| {
            until(|| begun.load(SeqCst) > 0);
            s.cancel("enough");
        });
        let read = s.fan_out(0..10).limit(2).as_completed(|_| {
            begun.fetch_add(1, SeqCst);
            waits(s);
        });
        assert!(read.count() <= 2);
    });
    let late = wg::options().timeout(Duration::from_millis(1)).scope(|s| {
        let read = s.fan_out(0..1000).limit(1).in_order(|_| waits(s)).count();
        (read <= 1, s.cancelled_by().unwrap().is_deadline())
    });
    assert_eq!(late, (true, true));
    let first: Bang = caught(|| {
        wg::scope(|s| {
            s.fan_out(0..1000)
                .limit(3)
                .in_order(|n| if n == 1 { bang(630) } else { waits(s) })
                .count()
        })
    });
    assert_eq!(first, Bang(630));
}

#[test]
fn rule_05_an_item_whose_panic_was_caught_leaves_a_gap() {
    for limit in [1, 2, 5] {
        wg::options().catch_panics().policy(wg::Policy::collect_all()).scope(|s| {
            let work = |n: usize| if n % 3 == 0 { bang(631) } else { n };
            let kept = (0..100).filter(|n| n % 3 != 0);
            assert!(s.fan_out(0..100).limit(limit).in_order(work).eq(kept.clone()));
            let all: BTreeSet<_> =
                s.fan_out(0..100).limit(limit).as_completed(work).map(|(_, n)| n).collect();
            assert!(all.into_iter().eq(kept));
        });
    }
}

#[test]
fn rule_01_bombs_among_items_and_results_take_nothing_with_them() {
    for take in [0, 1, 5] {
        let made = AtomicUsize::new(0);
        let _: Boom = caught(|| {
            wg::scope(|s| {
                let mut stream = s.fan_out(0..20).limit(3).as_completed(|n| {
                    made.fetch_add(1, SeqCst);
                    Bomb::new(n)
                });
                for _ in 0..take {
                    forget(stream.next());
                }
                until(|| made.load(SeqCst) == take + 3);
                drop(stream);
            })
        });
    }
    let (bomb, other) = (Bomb::new(0), Bomb::new(1));
    let _: Boom = caught(move || {
        wg::scope(move |s| {
            let stream = s
                .fan_out(0..5)
                .budget(9, move |_| {
                    let _held = &other;
                    1
                })
                .in_order(move |n| {
                    let _held = &bomb;
                    n
                });
            assert_eq!(stream.count(), 5);
        })
    });
}

/// The function, the items and the results borrow from outside the scope, and count their drops
/// there: when the scope has ended, nothing of them is left.
#[test]
fn rule_01_nothing_of_a_stream_is_dropped_after_the_scope() {
    for round in 0..300 {
        let (items, results, captures) =
            (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let vec: Vec<_> = (0..10).map(|_| Counted(&items)).collect();
        let capture = Counted(&captures);
        wg::scope(|s| {
            let results = &results;
            let stream = s.fan_out(vec).limit(1 + round % 4).as_completed(move |_item| {
                let _held = &capture;
                Counted(results)
            });
            stream.take(round % 11).for_each(|(_, result)| forget(result));
        });
        assert_eq!((items.load(SeqCst), captures.load(SeqCst)), (10, 1));
    }
}

#[test]
fn rule_12_a_source_may_be_fed_by_whoever_reads() {
    for limit in [1, 2, 6] {
        let (send, receive) = channel();
        send.send(0).unwrap();
        let mut send = Some(send);
        wg::scope(|s| {
            for (_, n) in s.fan_out(receive).limit(limit).as_completed(|n: u32| n) {
                match n {
                    500 => send = None,
                    n => send.as_ref().unwrap().send(n + 1).unwrap(),
                }
            }
        });
        assert!(send.is_none());
    }
}

#[test]
fn rule_14_streams_run_side_by_side() {
    wg::scope(|s| {
        let mut left = s.fan_out(0..300).limit(3).in_order(|n| n);
        let mut right = s.fan_out(0..300).limit(2).in_order(|n| n);
        for n in 0..300 {
            assert_eq!((left.next(), right.next()), (Some(n), Some(n)));
        }
        let nested = s
            .fan_out(0..20)
            .limit(2)
            .in_order(|n| s.fan_out(0..n).limit(2).in_order(|n| n).count());
        assert!(nested.eq(0..20));
    });
}

#[test]
fn rule_05_a_caught_panic_of_a_streams_item_is_a_failure_of_its_try_scope() {
    let failed = wg::options().catch_panics().try_scope(|s| {
        let kept: Vec<usize> = s
            .fan_out(0..10)
            .limit(2)
            .as_completed(|n| if n == 4 { bang(4) } else { n })
            .map(|(_, n)| n)
            .collect();
        assert!(!kept.contains(&4));
        Ok::<_, String>(())
    });
    assert!(failed.unwrap_err().contains("fan_out#4"));

    let (kept, errors) = wg::options().catch_panics().collect_scope(|s| {
        let results = s.fan_out(0..10).limit(2).in_order(|n| if n == 4 { bang(4) } else { n });
        let _: &wg::TryScope<'_, '_, String> = s;
        results.count()
    });
    assert_eq!((kept, errors.len()), (9, 1));
    let failure = errors.into_iter().next().unwrap();
    let wg::FailureKind::Panic(payload) = failure.into_kind() else { panic!("it was a panic") };
    assert!(payload.is::<Bang>());
}
