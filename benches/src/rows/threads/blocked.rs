//! T12, T13: tasks that block.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use super::RUNTIME;
use crate::go;
use crate::measure::nanos;
use crate::row::Contender;

const TASKS: usize = 2_000;

const LIMIT: usize = 100;

const NAP: Duration = Duration::from_millis(1);

pub(super) fn sleeping_tasks() -> Vec<Contender> {
    vec![Contender::ours(tasks), std_threads(), tokio_loop(), go::peer("Go", "sleep")]
}

pub(super) fn sleeping_items() -> Vec<Contender> {
    vec![Contender::ours(items), std_threads(), tokio_loop(), go::peer("Go", "sleep")]
}

pub(super) fn sleeping_tasks_at_best() -> Vec<Contender> {
    vec![Contender::ours(tasks), ideal()]
}

pub(super) fn sleeping_items_at_best() -> Vec<Contender> {
    vec![Contender::ours(items), ideal()]
}

fn tasks(times: u64) -> f64 {
    each(times, || {
        wg::options().limit(LIMIT).scope(|s| {
            for _ in 0..TASKS {
                s.spawn(|| thread::sleep(NAP));
            }
        });
    })
}

fn items(times: u64) -> f64 {
    each(times, || wg::fan_out(0..TASKS).limit(LIMIT).for_each(|_| thread::sleep(NAP)))
}

/// As many threads as the limit is, which claim naps one by one.
fn std_threads() -> Contender {
    let nap_all = || {
        let next = AtomicUsize::new(0);
        thread::scope(|s| {
            for _ in 0..LIMIT {
                s.spawn(|| {
                    while next.fetch_add(1, Relaxed) < TASKS {
                        thread::sleep(NAP);
                    }
                });
            }
        });
    };
    Contender::new("std threads", move |times| each(times, nap_all))
}

/// As many tasks as the limit is. Their timer counts in milliseconds.
fn tokio_loop() -> Contender {
    let nap_all = async || {
        let next = Arc::new(AtomicUsize::new(0));
        let run = |_| {
            let next = Arc::clone(&next);
            tokio::spawn(async move {
                while next.fetch_add(1, Relaxed) < TASKS {
                    tokio::time::sleep(NAP).await;
                }
            })
        };
        let handles: Vec<_> = (0..LIMIT).map(run).collect();
        for handle in handles {
            handle.await.expect("the task does not panic");
        }
    };
    Contender::new("tokio loop", move |times| each(times, || RUNTIME.block_on(nap_all())))
}

fn ideal() -> Contender {
    Contender::fixed("ideal", NAP.as_secs_f64() * 1e9 / LIMIT as f64)
}

/// T13. Ours keeps its threads from one round to the next, for which std has no means.
pub(super) fn meeting() -> Vec<Contender> {
    vec![
        Contender::ours(|times| {
            each(times, || {
                let barrier = Barrier::new(TASKS);
                wg::scope(|s| {
                    for _ in 0..TASKS {
                        s.spawn(|| barrier.wait());
                    }
                });
            })
        }),
        Contender::new("std", |times| {
            each(times, || {
                let barrier = Barrier::new(TASKS);
                thread::scope(|s| {
                    for _ in 0..TASKS {
                        s.spawn(|| barrier.wait());
                    }
                });
            })
        }),
    ]
}

/// Returns the nanoseconds of one task.
fn each(times: u64, round: impl FnMut()) -> f64 {
    nanos(times, round) / TASKS as f64
}
