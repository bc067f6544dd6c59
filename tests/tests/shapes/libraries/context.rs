//! Contexts: waited for and never cancelled, cancelled and not heard, or made twice.

use std::time::{Duration, Instant};

use wg::Cause;
use wg_tests::until;

use crate::{FOR_EVER, Roll, SHORT, ends};

/// ASPLOS 2019, figure 6: a context is made with a cancel, and replaced by one with a timeout, so that
/// the goroutine of the first is never told. Options are one value: what is added is added, and both
/// reach the one scope there is.
#[test]
fn rule_21_a_deadline_that_is_added_replaces_no_cancel() {
    ends(|| {
        let hangs_up = wg::Cancel::new();
        let options = wg::options().cancel(&hangs_up).timeout(FOR_EVER);
        let roll = Roll::default();
        let why = options.scope(|s| {
            s.spawn(|| {
                let _inside = roll.enter();
                s.sleep(FOR_EVER)
            });
            until(|| roll.entered() == 1);
            hangs_up.cancel("the client hangs up");
            let _ = s.sleep(FOR_EVER);
            s.cancelled_by()
        });
        assert_eq!(why, Some(Cause::Asked("the client hangs up".into())));
        assert_eq!(roll.all_left(), 1);

        let both = options.timeout(Duration::ZERO);
        assert_eq!(both.scope(|s| s.cancelled_by()).unwrap().origin(), why.as_ref().unwrap());
        let late = wg::options().cancel(&wg::Cancel::new()).timeout(Duration::ZERO);
        assert_eq!(late.scope(|s| s.cancelled_by()), Some(Cause::Deadline));
    });
}

/// cockroach#13197, grpc#862: a goroutine waits for `ctx.Done()`, and the function that made the
/// context fails and returns without cancelling it. A body that fails cancels what it started.
#[test]
fn rule_02_a_body_that_fails_ends_who_waits_for_the_end() {
    ends(|| {
        let roll = Roll::default();
        let dialled = wg::try_scope(|s| {
            s.task("reset_transport").spawn(|| {
                let _inside = roll.enter();
                let told = s.sleep(FOR_EVER).unwrap_err();
                assert_eq!(told.cause(), &Cause::BodyFailed);
                Ok(())
            });
            until(|| roll.entered() == 1);
            Err::<(), _>("no address")
        });
        assert_eq!((dialled, roll.all_left()), (Err("no address"), 1));
    });
}

/// cockroach#25456: a check whether the store is draining is written as a wait for it to drain. There
/// is a word for each.
#[test]
fn rule_19_to_ask_whether_it_is_over_is_not_to_wait_for_it() {
    ends(|| {
        wg::scope(|s| {
            assert!(!s.is_cancelled() && s.check().is_ok() && s.cancelled_by().is_none());
            s.cancel("draining");
            assert!(s.is_cancelled() && s.check().is_err());
        });
    });
}

/// A context that is not handed on, so that the callee runs past the caller's deadline. A scope
/// inside another hears of it without being handed anything, also through functions that know
/// nothing of it; and the sooner deadline counts.
#[test]
fn rule_21_a_scope_inside_keeps_the_deadline_that_it_was_not_handed() {
    fn callee(roll: &Roll) -> Option<Cause> {
        wg::options().timeout(FOR_EVER).scope(|s| {
            s.spawn(|| {
                let _inside = roll.enter();
                s.sleep(FOR_EVER)
            });
            let _ = s.sleep(FOR_EVER);
            s.cancelled_by()
        })
    }

    ends(|| {
        let roll = Roll::default();
        let why = wg::options().timeout(SHORT).scope(|s| {
            s.spawn(|| callee(&roll)).try_join().ok().flatten().or_else(|| s.cancelled_by())
        });
        assert!(why.unwrap().is_deadline());
        roll.all_left();
    });
}

/// What Go's `context` warns of: contexts of requests that are never cancelled pile up
/// under a parent that lives on. A scope's place in the tree ends with the scope.
#[test]
fn rule_18_a_thousand_scopes_later_the_parent_still_reaches_the_next() {
    ends(|| {
        let server = wg::Cancel::new();
        let request = wg::options().cancel(&server).timeout(FOR_EVER);
        for n in 0..1000 {
            assert_eq!(request.scope(|s| s.spawn(move || n).join()), n);
        }
        server.cancel("shutdown");
        assert_eq!(
            request.scope(|s| s.cancelled_by()),
            Some(Cause::Asked("shutdown".into())),
            "born cancelled"
        );
        assert!(request.scope(|s| s.deadline()).unwrap() > Instant::now());
    });
}
