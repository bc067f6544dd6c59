//! The channel beside the WaitGroup: nobody reads it, its reader leaves, nobody closes it. And what
//! goes on after it was counted out.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use wg::{WaitGroup, raw};
use wg_tests::{Counted, until};

use crate::{Roll, SOON, ends};

// Results that nobody reads: an unbuffered channel, and a wait before the first receive.

/// Answered: delivering a result blocks no task, so all of them end before anybody reads. What was
/// not read yet waits in memory, and is read afterwards.
#[test]
fn rule_16_unread_channel_blocks_no_task_though_everybody_ends_before_the_first_read() {
    let read = ends(|| {
        wg::scope(|s| {
            let results = s.results();
            for order in 0..200 {
                results.spawn(move || order);
            }
            until(|| s.counts().ended == 200);
            results.in_order().collect::<Vec<_>>()
        })
    });
    assert_eq!(read, Vec::from_iter(0..200));
}

/// And nobody has to read at all: the results of whom nobody asks are dropped with the scope.
#[test]
fn rule_01_unread_channel_is_dropped_with_the_scope_and_leaves_nobody_behind() {
    ends(|| {
        let (roll, dropped) = (Roll::default(), std::sync::atomic::AtomicUsize::new(0));
        wg::scope(|s| {
            let results = s.results();
            for _ in 0..50 {
                let (roll, dropped) = (&roll, &dropped);
                results.spawn(move || {
                    let _inside = roll.enter();
                    Counted(dropped)
                });
            }
            results.discard_rest();
        });
        assert_eq!((roll.entered(), roll.inside(), dropped.into_inner()), (50, 0, 50));
    });
}

/// A rendezvous channel of one's own beside the scope can be said, as in Go, and its senders block.
/// Then a timed wait names them, with the line that started them, and they end with the receiver.
#[test]
fn rule_22_unread_channel_of_ones_own_a_timed_wait_names_the_blocked_senders() {
    let (told, line, refused) = ends(|| {
        let (send, receive) = sync_channel(0);
        let refused = Roll::default();
        let (told, line) = wg::options().name("orders").scope(|s| {
            let mut line = 0;
            for order in 0..3 {
                let (send, refused) = (send.clone(), &refused);
                line = line!() + 1;
                s.task("order").spawn(move || {
                    if send.send(order).is_err() {
                        drop(refused.enter());
                    }
                });
            }
            let told = s.wait_timeout(SOON).unwrap_err();
            drop(receive); // what the report made somebody repair
            (told, line)
        });
        (told, line, refused.entered())
    });
    let text = told.to_string();
    let start = "3 tasks alive in `orders`: order#";
    assert!(text.starts_with(start), "{text}");
    assert!(text.contains(&format!("spawned at {}:{line}", file!())), "{text}");
    let indices = told.tasks().iter().map(|alive| alive.task().index());
    assert_eq!(indices.collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2]));
    assert_eq!(refused, 3);
}

// The reader returns early.

/// Answered: leaving drops the reading end. What has not begun is dropped, what runs delivers to
/// nobody, and the scope ends.
#[test]
fn rule_16_early_return_of_the_reader_strands_no_sender() {
    fn first_bad(roll: &Roll, go: &Mutex<std::sync::mpsc::Receiver<()>>) -> Result<u32, String> {
        wg::options().limit(2).scope(|s| {
            let results = s.results();
            for order in 0..4 {
                results.spawn(move || {
                    let _inside = roll.enter();
                    if order > 0 {
                        // Late for certain: its reader has gone.
                        let _ = go.lock().unwrap().recv();
                    } else {
                        until(|| roll.entered() >= 2); // somebody is left behind, if anybody can be
                    }
                    order
                });
            }
            for (_, order) in results.as_completed() {
                if order == 0 {
                    return Err("order 0 is bad".to_owned()); // the early return
                }
            }
            Ok(0)
        })
    }

    ends(|| {
        let (roll, (go, wait)) = (Roll::default(), channel());
        let wait = Mutex::new(wait);
        let returned = thread::scope(|threads| {
            let reader = threads.spawn(|| first_bad(&roll, &wait));
            until(|| roll.entered() >= 2);
            drop(go);
            reader.join().unwrap()
        });
        assert_eq!(returned, Err("order 0 is bad".to_owned()));
        assert_eq!(roll.inside(), 0);
    });
}

