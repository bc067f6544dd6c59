//! Fan-out: errors, panics, cancels, deadlines, and what is dropped when.

use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use wg::{Cause, FailureKind, Policy, Stopped};
use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught, hook_calls, payload, until};

/// Long enough that a test that waits for it hangs.
const FOR_EVER: Duration = Duration::from_secs(3600);

#[derive(Debug, PartialEq)]
enum Mine {
    Bad(u32),
    Stopped(Cause),
}

impl From<Stopped> for Mine {
    fn from(stopped: Stopped) -> Self {
        Mine::Stopped(stopped.cause().clone())
    }
}

#[test]
fn rule_06_errors_of_every_type_come_back() {
    let own = wg::fan_out(0..9).try_map(|n| if n == 4 { Err(Mine::Bad(n)) } else { Ok(n) });
    assert_eq!(own, Err(Mine::Bad(4)));
    let text = wg::fan_out(["1", "x"]).try_map(|t| t.parse::<u8>().map_err(|e| e.to_string()));
    assert_eq!(text.unwrap_err(), "invalid digit found in string");
    let io = wg::fan_out(0..9).try_for_each(|n| {
        if n == 3 { Err(io::Error::from(io::ErrorKind::NotFound)) } else { Ok(()) }
    });
    assert_eq!(io.unwrap_err().kind(), io::ErrorKind::NotFound);
    let boxed = wg::fan_out(["1", "x"])
        .try_map(|t| t.parse::<u8>().map_err(|e| Box::new(e) as Box<dyn Error + Send + Sync>));
    assert!(boxed.unwrap_err().is::<std::num::ParseIntError>());
}

#[test]
fn rule_06_the_first_error_by_completion_wins_and_nothing_begins_after_it() {
    let begun = AtomicUsize::new(0);
    let (failed, after) = channel();
    let after = Mutex::new(Some(after));
    let error = wg::fan_out(0..100_000).limit(2).try_map(|n| {
        begun.fetch_add(1, SeqCst);
        if n == 0 {
            let after = after.lock().unwrap().take().unwrap();
            after.recv().unwrap();
            return Err("the first item");
        }
        if n == 1 {
            failed.send(()).unwrap();
            return Err("the second item");
        }
        Ok(())
    });
    assert!(["the first item", "the second item"].contains(&error.unwrap_err()));
    assert!(begun.load(SeqCst) <= 3, "two at once, and one that was begun meanwhile");
}

#[test]
fn rule_06_the_lowest_index_is_deterministic() {
    for round in 0..50 {
        let error =
            wg::fan_out(0..200).limit(8).policy(Policy::fail_fast().lowest_index()).try_map(|n| {
                (0..(n * 31 + round) % 17).for_each(|_| std::thread::yield_now());
                if n >= 20 && n % 3 == 0 { Err(Mine::Bad(n)) } else { Ok(n) }
            });
        assert_eq!(error, Err(Mine::Bad(21)));
    }
}

#[test]
fn rule_05_a_caught_panic_is_an_error_with_its_words() {
    let failed = wg::fan_out(0..9).catch_panics().try_map(|n| {
        if n == 5 {
            bang(600)
        }
        Ok::<_, Mine>(n)
    });
    let Err(Mine::Stopped(Cause::Panicked(item, _))) = failed else { panic!("{failed:?}") };
    assert_eq!((item.index(), item.name()), (5, Some("fan_out")));
    let (values, errors) = wg::fan_out(0..9).catch_panics().collect_all(|n| {
        if n % 4 == 1 {
            bang(n)
        }
        if n == 2 { Err("two") } else { Ok(n) }
    });
    assert_eq!(values, [0, 3, 4, 6, 7, 8]);
    let kinds = errors.iter().map(|failure| match failure.kind() {
        FailureKind::Error(error) => (failure.index().unwrap(), *error),
        FailureKind::Panic(payload) => {
            (failure.index().unwrap(), if payload.is::<Bang>() { "bang" } else { "" })
        }
        _ => unreachable!(),
    });
    assert!(kinds.eq([(1, "bang"), (2, "two"), (5, "bang")]));
}

