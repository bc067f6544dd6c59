//! `WaitGroup` and its tokens as threads see them.
#![cfg(not(wg_loom))]
#![forbid(unsafe_code)]

mod support;

use std::cell::RefCell;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use support::{panic_text, until};
use wg_core::{OwnedToken, TimedOut, Token, Tokens, TryTokenError, Wait, WaitGroup, raw};

/// Most members at once, as documented.
const MAX: usize = (1 << 31) - 1;

const FULL: &str =
    "no token: the group would have more than 2147483647 members (are tokens being leaked?)";
const CLOSED: &str = "no token: the group is closed";

#[test]
fn a_token_counts_while_it_exists_and_its_clone_counts_one_more() {
    let group = WaitGroup::new();
    let token = group.token();
    let clone = token.clone();
    assert_eq!(group.count(), 2);
    drop(token);
    assert_eq!(group.count(), 1);
    drop(clone);
    assert_eq!(group.count(), 0);
}

#[test]
fn an_owned_token_keeps_its_group_alive_and_counted() {
    let group = Arc::new(WaitGroup::new());
    let weak = Arc::downgrade(&group);
    let token = group.owned_token();
    let other = group.try_owned_token().unwrap();
    drop(group);
    let clone = other.clone();
    assert_eq!(token.group().count(), 3);
    drop((token, other));
    assert_eq!(clone.group().count(), 1);
    drop(clone);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_token_names_its_group() {
    let group = Arc::new(WaitGroup::new());
    assert!(std::ptr::eq(group.token().group(), &*group));
    assert!(Arc::ptr_eq(group.owned_token().group(), &group));
}

#[test]
fn a_batch_is_counted_at_once_and_handed_out_one_by_one() {
    let group = WaitGroup::new();
    let mut batch = group.tokens(3);
    assert_eq!((batch.len(), group.count()), (3, 3));
    let first = batch.next().unwrap();
    assert_eq!((batch.len(), batch.size_hint(), group.count()), (2, (2, Some(2)), 3));
    drop(first);
    assert_eq!((batch.len(), group.count()), (2, 2));
    let rest: Vec<_> = batch.by_ref().collect();
    assert_eq!((rest.len(), group.count()), (2, 2));
    assert!(batch.next().is_none());
    assert!(batch.next().is_none());
    drop(batch);
    assert_eq!(group.count(), 2);
    drop(rest);
    assert_eq!(group.count(), 0);
}

#[test]
fn what_is_left_of_a_batch_is_given_back_when_it_is_dropped() {
    let group = WaitGroup::new();
    let mut batch = group.tokens(100);
    let kept = batch.next();
    drop(batch);
    assert_eq!(group.count(), 1);
    drop(kept);
    assert_eq!(group.count(), 0);
}

#[test]
fn an_empty_batch_counts_nobody_and_a_closed_group_refuses_it_too() {
    let group = WaitGroup::new();
    let mut empty = group.tokens(0);
    assert_eq!((empty.len(), group.count()), (0, 0));
    assert!(empty.next().is_none());
    group.close();
    assert_eq!(group.try_tokens(0).unwrap_err(), TryTokenError::Closed);
    assert_eq!(panic_text(|| group.tokens(0)), CLOSED);
    drop(empty);
    assert_eq!(group.count(), 0);
}

#[test]
fn a_static_group_lends_tokens_to_static_threads() {
    static GROUP: WaitGroup = WaitGroup::new();
    static SEEN: AtomicBool = AtomicBool::new(false);
    let token: Token<'static> = GROUP.token();
    let thread = thread::spawn(move || {
        SEEN.store(true, Relaxed);
        drop(token);
    });
    GROUP.wait();
    assert!(SEEN.load(Relaxed));
    thread.join().unwrap();
}

#[test]
fn rule_28_a_full_group_refuses_every_way_in_and_is_unchanged() {
    let group = Arc::new(WaitGroup::new());
    forget(group.tokens(MAX - 2));
    let (token, owned) = (group.token(), group.owned_token());
    let full = "WaitGroup { count: 2147483647, waiters: 0, closed: false }";
    assert_eq!(format!("{group:?}"), full);

    assert_eq!(panic_text(|| group.token()), FULL);
    assert_eq!(panic_text(|| group.owned_token()), FULL);
    assert_eq!(panic_text(|| group.tokens(1)), FULL);
    assert_eq!(panic_text(|| token.clone()), FULL);
    assert_eq!(panic_text(|| owned.clone()), FULL);
    assert_eq!(group.try_token().unwrap_err(), TryTokenError::Full);
    assert_eq!(group.try_owned_token().unwrap_err(), TryTokenError::Full);
    assert_eq!(group.try_tokens(1).unwrap_err(), TryTokenError::Full);
    assert_eq!(group.try_tokens(0).unwrap().len(), 0);

    assert_eq!(format!("{group:?}"), full);
    assert_eq!(Arc::strong_count(&group), 2);
    drop(token);
    assert_eq!(group.try_token().unwrap().group().count(), MAX);
}

#[test]
fn rule_28_a_batch_that_is_too_large_is_refused_whole() {
    let group = WaitGroup::new();
    let member = group.token();
    for n in [MAX, MAX + 1, u32::MAX as usize, usize::MAX] {
        assert_eq!(group.try_tokens(n).unwrap_err(), TryTokenError::Full);
        assert_eq!(panic_text(|| group.tokens(n)), FULL);
        assert_eq!(group.count(), 1);
    }
    drop(member);
    assert_eq!(group.tokens(MAX).len(), MAX);
    assert_eq!(group.count(), 0);
}

#[test]
fn rule_28_many_threads_refused_at_once_leave_a_full_group_as_it_was() {
    let group = WaitGroup::new();
    forget(group.tokens(MAX));
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for _ in 0..50 {
                    assert_eq!(panic_text(|| group.token()), FULL);
                    assert_eq!(group.try_token().unwrap_err(), TryTokenError::Full);
                }
            });
        }
    });
    assert_eq!(group.count(), MAX);
}

