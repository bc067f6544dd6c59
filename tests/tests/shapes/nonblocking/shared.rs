//! Shared variables: captured by mistake, written by two, checked and then used.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use crate::ends;

/// The 11 captures, most of them a loop variable that all goroutines of the loop share. Sharing it
/// does not compile (`ui/fail/a_task_borrows_a_loop_variable.rs`); moving it in gives each its own.
#[test]
fn rule_04_each_task_of_a_loop_has_its_own_loop_variable() {
    let seen = ends(|| {
        let versions: Vec<String> = (0..50).map(|n| format!("v1.{n}")).collect();
        wg::scope(|s| {
            let tasks: Vec<_> =
                versions.iter().map(|version| s.spawn(move || version.clone())).collect();
            tasks.into_iter().map(|task| task.join()).eq(versions.iter().cloned())
        })
    });
    assert!(seen);
}

/// `err` of the enclosing function, assigned by several goroutines, so that one's error is another's
/// success. It does not compile (`ui/fail/tasks_assign_to_one_error.rs`); an error is what a task
/// returns, and all of them are kept.
#[test]
fn rule_07_the_error_of_each_task_is_its_own() {
    let errors = ends(|| {
        let (_, errors) = wg::collect_scope(|s| {
            for n in 0..10 {
                s.spawn(move || if n % 2 == 1 { Err(n) } else { Ok(()) });
            }
        });
        errors.into_iter().map(|failure| failure.as_error().copied().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(errors, [1, 3, 5, 7, 9]);
}

/// Concurrent writes to a map or a slice ("concurrent map writes", a lost `append`). They do not
/// compile (`ui/fail/tasks_write_to_one_map.rs`, `tasks_push_to_one_vec.rs`); results are returned
/// and put together by one, while the others go on.
#[test]
fn rule_16_results_are_put_together_by_one() {
    let words = ends(|| {
        let text = ["to be or not", "to be that is", "the question"];
        wg::scope(|s| {
            let mut words = BTreeMap::new();
            for (_, line) in s.fan_out(text).as_completed(|line: &str| line.split(' ')) {
                for word in line {
                    *words.entry(word).or_insert(0) += 1;
                }
            }
            words
        })
    });
    assert_eq!((words["to"], words["be"], words["question"], words.len()), (2, 2, 1, 8));
}

/// 14 of the 86 were repaired by giving each goroutine its own part of the data. Parts of a slice are
/// lent one by one; that they do not overlap is the compiler's business.
#[test]
fn rule_01_each_task_may_change_its_own_part() {
    let counts = ends(|| {
        let mut counts = vec![0; 100];
        wg::fan_out(&mut counts).limit(4).for_each(|count| *count += 1);
        wg::scope(|s| {
            for part in counts.chunks_mut(7) {
                s.spawn(move || part.iter_mut().for_each(|count| *count *= 2));
            }
        });
        counts
    });
    assert_eq!(counts, [2; 100]);
}

/// An atomicity violation: a balance is checked under the lock, and changed under it later, in two
/// steps, each of them free of races. Neither the compiler nor wg sees that. What they do is make the
/// one-step form the shorter one: what is checked is lent by the guard, and held on to.
#[test]
fn rule_23_check_and_change_are_one_step_while_the_guard_lives() {
    let (left, sold) = ends(|| {
        let (stock, sold) = (Mutex::new(30_u32), AtomicUsize::new(0));
        wg::fan_out(0..100).limit(8).for_each(|_| {
            let mut stock = stock.lock().unwrap();
            if let Some(less) = stock.checked_sub(1) {
                *stock = less;
                sold.fetch_add(1, Relaxed);
            }
        });
        (stock.into_inner().unwrap(), sold.into_inner())
    });
    assert_eq!((left, sold), (0, 30));
}
