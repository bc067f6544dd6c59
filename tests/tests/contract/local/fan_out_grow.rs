//! Fan-outs of futures that grow.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::executor::block_on;
use futures::task::noop_waker;
use wg::{Policy, local};
use wg_tests::{Bang, Bomb, Boom, Counted, bang, caught};

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

fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&noop_waker()))
}

#[test]
fn rule_03_a_tree_is_walked_whole_at_any_limit() {
    for limit in [1, 2, 3, 50] {
        let mut nodes = block_on(local::fan_out([1_u32]).limit(limit).grow(async |node, more| {
            after(node as usize % 3).await;
            if node < 1024 {
                more.extend([2 * node, 2 * node + 1]);
            }
            node
        }));
        nodes.sort();
        assert!(nodes.into_iter().eq(1..2048));
    }
    assert_eq!(block_on(local::fan_out(0..0).grow(async |n: u8, _| n)), [0_u8; 0]);
}

#[test]
fn rule_03_a_graph_of_many_nodes_is_walked_once() {
    const NODES: usize = 20_000;
    let seen: Vec<AtomicBool> = (0..NODES).map(|_| AtomicBool::new(false)).collect();
    let mut walked = block_on(local::fan_out([0]).grow(async |node, more| {
        for next in [node * 2 + 1, node * 2 + 2, node * 3 + 1, (node + 1) % NODES] {
            if next < NODES && !seen[next].swap(true, SeqCst) {
                more.push(next);
            }
        }
        node
    }));
    // The seed is reached once more.
    walked.sort();
    walked.dedup();
    assert!(walked.into_iter().eq(0..NODES));
}

#[test]
fn rule_17_results_are_in_the_order_in_which_items_were_added() {
    for limit in [1, 3] {
        let results = block_on(local::fan_out(0..10).limit(limit).grow(async |n, more| {
            after((10 - n % 10) % 4).await;
            if n < 10 {
                more.push(n + 100);
            }
            n
        }));
        assert_eq!(results.len(), 20);
        assert!(results.iter().copied().filter(|n| *n < 10).eq(0..10));
        assert_eq!(results.iter().filter(|n| **n >= 100).count(), 10);
    }
}

#[test]
fn rule_09_as_many_as_the_limit_run_at_once_and_no_more() {
    for limit in [1, 2, 4] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        block_on(local::fan_out([0]).limit(limit).grow(async |n, more| {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            if n < 50 {
                more.extend([n + 1, 100]);
            }
            after(3).await;
            now.fetch_sub(1, SeqCst);
        }));
        assert_eq!(most.into_inner(), limit);
    }
}

/// An item waits for one that it has added; and it is added while nobody is polled but who waits.
#[test]
fn rule_12_an_item_that_waits_for_what_it_has_added_gets_it() {
    for late in [true, false] {
        let (send, receive) = futures::channel::oneshot::channel();
        let ends = Mutex::new((Some(send), Some(receive)));
        let grown = block_on(local::fan_out([0]).limit(2).grow(async |n, more| {
            if n == 0 {
                if late {
                    after(5).await;
                }
                more.push(1);
                let receive = ends.lock().unwrap().1.take().unwrap();
                return receive.await.unwrap();
            }
            let send = ends.lock().unwrap().0.take().unwrap();
            send.send(7).unwrap();
            n
        }));
        assert_eq!(grown, [7, 1]);
    }
}

#[test]
fn rule_03_items_may_be_added_from_other_threads() {
    let grown = block_on(local::fan_out([3_u32]).limit(2).grow(async |n, more| {
        let (send, receive) = futures::channel::oneshot::channel();
        let adder = std::thread::spawn(move || {
            for _ in 0..n {
                more.clone().push(n - 1);
            }
            drop(more);
            send.send(()).unwrap();
        });
        receive.await.unwrap();
        adder.join().unwrap();
        n
    }));
    assert_eq!(grown.len(), 1 + 3 + 6 + 6);
}

