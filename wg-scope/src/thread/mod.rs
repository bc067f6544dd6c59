//! Scopes whose tasks run on threads.
//!
//! The queue belongs to the scope, the pool only lends threads: a *runner* attaches to a scope,
//! works its queue off and goes back. The thread that leaves the scope works the queue too, so a
//! scope ends even where no thread can be had.
//!
//! From the surface down: `scope` and `try_scope` (starting tasks), `steer` (watching and
//! cancelling), `entry` (a scope from its beginning to its end), `handle` → `task` (how one is
//! joined) → `cell` (a task in memory, with its two owners) → `todo` (what running it means);
//! `wait` (the one way in which a thread waits) → `runner` (working a queue off) → `frame` (which
//! scopes this thread is in) → `shared` (what the body, the tasks and the runners share) → `queue`
//! and `slots` (who may run), and `pool`, which knows scopes as its clients only. Futures go by
//! `spawn_future`, `future_task` (their handles) → `future` (one future on its way to its
//! `ending`) → `ring` (its waker) → `bell` (who polls it next). `timer` watches deadlines,
//! `process` knows forks, `probe` knows whether a thread computes. A stack that is used up goes on
//! elsewhere: `onward`, `stack`.

mod scope;
mod steer;
mod try_scope;
mod entry;
mod handle;
mod large;
mod spawn_future;
mod future_task;
mod future;
mod ring;
mod bell;
mod crew;
mod fan_out;
mod workers;
mod permits;
mod ready;
mod try_results;
mod results;
mod spawner;
mod lent;
mod delivery;
mod task;
mod cell;
mod todo;
mod wait;
mod runner;
mod running;
mod onward;
mod sleep;
mod frame;
mod shared;
mod queue;
mod slots;
mod job;
mod pile;
mod pool;
mod stack;
mod probe;

pub use self::fan_out::{Alone, AsCompleted, FanOut, InOrder, Inside, More, fan_out};
pub use self::future_task::{FutureTask, TryFutureTask};
pub use self::handle::{Task, TryTask};
pub use self::results::Results;
pub use self::scope::{Named, NotSpawned, Scope, scope};
pub use self::spawner::Spawner;
pub use self::try_results::{TryResults, TrySpawner};
pub use self::try_scope::{TryNamed, TryScope, collect_scope, try_scope};
pub use self::workers::{Inlet, Workers};

#[cfg(all(test, wg_loom))]
mod models;
