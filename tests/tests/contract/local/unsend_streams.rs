//! Results of a fan-out of futures that are not `Send`, while it runs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::thread;

use futures::StreamExt;
use futures::channel::oneshot;
use futures::executor::block_on;
use wg::local::unsend::{self, Unsend};
use wg_tests::{Bang, bang, caught};

use super::unsend_fan_out::after;

#[test]
fn rule_17_in_order_and_as_completed_give_every_result_once() {
    for limit in [1, 2, 3, 50] {
        for count in [0, 1, 2, 200] {
            let handled = Rc::new(Cell::new(0));
            block_on(unsend::scope(async |s| {
                let handled = &handled;
                let work = move |n: Rc<usize>| async move {
                    let held = (Rc::clone(handled), Rc::clone(&n));
                    after(*n * 7 % 11).await;
                    held.0.set(held.0.get() + 1);
                    Rc::new(*n * 2)
                };
                let items = || s.fan_out((0..count).map(Rc::new)).limit(limit);
                let ordered: Vec<_> = items().in_order(work).collect().await;
                assert!(ordered.into_iter().map(|n| *n).eq((0..count).map(|n| n * 2)));
                let all: BTreeSet<_> = items().as_completed(work).collect().await;
                assert!(all.into_iter().eq((0..count).map(|n| (n, Rc::new(n * 2)))));
            }));
            assert_eq!((handled.get(), Rc::strong_count(&handled)), (2 * count, 1));
        }
    }
}

#[test]
fn rule_17_what_is_completed_first_is_read_first() {
    let (send, receive) = oneshot::channel::<()>();
    let receive = RefCell::new(Some(receive));
    block_on(unsend::scope(async |s| {
        let mut stream = s.fan_out(0..2).limit(2).as_completed(async |n| {
            let receive = if n == 0 { receive.take() } else { None };
            if let Some(receive) = receive {
                receive.await.unwrap();
            }
            Rc::new(n)
        });
        // The first item ends only after the second was read.
        assert_eq!(stream.next().await, Some((1, Rc::new(1))));
        send.send(()).unwrap();
        assert_eq!(stream.next().await, Some((0, Rc::new(0))));
        assert_eq!((stream.next().await, stream.next().await), (None, None));
    }));
}

#[test]
fn rule_16_no_more_are_pulled_and_not_taken_than_the_limit() {
    for limit in [1, 2, 5] {
        let pulled = Cell::new(0);
        let source = (0..40).inspect(|_| pulled.set(pulled.get() + 1));
        block_on(unsend::scope(async |s| {
            let mut results = s.fan_out(source).limit(limit).in_order(async |n| Rc::new(n));
            for taken in 0..40 {
                // The items go on while nobody reads, as far as there is room.
                after(50).await;
                assert_eq!(pulled.get(), (taken + limit).min(40));
                assert_eq!(results.next().await, Some(Rc::new(taken)));
            }
            assert_eq!(results.next().await, None);
        }));
    }
}

/// Handles an item, and says how many did so at once at most.
async fn work(n: usize, now: &Cell<usize>, most: &Cell<usize>) -> Rc<usize> {
    now.set(now.get() + 1);
    most.set(most.get().max(now.get()));
    after(n % 3).await;
    now.set(now.get() - 1);
    Rc::new(n)
}

#[test]
fn rule_03_it_may_be_read_in_a_task_at_any_limit_and_rule_09_is_kept() {
    for limit in [1, 2, 3, 7] {
        for inner in [1, 2, 9] {
            let (now, most) = (Cell::new(0), Cell::new(0));
            let sums = block_on(wg::options().limit(limit).unsend().scope(async |s| {
                let tasks = s.spawn_all((0..5).map(|_| {
                    let (its, now, most) = (s.clone(), &now, &most);
                    async move {
                        let items = || its.fan_out(0..40).limit(inner);
                        let ordered = items().in_order(|n| work(n, now, most));
                        let ordered = ordered.fold(0, async |sum, n| sum + *n).await;
                        let completed = items().as_completed(|n| work(n, now, most));
                        ordered + completed.fold(0, async |sum, (_, n)| sum + *n).await
                    }
                }));
                let mut sums = Vec::new();
                for task in tasks {
                    sums.push(task.join().await);
                }
                sums
            }));
            assert_eq!(sums, [1560; 5]);
            assert!((1..=limit).contains(&most.get()), "{most:?} at {limit}");
        }
    }
}

