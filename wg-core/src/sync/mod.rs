//! The one door to `std` or to `loom`. Not part of the public API.
//!
//! Both sides of the door have the same shape, so that nothing behind it asks which one it got.
//! This is the only place that names the private cfg `wg_loom`; wg-scope's thread rooms go through
//! the same door.

#[cfg(wg_loom)]
#[path = "loom.rs"]
#[macro_use]
mod imp;

#[cfg(not(wg_loom))]
#[path = "std.rs"]
#[macro_use]
mod imp;

pub use self::imp::{
    Arc, AtomicBool, AtomicU64, BUCKETS, Condvar, Mutex, MutexGuard, Thread, current, park_until,
};
pub use std::sync::atomic::Ordering;
