//! Exercise 1: process 1,000 items concurrently using a WaitGroup, and verify that all complete.
//!
//! In Go: `Add(1)` before each `go`, `defer Done()` in each, `Wait()`, and an atomic to verify it,
//! because a WaitGroup brings nothing back. Here the length of what comes back is the verification;
//! and the scope, with a task for each item, has counted them by itself.

const ITEMS: u64 = 1_000;

pub(crate) fn run() -> String {
    let squares = wg::fan_out(0..ITEMS).map(process);
    assert!((0..ITEMS).map(process).eq(squares.iter().copied()), "in the order of the items");

    let ended = wg::scope(|s| {
        let tasks = s.spawn_all((0..ITEMS).map(|item| move || process(item)));
        let sum: u64 = tasks.into_iter().map(|task| task.join()).sum();
        assert_eq!(sum, squares.iter().sum());
        s.counts().spawned
    });
    format!("of {ITEMS} items {} completed, and of {ITEMS} tasks {ended}", squares.len())
}

fn process(item: u64) -> u64 {
    item * item
}
