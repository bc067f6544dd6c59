//! Results of a fan-out of futures while it runs.

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::Poll;

use futures::executor::block_on;
use futures::{Stream, StreamExt};
use wg::local;
use wg_tests::Counted;

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

#[test]
fn rule_17_in_order_and_as_completed_give_every_result_once() {
    for limit in [1, 2, 3, 50] {
        for count in [0, 1, 2, 300] {
            block_on(local::scope(async |s| {
                let work = async |n: usize| {
                    after(n * 7 % 11).await;
                    n * 2
                };
                let ordered = s.fan_out(0..count).limit(limit).in_order(work);
                let ordered: Vec<_> = ordered.collect().await;
                assert!(ordered.into_iter().eq((0..count).map(|n| n * 2)));
                let all = s.fan_out(0..count).limit(limit).as_completed(work);
                let all: BTreeSet<_> = all.collect().await;
                assert!(all.into_iter().eq((0..count).map(|n| (n, n * 2))));
            }));
        }
    }
}

#[test]
fn rule_16_many_items_flow_and_the_end_stays() {
    block_on(local::scope(async |s| {
        let mut stream = s.fan_out(0..100_000_u32).limit(16).in_order(async |n| n);
        for n in 0..100_000 {
            assert_eq!(stream.next().await, Some(n));
        }
        assert_eq!((stream.next().await, stream.next().await), (None, None));
    }));
}

#[test]
fn rule_17_what_is_completed_first_is_read_first() {
    let (send, receive) = futures::channel::oneshot::channel::<()>();
    let receive = Mutex::new(Some(receive));
    block_on(local::scope(async |s| {
        let receive = &receive;
        let mut stream = s.fan_out(0..2).limit(2).as_completed(move |n| async move {
            if n == 0 {
                let receive = receive.lock().unwrap().take().unwrap();
                receive.await.unwrap();
            }
            n
        });
        // The first item ends only after the second was read.
        assert_eq!(stream.next().await, Some((1, 1)));
        send.send(()).unwrap();
        assert_eq!(stream.next().await, Some((0, 0)));
        assert_eq!(stream.next().await, None);
    }));
}

#[test]
fn rule_16_no_more_are_pulled_and_not_taken_than_the_limit() {
    for limit in [1, 2, 5] {
        for in_order in [true, false] {
            let pulled = AtomicUsize::new(0);
            let source = (0..40_usize).inspect(|_| _ = pulled.fetch_add(1, SeqCst));
            block_on(local::scope(async |s| {
                let fan_out = s.fan_out(source).limit(limit);
                let mut results: Pin<Box<dyn Stream<Item = usize> + Send>> = if in_order {
                    Box::pin(fan_out.in_order(async |n| n))
                } else {
                    Box::pin(fan_out.as_completed(async |n| n).map(|(_, n)| n))
                };
                for taken in 0..40 {
                    // The items go on while nobody reads, as far as there is room.
                    after(50).await;
                    assert_eq!(pulled.load(SeqCst), (taken + limit).min(40));
                    assert_eq!(results.next().await, Some(taken));
                }
                assert_eq!(results.next().await, None);
            }));
        }
    }
}

#[test]
fn rule_10_one_that_nobody_reads_keeps_no_slot_from_other_tasks() {
    for limit in [1, 2] {
        let sum = block_on(wg::options().limit(limit).local().scope(async |s| {
            let stream = s.fan_out(0..10_u32).limit(5).in_order(async |n| n);
            after(20).await;
            // Where the room is full, its strands have gone.
            assert_eq!(s.counts().running, 0);
            let task = s.spawn(async { 7 }).join().await;
            task + stream.fold(0, async |sum, n| sum + n).await
        }));
        assert_eq!(sum, 7 + 45);
    }
}

#[test]
fn rule_03_it_may_be_read_in_a_task_at_any_limit() {
    for limit in [1, 2, 3, 7] {
        for inner in [1, 2, 9] {
            let sums = block_on(wg::options().limit(limit).local().scope(async |s| {
                let tasks: Vec<_> = (0..6)
                    .map(|_| {
                        let its = s.clone();
                        s.spawn(async move {
                            let work = async |n: usize| {
                                after(n % 3).await;
                                n
                            };
                            let ordered = its.fan_out(0..100).limit(inner).in_order(work);
                            let ordered = ordered.fold(0, async |sum, n| sum + n).await;
                            let completed = its.fan_out(0..100).limit(inner).as_completed(work);
                            ordered + completed.fold(0, async |sum, (_, n)| sum + n).await
                        })
                    })
                    .collect();
                let mut sums = Vec::new();
                for task in tasks {
                    sums.push(task.join().await);
                }
                sums
            }));
            assert_eq!(sums, [9900; 6]);
        }
    }
}

#[test]
fn rule_09_a_task_that_reads_keeps_the_limits() {
    for (limit, inner) in [(1, 5), (2, 2), (3, 1)] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        block_on(wg::options().limit(limit).local().scope(async |s| {
            for _ in 0..3 {
                let (its, now, most) = (s.clone(), &now, &most);
                drop(s.spawn(async move {
                    let items = its.fan_out(0..50).limit(inner).in_order(move |n| async move {
                        most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
                        after(2).await;
                        now.fetch_sub(1, SeqCst);
                        n
                    });
                    assert_eq!(items.count().await, 50);
                }));
            }
        }));
        assert!((1..=limit).contains(&most.load(SeqCst)), "{most:?} at {limit}");
    }
}

