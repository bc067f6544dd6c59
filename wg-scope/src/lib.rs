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
//! | the same, and they may fail: the first error stops the rest | [`try_scope`] |
//! | … every error is wanted | [`collect_scope`] |
//! | one function over many items, results in order | [`fan_out`](fn@fan_out)`(items)`[`.map(f)`](FanOut::map) |
//! | … that may fail | [`.try_map(f)`](FanOut::try_map), [`.collect_all(f)`](FanOut::collect_all) |
//! | … of which the first success is enough, or the first few | [`.first_ok(f)`](FanOut::first_ok), [`.quorum(k, f)`](FanOut::quorum) |
//! | … whose results I handle while work goes on | [`Scope::fan_out`], [`.as_completed(f)`](FanOut::as_completed), [`.in_order(f)`](FanOut::in_order) |
//! | … that bring further items (crawlers, trees) | [`.grow(f)`](FanOut::grow) |
//! | … and I want to call it by name, without a closure | `#[wg::fan_out]` on the function |
//! | … of which only so much may be in flight | [`.limit(n)`](FanOut::limit), [`.budget(bytes, weight)`](FanOut::budget) |
//! | jobs that come in over time, and `n` workers | [`Scope::workers`] |
//! | tasks of one type, whose results I read as they come | [`Scope::results`] |
//! | futures that borrow, on threads | [`Scope::spawn_future`] |
//! | futures that borrow, in the task I am in, on any executor | `wg::local::scope` |
//! | … that run in parallel, on tokio | `wg::tokio::scope` |
//! | … and they may fail; every error is wanted | `try_scope`, `collect_scope` of both |
//! | … one for each item; results as they come | `fan_out` of both, `s.results()` |
//! | … and jobs that come in over time | `s.workers(n, f)` of both |
//! | … and closures that block, on tokio | `s.spawn_blocking(f)` |
//! | … and they come in a loop that must not run ahead of them | `s.ready().await`, with a limit |
//! | something that tasks on tokio are lent | `wg::tokio::scope_with`, `wg::tokio::for_each_mut` |
//! | something to await only until the scope is cancelled | `s.unless_cancelled(future).await` |
//! | a time for futures to end by themselves after a cancel | [`Options::grace`] |
//! | a limit, a deadline, a name, a policy, a stack size | [`options`] |
//! | to see what ran when, and on which thread | [`Timeline`], [`Options::timeline`] |
//! | something to stop it all from outside | [`Cancel`], [`Scope::cancel`] |
//! | something of which there are only so many | [`Semaphore`], [`Scope::permits`] |
//! | members that no scope can see (connections, leases, callbacks) | [`WaitGroup`] |
//! | Go code to port | [`raw::WaitGroup`] |
//!
//! What is for futures is behind features: `local` is the module `wg::local`, `tokio` is that and
//! `wg::tokio`; `macros` is the attribute `#[wg::fan_out]`; `full` is everything. Scopes of futures
//! have the names, options, errors and reports of those of threads.
//!
//! # What is promised
//!
//! 1. **Leaving is finishing.** A scope returns only when everything started in it has ended: on
//!    return, on error, on panic, on cancel.
//! 2. **The count cannot be wrong.** Starting a task counts it, its end discounts it, also by
//!    panic. There is no `add` and no `done`.
//! 3. **A limit cannot deadlock.** A task may always spawn, and may always join what it spawned, at
//!    any limit, also 1.
//! 4. **Results close themselves.** They end exactly when the last task has ended; a receiver that
//!    goes away never blocks a sender.
//! 5. **Nothing that went wrong is lost.** The first panic is resumed unchanged and the others are
//!    told; errors come back with the task's name, its index and the line that spawned it.
//! 6. **Waiting work costs no thread; blocked work starves nobody.** Tasks are queue entries, and
//!    more threads come when those at work are blocked.
//!
//! # Defaults
//!
//! | what | without being told |
//! |---|---|
//! | tasks of a scope at once | no limit: as many threads as cores, and more while tasks block; futures: all |
//! | items of a fan-out at once | the number of cores; under a budget, as many as fit |
//! | jobs in the inlet of a worker pool | four for each worker |
//! | results that wait to be taken | no bound in `results` and `workers`; the limit in streams of `fan_out` |
//! | a failure | cancels the rest (`collect_…` says otherwise) |
//! | futures that run when their scope is cancelled | are dropped at once; with a [grace](Options::grace), after it |
//! | a deadline, a name | none |
//!
//! # Cancelling
//!
//! Scopes form a tree: one that is entered while a task or a body of another runs is inside that
//! one, and is cancelled with it, with the cause. A cancelled scope starts nothing new, its waits
//! return early with [`Stopped`], and its tasks can ask [`Scope::is_cancelled`], one relaxed load. A
//! thread cannot be stopped from outside: what runs is waited for. A future can be dropped where it
//! waits: in `wg::local` and `wg::tokio` that is what becomes of tasks, at once or after a grace.
//! Dropping the future of such a scope before it is ready cancels it, too.

