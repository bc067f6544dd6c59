//! The door's side towards `loom`, for the models in `tests/models.rs`.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use loom::cell::UnsafeCell;

pub use loom::sync::MutexGuard;
pub use loom::thread::{Thread, current};
pub use std::sync::Arc;

/// One bucket: which bucket an address falls into differs from one execution to the next, and loom
/// replays executions.
pub const BUCKETS: usize = 1;

/// An atomic whose memory is watched: a model fails if an access is not ordered before its drop.
/// Without this, "touches the word after a waiter freed it" would go unseen.
#[derive(Debug)]
pub struct AtomicU64 {
    word: loom::sync::atomic::AtomicU64,
    memory: UnsafeCell<()>,
}

impl AtomicU64 {
    /// Creates an atomic.
    pub fn new(value: u64) -> Self {
        AtomicU64 { word: loom::sync::atomic::AtomicU64::new(value), memory: UnsafeCell::new(()) }
    }

    fn alive(&self) -> &loom::sync::atomic::AtomicU64 {
        self.memory.with(|_| ());
        &self.word
    }

    /// Loads.
    pub fn load(&self, order: Ordering) -> u64 {
        self.alive().load(order)
    }

    /// Adds, returning the value before.
    pub fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        self.alive().fetch_add(value, order)
    }

    /// Subtracts, returning the value before.
    pub fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        self.alive().fetch_sub(value, order)
    }

    /// Sets bits, returning the value before.
    pub fn fetch_or(&self, value: u64, order: Ordering) -> u64 {
        self.alive().fetch_or(value, order)
    }

    /// Replaces `current` by `new`.
    pub fn compare_exchange_weak(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        self.alive().compare_exchange_weak(current, new, success, failure)
    }
}

impl Drop for AtomicU64 {
    fn drop(&mut self) {
        self.memory.with_mut(|_| ());
    }
}

/// A mutex without poison.
#[derive(Debug)]
pub struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    /// Creates an unlocked mutex.
    pub fn new(value: T) -> Self {
        Mutex(loom::sync::Mutex::new(value))
    }

    /// Locks, blocking until it can.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A condition variable without poison.
#[derive(Debug)]
pub struct Condvar(loom::sync::Condvar);

impl Condvar {
    /// Creates a condition variable that nobody waits on.
    pub fn new() -> Self {
        Condvar(loom::sync::Condvar::new())
    }

    /// Unlocks, sleeps until notified (or spuriously), locks again.
    pub fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        self.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
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

/// Sleeps until unparked. A deadline passes at once, which is the worst case for a protocol: loom
/// then tries every place where the others may run before the waiter leaves.
pub fn park_until(deadline: Option<Instant>) -> bool {
    if deadline.is_some() {
        return false;
    }
    loom::thread::park();
    true
}

/// Declares a function that is `const` towards `std`; loom's types are not.
macro_rules! const_fn {
    ($(#[$attr:meta])* $vis:vis const fn $($rest:tt)*) => {
        $(#[$attr])* $vis fn $($rest)*
    };
}

/// Declares a global: one per execution of a model.
macro_rules! global {
    ($(#[$attr:meta])* static $name:ident: $type:ty = $init:expr;) => {
        loom::lazy_static! { $(#[$attr])* static ref $name: $type = $init; }
    };
}

/// Makes an array of the same value, once for each bucket.
macro_rules! each_bucket {
    ($init:expr) => {
        std::array::from_fn(|_| $init)
    };
}