#[test]
fn a_closed_group_refuses_newcomers_and_lets_members_bring_in_others() {
    let group = Arc::new(WaitGroup::new());
    let (token, owned, mut batch) = (group.token(), group.owned_token(), group.tokens(2));
    assert!(!group.is_closed());
    assert!(group.close());
    assert!(group.is_closed());
    assert!(!group.close());

    assert_eq!(panic_text(|| group.token()), CLOSED);
    assert_eq!(panic_text(|| group.owned_token()), CLOSED);
    assert_eq!(panic_text(|| group.tokens(1)), CLOSED);
    assert_eq!(group.try_token().unwrap_err(), TryTokenError::Closed);
    assert_eq!(group.try_owned_token().unwrap_err(), TryTokenError::Closed);
    assert_eq!(group.try_tokens(1).unwrap_err(), TryTokenError::Closed);
    assert_eq!(group.count(), 4);

    let others = (token.clone(), owned.clone(), batch.next().unwrap().clone());
    assert_eq!(group.count(), 6);
    drop((token, owned, batch, others));
    group.wait();
    assert!(group.is_closed());
    assert_eq!(group.try_token().unwrap_err(), TryTokenError::Closed);
}

#[test]
fn one_of_many_that_close_finds_the_group_open() {
    let group = WaitGroup::new();
    let start = Barrier::new(4);
    let first = AtomicUsize::new(0);
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                start.wait();
                first.fetch_add(usize::from(group.close()), Relaxed);
            });
        }
    });
    assert_eq!(first.into_inner(), 1);
}

#[test]
fn closing_neither_wakes_nor_waits() {
    let group = WaitGroup::new();
    let left = AtomicBool::new(false);
    thread::scope(|s| {
        let token = group.token();
        let waiter = s.spawn(|| {
            group.wait();
            assert!(left.load(Relaxed));
        });
        until(|| group.waiters() == 1);
        assert!(group.close());
        assert_eq!((group.count(), group.waiters()), (1, 1));
        assert!(!waiter.is_finished());
        left.store(true, Relaxed);
        drop(token);
    });
}

#[test]
fn after_close_and_wait_nothing_runs_and_nothing_starts() {
    for _ in 0..50 {
        let group = WaitGroup::new();
        let (running, started) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut last = 0;
        thread::scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    while let Ok(_token) = group.try_token() {
                        started.fetch_add(1, Relaxed);
                        running.fetch_add(1, Relaxed);
                        running.fetch_sub(1, Relaxed);
                    }
                });
            }
            until(|| started.load(Relaxed) > 10);
            group.close();
            group.wait();
            assert_eq!(running.load(Relaxed), 0);
            last = started.load(Relaxed);
        });
        assert_eq!(started.into_inner(), last);
    }
}

#[test]
fn the_last_member_releases_every_blocked_waiter() {
    let group = WaitGroup::new();
    let done = AtomicUsize::new(0);
    thread::scope(|s| {
        let tokens: Vec<_> = group.tokens(2).collect();
        let waiters: Vec<_> = (0..16)
            .map(|_| {
                s.spawn(|| {
                    group.wait();
                    done.load(Relaxed)
                })
            })
            .collect();
        until(|| group.waiters() == 16);
        for token in tokens {
            assert_eq!(group.waiters(), 16);
            done.fetch_add(1, Relaxed);
            drop(token);
        }
        assert_eq!(group.waiters(), 0);
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), 2);
        }
    });
}

