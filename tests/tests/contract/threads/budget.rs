//! Budgets of fan-outs: weight in flight.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Barrier, Mutex};

use wg::Policy;
use wg_tests::{Bang, Bomb, bang, caught, until};

const TOTAL: u64 = 100;

/// What is in flight, and the most there ever was.
#[derive(Default)]
struct Scales {
    now: AtomicU64,
    count: AtomicU64,
}

impl Scales {
    fn carry(&self, weight: u64) {
        let now = self.now.fetch_add(weight, SeqCst) + weight;
        let count = self.count.fetch_add(1, SeqCst) + 1;
        assert!(now <= TOTAL || count == 1, "{now} in {count} items");
        for _ in 0..weight % 7 {
            std::thread::yield_now();
            let now = self.now.load(SeqCst);
            assert!(now <= TOTAL || now == weight);
        }
        self.count.fetch_sub(1, SeqCst);
        self.now.fetch_sub(weight, SeqCst);
    }
}

fn weights() -> impl Iterator<Item = u64> + Send {
    (0..400_u64).map(|n| [1, 60, 3, 40, 250, 0, 99, 100, 101, 7][(n * n % 10) as usize] + n % 2)
}

#[test]
fn rule_09_the_weight_in_flight_never_exceeds_the_budget() {
    for limit in [None, Some(1), Some(2), Some(5)] {
        let scales = Scales::default();
        let fan_out = wg::fan_out(weights()).budget(TOTAL, |&weight| weight);
        let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
        let done = fan_out.map(|weight| {
            scales.carry(weight);
            weight
        });
        assert!(done.into_iter().eq(weights()));
    }
}

#[test]
fn rule_09_a_stream_keeps_its_budget_as_well() {
    for limit in [1, 3, 20] {
        let scales = Scales::default();
        wg::scope(|s| {
            let scales = &scales;
            let carry = move |weight| {
                scales.carry(weight);
                weight
            };
            let stream = s.fan_out(weights()).limit(limit).budget(TOTAL, |&weight| weight);
            assert!(stream.in_order(carry).eq(weights()));
            let stream = s.fan_out(weights()).limit(limit).budget(TOTAL, |&weight| weight);
            let mut all: Vec<_> = stream.as_completed(carry).collect();
            all.sort();
            assert!(all.into_iter().map(|(_, weight)| weight).eq(weights()));
        });
    }
}

#[test]
fn rule_12_as_many_as_fit_are_in_flight_at_once() {
    for limit in [None, Some(10), Some(30)] {
        let barrier = Barrier::new(10);
        let fan_out = wg::fan_out(0..40).budget(TOTAL, |_| 10);
        let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
        fan_out.for_each(|_| {
            barrier.wait();
        });
    }
    // Under a limit of 2, two: whoever finds another busy with the next item does not stay away.
    for _ in 0..50 {
        let barrier = Barrier::new(2);
        wg::fan_out(0..100).limit(2).budget(TOTAL, |_| 10).for_each(|_| {
            barrier.wait();
        });
    }
}

#[test]
fn rule_17_items_begin_in_their_order_also_behind_one_that_is_heavy() {
    let begun = Mutex::new(Vec::new());
    let weights = [10, 10, 95, 1, 1, 300, 1, 100, 50, 50, 1];
    wg::fan_out(0..weights.len()).budget(TOTAL, |&n| weights[n]).for_each(|n| {
        begun.lock().unwrap().push(n);
        (0..n % 3).for_each(|_| std::thread::yield_now());
    });
    // Those that may be in flight together may say so in any order; the others not.
    let begun = begun.into_inner().unwrap();
    let place = |n| begun.iter().position(|&other| other == n).unwrap();
    assert!(place(2) > place(0) && place(2) > place(1));
    assert!((3..5).all(|n| place(n) > place(1)));
    assert_eq!(place(5), 5);
    assert!(place(7) > place(6) && place(10) > place(7));
}

