//! Tasks that are not `Send`.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::StreamExt;
use futures::executor::block_on;
use wg::local::unsend;
use wg::{Cause, Stopped};
use wg_tests::{bang, caught};

/// Lets others have their turn.
async fn turn() {
    let mut first = true;
    poll_fn(|context| {
        context.waker().wake_by_ref();
        if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

#[test]
fn rule_01_tasks_hold_what_is_not_send_across_an_await() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let total = block_on(unsend::scope(async |s| {
        let mut tasks = Vec::new();
        for n in 0..4 {
            let (log, inner) = (Rc::clone(&log), s.clone());
            tasks.push(s.spawn(async move {
                let one = Rc::new(n);
                turn().await;
                let more = inner.spawn(async move { Rc::new(2 * *one) });
                log.borrow_mut().push(n);
                more.join().await
            }));
        }
        let mut total = 0;
        for task in tasks {
            total += *task.join().await;
        }
        total
    }));
    assert_eq!(total, 12);
    assert_eq!(log.take(), [0, 1, 2, 3]);
}

#[test]
fn rule_05_the_others_are_dropped_and_the_panic_is_resumed() {
    let held = Rc::new(());
    let number: wg_tests::Bang = caught(|| {
        block_on(unsend::scope(async |s| {
            for _ in 0..3 {
                let held = Rc::clone(&held);
                drop(s.spawn(async move {
                    pending::<()>().await;
                    drop(held);
                }));
            }
            drop(s.spawn(async { bang(7) }));
        }));
    });
    assert_eq!(number.0, 7);
    assert_eq!(Rc::strong_count(&held), 1);
}

/// An error that is not `Send`.
#[derive(Debug, PartialEq)]
enum Bad {
    Told(Rc<str>),
    Stopped(Cause),
}

impl From<Stopped> for Bad {
    fn from(stopped: Stopped) -> Self {
        Bad::Stopped(stopped.cause().clone())
    }
}

#[test]
fn rule_06_errors_need_not_be_send() {
    let result = block_on(unsend::try_scope(async |s| {
        drop(s.spawn(async { Err::<(), _>(Bad::Told("broken".into())) }));
        drop(s.spawn(async { pending::<Result<(), Bad>>().await }));
        s.spawn(async { pending::<Result<u32, Bad>>().await }).await
    }));
    assert_eq!(result, Err(Bad::Told("broken".into())));

    let ((), errors) = block_on(unsend::collect_scope(async |s| {
        for n in 0..3 {
            let told = Rc::from(n.to_string());
            drop(s.spawn(async move { Err::<(), _>(Bad::Told(told)) }));
        }
    }));
    assert_eq!(errors.len(), 3);
}

#[test]
fn rule_11_a_join_at_a_limit_of_one_runs_the_task_in_place() {
    fn depth(s: unsend::Scope<'_>, left: u32) -> futures::future::LocalBoxFuture<'_, u32> {
        Box::pin(async move {
            if left == 0 {
                return 0;
            }
            let inner = s.clone();
            s.spawn(async move { depth(inner, left - 1).await }).join().await + 1
        })
    }
    let depth = block_on(wg::options().limit(1).unsend().scope(async |s| {
        let inner = s.clone();
        s.spawn(async move { depth(inner, 100).await }).join().await
    }));
    assert_eq!(depth, 100);
}

#[test]
fn rule_16_results_need_not_be_send() {
    let mut numbers = block_on(unsend::scope(async |s| {
        let results = s.results();
        for n in 0..5 {
            results.spawn(async move { Rc::new(n) });
        }
        results.map(|(_, number)| *number).collect::<Vec<_>>().await
    }));
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3, 4]);
}

#[test]
fn rule_21_a_deadline_drops_the_tasks() {
    let held = Rc::new(());
    let result: Result<(), Bad> =
        block_on(wg::options().timeout(Duration::from_millis(1)).unsend().try_scope(async |s| {
            let held = Rc::clone(&held);
            drop(s.spawn(async move {
                pending::<()>().await;
                drop(held);
                Ok(())
            }));
            Ok(())
        }));
    assert_eq!(result, Err(Bad::Stopped(Cause::Deadline)));
    assert_eq!(Rc::strong_count(&held), 1);
}

#[test]
fn rule_24_it_is_dropped_after_any_number_of_polls_and_drops_everything_once() {
    for polls in 0..12 {
        let (held, ended) = (Rc::new(()), Cell::new(false));
        {
            let mut scope = pin!(wg::options().limit(2).unsend().scope(async |s| {
                for _ in 0..4 {
                    let (held, inner) = (Rc::clone(&held), s.clone());
                    drop(s.spawn(async move {
                        turn().await;
                        let its = Rc::clone(&held);
                        let guest = inner.spawn(async move {
                            turn().await;
                            its
                        });
                        drop(guest.join().await);
                        drop(held);
                    }));
                }
                turn().await;
                ended.set(true);
            }));
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..polls {
                if scope.as_mut().poll(&mut context).is_ready() {
                    assert!(ended.get());
                    break;
                }
            }
        }
        assert_eq!(Rc::strong_count(&held), 1, "after {polls} polls");
    }
}
