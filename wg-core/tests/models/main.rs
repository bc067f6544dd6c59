//! Models of the word's protocol: `loom` runs each of them in every order that the memory model
//! allows. `.ci/models` runs them all, `.ci/orderings` proves that they look.
//!
//! An oracle that only looks for hangs misses the worse failure, a wait that returns early. So
//! every member of a model leaves a [`Deed`](kit::Deed) behind, and whoever learns of its end
//! reads it. That the group itself is alive is watched by the atomic behind `wg_core::sync`.

#![cfg(wg_loom)]

mod cancel;
mod free;
mod kit;
mod raw;
mod semaphore;
mod wait;
