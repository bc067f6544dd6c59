//! T1 to T7: a scope is opened, tasks are started in it, nobody joins them, it is left.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use rayon::ThreadPoolBuilder;

use super::RUNTIME;
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
    with_threads(1, Empty)
}

pub(super) fn ten() -> Vec<Contender> {
    with_threads(10, Empty)
}

pub(super) fn thousand() -> Vec<Contender> {
    with_threads(1_000, Empty)
}

pub(super) fn many() -> Vec<Contender> {
    pooled(100_000, Empty)
}

pub(super) fn thousand_small() -> Vec<Contender> {
    pooled(1_000, Work::small())
}

pub(super) fn many_small() -> Vec<Contender> {
    pooled(100_000, Work::small())
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

/// Also std, which has none.
fn with_threads(tasks: u64, body: impl Body) -> Vec<Contender> {
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
    contenders
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
