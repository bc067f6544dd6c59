//! T14: jobs go in by a bounded inlet, four workers handle them, results come out by a bounded
//! outlet. One task or thread sends, the body receives, so that all of them are at work at once.

use std::hint::black_box;
use std::thread;

use crate::go;
use crate::measure::nanos;
use crate::row::Contender;

const JOBS: u64 = 1_000_000;

const WORKERS: usize = 4;

/// How many jobs, and how many results, may wait.
const ROOM: usize = 1_024;

/// What the results add up to.
const SUM: u64 = JOBS * (JOBS + 1) / 2;

pub(super) fn contenders() -> Vec<Contender> {
    vec![
        Contender::ours(|times| each(times, ours)),
        Contender::new("crossbeam-channel", |times| each(times, crossbeam)),
        Contender::new("flume", |times| each(times, flume)),
        go::peer("Go", "workers"),
    ]
}

/// Returns the nanoseconds of one job.
fn each(times: u64, sum: fn() -> u64) -> f64 {
    nanos(times, || assert_eq!(sum(), SUM)) / JOBS as f64
}

/// What is done with a job.
fn handle(job: u64) -> u64 {
    black_box(job) + 1
}

fn ours() -> u64 {
    wg::scope(|s| {
        let mut pool = s.workers(WORKERS, handle).inlet_of(ROOM).outlet_of(ROOM);
        let inlet = pool.inlet();
        s.spawn(move || (0..JOBS).try_for_each(|job| inlet.send(job)));
        pool.results().sum()
    })
}

fn crossbeam() -> u64 {
    let (jobs, inlet) = crossbeam_channel::bounded(ROOM);
    let (outlet, results) = crossbeam_channel::bounded(ROOM);
    thread::scope(|s| {
        for _ in 0..WORKERS {
            let (inlet, outlet) = (inlet.clone(), outlet.clone());
            s.spawn(move || inlet.iter().try_for_each(|job| outlet.send(handle(job))));
        }
        drop((inlet, outlet));
        s.spawn(move || (0..JOBS).try_for_each(|job| jobs.send(job)));
        results.iter().sum()
    })
}

fn flume() -> u64 {
    let (jobs, inlet) = flume::bounded(ROOM);
    let (outlet, results) = flume::bounded(ROOM);
    thread::scope(|s| {
        for _ in 0..WORKERS {
            let (inlet, outlet) = (inlet.clone(), outlet.clone());
            s.spawn(move || inlet.iter().try_for_each(|job| outlet.send(handle(job))));
        }
        drop((inlet, outlet));
        s.spawn(move || (0..JOBS).try_for_each(|job| jobs.send(job)));
        results.iter().sum()
    })
}
