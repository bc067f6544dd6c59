//! Exercise 5: process 10,000 items with at most 100 goroutines at a time, with a WaitGroup and a
//! channel as a semaphore.
//!
//! In Go that is `sem <- struct{}{}` and `defer func() { <-sem }()` around the work. Where the
//! first stands inside the goroutine, as it mostly does, all 10,000 goroutines exist at once, and
//! 9,900 of them wait. Here the limit belongs to the fan-out, which begins an item when there is
//! room for it; the semaphore is there too, and is asked before the task is started.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use wg::Semaphore;

const ITEMS: usize = 10_000;
const AT_ONCE: usize = 100;

pub(crate) fn run() -> String {
    let limit = Gauge::default();
    wg::fan_out(0..ITEMS).limit(AT_ONCE).for_each(|item| limit.process(item));

    let permits = Gauge::default();
    let semaphore = Semaphore::new(AT_ONCE as u64);
    wg::scope(|s| {
        for item in 0..ITEMS {
            let permit = semaphore.acquire(1); // the loop waits, not a task
            let permits = &permits;
            s.spawn(move || {
                let _held = permit;
                permits.process(item);
            });
        }
    });
    assert_eq!(semaphore.available(), AT_ONCE as u64, "all were given back");
    format!("with a limit {limit}; with a semaphore {permits}")
}

/// How many items are processed, how many now, and how many at most at once.
#[derive(Debug, Default)]
struct Gauge {
    items: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Gauge {
    fn process(&self, item: usize) {
        self.most.fetch_max(self.now.fetch_add(1, Relaxed) + 1, Relaxed);
        std::hint::black_box(item * item);
        self.items.fetch_add(1, Relaxed);
        self.now.fetch_sub(1, Relaxed);
    }
}

impl std::fmt::Display for Gauge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (items, most) = (self.items.load(Relaxed), self.most.load(Relaxed));
        write!(f, "{items} items, at most {most} at once")
    }
}
