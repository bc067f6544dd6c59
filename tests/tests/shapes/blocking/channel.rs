//! Channels: a sender or a receiver whose other side has gone, or waits for it in turn. With what
//! is built on locks and waits it is more than half of the bugs that block.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use wg::{Cause, Inlet, Stopped};
use wg_tests::{Bang, bang, caught, until};

use crate::{FOR_EVER, Roll, SHORT, ends};

/// cockroach#35073, kubernetes#38669, and "NoCloseRange" of Go's leak tests: the loop over a channel
/// that nobody closes, because the producer failed first. Cannot be said: there is no `close`, the
/// results end when the last task has ended, however it did.
#[test]
fn rule_16_a_loop_over_results_ends_though_the_producer_fails() {
    let (rows, error) = ends(|| {
        let rows = Mutex::new(Vec::new());
        let (count, errors) = wg::collect_scope(|s| {
            let results = s.results();
            let outbox = results.spawner();
            results.spawn(move || {
                for row in 0..3 {
                    outbox.spawn(move || Ok(row));
                }
                Err("the outbox failed to start")
            });
            results.as_completed().map(|(_, row)| rows.lock().unwrap().push(row)).count()
        });
        assert_eq!(count, 3);
        let error = errors.into_iter().next().unwrap();
        (rows.into_inner().unwrap(), error.as_error().copied().unwrap())
    });
    assert_eq!(BTreeSet::from_iter(rows), BTreeSet::from([0, 1, 2]));
    assert_eq!(error, "the outbox failed to start");
}

