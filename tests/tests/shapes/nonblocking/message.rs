//! Messages: closed twice, sent after the close, and `select` that picks at random.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use wg::{Cause, Spawner};
use wg_tests::until;

use crate::{FOR_EVER, Roll, ends};

/// moby#24007: two goroutines close one channel, and the second panics; the repair was `sync.Once`.
/// Cancelling is a level: it may be done any number of times, one of them counts, and it says which.
#[test]
fn rule_18_of_many_that_close_at_once_one_is_told_that_it_did() {
    ends(|| {
        let cancel = wg::Cancel::new();
        let first = AtomicUsize::new(0);
        wg::scope(|s| {
            for _ in 0..16 {
                s.spawn(|| first.fetch_add(usize::from(cancel.cancel("closing")), Relaxed));
            }
        });
        assert_eq!(first.into_inner(), 1);
        assert_eq!(cancel.cancelled_by(), Some(Cause::Asked("closing".into())));
    });
}

/// Sending on a closed channel panics. A task for results that nobody reads any more is dropped, and
/// its spawner can be asked.
#[test]
fn rule_16_a_task_for_a_reader_that_has_gone_is_dropped_and_nothing_panics() {
    ends(|| {
        let roll = Roll::default();
        wg::scope(|s| {
            let results = s.results();
            let late: Spawner<'_, '_, ()> = results.spawner();
            assert!(!late.is_closed());
            drop(results);
            assert!(late.is_closed());
            for _ in 0..10 {
                late.spawn(|| drop(roll.enter()));
            }
        });
        assert_eq!(roll.all_left(), 0);
    });
}

/// ASPLOS 2019, figure 11: `select` between a ticker and a stop channel picks at random if both are
/// ready, so that the work is done once more after the stop. What is cancelled comes first, always.
#[test]
fn rule_03_nothing_begins_after_the_stop() {
    ends(|| {
        let roll = Roll::default();
        wg::scope(|s| {
            let ticks = s.results();
            s.cancel("stop");
            for _ in 0..100 {
                s.spawn(|| drop(roll.enter()));
                ticks.spawn(|| drop(roll.enter()));
            }
            assert_eq!(s.fan_out(0..100).as_completed(|_| drop(roll.enter())).count(), 0);
            assert!(s.sleep(std::time::Duration::ZERO).is_err());
        });
        assert_eq!(roll.all_left(), 0);
    });
}

/// The same while it runs: a loop that waits for its tick with the scope's own sleep does no round
/// after the one in which it was stopped.
#[test]
fn rule_19_a_ticker_does_no_round_after_the_stop() {
    ends(|| {
        let (rounds, after) = (Roll::default(), AtomicUsize::new(0));
        wg::scope(|s| {
            s.task("ticker").spawn(|| {
                while s.sleep(std::time::Duration::from_micros(50)).is_ok() {
                    drop(rounds.enter());
                    after.fetch_add(usize::from(s.is_cancelled()), Relaxed);
                }
            });
            until(|| rounds.entered() > 2);
            s.cancel("stop");
            let _ = s.sleep(FOR_EVER);
        });
        rounds.all_left();
        assert!(after.into_inner() <= 1, "the round it was in, and no other");
    });
}
