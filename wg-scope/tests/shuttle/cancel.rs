//! Cancels and deadlines, at the worst time.

use std::time::Duration;

use shuttle::thread;
use wg::{Cancel, Cause, options};

use crate::kit::{Count, Dropped, explore, give_way};

/// Every closure is dropped or run, whenever the cancel comes, and the waits end.
#[test]
fn rule_18_a_cancel_from_outside_races_with_spawn_and_join() {
    explore(|| {
        let cancel = Cancel::new();
        let canceller = thread::spawn({
            let cancel = cancel.clone();
            move || cancel.cancel("enough")
        });
        let (dropped, ran) = (Count::default(), Count::default());
        let (joined, lost) = options().cancel(&cancel).scope(|s| {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let (capture, ran) = (Dropped(&dropped), &ran);
                    s.spawn(move || {
                        let _capture = capture;
                        give_way();
                        ran.up();
                    })
                })
                .collect();
            let ended: Vec<_> = tasks.into_iter().map(|task| task.try_join().is_ok()).collect();
            let joined = ended.iter().filter(|&&ok| ok).count();
            (joined, ended.len() - joined)
        });
        assert_eq!((joined + lost, dropped.get()), (8, 8));
        assert!(joined <= ran.get() && ran.get() <= 8);
        assert!(lost == 0 || cancel.is_cancelled());
        assert!(canceller.join().unwrap());
    });
}

/// The body waits for room in a scope whose only runner sleeps until it is cancelled.
#[test]
fn rule_10_a_cancel_ends_a_wait_for_room() {
    explore(|| {
        let cancel = Cancel::new();
        let dropped = Count::default();
        let canceller = thread::spawn({
            let cancel = cancel.clone();
            move || cancel.cancel("enough")
        });
        options().limit(1).cancel(&cancel).scope(|s| {
            for _ in 0..4 {
                let capture = Dropped(&dropped);
                s.spawn(move || {
                    let _capture = capture;
                    let _ = s.sleep(Duration::MAX);
                });
            }
        });
        assert_eq!(dropped.get(), 4);
        assert!(canceller.join().unwrap());
    });
}

/// The deadline passes before, while and after the tasks end, found by the timer or by a wait.
#[test]
fn rule_21_a_deadline_passes_as_tasks_end() {
    explore(|| {
        let dropped = Count::default();
        let (value, cause) = options().timeout(Duration::from_millis(1)).scope(|s| {
            let last = (0..4)
                .map(|n| {
                    let capture = Dropped(&dropped);
                    s.spawn(move || {
                        let _capture = capture;
                        give_way();
                        n
                    })
                })
                .last();
            (last.unwrap().try_join(), s.cancelled_by())
        });
        assert_eq!(dropped.get(), 4);
        match value {
            Ok(value) => assert_eq!(value, 3),
            Err(stopped) => assert!(stopped.cause().is_deadline()),
        }
        assert!(matches!(cause, None | Some(Cause::Deadline)));
    });
}

/// Nothing but the deadline ends these.
#[test]
fn rule_21_a_deadline_ends_sleeps_and_joins_also_of_inner_scopes() {
    explore(|| {
        let ended = Count::default();
        options().timeout(Duration::from_millis(1)).scope(|s| {
            for _ in 0..2 {
                s.spawn(|| {
                    let sleeper = s.spawn(|| s.sleep(Duration::MAX));
                    assert!(sleeper.try_join().map_or(true, |slept| slept.is_err()));
                    ended.up();
                });
            }
            s.spawn(|| {
                options().shield().timeout(Duration::from_millis(1)).scope(|inner| {
                    let stopped = inner.sleep(Duration::MAX).unwrap_err();
                    assert_eq!(*stopped.cause(), Cause::Deadline);
                });
                ended.up();
            });
            assert!(s.sleep(Duration::MAX).is_err());
        });
        assert!(ended.get() <= 3);
    });
}

/// By hand and by the deadline at once: the first cause stays, and everybody is told that one.
#[test]
fn rule_18_of_two_causes_the_first_stays() {
    explore(|| {
        let told: Vec<Cause> = options().timeout(Duration::from_millis(1)).scope(|s| {
            let canceller = s.canceller();
            let by_hand = thread::spawn(move || canceller.cancel("enough"));
            let tasks: Vec<_> = (0..3).map(|_| s.spawn(|| s.sleep(Duration::MAX))).collect();
            let first = s.sleep(Duration::MAX).unwrap_err().cause().clone();
            let mut told = vec![first];
            for task in tasks {
                if let Err(stopped) = task.try_join() {
                    told.push(stopped.cause().clone());
                }
            }
            assert_eq!(by_hand.join().unwrap(), told[0] == Cause::Asked("enough".into()));
            told
        });
        assert!(told.iter().all(|cause| *cause == told[0]), "{told:?}");
    });
}
