//! How cost grows: what the curves of the report are of.

use std::future::Future;
use std::pin::Pin;

use super::core;
use super::fan_outs;
use super::futures::{on_tokio, timed};
use super::threads;
use crate::footprint::look_at;
use crate::go;
use crate::growth::{GROWTH, Growth};
use crate::row::{Contender, Rounds};

const TENS: &[u64] = &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// More than any peer takes for a queued task.
const QUEUED: u64 = 400;

pub(crate) static ALL: &[Growth] = &[
    Growth {
        name: "growth-tasks",
        title: "Time of one empty task, by how many a scope has",
        x: "tasks in the scope",
        y: "ns per task",
        sizes: TENS,
        quick: 100_000,
        bytes: QUEUED,
        contenders: tasks,
        ..GROWTH
    },
    Growth {
        name: "growth-memory",
        title: "Memory of one queued task beyond its captures, by how many are queued",
        x: "queued tasks",
        y: "B per task",
        sizes: TENS,
        quick: 100_000,
        bytes: QUEUED,
        rounds: Rounds::Once(1, 1),
        contenders: |size| {
            let queued = |name, what| look_at(name, what, size);
            let (ours, rayon) = (queued("wg::scope", "queued-wg"), "rayon::scope");
            vec![ours, queued(rayon, "queued-rayon"), queued("tokio spawn", "queued-tokio")]
        },
    },
    Growth {
        name: "growth-limit",
        title: "Time of one empty item of a fan-out over 100,000, by its limit",
        x: "limit",
        y: "ns per item",
        sizes: &[1, 10, 100, 1_000, 10_000],
        quick: 1_000,
        contenders: fan_outs::limited,
        ..GROWTH
    },
    Growth {
        name: "growth-depth",
        title: "Time of one of many scopes, each opened in a task of the one before",
        x: "nested scopes",
        y: "ns per scope",
        sizes: &[1, 10, 100, 1_000],
        quick: 100,
        contenders: nested,
        ..GROWTH
    },
    Growth {
        name: "growth-waiters",
        title: "Time until one of many waiting futures has been polled again",
        x: "waiters released at once",
        y: "ns per waiter",
        sizes: &[1, 10, 100, 1_000, 10_000],
        quick: 1_000,
        contenders: |size| {
            let mut contenders = core::waiting_futures(size as usize);
            contenders.push(go::with("Go (goroutines)", "release", size));
            contenders
        },
        ..GROWTH
    },
    Growth {
        name: "growth-threads",
        title: "Time until one of many blocked threads runs again",
        x: "threads released at once",
        y: "ns per thread",
        sizes: &[1, 10, 100, 1_000, 10_000],
        quick: 100,
        bytes: 100_000,
        contenders: |size| core::blocked_threads(size as usize),
        ..GROWTH
    },
    Growth {
        name: "growth-long",
        title: "Memory of a process in which tasks pass through one scope that stays open",
        x: "tasks that have passed",
        y: "kB",
        sizes: &[10_000, 100_000, 1_000_000, 10_000_000],
        quick: 100_000,
        rounds: Rounds::Once(1, 1),
        contenders: |size| {
            vec![
                look_at("threads, limit 100", "size-limited", size),
                look_at("threads, joined 1,000 by 1,000", "size-joined", size),
                look_at("local, limit 100", "size-local", size),
            ]
        },
        ..GROWTH
    },
];

fn tasks(size: u64) -> Vec<Contender> {
    let called = |contender: Contender| match contender.name {
        "wg" => Some(contender.called("wg::scope")),
        "tokio" => Some(contender.called("tokio spawn")),
        "rayon::scope" => Some(contender),
        _ => None,
    };
    threads::empty_tasks(size).into_iter().filter_map(called).collect()
}

fn nested(depth: u64) -> Vec<Contender> {
    fn ours(depth: u64) {
        wg::scope(|s| {
            s.spawn(move || {
                if depth > 1 {
                    ours(depth - 1);
                }
            });
        });
    }
    fn rayons(depth: u64) {
        rayon::scope(|s| {
            s.spawn(move |_| {
                if depth > 1 {
                    rayons(depth - 1);
                }
            });
        });
    }
    fn local(depth: u64) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(wg::local::scope(async move |s| {
            drop(s.spawn(async move {
                if depth > 1 {
                    local(depth - 1).await;
                }
            }));
        }))
    }
    vec![
        Contender::new("wg::scope", move |times| timed(times, depth, || ours(depth))),
        on_tokio("wg::local::scope", depth, local),
        Contender::new("rayon::scope", move |times| timed(times, depth, || rayons(depth))),
    ]
}
