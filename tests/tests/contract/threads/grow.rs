//! Fan-outs that grow.

use std::sync::Mutex;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;

use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught};

#[test]
fn rule_03_a_tree_is_walked_whole_at_any_limit() {
    for limit in [1, 2, 3, 50] {
        let mut nodes = wg::fan_out([1_u32]).limit(limit).grow(|node, more| {
            if node < 1024 {
                more.extend([2 * node, 2 * node + 1]);
            }
            node
        });
        nodes.sort();
        assert!(nodes.into_iter().eq(1..2048));
    }
}

#[test]
fn rule_03_a_graph_of_many_nodes_is_walked_once() {
    const NODES: usize = 100_000;
    let seen: Vec<AtomicBool> = (0..NODES).map(|_| AtomicBool::new(false)).collect();
    let mut walked = wg::fan_out([0]).grow(|node, more| {
        for next in [node * 2 + 1, node * 2 + 2, node * 3 + 1, (node + 1) % NODES] {
            if next < NODES && !seen[next].swap(true, Relaxed) {
                more.push(next);
            }
        }
        node
    });
    // The seed is reached once more.
    walked.sort();
    walked.dedup();
    assert!(walked.into_iter().eq(0..NODES));
}

#[test]
fn rule_17_results_are_in_the_order_in_which_items_were_added() {
    let results = wg::fan_out(0..10).limit(1).grow(|n, more| {
        if n < 10 {
            more.push(n + 100);
        }
        n
    });
    assert_eq!(results.len(), 20);
    for part in [0..10, 100..110] {
        assert!(results.iter().copied().filter(|n| part.contains(n)).eq(part.clone()));
    }
}

#[test]
fn rule_09_no_more_than_the_limit_run_at_once() {
    for limit in [1, 2, 4] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        wg::fan_out(0..50).limit(limit).grow(|n, more| {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            if n < 200 {
                more.push(n + 50);
            }
            std::thread::yield_now();
            now.fetch_sub(1, SeqCst);
        });
        assert!(most.load(SeqCst) <= limit);
    }
}

#[test]
fn rule_03_items_may_be_added_from_threads_inside() {
    let grown = wg::fan_out([3_u32]).grow(|n, more| {
        wg::scope(|s| {
            for _ in 0..n {
                s.spawn(|| more.push(n - 1));
            }
        });
        n
    });
    assert_eq!(grown.len(), 1 + 3 + 6 + 6);
}

#[test]
fn rule_06_an_error_midway_drops_what_has_not_begun() {
    for limit in [1, 3] {
        let (items, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let made = AtomicUsize::new(0);
        let item = |n: u32| {
            made.fetch_add(1, SeqCst);
            (n, Counted(&items))
        };
        let failed = wg::fan_out([item(0)]).limit(limit).try_grow(|(n, _held), more| {
            if n == 500 {
                return Err("five hundred");
            }
            if n < 500 {
                more.extend([item(n + 1), item(1000)]);
            }
            Ok(Counted(&results))
        });
        assert_eq!(failed.unwrap_err(), "five hundred");
        assert_eq!(items.load(SeqCst), made.load(SeqCst));
        assert!(results.load(SeqCst) >= 500);
    }
}

#[test]
fn rule_05_a_panic_midway_is_resumed_and_bombs_take_nothing_with_them() {
    let first: Bang = caught(|| {
        wg::fan_out([0]).grow(|n, more| {
            more.push(n + 1);
            if n == 100 {
                bang(640)
            }
            Bomb::new(n)
        })
    });
    assert_eq!(first, Bang(640));
    let _: Boom = caught(|| {
        wg::fan_out([0]).try_grow(|n, more| {
            more.push(n + 1);
            if n == 100 { Err("hundred") } else { Ok(Bomb::new(n)) }
        })
    });
    let bomb = Bomb::new(0);
    let _: Boom = caught(move || {
        wg::fan_out(0..9).grow(move |_, _| {
            let _held = &bomb;
        })
    });
}

#[test]
fn rule_18_one_that_was_cut_short_does_not_pass_as_whole() {
    for limit in [1, 3] {
        let cancel = wg::Cancel::new();
        let stopped =
            wg::options().cancel(&cancel).fan_out([0]).limit(limit).try_grow(|n, more| {
                more.push(n + 1);
                if n == 50 {
                    cancel.cancel("enough");
                }
                Ok::<_, String>(n)
            });
        assert_eq!(stopped.unwrap_err(), "stopped: cancelled: enough");
        let late = wg::fan_out([0_u64]).limit(limit).timeout(Duration::from_millis(2)).try_grow(
            |n, more| {
                more.push(n + 1);
                Ok::<_, std::io::Error>(n)
            },
        );
        assert_eq!(late.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
        // Seeds that were never begun are lost as well.
        let cancel = wg::Cancel::new();
        let stopped =
            wg::options().cancel(&cancel).fan_out(0..100).limit(limit).try_grow(|n, _| {
                if n == 0 {
                    cancel.cancel("enough");
                }
                Ok::<_, String>(n)
            });
        assert_eq!(stopped.unwrap_err(), "stopped: cancelled: enough");
    }
    let cancel = wg::Cancel::new();
    let whole = wg::options().cancel(&cancel).fan_out([0]).limit(1).try_grow(|n, _| {
        cancel.cancel("too late");
        Ok::<_, String>(n)
    });
    assert_eq!(whole.unwrap(), [0]);
}

#[test]
fn rule_01_seeds_and_added_items_are_dropped_once() {
    let drops = AtomicUsize::new(0);
    let seeds: Vec<_> = (0..10).map(|n| (n, Counted(&drops))).collect();
    let kept = Mutex::new(Vec::new());
    wg::fan_out(seeds).grow(|(n, held), more| {
        if n < 100 {
            more.push((n + 10, Counted(&drops)));
        }
        kept.lock().unwrap().push(held);
    });
    assert_eq!((drops.load(SeqCst), kept.lock().unwrap().len()), (0, 110));
    drop(kept);
    assert_eq!(drops.load(SeqCst), 110);
}
