//! T: threads.
//!
//! How the peers are used, as their documentation recommends:
//! - rayon: its global pool, which has a thread for each core and was warmed up; `scope` for tasks,
//!   `par_iter` for items, `join` for forks. Pools of another size are made once, for all rounds.
//! - tokio: one multi-thread runtime with its default number of workers, made once; a future given
//!   to `block_on` spawns tasks and awaits their handles, as under `#[tokio::main]`. Where a limit
//!   is wanted, so many tasks loop over a shared counter ("loop").
//! - std: `thread::scope`, which starts its threads anew each time, as there is no pool.
//! - crossbeam-channel and flume: bounded channels between threads of std.
//! - Go: goroutines of a `sync.WaitGroup`, started by its method `Go`, in a process of its own that
//!   waits while others have their rounds. For a limit, so many of them claim items one by one, or a
//!   channel is the semaphore. `GOMAXPROCS` and the garbage collector are as users have them.

mod blocked;
mod footprint;
mod forks;
mod joined;
mod map;
mod prompt;
mod spawn;
mod workers;

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

pub(super) use self::spawn::empty as empty_tasks;
use crate::row::{Against, ROW, Rounds, Row};

/// tokio's side of all rows, with all cores.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().enable_time().build().expect("threads can be had for the runtime")
});

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "T1",
            what: "scope with 1 empty task; each",
            target: Some(1.00),
            contenders: spawn::one,
            ..ROW
        },
        Row {
            name: "T2",
            what: "scope with 10 empty tasks; each",
            target: Some(0.75),
            contenders: spawn::ten,
            ..ROW
        },
        Row {
            name: "T3",
            what: "scope with 1,000 empty tasks; each",
            target: Some(0.85),
            contenders: spawn::thousand,
            ..ROW
        },
        Row {
            name: "T4",
            what: "scope with 100,000 empty tasks; each",
            target: Some(0.85),
            contenders: spawn::many,
            ..ROW
        },
        Row {
            name: "T5",
            what: "scope with 1,000 tasks of 0.6 µs; each",
            target: Some(1.00),
            contenders: spawn::thousand_small,
            ..ROW
        },
        Row {
            name: "T6",
            what: "scope with 100,000 tasks of 0.6 µs; each",
            target: Some(1.00),
            contenders: spawn::many_small,
            ..ROW
        },
        Row {
            name: "T7",
            what: "scope with 10,000 tasks of 6 µs, limit 2; each",
            target: Some(1.02),
            contenders: spawn::limited,
            ..ROW
        },
        Row {
            name: "T8",
            what: "1,000 tasks spawned and joined for their values; each",
            target: Some(0.50),
            contenders: joined::contenders,
            ..ROW
        },
        Row {
            name: "T9a",
            what: "fan-out map, 10,000 empty, limit 100, in order; each",
            against: Against::Peer("rayon par_iter"),
            target: Some(1.00),
            contenders: map::empty,
            ..ROW
        },
        Row {
            name: "T9b",
            what: "T9a against Go's goroutines that loop",
            against: Against::Peer("Go loop"),
            target: Some(0.50),
            contenders: map::empty_in_go,
            ..ROW
        },
        Row {
            name: "T10",
            what: "fan-out map, 10,000 of 0.6 µs, limit 100, in order; each",
            target: Some(1.00),
            contenders: map::small,
            ..ROW
        },
        Row {
            name: "T11",
            what: "fan-out map, 10,000 of 6 µs, limit 100, in order; each",
            target: Some(1.02),
            contenders: map::large,
            ..ROW
        },
        Row {
            name: "T12a",
            what: "scope with 2,000 tasks that sleep 1 ms, limit 100; each",
            target: Some(0.95),
            contenders: blocked::sleeping_tasks,
            ..ROW
        },
        Row {
            name: "T12b",
            what: "fan-out over 2,000 items that sleep 1 ms, limit 100; each",
            target: Some(0.95),
            contenders: blocked::sleeping_items,
            ..ROW
        },
        Row {
            name: "T12c",
            what: "T12a against what 100 sleepers come to without any cost",
            target: Some(1.15),
            contenders: blocked::sleeping_tasks_at_best,
            ..ROW
        },
        Row {
            name: "T12d",
            what: "T12b against what 100 sleepers come to without any cost",
            target: Some(1.15),
            contenders: blocked::sleeping_items_at_best,
            ..ROW
        },
        Row {
            name: "T14",
            what: "1,000,000 jobs, 4 workers, inlet and outlet of 1,024; each",
            target: Some(1.00),
            contenders: workers::contenders,
            ..ROW
        },
        Row {
            name: "T15a",
            what: "memory of a queued task beyond its captures",
            unit: "B",
            against: Against::Peer("allowed"),
            target: Some(1.00),
            rounds: Rounds::Once(100_000, 100_000),
            contenders: footprint::queued,
        },
        Row {
            name: "T15b",
            what: "growth over 10⁷ tasks (quick: 10⁶) through one scope, limit 100",
            unit: "kB",
            against: Against::Peer("allowed"),
            target: Some(1.00),
            rounds: Rounds::Once(10_000_000, 1_000_000),
            contenders: footprint::long_and_limited,
        },
        Row {
            name: "T15c",
            what: "growth over 10⁷ tasks (quick: 10⁶) through one scope, joined 1,000 by 1,000",
            unit: "kB",
            against: Against::Peer("allowed"),
            target: Some(1.00),
            rounds: Rounds::Once(10_000_000, 1_000_000),
            contenders: footprint::long_and_joined,
        },
        Row {
            name: "T16",
            what: "most threads of 1,000 tasks that compute 50 ms (quick: 100 of 10 ms)",
            unit: "threads",
            against: Against::Peer("cores + 2"),
            target: Some(1.00),
            rounds: Rounds::Once(1_000, 100),
            contenders: footprint::threads,
        },
        Row {
            name: "T17a",
            what: "recursive sum, 1,023 forks, by a scope each; each fork",
            unit: "ns",
            contenders: forks::nested_scopes,
            ..ROW
        },
        Row {
            name: "T17b",
            what: "recursive sum, 1,023 forks, by joins in one scope; each fork",
            unit: "ns",
            contenders: forks::joins,
            ..ROW
        },
        Row {
            name: "T18",
            what: "from spawn to the task's first instruction, while the body computes on",
            unit: "ns",
            target: Some(1.10),
            contenders: prompt::contenders,
            ..ROW
        },
    ]
}

/// The last of all rows: it leaves as many threads behind, which go away after some seconds only.
pub(super) fn last() -> Vec<Row> {
    vec![Row {
        name: "T13",
        what: "2,000 unlimited tasks that meet at a barrier; each",
        target: Some(1.00),
        contenders: blocked::meeting,
        ..ROW
    }]
}
