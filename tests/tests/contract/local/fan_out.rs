//! Fan-outs over futures inside the current task.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::executor::block_on;
use futures::task::noop_waker;
use wg::{Cause, Policy, Stopped, local};
use wg_tests::{Bang, Bomb, Boom, Counted, Says, bang, caught};

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

#[derive(Debug, PartialEq)]
enum Failed {
    Item(usize),
    Stopped(Stopped),
}

impl From<Stopped> for Failed {
    fn from(stopped: Stopped) -> Self {
        Failed::Stopped(stopped)
    }
}

#[test]
fn rule_17_results_are_in_the_order_of_the_items_however_long_each_takes() {
    for limit in [1, 2, 7, 64, 1000] {
        let results = local::fan_out(0..500).limit(limit).map(async |n: usize| {
            after(n * 7 % 13).await;
            n
        });
        assert!(block_on(results).into_iter().eq(0..500));
    }
    assert_eq!(block_on(local::fan_out(Vec::<u8>::new()).map(async |n| n)), [0_u8; 0]);
}

#[test]
fn rule_17_an_iterator_may_be_wrong_about_how_many_items_there_are() {
    for says in [0, 1, 99, 100, 101, 5_000, usize::MAX] {
        for limit in [1, 2, 50] {
            let items = || Says(says, 0..100);
            let all = local::fan_out(items()).limit(limit).map(async |n: usize| {
                after(n * 7 % 3).await;
                n.to_string()
            });
            let all = block_on(all);
            assert!(all.into_iter().eq((0..100).map(|n| n.to_string())), "{says} {limit}");
            let odd = local::fan_out(items()).limit(limit).collect_all(async |n: usize| {
                after(n * 7 % 3).await;
                if n % 2 == 1 { Ok(n.to_string()) } else { Err(n) }
            });
            let (odd, errors) = block_on(odd);
            assert!(odd.into_iter().eq((0..100).skip(1).step_by(2).map(|n| n.to_string())));
            assert_eq!(errors.len(), 50);
        }
    }
}

