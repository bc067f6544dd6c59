//! Rules 11 and 15: `Task::join`, `Task::is_finished`.

use std::cell::Cell;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use wg::Scope;
use wg_tests::until;

#[test]
fn rule_11_join_returns_the_tasks_value() {
    let text = String::from("borrowed");
    let joined = wg::scope(|s| s.spawn(|| text.as_str()).join());
    assert_eq!(joined, "borrowed");
}

#[test]
fn rule_11_tasks_may_be_joined_in_any_order() {
    wg::scope(|s| {
        let tasks: Vec<_> = (0..100).map(|number| s.spawn(move || number)).collect();
        let (even, odd): (Vec<_>, Vec<_>) =
            tasks.into_iter().enumerate().partition(|(place, _)| place % 2 == 0);
        for (place, task) in odd.into_iter().chain(even.into_iter().rev()) {
            assert_eq!(task.join(), place);
        }
    });
}

#[test]
fn rule_11_many_tasks_joined_in_their_order_run_once_each() {
    // In their order, and so far apart that none is next to the one before.
    for step in [1, 7_919] {
        let ran: Vec<_> = (0..10_000).map(|_| AtomicUsize::new(0)).collect();
        wg::scope(|s| {
            let run = |number: usize| ran[number].fetch_add(1, Relaxed);
            let mut tasks: Vec<_> =
                (0..ran.len()).map(|number| Some(s.spawn(move || run(number)))).collect();
            for place in 0..ran.len() {
                let task = tasks[place * step % ran.len()].take();
                assert_eq!(task.unwrap().join(), 0);
            }
        });
        assert!(ran.iter().all(|ran| ran.load(Relaxed) == 1));
    }
}

#[test]
fn rule_11_join_waits_for_a_task_that_runs_elsewhere() {
    for _ in 0..1_000 {
        let gate = Barrier::new(2);
        let value = wg::scope(|s| {
            let task = s.spawn(|| {
                gate.wait();
                7
            });
            gate.wait();
            task.join()
        });
        assert_eq!(value, 7);
    }
}

#[test]
fn rule_11_join_in_a_task_may_recurse() {
    fn fib<'scope>(s: &'scope Scope<'scope, '_>, n: u32) -> u64 {
        if n < 2 {
            return u64::from(n);
        }
        let before = s.spawn(move || fib(s, n - 1));
        fib(s, n - 2) + before.join()
    }
    assert_eq!(wg::scope(|s| fib(s, 16)), 987);
}

#[test]
fn rule_11_a_handle_may_be_joined_by_another_task() {
    let length = wg::scope(|s| {
        let mut last = s.spawn(|| 0);
        for _ in 0..1_000 {
            let before = last;
            last = s.spawn(|| before.join() + 1);
        }
        last.join()
    });
    assert_eq!(length, 1_000);
}

#[test]
fn rule_11_a_handle_may_be_joined_by_another_thread() {
    let value = wg::scope(|s| {
        let task = s.spawn(|| 7);
        thread::scope(|threads| threads.spawn(|| task.join()).join().unwrap())
    });
    assert_eq!(value, 7);
}

#[test]
fn rule_11_stray_unparks_do_not_end_a_join() {
    for _ in 0..1_000 {
        let (here, gate) = (thread::current(), Barrier::new(2));
        let value = wg::scope(|s| {
            let task = s.spawn(|| {
                gate.wait();
                here.unpark();
                thread::yield_now();
                here.unpark();
                7
            });
            gate.wait();
            task.join()
        });
        assert_eq!(value, 7);
    }
}

#[test]
fn rule_01_stray_unparks_do_not_end_the_wait_of_a_scope() {
    for _ in 0..1_000 {
        let (here, gate) = (thread::current(), Barrier::new(2));
        let mut ended = false;
        wg::scope(|s| {
            s.spawn(|| {
                gate.wait();
                here.unpark();
                thread::yield_now();
                here.unpark();
                ended = true;
            });
            gate.wait();
        });
        assert!(ended);
    }
}

#[test]
fn rule_01_a_task_that_parks_itself_does_not_use_up_what_the_scope_waits_for() {
    for _ in 0..1_000 {
        let gate = Barrier::new(2);
        let ended = AtomicUsize::new(0);
        wg::scope(|s| {
            // Which thread runs which of the two is open; each may be the one that leaves the scope.
            for _ in 0..2 {
                s.spawn(|| {
                    thread::current().unpark();
                    gate.wait();
                    thread::park();
                    ended.fetch_add(1, Relaxed);
                });
            }
        });
        assert_eq!(ended.into_inner(), 2);
    }
}

thread_local! {
    /// The task that this thread joins, or nothing.
    static JOINS: Cell<Option<usize>> = const { Cell::new(None) };
}

#[test]
fn rule_15_a_thread_in_join_runs_only_the_task_that_it_joins() {
    wg::scope(|s| {
        for number in 0..1_000 {
            let task = s.spawn(move || {
                assert!(JOINS.get().is_none_or(|joined| joined == number));
            });
            s.spawn(move || {
                assert_eq!(JOINS.get(), None);
                JOINS.set(Some(number));
                task.join();
                JOINS.set(None);
            });
        }
    });
}

#[test]
fn rule_11_a_finished_task_says_so_until_it_is_joined() {
    wg::scope(|s| {
        let gate = Barrier::new(2);
        let gate = std::sync::Arc::new(gate);
        let theirs = std::sync::Arc::clone(&gate);
        let task = s.spawn(move || {
            theirs.wait();
            7
        });
        assert!(!task.is_finished());
        gate.wait();
        until(|| task.is_finished());
        assert_eq!(task.join(), 7);
    });
}