#[test]
fn rule_09_the_heaviest_of_all_run_alone() {
    let now = AtomicU64::new(0);
    let done = wg::fan_out(0..50)
        .limit(4)
        .budget(u64::MAX, |n| if n % 2 == 0 { u64::MAX } else { 1 })
        .map(|n| {
            let others = now.fetch_add(1, SeqCst);
            assert!(n % 2 == 1 || others == 0);
            std::thread::yield_now();
            assert!(n % 2 == 1 || now.load(SeqCst) == 1);
            now.fetch_sub(1, SeqCst);
            n
        });
    assert!(done.into_iter().eq(0..50));
}

#[test]
fn rule_05_a_weight_that_panics_is_its_items_panic() {
    for limit in [1, 2, 9] {
        let first: Bang = caught(|| {
            wg::fan_out(0..50)
                .limit(limit)
                .budget(9, |&n| if n == 7 { bang(610) } else { 3 })
                .map(|n| n)
        });
        assert_eq!(first, Bang(610));
        let (values, errors) = wg::fan_out(0..50)
            .limit(limit)
            .catch_panics()
            .budget(9, |&n| if n == 7 { bang(611) } else { 3 })
            .collect_all(Ok::<_, ()>);
        assert_eq!((values.len(), errors.len(), errors.first().unwrap().index()), (49, 1, Some(7)));
        let first: Bang = caught(|| {
            wg::scope(|s| {
                s.fan_out(0..50)
                    .limit(limit)
                    .budget(9, |&n| if n == 7 { bang(612) } else { 3 })
                    .in_order(|n| n)
                    .count()
            })
        });
        assert_eq!(first, Bang(612));
    }
}

#[test]
fn rule_19_a_cancel_ends_it_also_where_an_item_waits_for_room() {
    for limit in [1, 2, 7] {
        let cancel = wg::Cancel::new();
        let ended =
            wg::fan_out(0..100).limit(limit).cancel(&cancel).budget(10, |_| 6).try_map(|n| {
                if n == 5 {
                    cancel.cancel("enough");
                }
                Ok::<_, String>(n)
            });
        assert_eq!(ended.unwrap_err(), "stopped: cancelled: enough");
        let error = wg::fan_out(0..100)
            .limit(limit)
            .budget(10, |_| 6)
            .try_map(|n| if n == 5 { Err("five") } else { Ok(()) });
        assert_eq!(error, Err("five"));
        let policy = Policy::fail_fast().lowest_index();
        let error = wg::fan_out(0..100)
            .limit(limit)
            .policy(policy)
            .budget(10, |_| 5)
            .try_map(|n| if n >= 5 { Err(n.to_string()) } else { Ok(()) });
        assert_eq!(error, Err("5".to_owned()));
    }
}

#[test]
fn rule_01_an_item_that_waits_for_room_is_dropped_with_the_rest() {
    // Its drop panics, beside the panic that ends it all: that one comes out.
    for _ in 0..20 {
        let weighed = AtomicU64::new(0);
        let weigh = |_: &Bomb| {
            weighed.fetch_add(1, SeqCst);
            6
        };
        let _: Bang = caught(|| {
            wg::fan_out((0..9).map(Bomb::new)).limit(3).budget(10, weigh).for_each(|bomb| {
                std::mem::forget(bomb);
                until(|| weighed.load(SeqCst) == 2);
                bang(613)
            });
        });
    }
}

/// Whoever blocks in the source holds up nobody who is done.
#[test]
fn rule_12_a_source_that_waits_for_a_result_that_was_read_gets_it() {
    for limit in [2, 3, 8] {
        let read = AtomicU64::new(0);
        let mut given = 0;
        let source = std::iter::from_fn(|| {
            until(|| read.load(SeqCst) == given);
            given += 1;
            (given <= 200).then_some(given)
        });
        wg::scope(|s| {
            for _ in s.fan_out(source).limit(limit).budget(100, |_| 1).as_completed(|n| n) {
                read.fetch_add(1, SeqCst);
            }
        });
        assert_eq!(read.load(SeqCst), 200);
    }
}

#[test]
fn rule_09_a_budget_of_0_is_refused_where_it_is_given() {
    let words: &str = caught(|| wg::fan_out(0..3).budget(0, |_| 1));
    assert!(words.starts_with("a budget of 0"), "{words}");
}
