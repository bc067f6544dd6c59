//! Rules 6 to 8: what comes back from scopes whose tasks may fail.

use std::error::Error;
use std::fmt;
use std::io;
use std::num::ParseIntError;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc::channel;
use std::time::Duration;

use wg::{Cause, Errors, FailureKind, Policy, Stopped, TryScope};
use wg_tests::{Bang, Counted, bang, until};

/// An error type as users write them.
#[derive(Debug, PartialEq)]
enum Broken {
    Number(ParseIntError),
    Own(u32),
    Stopped(Stopped),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Number(error) => write!(f, "not a number: {error}"),
            Broken::Own(number) => write!(f, "broken {number}"),
            Broken::Stopped(stopped) => stopped.fmt(f),
        }
    }
}

impl Error for Broken {}

impl From<ParseIntError> for Broken {
    fn from(error: ParseIntError) -> Self {
        Broken::Number(error)
    }
}

impl From<Stopped> for Broken {
    fn from(stopped: Stopped) -> Self {
        Broken::Stopped(stopped)
    }
}

#[test]
fn rule_06_the_first_error_by_completion_comes_back() {
    for round in 0..200 {
        let failed = wg::try_scope(|s| {
            let second = s.spawn(|| {
                until(|| s.is_cancelled());
                Err::<(), _>(Broken::Own(2))
            });
            s.spawn(|| Err::<(), _>(Broken::Own(1)));
            if round % 2 == 0 {
                drop(second);
            }
            Ok(())
        });
        assert_eq!(failed, Err(Broken::Own(1)));
    }
}

