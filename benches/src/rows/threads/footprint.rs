//! T15, T16: memory and threads.

use std::thread;

use crate::footprint::look;
use crate::row::Contender;

pub(super) fn queued() -> Vec<Contender> {
    vec![
        look("wg", "queued-wg"),
        look("rayon", "queued-rayon"),
        look("tokio", "queued-tokio"),
        Contender::fixed("allowed", 64.0),
    ]
}

/// What a scope may grow by while it lives: the odd page that an allocator finds to be missing.
const FLAT: f64 = 1024.0;

pub(super) fn long_and_limited() -> Vec<Contender> {
    vec![look("wg", "long-limited"), Contender::fixed("allowed", FLAT)]
}

pub(super) fn long_and_joined() -> Vec<Contender> {
    vec![look("wg", "long-joined"), Contender::fixed("allowed", FLAT)]
}

pub(super) fn threads() -> Vec<Contender> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    vec![look("wg", "threads"), Contender::fixed("cores + 2", (cores + 2) as f64)]
}