/// Those that are there when it fails, or is dropped, are dropped as well, in whatever places they lie.
#[test]
fn rule_24_results_of_a_fan_out_that_does_not_end_well_are_dropped_once() {
    for says in [0, 60, 1_000] {
        for polls in [3, 1_000] {
            let (made, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let mut fan_out =
                Box::pin(local::fan_out(Says(says, 0..100)).limit(8).try_map(async |n| {
                    after(n % 3).await;
                    if n == 77 {
                        return Err(n.to_string());
                    }
                    made.fetch_add(1, SeqCst);
                    Ok(Counted(&dropped))
                }));
            let ended = (0..polls).find_map(|_| match poll_once(fan_out.as_mut()) {
                Poll::Ready(ended) => Some(ended),
                Poll::Pending => None,
            });
            assert_eq!(ended.map(|ended| ended.is_err()), (polls > 3).then_some(true));
            drop(fan_out);
            assert!(made.load(SeqCst) > 0);
            assert_eq!(dropped.into_inner(), made.into_inner());
        }
    }
}

#[test]
fn rule_01_items_borrow_and_each_item_and_result_is_dropped_once() {
    let (items, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let vec: Vec<_> = (0..300).map(|_| Counted(&items)).collect();
    let made = block_on(local::fan_out(vec).map(async |_item| Counted(&results)));
    assert_eq!((items.load(SeqCst), results.load(SeqCst), made.len()), (300, 0, 300));
    drop(made);
    assert_eq!(results.into_inner(), 300);
}

#[test]
fn rule_09_no_more_than_the_limit_are_handled_at_once_and_as_many_are() {
    for (limit, expected) in [(Some(1), 1), (Some(3), 3), (Some(40), 40), (None, 16)] {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let fan_out = local::fan_out(0..expected * 5);
        let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
        // As many as may be at once meet before any goes on.
        let barrier = tokio::sync::Barrier::new(expected);
        block_on(fan_out.for_each(async |_| {
            most.fetch_max(now.fetch_add(1, SeqCst) + 1, SeqCst);
            barrier.wait().await;
            now.fetch_sub(1, SeqCst);
        }));
        assert_eq!(most.into_inner(), expected);
    }
}

#[test]
fn rule_09_a_limit_or_a_quorum_of_0_is_refused_where_it_is_given() {
    let words: String = caught(|| local::fan_out(0..3).limit(0));
    assert!(words.contains("at least 1"), "{words}");
    let words: &str = caught(|| {
        drop(local::fan_out(0..3).quorum(0, async |_| Ok::<(), ()>(())));
    });
    assert!(words.contains("quorum of 0"), "{words}");
}

#[test]
fn rule_10_items_are_pulled_only_when_there_is_room_for_them() {
    for limit in [1, 2, 5] {
        let pulled = AtomicUsize::new(0);
        let items = (0..).inspect(|_| _ = pulled.fetch_add(1, SeqCst));
        let mut fan_out = pin!(local::fan_out(items).limit(limit).for_each(|_: i32| pending()));
        assert_eq!(pulled.load(SeqCst), 0);
        for _ in 0..3 {
            assert!(poll_once(fan_out.as_mut()).is_pending());
        }
        assert_eq!(pulled.load(SeqCst), limit);
    }
}

#[test]
fn rule_06_the_first_error_drops_the_rest_and_ends_the_pulling() {
    let (pulled, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let items = (0..).inspect(|_| _ = pulled.fetch_add(1, SeqCst));
    let error = block_on(local::fan_out(items).limit(4).try_map(async |n: usize| {
        let _counted = Counted(&dropped);
        if n == 2 {
            return Err(Failed::Item(n));
        }
        pending().await
    }));
    assert_eq!(error, Err::<Vec<()>, _>(Failed::Item(2)));
    assert!(pulled.load(SeqCst) <= 4);
    assert_eq!(dropped.into_inner(), pulled.into_inner());
}

#[test]
fn rule_06_the_lowest_index_is_the_first_item_that_fails_however_late() {
    let policy = Policy::fail_fast().lowest_index();
    let begun = Mutex::new(Vec::new());
    let error =
        block_on(local::fan_out(0..1000).limit(8).policy(policy).try_for_each(async |n: usize| {
            begun.lock().unwrap().push(n);
            after(100 - n.min(99)).await;
            if n >= 3 { Err(Failed::Item(n)) } else { Ok(()) }
        }));
    assert_eq!(error, Err(Failed::Item(3)));
    assert!(begun.into_inner().unwrap().len() < 20);
}

#[test]
fn rule_07_all_errors_come_back_in_index_order_with_the_line_of_the_call() {
    let line = line!() + 1;
    let fan_out = local::fan_out(0..120).limit(10);
    let (values, errors) = block_on(fan_out.collect_all(async |n: usize| {
        after(n % 7).await;
        if n % 40 == 39 { Err(format!("no {n}")) } else { Ok(n) }
    }));
    assert!(values.into_iter().eq((0..120).filter(|n| n % 40 != 39)));
    assert_eq!(errors.iter().map(|it| it.index().unwrap()).collect::<Vec<_>>(), [39, 79, 119]);
    let file = file!();
    let words =
        format!("3 of 120 tasks failed; first: fan_out#39 spawned at {file}:{line} failed: no 39");
    assert_eq!(errors.to_string(), words);
}

#[test]
fn rule_05_a_panic_of_an_item_drops_the_rest_and_is_resumed() {
    for early in [true, false] {
        let dropped = AtomicUsize::new(0);
        let payload: Bang = caught(|| {
            block_on(local::fan_out(0..100).limit(5).map(|n| {
                let counted = Counted(&dropped);
                // In the call itself, or where its future is polled.
                if early && n == 3 {
                    bang(7)
                }
                async move {
                    let _counted = counted;
                    if n == 3 { bang(7) } else { pending::<()>().await }
                }
            }))
        });
        assert_eq!(payload, Bang(7));
        // As many as had begun.
        assert!((4..=5).contains(&dropped.into_inner()));
    }
}

#[test]
fn rule_05_a_panic_of_the_iterator_is_resumed() {
    for at in [0, 1, 20] {
        let items = (0..).inspect(|&n| {
            if n == at {
                bang(8)
            }
        });
        let payload: Bang = caught(|| block_on(local::fan_out(items).limit(4).map(async |n| n)));
        assert_eq!(payload, Bang(8));
    }
}

#[test]
fn rule_05_caught_panics_are_failures() {
    let fan_out = local::fan_out(0..10).catch_panics();
    let (values, errors) = block_on(fan_out.collect_all(async |n| match n {
        4 => bang(9),
        6 => Err("six"),
        n => Ok(n),
    }));
    assert_eq!(values, [0, 1, 2, 3, 5, 7, 8, 9]);
    assert_eq!(errors.iter().map(|it| it.index().unwrap()).collect::<Vec<_>>(), [4, 6]);
}

#[test]
fn rule_05_drops_that_panic_take_nothing_with_them() {
    let dropped = AtomicUsize::new(0);
    // Of what an item holds: it costs the item its value.
    let payload: Boom = caught(|| {
        block_on(local::fan_out(0..8).limit(2).map(async |n| {
            let _bomb = (n == 5).then(|| Bomb::new(n));
            Counted(&dropped)
        }))
    });
    assert_eq!(payload, Boom);
    assert!(dropped.load(SeqCst) >= 5);
    // Of results that nobody gets.
    let payload: Boom = caught(|| {
        block_on(
            local::fan_out(0..5)
                .limit(1)
                .try_map(async |n| if n == 4 { Err("broken") } else { Ok(Bomb::new(n)) }),
        )
    });
    assert_eq!(payload, Boom);
    // Of what the function itself holds.
    let bomb = Bomb::new(0);
    let payload: Boom = caught(|| {
        block_on(local::fan_out(0..5).for_each(move |_| {
            let _ = &bomb;
            async {}
        }))
    });
    assert_eq!(payload, Boom);
}

#[test]
fn rule_08_the_first_success_is_it_and_the_losers_are_dropped() {
    let dropped = AtomicUsize::new(0);
    let first = block_on(local::fan_out(0..100).limit(10).first_ok(async |n| {
        let _counted = Counted(&dropped);
        match n {
            3 => Ok(n),
            0..3 => Err("no"),
            _ => pending().await,
        }
    }));
    assert_eq!(first.unwrap(), 3);
    assert!(dropped.into_inner() <= 14);
    let none = block_on(local::fan_out(0..5).first_ok(async |n: u32| Err::<(), _>(n)));
    assert_eq!(none.unwrap_err().len(), 5);
    let none = block_on(local::fan_out(0..0).first_ok(async |n: u32| Err::<(), _>(n)));
    assert!(none.unwrap_err().is_empty());
}

#[test]
fn rule_17_a_quorum_is_the_first_successes_by_completion() {
    let turn = AtomicUsize::new(9);
    let successes = block_on(local::fan_out(0..10).limit(10).quorum(3, async |n: usize| {
        while turn.load(SeqCst) != n {
            after(1).await;
        }
        turn.fetch_sub(1, SeqCst);
        if n == 8 { Err("no") } else { Ok(n * n) }
    }));
    assert_eq!(successes.unwrap(), [(9, 81), (7, 49), (6, 36)]);
    let missed = block_on(
        local::fan_out(0..5).quorum(4, async |n| if n % 2 == 1 { Err("no") } else { Ok(n) }),
    );
    let errors = missed.unwrap_err();
    assert_eq!((errors.len(), errors.tasks(), errors.cancelled()), (2, 5, 0));
}

#[test]
fn rule_18_a_cancel_by_hand_comes_back_as_stopped_with_its_reason() {
    let cancel = wg::Cancel::new();
    let error =
        block_on(local::fan_out(0..).limit(3).cancel(&cancel).try_for_each(async |n: usize| {
            after(n % 3).await;
            if n == 50 {
                cancel.cancel("enough");
            }
            Ok::<(), Failed>(())
        }));
    let Err(Failed::Stopped(stopped)) = error else { panic!("{error:?}") };
    assert_eq!(stopped.cause(), &Cause::Asked("enough".into()));
}

#[test]
fn rule_18_a_cancel_that_costs_nothing_is_not_told() {
    // The iterator knows that it gave its last item, or has to be asked.
    for (known, limit) in [(true, 1), (true, 3), (false, 1)] {
        let cancel = wg::Cancel::new();
        let mut range = 0..3;
        let items = std::iter::from_fn(move || range.next());
        let items: Box<dyn Iterator<Item = i32> + Send> =
            if known { Box::new(0..3) } else { Box::new(items) };
        let fan_out = local::fan_out(items).limit(limit).cancel(&cancel);
        let ended = block_on(fan_out.try_map(async |n| {
            if n == 2 {
                cancel.cancel("too late");
            }
            Ok::<_, Failed>(n)
        }));
        assert_eq!(ended.is_ok(), known, "{ended:?}");
    }
}

#[test]
fn rule_18_a_cancel_of_the_scope_outside_reaches_the_items() {
    let (dropped, told) = (AtomicUsize::new(0), Mutex::new(None));
    block_on(local::scope(async |s| {
        let canceller = s.canceller();
        let (dropped, told) = (&dropped, &told);
        let fan_out = local::fan_out(0..10).limit(4);
        let ended = fan_out.try_for_each(move |n| {
            let (counted, canceller) = (Counted(dropped), canceller.clone());
            async move {
                let _counted = counted;
                if n == 3 {
                    canceller.cancel("leave");
                }
                pending::<Result<(), Failed>>().await
            }
        });
        *told.lock().unwrap() = Some(ended.await);
    }));
    assert_eq!(dropped.into_inner(), 4);
    let Some(Err(Failed::Stopped(stopped))) = told.into_inner().unwrap() else { panic!() };
    assert!(matches!(stopped.cause(), Cause::Outer(_)));
    assert_eq!(stopped.cause().origin(), &Cause::Asked("leave".into()));
}

#[test]
fn rule_21_a_deadline_is_its_own_cause() {
    let time = Duration::from_millis(2);
    let endless = local::fan_out(0..10).timeout(time);
    let error = block_on(endless.try_map(async |_| pending::<Result<(), Failed>>().await));
    let Err(Failed::Stopped(stopped)) = error else { panic!("{error:?}") };
    assert_eq!(stopped.cause(), &Cause::Deadline);

    let words: String = caught(|| {
        let fan_out = wg::options().timeout(time).local().fan_out(0..10);
        block_on(fan_out.map(async |_| pending::<()>().await))
    });
    assert_eq!(words, "stopped: the deadline passed");

    let some = local::fan_out(0..10).limit(2).timeout(time);
    let (values, errors) =
        block_on(some.collect_all(async |n| if n < 4 { Ok::<_, ()>(n) } else { pending().await }));
    // How far it gets is for the machine to say.
    assert!(values.len() <= 4 && values.iter().copied().eq(0..values.len()), "{values:?}");
    let lost = 10 - values.len();
    assert_eq!((errors.len(), errors.tasks(), errors.cancelled()), (0, 10, lost));
}

#[test]
fn rule_24_dropping_the_future_drops_items_results_and_iterator() {
    let (items, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let vec: Vec<_> = (0..10).map(|n| (n, Counted(&items))).collect();
    let mut fan_out = Box::pin(local::fan_out(vec).limit(3).map(async |(n, _item)| {
        if n > 4 {
            pending::<()>().await;
        }
        Counted(&results)
    }));
    for _ in 0..10 {
        assert!(poll_once(fan_out.as_mut()).is_pending());
    }
    assert_eq!((items.load(SeqCst), results.load(SeqCst)), (5, 0));
    drop(fan_out);
    assert_eq!((items.load(SeqCst), results.load(SeqCst)), (10, 5));
    drop(local::fan_out([Counted(&items)]).for_each(|_| pending()));
    assert_eq!(items.into_inner(), 11);
}

#[test]
fn the_future_of_a_fan_out_is_send_when_its_parts_are() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let texts = [String::from("a"), String::from("bb")];
    let lengths = is_send(local::fan_out(&texts).map(async |text| text.len()));
    assert_eq!(block_on(lengths), [1, 2]);
    let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    let spawned = runtime.spawn(async {
        let numbers = local::fan_out(0..100).limit(7);
        numbers
            .try_map(async |n| {
                tokio::task::yield_now().await;
                Ok::<_, Failed>(n)
            })
            .await
    });
    let numbers = runtime.block_on(spawned).unwrap().unwrap();
    assert!(numbers.into_iter().eq(0..100));
}

#[test]
fn a_fan_out_in_a_fan_out() {
    let sums = block_on(local::fan_out(0..20_u64).limit(3).map(async |n| {
        let inner = local::fan_out(0..=n).limit(2).map(async |m| {
            after(2).await;
            m
        });
        inner.await.into_iter().sum::<u64>()
    }));
    assert!(sums.into_iter().eq((0..20).map(|n| n * (n + 1) / 2)));
}
