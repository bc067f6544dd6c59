//! The queue and the slots, driven by hand: no task is lost, and no more begin than may.

use std::sync::Arc;

use loom::thread::JoinHandle;
use wg_core::sync::{current, park_until};

use super::kit::{Count, Deed, Gate, Narrow, Step, exhaust, explore, join, push, task, wake, work};
use crate::task_info::TaskInfo;
use crate::thread::job::{Job, Run};
use crate::thread::pool::Progress;
use crate::thread::queue::{Guest, OwnHand, Queue};

fn counted(ran: &Arc<Count>) -> Job {
    let ran = Arc::clone(ran);
    Step::job(move || ran.up())
}

/// Something for which there is nothing to do any more.
struct Unwanted(Arc<Count>);

impl Run for Unwanted {
    fn run(&self, _: u64) {
        self.0.up();
    }

    fn is_wanted(&self) -> bool {
        false
    }

    fn info(&self, index: u64) -> TaskInfo {
        task(index)
    }
}

/// Something of which so much is done.
struct Shared(Arc<Count>);

impl Run for Shared {
    fn run(&self, _: u64) {}

    fn done(&self) -> Option<u64> {
        Some(self.0.get() as u64)
    }

    fn info(&self, index: u64) -> TaskInfo {
        task(index)
    }
}

#[test]
fn shares_that_are_not_wanted_are_forgotten_by_who_takes_the_first() {
    explore(|| {
        let (queue, ran) = (Arc::new(Queue::new(usize::MAX)), Arc::new(Count::default()));
        let job = Job::of(Arc::new(Unwanted(Arc::clone(&ran))));
        assert!(wake(queue.push_shares(job, 100, 1)));
        work(&queue);
        let numbers = queue.numbers();
        assert_eq!((ran.get(), numbers.waiting, numbers.running), (1, 0, 0));
    });
}

#[test]
fn rule_22_who_waits_does_not_wait_for_shares_that_are_not_wanted() {
    explore(|| {
        let (queue, ran) = (Queue::new(usize::MAX), Arc::new(Count::default()));
        assert!(wake(queue.push_shares(Job::of(Arc::new(Unwanted(ran))), 100, 1)));
        queue.look(|| unreachable!("they are no members of the group"));
        work(&queue);
    });
}

#[test]
fn rule_13_the_sentinel_finds_no_tasks_where_shares_are_not_wanted() {
    explore(|| {
        let (queue, ran) = (Queue::new(usize::MAX), Arc::new(Count::default()));
        assert!(wake(queue.push_shares(Job::of(Arc::new(Unwanted(ran))), 100, 1)));
        assert_eq!(queue.progress(), Progress::Fine);
        work(&queue);
    });
}

#[test]
fn rule_13_the_sentinel_finds_that_those_who_share_go_on() {
    explore(|| {
        let (queue, done) = (Queue::new(usize::MAX), Arc::new(Count::default()));
        assert!(wake(queue.push_shares(Job::of(Arc::new(Shared(Arc::clone(&done)))), 100, 1)));
        let taken = || match queue.progress() {
            Progress::Waiting { taken, .. } => taken,
            Progress::Fine => panic!("shares wait, and are wanted"),
        };
        assert_eq!(taken(), 0);
        done.up();
        assert_eq!((taken(), taken()), (1, 0));
        // Many small pieces count for less.
        (0..8).for_each(|_| done.up());
        assert!((2..8).contains(&taken()));
        work(&queue);
    });
}

/// The runner looks for the last time before or after the push. A runner that detaches without
/// looking under the same lock leaves the task to nobody.
#[test]
fn rule_14_a_task_that_is_pushed_as_the_runner_leaves_is_taken_by_it_or_asks_for_another() {
    exhaust(|| {
        let (queue, ran) = (Arc::new(Queue::new(1)), Arc::new(Count::default()));
        queue.ask(1);
        let runner = loom::thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        for _ in 0..2 {
            let (_, follow) = push(&queue, counted(&ran), 1);
            if wake(follow) {
                work(&queue);
            }
        }
        join([runner]);
        assert_eq!(ran.get(), 2);
    });
}

