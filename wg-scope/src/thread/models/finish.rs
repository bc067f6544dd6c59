//! The end of a scope: the thread that leaves it works, sleeps, and wakes when the last has ended.

use std::sync::Arc;
use std::time::Duration;

use super::kit::{Count, Deed, Dropped, Lent, explore, lend};
use crate::options::options;
use crate::thread::pool::Client;

/// The last task ends before, while and after the owner looks at the group and at the queue, and
/// falls asleep.
#[test]
fn rule_01_the_end_of_the_last_task_wakes_the_thread_that_leaves() {
    explore(|| {
        let (deed, dropped) = (Deed::default(), Arc::new(Count::default()));
        let runner = options().limit(1).scope(|s| {
            let capture = Dropped(Arc::clone(&dropped));
            let deed = &deed;
            s.spawn(move || {
                let _capture = capture;
                deed.act();
            });
            lend(s.shared())
        });
        deed.assert_seen();
        assert_eq!(dropped.get(), 1);
        runner.join();
    });
}

/// The owner, a runner and a third share three tasks, and the owner sees what all did.
#[test]
fn rule_23_the_thread_that_leaves_sees_what_every_task_did() {
    explore(|| {
        let deeds = [Deed::default(), Deed::default()];
        let runners = options().limit(2).scope(|s| {
            s.shared().queue.ask(2);
            for deed in &deeds {
                s.spawn(|| deed.act());
            }
            s.shared().queue.refuse();
            s.shared().queue.refuse();
            [lend(s.shared()), lend(s.shared())]
        });
        deeds.iter().for_each(|deed| deed.assert_seen());
        runners.into_iter().for_each(Lent::join);
    });
}

/// The last act of a task is to spawn another, as its owner falls asleep.
#[test]
fn rule_03_a_task_that_is_spawned_while_the_scope_drains_is_waited_for() {
    explore(|| {
        let deed = Deed::default();
        let runner = options().limit(1).scope(|s| {
            s.spawn(|| {
                s.spawn(|| deed.act());
            });
            lend(s.shared())
        });
        deed.assert_seen();
        runner.join();
    });
}

/// The owner takes no tasks, because these want other stacks. It stands by, and does the work only
/// when nobody is left for it.
#[test]
fn rule_14_the_thread_that_leaves_and_only_stands_by_is_not_forgotten() {
    explore(|| {
        let deed = Deed::default();
        let runner = options().limit(1).stack_size(1 << 20).scope(|s| {
            let runner = lend(s.shared());
            s.spawn(|| deed.act());
            runner
        });
        deed.assert_seen();
        runner.join();
    });
}

/// The body waits for room, which the runner makes, or which it makes itself where nobody comes.
#[test]
fn rule_10_the_body_waits_for_room_while_the_runner_leaves() {
    explore(|| {
        let ran = Count::default();
        let runner = options().limit(1).scope(|s| {
            let runner = lend(s.shared());
            for _ in 0..3 {
                s.spawn(|| ran.up());
            }
            runner
        });
        assert_eq!(ran.get(), 3);
        runner.join();
    });
}

/// A runner was asked for, so the owner stands by. The pool says that none will come between two
/// looks of the owner, which has to hear of it.
#[test]
fn rule_14_the_thread_that_leaves_and_stands_by_hears_that_nobody_comes() {
    explore(|| {
        let ran = Count::default();
        let pool = options().limit(1).stack_size(1 << 20).scope(|s| {
            s.shared().queue.ask(1);
            s.spawn(|| ran.up());
            let scope = Arc::clone(s.shared());
            Lent::is(s.shared(), move || scope.refuse())
        });
        assert_eq!(ran.get(), 1);
        pool.join();
    });
}

/// The body asks whether all has ended while a runner works, or before it came.
#[test]
fn rule_23_who_is_told_that_all_tasks_have_ended_sees_what_they_did() {
    explore(|| {
        let deed = Deed::default();
        let runner = options().limit(1).scope(|s| {
            s.spawn(|| deed.act());
            let runner = lend(s.shared());
            if s.wait_timeout(Duration::ZERO).is_ok() {
                deed.assert_seen();
            }
            runner
        });
        deed.assert_seen();
        runner.join();
    });
}
