//! Structured concurrency on a WaitGroup: leaving a scope is finishing what was started in it.
//!
//! ```
//! let pages = ["one", "two", "three"];
//! let total = wg::scope(|s| {
//!     let counts: Vec<_> = pages.iter().map(|page| s.spawn(|| page.len())).collect();
//!     counts.into_iter().map(|count| count.join()).sum::<usize>()
//! });
//! assert_eq!(total, 11);
//! ```
//!
//! # Which call do I want?
//!
//! | I have | I call |
//! |---|---|
//! | a few different things to do at once | [`scope`], [`Scope::spawn`], [`Task::join`] |
//! | members that no scope can see (connections, leases, callbacks) | [`WaitGroup`] |
//! | Go code to port | [`raw::WaitGroup`] |
//!
//! # What is promised
//!
//! 1. **Leaving is finishing.** [`scope`] returns only when everything started in it has ended: on
//!    return, and on panic.
//! 2. **The count cannot be wrong.** Starting a task counts it, its end discounts it, also by
//!    panic. There is no `add` and no `done`.
//! 3. **Nothing that went wrong is lost.** The first panic is resumed unchanged; the others are
//!    told.
//! 4. **Waiting work costs no thread; blocked work starves nobody.** Tasks are queue entries, and
//!    more threads come when those at work are blocked.

#![deny(unsafe_code)]
#![doc(test(attr(deny(warnings, rust_2018_idioms), allow(dead_code, unused_variables))))]

mod task_info;

mod cause;
mod outcome;
mod policy;

mod failure;
mod report;

mod ledger;

mod cancel;
mod options;

mod thread;

pub use crate::cancel::Cancel;
pub use crate::cause::{Cause, Stopped};
pub use crate::failure::{Errors, Failure, FailureKind};
pub use crate::options::{Options, options};
pub use crate::policy::{Policy, Tally};
pub use crate::report::{Alive, Counts, StillRunning};
pub use crate::task_info::TaskInfo;
pub use crate::thread::{
    Named, NotSpawned, Scope, Task, TryNamed, TryScope, TryTask, collect_scope, scope, try_scope,
};

pub use wg_core::{OwnedToken, TimedOut, Token, Tokens, TryTokenError, Wait, WaitGroup, raw};
