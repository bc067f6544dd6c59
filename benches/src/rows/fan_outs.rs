//! A3, A4, A6: one future for each of many items, in order.
//!
//! By hand: as many tasks as the limit, each of which takes the next number from a counter that they
//! share until there is none, and keeps its results; these go to their places at the end. `buffered`
//! is that of `futures`, over futures as they are or over handles of tasks that were spawned. With a
//! `Semaphore`, a task takes a permit of it before it is spawned into a `JoinSet`.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::stream::{self, StreamExt};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::futures::{on_tokio, timed};
use crate::row::{Against, Contender, ROW, Row};
use crate::work::Work;

const ITEMS: u64 = 10_000;
const LIMIT: usize = 100;

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "A3",
            what: "tokio: fan_out over 10,000 empty items, limit 100, in order; each",
            against: Against::Peer("by hand"),
            target: Some(1.00),
            contenders: || on_a_runtime(|n| n),
            ..ROW
        },
        Row {
            name: "A4",
            what: "tokio: fan_out over 10,000 items of 0.6 µs, limit 100, in order; each",
            against: Against::Peer("by hand"),
            target: Some(1.05),
            contenders: || {
                let work = Work::small();
                on_a_runtime(move |n| work.on(n))
            },
            ..ROW
        },
        Row {
            name: "A6",
            what: "local: fan_out over 10,000 empty items, limit 100, in order; each",
            target: Some(0.70),
            contenders: in_the_task,
            ..ROW
        },
    ]
}

fn in_the_task() -> Vec<Contender> {
    vec![
        on_tokio("wg", ITEMS, async |items| {
            black_box(wg::local::fan_out(0..items).limit(LIMIT).map(async |n| n).await);
        }),
        on_tokio("buffered", ITEMS, async |items| {
            let all = stream::iter(0..items).map(async |n| n).buffered(LIMIT);
            black_box(all.collect::<Vec<_>>().await);
        }),
    ]
}

fn on_a_runtime<F>(work: F) -> Vec<Contender>
where
    F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
{
    vec![
        on_tokio("wg", ITEMS, move |items| async move {
            let fan_out = wg::tokio::fan_out(0..items).limit(LIMIT);
            black_box(fan_out.map(move |n| async move { work(n) }).await);
        }),
        on_tokio("by hand", ITEMS, move |items| by_hand(items, LIMIT, work)),
        on_tokio("spawn + buffered", ITEMS, move |items| async move {
            let spawned = stream::iter(0..items).map(|n| tokio::spawn(async move { work(n) }));
            let all = spawned.buffered(LIMIT).map(|ended| ended.expect("it does not panic"));
            black_box(all.collect::<Vec<_>>().await);
        }),
        on_tokio("Semaphore + JoinSet", ITEMS, move |items| semaphore(items, work)),
    ]
}

/// How many items there are where it is the limit that grows.
const MANY: u64 = 100_000;

/// Empty items with this limit, on threads and on tokio.
pub(super) fn limited(limit: u64) -> Vec<Contender> {
    let limit = limit as usize;
    vec![
        Contender::new("wg::fan_out", move |times| {
            timed(times, MANY, || {
                black_box(wg::fan_out(0..MANY).limit(limit).map(black_box));
            })
        }),
        on_tokio("wg::tokio::fan_out", MANY, move |items| async move {
            let fan_out = wg::tokio::fan_out(0..items).limit(limit);
            black_box(fan_out.map(move |n| async move { n }).await);
        }),
        on_tokio("tokio by hand", MANY, move |items| by_hand(items, limit, |n| n)),
    ]
}

async fn by_hand<F>(items: u64, limit: usize, work: F)
where
    F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
{
    let next = Arc::new(AtomicU64::new(0));
    let strand = |_| {
        let next = Arc::clone(&next);
        tokio::spawn(async move {
            let mut own = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= items {
                    return own;
                }
                own.push((n, async move { work(n) }.await));
            }
        })
    };
    let strands: Vec<_> = (0..limit).map(strand).collect();
    let mut all = vec![0; items as usize];
    for strand in strands {
        for (n, result) in strand.await.expect("it does not panic") {
            all[n as usize] = result;
        }
    }
    black_box(all);
}

async fn semaphore<F>(items: u64, work: F)
where
    F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
{
    let (limit, mut set) = (Arc::new(Semaphore::new(LIMIT)), JoinSet::new());
    for n in 0..items {
        let permit = Arc::clone(&limit).acquire_owned().await.expect("it stays open");
        set.spawn(async move {
            let result = work(n);
            drop(permit);
            (n, result)
        });
    }
    let mut all = vec![0; items as usize];
    while let Some(ended) = set.join_next().await {
        let (n, result) = ended.expect("it does not panic");
        all[n as usize] = result;
    }
    black_box(all);
}
