//! One future, those who poll it, and those who wake it: its first poll, and how it is left to its ring.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use wg_core::sync::Mutex;

use super::kit::{Count, Deed, Dropped, Lent, explore, lend};
use crate::blocks::Counted;
use crate::options::options;
use crate::thread::pool::Client;

/// An event that one future waits for.
struct Event(Mutex<(bool, Option<Waker>)>);

impl Event {
    fn new() -> Arc<Self> {
        Arc::new(Event(Mutex::new((false, None))))
    }

    fn fire(&self) {
        let mut inner = self.0.lock();
        inner.0 = true;
        let waker = inner.1.take();
        drop(inner);
        waker.into_iter().for_each(Waker::wake);
    }

    fn fired(&self) -> impl Future<Output = ()> {
        poll_fn(|cx| {
            let mut inner = self.0.lock();
            if inner.0 {
                return Poll::Ready(());
            }
            inner.1 = Some(cx.waker().clone());
            Poll::Pending
        })
    }
}

/// The wake-up comes before, while and after the first poll returns, and its job is shelved. A ring that
/// is left to others before it knows of that has a future that nobody polls again.
#[test]
fn rule_26_a_future_that_is_woken_in_its_first_poll_is_polled_again() {
    explore(|| {
        let event = Event::new();
        let deed = Deed::default();
        let outside = options().limit(1).scope(|s| {
            let fired = Arc::clone(&event);
            let outside = Lent::is(s.shared(), move || fired.fire());
            let future = s.spawn_future(async {
                event.fired().await;
                deed.act();
            });
            future.join();
            deed.assert_seen();
            outside
        });
        outside.join();
    });
}

/// A runner polls the future first, while a task joins it: the task has to poll it when it is woken, for the
/// runner has gone by then, and nobody else comes.
#[test]
fn rule_11_a_task_that_joins_a_future_in_its_first_poll_is_told_when_it_is_woken() {
    explore(|| {
        let event = Event::new();
        let runner = options().limit(2).scope(|s| {
            let future = s.spawn_future(event.fired());
            let task = s.spawn(|| {
                s.shared().queue.ask(1);
                let (its, fired) = (Arc::clone(s.shared()), Arc::clone(&event));
                let runner = Lent::is(s.shared(), move || {
                    its.work();
                    fired.fire();
                });
                future.join();
                runner
            });
            task.join()
        });
        runner.join();
    });
}

/// The first poll ends the future while its handle is dropped, joined, or the scope is left. The queue
/// counts it until all of it is gone.
#[test]
fn rule_01_a_future_that_ends_by_its_first_poll_is_gone_before_the_scope_returns() {
    for joins in [false, true] {
        explore(move || {
            let dropped = Arc::new(Count::default());
            let deed = Deed::default();
            let runner = options().limit(1).scope(|s| {
                let held = Dropped(Arc::clone(&dropped));
                let deed = &deed;
                let future = s.spawn_future(async move {
                    deed.act();
                    held
                });
                let runner = lend(s.shared());
                if joins {
                    drop(future.join());
                } else {
                    drop(future);
                }
                runner
            });
            deed.assert_seen();
            assert_eq!(dropped.get(), 1);
            runner.join();
        });
    }
}

/// A runner polls the future while its handle is asked whether it has ended. Whoever is told so sees
/// what it did, and finds its outcome.
#[test]
fn rule_23_who_is_told_that_a_future_has_ended_sees_what_it_did() {
    explore(|| {
        let deed = Deed::default();
        let runner = options().limit(1).scope(|s| {
            let future = s.spawn_future(async { deed.act() });
            let runner = lend(s.shared());
            if future.is_finished() {
                deed.assert_seen();
                future.join_timeout(Duration::ZERO).unwrap().unwrap();
            }
            runner
        });
        deed.assert_seen();
        runner.join();
    });
}

/// The scope is cancelled before, while and after the first poll, from which nobody wakes the future.
#[test]
fn rule_18_a_cancel_drops_a_future_that_is_pending_after_its_first_poll() {
    explore(|| {
        let dropped = Arc::new(Count::default());
        let runner = options().limit(1).scope(|s| {
            let held = Dropped(Arc::clone(&dropped));
            s.spawn_future(async move {
                std::future::pending::<()>().await;
                drop(held);
            });
            let runner = lend(s.shared());
            s.cancel("enough");
            runner
        });
        assert_eq!(dropped.get(), 1);
        runner.join();
    });
}

/// A future that nobody has woken is all that the thread knows of that leaves the scope. It is woken then,
/// and spawns a task as its last act, which has to be waited for.
#[test]
fn rule_03_a_task_that_a_future_spawns_as_its_last_act_is_waited_for() {
    explore(|| {
        let event = Event::new();
        let deed = Deed::default();
        let runner = options().limit(1).scope(|s| {
            s.shared().queue.ask(1);
            let (its, fired) = (Arc::clone(s.shared()), Arc::clone(&event));
            let runner = Lent::is(s.shared(), move || {
                fired.fire();
                its.work();
            });
            let (event, deed) = (&event, &deed);
            s.spawn_future(async move {
                event.fired().await;
                s.spawn(|| deed.act());
            });
            runner
        });
        deed.assert_seen();
        runner.join();
    });
}

/// Two hold a value, and go. The last one drops it, and sees what the other did.
#[test]
fn the_last_of_two_holders_drops_what_they_hold() {
    struct Seen(Arc<Deed>, Arc<Count>);

    impl Drop for Seen {
        fn drop(&mut self) {
            self.0.assert_seen();
            self.1.up();
        }
    }

    explore(|| {
        let (deed, dropped) = (Arc::new(Deed::default()), Arc::new(Count::default()));
        let seen = Seen(Arc::clone(&deed), Arc::clone(&dropped));
        let (one, other) = Counted::two_as::<Seen>(|| seen, |it| it);
        let thread = loom::thread::spawn(move || {
            other.0.act();
            drop(other);
        });
        let again = one.clone();
        drop(one);
        drop(again);
        thread.join().unwrap();
        assert_eq!(dropped.get(), 1);
    });
}