#[test]
fn rule_25_a_crowd_is_released_whole_though_some_of_it_have_given_up() {
    let group = &WaitGroup::new();
    let token = group.token();
    thread::scope(|s| {
        let crowd: Vec<_> = (0..400)
            .map(|number| {
                let wait = move || match number % 2 {
                    0 => group.wait_timeout(Duration::ZERO).is_err(),
                    _ => group.wait_timeout(Duration::MAX).is_ok(),
                };
                thread::Builder::new().stack_size(64 << 10).spawn_scoped(s, wait).unwrap()
            })
            .collect();
        until(|| group.waiters() == 200 && crowd.iter().step_by(2).all(|t| t.is_finished()));
        drop(token);
        assert!(crowd.into_iter().all(|thread| thread.join().unwrap()));
    });
    assert_eq!((group.count(), group.waiters()), (0, 0));
}

#[test]
fn a_batch_that_leaves_last_releases_as_one_member() {
    let group = WaitGroup::new();
    thread::scope(|s| {
        let mut batch = group.tokens(10);
        let waiter = s.spawn(|| group.wait());
        until(|| group.waiters() == 1);
        drop(batch.next());
        assert_eq!((group.count(), group.waiters()), (9, 1));
        drop(batch);
        waiter.join().unwrap();
    });
}

#[test]
fn a_member_that_comes_while_others_wait_is_waited_for_too() {
    let group = WaitGroup::new();
    let left = AtomicBool::new(false);
    thread::scope(|s| {
        let first = group.token();
        s.spawn(|| {
            group.wait();
            assert!(left.load(Relaxed));
        });
        until(|| group.waiters() == 1);
        let second = group.token();
        drop(first);
        assert_eq!((group.count(), group.waiters()), (1, 1));
        left.store(true, Relaxed);
        drop(second);
    });
}

#[test]
fn a_waiter_released_from_one_round_is_not_held_by_the_next() {
    let group = WaitGroup::new();
    for _ in 0..200 {
        thread::scope(|s| {
            let token = group.token();
            let waiter = s.spawn(|| group.wait());
            until(|| group.waiters() == 1);
            drop(token);
            let _next_round = group.token();
            waiter.join().unwrap();
        });
    }
}

#[test]
fn rounds_follow_each_other_without_mixing() {
    const ROUNDS: usize = 200;
    const WORKERS: usize = 3;
    let group = WaitGroup::new();
    let done = AtomicUsize::new(0);
    thread::scope(|s| {
        let workers: Vec<mpsc::Sender<Token<'_>>> = (0..WORKERS)
            .map(|_| {
                let (sender, tokens) = mpsc::channel();
                let done = &done;
                s.spawn(move || {
                    for _token in tokens {
                        done.fetch_add(1, Relaxed);
                    }
                });
                sender
            })
            .collect();
        let (starts, rounds) = mpsc::channel();
        let (group, done) = (&group, &done);
        s.spawn(move || {
            for round in rounds {
                group.wait();
                assert!(done.load(Relaxed) >= round * WORKERS);
            }
        });
        for round in 1..=ROUNDS {
            let tokens = group.tokens(WORKERS);
            starts.send(round).unwrap();
            for (worker, token) in workers.iter().zip(tokens) {
                worker.send(token).unwrap();
            }
            group.wait();
            assert_eq!(done.load(Relaxed), round * WORKERS);
        }
    });
    assert_eq!((group.count(), group.waiters()), (0, 0));
}

#[test]
fn a_panicking_member_is_discounted() {
    let group = Arc::new(WaitGroup::new());
    let token = group.owned_token();
    let thread = thread::spawn(move || {
        let _token = token;
        panic!("a member panics");
    });
    group.wait();
    assert!(thread.join().is_err());

    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let (_token, mut batch) = (group.token(), group.tokens(5));
        let _one = batch.next();
        panic!("in the middle of a batch");
    }));
    assert!(unwound.is_err());
    assert_eq!(group.count(), 0);
}

