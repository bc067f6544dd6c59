//! Fan-outs over futures that are not `Send`.

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures::channel::oneshot;
use futures::executor::block_on;
use wg::local::unsend;
use wg::{Cause, Policy, Stopped};

/// Is ready when it has been polled so often.
pub(super) async fn after(polls: usize) {
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// How many values there are, and how many there were.
#[derive(Default)]
pub(super) struct Count {
    pub(super) live: Cell<usize>,
    pub(super) made: Cell<usize>,
}

impl Count {
    pub(super) fn one(&self) -> Live<'_> {
        self.live.set(self.live.get() + 1);
        self.made.set(self.made.get() + 1);
        Live(self)
    }
}

/// A value that is not `Send`, as it counts its end in a cell that is borrowed.
pub(super) struct Live<'a>(&'a Count);

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.0.live.set(self.0.live.get().checked_sub(1).expect("it is dropped once"));
    }
}

/// How many are at work, and how many that were at most.
#[derive(Default)]
struct Gauge {
    now: Cell<usize>,
    most: Cell<usize>,
}

impl Gauge {
    async fn work(&self, weight: usize) -> usize {
        self.now.set(self.now.get() + weight);
        self.most.set(self.most.get().max(self.now.get()));
        after(3).await;
        self.now.set(self.now.get() - weight);
        weight
    }
}

/// An error that is not `Send`.
#[derive(Debug, PartialEq)]
pub(super) enum Bad {
    Item(Rc<usize>),
    Stopped(Cause),
}

impl From<Stopped> for Bad {
    fn from(stopped: Stopped) -> Self {
        Bad::Stopped(stopped.cause().clone())
    }
}

pub(super) fn bad<T>(n: usize) -> Result<T, Bad> {
    Err(Bad::Item(Rc::new(n)))
}

#[test]
fn rule_17_results_are_in_the_order_of_the_items_however_long_each_takes() {
    for limit in [1, 2, 7, 64, 1000] {
        let items = (0..300).map(Rc::new);
        let results = unsend::fan_out(items).limit(limit).map(async |n: Rc<usize>| {
            after(*n * 7 % 13).await;
            n
        });
        assert!(block_on(results).into_iter().map(|n| *n).eq(0..300));
    }
    assert_eq!(block_on(unsend::fan_out(Vec::<Rc<u8>>::new()).map(async |n| n)), []);
}

#[test]
#[expect(clippy::await_holding_refcell_ref, reason = "there is but one item at a time")]
fn rule_01_everything_is_borrowed_from_outside_and_dropped_once() {
    let (items, results, sum) = (Count::default(), Count::default(), RefCell::new(0));
    let source: Vec<_> = (0..100).map(|n| (n, items.one())).collect();
    let fan_out = unsend::fan_out(source).limit(1).map(async |(n, _item)| {
        let mut sum = sum.borrow_mut();
        after(n % 3).await;
        *sum += n;
        results.one()
    });
    let made = block_on(fan_out);
    assert_eq!((items.live.get(), results.live.get(), made.len()), (0, 100, 100));
    drop(made);
    assert_eq!((results.live.get(), results.made.get()), (0, 100));
    assert_eq!(sum.into_inner(), 99 * 100 / 2);
}

#[test]
fn rule_09_no_more_than_the_limit_are_handled_at_once_by_any_verb_and_as_many_are() {
    for (limit, expected) in [(Some(1), 1), (Some(3), 3), (Some(40), 40), (None, 16)] {
        let is_kept =
            |verb: &str, run: &dyn for<'a> Fn(unsend::FanOut<'a, Range<usize>>, &'a Gauge)| {
                let gauge = Gauge::default();
                let fan_out = unsend::fan_out(0..expected * 3);
                let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
                run(fan_out, &gauge);
                assert_eq!(
                    (gauge.now.get(), gauge.most.get()),
                    (0, expected),
                    "{verb} at {limit:?}"
                );
            };
        is_kept("map", &|all, gauge| {
            block_on(all.map(async |_| gauge.work(1).await));
        });
        is_kept("for_each", &|all, gauge| {
            block_on(all.for_each(async |_| _ = gauge.work(1).await));
        });
        is_kept("try_map", &|all, gauge| {
            let all = all.try_map(async |_| Ok::<_, Bad>(gauge.work(1).await));
            block_on(all).unwrap();
        });
        is_kept("try_for_each", &|all, gauge| {
            let all = all.try_for_each(async |_| {
                gauge.work(1).await;
                Ok::<_, Bad>(())
            });
            block_on(all).unwrap();
        });
        is_kept("collect_all", &|all, gauge| {
            let all = all.collect_all(async |n| {
                gauge.work(1).await;
                bad::<()>(n)
            });
            assert_eq!(block_on(all).1.len(), expected * 3);
        });
        is_kept("first_ok", &|all, gauge| {
            let all = all.first_ok(async |n| {
                gauge.work(1).await;
                bad::<()>(n)
            });
            assert_eq!(block_on(all).unwrap_err().len(), expected * 3);
        });
        is_kept("quorum", &|all, gauge| {
            let wanted = expected * 3;
            let all = all.quorum(wanted, async |_| Ok::<_, Bad>(gauge.work(1).await));
            assert_eq!(block_on(all).unwrap().len(), wanted);
        });
        is_kept("grow", &|all, gauge| {
            block_on(all.grow(async |n, more| {
                if n < 100 {
                    more.push(n + 100);
                }
                gauge.work(1).await;
            }));
        });
        is_kept("try_grow", &|all, gauge| {
            let all = all.try_grow(async |n, more| {
                if n < 100 {
                    more.push(n + 100);
                }
                Ok::<_, Bad>(gauge.work(1).await)
            });
            block_on(all).unwrap();
        });
    }
}