/// grpc#1424, grpc#660, cockroach#10790, moby#33781, and "EarlyReturn": the receiver leaves without
/// draining, and the senders stay. Here leaving the loop drops the stream: what has not begun is
/// dropped, what runs delivers to nobody, and nobody is blocked.
#[test]
fn rule_16_a_receiver_that_leaves_early_strands_no_sender() {
    ends(|| {
        let roll = Roll::default();
        let (go, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        wg::scope(|s| {
            let mut answers = s.fan_out(0..1000).limit(4).as_completed(|n| {
                let _inside = roll.enter();
                if n > 0 {
                    // Ends when the other side is gone: this task is certainly late.
                    let _ = wait.lock().unwrap().recv();
                }
                n
            });
            assert_eq!(answers.next(), Some((0, 0)));
            drop(answers);
            drop(go);
        });
        assert!(roll.all_left() <= 5, "nothing began after the reader had gone: {roll:?}");
    });
}

/// The same with a channel of our own making between two tasks, which is dropped with its receiver:
/// `send` on it fails. Then what is left is to stop, and that is what an error does.
#[test]
fn rule_06_a_sender_without_a_receiver_fails_and_the_first_error_comes_back() {
    let failed = ends(|| {
        wg::try_scope(|s| {
            let (send, receive) = channel();
            s.spawn(move || {
                for n in 0.. {
                    send.send(n).map_err(|_| "the reader is gone")?;
                }
                Ok(())
            });
            s.spawn(move || if receive.recv() == Ok(0) { Ok(()) } else { Err("out of order") });
            Ok(())
        })
    });
    assert_eq!(failed, Err("the reader is gone"));
}

/// "NCastLeak": one request to many, the first answer is taken, the other senders stay. The losers
/// are told by the cancel, and waited for.
#[test]
fn rule_18_the_first_answer_ends_the_other_senders() {
    ends(|| {
        let roll = Roll::default();
        let policy = wg::Policy::first_success();
        let answer = Mutex::new(None);
        let (answered, losers) = wg::options().policy(policy).collect_scope(|s| {
            for mirror in 0..8 {
                let (roll, answer) = (&roll, &answer);
                s.spawn(move || {
                    let _inside = roll.enter();
                    if mirror == 5 {
                        until(|| roll.entered() == 8);
                        answer.lock().unwrap().replace(mirror);
                        return Ok(());
                    }
                    s.sleep(FOR_EVER)
                });
            }
            let _ = s.sleep(FOR_EVER);
            s.cancelled_by()
        });
        assert_eq!((answered, roll.all_left()), (Some(Cause::Decided), 8));
        assert_eq!((losers.len(), answer.into_inner().unwrap()), (7, Some(5)));
    });
}

/// moby#21233: the consumer is a test that fails (`Fatalf` ends its goroutine), the producers stay
/// and the test times out instead of failing. A consumer that panics is what comes out.
#[test]
fn rule_05_a_consumer_that_dies_is_what_the_scope_reports() {
    ends(|| {
        let roll = Roll::default();
        let failed: Bang = caught(|| {
            wg::scope(|s| {
                let progress = s.results_bounded(1);
                for n in 0..100 {
                    let roll = &roll;
                    progress.spawn(move || {
                        let _inside = roll.enter();
                        n
                    });
                }
                s.spawn(move || match progress.recv() {
                    Some(_) => bang(21233),
                    None => unreachable!("a hundred updates come"),
                });
            })
        });
        assert_eq!(failed, Bang(21233));
        roll.all_left();
    });
}

/// cockroach#2448: two loops, each sending to the other, and each blocked in it. Tasks that start
/// tasks for each other's results do not block.
#[test]
fn rule_16_two_that_feed_each_other_do_not_block_each_other() {
    ends(|| {
        let (events, callbacks) = wg::options().limit(2).scope(|s| {
            let events = s.results();
            let callbacks = s.results();
            for n in 0..100 {
                let back = callbacks.spawner();
                events.spawn(move || {
                    for m in 0..10 {
                        back.spawn(move || 10 * n + m);
                    }
                });
            }
            (events.as_completed().count(), callbacks.as_completed().count())
        });
        assert_eq!((events, callbacks), (100, 1000));
    });
}

/// The same with bounded inlets, where it can happen as in Go: each of two pools waits for room in
/// the other. The wait is one of ours; the cancel ends it, and both senders are told.
#[test]
fn rule_19_two_full_inlets_that_wait_for_each_other_end_with_the_scope() {
    ends(|| {
        let (roll, stopped) = (Roll::default(), AtomicUsize::new(0));
        wg::scope(|s| {
            let (to_left, to_right) = (Arc::default(), Arc::default());
            let left = s.workers(1, pass(&to_right, &roll, &stopped)).inlet_of(1);
            let right = s.workers(1, pass(&to_left, &roll, &stopped)).inlet_of(1);
            *to_left.lock().unwrap() = Some(left.inlet());
            *to_right.lock().unwrap() = Some(right.inlet());
            left.send(1).unwrap();
            until(|| roll.entered() == 2);
            s.cancel("they feed each other");
            until(|| stopped.load(Relaxed) == 2);
            // Each would keep the other.
            drop((to_left.lock().unwrap().take(), to_right.lock().unwrap().take()));
        });
        assert_eq!(roll.all_left(), 2);
    });
}

type Other<'scope> = Arc<Mutex<Option<Inlet<'scope, u32, ()>>>>;

/// A handler that sends to the other pool until it is stopped.
fn pass<'scope>(
    other: &Other<'scope>,
    roll: &'scope Roll,
    stopped: &'scope AtomicUsize,
) -> impl Fn(u32) + Send + Sync + use<'scope> {
    let other = Arc::clone(other);
    move |_| {
        let _inside = roll.enter();
        let inlet = other.lock().unwrap().clone();
        let inlet = inlet.expect("it is taken out after the end");
        let Stopped { .. } = (0..).find_map(|row| inlet.send(row).err()).unwrap();
        stopped.fetch_add(1, Relaxed);
    }
}

/// cockroach#24808: a write to a full channel before the reader is started, by the one who would
/// start it. An inlet is read from the beginning, and whoever sends and receives in one place is
/// never held up by what has not been received.
#[test]
fn rule_16_whoever_sends_before_he_reads_does_not_block_himself() {
    let read = ends(|| {
        wg::scope(|s| {
            let mut compactor = s.workers(1, |suggestion: u32| suggestion).inlet_of(1);
            for suggestion in 0..500 {
                compactor.send(suggestion).unwrap();
            }
            compactor.results().count()
        })
    });
    assert_eq!(read, 500);
}