#[test]
fn rule_06_an_error_cancels_those_that_have_not_begun_and_awaits_those_that_have() {
    let (begun, ended, never) = (Barrier::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
    let failed = wg::options().limit(2).try_scope(|s| {
        s.spawn(|| {
            begun.wait();
            until(|| s.is_cancelled());
            ended.fetch_add(1, SeqCst);
            Ok(())
        });
        s.spawn(|| {
            for _ in 0..100 {
                s.spawn(|| {
                    never.fetch_add(1, SeqCst);
                    Ok(())
                });
            }
            begun.wait();
            Err::<(), _>(Broken::Own(7))
        });
        Ok(())
    });
    assert_eq!(failed, Err(Broken::Own(7)));
    assert_eq!((ended.into_inner(), never.into_inner()), (1, 0));
}

#[test]
fn rule_06_an_error_that_is_joined_is_the_joiners() {
    let dealt_with = wg::try_scope(|s| {
        let failing = s.spawn(|| Err::<u32, _>(Broken::Own(3)));
        Ok::<_, Broken>(failing.join().unwrap_err())
    });
    assert_eq!(dealt_with, Ok(Broken::Own(3)));
}

#[test]
fn rule_06_an_error_that_is_joined_and_handed_on_comes_back() {
    for _ in 0..100 {
        let failed = wg::try_scope(|s| {
            let failing = s.spawn(|| Ok::<u32, Broken>("x".parse()?));
            let joined = failing.join()?;
            Ok(joined)
        });
        assert!(matches!(failed, Err(Broken::Number(_))), "{failed:?}");
    }
}

#[test]
fn rule_06_an_error_that_is_handed_on_is_not_hidden_by_its_echo_in_a_sibling() {
    for _ in 0..100 {
        let failed = wg::try_scope(|s| {
            let failing = s.spawn(|| Err::<(), _>(Broken::Own(1)));
            s.spawn(|| Ok(s.sleep(Duration::MAX)?));
            failing.join()?;
            Ok(())
        });
        assert_eq!(failed, Err(Broken::Own(1)));
    }
}

#[test]
fn rule_06_an_error_that_another_task_hands_on_is_not_hidden_by_its_echo() {
    for _ in 0..100 {
        let failed = wg::try_scope(|s| {
            let echo = s.spawn(|| Ok(s.sleep(Duration::MAX)?));
            let failing = s.spawn(|| {
                until(|| s.counts().running == 3);
                Err::<(), _>(Broken::Own(1))
            });
            // It is the last to end, and knows the error.
            s.spawn(move || {
                let own = failing.join();
                until(|| s.counts().running == 1);
                own
            });
            let _ = echo;
            Ok(())
        });
        assert_eq!(failed, Err(Broken::Own(1)));
    }
}

#[test]
fn rule_06_the_body_that_joins_a_cancelled_sibling_does_not_hide_the_error() {
    for _ in 0..100 {
        let failed = wg::try_scope(|s| {
            let sibling = s.spawn(|| Ok(s.sleep(Duration::MAX)?));
            s.spawn(|| Err::<(), _>(Broken::Own(1)));
            sibling.join()?;
            Ok(())
        });
        assert_eq!(failed, Err(Broken::Own(1)));
    }
}

#[test]
fn rule_06_a_body_that_checks_and_waits_does_not_hide_the_error() {
    fn waits(s: &TryScope<'_, '_, Broken>, how: usize) -> Result<(), Stopped> {
        match how {
            0 => s.sleep(Duration::MAX),
            1 => {
                until(|| s.is_cancelled());
                s.ready()
            }
            _ => loop {
                s.check()?;
            },
        }
    }
    for how in 0..3 {
        let failed = wg::try_scope(|s| {
            s.spawn(|| Err::<(), _>(Broken::Own(1)));
            waits(s, how)?;
            Ok(())
        });
        assert_eq!(failed, Err(Broken::Own(1)), "{how}");
    }
}

#[test]
fn rule_06_an_inner_scope_that_is_stopped_in_the_body_does_not_hide_the_error() {
    for _ in 0..50 {
        let failed: Result<(), Broken> = wg::try_scope(|s| {
            s.spawn(|| Err::<(), _>(Broken::Own(1)));
            // A plain scope has no other way to say that its tasks were lost than to unwind.
            wg::options().limit(1).scope(|inner| {
                inner.spawn(|| until(|| inner.is_cancelled()));
                inner.spawn(|| ());
            });
            Ok(())
        });
        assert_eq!(failed, Err(Broken::Own(1)));
    }
}

#[test]
fn rule_06_an_inner_try_scope_that_is_stopped_says_so_and_hides_nothing() {
    for _ in 0..50 {
        let failed: Result<(), Broken> = wg::try_scope(|s| {
            s.spawn(|| Err::<(), _>(Broken::Own(1)));
            let lost: Result<(), Broken> = wg::options().limit(1).try_scope(|inner| {
                inner.spawn(|| {
                    until(|| inner.is_cancelled());
                    Ok(())
                });
                inner.spawn(|| Ok(()));
                Ok(())
            });
            let Err(Broken::Stopped(stopped)) = &lost else { panic!("{lost:?}") };
            assert!(matches!(stopped.cause(), Cause::Outer(_)));
            lost
        });
        assert_eq!(failed, Err(Broken::Own(1)));
    }
}

#[test]
fn rule_02_the_bodys_own_error_comes_before_those_that_follow_from_it() {
    let failed = wg::try_scope(|s| {
        s.spawn(|| Ok(s.sleep(Duration::MAX)?));
        s.spawn(|| {
            until(|| s.is_cancelled());
            Err::<(), _>(Broken::Own(1))
        });
        Err::<(), _>(Broken::Own(0))
    });
    assert_eq!(failed, Err(Broken::Own(0)));
}

#[test]
fn rule_02_the_bodys_error_cancels_and_awaits_the_tasks() {
    let ended = AtomicUsize::new(0);
    let failed: Result<(), Broken> = wg::try_scope(|s| {
        let ended = &ended;
        let (begin, begun) = channel();
        s.spawn(move || {
            let _counted = Counted(ended);
            begin.send(()).unwrap();
            assert_eq!(s.sleep(Duration::MAX).unwrap_err().cause(), &Cause::BodyFailed);
            Ok(())
        });
        begun.recv().unwrap();
        Err(Broken::Own(0))
    });
    assert_eq!(failed, Err(Broken::Own(0)));
    assert_eq!(ended.into_inner(), 1);
}

#[test]
fn rule_06_errors_may_be_boxed_or_of_io_or_text() {
    type Boxed = Box<dyn Error + Send + Sync>;
    let failed: Result<u32, Boxed> = wg::try_scope(|s| {
        let number = s.spawn(|| Ok::<u32, Boxed>("x".parse()?));
        number.join()
    });
    assert!(failed.unwrap_err().is::<ParseIntError>());

    let failed: Result<(), io::Error> = wg::try_scope(|s| {
        s.spawn(|| Err::<(), _>(io::ErrorKind::NotFound.into()));
        Ok(s.sleep(Duration::MAX)?)
    });
    assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::NotFound);

    let failed: Result<(), String> = wg::try_scope(|s| {
        s.spawn(|| Err::<(), _>("broken".to_owned()));
        Ok(s.sleep(Duration::MAX)?)
    });
    assert_eq!(failed.unwrap_err(), "broken");
}

