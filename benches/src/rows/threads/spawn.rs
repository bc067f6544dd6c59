//! T1 to T7: a scope is opened, tasks are started in it, nobody joins them, it is left.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use rayon::ThreadPoolBuilder;

use super::RUNTIME;
use crate::go;
use crate::measure::nanos_each;
use crate::row::Contender;
use crate::work::Work;

/// What the tasks of a row do.
trait Body: Copy + Send + Sync + 'static {
    fn task(self, seed: u64) -> impl FnOnce() + Send + 'static;
}

/// Nothing, with nothing captured.
#[derive(Clone, Copy)]
struct Empty;

impl Body for Empty {
    fn task(self, _: u64) -> impl FnOnce() + Send + 'static {
        || ()
    }
}

impl Body for Work {
    fn task(self, seed: u64) -> impl FnOnce() + Send + 'static {
        move || {
            self.on(seed);
        }
    }
}

pub(super) fn one() -> Vec<Contender> {
    with_threads(1, Empty, "T1")
}

pub(super) fn ten() -> Vec<Contender> {
    with_threads(10, Empty, "T2")
}

pub(super) fn thousand() -> Vec<Contender> {
    with_threads(1_000, Empty, "T3")
}

pub(super) fn many() -> Vec<Contender> {
    with_go(pooled(100_000, Empty), go::peer("Go", "T4"))
}

pub(super) fn thousand_small() -> Vec<Contender> {
    let work = Work::small();
    with_go(pooled(1_000, work), go::computing("Go", "T5", work))
}

pub(super) fn many_small() -> Vec<Contender> {
    let work = Work::small();
    with_go(pooled(100_000, work), go::computing("Go", "T6", work))
}

/// So many empty tasks, by those who have a pool and can be given any number of them.
pub(in crate::rows) fn empty(tasks: u64) -> Vec<Contender> {
    pooled(tasks, Empty)
}

fn with_go(mut contenders: Vec<Contender>, go: Contender) -> Vec<Contender> {
    contenders.push(go);
    contenders
}

/// Those who have a pool of threads.
fn pooled(tasks: u64, body: impl Body) -> Vec<Contender> {
    vec![
        Contender::ours(move |times| {
            each(times, tasks, || {
                wg::scope(|s| {
                    for seed in 0..tasks {
                        s.spawn(body.task(seed));
                    }
                });
            })
        }),
        Contender::new("rayon::scope", move |times| {
            each(times, tasks, || {
                rayon::scope(|s| {
                    for seed in 0..tasks {
                        let task = body.task(seed);
                        s.spawn(move |_| task());
                    }
                });
            })
        }),
        // The body stays on the calling thread, as ours does.
        Contender::new("rayon::in_place_scope", move |times| {
            each(times, tasks, || {
                rayon::in_place_scope(|s| {
                    for seed in 0..tasks {
                        let task = body.task(seed);
                        s.spawn(move |_| task());
                    }
                });
            })
        }),
        Contender::new("tokio", move |times| {
            each(times, tasks, || {
                RUNTIME.block_on(async {
                    let start = |seed| {
                        let task = body.task(seed);
                        tokio::spawn(async move { task() })
                    };
                    let handles: Vec<_> = (0..tasks).map(start).collect();
                    for handle in handles {
                        handle.await.expect("the task does not panic");
                    }
                });
            })
        }),
    ]
}

/// Also std, which has none, and Go, whose program knows this work by `in_go`.
fn with_threads(tasks: u64, body: impl Body, in_go: &'static str) -> Vec<Contender> {
    let mut contenders = pooled(tasks, body);
    contenders.push(Contender::new("std", move |times| {
        each(times, tasks, || {
            thread::scope(|s| {
                for seed in 0..tasks {
                    s.spawn(body.task(seed));
                }
            });
        })
    }));
    with_go(contenders, go::peer("Go", in_go))
}

/// T7. The peers get two threads, or two tasks that loop, and so keep the limit without counting.
pub(super) fn limited() -> Vec<Contender> {
    const TASKS: u64 = 10_000;
    let body = Work::large();
    let pool = ThreadPoolBuilder::new().num_threads(2).build().expect("two threads can be had");
    vec![
        Contender::ours(move |times| {
            each(times, TASKS, || {
                wg::options().limit(2).scope(|s| {
                    for seed in 0..TASKS {
                        s.spawn(body.task(seed));
                    }
                });
            })
        }),
        Contender::new("rayon::scope", move |times| {
            each(times, TASKS, || {
                pool.scope(|s| {
                    for seed in 0..TASKS {
                        let task = body.task(seed);
                        s.spawn(move |_| task());
                    }
                });
            })
        }),
        Contender::new("tokio loop", move |times| {
            each(times, TASKS, || {
                RUNTIME.block_on(async {
                    let next = Arc::new(AtomicU64::new(0));
                    let run = |_| {
                        let next = Arc::clone(&next);
                        tokio::spawn(async move {
                            loop {
                                let seed = next.fetch_add(1, Relaxed);
                                if seed >= TASKS {
                                    break;
                                }
                                body.on(seed);
                            }
                        })
                    };
                    let handles: Vec<_> = (0..2).map(run).collect();
                    for handle in handles {
                        handle.await.expect("the task does not panic");
                    }
                });
            })
        }),
        go::computing("Go", "T7", body),
    ]
}

/// Returns the nanoseconds of one task, `tasks` of which make one scope.
fn each(times: u64, tasks: u64, mut scope: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        scope();
    }
    nanos_each(start.elapsed(), times * tasks)
}
