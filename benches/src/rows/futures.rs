//! A: futures.
//!
//! How the peers are used, as their documentation recommends:
//! - tokio: one multi-thread runtime with its default number of workers, made once; a future given
//!   to `block_on` spawns tasks and awaits their handles, as under `#[tokio::main]`. `JoinSet` is
//!   drained by `join_next`, `TaskTracker` closed and waited for. A limit is a `Semaphore` of whose
//!   permits each task of a `JoinSet` takes one, before it is spawned.
//! - futures: a `FuturesUnordered` that is filled and then drained, on tokio's `block_on`.

use std::future::Future;
use std::hint::black_box;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

use crate::footprint::look;
use crate::row::{Against, Contender, ROW, Rounds, Row};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().enable_time().build().expect("threads can be had for the runtime")
});

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "A1",
            what: "tokio: scope with 1,000 empty tasks, spawned and joined; each",
            against: Against::Peer("spawn + handles"),
            target: Some(1.05),
            contenders: || spawned(1_000),
            ..ROW
        },
        Row {
            name: "A2",
            what: "tokio: scope with 100,000 empty tasks; each",
            against: Against::Peer("spawn + handles"),
            target: Some(1.05),
            contenders: || spawned(100_000),
            ..ROW
        },
        Row {
            name: "A5",
            what: "local: scope with 1,000 empty tasks, spawned and joined; each",
            target: Some(1.00),
            contenders: local,
            ..ROW
        },
        Row {
            name: "A7",
            what: "tokio: 2,000 tasks that sleep 1 ms, limit 100; each",
            target: Some(1.00),
            contenders: sleeping,
            ..ROW
        },
        Row {
            name: "A8",
            what: "tokio: memory of a task that waits for a notification",
            unit: "B",
            // A TaskTracker only counts: it neither stops its tasks nor returns what they do.
            against: Against::Peer("JoinSet"),
            target: Some(1.00),
            rounds: Rounds::Once(100_000, 100_000),
            contenders: blocked,
        },
        Row {
            name: "A9",
            what: "threads: scope with 1,000 empty futures that borrow, joined; each",
            target: Some(0.70),
            contenders: borrowing,
            ..ROW
        },
    ]
}

/// Does the work so many times, and returns the nanoseconds for each of its `tasks`.
pub(super) fn timed(times: u64, tasks: u64, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..times).for_each(|_| work());
    start.elapsed().as_secs_f64() * 1e9 / (times * tasks) as f64
}

/// As [`timed`], on tokio's runtime.
pub(super) fn on_tokio<W, F>(name: &'static str, tasks: u64, work: W) -> Contender
where
    W: Fn(u64) -> F + 'static,
    F: Future<Output = ()>,
{
    Contender::new(name, move |times| timed(times, tasks, || RUNTIME.block_on(work(tasks))))
}

fn spawned(tasks: u64) -> Vec<Contender> {
    vec![
        on_tokio("wg", tasks, |tasks| {
            wg::tokio::scope(async move |s| {
                let handles: Vec<_> = (0..tasks).map(|n| s.spawn(async move { n })).collect();
                for handle in handles {
                    black_box(handle.join().await);
                }
            })
        }),
        on_tokio("spawn + handles", tasks, async |tasks| {
            let handles: Vec<_> = (0..tasks).map(|n| tokio::spawn(async move { n })).collect();
            for handle in handles {
                black_box(handle.await.expect("it does not panic"));
            }
        }),
        on_tokio("JoinSet", tasks, async |tasks| {
            let mut set = JoinSet::new();
            for n in 0..tasks {
                set.spawn(async move { n });
            }
            while let Some(value) = set.join_next().await {
                black_box(value.expect("it does not panic"));
            }
        }),
        on_tokio("TaskTracker", tasks, async |tasks| {
            let tracker = TaskTracker::new();
            let handles: Vec<_> = (0..tasks).map(|n| tracker.spawn(async move { n })).collect();
            tracker.close();
            for handle in handles {
                black_box(handle.await.expect("it does not panic"));
            }
            tracker.wait().await;
        }),
    ]
}

fn local() -> Vec<Contender> {
    const TASKS: u64 = 1_000;
    vec![
        on_tokio("wg", TASKS, |tasks| {
            wg::local::scope(async move |s| {
                let handles: Vec<_> = (0..tasks).map(|n| s.spawn(async move { n })).collect();
                for handle in handles {
                    black_box(handle.join().await);
                }
            })
        }),
        on_tokio("FuturesUnordered", TASKS, async |tasks| {
            let mut all: FuturesUnordered<_> = (0..tasks).map(|n| async move { n }).collect();
            while let Some(value) = all.next().await {
                black_box(value);
            }
        }),
    ]
}

fn sleeping() -> Vec<Contender> {
    const TASKS: u64 = 2_000;
    const LIMIT: usize = 100;
    async fn nap() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    vec![
        on_tokio("wg", TASKS, |tasks| {
            wg::options().limit(LIMIT).tokio().scope(async move |s| {
                for _ in 0..tasks {
                    s.ready().await.expect("nobody cancels it");
                    drop(s.spawn(nap()));
                }
            })
        }),
        on_tokio("Semaphore + JoinSet", TASKS, async |tasks| {
            let (limit, mut set) = (Arc::new(Semaphore::new(LIMIT)), JoinSet::new());
            for _ in 0..tasks {
                let permit = Arc::clone(&limit).acquire_owned().await.expect("it stays open");
                set.spawn(async move {
                    nap().await;
                    drop(permit);
                });
            }
            set.join_all().await;
        }),
    ]
}

fn blocked() -> Vec<Contender> {
    vec![
        look("wg", "blocked-wg"),
        look("JoinSet", "blocked-set"),
        look("TaskTracker", "blocked-tracker"),
    ]
}

fn borrowing() -> Vec<Contender> {
    const TASKS: u64 = 1_000;
    vec![
        Contender::ours(|times| {
            let text = String::from("borrowed");
            timed(times, TASKS, || {
                wg::scope(|s| {
                    let handles: Vec<_> =
                        (0..TASKS).map(|_| s.spawn_future(async { text.len() })).collect();
                    for handle in handles {
                        black_box(handle.join());
                    }
                });
            })
        }),
        on_tokio("tokio spawn", TASKS, async |tasks| {
            let text = Arc::new(String::from("shared"));
            let one = || {
                let text = Arc::clone(&text);
                tokio::spawn(async move { text.len() })
            };
            let handles: Vec<_> = (0..tasks).map(|_| one()).collect();
            for handle in handles {
                black_box(handle.await.expect("it does not panic"));
            }
        }),
    ]
}
