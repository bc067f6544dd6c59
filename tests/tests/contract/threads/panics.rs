//! Rule 5: what becomes of a panic.

use std::any::Any;
use std::panic::resume_unwind;
use std::ptr::from_ref;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use wg::Stopped;
use wg_tests::{Bang, Counted, bang, caught, hook_calls, payload, until};

#[test]
fn rule_05_a_tasks_panic_is_resumed_when_the_scope_is_left() {
    assert_eq!(caught::<Bang, _>(|| wg::scope(|s| drop(s.spawn(|| bang(10))))), Bang(10));
}

#[test]
fn rule_05_the_payload_that_is_resumed_is_the_very_same() {
    let thrown: Box<dyn Any + Send> = Box::new(7_u64);
    let address = from_ref(&*thrown).addr();
    let landed = payload(|| wg::scope(|s| drop(s.spawn(|| resume_unwind(thrown)))));
    assert_eq!(from_ref(&*landed).addr(), address);
    assert_eq!(landed.downcast_ref(), Some(&7_u64));
}

#[test]
fn rule_05_of_two_panics_the_first_is_resumed() {
    let begun = Barrier::new(2);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| {
                begun.wait();
                until(|| s.is_cancelled());
                bang(12)
            });
            begun.wait();
            s.spawn(|| bang(11));
        });
    });
    assert_eq!(bang, Bang(11));
    assert_eq!(hook_calls(12), 1);
}

#[test]
fn rule_05_the_hook_is_told_while_the_scope_is_still_open_and_once() {
    let begun = Barrier::new(2);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| {
                begun.wait();
                until(|| hook_calls(13) > 0);
            });
            begun.wait();
            s.spawn(|| bang(13));
        });
    });
    assert_eq!((bang, hook_calls(13)), (Bang(13), 1));
}

#[test]
fn rule_05_siblings_that_run_are_awaited_and_can_see_it() {
    let mut ended = [false; 10];
    let begun = Barrier::new(11);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            for ended in &mut ended {
                s.spawn(|| {
                    begun.wait();
                    until(|| s.is_cancelled());
                    *ended = true;
                });
            }
            begun.wait();
            s.spawn(|| bang(14));
        });
    });
    assert_eq!((bang, ended), (Bang(14), [true; 10]));
}

#[test]
fn rule_05_siblings_end_once_whether_or_not_they_had_begun() {
    let drops = AtomicUsize::new(0);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            for number in 0..10_000 {
                let captured = Counted(&drops);
                s.spawn(move || {
                    let _captured = captured;
                    if number == 5_000 {
                        bang(15)
                    }
                });
            }
        });
    });
    assert_eq!((bang, drops.into_inner()), (Bang(15), 10_000));
}

#[test]
fn rule_05_if_every_task_panics_each_has_ended() {
    let drops = AtomicUsize::new(0);
    let begun = Barrier::new(50);
    caught::<Bang, _>(|| {
        wg::scope(|s| {
            for _ in 0..50 {
                let captured = Counted(&drops);
                s.spawn(|| {
                    let _captured = captured;
                    begun.wait();
                    bang(16)
                });
            }
        });
    });
    assert_eq!((drops.into_inner(), hook_calls(16)), (50, 50));
}

#[test]
fn rule_05_the_body_goes_on_after_a_tasks_panic_and_its_result_is_dropped() {
    let drops = AtomicUsize::new(0);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| bang(17));
            until(|| s.is_cancelled());
            Counted(&drops)
        })
    });
    assert_eq!((bang, drops.into_inner()), (Bang(17), 1));
}

#[test]
fn rule_05_join_of_a_task_that_panicked_unwinds_with_stopped_and_the_scope_with_the_panic() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            let task = s.spawn(|| bang(18));
            let echo = caught::<Stopped, _>(|| task.join());
            resume_unwind(Box::new(echo))
        })
    });
    assert_eq!((bang, hook_calls(18)), (Bang(18), 1));
}

#[test]
fn rule_05_a_body_that_catches_the_echo_and_returns_panics_all_the_same() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            let task = s.spawn(|| bang(19));
            caught::<Stopped, _>(|| task.join());
            "all is well"
        })
    });
    assert_eq!(bang, Bang(19));
}

#[test]
fn rule_05_join_in_another_task_passes_the_echo_on_and_the_panic_is_the_scopes() {
    let (after, drops) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Barrier::new(2);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|s| {
            let first = s.spawn(|| {
                begun.wait();
                bang(20)
            });
            let second = s.spawn(|| {
                let _here = Counted(&drops);
                // It is running, or the scope would be cancelled before this has begun.
                begun.wait();
                first.join();
                after.fetch_add(1, Relaxed);
            });
            second.join();
            after.fetch_add(1, Relaxed);
        });
    });
    assert_eq!(bang, Bang(20));
    assert_eq!((after.into_inner(), drops.into_inner()), (0, 1));
}