// The range that nobody closes.

/// Cannot be said: there is no close. The loop ends when the last task has ended, also when tasks
/// start tasks, and when one of them panics.
#[test]
fn rule_16_never_closed_range_cannot_be_said_for_results_end_with_their_tasks() {
    let (read, panics) = ends(|| {
        let (read, panics) = wg::options().catch_panics().collect_scope(|s| {
            let results = s.results();
            let more = results.spawner();
            for n in 0..10 {
                let more = more.clone();
                results.spawn(move || {
                    more.spawn(move || Ok::<_, String>(n));
                    if n == 7 {
                        wg_tests::bang(7);
                    }
                    Ok(n)
                });
            }
            // `more` is still here: a handle keeps nothing open.
            let read = results.as_completed().count();
            drop(more);
            read
        });
        (read, panics.len())
    });
    assert_eq!((read, panics), (19, 1));
}

/// A pool whose jobs nobody closed is closed by being dropped, at the end of the block at the
/// latest: workers do not wait for ever for the next job.
#[test]
fn rule_16_never_closed_range_over_jobs_cannot_be_said_for_dropping_the_pool_closes_it() {
    let roll = ends(|| {
        let roll = Roll::default();
        wg::scope(|s| {
            let pool = s.workers(3, |_: u32| drop(roll.enter()));
            for job in 0..100 {
                pool.send(job).unwrap();
            }
        });
        roll
    });
    assert_eq!((roll.entered(), roll.inside()), (100, 0));
}

// Waiting for done, where exit is meant.

/// The bug itself: `done` was called, `wait` returns, and the thread goes on.
#[test]
fn rule_01_done_is_not_exit_and_the_wait_of_go_returns_while_the_thread_runs() {
    ends(|| {
        let (group, exited) = (raw::WaitGroup::new(), AtomicBool::new(false));
        group.add(1).unwrap();
        thread::scope(|threads| {
            let (go, wait) = channel::<()>();
            let (group, exited) = (&group, &exited);
            threads.spawn(move || {
                group.done().unwrap();
                wait.recv().unwrap();
                exited.store(true, SeqCst);
            });
            assert_eq!(group.wait(), Ok(()));
            assert!(!exited.load(SeqCst), "and it is still there");
            go.send(()).unwrap();
        });
        assert!(exited.into_inner());
    });
}

/// Something that takes its time to go.
#[derive(Debug)]
struct Slow<'a>(&'a AtomicBool);

impl Drop for Slow<'_> {
    fn drop(&mut self) {
        for _ in 0..1000 {
            thread::yield_now();
        }
        self.0.store(true, SeqCst);
    }
}

/// Cannot be said: a task has ended when it has returned and what it held, and what it returned to
/// nobody, are dropped. That is what the scope waits for.
#[test]
fn rule_01_done_is_not_exit_but_a_scope_waits_until_what_a_task_held_is_dropped() {
    ends(|| {
        let (held, unclaimed) = (AtomicBool::new(false), AtomicBool::new(false));
        wg::scope(|s| {
            let slow = Slow(&held);
            let result = &unclaimed;
            s.spawn(move || {
                let _held = slow;
                Slow(result)
            });
        });
        assert!(held.into_inner() && unclaimed.into_inner());
    });
}

/// A token says what Go's `Done` says, and no more: its holder may drop it and go on. Who needs the
/// exit gives the token to the thread as its last value, or uses a scope.
#[test]
fn rule_01_done_is_not_exit_for_a_token_that_is_dropped_early_either() {
    ends(|| {
        let (group, roll) = (WaitGroup::new(), Roll::default());
        let token = group.token();
        thread::scope(|threads| {
            let (go, wait) = channel::<()>();
            let roll = &roll;
            threads.spawn(move || {
                let _inside = roll.enter();
                drop(token);
                wait.recv().unwrap();
            });
            group.wait();
            assert_eq!(roll.inside(), 1);
            go.send(()).unwrap();
        });
        assert_eq!(roll.inside(), 0);
    });
}
