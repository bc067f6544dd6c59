//! Scopes from their beginning to their end: what they share, and what fails in them.

use std::time::Duration;

use crate::kit::{Bang, Count, Dropped, Error, bang, caught, explore, give_way};
use shuttle::thread;

/// Runners go from one scope to the other, and idle ones leave while they are asked for.
#[test]
fn two_scopes_on_two_threads_share_the_pool() {
    explore(|| {
        let sums = [1, 2].map(|n| {
            thread::spawn(move || {
                wg::scope(|s| {
                    let tasks: Vec<_> = (0..4)
                        .map(|i| {
                            s.spawn(move || {
                                give_way();
                                i * n
                            })
                        })
                        .collect();
                    tasks.into_iter().map(|task| task.join()).sum::<usize>()
                })
            })
        });
        let [a, b] = sums.map(|sum| sum.join().unwrap());
        assert_eq!((a, b), (6, 12));
    });
}

/// Threads of the pool go away, and are asked for again, between and within the scopes.
#[test]
fn rule_14_scopes_one_after_the_other_use_a_pool_that_comes_and_goes() {
    explore(|| {
        let ran = Count::default();
        for _ in 0..3 {
            wg::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        give_way();
                        ran.up()
                    });
                }
            });
            give_way();
        }
        assert_eq!(ran.get(), 9);
    });
}

#[test]
fn rule_01_nested_scopes_return_when_their_own_tasks_have_ended() {
    explore(|| {
        let (inner, outer) = (Count::default(), Count::default());
        wg::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    let ran = Count::default();
                    wg::scope(|s| {
                        for _ in 0..2 {
                            s.spawn(|| {
                                give_way();
                                inner.up();
                                ran.up()
                            });
                        }
                    });
                    assert_eq!(ran.get(), 2);
                    outer.up()
                });
            }
        });
        assert_eq!((inner.get(), outer.get()), (6, 3));
    });
}

/// Results of tasks whose handles go away before, while and after they run.
#[test]
fn rule_01_values_that_nobody_claims_are_dropped_before_the_scope_returns() {
    explore(|| {
        let (captured, returned, ran) = (Count::default(), Count::default(), Count::default());
        wg::scope(|s| {
            let handles: Vec<_> = (0..8)
                .map(|_| {
                    let capture = Dropped(&captured);
                    s.spawn(|| {
                        let _capture = capture;
                        ran.up();
                        Dropped(&returned)
                    })
                })
                .collect();
            for (n, handle) in handles.into_iter().enumerate() {
                match n % 4 {
                    0 => drop(handle.join()),
                    1 => drop(handle),
                    2 => drop(s.spawn(move || drop(handle))),
                    _ => drop(s.spawn(move || handle.join())),
                }
            }
        });
        assert_eq!((ran.get(), captured.get(), returned.get()), (8, 8, 8));
    });
}

/// The panic cancels the scope while the others begin, run, spawn and join.
#[test]
fn rule_05_one_of_many_tasks_panics_and_its_payload_is_resumed_after_all_have_ended() {
    explore(|| {
        let (dropped, ended) = (Count::default(), Count::default());
        let number = caught(|| {
            wg::scope(|s| {
                for n in 0..8 {
                    let (capture, ended) = (Dropped(&dropped), &ended);
                    s.spawn(move || {
                        let _capture = capture;
                        give_way();
                        if n == 3 {
                            bang(n);
                        }
                        let joined = s.spawn(give_way).try_join();
                        assert!(joined.is_ok() || s.is_cancelled());
                        ended.up();
                    });
                }
                // Cancelled by now or not, this ends.
                let _ = s.sleep(Duration::from_millis(1));
            })
        });
        assert_eq!((number, dropped.get()), (3, 8));
        assert!(ended.get() <= 7);
    });
}

/// Two tasks and the body panic: the body's panic wins, and everybody is waited for.
#[test]
fn rule_02_the_body_panics_while_tasks_do() {
    explore(|| {
        let dropped = Count::default();
        let number = caught(|| {
            wg::scope(|s| {
                let tasks: Vec<_> = (0..4)
                    .map(|n| {
                        let capture = Dropped(&dropped);
                        s.spawn(move || {
                            let _capture = capture;
                            if n % 2 == 0 {
                                bang(n);
                            }
                        })
                    })
                    .collect();
                give_way();
                let _tasks = tasks;
                bang(9)
            })
        });
        assert_eq!((number, dropped.get()), (9, 4));
    });
}

/// The first error cancels the rest, and comes back whether it was joined, abandoned or both raced.
#[test]
fn rule_06_the_first_error_comes_back_and_never_an_echo() {
    explore(|| {
        let dropped = Count::default();
        let result = wg::try_scope(|s| {
            let tasks: Vec<_> = (0..6)
                .map(|n| {
                    let capture = Dropped(&dropped);
                    s.spawn(move || {
                        let _capture = capture;
                        give_way();
                        if n % 3 == 2 { Err(Error::Own(n)) } else { Ok(n) }
                    })
                })
                .collect();
            let mut sum = 0;
            for (n, task) in tasks.into_iter().enumerate() {
                if n != 2 {
                    sum += task.join()?;
                }
            }
            Ok(sum)
        });
        assert!(matches!(result, Err(Error::Own(2 | 5))), "{result:?}");
        assert_eq!(dropped.get(), 6);
    });
}

/// The handle comes back from a join that is late, and still gives the value.
#[test]
fn a_join_that_times_out_loses_nothing() {
    explore(|| {
        let sum: usize = wg::scope(|s| {
            let tasks: Vec<_> = (0..4)
                .map(|n| {
                    s.spawn(move || {
                        give_way();
                        n
                    })
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += match task.join_timeout(Duration::from_millis(1)) {
                    Ok(value) => value.unwrap(),
                    Err(task) => task.join(),
                };
            }
            sum
        });
        assert_eq!(sum, 6);
    });
}

/// A wait for the group that gives up races with the last task.
#[test]
fn rule_22_a_wait_that_times_out_leaves_the_scope_able_to_end() {
    explore(|| {
        let ran = Count::default();
        wg::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    give_way();
                    ran.up()
                });
            }
            match s.wait_timeout(Duration::from_millis(1)) {
                Ok(()) => assert_eq!(ran.get(), 4),
                Err(late) => assert!(late.to_string().contains(" alive")),
            }
        });
        assert_eq!(ran.get(), 4);
    });
}

#[test]
fn a_bang_is_what_is_caught() {
    assert_eq!(caught(|| bang(Bang(2).0)), 2);
}