#[test]
fn rule_05_join_of_a_task_that_was_cancelled_unwinds_with_stopped() {
    caught::<Bang, _>(|| {
        wg::scope(|s| {
            s.spawn(|| bang(21));
            until(|| s.is_cancelled());
            let cancelled = s.spawn(|| unreachable!());
            caught::<Stopped, _>(|| cancelled.join());
        });
    });
}

#[test]
fn rule_05_a_value_from_before_the_cancel_can_still_be_joined() {
    caught::<Bang, _>(|| {
        wg::scope(|s| {
            let early = s.spawn(|| 7);
            until(|| early.is_finished());
            s.spawn(|| bang(22));
            until(|| s.is_cancelled());
            assert_eq!(early.join(), 7);
        });
    });
}

#[test]
fn rule_05_a_panic_in_an_inner_scope_reaches_the_outer_one() {
    let (inner_ended, outer_ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Barrier::new(3);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|outer| {
            outer.spawn(|| {
                begun.wait();
                until(|| outer.is_cancelled());
                outer_ended.fetch_add(1, Relaxed);
            });
            outer.spawn(|| {
                wg::scope(|inner| {
                    inner.spawn(|| {
                        begun.wait();
                        until(|| inner.is_cancelled());
                        assert!(!outer.is_cancelled());
                        inner_ended.fetch_add(1, Relaxed);
                    });
                    begun.wait();
                    inner.spawn(|| bang(23));
                });
            });
        });
    });
    assert_eq!(bang, Bang(23));
    assert_eq!((inner_ended.into_inner(), outer_ended.into_inner()), (1, 1));
}

#[test]
fn rule_05_a_panic_that_is_caught_around_an_inner_scope_leaves_the_outer_one_alone() {
    let value = wg::scope(|outer| {
        outer.spawn(|| caught::<Bang, _>(|| wg::scope(|inner| drop(inner.spawn(|| bang(24))))));
        outer.spawn(|| 7).join()
    });
    assert_eq!(value, 7);
}

#[test]
fn rule_05_the_echo_of_an_outer_scope_passes_through_an_inner_body() {
    let bang = caught::<Bang, _>(|| {
        wg::scope(|outer| {
            let task = outer.spawn(|| bang(25));
            let echo = caught::<Stopped, _>(|| wg::scope(|_inner| task.join()));
            resume_unwind(Box::new(echo))
        })
    });
    assert_eq!(bang, Bang(25));
}

#[test]
fn rule_05_an_inner_scope_with_a_stopped_task_does_not_return_as_if_it_had_a_value() {
    let mut written = false;
    let bang = caught::<Bang, _>(|| {
        wg::scope(|outer| {
            let task = outer.spawn(|| bang(26));
            wg::scope(|inner| {
                inner.spawn(|| {
                    let () = task.join();
                    written = true;
                });
            });
            assert!(
                written,
                "a task of the inner scope did not do its work, but the scope returned"
            );
        });
    });
    assert_eq!(bang, Bang(26));
}

#[test]
fn rule_05_a_panic_in_an_inner_scope_comes_before_the_echo_of_the_outer_one() {
    let begun = Barrier::new(2);
    let inner_bang = AtomicUsize::new(0);
    let bang = caught::<Bang, _>(|| {
        wg::scope(|outer| {
            let task = outer.spawn(|| {
                begun.wait();
                bang(27)
            });
            let Bang(number) = caught(|| {
                wg::scope(|inner| {
                    inner.spawn(|| bang(28));
                    until(|| inner.is_cancelled());
                    begun.wait();
                    task.join()
                })
            });
            inner_bang.store(number as usize, Relaxed);
        })
    });
    assert_eq!((bang, inner_bang.into_inner()), (Bang(27), 28));
}

#[test]
fn rule_05_a_scope_may_be_opened_after_one_that_panicked() {
    for number in 0..100 {
        assert_eq!(caught::<Bang, _>(|| wg::scope(|s| drop(s.spawn(|| bang(29))))), Bang(29));
        assert_eq!(wg::scope(|s| s.spawn(|| number).join()), number);
    }
}

#[test]
fn rule_05_a_scope_may_be_opened_while_its_thread_unwinds() {
    struct Opens<'a>(&'a AtomicUsize);
    impl Drop for Opens<'_> {
        fn drop(&mut self) {
            wg::scope(|s| {
                s.spawn(|| self.0.fetch_add(1, Relaxed));
                // A panic of this scope's own can be caught here as well.
                let number = s.spawn(|| caught::<Bang, _>(|| bang(31)).0);
                assert_eq!(number.join(), 31);
            });
        }
    }
    let ran = AtomicUsize::new(0);
    let bang = caught::<Bang, _>(|| {
        let _opens = Opens(&ran);
        bang(30)
    });
    assert_eq!((bang, ran.into_inner()), (Bang(30), 1));
}
