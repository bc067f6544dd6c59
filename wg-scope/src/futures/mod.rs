//! What scopes of futures have in common, wherever their futures are polled: `local` polls them in
//! the task that awaits the scope, `tokio` on a runtime. Both are a [`place::Place`].
//!
//! From the surface down: `surface` (starting tasks), `try_scope`, `scope`, `steer` (watching and
//! cancelling), `task` (their handles) → `run` (a scope from its beginning to its end) → `placed` (one
//! future in the hands of its place), `cell` (one on its way to its end, wherever it is) and `claim`
//! (what both share with their handles) → `shared` (what a scope's parts share) → `line` (who may run), `roll` (who does) and `signal` (waking
//! the scope's own future).

mod cell;
pub(crate) mod child;
mod claim;
mod fan_out;
mod helper;
mod in_task;
mod line;
mod place;
mod placed;
mod results;
mod results_spawner;
mod results_surface;
mod results_try;
mod roll;
pub(crate) mod run;
mod scope;
mod shared;
mod signal;
mod steer;
mod surface;
mod task;
mod try_scope;
mod workers;

pub(crate) use self::child::{Claimed, Drive, Held, Join, Sendable, Unsendable};
pub use self::fan_out::{AsyncAlone, AsyncAsCompleted, AsyncFanOut, AsyncInOrder, AsyncInside};
pub use self::fan_out::{AsyncMore, Unweighed, Weighed};
pub(crate) use self::fan_out::{Order, Reading, Reads, Streams, Weigh};
pub(crate) use self::fan_out::{verbs, verbs_more};
pub(crate) use self::in_task::{Begun, Drive as InTaskDrive, InTask, Started, in_task};
pub use self::place::Place;
pub(crate) use self::place::{Claims, Holds, Joins, Polls, Takes};
pub use self::results::AsyncResults;
pub use self::results_spawner::AsyncSpawner;
pub(crate) use self::results_spawner::Wanted;
pub(crate) use self::results_surface::results_surface;
pub use self::results_try::{TryAsyncResults, TryAsyncSpawner};
pub(crate) use self::run::{collect, plain, tried};
pub use self::scope::{AsyncNamed, AsyncScope};
pub(crate) use self::shared::Shared;
pub(crate) use self::surface::surface;
pub use self::task::{AsyncTask, TryAsyncTask};
pub use self::try_scope::TryAsyncScope;
pub(crate) use self::workers::workers_surface;
pub use self::workers::{AsyncInlet, AsyncWorkers};

#[cfg(all(test, wg_loom))]
mod models;
