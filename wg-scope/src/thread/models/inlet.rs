//! The inlet of a queue: what is laid down without the queue's lock is found by whoever looks, or calls
//! somebody.

use std::sync::Arc;

use loom::thread;
use wg_core::sync::{current, park_until};

use super::kit::{Count, Deed, Gate, Step, explore, join, lend, push, wake, work};
use crate::options::options;
use crate::thread::job::Job;
use crate::thread::queue::Queue;

fn counted(ran: &Arc<Count>) -> Job {
    let ran = Arc::clone(ran);
    Step::job(move || ran.up())
}

/// The one runner is blocked by a task that waits for the next. An owner that falls asleep and leaves
/// the inlet open does not hear of it.
#[test]
fn rule_14_an_owner_that_falls_asleep_hears_of_a_task_that_is_laid_down() {
    explore(|| {
        let (queue, gate) = (Arc::new(Queue::new(usize::MAX)), Gate::new());
        let ran = Arc::new(Count::default());
        queue.ask(1);
        let waiter = Arc::clone(&gate);
        assert!(!wake(push(&queue, Step::job(move || waiter.pass()), 1).1));
        let runner = thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        let pusher = thread::spawn({
            let (queue, ran) = (Arc::clone(&queue), Arc::clone(&ran));
            move || {
                let opener = Step::job(move || {
                    ran.up();
                    gate.open();
                });
                if wake(push(&queue, opener, 1).1) {
                    work(&queue);
                }
            }
        });
        while ran.get() == 0 {
            let (next, follow) = queue.next(None, None);
            assert!(!wake(follow));
            if let Some(next) = next {
                next.job.run(next.index);
                wake(queue.end(next.begun, 1));
            } else if queue.sleep(current()) {
                park_until(None);
                queue.wake();
            }
        }
        join([runner, pusher]);
    });
}

/// As before; another runner was asked for, and will not come. It is missed from the next task on.
#[test]
fn rule_12_a_task_that_is_laid_down_as_one_runner_is_refused_and_the_other_is_blocked_is_begun() {
    explore(|| {
        let (queue, gate) = (Arc::new(Queue::new(usize::MAX)), Gate::new());
        queue.ask(2);
        let waiter = Arc::clone(&gate);
        assert!(!wake(push(&queue, Step::job(move || waiter.pass()), 2).1));
        let runner = thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        let pool = thread::spawn({
            let queue = Arc::clone(&queue);
            move || assert!(queue.refuse().is_empty())
        });
        pool.join().unwrap();
        if wake(push(&queue, Step::job(move || gate.open()), 2).1) {
            work(&queue);
        }
        join([runner]);
    });
}

/// One takes a task out that lies in the inlet, or that somebody has carried over.
#[test]
fn rule_11_a_task_in_the_inlet_is_begun_once_or_taken_out() {
    explore(|| {
        let (queue, ran) = (Arc::new(Queue::new(usize::MAX)), Arc::new(Count::default()));
        queue.ask(1);
        let runner = thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        for _ in 0..2 {
            if wake(push(&queue, counted(&ran), 1).1) {
                work(&queue);
            }
        }
        if let Some((job, begun, follow)) = queue.take_in_slot(1) {
            assert!(!wake(follow));
            job.run(1);
            queue.end_in_slot(begun);
        }
        join([runner]);
        let numbers = queue.numbers();
        assert_eq!((numbers.spawned, numbers.waiting, numbers.running, ran.get()), (2, 0, 0, 2));
    });
}

/// Two spawn at once, while the one runner comes and goes: each task has an index of its own, and runs.
#[test]
fn rule_23_tasks_that_two_lay_down_have_their_own_indices_and_all_run() {
    explore(|| {
        let (queue, ran) = (Arc::new(Queue::new(usize::MAX)), Arc::new(Count::default()));
        queue.ask(1);
        assert!(!wake(push(&queue, counted(&ran), 1).1));
        let other = thread::spawn({
            let (queue, ran) = (Arc::clone(&queue), Arc::clone(&ran));
            move || push(&queue, counted(&ran), 1).0
        });
        work(&queue);
        let (mine, follow) = push(&queue, counted(&ran), 1);
        wake(follow);
        let its = other.join().unwrap();
        assert_eq!(mine + its, 3, "the second and the third");
        queue.ask(1);
        work(&queue);
        assert_eq!((queue.numbers().spawned, queue.numbers().waiting, ran.get()), (3, 0, 3));
    });
}

/// The last act of a task is to lay another one down, as the owner falls asleep and the runner is about
/// to give the tasks' membership back.
#[test]
fn rule_03_a_task_that_is_laid_down_while_the_scope_drains_is_waited_for() {
    explore(|| {
        let deeds = [Deed::default(), Deed::default()];
        let runner = options().scope(|s| {
            let runner = lend(s.shared());
            s.shared().queue.ask(1);
            s.spawn(|| {
                deeds[0].act();
                s.spawn(|| deeds[1].act());
            });
            runner
        });
        deeds.iter().for_each(|deed| deed.assert_seen());
        runner.join();
    });
}

/// The runner ends the last task that it knows of, as the body lays down one more.
#[test]
fn rule_01_a_task_that_is_laid_down_as_the_last_one_ends_is_waited_for() {
    explore(|| {
        let deeds = [Deed::default(), Deed::default()];
        let runner = options().scope(|s| {
            let runner = lend(s.shared());
            s.shared().queue.ask(1);
            for deed in &deeds {
                s.spawn(|| deed.act());
            }
            runner
        });
        deeds.iter().for_each(|deed| deed.assert_seen());
        runner.join();
    });
}

/// Of two runners one is blocked by a task that waits for the next, and the other goes away: the next
/// task calls it back.
#[test]
fn rule_12_a_task_that_is_laid_down_as_one_runner_goes_and_the_other_is_blocked_is_begun() {
    explore(|| {
        let (queue, gate) = (Arc::new(Queue::new(usize::MAX)), Gate::new());
        queue.ask(2);
        let waiter = Arc::clone(&gate);
        assert!(!wake(push(&queue, Step::job(move || waiter.pass()), 2).1));
        let runners = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || work(&queue))
        });
        if wake(push(&queue, Step::job(move || gate.open()), 2).1) {
            work(&queue);
        }
        join(runners);
    });
}
