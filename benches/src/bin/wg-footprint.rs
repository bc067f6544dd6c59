//! Says what one way of running tasks needs of memory or of threads, in a process that does nothing
//! else. The rows T15 and T16 run it: `wg-footprint LOOK TIMES` prints one number.

use std::alloc::System;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use cap::Cap;

/// Counts the bytes that are asked for and not given back. What the allocator adds for itself is
/// not among them.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// What the tasks that are counted come to.
static SUM: AtomicU64 = AtomicU64::new(0);

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let look = args.next().unwrap_or_default();
    let times = args.next().and_then(|times| times.parse().ok());
    let figure = match (look.as_str(), times) {
        ("queued-wg", Some(times)) => queued_wg(times),
        ("queued-rayon", Some(times)) => queued_rayon(times),
        ("queued-tokio", Some(times)) => queued_tokio(times),
        ("long-limited", Some(times)) => long_limited(times),
        ("long-joined", Some(times)) => long_joined(times),
        ("threads", Some(times)) => threads(times),
        _ => {
            eprintln!("wg-footprint: run by wg-benches, as `wg-footprint LOOK TIMES`");
            return ExitCode::from(2);
        }
    };
    println!("{figure}");
    ExitCode::SUCCESS
}

/// What each queued task captures, in bytes.
const CAPTURED: f64 = 16.0;

/// A task that captures so much.
fn task(n: u64) -> impl FnOnce() + Send + 'static {
    let captured = [n, 1];
    move || {
        SUM.fetch_add(captured[0] * captured[1], Relaxed);
    }
}

/// Queues tasks, all of which wait, and returns how many bytes each of them takes beyond what it
/// captures.
fn bytes_each(times: u64, mut queue: impl FnMut(u64)) -> f64 {
    assert_eq!(size_of_val(&task(0)) as f64, CAPTURED);
    let before = ALLOCATOR.allocated();
    (0..times).for_each(&mut queue);
    let after = ALLOCATOR.allocated();
    after.saturating_sub(before) as f64 / times as f64 - CAPTURED
}

/// From inside the one task that may run, because there spawning never waits for room.
fn queued_wg(times: u64) -> f64 {
    wg::options().limit(1).scope(|s| {
        let spawner = s.spawn(|| bytes_each(times, |n| drop(s.spawn(task(n)))));
        spawner.join()
    })
}

/// In a pool of one thread, which the spawner keeps busy.
fn queued_rayon(times: u64) -> f64 {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    pool.expect("a thread can be had").scope(|s| {
        bytes_each(times, |n| {
            let task = task(n);
            s.spawn(move |_| task());
        })
    })
}

/// On a runtime with one worker, which the spawner keeps busy.
fn queued_tokio(times: u64) -> f64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let runtime = runtime.expect("a thread can be had");
    let spawner = runtime.spawn(async move {
        bytes_each(times, |n| {
            let task = task(n);
            drop(tokio::spawn(async move { task() }));
        })
    });
    runtime.block_on(spawner).expect("the task does not panic")
}

/// How much memory one scope takes more after all its tasks than after the first tenth; the limit
/// keeps its queue short.
fn long_limited(times: u64) -> f64 {
    wg::options().limit(100).scope(|s| {
        growth(times, 1, |n| {
            s.spawn(task(n));
        })
    })
}

/// The same without a limit, where the body joins.
fn long_joined(times: u64) -> f64 {
    const WAVE: u64 = 1_000;
    wg::scope(|s| {
        growth(times / WAVE, WAVE, |wave| {
            let tasks: Vec<_> = (0..WAVE).map(|n| s.spawn(task(wave + n))).collect();
            tasks.into_iter().for_each(wg::Task::join);
        })
    })
}

/// Returns by how many kB this process is larger after all rounds than after a tenth of them.
fn growth(rounds: u64, each: u64, mut round: impl FnMut(u64)) -> f64 {
    let mut early = 0.0;
    for n in 0..rounds {
        if n == rounds / 10 {
            early = resident();
        }
        round(n * each);
    }
    (resident() - early).max(0.0)
}

/// How much of this process is in memory, in kB.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("it is Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let figure = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    figure.expect("Linux says how much it is")
}

/// The most threads that this process ever has, the one that watches not counted, while tasks
/// compute.
fn threads(times: u64) -> f64 {
    let work = if times >= 1_000 { Duration::from_millis(50) } else { Duration::from_millis(10) };
    let (most, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|s| {
        s.spawn(|| {
            while !over.load(Relaxed) {
                let tasks = fs::read_dir("/proc/self/task").expect("it is Linux").count();
                most.fetch_max(tasks - 1, Relaxed);
                thread::sleep(Duration::from_micros(500));
            }
        });
        wg::scope(|s| {
            for _ in 0..times {
                s.spawn(|| compute(work));
            }
        });
        over.store(true, Relaxed);
    });
    most.into_inner() as f64
}

fn compute(time: Duration) {
    let start = Instant::now();
    let mut word = 1_u64;
    while start.elapsed() < time {
        for _ in 0..1_000 {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
        }
        black_box(word);
    }
}