#[test]
fn a_thread_may_wait_while_it_unwinds() {
    struct WaitOnDrop<'a>(&'a WaitGroup);
    impl Drop for WaitOnDrop<'_> {
        fn drop(&mut self) {
            assert!(thread::panicking());
            self.0.wait();
        }
    }
    let group = WaitGroup::new();
    thread::scope(|s| {
        let token = group.token();
        let waiter = s.spawn(|| {
            let _wait = WaitOnDrop(&group);
            panic!("unwinding");
        });
        until(|| group.waiters() == 1);
        drop(token);
        assert!(waiter.join().is_err());
    });
}

#[test]
fn a_token_may_end_on_another_thread_than_it_began() {
    let group = WaitGroup::new();
    thread::scope(|s| {
        let (token, batch) = (group.token(), group.tokens(3));
        s.spawn(move || drop(token));
        s.spawn(move || batch.for_each(drop));
        group.wait();
        assert_eq!(group.count(), 0);
    });
}

#[test]
fn a_thread_may_wait_in_a_destructor_of_its_exit() {
    struct WaitAtExit(Arc<WaitGroup>);
    impl Drop for WaitAtExit {
        fn drop(&mut self) {
            self.0.wait();
        }
    }
    thread_local! {
        static AT_EXIT: RefCell<Option<WaitAtExit>> = const { RefCell::new(None) };
    }
    let group = Arc::new(WaitGroup::new());
    let token = group.token();
    let theirs = Arc::clone(&group);
    let thread = thread::spawn(move || AT_EXIT.set(Some(WaitAtExit(theirs))));
    until(|| group.waiters() == 1);
    drop(token);
    thread.join().unwrap();
}

#[test]
fn stray_unparks_do_not_end_a_wait() {
    let group = WaitGroup::new();
    let left = AtomicBool::new(false);
    thread::scope(|s| {
        let token = group.token();
        let waiter = s.spawn(|| {
            thread::current().unpark(); // one that is pending when the wait begins
            group.wait();
            assert!(left.load(Relaxed));
        });
        until(|| group.waiters() == 1);
        for _ in 0..1000 {
            waiter.thread().unpark();
            thread::yield_now();
        }
        assert_eq!(group.waiters(), 1);
        assert!(!waiter.is_finished());
        left.store(true, Relaxed);
        drop(token);
    });
}

#[test]
fn a_park_loop_of_the_callers_own_is_not_starved_by_a_wait() {
    let group = WaitGroup::new();
    let flag = AtomicUsize::new(0);
    let main = thread::current();
    thread::scope(|s| {
        let (sender, tokens) = mpsc::channel::<(usize, Token<'_>)>();
        let flag = &flag;
        s.spawn(move || {
            for (round, token) in tokens {
                drop(token);
                flag.store(round, Release);
                main.unpark();
            }
        });
        for round in 1..=2000 {
            sender.send((round, group.token())).unwrap();
            group.wait();
            while flag.load(Acquire) != round {
                thread::park();
            }
        }
    });
    assert_eq!(flag.into_inner(), 2000);
}

#[test]
fn an_idle_group_is_waited_for_at_once_whatever_the_deadline() {
    let group = WaitGroup::new();
    let now = Instant::now();
    let past = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
    for _ in 0..2 {
        group.wait();
        for timeout in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
            assert_eq!(group.wait_timeout(timeout), Ok(()));
        }
        assert_eq!(group.wait_deadline(past), Ok(()));
        assert_eq!(group.wait_deadline(now), Ok(()));
        group.close();
    }
}

#[test]
fn a_deadline_that_has_passed_times_out_and_leaves_no_waiter() {
    let group = WaitGroup::new();
    let mut batch = group.tokens(2);
    let now = Instant::now();
    let past = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
    for result in [
        group.wait_deadline(past),
        group.wait_deadline(now),
        group.wait_timeout(Duration::ZERO),
        group.wait_timeout(Duration::from_nanos(1)),
        group.wait_timeout(Duration::from_millis(1)),
    ] {
        let late: TimedOut = result.unwrap_err();
        assert_eq!(late.count(), 2);
        assert_eq!(late.to_string(), "timed out while 2 members were left");
        assert_eq!(format!("{late:?}"), "TimedOut { count: 2 }");
    }
    drop(batch.next());
    let late = group.wait_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(late.to_string(), "timed out while 1 member was left");
    assert_eq!((group.count(), group.waiters()), (1, 0));
    drop(batch);
    assert_eq!(group.wait_timeout(Duration::ZERO), Ok(()));
}

#[test]
fn a_deadline_far_beyond_every_clock_waits_until_the_group_is_empty() {
    let group = WaitGroup::new();
    // The first no clock can express; the second is a deadline like any other.
    for timeout in [Duration::MAX, Duration::from_secs(u64::MAX / 4)] {
        thread::scope(|s| {
            let token = group.token();
            let waiter = s.spawn(|| group.wait_timeout(timeout));
            until(|| group.waiters() == 1);
            drop(token);
            assert_eq!(waiter.join().unwrap(), Ok(()));
        });
    }
}