#![deny(unsafe_code)]
#![doc(test(attr(deny(warnings, rust_2018_idioms), allow(dead_code, unused_variables))))]

mod task_info;

mod cause;
mod no_result;
mod not_sent;
mod outcome;
mod policy;

mod failure;
mod payload;
mod report;
mod timeline;

mod gather;
mod ledger;
mod process;
mod blocks;

#[cfg_attr(not(feature = "local"), allow(dead_code, reason = "scopes of futures ask it"))]
mod cancel;
mod outlet;
#[cfg_attr(not(feature = "local"), allow(dead_code, reason = "scopes of futures ask it"))]
mod context;
mod timer;
#[cfg_attr(not(feature = "tracing"), path = "no_trace.rs")]
mod trace;
#[cfg_attr(not(feature = "local"), allow(dead_code, reason = "scopes of futures ask it"))]
mod cancelled;
mod options;

mod record;
mod settle;
mod closing;
mod failures;
mod ending;
#[cfg(feature = "local")]
mod twin;

#[cfg(feature = "local")]
mod futures;

mod thread;

#[cfg(feature = "macros")]
mod calls;

#[cfg(feature = "local")]
#[cfg_attr(docsrs, doc(cfg(feature = "local")))]
pub mod local;
#[cfg(feature = "tokio")]
#[cfg_attr(docsrs, doc(cfg(feature = "tokio")))]
pub mod tokio;

#[cfg(all(feature = "local", feature = "macros"))]
pub use crate::calls::AsyncCalls;
#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use crate::calls::Calls;
pub use crate::cancel::Cancel;
pub use crate::cancelled::Cancelled;
pub use crate::cause::{Cause, Stopped};
pub use crate::failure::{Errors, Failure, FailureKind};
#[cfg(feature = "local")]
pub use crate::futures::{
    AsyncAlone, AsyncAsCompleted, AsyncFanOut, AsyncInOrder, AsyncInlet, AsyncInside, AsyncMore,
    AsyncNamed, AsyncResults, AsyncScope, AsyncSpawner, AsyncTask, AsyncWorkers, Place,
    TryAsyncResults, TryAsyncScope, TryAsyncSpawner, TryAsyncTask, Unweighed, Weighed,
};
pub use crate::no_result::NoResult;
pub use crate::not_sent::NotSent;
pub use crate::options::{Options, options};
pub use crate::payload::PanicPayload;
pub use crate::policy::{Policy, Tally};
pub use crate::report::{Alive, Counts, StillRunning};
pub use crate::task_info::TaskInfo;
pub use crate::thread::{
    Alone, AsCompleted, FanOut, FutureTask, InOrder, Inlet, Inside, More, Named, NotSpawned,
    Results, Scope, Spawner, Task, TryFutureTask, TryNamed, TryResults, TryScope, TrySpawner,
    TryTask, Workers, collect_scope, fan_out, scope, try_scope,
};
pub use crate::timeline::{OutcomeKind, Span, Timeline};

#[cfg(feature = "macros")]
#[cfg_attr(docsrs, doc(cfg(feature = "macros")))]
pub use wg_macros::fan_out;

pub use wg_core::{
    Acquire, AcquireTimedOut, OwnedToken, Permit, Semaphore, TimedOut, Token, Tokens,
    TryTokenError, Wait, WaitGroup, raw,
};
