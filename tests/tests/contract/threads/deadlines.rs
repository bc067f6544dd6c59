//! Rule 21: deadlines.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::{Duration, Instant};

use wg::{Cause, Stopped};
use wg_tests::until;

const AN_HOUR: Duration = Duration::from_secs(60 * 60);

#[test]
fn rule_21_a_deadline_in_the_past_or_now_cancels_before_the_body() {
    let now = Instant::now();
    let past = now.checked_sub(Duration::from_secs(1)).unwrap_or(now);
    let zero = wg::options().timeout(Duration::ZERO);
    for options in [wg::options().deadline(past), wg::options().deadline(now), zero] {
        let ran = AtomicUsize::new(0);
        options.scope(|s| {
            assert_eq!(s.cancelled_by(), Some(Cause::Deadline));
            s.spawn(|| ran.fetch_add(1, SeqCst));
        });
        assert_eq!(ran.into_inner(), 0);
    }
}

#[test]
fn rule_21_a_time_that_no_clock_can_express_is_no_deadline() {
    wg::options().timeout(Duration::MAX).scope(|s| {
        assert_eq!(s.deadline(), None);
        assert_eq!(s.sleep(Duration::from_micros(1)), Ok(()));
        assert_eq!(s.spawn(|| 1).join(), 1);
    });
}

#[test]
fn rule_21_a_deadline_that_is_far_away_is_kept() {
    let far = Duration::from_secs(10 * 365 * 24 * 60 * 60);
    wg::options().timeout(far).scope(|s| {
        assert!(s.deadline().is_some());
        assert_eq!(s.spawn(|| s.sleep(Duration::from_micros(1))).join(), Ok(()));
        assert!(s.spawn(|| s.sleep(Duration::ZERO)).join_timeout(far).is_ok());
    });
}

#[test]
fn rule_21_the_earliest_of_several_deadlines_counts() {
    let start = Instant::now();
    let (soon, late) = (start + AN_HOUR, start + 2 * AN_HOUR);
    wg::options().deadline(late).deadline(soon).scope(|outer| {
        assert_eq!(outer.deadline(), Some(soon));
        wg::options().deadline(late).scope(|inner| assert_eq!(inner.deadline(), Some(soon)));
        outer.spawn(|| wg::scope(|inner| assert_eq!(inner.deadline(), Some(soon)))).join();
        wg::options().timeout(Duration::from_secs(1)).scope(|inner| {
            assert!(inner.deadline().unwrap() < soon);
        });
    });
}

#[test]
fn rule_21_an_inner_deadline_leaves_the_outer_scope_alone() {
    wg::options().timeout(AN_HOUR).scope(|outer| {
        let cause = wg::options().timeout(Duration::from_millis(1)).scope(|inner| {
            let _ = inner.sleep(AN_HOUR);
            inner.cancelled_by()
        });
        assert_eq!(cause, Some(Cause::Deadline));
        assert!(!outer.is_cancelled());
    });
}

#[test]
fn rule_21_an_outer_deadline_is_an_outer_cause_inside() {
    for _ in 0..50 {
        wg::options().timeout(Duration::from_millis(1)).scope(|outer| {
            let inner: Result<(), Stopped> = wg::try_scope(|inner| inner.sleep(AN_HOUR));
            let told = inner.unwrap_err();
            assert!(matches!(told.cause(), Cause::Outer(_)), "{told}");
            assert!(told.cause().is_deadline());
            until(|| outer.is_cancelled());
            assert_eq!(outer.cancelled_by(), Some(Cause::Deadline));
        });
    }
}

#[test]
fn rule_21_a_task_that_computes_hears_of_the_deadline_without_any_wait() {
    for _ in 0..5 {
        wg::options().timeout(Duration::from_millis(2)).scope(|s| {
            s.spawn(|| {
                while !s.is_cancelled() {
                    std::hint::spin_loop();
                }
            });
            // So does the body.
            while !s.is_cancelled() {
                std::hint::spin_loop();
            }
            assert_eq!(s.cancelled_by(), Some(Cause::Deadline));
        });
    }
}

#[test]
fn rule_21_many_deadlines_at_once_are_all_kept() {
    thread::scope(|threads| {
        for n in 0..64_u64 {
            threads.spawn(move || {
                let time = Duration::from_micros(100 * (64 - n));
                let cause = wg::options().timeout(time).scope(|s| {
                    until(|| s.is_cancelled());
                    s.cancelled_by()
                });
                assert_eq!(cause, Some(Cause::Deadline));
            });
        }
    });
}

#[test]
fn rule_21_a_value_that_arrives_late_is_returned() {
    let late: Result<u32, Stopped> =
        wg::options().timeout(Duration::from_millis(1)).try_scope(|s| {
            until(|| s.is_cancelled());
            Ok(7)
        });
    assert_eq!(late, Ok(7));
    let late = wg::options().timeout(Duration::from_millis(100)).scope(|s| {
        let task = s.spawn(|| {
            until(|| s.is_cancelled());
            8
        });
        until(|| task.is_finished());
        task.join()
    });
    assert_eq!(late, 8);
}

#[test]
fn rule_21_tasks_that_a_deadline_kept_from_beginning_make_a_try_scope_fail_with_it() {
    let failed: Result<(), Stopped> =
        wg::options().limit(1).timeout(Duration::from_millis(1)).try_scope(|s| {
            s.spawn(|| {
                s.spawn(|| Ok(()));
                until(|| s.is_cancelled());
                Ok(())
            });
            Ok(())
        });
    assert_eq!(failed.unwrap_err().cause(), &Cause::Deadline);
}

#[test]
fn rule_21_an_error_is_not_hidden_by_a_deadline_that_passes_after_it() {
    let failed: Result<(), String> =
        wg::options().timeout(Duration::from_millis(1)).try_scope(|s| {
            s.spawn(|| Err::<(), _>("broken".to_owned()));
            until(|| s.is_cancelled());
            s.spawn(|| Ok(()));
            thread::yield_now();
            Ok(())
        });
    assert!(["broken", "stopped: the deadline passed"].contains(&&*failed.unwrap_err()));
}

#[test]
fn rule_21_at_the_same_instant_a_scope_is_complete_or_late_and_never_both() {
    let (mut complete, mut late) = (0, 0);
    for round in 0..10_000_u64 {
        let ran = AtomicUsize::new(0);
        let time = Duration::from_micros(round % 60);
        let ended: Result<(), Stopped> = wg::options().timeout(time).try_scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    ran.fetch_add(1, SeqCst);
                    Ok(())
                });
            }
            Ok(())
        });
        match ended {
            Ok(()) => {
                assert_eq!(ran.into_inner(), 2);
                complete += 1;
            }
            Err(stopped) => {
                assert_eq!(stopped.cause(), &Cause::Deadline);
                assert!(ran.into_inner() < 2);
                late += 1;
            }
        }
    }
    assert_eq!(complete + late, 10_000);
}
