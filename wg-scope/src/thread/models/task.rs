//! One task, its runner and its handle: the value goes to one of them, once.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::kit::{Count, Deed, Dropped, Lent, explore, lend, lend_asked};
use crate::options::options;

/// The joiner finds the task queued, running or ended. A waker that is stored after the look is
/// never woken.
#[test]
fn rule_23_a_task_is_begun_by_its_runner_or_its_joiner_and_its_value_seen() {
    explore(|| {
        let (deed, ran, dropped) = (Deed::default(), Count::default(), Arc::new(Count::default()));
        let runner = options().limit(1).scope(|s| {
            let task = s.spawn(|| {
                deed.act();
                ran.up();
                Dropped(Arc::clone(&dropped))
            });
            let runner = lend(s.shared());
            let value = task.join();
            deed.assert_seen();
            assert_eq!((ran.get(), dropped.get()), (1, 0));
            drop(value);
            runner
        });
        assert_eq!(dropped.get(), 1);
        runner.join();
    });
}

/// The handle is dropped while the value is delivered. Nobody else drops it, and the scope does not
/// return before.
#[test]
fn rule_01_a_value_whose_handle_goes_is_dropped_once_before_the_scope_returns() {
    explore(|| {
        let dropped = Arc::new(Count::default());
        let runner = options().limit(1).scope(|s| {
            let task = s.spawn(|| Dropped(Arc::clone(&dropped)));
            let runner = lend(s.shared());
            drop(task);
            runner
        });
        assert_eq!(dropped.get(), 1);
        runner.join();
    });
}

/// A join gives up as the task ends, and the handle is then dropped, or joined after all.
#[test]
fn a_join_that_times_out_as_the_task_ends_loses_no_value() {
    explore(|| {
        let dropped = Arc::new(Count::default());
        let runner = options().limit(1).scope(|s| {
            let task = s.spawn(|| Dropped(Arc::clone(&dropped)));
            let runner = lend(s.shared());
            match task.join_timeout(Duration::from_secs(1)) {
                Ok(value) => drop(value.unwrap()),
                Err(task) => drop(task.join()),
            }
            runner
        });
        assert_eq!(dropped.get(), 1);
        runner.join();
    });
}

/// The task joins one that stands behind it in the queue, while the thread that leaves the scope
/// takes what it finds.
#[test]
fn rule_11_a_task_joins_one_behind_it_at_a_limit_of_one() {
    explore(|| {
        let (deed, ran) = (Deed::default(), Count::default());
        let runner = options().limit(1).scope(|s| {
            s.spawn(|| {
                let behind = s.spawn(|| {
                    deed.act();
                    ran.up();
                });
                behind.join();
                deed.assert_seen();
            });
            lend(s.shared())
        });
        assert_eq!(ran.get(), 1);
        runner.join();
    });
}

/// The same without a limit: both threads may take the second task, and the joiner begins it itself.
#[test]
fn rule_11_a_task_that_is_joined_is_begun_once_whoever_comes_first() {
    explore(|| {
        let (deed, ran) = (Deed::default(), Count::default());
        let runner = options().limit(2).scope(|s| {
            let behind = s.spawn(|| {
                deed.act();
                ran.up();
                7
            });
            let runner = lend(s.shared());
            s.spawn(|| {
                assert_eq!(behind.join(), 7);
                deed.assert_seen();
            });
            runner
        });
        assert_eq!(ran.get(), 1);
        runner.join();
    });
}

/// Without a limit a runner takes two at once. The second is joined while that one has it in hand.
#[test]
fn rule_11_a_task_that_is_joined_out_of_a_hand_is_begun_once() {
    explore(|| {
        let (deed, ran) = (Deed::default(), Count::default());
        let runner = options().scope(|s| {
            s.shared().queue.ask(1);
            let mut tasks: Vec<_> = (0..4).map(|_| s.spawn(|| ran.up())).collect();
            let second = tasks.remove(1);
            let runner = lend_asked(s.shared());
            second.join();
            assert!(ran.get() > 0);
            deed.act();
            runner
        });
        deed.assert_seen();
        assert_eq!(ran.get(), 4);
        runner.join();
    });
}

/// The body has no slot. It hopes for that of the runner, which goes through the same task.
#[test]
fn rule_11_the_body_joins_the_second_of_two_at_a_limit_of_one() {
    explore(|| {
        let ran = Count::default();
        let runner = options().limit(1).scope(|s| {
            s.spawn(|| ran.up());
            let second = s.spawn(|| ran.up());
            let runner = lend(s.shared());
            second.join();
            runner
        });
        assert_eq!(ran.get(), 2);
        runner.join();
    });
}

/// The panic is entered before the joiner is told, and resumed when both have ended.
#[test]
fn rule_05_a_panic_reaches_the_joiner_as_an_echo_and_the_scope_as_it_was() {
    explore(|| {
        let runner = std::sync::Mutex::new(None);
        let scope = || {
            options().limit(1).scope(|s| {
                let task = s.spawn(|| resume_unwind(Box::new("bang")));
                *runner.lock().unwrap() = Some(lend(s.shared()));
                let echo: Result<(), _> = task.try_join();
                assert!(echo.is_err());
            });
        };
        let payload = catch_unwind(AssertUnwindSafe(scope)).unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"bang"));
        runner.into_inner().unwrap().into_iter().for_each(Lent::join);
    });
}

/// Tasks that want other stacks: a join of one is for others to carry out. If the joiner is the only
/// runner, and no further one can be had, it has to do it itself.
#[test]
fn rule_14_a_join_that_nobody_else_will_carry_out_is_carried_out_here() {
    explore(|| {
        let ran = Count::default();
        let runners = options().limit(1).stack_size(1 << 20).scope(|s| {
            s.spawn(|| {
                let behind = s.spawn(|| {
                    ran.up();
                    7
                });
                assert_eq!(behind.join(), 7);
                ran.up();
            });
            [lend(s.shared()), lend(s.shared())]
        });
        assert_eq!(ran.get(), 2);
        runners.into_iter().for_each(Lent::join);
    });
}
