//! Says what one way of running tasks needs of memory or of threads, in a process that does nothing
//! else. The rows T15, T16 and A8 and the curves of memory run it: `wg-footprint LOOK TIMES` prints one
//! number.

use std::alloc::System;
use std::future::Future;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use cap::Cap;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::task::TaskTracker;

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
        ("long-limited", Some(times)) => long_limited(times).growth(),
        ("long-joined", Some(times)) => long_joined(times).growth(),
        ("size-limited", Some(times)) => long_limited(times).late,
        ("size-joined", Some(times)) => long_joined(times).late,
        ("size-local", Some(times)) => long_local(times).late,
        ("blocked-wg", Some(times)) => blocked_wg(times),
        ("blocked-set", Some(times)) => blocked_set(times),
        ("blocked-tracker", Some(times)) => blocked_tracker(times),
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
    let runtime = Builder::new_multi_thread().worker_threads(1).build();
    let runtime = runtime.expect("a thread can be had");
    let spawner = runtime.spawn(async move {
        bytes_each(times, |n| {
            let task = task(n);
            drop(tokio::spawn(async move { task() }));
        })
    });
    runtime.block_on(spawner).expect("the task does not panic")
}

/// A crowd of tasks that wait for one notification, and what each of them awaits.
#[derive(Clone, Default)]
struct Gate(Arc<(Notify, AtomicU64)>);

impl Gate {
    /// The same future for everybody, of which all come to wait.
    fn pass(&self) -> impl Future<Output = ()> + Send + 'static {
        let gate = self.clone();
        async move {
            let passed = gate.0.0.notified();
            gate.0.1.fetch_add(1, Relaxed);
            passed.await;
        }
    }

    /// Starts so many tasks, and returns how many bytes each of them takes when all wait.
    async fn bytes_each(&self, times: u64, mut start: impl FnMut()) -> f64 {
        let before = ALLOCATOR.allocated();
        (0..times).for_each(|_| start());
        while self.0.1.load(Relaxed) < times {
            tokio::task::yield_now().await;
        }
        // The last to count itself is about to wait.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let after = ALLOCATOR.allocated();
        self.0.0.notify_waiters();
        after.saturating_sub(before) as f64 / times as f64
    }
}

/// A runtime, as users make it.
fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_time().build().expect("threads can be had")
}

fn blocked_wg(times: u64) -> f64 {
    runtime().block_on(wg::tokio::scope(async move |s| {
        let gate = Gate::default();
        gate.bytes_each(times, || drop(s.spawn(gate.pass()))).await
    }))
}

fn blocked_set(times: u64) -> f64 {
    runtime().block_on(async move {
        let (gate, mut set) = (Gate::default(), JoinSet::new());
        let bytes = gate.bytes_each(times, || drop(set.spawn(gate.pass()))).await;
        set.join_all().await;
        bytes
    })
}

fn blocked_tracker(times: u64) -> f64 {
    runtime().block_on(async move {
        let (gate, tracker) = (Gate::default(), TaskTracker::new());
        let bytes = gate.bytes_each(times, || drop(tracker.spawn(gate.pass()))).await;
        tracker.close();
        tracker.wait().await;
        bytes
    })
}

/// How large this process is, in kB, after the first tenth of a scope's tasks and after all of them,
/// while the scope is open.
struct Sizes {
    early: f64,
    late: f64,
}

impl Sizes {
    fn growth(&self) -> f64 {
        (self.late - self.early).max(0.0)
    }
}

/// One scope through which so many tasks pass; the limit keeps its queue short.
fn long_limited(times: u64) -> Sizes {
    wg::options().limit(100).scope(|s| sizes(times, 1, |n| drop(s.spawn(task(n)))))
}

/// The same without a limit, where the body joins.
fn long_joined(times: u64) -> Sizes {
    const WAVE: u64 = 1_000;
    wg::scope(|s| {
        sizes(times / WAVE, WAVE, |wave| {
            let tasks: Vec<_> = (0..WAVE).map(|n| s.spawn(task(wave + n))).collect();
            tasks.into_iter().for_each(wg::Task::join);
        })
    })
}

/// The same with futures in the current task, where the body awaits room.
fn long_local(times: u64) -> Sizes {
    futures::executor::block_on(wg::options().limit(100).local().scope(async move |s| {
        let mut early = 0.0;
        for n in 0..times {
            if n == times / 10 {
                early = resident();
            }
            s.ready().await.expect("nobody cancels it");
            let task = task(n);
            drop(s.spawn(async move { task() }));
        }
        Sizes { early, late: resident() }
    }))
}

fn sizes(rounds: u64, each: u64, mut round: impl FnMut(u64)) -> Sizes {
    let mut early = 0.0;
    for n in 0..rounds {
        if n == rounds / 10 {
            early = resident();
        }
        round(n * each);
    }
    Sizes { early, late: resident() }
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
