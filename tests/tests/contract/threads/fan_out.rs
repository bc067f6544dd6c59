//! Fan-out: which items, how many at once, in which order.

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, Cursor};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Barrier, Mutex};

use wg_tests::{Counted, Says, caught, until};

/// As many items as a test of many uses.
const MANY: usize = 100_000;

fn cores() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

/// Counts how many are inside at once.
#[derive(Default)]
struct Crowd {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Crowd {
    fn visit<R>(&self, stay: impl FnOnce() -> R) -> R {
        self.most.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        let result = stay();
        self.now.fetch_sub(1, SeqCst);
        result
    }
}

/// An iterator that says nothing about its length.
fn unsized_up_to(end: usize) -> impl Iterator<Item = usize> + Send {
    let mut next = 0;
    std::iter::from_fn(move || {
        next += 1;
        (next <= end).then_some(next - 1)
    })
}

#[test]
fn rule_23_every_kind_of_sequence_is_mapped_in_its_order() {
    struct Owned(u32);
    let slice = [1_u32, 2, 3];
    assert_eq!(wg::fan_out(&slice).map(|n| n * 2), [2, 4, 6]);
    assert_eq!(wg::fan_out(slice).map(|n| n * 2), [2, 4, 6]);
    assert_eq!(wg::fan_out(&slice[1..]).map(|n| n * 2), [4, 6]);
    let vec = vec![Owned(1), Owned(2)];
    assert_eq!(wg::fan_out(&vec).map(|owned| owned.0), [1, 2]);
    assert_eq!(wg::fan_out(vec).map(|owned| owned.0), [1, 2]);
    assert_eq!(wg::fan_out(0..4).map(|n| n), [0, 1, 2, 3]);
    assert_eq!(wg::fan_out(1..=3).map(|n| n), [1, 2, 3]);
    let mut numbers = vec![1, 2, 3];
    wg::fan_out(&mut numbers).for_each(|n| *n += 1);
    wg::fan_out(numbers.chunks_mut(2)).for_each(|chunk| chunk[0] *= 10);
    assert_eq!(numbers, [20, 3, 40]);
    let map: HashMap<_, _> = (0..100).map(|n| (n, n * n)).collect();
    let keys: Vec<_> = map.keys().copied().collect();
    assert_eq!(wg::fan_out(&map).map(|(key, _)| *key), keys);
    let lines = Cursor::new("a\nbb\nccc").lines();
    assert_eq!(wg::fan_out(lines).map(|line| line.unwrap().len()), [1, 2, 3]);
    assert_eq!(wg::fan_out(unsized_up_to(5)).map(|n| n), [0, 1, 2, 3, 4]);
    assert_eq!(wg::fan_out(Some("one")).map(str::len), [3]);
    assert_eq!(wg::fan_out("no item".split("x").skip(1)).map(str::len), [0_usize; 0]);
}

#[test]
fn rule_23_many_items_come_once_each_and_in_order() {
    let expected: Vec<_> = (0..MANY).collect();
    for limit in [1, 2, 3, 100] {
        assert_eq!(wg::fan_out(0..MANY).limit(limit).map(|n| n), expected);
        assert_eq!(wg::fan_out(unsized_up_to(MANY)).limit(limit).map(|n| n), expected);
    }
    assert_eq!(wg::fan_out(0..MANY).map(|n| n), expected);
    assert_eq!(wg::fan_out(unsized_up_to(MANY)).map(|n| n), expected);
    assert_eq!(wg::fan_out(expected.clone()).map(|n| n.to_string()).len(), MANY);
}

#[test]
fn rule_17_results_are_in_the_order_of_the_items_however_long_each_takes() {
    for limit in [1, 2, 7, 64] {
        let results = wg::fan_out(0..500).limit(limit).map(|n: usize| {
            (0..n * 7 % 13).for_each(|_| std::thread::yield_now());
            n
        });
        assert!(results.into_iter().eq(0..500));
    }
}

#[test]
fn rule_17_an_iterator_may_be_wrong_about_how_many_items_there_are() {
    for says in [0, 1, 99, 100, 101, 5_000, usize::MAX] {
        for limit in [1, 2, 50] {
            let items = || Says(says, 0..100);
            let all = wg::fan_out(items()).limit(limit).map(|n: usize| n.to_string());
            assert!(all.into_iter().eq((0..100).map(|n| n.to_string())), "{says} {limit}");
            let odd = |n: usize| if n % 2 == 1 { Ok(n.to_string()) } else { Err(n) };
            let (odd, errors) = wg::fan_out(items()).limit(limit).collect_all(odd);
            assert!(odd.into_iter().eq((0..100).skip(1).step_by(2).map(|n| n.to_string())));
            assert_eq!(errors.len(), 50);
        }
    }
}

/// Those that are there when it fails are dropped, in whatever places they lie.
#[test]
fn rule_01_results_of_a_fan_out_that_fails_are_dropped_once() {
    for says in [0, 60, 1_000] {
        let (made, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let failed = wg::fan_out(Says(says, 0..100)).limit(8).try_map(|n| {
            if n == 77 {
                return Err(n.to_string());
            }
            made.fetch_add(1, Relaxed);
            Ok(Counted(&dropped))
        });
        assert_eq!(failed.err().as_deref(), Some("77"));
        assert_eq!(dropped.into_inner(), made.into_inner());
    }
}

#[test]
fn rule_01_every_item_and_every_result_is_dropped_once() {
    let (items, results) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let vec: Vec<_> = (0..1000).map(|_| Counted(&items)).collect();
    let made = wg::fan_out(vec).map(|_item| Counted(&results));
    assert_eq!((items.load(Relaxed), results.load(Relaxed), made.len()), (1000, 0, 1000));
    drop(made);
    assert_eq!(results.load(Relaxed), 1000);
}

#[test]
fn rule_09_no_more_than_the_limit_are_handled_at_once() {
    for limit in [1, 2, 3, 5, 16] {
        let crowd = Crowd::default();
        wg::fan_out(0..300).limit(limit).for_each(|n: usize| {
            crowd.visit(|| (0..n % 5).for_each(|_| std::thread::yield_now()));
        });
        assert!(crowd.most.load(SeqCst) <= limit, "{} > {limit}", crowd.most.load(SeqCst));
    }
}

#[test]
fn rule_09_without_a_limit_it_is_the_number_of_cores_also_when_items_block() {
    let crowd = Crowd::default();
    let (send, receive) = sync_channel(0);
    let receive = Mutex::new(receive);
    std::thread::scope(|s| {
        s.spawn(|| {
            wg::fan_out(0..50)
                .for_each(|_| crowd.visit(|| receive.lock().unwrap().recv()).unwrap());
        });
        until(|| crowd.now.load(SeqCst) == cores());
        (0..50).for_each(|_| send.send(()).unwrap());
    });
    assert_eq!(crowd.most.load(SeqCst), cores());
}

#[test]
fn rule_09_at_a_limit_of_one_they_follow_one_another() {
    let seen = Mutex::new(Vec::new());
    wg::fan_out(0..1000).limit(1).for_each(|n| seen.lock().unwrap().push(n));
    assert!(seen.into_inner().unwrap().into_iter().eq(0..1000));
}

#[test]
fn rule_09_a_limit_of_0_is_refused_where_it_is_given() {
    let words: String = caught(|| wg::fan_out(0..3).limit(0));
    assert!(words.contains("at least 1"), "{words}");
    let words: &str = caught(|| wg::fan_out(0..3).quorum(0, |_| Ok::<(), ()>(())));
    assert!(words.contains("quorum of 0"), "{words}");
}

#[test]
fn rule_12_as_many_items_as_the_limit_meet_at_a_barrier() {
    for limit in [2, 8, 100] {
        let barrier = Barrier::new(limit);
        wg::fan_out(0..limit * 3).limit(limit).for_each(|_| {
            barrier.wait();
        });
    }
}

/// With a limit of 2 or more, one item blocks until all others are done: those that were pulled
/// together with it are taken over.
#[test]
fn rule_12_an_item_that_waits_for_all_others_strands_none() {
    for limit in [Some(2), Some(3), Some(32), None]
        .into_iter()
        .filter(|limit| limit.is_some() || cores() > 1)
    {
        for blocked in (0..300).step_by(7).chain([299]) {
            let others = AtomicUsize::new(0);
            let fan_out = wg::fan_out(0..300);
            let fan_out = if let Some(limit) = limit { fan_out.limit(limit) } else { fan_out };
            fan_out.for_each(|n| {
                if n == blocked {
                    until(|| others.load(SeqCst) == 299);
                } else {
                    others.fetch_add(1, SeqCst);
                }
            });
        }
    }
}

/// It may block, for as long as somebody waits for what has failed.
#[test]
fn rule_06_after_an_error_or_a_cancel_the_iterator_is_not_asked_again() {
    for cancels in [false, true] {
        let (cancel, mut asked) = (wg::Cancel::new(), 0);
        let items = std::iter::from_fn(|| {
            asked += 1;
            assert!(asked < 5, "asked again");
            Some(asked)
        });
        let ended = wg::fan_out(items).limit(1).cancel(&cancel).try_for_each(|n| {
            if n < 4 {
                return Ok(());
            }
            if !cancels {
                return Err(Box::<dyn Error + Send + Sync>::from("no"));
            }
            cancel.cancel("enough");
            Ok(())
        });
        let words = ended.unwrap_err().to_string();
        assert!(words.contains(if cancels { "enough" } else { "no" }), "{words}");
        assert_eq!(asked, 4);
    }
}

/// Whoever comes while items take next to no time leaves them to the one who is there. It joins in all the same
/// when they do not.
#[test]
fn rule_12_items_among_many_that_take_next_to_no_time_may_wait_for_each_other() {
    const EACH: usize = 20_000;
    for limit in [2, 8] {
        let barrier = Barrier::new(limit);
        let met = AtomicUsize::new(0);
        let all = wg::fan_out(0..EACH * 10).limit(limit).map(|n| {
            if n % EACH >= EACH - limit {
                barrier.wait();
                met.fetch_add(1, SeqCst);
            }
            n
        });
        assert!(all.into_iter().eq(0..EACH * 10));
        assert_eq!(met.into_inner(), limit * 10);
    }
}

/// A source of which nobody knows whether it will block: bursts, and then nothing until all that it
/// has given is done.
#[test]
fn rule_12_a_source_that_waits_for_what_it_gave_strands_nothing() {
    fn bursts<'a>(done: &'a AtomicUsize, sizes: &'a [usize]) -> impl Iterator<Item = usize> + 'a {
        let (mut given, mut left, mut sizes) = (0, 0, sizes.iter());
        std::iter::from_fn(move || {
            if left == 0 {
                until(|| done.load(SeqCst) == given);
                left = *sizes.next()?;
            }
            left -= 1;
            given += 1;
            Some(given - 1)
        })
    }
    let sizes = [1, 400, 1, 1, 2, 3, 4000, 1, 7, 1];
    let total: usize = sizes.iter().sum();
    // Among them limits at which one share waits in the source and one has the rest to do.
    for limit in [2, 3, 8, 100] {
        let done = AtomicUsize::new(0);
        let seen = wg::fan_out(bursts(&done, &sizes)).limit(limit).map(|n| {
            done.fetch_add(1, SeqCst);
            n
        });
        assert!(seen.into_iter().eq(0..total));
        // One that knows its length, and blocks all the same.
        let done = AtomicUsize::new(0);
        let mut source = bursts(&done, &sizes);
        let exact = (0..total).map(|_| source.next().unwrap());
        wg::fan_out(exact).limit(limit).for_each(|_| {
            done.fetch_add(1, SeqCst);
        });
        assert_eq!(done.load(SeqCst), total);
    }
    // And without a limit, on one core too.
    let done = AtomicUsize::new(0);
    wg::fan_out(bursts(&done, &sizes)).for_each(|_| {
        done.fetch_add(1, SeqCst);
    });
    assert_eq!(done.load(SeqCst), total);
}

#[test]
fn rule_12_a_channel_may_be_fed_by_what_comes_of_its_items() {
    for limit in [1, 2, 5] {
        let (send, receive) = channel();
        send.send(2000_usize).unwrap();
        let send = Mutex::new(Some(send));
        let handled = wg::fan_out(receive).limit(limit).map(|n| {
            let mut send = send.lock().unwrap();
            if n == 0 {
                *send = None
            } else {
                send.as_ref().unwrap().send(n - 1).unwrap()
            }
            n
        });
        assert!(handled.into_iter().eq((0..=2000).rev()));
    }
}

#[test]
fn rule_10_no_more_than_the_limit_are_pulled_and_not_finished() {
    for limit in [1, 2, 3, 4, 10, 100] {
        for exact in [true, false] {
            let (ahead, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let pull = |n: usize| {
                most.fetch_max(ahead.fetch_add(1, SeqCst) + 1, SeqCst);
                n
            };
            let work = |n: usize| {
                if n % 97 == 0 {
                    std::thread::yield_now();
                }
                ahead.fetch_sub(1, SeqCst);
            };
            if exact {
                wg::fan_out((0..5000).map(pull)).limit(limit).for_each(work);
            } else {
                wg::fan_out(unsized_up_to(5000).map(pull)).limit(limit).for_each(work);
            }
            assert!(most.load(SeqCst) <= limit, "{} > {limit}", most.load(SeqCst));
        }
    }
}

#[test]
fn rule_10_an_endless_source_is_pulled_only_until_something_stops_it() {
    let pulled = AtomicUsize::new(0);
    let source = || {
        (0..1_000_000_000_u64).inspect(|_| {
            pulled.fetch_add(1, Relaxed);
        })
    };
    let error =
        wg::fan_out(source()).try_map(|n| if n == 77 { Err("77".to_owned()) } else { Ok(n) });
    assert_eq!(error.unwrap_err(), "77");
    assert_eq!(
        wg::fan_out(source()).first_ok(|n| if n == 99 { Ok(n) } else { Err(()) }).unwrap(),
        99
    );
    let cancel = wg::Cancel::new();
    let stopped = wg::fan_out(source()).cancel(&cancel).try_for_each(|n| {
        if n == 1000 {
            cancel.cancel("enough");
        }
        Ok::<_, wg::Stopped>(())
    });
    assert_eq!(stopped.unwrap_err().to_string(), "stopped: cancelled: enough");
    assert!(pulled.load(Relaxed) < 100_000_000);
}

#[test]
fn rule_11_it_nests_in_itself_and_in_tasks_of_limited_scopes() {
    let sum = |outer: usize| -> usize {
        wg::fan_out(0..10).limit(2).map(|n| n * outer).into_iter().sum()
    };
    assert!(wg::fan_out(0..20).map(sum).into_iter().eq((0..20).map(|n| n * 45)));
    assert!(wg::fan_out(0..20).limit(1).map(sum).into_iter().eq((0..20).map(|n| n * 45)));
    let sums = wg::options().limit(1).scope(|s| {
        let tasks: Vec<_> =
            (0..5).map(|n| s.spawn(move || s.fan_out(0..n).map(sum).len())).collect();
        tasks.into_iter().map(|task| task.join()).collect::<Vec<_>>()
    });
    assert_eq!(sums, [0, 1, 2, 3, 4]);
    let deep = wg::fan_out(0..3).map(|_| {
        wg::fan_out(0..3)
            .map(|_| wg::fan_out(0..3).map(|_| wg::fan_out(0..3).map(|_| 1).len()).len())
            .len()
    });
    assert_eq!(deep, [3, 3, 3]);
}

#[test]
fn rule_23_what_the_function_wrote_is_seen_after_the_return() {
    for _ in 0..200 {
        let cells: Vec<AtomicUsize> = (0..64).map(|_| AtomicUsize::new(0)).collect();
        wg::fan_out(cells.iter().enumerate()).limit(4).for_each(|(n, cell)| cell.store(n, Relaxed));
        assert!(cells.iter().enumerate().all(|(n, cell)| cell.load(Relaxed) == n));
    }
}
