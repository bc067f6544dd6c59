//! Outlets: what comes out, and when it is all.

use std::time::Duration;

use wg::{NoResult, options};

use crate::kit::{Count, Dropped, explore, give_way};

/// The reader spawns while it reads, and the tasks spawn through it: none is missed at the end.
#[test]
fn rule_16_an_outlet_ends_when_the_last_task_has_ended_and_not_before() {
    explore(|| {
        let ran = Count::default();
        let ran = &ran;
        let mut read = wg::scope(|s| {
            let results = s.results();
            let spawner = results.spawner();
            for n in 0..3 {
                let spawner = spawner.clone();
                results.spawn(move || {
                    give_way();
                    spawner.spawn(move || {
                        ran.up();
                        10 + n
                    });
                    ran.up();
                    n
                });
            }
            let mut read = Vec::new();
            while let Some((_, value)) = results.recv() {
                if value == 1 {
                    results.spawn(|| {
                        ran.up();
                        20
                    });
                }
                read.push(value);
            }
            assert_eq!((ran.get(), results.outstanding()), (7, 0));
            read
        });
        read.sort_unstable();
        assert_eq!(read, [0, 1, 2, 10, 11, 12, 20]);
    });
}

/// Those who deliver block until there is room, in a scope with as few threads as can be.
#[test]
fn rule_16_a_bounded_outlet_takes_turns_with_its_reader() {
    explore(|| {
        let read = options().limit(2).scope(|s| {
            let results = s.results_bounded(1);
            for n in 0..6 {
                results.spawn(move || n);
            }
            results.in_order().collect::<Vec<_>>()
        });
        assert_eq!(read, [0, 1, 2, 3, 4, 5]);
    });
}

/// The reader goes away while tasks deliver, run and wait in the queue: nobody blocks, and every
/// value is dropped.
#[test]
fn rule_16_a_reader_that_leaves_blocks_nobody() {
    explore(|| {
        let (captured, returned, ran) = (Count::default(), Count::default(), Count::default());
        options().limit(2).scope(|s| {
            let results = s.results_bounded(1);
            for _ in 0..6 {
                let (capture, returned, ran) = (Dropped(&captured), &returned, &ran);
                results.spawn(move || {
                    let _capture = capture;
                    ran.up();
                    Dropped(returned)
                });
            }
            drop(results.recv());
            drop(results);
        });
        assert_eq!((captured.get(), returned.get()), (6, ran.get()));
    });
}

/// A task panics and others are cancelled: the outlet ends all the same.
#[test]
fn rule_16_an_outlet_ends_also_by_cancel() {
    explore(|| {
        let dropped = Count::default();
        wg::scope(|s| {
            let results = s.results();
            for n in 0..5 {
                let capture = Dropped(&dropped);
                results.spawn(move || {
                    let _capture = capture;
                    if n == 2 {
                        s.cancel("enough");
                    }
                    n
                });
            }
            assert!(results.as_completed().count() <= 5);
        });
        assert_eq!(dropped.get(), 5);
    });
}

/// A read that gives up takes nothing along.
#[test]
fn rule_16_a_read_that_times_out_loses_nothing() {
    explore(|| {
        wg::scope(|s| {
            let results = s.results();
            for n in 0..4 {
                results.spawn(move || {
                    give_way();
                    n
                });
            }
            let mut sum = 0;
            loop {
                match results.recv_timeout(Duration::from_millis(1)) {
                    Ok((_, value)) => sum += value,
                    Err(NoResult::NotYet) => {}
                    Err(_) => break,
                }
            }
            assert_eq!(sum, 6);
        });
    });
}
