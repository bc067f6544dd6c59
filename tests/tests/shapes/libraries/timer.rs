//! Timers: the one that fires at once, the one that is stopped twice, the one that is left.

use std::time::Duration;

use wg::{Cause, NoResult};
use wg_tests::until;

use crate::{FOR_EVER, Roll, SHORT, ends};

/// ASPLOS 2019, figure 12: `time.NewTimer(0)` as a placeholder for "no timeout" fires at once, and the
/// function returns before its time. No timeout is no call; a timeout of zero is past at once, and is
/// called a deadline.
#[test]
fn rule_21_no_timeout_is_not_a_timeout_of_zero() {
    fn with(timeout: Option<Duration>) -> Option<Cause> {
        let options = timeout.into_iter().fold(wg::options(), |options, t| options.timeout(t));
        options.scope(|s| {
            s.spawn(|| ());
            s.cancelled_by()
        })
    }

    ends(|| {
        assert_eq!(with(None), None);
        assert_eq!(with(Some(Duration::MAX)), None);
        assert_eq!(with(Some(FOR_EVER)), None);
        assert_eq!(with(Some(Duration::ZERO)), Some(Cause::Deadline));
    });
}

/// istio#18454: one timer is stopped in two places at once, and drained in both, where one value
/// comes. A wait has its timeout with it, and there is nothing to stop.
#[test]
fn rule_16_a_wait_that_times_out_may_be_repeated_and_loses_nothing() {
    ends(|| {
        let (finish, unfinished) = std::sync::mpsc::channel::<()>();
        wg::scope(|s| {
            let results = s.results();
            results.spawn(move || unfinished.recv().is_ok());
            for _ in 0..50 {
                assert_eq!(results.recv_timeout(Duration::from_micros(20)), Err(NoResult::NotYet));
            }
            finish.send(()).unwrap();
            assert_eq!(results.recv_timeout(FOR_EVER), Ok((0, true)));
            assert_eq!(results.recv_timeout(FOR_EVER), Err(NoResult::Ended));
        });
    });
}

/// A goroutine in `time.Sleep`, or one with `time.After` in its loop, outlives whatever it was for.
/// The scope's own sleep ends with the scope.
#[test]
fn rule_19_whoever_sleeps_is_woken_by_the_end() {
    ends(|| {
        let roll = Roll::default();
        wg::scope(|s| {
            for _ in 0..20 {
                s.spawn(|| {
                    let _inside = roll.enter();
                    assert!(s.sleep(Duration::MAX).is_err());
                });
            }
            until(|| roll.entered() == 20);
            s.cancel("over");
        });
        assert_eq!(roll.all_left(), 20);
    });
}

/// A deadline that passes at the moment the work is done: in Go the value and the error of the
/// context compete in a `select`. A value that is there is returned, whatever the clock says.
#[test]
fn rule_21_a_value_that_comes_late_is_not_thrown_away() {
    ends(|| {
        let slow = wg::options().timeout(SHORT);
        let value = slow.scope(|s| {
            until(|| s.is_cancelled());
            "late"
        });
        assert_eq!(value, "late");
        let tried = slow.try_scope(|s| {
            until(|| s.is_cancelled());
            Ok::<_, wg::Stopped>("late")
        });
        assert_eq!(tried, Ok("late"));
    });
}
