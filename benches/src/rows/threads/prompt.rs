//! T18: how soon a task starts for which a core is idle, while the body that spawned it computes on.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::time::{Duration, Instant};

use super::RUNTIME;
use crate::row::Contender;

/// How long the body computes before it spawns, so that the threads of a pool have gone to sleep.
const QUIET: Duration = Duration::from_micros(200);

/// When to stop waiting for a task: it has not started while the body computed.
const IN_VAIN: Duration = Duration::from_millis(50);

pub(super) fn contenders() -> Vec<Contender> {
    vec![
        Contender::ours(|times| {
            each(times, |started| {
                let start = Arc::clone(started);
                wg::scope(|s| started.measure(|| drop(s.spawn(move || start.now()))))
            })
        }),
        Contender::new("rayon::in_place_scope", |times| {
            each(times, |started| {
                let start = Arc::clone(started);
                rayon::in_place_scope(|s| started.measure(|| s.spawn(move |_| start.now())))
            })
        }),
        Contender::new("tokio spawn", |times| {
            each(times, |started| {
                let start = Arc::clone(started);
                started.measure(|| drop(RUNTIME.spawn(async move { start.now() })))
            })
        }),
    ]
}

/// Returns the mean of the nanoseconds from a spawn to its task's first instruction.
fn each(times: u64, sample: impl Fn(&Arc<Started>) -> Duration) -> f64 {
    let sum: Duration = (0..times)
        .map(|_| {
            spin(QUIET);
            sample(&Arc::new(Started { base: Instant::now(), at: AtomicU64::new(0) }))
        })
        .sum();
    sum.as_secs_f64() * 1e9 / times as f64
}

/// When a task started.
struct Started {
    base: Instant,
    /// In nanoseconds since `base`; 0 as long as it has not.
    at: AtomicU64,
}

impl Started {
    /// Called by the task.
    fn now(&self) {
        self.at.store(self.base.elapsed().as_nanos() as u64, Release);
    }

    /// Spawns the task and computes until it has started.
    fn measure(&self, spawn: impl FnOnce()) -> Duration {
        let before = self.base.elapsed();
        spawn();
        loop {
            let at = self.at.load(Acquire);
            let waited = self.base.elapsed() - before;
            if at != 0 {
                return Duration::from_nanos(at).saturating_sub(before);
            }
            if waited > IN_VAIN {
                return waited;
            }
            hint::spin_loop();
        }
    }
}

fn spin(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        hint::spin_loop();
    }
}
