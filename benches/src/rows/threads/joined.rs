//! T8: tasks are started, and each is joined for its value.

use std::hint::black_box;
use std::thread;

use super::RUNTIME;
use crate::measure::nanos;
use crate::row::Contender;

const TASKS: u64 = 1_000;

/// What the values add up to.
const SUM: u64 = TASKS * (TASKS - 1) / 2;

pub(super) fn contenders() -> Vec<Contender> {
    vec![
        Contender::ours(|times| {
            each(times, || {
                wg::scope(|s| {
                    let tasks: Vec<_> = (0..TASKS).map(|n| s.spawn(move || n)).collect();
                    tasks.into_iter().map(wg::Task::join).sum()
                })
            })
        }),
        Contender::new("tokio handles", |times| {
            each(times, || {
                RUNTIME.block_on(async {
                    let tasks: Vec<_> =
                        (0..TASKS).map(|n| tokio::spawn(async move { n })).collect();
                    let mut sum = 0;
                    for task in tasks {
                        sum += task.await.expect("the task does not panic");
                    }
                    sum
                })
            })
        }),
        Contender::new("std", |times| {
            each(times, || {
                thread::scope(|s| {
                    let threads: Vec<_> = (0..TASKS).map(|n| s.spawn(move || n)).collect();
                    let join = |thread: thread::ScopedJoinHandle<'_, u64>| thread.join().ok();
                    threads.into_iter().filter_map(join).sum()
                })
            })
        }),
    ]
}

fn each(times: u64, sum: impl Fn() -> u64) -> f64 {
    nanos(times, || assert_eq!(black_box(sum()), SUM)) / TASKS as f64
}