/// The same where a task pushes another, and waits for it: nobody comes back to help.
#[test]
fn rule_12_a_task_that_waits_for_one_it_pushed_gets_a_runner_at_work_or_a_new_one() {
    explore(|| {
        let queue = Arc::new(Queue::new(usize::MAX));
        queue.ask(1);
        let runner = loom::thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        let (inner, gate) = (Arc::clone(&queue), Gate::new());
        let outer = Step::job(move || {
            let (queue, opener) = (Arc::clone(&inner), Arc::clone(&gate));
            let (_, follow) = push(&queue, Step::job(move || opener.open()), 2);
            let more = wake(follow).then(|| loom::thread::spawn(move || work(&queue)));
            gate.pass();
            join(more);
        });
        assert!(wake(push(&queue, outer, 2).1));
        work(&queue);
        join([runner]);
    });
}

/// A runner takes two at once, and the first waits for the second: whoever finds the queue empty takes
/// it over. The one that has it in hand may also come to it.
#[test]
fn rule_12_a_task_that_waits_for_one_in_the_same_hand_does_not_wait_for_ever() {
    explore(|| {
        let (queue, gate) = (Arc::new(Queue::new(usize::MAX)), Gate::new());
        let ran = Arc::new(Count::default());
        queue.ask(2);
        let (waiter, opener) = (Arc::clone(&gate), gate);
        assert!(!wake(push(&queue, Step::job(move || waiter.pass()), 2).1));
        assert!(!wake(push(&queue, Step::job(move || opener.open()), 2).1));
        for _ in 0..2 {
            assert!(!wake(push(&queue, counted(&ran), 2).1));
        }
        let runner = loom::thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        work(&queue);
        join([runner]);
        assert_eq!(ran.get(), 2);
    });
}

/// So many tasks, what counts those that ran, and a runner; another may come.
fn with_a_runner(tasks: usize) -> (Arc<Queue>, Arc<Count>, JoinHandle<()>) {
    let (queue, ran) = (Arc::new(Queue::new(usize::MAX)), Arc::new(Count::default()));
    queue.ask(2);
    for _ in 0..tasks {
        assert!(!wake(push(&queue, counted(&ran), 2).1));
    }
    let its = Arc::clone(&queue);
    (queue, ran, loom::thread::spawn(move || work(&its)))
}

/// What a runner has in hand is called back when a limit is set, taken out by one who joins it, or
/// begun: by one of them.
#[test]
fn rule_11_what_is_in_a_hand_is_begun_once_or_taken_out() {
    explore(|| {
        let (queue, ran, runner) = with_a_runner(4);
        let before = queue.numbers();
        assert!(!wake(queue.set_limit(1, 2)));
        // The second of those that are in hand, if it has not begun.
        let taken = queue.take_in_slot(1);
        let mut others = 4;
        if let Some((job, begun, follow)) = taken {
            assert!(!wake(follow));
            drop(job);
            queue.end_in_slot(begun);
            others = 3;
        }
        assert!(queue.numbers().waiting <= before.waiting);
        work(&queue);
        join([runner]);
        let numbers = queue.numbers();
        assert_eq!((numbers.waiting, numbers.running, ran.get()), (0, 0, others));
    });
}

/// The next of those that a runner has in hand is joined: half of those behind it come back into the queue.
/// Each is begun once, by the joiner, by that runner, or by another.
#[test]
fn rule_11_what_comes_back_out_of_a_hand_is_begun_once() {
    explore(|| {
        let (queue, ran, runner) = with_a_runner(10);
        for index in 2..4 {
            if let Some((job, begun, follow)) = queue.take_in_slot(index) {
                assert!(!wake(follow));
                job.run(index);
                queue.end_in_slot(begun);
            }
        }
        work(&queue);
        join([runner]);
        let numbers = queue.numbers();
        assert_eq!((numbers.waiting, numbers.running, ran.get()), (0, 0, 10));
    });
}