#[test]
fn rule_25_a_timed_wait_that_gives_up_takes_nobody_elses_place() {
    let group = WaitGroup::new();
    let left = AtomicBool::new(false);
    thread::scope(|s| {
        let token = group.token();
        for _ in 0..3 {
            s.spawn(|| {
                group.wait();
                assert!(left.load(Relaxed));
            });
        }
        until(|| group.waiters() == 3);
        for _ in 0..100 {
            assert_eq!(group.wait_timeout(Duration::from_nanos(1)).unwrap_err().count(), 1);
        }
        assert_eq!(group.waiters(), 3);
        left.store(true, Relaxed);
        drop(token);
        assert_eq!(group.waiters(), 0);
    });
}

#[test]
fn a_last_member_that_leaves_at_the_deadline_is_waited_for_or_timed_out_never_both() {
    const ROUNDS: usize = 10_000;
    let group = WaitGroup::new();
    let done = AtomicUsize::new(0);
    thread::scope(|s| {
        let (sender, tokens) = mpsc::channel::<(usize, Instant, Token<'_>)>();
        let done = &done;
        s.spawn(move || {
            for (round, deadline, token) in tokens {
                while Instant::now() < deadline {
                    std::hint::spin_loop();
                }
                done.store(round, Relaxed);
                drop(token);
            }
        });
        for round in 1..=ROUNDS {
            let deadline = Instant::now() + Duration::from_micros(round as u64 % 100);
            sender.send((round, deadline, group.token())).unwrap();
            match group.wait_deadline(deadline) {
                Ok(()) => assert_eq!((done.load(Relaxed), group.count()), (round, 0)),
                Err(late) => assert!(late.count() <= 1 && Instant::now() >= deadline),
            }
            assert_eq!(group.waiters(), 0);
            group.wait();
            assert_eq!(done.load(Relaxed), round);
        }
    });
}

#[test]
fn debug_shows_decoded_fields() {
    let group = Arc::new(WaitGroup::new());
    let token = group.token();
    let owned = group.owned_token();
    let mut batch = group.tokens(3);
    drop(batch.next());
    group.close();
    let shown = "WaitGroup { count: 4, waiters: 0, closed: true }";
    assert_eq!(format!("{group:?}"), shown);
    assert_eq!(format!("{token:?}"), format!("Token({shown})"));
    assert_eq!(format!("{owned:?}"), format!("OwnedToken({shown})"));
    assert_eq!(format!("{batch:?}"), format!("Tokens {{ left: 2, group: {shown} }}"));
    let wait = group.wait_async();
    assert_eq!(format!("{wait:?}"), format!("Wait {{ group: {shown}, stage: Unpolled }}"));
    thread::scope(|s| {
        s.spawn(|| group.wait());
        until(|| group.waiters() == 1);
        let shown = "WaitGroup { count: 4, waiters: 1, closed: true }";
        assert_eq!(format!("{group:?}"), shown);
        drop((token, owned, batch));
    });
}

#[test]
fn refusals_are_errors_with_a_text() {
    fn text(error: impl std::error::Error) -> String {
        error.to_string()
    }
    assert_eq!(text(TryTokenError::Closed), "the group is closed");
    assert_eq!(format!("no token: {}", text(TryTokenError::Full)), FULL);
}

#[test]
fn a_group_is_one_word_and_a_token_one_pointer() {
    assert_eq!((size_of::<WaitGroup>(), align_of::<WaitGroup>()), (8, 8));
    assert_eq!(size_of::<Token<'_>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<Token<'_>>>(), size_of::<usize>());
    assert_eq!(size_of::<Option<OwnedToken>>(), size_of::<usize>());
}

#[test]
fn a_new_group_is_open_and_empty() {
    for group in [const { WaitGroup::new() }, WaitGroup::default()] {
        assert_eq!(format!("{group:?}"), "WaitGroup { count: 0, waiters: 0, closed: false }");
    }
}

#[test]
fn rule_27_every_public_type_may_be_sent_and_shared() {
    const fn holds<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
    const {
        holds::<WaitGroup>();
        holds::<Token<'static>>();
        holds::<Tokens<'static>>();
        holds::<OwnedToken>();
        holds::<Wait<'static>>();
        holds::<TryTokenError>();
        holds::<TimedOut>();
        holds::<raw::WaitGroup>();
        holds::<raw::Misuse>();
    }
}
