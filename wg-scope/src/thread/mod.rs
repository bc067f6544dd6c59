//! Scopes whose tasks run on threads.
//!
//! The queue belongs to the scope, the pool only lends threads: a *runner* attaches to a scope,
//! works its queue off and goes back. The thread that leaves the scope works the queue too, so a
//! scope ends even where no thread can be had.
//!
//! `scope` (the surface) → `shared` (what tasks, runners and the body share) → `queue`, `pool`;
//! `task` is one closure on its way from the queue to its handle.

mod erase;
mod pool;
mod probe;
mod queue;
mod scope;
mod shared;
mod task;

pub use self::scope::{Scope, scope};
pub use self::task::Task;
