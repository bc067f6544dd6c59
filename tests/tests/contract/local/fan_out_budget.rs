//! Budgets of fan-outs of futures: weight in flight.

use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;

use futures::StreamExt;
use futures::executor::block_on;
use wg::{Policy, local};
use wg_tests::{Bang, Bomb, Boom, bang, caught};

/// Is ready when it has been polled so often.
async fn after(polls: usize) {
    let mut left = polls;
    std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

const TOTAL: u64 = 100;

/// What is in flight.
#[derive(Default)]
struct Scales {
    now: AtomicU64,
    count: AtomicU64,
    most: AtomicU64,
}

impl Scales {
    async fn carry(&self, weight: u64) -> u64 {
        let now = self.now.fetch_add(weight, SeqCst) + weight;
        let count = self.count.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(count, SeqCst);
        assert!(now <= TOTAL || count == 1, "{now} in {count} items");
        for _ in 0..weight % 7 {
            after(1).await;
            let now = self.now.load(SeqCst);
            assert!(now <= TOTAL || now == weight);
        }
        self.count.fetch_sub(1, SeqCst);
        self.now.fetch_sub(weight, SeqCst);
        weight
    }
}

fn weights() -> impl Iterator<Item = u64> + Send {
    (0..400_u64).map(|n| [1, 60, 3, 40, 250, 0, 99, 100, 101, 7][(n * n % 10) as usize] + n % 2)
}

#[test]
fn rule_09_the_weight_in_flight_never_exceeds_the_budget() {
    for limit in [None, Some(1), Some(2), Some(5)] {
        let scales = Scales::default();
        let fan_out = local::fan_out(weights()).budget(TOTAL, |&weight| weight);
        let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
        let done = block_on(fan_out.map(|weight| scales.carry(weight)));
        assert!(done.into_iter().eq(weights()));
        assert!(limit == Some(1) || scales.most.load(SeqCst) > 1);
    }
}

#[test]
fn rule_09_a_stream_keeps_its_budget_as_well() {
    for limit in [1, 3, 20] {
        let scales = Scales::default();
        block_on(local::scope(async |s| {
            let carry = |weight| scales.carry(weight);
            let stream = s.fan_out(weights()).limit(limit).budget(TOTAL, |&weight| weight);
            assert!(stream.in_order(carry).collect::<Vec<_>>().await.into_iter().eq(weights()));
            let stream = s.fan_out(weights()).limit(limit).budget(TOTAL, |&weight| weight);
            let mut all: Vec<_> = stream.as_completed(carry).collect().await;
            all.sort();
            assert!(all.into_iter().map(|(_, weight)| weight).eq(weights()));
        }));
    }
}

/// A task that reads handles an item itself, and gives the stream away: its weight is given back.
#[test]
fn rule_09_what_a_reader_has_handled_itself_weighs_no_more() {
    let read = block_on(wg::options().limit(1).local().scope(async |s| {
        let its = s.clone();
        let task = s.spawn(async move {
            let fan_out = its.fan_out(0..9).limit(3).budget(10, |_| 8);
            let mut stream = fan_out.in_order(async |n| n);
            assert_eq!(stream.next().await, Some(0));
            stream
        });
        task.join().await.collect::<Vec<_>>().await
    }));
    assert!(read.into_iter().eq(1..9));
}

#[test]
fn rule_12_as_many_as_fit_are_in_flight_at_once() {
    for limit in [None, Some(10), Some(30)] {
        let barrier = tokio::sync::Barrier::new(10);
        let fan_out = local::fan_out(0..40).budget(TOTAL, |_| 10);
        let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
        block_on(fan_out.for_each(async |_| _ = barrier.wait().await));
    }
}

#[test]
fn rule_17_items_begin_in_their_order_also_behind_one_that_is_heavy() {
    let begun = Mutex::new(Vec::new());
    let weights = [10, 10, 95, 1, 1, 300, 1, 100, 50, 50, 1];
    let fan_out = local::fan_out(0..weights.len()).budget(TOTAL, |&n| weights[n]);
    block_on(fan_out.for_each(async |n| {
        begun.lock().unwrap().push(n);
        after(n % 3).await;
    }));
    assert!(begun.into_inner().unwrap().into_iter().eq(0..weights.len()));
}

#[test]
fn rule_09_the_heaviest_of_all_run_alone() {
    let now = AtomicU64::new(0);
    let fan_out = local::fan_out(0..50).limit(4);
    let done = fan_out.budget(u64::MAX, |n| if n % 2 == 0 { u64::MAX } else { 1 });
    let done = block_on(done.map(async |n| {
        let others = now.fetch_add(1, SeqCst);
        assert!(n % 2 == 1 || others == 0);
        after(2).await;
        assert!(n % 2 == 1 || now.load(SeqCst) == 1);
        now.fetch_sub(1, SeqCst);
        n
    }));
    assert!(done.into_iter().eq(0..50));
}

#[test]
fn rule_05_a_weight_that_panics_is_its_items_panic() {
    for limit in [1, 2, 9] {
        let weight = |&n: &u32| if n == 7 { bang(610) } else { 3 };
        let first: Bang = caught(|| {
            block_on(local::fan_out(0..50).limit(limit).budget(9, weight).map(async |n| n))
        });
        assert_eq!(first, Bang(610));
        let fan_out = local::fan_out(0..50).limit(limit).catch_panics().budget(9, weight);
        let (values, errors) = block_on(fan_out.collect_all(async |n| Ok::<_, ()>(n)));
        assert_eq!((values.len(), errors.len(), errors.first().unwrap().index()), (49, 1, Some(7)));
        let first: Bang = caught(|| {
            block_on(local::scope(async |s| {
                let stream = s.fan_out(0..50).limit(limit).budget(9, weight);
                stream.in_order(async |n| n).count().await
            }))
        });
        assert_eq!(first, Bang(610));
    }
}

#[test]
fn rule_19_a_cancel_ends_it_also_where_an_item_waits_for_room() {
    for limit in [1, 2, 7] {
        let cancel = wg::Cancel::new();
        let fan_out = local::fan_out(0..100).limit(limit).cancel(&cancel).budget(10, |_| 6);
        let ended = fan_out.try_map(async |n| {
            after(1).await;
            if n == 5 {
                cancel.cancel("enough");
            }
            Ok::<_, String>(n)
        });
        assert_eq!(block_on(ended).unwrap_err(), "stopped: cancelled: enough");
        let fan_out = local::fan_out(0..100).limit(limit).budget(10, |_| 6);
        let error = fan_out.try_map(async |n| if n == 5 { Err("five") } else { Ok(()) });
        assert_eq!(block_on(error), Err("five"));
        let policy = Policy::fail_fast().lowest_index();
        let fan_out = local::fan_out(0..100).limit(limit).policy(policy).budget(10, |_| 5);
        let error = fan_out.try_map(async |n| {
            after(100 - n).await;
            if n >= 5 { Err(n.to_string()) } else { Ok(()) }
        });
        assert_eq!(block_on(error), Err("5".to_owned()));
    }
}

#[test]
fn rule_01_an_item_that_waits_for_room_is_dropped_with_the_rest() {
    // Its drop panics, beside the panic that ends it all: that one comes out.
    let fan_out = local::fan_out((0..9).map(Bomb::new)).limit(3).budget(10, |_| 6);
    let _: Bang = caught(|| {
        block_on(fan_out.for_each(|bomb| {
            std::mem::forget(bomb);
            async {
                after(5).await;
                bang(613)
            }
        }))
    });
    // In a stream that is dropped.
    let _: Boom = caught(|| {
        block_on(local::scope(async |s| {
            let stream = s.fan_out((0..9).map(Bomb::new)).limit(3).budget(10, |_| 6);
            let mut stream = pin!(stream.as_completed(|bomb| {
                std::mem::forget(bomb);
                after(5)
            }));
            assert!(stream.next().await.is_some());
            // The next one is found to be too heavy meanwhile.
            after(2).await;
        }))
    });
}

#[test]
fn rule_09_a_budget_of_0_is_refused_where_it_is_given() {
    let words: &str = caught(|| local::fan_out(0..3).budget(0, |_| 1));
    assert!(words.starts_with("a budget of 0"), "{words}");
}
