//! What the companion of a `#[fan_out]` function returns: a function and its items, and how it is to
//! run. All of it could be written by hand; the attribute does no more than call `new`.
//!
//! `threads` is for a `fn`, `futures` for an `async fn`; `settings` are the options that both have.
//! Both stand on the fan-outs, and add names: a type that can be written down, where a fan-out has
//! the types of an iterator and of a closure, which cannot.

mod settings;
mod threads;
#[cfg(feature = "local")]
mod futures;

#[cfg(feature = "local")]
pub use self::futures::AsyncCalls;
#[cfg(feature = "local")]
pub(crate) use self::futures::{Function, Items, calls};
pub use self::threads::Calls;