#[test]
fn rule_07_all_errors_come_back_in_the_order_of_the_items() {
    let (values, errors) = wg::fan_out(0..120).limit(7).name("check").collect_all(|n| {
        (0..n % 5).for_each(|_| std::thread::yield_now());
        if n % 50 == 3 { Err(format!("{n} is bad")) } else { Ok(n) }
    });
    assert_eq!(values.len(), 117);
    assert!(values.is_sorted());
    assert!(errors.iter().map(|failure| failure.index().unwrap()).eq([3, 53, 103]));
    let text = errors.to_string();
    assert!(text.starts_with("3 of 120 tasks failed; first: check#3 spawned at "), "{text}");
    assert!(text.ends_with("3 is bad"), "{text}");
    assert_eq!((errors.tasks(), errors.cancelled()), (120, 0));
}

#[test]
fn rule_06_the_first_success_ends_it_and_those_that_run_are_awaited() {
    let (running, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cancel = wg::Cancel::new();
    let won = wg::fan_out(0..1_000_000).limit(3).cancel(&cancel).first_ok(|n| {
        running.fetch_add(1, SeqCst);
        until(|| running.load(SeqCst) >= 3);
        std::thread::yield_now();
        ended.fetch_add(1, SeqCst);
        if n == 1 { Ok(n) } else { Err(()) }
    });
    assert_eq!(won.unwrap(), 1);
    assert_eq!(ended.load(SeqCst), running.load(SeqCst));
    assert!(!cancel.is_cancelled(), "what it decides stays inside");
}

#[test]
fn rule_07_without_a_success_all_failures_come_back() {
    let none = wg::fan_out(0..0).first_ok(|_| Err::<(), _>("never"));
    assert!(none.unwrap_err().is_empty());
    let all = wg::fan_out(0..5).first_ok(Err::<(), _>).unwrap_err();
    assert!(all.iter().map(|failure| *failure.as_error().unwrap()).eq(0..5));
    let missed = wg::fan_out(0..9).quorum(7, |n| if n % 3 == 0 { Err(n) } else { Ok(n) });
    assert_eq!(missed.unwrap_err().len(), 3);
    let reached = wg::fan_out(0..9).quorum(6, |n| if n % 3 == 0 { Err(n) } else { Ok(n) }).unwrap();
    assert!(reached.len() == 6 && reached.iter().all(|&(index, n)| index == n && n % 3 != 0));
}

#[test]
fn rule_06_a_predicate_ends_it_and_what_there_is_comes_back() {
    let policy = Policy::until(|tally| tally.values >= 10);
    let values = wg::fan_out(0..1_000_000).limit(1).policy(policy).map(|n| n);
    assert!(values.into_iter().eq(0..10));
}

#[test]
fn rule_05_the_first_panic_is_resumed_and_the_rest_not_begun() {
    let (dropped, begun) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let items: Vec<_> = (0..1000).map(|n| (n, Counted(&dropped))).collect();
    let bang: Bang = caught(|| {
        wg::fan_out(items).limit(2).for_each(|(n, _item)| {
            begun.fetch_add(1, SeqCst);
            if n == 3 {
                bang(601)
            }
        });
    });
    assert_eq!((bang, hook_calls(601)), (Bang(601), 1));
    assert_eq!(dropped.load(SeqCst), 1000);
    assert!(begun.load(SeqCst) < 1000);
}

#[test]
fn rule_05_a_source_that_panics_is_a_panic_of_the_fan_out() {
    struct Source<'a>(u32, u32, &'a AtomicUsize);
    impl Iterator for Source<'_> {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            if self.0 == self.1 {
                bang(602)
            }
            self.0 += 1;
            Some(self.0 - 1)
        }
    }
    impl Drop for Source<'_> {
        fn drop(&mut self) {
            self.2.fetch_add(1, SeqCst);
            bang(603)
        }
    }
    for limit in [1, 2, 50] {
        for end in [0, 1, 5, 200] {
            let drops = AtomicUsize::new(0);
            let first: Bang =
                caught(|| wg::fan_out(Source(0, end, &drops)).limit(limit).map(|n| n));
            assert_eq!((first, drops.load(SeqCst)), (Bang(602), 1));
            let first: Bang =
                caught(|| wg::fan_out(Source(0, end, &drops)).limit(limit).grow(|n, _| n));
            assert_eq!((first, drops.load(SeqCst)), (Bang(602), 2));
            let first: Bang = caught(|| {
                wg::scope(|s| {
                    s.fan_out(Source(0, end, &drops)).limit(limit).in_order(|n| n).count()
                })
            });
            assert_eq!((first, drops.load(SeqCst)), (Bang(602), 3));
            let (values, errors) = wg::fan_out(Source(0, end, &drops))
                .limit(limit)
                .catch_panics()
                .collect_all(Ok::<_, ()>);
            assert!(values.into_iter().eq(0..end));
            assert_eq!((errors.len(), errors.first().unwrap().index()), (1, Some(end as usize)));
        }
    }
}