#[test]
fn rule_09_a_budget_is_kept_and_what_is_heavier_runs_alone() {
    let (gauge, weighed) = (Gauge::default(), Rc::new(Cell::new(0)));
    let weights = [3, 4, 2, 9, 1, 50, 5, 5, 8].map(Rc::new);
    let its = Rc::clone(&weighed);
    let fan_out = unsend::fan_out(&weights).budget(10, move |weight: &&Rc<usize>| {
        its.set(its.get() + 1);
        ***weight as u64
    });
    let kept = block_on(fan_out.map(async |weight| {
        gauge.work(if **weight == 50 { 10 } else { **weight }).await;
        Rc::clone(weight)
    }));
    assert_eq!(kept, weights);
    assert_eq!((gauge.now.get(), gauge.most.get(), weighed.get()), (0, 10, weights.len()));
}

#[test]
fn rule_10_items_are_pulled_only_when_there_is_room_for_them() {
    for limit in [1, 2, 5] {
        let pulled = Cell::new(0);
        let items = (0..).inspect(|_| pulled.set(pulled.get() + 1));
        let mut all = Box::pin(unsend::fan_out(items).limit(limit).for_each(|_: i32| pending()));
        assert_eq!(pulled.get(), 0);
        for _ in 0..3 {
            assert!(all.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        assert_eq!(pulled.get(), limit);
    }
}

#[test]
fn rule_06_the_first_error_comes_back_and_drops_the_rest() {
    let count = Count::default();
    let fails = async |n: usize| {
        let _live = count.one();
        if n == 2 { bad::<Live<'_>>(n) } else { pending().await }
    };
    let ended = block_on(unsend::fan_out(0..).limit(4).try_map(fails));
    assert_eq!(ended.err(), Some(Bad::Item(Rc::new(2))));
    assert_eq!(count.live.get(), 0);
    assert!((3..=4).contains(&count.made.get()));

    let fails = async |n: usize| fails(n).await.map(drop);
    let ended = block_on(unsend::fan_out(0..).limit(3).try_for_each(fails));
    assert_eq!(ended, bad(2));
    assert_eq!(count.live.get(), 0);

    let policy = Policy::fail_fast().lowest_index();
    let lowest = unsend::fan_out(0..100_usize).limit(8).policy(policy);
    let ended = block_on(lowest.try_for_each(async |n| {
        let n = Rc::new(n);
        after(100 - *n).await;
        if *n >= 3 { Err(Bad::Item(n)) } else { Ok(()) }
    }));
    assert_eq!(ended, bad(3));
}

#[test]
fn rule_07_all_errors_come_back_in_index_order() {
    let fan_out = unsend::fan_out(0..120).limit(10).name("odd");
    let (values, errors) = block_on(fan_out.collect_all(async |n: usize| {
        let n = Rc::new(n);
        after(*n % 7).await;
        if *n % 40 == 39 { Err(Bad::Item(n)) } else { Ok(n) }
    }));
    assert!(values.into_iter().map(|n| *n).eq((0..120).filter(|n| n % 40 != 39)));
    let indices: Vec<_> = errors.iter().map(|it| it.index().unwrap()).collect();
    assert_eq!(indices, [39, 79, 119]);
    assert_eq!(errors.first().unwrap().task().unwrap().name(), Some("odd"));
}

#[test]
fn rule_08_the_first_success_is_it_and_the_losers_are_dropped() {
    let count = Count::default();
    let first = block_on(unsend::fan_out(0..100).limit(10).first_ok(async |n| {
        let live = count.one();
        match n {
            3 => Ok((n, live)),
            0..3 => bad(n),
            _ => pending().await,
        }
    }));
    let Ok((3, winner)) = first else { panic!("it is the only success") };
    assert_eq!(count.live.get(), 1);
    drop(winner);
    assert_eq!(count.live.get(), 0);
    assert!(count.made.get() <= 14);
}

#[test]
fn rule_17_a_quorum_is_the_first_successes_by_completion() {
    let turn = Cell::new(9);
    let successes = block_on(unsend::fan_out(0..10).limit(10).quorum(3, async |n: usize| {
        while turn.get() != n {
            after(1).await;
        }
        turn.set(n.wrapping_sub(1));
        if n == 8 { bad(n) } else { Ok(Rc::new(n * n)) }
    }));
    let successes = successes.expect("most of them succeed");
    assert_eq!(successes, [(9, Rc::new(81)), (7, Rc::new(49)), (6, Rc::new(36))]);
}

struct Node {
    number: u32,
    children: Vec<Rc<Node>>,
}

fn tree(number: u32) -> Rc<Node> {
    let children = if number < 512 { vec![tree(2 * number), tree(2 * number + 1)] } else { vec![] };
    Rc::new(Node { number, children })
}

#[test]
fn rule_03_a_tree_is_walked_whole_at_any_limit() {
    let root = tree(1);
    for limit in [1, 2, 3, 50] {
        let seen = RefCell::new(Vec::new());
        let walk = unsend::fan_out([Rc::clone(&root)]).limit(limit);
        let nodes = block_on(walk.grow(async |node: Rc<Node>, more| {
            after(node.number as usize % 3).await;
            more.extend(node.children.iter().cloned());
            seen.borrow_mut().push(node.number);
            node
        }));
        let mut seen = seen.into_inner();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(1..1024));
        assert_eq!(nodes.len(), 1023);
        drop(nodes);
        assert_eq!(Rc::strong_count(&root), 1);
    }
    let failed = unsend::fan_out([root]).limit(4).try_grow(async |node: Rc<Node>, more| {
        more.extend(node.children.iter().cloned());
        if node.number == 300 { bad(300) } else { Ok(node) }
    });
    assert_eq!(block_on(failed).err(), Some(Bad::Item(Rc::new(300))));
}

#[test]
fn rule_03_what_is_added_after_the_end_is_dropped() {
    let (count, kept) = (Count::default(), RefCell::new(None));
    let grown = block_on(unsend::fan_out([count.one()]).grow(async |item, more| {
        kept.replace(Some(more));
        item
    }));
    assert_eq!((grown.len(), count.live.get()), (1, 1));
    kept.borrow().as_ref().unwrap().push(count.one());
    assert_eq!((count.live.get(), count.made.get()), (1, 2));
}

#[test]
fn rule_26_wakers_fire_from_other_threads() {
    for limit in [1, 4, 30] {
        let threads = RefCell::new(Vec::new());
        let results = block_on(unsend::fan_out(0..30).limit(limit).map(async |n: u32| {
            let held = Rc::new(n);
            let (send, receive) = oneshot::channel();
            threads.borrow_mut().push(thread::spawn(move || send.send(n).unwrap()));
            assert_eq!(receive.await, Ok(n));
            held
        }));
        assert!(results.into_iter().map(|n| *n).eq(0..30));
        threads.into_inner().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn rule_26_they_run_on_tokios_local_set() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let held = Rc::new(2);
    let spawned = async move {
        tokio::task::spawn_local(async move {
            let doubled = unsend::fan_out(0..20).limit(3).map(async |n| {
                let held = Rc::clone(&held);
                tokio::time::sleep(Duration::from_micros(1)).await;
                n * *held
            });
            doubled.await
        })
        .await
    };
    let doubled = runtime.block_on(tokio::task::LocalSet::new().run_until(spawned)).unwrap();
    assert!(doubled.into_iter().eq((0..20).map(|n| 2 * n)));
}

#[test]
fn the_verbs_that_return_all_are_there_in_a_scope_and_in_each_other() {
    let total = Cell::new(0);
    block_on(unsend::scope(async |s| {
        let rows = s.fan_out((0..5).map(Rc::new)).limit(2).map(async |n| {
            let row = unsend::fan_out(0..*n).limit(2).map(async |m| {
                after(2).await;
                total.set(total.get() + m);
                Rc::clone(&n)
            });
            row.await.len()
        });
        assert_eq!(rows.await, [0, 1, 2, 3, 4]);
        let failed = s.fan_out(0..9).try_map(|n| ready(if n == 4 { bad(n) } else { Ok(n) }));
        assert_eq!(failed.await, bad(4));
    }));
    assert_eq!(total.get(), 1 + 3 + 6);
}
