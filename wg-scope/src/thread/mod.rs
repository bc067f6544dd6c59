//! Scopes whose tasks run on threads.
//!
//! The queue belongs to the scope, the pool only lends threads: a *runner* attaches to a scope,
//! works its queue off and goes back. The thread that leaves the scope works the queue too, so a
//! scope ends even where no thread can be had.
//!
//! `scope` (the surface) → `task` (one closure on its way from the queue to its handle) → `shared`
//! (what the body, the tasks and the runners share) → `queue`, and `pool`, which knows scopes as its
//! clients only.

mod scope;
mod task;
mod shared;
mod queue;
mod job;
mod pool;
mod probe;

pub use self::scope::{Scope, scope};
pub use self::task::Task;
