//! Channels mixed with locks: whoever holds the lock is blocked at the channel, and whoever would
//! read the channel is blocked at the lock. 16 of the 85.

use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use wg::{Cause, Semaphore, Task};
use wg_tests::until;

use crate::{FOR_EVER, Roll, SHORT, ends};

/// kubernetes#1321, kubernetes#10182, kubernetes#26980, etcd#6873, etcd#7492, istio#16224: sending
/// with the lock held that the reader needs. Results are delivered when the task has ended and its
/// guards are gone; and starting a task under a lock does not wait for its reader.
#[test]
fn rule_16_whoever_holds_the_lock_of_the_reader_does_not_wait_for_the_reader() {
    for limit in [1, 4] {
        let sum = ends(move || {
            let statuses = Mutex::new(0);
            wg::options().limit(limit).scope(|s| {
                let updates = s.results();
                let more = updates.spawner();
                let statuses = &statuses;
                updates.spawn(move || {
                    for pod in 1..=100 {
                        let mut statuses = statuses.lock().unwrap();
                        *statuses += pod;
                        more.spawn(move || pod);
                    }
                    0
                });
                for (_, pod) in updates.as_completed() {
                    *statuses.lock().unwrap() -= pod;
                }
            });
            statuses.into_inner().unwrap()
        });
        assert_eq!(sum, 0);
    }
}

/// kubernetes#6632, serving#2137: the same with a full channel, here the inlet of a pool whose
/// handler needs what the sender holds. It happens as in Go; but the wait is one of ours, the deadline
/// ends it, the sender's guard goes with it, and the handler goes on.
#[test]
fn rule_21_a_sender_that_holds_what_the_handler_needs_ends_with_the_deadline() {
    ends(|| {
        let (lock, handled) = (Semaphore::new(1), AtomicUsize::new(0));
        let stopped = wg::options().timeout(SHORT).scope(|s| {
            let handler = |_: u32| {
                let _held = lock.acquire(1);
                handled.fetch_add(1, Relaxed);
            };
            let pool = s.workers(1, handler).inlet_of(1);
            let _held = s.permits(&lock, 1)?;
            (0..).try_for_each(|frame| pool.send(frame))
        });
        assert!(stopped.unwrap_err().cause().is_deadline());
        assert!(handled.into_inner() <= 1, "what had not begun was dropped");
    });
}

/// moby#28462, grpc#1460: to stop a monitor is to send it a message, with the lock held that it is
/// about to take. A cancel is no message: it does not wait for whom it reaches.
#[test]
fn rule_18_stopping_with_the_lock_held_that_the_monitor_needs_does_not_block() {
    ends(|| {
        let (container, roll) = (Mutex::new("running"), Roll::default());
        wg::scope(|s| {
            let monitor = s.task("monitor").spawn(|| {
                let _inside = roll.enter();
                while s.sleep(Duration::from_micros(10)).is_ok() {
                    let _state = container.lock().unwrap();
                }
                *container.lock().unwrap()
            });
            until(|| roll.entered() == 1);
            let mut state = container.lock().unwrap();
            s.cancel("state changed");
            *state = "stopped";
            drop(state);
            drop(monitor);
        });
        assert_eq!((*container.lock().unwrap(), roll.all_left()), ("stopped", 1));
    });
}

/// etcd#7902: followers wait for a leader to close a channel, with the lock held that the leader needs
/// for closing it. Who waits for a task's outcome waits for the task, and holds nothing.
#[test]
fn rule_12_followers_that_wait_for_a_leader_let_it_work() {
    let rounds = ends(|| {
        let rounds = Mutex::new(Vec::new());
        wg::scope(|s| {
            for round in 0..20 {
                let leader = s.spawn(|| {
                    rounds.lock().unwrap().push("leader");
                });
                let follower = s.spawn(|| {
                    leader.join();
                    rounds.lock().unwrap().push("follower");
                });
                follower.join();
                assert_eq!(rounds.lock().unwrap().len(), 2 * (round + 1));
            }
        });
        rounds.into_inner().unwrap()
    });
    assert_eq!(rounds, ["leader", "follower"].repeat(20));
}

/// cockroach#1055 and "Wait under lock": `Stop` waits for the tasks with the lock held that they need
/// to end. Here the wait for the tasks is the scope's end, which tells nobody to give up; a deadline
/// does, and then the tasks' waits for the lock end.
#[test]
fn rule_21_tasks_that_need_what_the_leaver_holds_end_with_the_deadline() {
    ends(|| {
        let (lock, roll) = (Semaphore::new(1), Roll::default());
        let held = lock.acquire(1);
        wg::options().timeout(SHORT).scope(|s| {
            for _ in 0..3 {
                s.task("start_task").spawn(|| {
                    let _inside = roll.enter();
                    let stopped = s.permits(&lock, 1).map(drop).unwrap_err();
                    assert!(stopped.cause().is_deadline());
                });
            }
        });
        drop(held);
        roll.all_left();
    });
}

/// moby#28462 again, from the other side: a task that waits for its own scope's tasks would wait for
/// itself. `wait_timeout` is for the body, and says so by returning who is alive: the waiter.
#[test]
fn rule_22_a_task_that_waits_for_its_own_scope_is_told_that_it_waits_for_itself() {
    ends(|| {
        wg::scope(|s| {
            let close = s.task("close").spawn(|| s.wait_timeout(SHORT).unwrap_err());
            let alive = close.join();
            assert_eq!(alive.count(), 1);
            assert_eq!(alive.tasks()[0].task().name(), Some("close"));
        });
    });
}

/// Two tasks that join each other, handles having been passed across: no `join` can end it, and the
/// cancel does. Without a scope it is two leaked goroutines.
#[test]
fn rule_19_two_tasks_that_join_each_other_end_with_the_scope() {
    ends(|| {
        let (roll, stopped) = (Roll::default(), AtomicUsize::new(0));
        let why = wg::scope(|s| {
            let (left_to_right, left) = channel::<Task<'_, ()>>();
            let (right_to_left, right) = channel::<Task<'_, ()>>();
            let (roll, stopped) = (&roll, &stopped);
            let wait = move |other: Receiver<Task<'_, ()>>| {
                let other = other.recv().unwrap();
                let _inside = roll.enter();
                stopped.fetch_add(usize::from(other.try_join().is_err()), Relaxed);
            };
            left_to_right.send(s.spawn(move || wait(right))).unwrap();
            right_to_left.send(s.spawn(move || wait(left))).unwrap();
            until(|| roll.entered() == 2);
            s.cancel("they wait for each other");
            let _ = s.sleep(FOR_EVER);
            s.cancelled_by()
        });
        assert_eq!(why, Some(Cause::Asked("they wait for each other".into())));
        assert_eq!(roll.all_left(), 2);
        assert!(stopped.into_inner() >= 1, "then the other has a task to join that has ended");
    });
}