/// A task that reads has an item in hand, and gives the stream away: it goes on elsewhere.
#[test]
fn rule_03_an_item_in_the_hands_of_a_reader_goes_on_when_that_reads_no_more() {
    for dropped in [true, false] {
        let ended = Cell::new(0);
        let read = block_on(wg::options().limit(1).unsend().scope(async |s| {
            let (its, ended) = (s.clone(), &ended);
            let task = s.spawn(async move {
                let mut stream = its.fan_out(0..2).limit(1).as_completed(async |n| {
                    after(5).await;
                    ended.set(ended.get() + 1);
                    Rc::new(n)
                });
                assert!(futures::poll!(stream.next()).is_pending());
                let stream: Option<wg::AsyncAsCompleted<Unsend<'_>, Rc<i32>>> =
                    (!dropped).then_some(stream);
                stream
            });
            match task.join().await {
                Some(stream) => stream.count().await,
                None => 0,
            }
        }));
        let expected = if dropped { (0, 1) } else { (2, 2) };
        assert_eq!((read, ended.into_inner()), expected);
    }
}

#[test]
fn rule_16_dropped_midway_it_drops_what_has_not_begun_and_what_was_not_taken() {
    for take in [0, 1, 7] {
        let (items, results) = (Rc::new(()), Rc::new(()));
        let vec: Vec<_> = (0..100).map(|_| Rc::clone(&items)).collect();
        block_on(unsend::scope(async |s| {
            let stream = s.fan_out(vec).limit(4).as_completed(async |_item| Rc::clone(&results));
            after(10).await;
            assert_eq!(stream.take(take).count().await, take);
            after(10).await;
            assert_eq!(Rc::strong_count(&items), 1, "all are gone while the scope goes on");
            assert_eq!(Rc::strong_count(&results), 1);
        }));
    }
}

#[test]
fn rule_05_a_panic_of_an_item_is_the_scopes_and_ends_the_stream() {
    let (held, read) = (Rc::new(()), Cell::new(0));
    let payload: Bang = caught(|| {
        block_on(unsend::scope(async |s| {
            let mut stream = s.fan_out(0..9).limit(2).in_order(async |n| {
                let held = Rc::clone(&held);
                if n == 4 { bang(73) } else { held }
            });
            while stream.next().await.is_some() {
                read.set(read.get() + 1);
            }
        }));
    });
    assert_eq!(payload, Bang(73));
    assert!(read.get() <= 4);
    assert_eq!(Rc::strong_count(&held), 1);
}

/// A scope in which somebody reads: its body, or a task.
async fn reads(s: unsend::Scope<'_>, in_task: bool, in_order: bool, held: Rc<()>) {
    let its = s.clone();
    let read = async move {
        let source = (0..6).map(|n| (n, Rc::clone(&held)));
        let fan_out = its.fan_out(source.collect::<Vec<_>>()).limit(2);
        let item = |(n, held): (usize, Rc<()>)| async move {
            after(12 + n % 3).await;
            held
        };
        let mut left = 5;
        // Dropped before the last.
        if in_order {
            let mut stream = fan_out.in_order(item);
            while left > 0 && stream.next().await.is_some() {
                left -= 1;
            }
        } else {
            let mut stream = fan_out.as_completed(item);
            while left > 0 && stream.next().await.is_some() {
                left -= 1;
            }
        }
        assert_eq!(left, 0);
    };
    if in_task {
        s.spawn(read).join().await;
    } else {
        read.await;
    }
}

#[test]
fn rule_24_the_scope_is_dropped_after_any_number_of_polls_and_drops_everything_once() {
    for way in 0..8 {
        let (limit, in_task, in_order) = ([1, 3][way & 1], way & 2 == 0, way & 4 == 0);
        let mut midway = 0;
        for polls in 0.. {
            let held = Rc::new(());
            let its = Rc::clone(&held);
            let options = wg::options().limit(limit).unsend();
            let mut scope = Box::pin(options.scope(|s| reads(s, in_task, in_order, its)));
            let mut context = Context::from_waker(Waker::noop());
            let ended = (0..polls).any(|_| scope.as_mut().poll(&mut context).is_ready());
            midway += usize::from(Rc::strong_count(&held) > 2);
            drop(scope);
            assert_eq!(Rc::strong_count(&held), 1, "after {polls} polls");
            if ended {
                assert!(midway >= 3, "ready after {polls} polls");
                break;
            }
        }
    }
}

#[test]
fn rule_26_wakers_fire_from_other_threads() {
    let threads = RefCell::new(Vec::new());
    let sum = block_on(unsend::scope(async |s| {
        let stream = s.fan_out(0..30).limit(4).as_completed(async |n: usize| {
            let (send, receive) = oneshot::channel();
            threads.borrow_mut().push(thread::spawn(move || send.send(n).unwrap()));
            Rc::new(receive.await.unwrap())
        });
        stream.fold(0, async |sum, (_, n)| sum + *n).await
    }));
    assert_eq!(sum, 29 * 30 / 2);
    threads.into_inner().into_iter().for_each(|thread| thread.join().unwrap());
}