#[test]
fn rule_05_a_source_that_panics_when_it_is_asked_for_its_size_hangs_nothing() {
    struct Source(u32);
    impl Iterator for Source {
        type Item = u32;
        fn next(&mut self) -> Option<u32> {
            self.0 += 1;
            (self.0 < 100).then_some(self.0)
        }
        fn size_hint(&self) -> (usize, Option<usize>) {
            if self.0 > 0 {
                bang(604)
            }
            (0, None)
        }
    }
    assert_eq!(wg::fan_out(Source(0)).map(|n| n).len(), 99);
}

/// Bombs on every path: none is lost, nothing hangs, and one panic comes out.
#[test]
fn rule_01_what_panics_when_it_is_dropped_takes_nothing_with_it() {
    // Made as they are pulled: several bombs in one `Vec` are more than std survives.
    let bombs = || (0..20).map(Bomb::new);
    for limit in [1, 2, 30] {
        // Items, dropped by the function.
        let _: Boom = caught(|| wg::fan_out(bombs()).limit(limit).for_each(drop));
        // Items that are not begun.
        let _: Bang = caught(|| {
            wg::fan_out(bombs()).limit(limit).for_each(|bomb| {
                std::mem::forget(bomb);
                bang(605)
            })
        });
        // Results, beside a panic; an error; a deadline.
        let _: Bang = caught(|| {
            wg::fan_out(0..20).limit(limit).map(|n| {
                if n == 15 {
                    bang(606)
                }
                Bomb::new(n)
            })
        });
        let _: Boom = caught(|| {
            wg::fan_out(0..20)
                .limit(limit)
                .try_map(|n| if n == 15 { Err("fifteen") } else { Ok(Bomb::new(n)) })
        });
        let _: Boom = caught(|| {
            wg::fan_out(0..20)
                .limit(limit)
                .quorum(19, |n| if n > 15 { Err("fifteen") } else { Ok(Bomb::new(n)) })
        });
        // Errors that are bombs, behind the first.
        let errors = wg::fan_out(0..20).limit(limit).collect_all(|n| Err::<(), _>(Bomb::new(n))).1;
        errors.into_iter().for_each(|failure| match failure.into_kind() {
            FailureKind::Error(bomb) => assert!(bomb.defuse()),
            _ => unreachable!(),
        });
        // What the function holds.
        let bomb = Bomb::new(0);
        let _: Boom = caught(move || {
            wg::fan_out(0..20).limit(limit).for_each(move |_| {
                let _held = &bomb;
            })
        });
        let (bomb, other) = (Bomb::new(0), Bomb::new(1));
        let _: Bang = caught(move || {
            wg::fan_out(0..20)
                .limit(limit)
                .budget(3, move |_| {
                    let _held = &other;
                    1
                })
                .for_each(move |_| {
                    let _held = &bomb;
                    bang(607)
                })
        });
        let (values, errors) =
            wg::fan_out(bombs()).limit(limit).catch_panics().collect_all(|bomb| {
                drop(bomb);
                Ok::<_, ()>(())
            });
        assert_eq!((values.len(), errors.len()), (0, 20));
    }
}

#[test]
fn rule_18_a_cancel_by_hand_is_told_with_its_reason() {
    let cancel = wg::Cancel::new();
    let error: Result<Vec<()>, io::Error> =
        wg::fan_out(0..1000).limit(2).cancel(&cancel).try_map(|n| {
            if n == 5 {
                cancel.cancel("enough");
            }
            Ok(())
        });
    assert_eq!(error.unwrap_err().to_string(), "stopped: cancelled: enough");
    let error = payload(|| wg::fan_out(0..10).cancel(&cancel).map(|n| n));
    assert_eq!(
        *error.downcast::<String>().unwrap(),
        "cancelled: enough".to_owned().replacen("", "stopped: ", 1)
    );
    let (values, errors) = wg::fan_out(0..10).cancel(&cancel).collect_all(Ok::<_, ()>);
    assert_eq!((values.len(), errors.len(), errors.tasks(), errors.cancelled()), (0, 0, 10, 10));
}

