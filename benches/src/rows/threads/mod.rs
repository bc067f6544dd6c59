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
//! - Go: no toolchain is at hand. Rows that name it count it as skipped.

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

use crate::row::{Against, Rounds, Row};

/// tokio's side of all rows, with all cores.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().enable_time().build().expect("threads can be had for the runtime")
});

/// A row of the common kind: nanoseconds for each task, ours against the best peer's.
const ROW: Row = Row {
    name: "",
    what: "",
    unit: "ns",
    against: Against::BestPeer,
    target: None,
    absent: &[],
    rounds: Rounds::Many,
    contenders: Vec::new,
};

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row {
            name: "T1",
            what: "scope with 1 empty task; each",
            target: Some(1.00),
            absent: &["Go (430 to 530 seen)"],
            contenders: spawn::one,
            ..ROW
        },
        Row {
            name: "T2",
            what: "scope with 10 empty tasks; each",
            target: Some(0.75),
            absent: &["Go (230 seen)"],
            contenders: spawn::ten,
            ..ROW
        },
        Row {
            name: "T3",
            what: "scope with 1,000 empty tasks; each",
            target: Some(0.85),
            absent: &["Go (320 seen)"],
            contenders: spawn::thousand,
            ..ROW
        },
        Row {
            name: "T4",
            what: "scope with 100,000 empty tasks; each",
            target: Some(0.85),
            absent: &["Go (720 seen)"],
            contenders: spawn::many,
            ..ROW
        },
        Row {
            name: "T5",
            what: "scope with 1,000 tasks of 0.6 µs; each",
            target: Some(1.00),
            absent: &["Go (885 seen)"],
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
            absent: &["Go (6,815 seen)"],
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
            name: "T9",
            what: "fan-out map, 10,000 empty, limit 100, in order; each",
            against: Against::Peer("rayon par_iter"),
            target: Some(1.00),
            absent: &["Go's loop (10 to 13 seen)", "Go with a semaphore (363 seen)"],
            contenders: map::empty,
            ..ROW
        },
        Row {
            name: "T10",
            what: "fan-out map, 10,000 of 0.6 µs, limit 100, in order; each",
            target: Some(1.00),
            absent: &["Go (660 seen)"],
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
            absent: &["Go (12,300 seen)"],
            contenders: blocked::sleeping_tasks,
            ..ROW
        },
        Row {
            name: "T12b",
            what: "fan-out over 2,000 items that sleep 1 ms, limit 100; each",
            target: Some(0.95),
            absent: &["Go (12,300 seen)"],
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
            absent: &["Go (85 seen)"],
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
            ..ROW
        },
        Row {
            name: "T15b",
            what: "growth over 10⁷ tasks (quick: 10⁶) through one scope, limit 100",
            unit: "kB",
            against: Against::Peer("allowed"),
            target: Some(1.00),
            rounds: Rounds::Once(10_000_000, 1_000_000),
            contenders: footprint::long_and_limited,
            ..ROW
        },
        Row {
            name: "T15c",
            what: "growth over 10⁷ tasks (quick: 10⁶) through one scope, joined 1,000 by 1,000",
            unit: "kB",
            against: Against::Peer("allowed"),
            target: Some(1.00),
            rounds: Rounds::Once(10_000_000, 1_000_000),
            contenders: footprint::long_and_joined,
            ..ROW
        },
        Row {
            name: "T16",
            what: "most threads of 1,000 tasks that compute 50 ms (quick: 100 of 10 ms)",
            unit: "threads",
            against: Against::Peer("cores + 2"),
            target: Some(1.00),
            rounds: Rounds::Once(1_000, 100),
            contenders: footprint::threads,
            ..ROW
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
        // The last of all: it leaves as many threads behind, which go away after some seconds only.
        Row {
            name: "T13",
            what: "2,000 unlimited tasks that meet at a barrier; each",
            target: Some(1.00),
            contenders: blocked::meeting,
            ..ROW
        },
    ]
}
