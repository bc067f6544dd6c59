//! The door's side towards `std`.

use std::sync::PoisonError;
use std::time::Instant;

pub use std::sync::atomic::{AtomicBool, AtomicU64};
pub use std::sync::{Arc, MutexGuard};
pub use std::thread::{Thread, current};

/// How many locks the waiters of all groups share. Two groups that meet in one bucket share a
/// lock, never a queue.
pub const BUCKETS: usize = 64;

/// A `std` mutex without poison: no user code runs under our locks, so a panic breaks nothing.
#[derive(Debug, Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Creates an unlocked mutex.
    pub const fn new(value: T) -> Self {
        Mutex(std::sync::Mutex::new(value))
    }

    /// Locks, blocking until it can.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A `std` condition variable without poison.
#[derive(Debug, Default)]
pub struct Condvar(std::sync::Condvar);

impl Condvar {
    /// Creates a condition variable that nobody waits on.
    pub const fn new() -> Self {
        Condvar(std::sync::Condvar::new())
    }

    /// Unlocks, sleeps until notified (or spuriously), locks again.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`wait`](Self::wait), for at most until `deadline`.
    pub fn wait_until<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Instant,
    ) -> MutexGuard<'a, T> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.0.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Wakes one sleeper.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes every sleeper.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

/// Sleeps until unparked (or spuriously) and returns true, or returns false because the deadline
/// has passed.
pub fn park_until(deadline: Option<Instant>) -> bool {
    let Some(deadline) = deadline else {
        std::thread::park();
        return true;
    };
    match deadline.checked_duration_since(Instant::now()) {
        Some(left) if !left.is_zero() => std::thread::park_timeout(left),
        _ => return false,
    }
    true
}

/// Declares a function that is `const` here and is not under loom, whose types are not.
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$attr])* $vis const fn $($rest)*
    };
}

/// Declares a global: a `static` here, one per execution of a model under loom.
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        $(#[$attr])* static $name: $type = $init;
    };
}

/// Makes an array of the same value, once for each bucket.
macro_rules! each_bucket {
    ($init:expr) => {
        [const { $init }; $crate::sync::BUCKETS]
    };
}
