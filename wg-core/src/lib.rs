//! A WaitGroup in one 64-bit word, and what it stands on.
//!
//! A [`WaitGroup`] counts members; [`wait`](WaitGroup::wait) blocks, or
//! [`wait_async`](WaitGroup::wait_async) awaits, until none is left. Membership is a value, a
//! [`Token`]: taking one counts, dropping one discounts, also when the holder panics. There is no
//! `add` and no `done` to forget, misplace or repeat. [`raw`] keeps Go's type with both, for
//! porting and for study.
//!
//! ```
//! use wg_core::WaitGroup;
//!
//! let group = WaitGroup::new();
//! std::thread::scope(|s| {
//!     for token in group.tokens(3) {
//!         s.spawn(move || {
//!             let _member = token; // discounted when this closure ends, however it ends
//!         });
//!     }
//!     group.wait();
//!     assert_eq!(group.count(), 0);
//! });
//! ```
//!
//! # When not to use it
//!
//! To start tasks and wait for them, use `wg::scope`: it owns its group, so there is nothing to
//! count. A bare `WaitGroup` is for members that no scope can see: connections, leases, callbacks.
//! It carries no results and cancels nobody.
//!
//! # Memory ordering
//!
//! What a member did before its token was dropped happens before the return of every wait that
//! finds the group empty of that member: a blocking, timed or async wait, and a
//! [`count`](WaitGroup::count) that returns 0. This holds for every member, not only for the last.
//! What happened before [`close`](WaitGroup::close) happens before each
//! [`try_token`](WaitGroup::try_token) that it refuses. Taking a token orders nothing: a group is
//! not a lock, and two members may still race with each other.
//!
//! # Who may race with whom
//!
//! Everything may be called from any thread at any time. Taking a token while another thread waits
//! is no misuse, as it is in Go: a wait returns if the group was empty at one instant while it
//! waited. A token that is to be waited for must be taken before the wait begins, which is the
//! rule "add before you launch"; it holds by itself where the starter takes the token and moves it
//! into the task.
//!
//! # Platforms
//!
//! The word is a 64-bit atomic. Targets without one do not compile, and say why.

#![forbid(unsafe_code)]
#![doc(test(attr(deny(warnings, rust_2018_idioms), allow(dead_code, unused_variables))))]

#[cfg(not(target_has_atomic = "64"))]
compile_error!(
    "wg-core keeps its counter and its waiters in one 64-bit atomic word, \
     which this target does not have"
);

#[macro_use]
#[doc(hidden)]
pub mod sync;
mod state;
mod waiters;
mod semaphore;

mod group;
mod token;
mod wait;

pub mod raw;

pub use crate::group::WaitGroup;
pub use crate::semaphore::Acquire; // by itself: within braces `.ci/orderings` takes it for an ordering
pub use crate::semaphore::{AcquireTimedOut, Permit, Semaphore};
pub use crate::token::{OwnedToken, Token, Tokens, TryTokenError};
pub use crate::wait::{TimedOut, Wait};