#[test]
fn rule_06_the_lowest_index_is_the_same_in_every_run() {
    for limit in [1, 3, 64] {
        for _ in 0..100 {
            let policy = Policy::fail_fast().lowest_index();
            let failed = wg::options().limit(limit).policy(policy).try_scope(|s| {
                for n in 0..40_u32 {
                    s.spawn(move || if n % 16 == 5 { Err(Broken::Own(n)) } else { Ok(()) });
                }
                Ok(())
            });
            assert_eq!(failed, Err(Broken::Own(5)));
        }
    }
}

#[test]
fn rule_06_the_lowest_index_comes_back_also_if_it_fails_last() {
    let failed = wg::options().policy(Policy::fail_fast().lowest_index()).try_scope(|s| {
        let (fail, failed) = channel();
        s.spawn(move || {
            failed.recv().unwrap();
            Err::<(), _>(Broken::Own(0))
        });
        s.spawn(move || {
            fail.send(()).unwrap();
            Err::<(), _>(Broken::Own(1))
        });
        Ok(())
    });
    assert_eq!(failed, Err(Broken::Own(0)));
}

#[test]
fn rule_06_the_lowest_index_is_not_hidden_by_the_echo_of_a_task_that_was_skipped() {
    for _ in 0..50 {
        let failed =
            wg::options().limit(1).policy(Policy::fail_fast().lowest_index()).try_scope(|s| {
                let failing = s.spawn(|| Err::<(), _>(Broken::Own(0)));
                until(|| failing.is_finished());
                let skipped = s.spawn(|| Ok(()));
                drop(failing);
                skipped.join()?;
                Ok(())
            });
        assert_eq!(failed, Err(Broken::Own(0)));
    }
}

#[test]
fn rule_07_all_failures_come_back_in_index_order() {
    for limit in [1, 2, 64] {
        let ((), errors) = wg::options().limit(limit).collect_scope(|s| {
            for n in 0..120_u32 {
                s.task("check")
                    .spawn(move || if n % 50 == 7 { Err(Broken::Own(n)) } else { Ok(n) });
            }
        });
        assert_eq!(errors.len(), 3 - usize::from(errors.tasks() < 108));
        let indexes: Vec<_> = errors.iter().map(|failure| failure.index().unwrap()).collect();
        assert_eq!(indexes, [7, 57, 107]);
        let own: Vec<_> = errors.iter().map(|failure| failure.as_error().unwrap()).collect();
        assert_eq!(own, [&Broken::Own(7), &Broken::Own(57), &Broken::Own(107)]);
        let text = errors.to_string();
        let start = "3 of 120 tasks failed; first: check#7 spawned at ";
        assert!(text.starts_with(start) && text.ends_with(" failed: broken 7"), "{text}");
        let first = errors.source().unwrap();
        assert!(first.to_string().starts_with("check#7 spawned at "));
        let own = first.source().unwrap().downcast_ref::<Broken>();
        assert_eq!(own, Some(&Broken::Own(7)));
        assert!(errors.or(()).is_err());
    }
}

#[test]
fn rule_07_no_failure_is_an_empty_list() {
    let (n, errors) = wg::collect_scope(|s| s.spawn(|| Ok::<_, Broken>(1)).join().unwrap());
    assert!(errors.is_empty() && errors.first().is_none() && errors.source().is_none());
    assert_eq!(errors.to_string(), "no task failed");
    assert_eq!(errors.or(n).unwrap(), 1);
}

#[test]
fn rule_07_a_failure_that_was_joined_is_not_listed_again() {
    let (joined, errors) = wg::collect_scope(|s| {
        s.spawn(|| Err::<(), _>(Broken::Own(0)));
        let joined = s.spawn(|| Err::<(), _>(Broken::Own(1)));
        joined.join()
    });
    assert_eq!(joined, Err(Broken::Own(1)));
    assert_eq!(errors.len(), 1);
    assert_eq!(errors.tasks(), 2);
}

