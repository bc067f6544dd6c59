//! What the scenarios are made of.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, MaxSteps, Runner};

/// In how many orders each scenario runs by default.
const SCHEDULES: usize = 2_000;

/// How many preemptions the second half of the orders has at the most. Most of the bugs there are
/// need no more.
const DEPTH: usize = 3;

/// A scenario takes some hundreds of steps. One that takes this many has no end.
const STEPS: usize = 200_000;

/// Runs a scenario in many orders: half of them at random, half of them with few preemptions, which
/// are put where they hurt. `WG_SCHEDULES` says how many.
pub(crate) fn explore(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    let given = std::env::var("WG_SCHEDULES").ok();
    let given = given.map(|given| given.parse().expect("WG_SCHEDULES is a number"));
    let half = given.unwrap_or(SCHEDULES).div_ceil(2);
    run(RandomScheduler::new(half), scenario);
    run(PctScheduler::new(DEPTH, half), scenario);
}

fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.max_steps = MaxSteps::FailAfter(STEPS);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(move || {
        // Where no thread can be created this is the only other one, and shuttle wants two.
        let other = shuttle::thread::spawn(give_way);
        scenario();
        other.join().unwrap();
    });
}

/// Gives way to the other threads.
pub(crate) fn give_way() {
    shuttle::thread::yield_now();
}

/// Counts what happens. No thread can come between this and what is next to it.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicUsize);

impl Count {
    pub(crate) fn up(&self) -> usize {
        self.0.fetch_add(1, Relaxed) + 1
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Counts its drop.
#[derive(Debug)]
pub(crate) struct Dropped<'a>(pub(crate) &'a Count);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.up();
    }
}

/// A place where no more than so many may be at once.
#[derive(Debug)]
pub(crate) struct Narrow {
    inside: AtomicUsize,
    most: usize,
}

impl Narrow {
    pub(crate) fn new(most: usize) -> Self {
        Narrow { inside: AtomicUsize::new(0), most }
    }

    /// Goes through, giving way to the others on the way.
    pub(crate) fn pass(&self) {
        let inside = self.inside.fetch_add(1, Relaxed) + 1;
        assert!(inside <= self.most, "{inside} run at a limit of {}", self.most);
        give_way();
        self.inside.fetch_sub(1, Relaxed);
    }
}

/// What [`bang`] panics with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bang(pub(crate) usize);

/// Panics on purpose. Without the hook, which shuttle takes for the end of the scenario.
pub(crate) fn bang(number: usize) -> ! {
    resume_unwind(Box::new(Bang(number)))
}

/// Runs what must panic with a bang, and returns its number.
pub(crate) fn caught<R>(run: impl FnOnce() -> R) -> usize {
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else {
        panic!("this returned and should have panicked")
    };
    match payload.downcast::<Bang>() {
        Ok(bang) => bang.0,
        Err(other) => resume_unwind(other),
    }
}

/// What tasks fail with, or what those are told who wait for them in vain.
#[derive(Debug, PartialEq)]
pub(crate) enum Error {
    Own(usize),
    Echo,
}

impl From<wg::Stopped> for Error {
    fn from(_: wg::Stopped) -> Self {
        Error::Echo
    }
}