#[test]
fn rule_03_what_is_added_after_the_end_is_dropped() {
    let drops = AtomicUsize::new(0);
    let kept = Mutex::new(None);
    let grown = block_on(local::fan_out([Counted(&drops)]).grow(async |item, more| {
        *kept.lock().unwrap() = Some(more);
        drop(item);
    }));
    assert_eq!((grown.len(), drops.load(SeqCst)), (1, 1));
    kept.lock().unwrap().as_ref().unwrap().push(Counted(&drops));
    assert_eq!(drops.load(SeqCst), 2);
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
        let item = &item;
        let walk = local::fan_out([item(0)]).limit(limit).try_grow(async |(n, _held), more| {
            if n == 500 {
                return Err("five hundred");
            }
            if n < 500 {
                more.extend([item(n + 1), item(1000)]);
            }
            Ok(Counted(&results))
        });
        assert_eq!(block_on(walk).unwrap_err(), "five hundred");
        assert_eq!(items.load(SeqCst), made.load(SeqCst));
        assert!(results.load(SeqCst) >= 500);
    }
}

#[test]
fn rule_05_a_panic_midway_is_resumed_and_bombs_take_nothing_with_them() {
    let first: Bang = caught(|| {
        block_on(local::fan_out([0]).grow(async |n, more| {
            more.push(n + 1);
            if n == 100 {
                bang(740)
            }
            Bomb::new(n)
        }))
    });
    assert_eq!(first, Bang(740));
    let _: Boom = caught(|| {
        block_on(local::fan_out([0]).try_grow(async |n, more| {
            more.push(n + 1);
            if n == 100 { Err("hundred") } else { Ok(Bomb::new(n)) }
        }))
    });
    // Items that have not begun.
    let _: Boom = caught(|| {
        block_on(local::fan_out([Bomb::new(0)]).limit(1).try_grow(|bomb, more| {
            let n = bomb.0;
            std::mem::forget(bomb);
            more.extend([Bomb::new(n + 1), Bomb::new(n + 1)]);
            async move { if n == 5 { Err("five") } else { Ok(()) } }
        }))
    });
}

#[test]
fn rule_18_one_that_was_cut_short_does_not_pass_as_whole() {
    for limit in [1, 3] {
        let cancel = wg::Cancel::new();
        let options = wg::options().cancel(&cancel).local();
        let stopped = options.fan_out([0]).limit(limit).try_grow(async |n, more| {
            more.push(n + 1);
            if n == 50 {
                cancel.cancel("enough");
                // Also from an item, after the cancel.
                more.push(1000);
            }
            Ok::<_, String>(n)
        });
        assert_eq!(block_on(stopped).unwrap_err(), "stopped: cancelled: enough");
        let late = local::fan_out([0_u64]).limit(limit).timeout(Duration::from_millis(2));
        let late = late.try_grow(async |n, more| {
            more.push(n + 1);
            Ok::<_, std::io::Error>(n)
        });
        assert_eq!(block_on(late).unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    }
    let cancel = wg::Cancel::new();
    let options = wg::options().cancel(&cancel).local();
    let whole = options.fan_out([0]).limit(1).try_grow(async |n, _| {
        cancel.cancel("too late");
        Ok::<_, String>(n)
    });
    assert_eq!(block_on(whole), Ok(vec![0]));
}

#[test]
fn rule_06_the_lowest_index_is_kept_in_one_that_grows() {
    let policy = Policy::fail_fast().lowest_index();
    let walk = local::fan_out(0..6_usize).limit(4).policy(policy);
    let failed = block_on(walk.try_grow(async |n, more| {
        after(20 - n % 20).await;
        if n < 3 {
            more.push(100 + n);
        }
        if (4..100).contains(&n) { Err(n.to_string()) } else { Ok(()) }
    }));
    assert_eq!(failed, Err("4".to_owned()));
}

#[test]
fn rule_24_dropping_the_future_drops_seeds_and_what_was_added() {
    let drops = AtomicUsize::new(0);
    let seeds: Vec<_> = (0..10).map(|_| Counted(&drops)).collect();
    let drops_ref = &drops;
    let mut grow = Box::pin(local::fan_out(seeds).limit(2).grow(move |held, more| {
        more.push(Counted(drops_ref));
        async move {
            let _held = held;
            pending::<()>().await
        }
    }));
    assert!(poll_once(grow.as_mut()).is_pending());
    assert!(poll_once(grow.as_mut()).is_pending());
    assert_eq!(drops.load(SeqCst), 0);
    drop(grow);
    assert_eq!(drops.into_inner(), 12);
}