/// Who joins tasks in their order runs those in front itself.
#[test]
fn where_tasks_are_joined_in_their_order_a_runner_begins_behind_the_middle() {
    explore(|| {
        let (queue, ran) = (Queue::new(usize::MAX), Arc::new(Count::default()));
        queue.ask(1);
        for _ in 0..8 {
            assert!(!wake(push(&queue, counted(&ran), 1).1));
        }
        queue.attached();
        let joined = queue.take_in_slot(0);
        let hand = OwnHand::default();
        let (next, follow, _) = queue.next_or_detach(None, &hand);
        assert!(!wake(follow));
        assert_eq!(next.as_ref().map(|next| next.index), Some(5));
        // What it has in hand is still there for those who join it; what was joined was the first.
        let also = queue.take_in_slot(6);
        assert_eq!(queue.numbers().waiting, 5);
        // The next time it begins with the first.
        assert!(queue.next(None, Some(&OwnHand::default())).0.is_some_and(|next| next.index == 1));
        drop((joined, also));
    });
}

/// The owner finds the task when it looks, or is woken. An owner that enters itself without looking
/// under the same lock sleeps for ever.
#[test]
fn rule_14_an_owner_that_falls_asleep_hears_of_a_task() {
    exhaust(|| {
        let (queue, ran) = (Arc::new(Queue::new(usize::MAX)), Arc::new(Count::default()));
        let pusher = loom::thread::spawn({
            let (queue, ran) = (Arc::clone(&queue), Arc::clone(&ran));
            move || {
                let (_, follow) = push(&queue, counted(&ran), 1);
                if wake(follow) {
                    // None can be had.
                    queue.refuse().into_iter().for_each(|thread| thread.unpark());
                }
            }
        });
        while ran.get() == 0 {
            let (next, follow) = queue.next(None, None);
            assert!(!wake(follow));
            if let Some(next) = next {
                next.job.run(next.index);
                assert!(!wake(queue.end(next.begun, 1)));
            } else if queue.sleep(current()) {
                park_until(None);
                queue.wake();
            }
        }
        join([pusher]);
    });
}

/// The owner only stands by, because somebody was asked for. When that one will not come, the owner
/// has to hear of it, or nobody runs the task.
#[test]
fn rule_14_an_owner_that_stands_by_hears_that_nobody_comes() {
    exhaust(|| {
        let (queue, ran) = (Arc::new(Queue::new(usize::MAX)), Arc::new(Count::default()));
        queue.ask(1);
        assert!(!wake(push(&queue, counted(&ran), 1).1));
        let pool = loom::thread::spawn({
            let queue = Arc::clone(&queue);
            move || queue.refuse().into_iter().for_each(|thread| thread.unpark())
        });
        while ran.get() == 0 {
            queue.stand_by(current());
            if queue.is_deserted() {
                queue.refuse();
                let next = queue.next(None, None).0.unwrap();
                next.job.run(next.index);
                assert!(!wake(queue.end(next.begun, 1)));
            } else {
                park_until(None);
            }
        }
        join([pool]);
    });
}

/// A limit of one: the guest begins when the holder of the slot sleeps, and the holder goes on when
/// the guest has ended. Each has to hear of the other.
#[test]
fn rule_11_a_guest_and_the_sleeper_whose_slot_it_uses_take_turns() {
    exhaust(|| {
        let (queue, door, seen) =
            (Arc::new(Queue::new(1)), Arc::new(Narrow::default()), Gate::new());
        assert!(wake(push(&queue, Step::job(|| ()), 1).1));
        queue.attached();
        let holder = queue.next(None, None).0.unwrap();
        door.enter();
        let guest = loom::thread::spawn({
            let (queue, door, seen) = (Arc::clone(&queue), Arc::clone(&door), Arc::clone(&seen));
            move || {
                let begun = loop {
                    if !queue.has_room_for(Guest::OfSleeper, current()) {
                        park_until(None);
                    } else if let Some(begun) = queue.begin_as_guest(task(1)) {
                        break begun;
                    }
                };
                door.enter();
                seen.open();
                door.leave();
                assert!(!wake(queue.end(begun, 1)));
            }
        });
        door.leave();
        assert!(!wake(queue.fall_asleep(1)));
        seen.pass();
        while !queue.wake_up(&current()) {
            park_until(None);
        }
        door.enter();
        door.leave();
        assert!(!wake(queue.end(holder.begun, 1)));
        join([guest]);
    });
}

