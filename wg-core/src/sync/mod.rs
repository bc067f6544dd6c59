//! The one door to `std`, `loom` or `shuttle`. Not part of the public API.
//!
//! All sides of the door have the same shape, so that nothing behind it asks which one it got.
//! This is the only place that names the private cfgs `wg_loom` and `wg_shuttle`; wg-scope's thread
//! rooms go through the same door.

#[cfg(wg_loom)]
#[path = "loom.rs"]
#[macro_use]
mod imp;

#[cfg(all(wg_shuttle, not(wg_loom)))]
#[path = "shuttle.rs"]
#[macro_use]
mod imp;

#[cfg(not(any(wg_loom, wg_shuttle)))]
#[path = "std.rs"]
#[macro_use]
mod imp;

#[cfg(any(wg_loom, wg_shuttle))]
mod clock;
mod forks;
#[cfg(not(wg_loom))]
mod place;

// What the macros of these two sides expand to.
#[cfg(wg_loom)]
pub use self::imp::rely_on_unpark;
#[cfg(wg_loom)]
pub use ::loom;
#[cfg(all(wg_shuttle, not(wg_loom)))]
pub use ::shuttle;

pub use self::forks::{count_fork, forks};
pub use self::imp::{
    Arc, AtomicBool, AtomicU64, BUCKETS, Condvar, Mutex, MutexGuard, Thread, cores, current,
    elsewhere, fence, give_way, is_used_up, now, park_until, recycles, spawn, times, wait_a_little,
};
pub use crate::{array_of, const_fn, global};
pub use std::sync::atomic::Ordering;

#[cfg(not(wg_loom))]
pub use self::place::UnsafeCell;
#[cfg(wg_loom)]
pub use ::loom::cell::UnsafeCell;

#[cfg(not(wg_loom))]
pub use self::imp::thread_local;
#[cfg(wg_loom)]
pub use crate::thread_local;

/// About where this thread's stack stands, as an address. What finds accesses to frames that are gone puts
/// locals elsewhere, but for those of functions that it leaves alone.
#[cfg_attr(wg_asan, sanitize(address = "off"))]
#[inline(never)]
pub fn stack_stands_at() -> usize {
    let local = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&local)).addr()
}
