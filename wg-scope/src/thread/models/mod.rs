//! Models of the protocols between scope, queue, task and cancel: `loom` runs each of them in every
//! order that its bound allows. They stand in here because the protocols are private.
//!
//! No thread can be had in a model (`wg_core::sync`), as on a machine that has run out of them. So
//! the pool lends nobody, and a model brings the runners that it wants. `.ci/models` runs them all.

mod cancel;
mod desk;
mod feed;
mod finish;
mod future;
mod inlet;
mod kit;
mod post;
mod queue;
mod task;