/// The same where it can happen: an outlet that is bounded by name, and nobody who reads. The
/// deadline ends the send.
#[test]
fn rule_21_a_send_that_nobody_makes_room_for_ends_with_the_deadline() {
    ends(|| {
        let roll = Roll::default();
        let stopped = wg::options().timeout(SHORT).scope(|s| {
            let handler = |_: u32| drop(roll.enter());
            let pool = s.workers(1, handler).inlet_of(1).outlet_of(1);
            (0..).find_map(|job| pool.send(job).err())
        });
        assert!(stopped.unwrap().cause().is_deadline());
        assert!(roll.all_left() <= 1);
    });
}

/// cockroach#35931: a cancel that is a message, written to one full channel, and so never to the
/// next. A cancel is a level, not a message: it reaches all who wait, at once.
#[test]
fn rule_18_a_cancel_reaches_every_sender_at_a_full_inlet() {
    ends(|| {
        let (go, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let (roll, told) = (Roll::default(), AtomicUsize::new(0));
        wg::scope(|s| {
            for _ in 0..2 {
                let handler = |_: u32| {
                    let _inside = roll.enter();
                    let _ = wait.lock().unwrap().recv();
                };
                let input = s.workers(1, handler).inlet_of(1);
                let told = &told;
                s.task("input").spawn(move || {
                    let stopped = (0..).find_map(|row| input.send(row).err());
                    assert_eq!(stopped.unwrap().cause(), &Cause::Asked("the flow ends".into()));
                    told.fetch_add(1, Relaxed);
                });
            }
            // Both workers are busy, and stay so until both senders were told.
            until(|| roll.entered() == 2);
            s.cancel("the flow ends");
            until(|| told.load(Relaxed) == 2);
            drop(go);
        });
        assert_eq!(roll.all_left(), 2);
    });
}

/// cockroach#18101, kubernetes#25331: a cancelled context ends the reader, but not the senders.
#[test]
fn rule_19_a_cancel_ends_senders_and_readers_alike() {
    ends(|| {
        let cancel = wg::Cancel::new();
        let (roll, told) = (Roll::default(), Mutex::new(Vec::new()));
        wg::options().cancel(&cancel).scope(|s| {
            let handler = |_: u32| {
                let _inside = roll.enter();
                s.sleep(FOR_EVER)
            };
            let mut pool = s.workers(1, handler).inlet_of(1);
            let inlet = pool.inlet();
            let (roll, told) = (&roll, &told);
            s.task("sender").spawn(move || {
                let stopped = (0..).find_map(|entry| inlet.send(entry).err()).unwrap();
                told.lock().unwrap().push(stopped.cause().clone());
            });
            s.task("reader").spawn(move || {
                let _inside = roll.enter();
                while pool.recv().is_some() {}
                told.lock().unwrap().push(s.cancelled_by().unwrap());
            });
            until(|| roll.entered() == 2);
            cancel.cancel("restore is over");
        });
        assert_eq!(roll.all_left(), 2);
        assert_eq!(
            told.into_inner().unwrap(),
            [(); 2].map(|()| Cause::Asked("restore is over".into()))
        );
    });
}

/// grpc#1275, syncthing#5795, istio#17860: closing is a message that is not sent, or that waits for
/// the loop from which it is sent. A task may cancel its own scope; it waits for nothing.
#[test]
fn rule_18_closing_from_inside_the_loop_waits_for_nobody() {
    ends(|| {
        let roll = Roll::default();
        let why = wg::scope(|s| {
            s.task("reader").spawn(|| {
                let _inside = roll.enter();
                s.sleep(FOR_EVER)
            });
            s.task("dispatcher").spawn(|| {
                let _inside = roll.enter();
                until(|| roll.entered() == 2);
                assert!(s.cancel("closed from inside"));
                assert!(!s.cancel("closed twice"));
            });
            let _ = s.sleep(FOR_EVER);
            s.cancelled_by()
        });
        assert_eq!(why, Some(Cause::Asked("closed from inside".into())));
        assert_eq!(roll.all_left(), 2);
    });
}