/// Two runners, a limit of one, and tasks enough for both: the second begins what the first leaves.
#[test]
fn rule_09_two_runners_at_a_limit_of_one_run_one_task_at_a_time() {
    exhaust(|| {
        let (queue, door) = (Arc::new(Queue::new(1)), Arc::new(Narrow::default()));
        let (ran, deed) = (Arc::new(Count::default()), Arc::new(Deed::default()));
        queue.ask(2);
        for n in 0..3 {
            let (door, ran, deed) = (Arc::clone(&door), Arc::clone(&ran), Arc::clone(&deed));
            let job = Step::job(move || {
                door.enter();
                if n == 0 {
                    deed.act();
                } else {
                    // At a limit of one, tasks see what the ones before did.
                    deed.assert_seen();
                }
                ran.up();
                door.leave();
            });
            assert!(!wake(push(&queue, job, 2).1));
        }
        let other = loom::thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        work(&queue);
        join([other]);
        assert_eq!(ran.get(), 3);
    });
}

/// The first task waits for the second, which may begin only when the limit goes up.
#[test]
fn rule_09_a_limit_that_goes_up_finds_somebody_for_what_waits() {
    exhaust(|| {
        let (queue, gate) = (Arc::new(Queue::new(1)), Gate::new());
        queue.ask(1);
        let (waiter, opener) = (Arc::clone(&gate), gate);
        assert!(!wake(push(&queue, Step::job(move || waiter.pass()), 2).1));
        assert!(!wake(push(&queue, Step::job(move || opener.open()), 2).1));
        let runner = loom::thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        if wake(queue.set_limit(2, 2)) {
            work(&queue);
        }
        join([runner]);
    });
}

/// One who handed its join over lends its slot to the queue, and claims it back. Never do two run.
#[test]
fn rule_11_a_slot_that_was_handed_over_comes_back() {
    exhaust(|| {
        let (queue, door, seen) =
            (Arc::new(Queue::new(1)), Arc::new(Narrow::default()), Gate::new());
        assert!(wake(push(&queue, Step::job(|| ()), 1).1));
        queue.attached();
        let holder = queue.next(None, None).0.unwrap();
        let (its_door, opener) = (Arc::clone(&door), Arc::clone(&seen));
        let job = Step::job(move || {
            its_door.enter();
            opener.open();
            its_door.leave();
        });
        assert!(!wake(push(&queue, job, 1).1));
        door.enter();
        door.leave();
        assert!(!wake(queue.fall_asleep(1)));
        queue.hand_over();
        let other = loom::thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        seen.pass();
        queue.claim();
        while !queue.wake_up(&current()) {
            park_until(None);
        }
        door.enter();
        door.leave();
        assert!(!wake(queue.end(holder.begun, 1)));
        join([other]);
    });
}

/// The body hopes for room: as many may wait as may run. Each end makes room.
#[test]
fn rule_10_one_who_hopes_for_room_hears_of_every_end() {
    exhaust(|| {
        let queue = Arc::new(Queue::new(1));
        queue.ask(1);
        for _ in 0..2 {
            assert!(!wake(push(&queue, Step::job(|| ()), 1).1));
        }
        let runner = loom::thread::spawn({
            let queue = Arc::clone(&queue);
            move || work(&queue)
        });
        while !queue.has_room(Some(&current())) {
            park_until(None);
        }
        join([runner]);
    });
}

/// A stranger hopes for the slot of one who works the queue off, and finds nothing more in it.
#[test]
fn rule_11_one_who_hopes_for_a_slot_hears_of_its_end() {
    exhaust(|| {
        let (queue, door) = (Arc::new(Queue::new(1)), Arc::new(Narrow::default()));
        assert!(wake(push(&queue, Step::job(|| ()), 1).1));
        let holder = queue.next(None, None).0.unwrap();
        let stranger = loom::thread::spawn({
            let (queue, door) = (Arc::clone(&queue), Arc::clone(&door));
            move || {
                let begun = loop {
                    if !queue.has_room_for(Guest::Stranger, current()) {
                        park_until(None);
                    } else if let Some(begun) = queue.begin_as(Guest::Stranger, task(1)) {
                        break begun;
                    }
                };
                door.enter();
                door.leave();
                assert!(!wake(queue.end(begun, 1)));
            }
        });
        door.enter();
        door.leave();
        let (next, follow) = queue.next(Some(holder.begun), None);
        assert!(next.is_none() && !wake(follow));
        join([stranger]);
    });
}