#[test]
fn rule_18_a_source_of_unknown_length_that_was_cut_short_does_not_pass_as_whole() {
    let cancel = wg::Cancel::new();
    let mut next = 0;
    let endless = std::iter::from_fn(|| {
        next += 1;
        Some(next)
    });
    let error = wg::fan_out(endless).limit(1).cancel(&cancel).try_map(|n| {
        if n == 5 {
            cancel.cancel("enough");
        }
        Ok::<_, String>(n)
    });
    assert_eq!(error.unwrap_err(), "stopped: cancelled: enough");
    let cancel = wg::Cancel::new();
    let whole = wg::fan_out(1..=5).limit(1).cancel(&cancel).try_map(|n| {
        if n == 5 {
            cancel.cancel("too late");
        }
        Ok::<_, String>(n)
    });
    assert_eq!(whole.unwrap(), [1, 2, 3, 4, 5], "nothing was lost");
}

#[test]
fn rule_21_a_deadline_is_told_as_such_and_ends_a_wait_in_an_item() {
    for deadline in [Duration::ZERO, Duration::from_millis(2)] {
        let late = wg::fan_out(0..1000)
            .limit(2)
            .timeout(deadline)
            .try_map(|_| wg::scope(|s| s.sleep(FOR_EVER).map_err(io::Error::from)));
        assert_eq!(late.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
    let begun = AtomicUsize::new(0);
    let passed = Instant::now();
    let late = wg::fan_out(0..1000).deadline(passed).try_map(|_| {
        begun.fetch_add(1, SeqCst);
        Ok::<_, Mine>(())
    });
    assert_eq!(late, Err(Mine::Stopped(Cause::Deadline)));
    assert_eq!(begun.load(SeqCst), 0);
}

#[test]
fn rule_18_an_outer_cancel_reaches_the_items_and_comes_back_as_an_error() {
    let (begun, told) = (AtomicUsize::new(0), Mutex::new(None));
    wg::scope(|s| {
        s.spawn(|| {
            let ended = wg::fan_out(0..1000).limit(2).try_map(|_| {
                begun.fetch_add(1, SeqCst);
                wg::scope(|inner| inner.sleep(FOR_EVER).map_err(Mine::from))
            });
            *told.lock().unwrap() = Some(ended);
        });
        until(|| begun.load(SeqCst) == 2);
        s.cancel("shutdown");
    });
    let Some(Err(Mine::Stopped(cause))) = told.into_inner().unwrap() else { panic!("no error") };
    assert_eq!(cause.origin(), &Cause::Asked("shutdown".into()));
    assert!(begun.load(SeqCst) <= 3);
    // A plain map unwinds with it; the scope that was cancelled passes it over.
    wg::scope(|s| {
        s.cancel("shutdown");
        let unwound = catch_unwind(AssertUnwindSafe(|| wg::fan_out(0..10).map(|n| n)));
        assert!(unwound.unwrap_err().is::<Stopped>());
        assert_eq!(wg::fan_out(0..3).shield().map(|n| n), [0, 1, 2]);
        s.spawn(|| wg::fan_out(0..10).map(|n| n));
    });
}

#[test]
fn rule_19_a_source_that_blocks_is_given_up_when_it_comes_back() {
    for limit in [1, 2, 4] {
        let cancel = wg::Cancel::new();
        let (send, receive) = channel();
        let handled = AtomicUsize::new(0);
        std::thread::scope(|s| {
            let fan_out = s.spawn(|| {
                wg::fan_out(receive).limit(limit).cancel(&cancel).try_for_each(|_: u32| {
                    handled.fetch_add(1, SeqCst);
                    Ok::<_, Mine>(())
                })
            });
            send.send(1).unwrap();
            send.send(2).unwrap();
            until(|| handled.load(SeqCst) == 2);
            cancel.cancel("enough");
            // Whether somebody takes it, or the channel is gone already.
            let _ = send.send(3);
            drop(send);
            let ended = fan_out.join().unwrap();
            assert!(matches!(ended, Err(Mine::Stopped(Cause::Asked(_)))), "{ended:?}");
        });
        assert_eq!(handled.load(Relaxed), 2);
    }
}
