//! T9, T10, T11: one function over many items; the results come in the order of the items.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::RUNTIME;
use crate::go;
use crate::measure::nanos;
use crate::row::Contender;
use crate::work::Work;

const ITEMS: usize = 10_000;

const LIMIT: usize = 100;

pub(super) fn empty() -> Vec<Contender> {
    let mut contenders = contenders(black_box);
    contenders.push(Contender::new("std threads", |times| {
        each(times, |items| std_loop(items, black_box))
    }));
    contenders.push(Contender::new("tokio Semaphore + JoinSet", |times| {
        each(times, |items| RUNTIME.block_on(tokio_semaphore(items)))
    }));
    contenders
}

pub(super) fn empty_in_go() -> Vec<Contender> {
    vec![ours(black_box), go::peer("Go loop", "loop"), go::peer("Go semaphore", "semaphore")]
}

pub(super) fn small() -> Vec<Contender> {
    let work = Work::small();
    let mut contenders = contenders(move |item| work.on(item));
    contenders.push(go::computing("Go loop", "loop", work));
    contenders.push(go::computing("Go semaphore", "semaphore", work));
    contenders
}

pub(super) fn large() -> Vec<Contender> {
    let work = Work::large();
    contenders(move |item| work.on(item))
}

fn contenders<F>(function: F) -> Vec<Contender>
where
    F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
{
    vec![
        ours(function),
        Contender::new("rayon par_iter", move |times| {
            each(times, |items| items.par_iter().map(|&item| function(item)).collect())
        }),
        Contender::new("tokio loop", move |times| {
            each(times, |items| RUNTIME.block_on(tokio_loop(items, function)))
        }),
    ]
}

fn ours<F>(function: F) -> Contender
where
    F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
{
    Contender::ours(move |times| {
        each(times, |items| wg::fan_out(items.iter()).limit(LIMIT).map(|&item| function(item)))
    })
}

/// Returns the nanoseconds of one item.
fn each(times: u64, map: impl Fn(&Arc<Vec<u64>>) -> Vec<u64>) -> f64 {
    let items: Arc<Vec<u64>> = Arc::new((0..ITEMS as u64).collect());
    nanos(times, || assert_eq!(black_box(map(&items)).len(), ITEMS)) / ITEMS as f64
}

/// The items that one of those who loop gets, and their results.
fn claim(items: &[u64], next: &AtomicUsize, function: impl Fn(u64) -> u64) -> Vec<(usize, u64)> {
    let mut results = Vec::new();
    loop {
        let index = next.fetch_add(1, Relaxed);
        let Some(&item) = items.get(index) else { break };
        results.push((index, function(item)));
    }
    results
}

/// As many tasks as the limit is, which claim items one by one.
async fn tokio_loop<F>(items: &Arc<Vec<u64>>, function: F) -> Vec<u64>
where
    F: Fn(u64) -> u64 + Copy + Send + Sync + 'static,
{
    let next = Arc::new(AtomicUsize::new(0));
    let run = |_| {
        let (items, next) = (Arc::clone(items), Arc::clone(&next));
        tokio::spawn(async move { claim(&items, &next, function) })
    };
    let handles: Vec<_> = (0..LIMIT).map(run).collect();
    let mut ordered = vec![0; items.len()];
    for handle in handles {
        put(&mut ordered, handle.await.expect("the task does not panic"));
    }
    ordered
}

fn std_loop(items: &[u64], function: impl Fn(u64) -> u64 + Sync) -> Vec<u64> {
    let next = AtomicUsize::new(0);
    let mut ordered = vec![0; items.len()];
    thread::scope(|s| {
        let threads: Vec<_> =
            (0..LIMIT).map(|_| s.spawn(|| claim(items, &next, &function))).collect();
        for thread in threads {
            put(&mut ordered, thread.join().expect("the thread does not panic"));
        }
    });
    ordered
}

fn put(ordered: &mut [u64], results: Vec<(usize, u64)>) {
    for (index, result) in results {
        ordered[index] = result;
    }
}

/// The way that tokio's documentation of `Semaphore` shows for limiting spawned tasks.
async fn tokio_semaphore(items: &[u64]) -> Vec<u64> {
    let semaphore = Arc::new(Semaphore::new(LIMIT));
    let mut tasks = JoinSet::new();
    for (index, &item) in items.iter().enumerate() {
        let permit = Arc::clone(&semaphore).acquire_owned().await.expect("nobody closes it");
        tasks.spawn(async move {
            let result = black_box(item);
            drop(permit);
            (index, result)
        });
    }
    let mut ordered = vec![0; items.len()];
    put(&mut ordered, tasks.join_all().await);
    ordered
}