/// A task that reads has an item in hand, and gives the stream away: it goes on elsewhere.
#[test]
fn rule_03_an_item_in_the_hands_of_a_reader_goes_on_when_that_reads_no_more() {
    for dropped in [true, false] {
        let ended = AtomicUsize::new(0);
        let read = block_on(wg::options().limit(1).local().scope(async |s| {
            let (its, ended) = (s.clone(), &ended);
            let task = s.spawn(async move {
                let mut stream = its.fan_out(0..2).limit(1).as_completed(move |n| async move {
                    after(5).await;
                    ended.fetch_add(1, SeqCst);
                    n
                });
                assert!(futures::poll!(stream.next()).is_pending());
                (!dropped).then_some(stream)
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
        let (items, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let vec: Vec<_> = (0..100).map(|_| Counted(&items)).collect();
        block_on(local::scope(async |s| {
            let results = &results;
            let stream =
                s.fan_out(vec).limit(4).as_completed(move |_item| async move { Counted(results) });
            after(10).await;
            assert_eq!(stream.take(take).count().await, take);
            after(10).await;
            assert_eq!(items.load(SeqCst), 100, "all are gone while the scope goes on");
        }));
        let made = results.load(SeqCst);
        assert!((take..=take + 4).contains(&made), "{made} results for {take} that were taken");
    }
}

#[test]
fn rule_16_items_that_have_begun_go_on_when_it_is_dropped() {
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    block_on(local::scope(async |s| {
        let (begun, ended) = (&begun, &ended);
        let stream = s.fan_out(0..9).limit(3).in_order(move |_| async move {
            begun.fetch_add(1, SeqCst);
            after(60).await;
            ended.fetch_add(1, SeqCst);
        });
        after(20).await;
        drop(stream);
    }));
    assert_eq!((begun.into_inner(), ended.into_inner()), (3, 3));
}

#[test]
fn rule_12_a_source_may_be_fed_by_whoever_reads() {
    for limit in [1, 2, 6] {
        let queue = Mutex::new(vec![0_u32]);
        block_on(local::scope(async |s| {
            let queue = &queue;
            // It says that it has ended when it is empty: so it is fed before that is asked.
            let items = std::iter::from_fn(move || queue.lock().unwrap().pop());
            let mut stream = pin!(s.fan_out(items).limit(limit).as_completed(|n| {
                if n < 500 {
                    queue.lock().unwrap().push(n + 1);
                }
                async move { n }
            }));
            let mut last = None;
            while let Some((_, n)) = stream.next().await {
                last = last.max(Some(n));
            }
            assert_eq!(last, Some(500));
        }));
    }
}

#[test]
fn rule_14_streams_run_side_by_side_and_in_each_other() {
    block_on(local::scope(async |s| {
        let mut left = s.fan_out(0..300).limit(3).in_order(async |n| n);
        let mut right = s.fan_out(0..300).limit(2).in_order(async |n| n);
        for n in 0..300 {
            assert_eq!((left.next().await, right.next().await), (Some(n), Some(n)));
        }
        let its = s.clone();
        let nested = s.fan_out(0..20).limit(2).in_order(move |n| {
            let its = its.clone();
            async move { its.fan_out(0..n).limit(2).in_order(async |n| n).count().await }
        });
        assert!(nested.collect::<Vec<_>>().await.into_iter().eq(0..20));
    }));
}

/// An item that a reader has in hand wakes itself until another task has run.
#[test]
fn rule_03_a_reader_with_an_item_in_hand_lets_others_have_their_turn() {
    let turn = AtomicUsize::new(0);
    block_on(wg::options().limit(2).local().scope(async |s| {
        let (its, turn) = (s.clone(), &turn);
        let reader = s.spawn(async move {
            let items = its.fan_out(0..3).limit(1).in_order(move |_| async move {
                while turn.load(SeqCst) == 0 {
                    after(1).await;
                }
            });
            items.count().await
        });
        let other = s.spawn(async move {
            after(20).await;
            turn.store(1, SeqCst);
        });
        assert_eq!(reader.join().await, 3);
        other.join().await;
    }));
}

#[test]
fn the_verbs_that_return_all_are_there_in_a_scope_too() {
    block_on(local::scope(async |s| {
        assert_eq!(s.fan_out([3, 1, 2]).limit(1).map(async |n| n * 2).await, [6, 2, 4]);
        let failed = s.fan_out(0..9).try_map(async |n| if n == 4 { Err("four") } else { Ok(n) });
        assert_eq!(failed.await, Err("four"));
    }));
}

#[test]
fn the_future_of_a_scope_that_reads_is_send() {
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let read = runtime.spawn(local::scope(async |s| {
        let texts = ["a", "bb", "ccc"].map(String::from);
        let stream = s.fan_out(texts).limit(2).budget(5, |text| text.len() as u64);
        let mut stream = stream.in_order(async |text: String| text.len());
        let mut sum = 0;
        while let Some(length) = stream.next().await {
            tokio::task::yield_now().await;
            sum += length;
        }
        sum + s.fan_out(0..3).limit(2).grow(async |n, _| n).await.len()
    }));
    assert_eq!(runtime.block_on(read).unwrap(), 9);
}
