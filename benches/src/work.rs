//! What tasks compute: steps of xorshift, as many as take a certain time on this machine.

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// Nanoseconds of one step, measured when first asked for.
static STEP: LazyLock<f64> = LazyLock::new(calibrate);

/// An amount of computing.
#[derive(Clone, Copy)]
pub(crate) struct Work {
    steps: u32,
}

impl Work {
    /// So much as takes about this time when nobody else runs.
    pub(crate) fn of(time: Duration) -> Self {
        Work { steps: (time.as_secs_f64() * 1e9 / *STEP).round() as u32 }
    }

    /// About 0.6 µs.
    pub(crate) fn small() -> Self {
        Work::of(Duration::from_nanos(600))
    }

    /// About 6 µs.
    pub(crate) fn large() -> Self {
        Work::of(Duration::from_micros(6))
    }

    /// So many steps, for those who do them in another language.
    pub(crate) fn steps(self) -> u32 {
        self.steps
    }

    /// Does the work. What it returns depends on all of it, and on `seed`.
    #[inline]
    pub(crate) fn on(self, seed: u64) -> u64 {
        let mut word = seed | 1;
        for _ in 0..self.steps {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
        }
        black_box(word)
    }
}

/// Says how much work a unit of time is here.
pub(crate) fn describe() -> String {
    let (small, large) = (Work::small().steps, Work::large().steps);
    format!("0.6 µs of xorshift are {small} steps, 6 µs are {large}")
}

fn calibrate() -> f64 {
    let work = Work { steps: 100_000 };
    let time = |_| {
        let start = Instant::now();
        work.on(black_box(1));
        start.elapsed()
    };
    // The shortest is the one that was not interrupted.
    let shortest = (0..20).map(time).min().unwrap_or_default();
    (shortest.as_secs_f64() * 1e9 / f64::from(work.steps)).max(0.01)
}