#[test]
fn rule_08_cancelled_tasks_are_counted_and_not_listed() {
    let dropped = AtomicUsize::new(0);
    let ((), errors) = wg::options().limit(1).collect_scope(|s| {
        s.spawn(|| {
            for _ in 0..10 {
                let counted = Counted(&dropped);
                s.spawn(move || {
                    let _counted = counted;
                    Ok(())
                });
            }
            s.cancel("enough");
            Err::<(), _>(Broken::Own(0))
        });
    });
    assert_eq!((errors.len(), errors.cancelled(), errors.tasks()), (1, 10, 11));
    assert_eq!(dropped.into_inner(), 10);
}

#[test]
fn rule_08_being_cancelled_by_hand_is_no_error() {
    let ran = AtomicUsize::new(0);
    let ended: Result<u32, Broken> = wg::options().limit(1).try_scope(|s| {
        s.spawn(|| {
            s.spawn(|| {
                ran.fetch_add(1, SeqCst);
                Ok(())
            });
            s.cancel("enough");
            Ok(())
        });
        Ok(1)
    });
    assert_eq!(ended, Ok(1));
    assert_eq!(ran.into_inner(), 0);
}

#[test]
fn rule_05_a_panic_that_is_caught_is_an_error_with_its_words() {
    let failed: Result<(), Broken> = wg::options().catch_panics().try_scope(|s| {
        s.spawn::<_, ()>(|| bang(70));
        Ok(s.sleep(Duration::MAX)?)
    });
    let Err(Broken::Stopped(stopped)) = failed else { panic!("{failed:?}") };
    assert!(matches!(stopped.cause(), Cause::Panicked(task, _) if task.index() == 0));
}

#[test]
fn rule_05_a_panic_that_is_caught_is_told_to_its_joiner_and_leaves_a_plain_scope_alone() {
    let told = wg::options().catch_panics().scope(|s| {
        let panics = s.spawn(|| bang(71));
        let told = panics.try_join().map(|never: ()| never);
        assert!(s.cancelled_by().is_some(), "a failure cancels the rest");
        told
    });
    assert!(matches!(told.unwrap_err().cause(), Cause::Panicked(..)));
}

#[test]
fn rule_05_panics_that_are_caught_are_listed_with_their_payloads() {
    let ((), errors) = wg::options().catch_panics().collect_scope(|s| {
        for n in 0..4 {
            s.spawn(move || match n {
                0 => Ok(()),
                1 => Err(Broken::Own(1)),
                _ => bang(72 + n),
            });
        }
    });
    assert_eq!(errors.len(), 3);
    let bangs: Vec<_> = errors
        .into_iter()
        .filter_map(|failure| match failure.into_kind() {
            FailureKind::Panic(payload) => payload.downcast::<Bang>().ok(),
            _ => None,
        })
        .collect();
    assert_eq!(bangs, [Box::new(Bang(74)), Box::new(Bang(75))]);
}

#[test]
fn rule_08_all_errors_go_by_question_mark_where_boxed_errors_are_wanted() {
    fn halves(numbers: &[u32]) -> Result<Vec<u32>, Box<dyn Error + Send + Sync>> {
        let halve = |&n: &u32| match n % 2 {
            0 => Ok(n / 2),
            _ if n > 90 => bang(n),
            _ => Err(std::fmt::Error),
        };
        let (halves, errors) = wg::fan_out(numbers).catch_panics().collect_all(halve);
        Ok(errors.or(halves)?)
    }
    assert_eq!(halves(&[2, 4]).unwrap(), [1, 2]);
    let error = halves(&[2, 91, 3]).unwrap_err();
    let errors = *error.downcast::<Errors<std::fmt::Error>>().unwrap();
    assert!(errors.to_string().starts_with("2 of 3 tasks failed; first: fan_out#1 "), "{errors}");
    let FailureKind::Panic(payload) = errors.into_iter().next().unwrap().into_kind() else {
        panic!("the first has panicked")
    };
    assert_eq!(payload.message(), "a payload that is no text");
    let payload = payload.downcast::<String>().unwrap_err();
    assert_eq!(*payload.downcast::<Bang>().unwrap(), Bang(91));
}
