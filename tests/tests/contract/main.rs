//! The rules of design and documentation, checked from outside. Each test's name begins with its
//! rule.
#![forbid(unsafe_code)]

#[cfg(not(wg_threads_only))]
mod local;
#[cfg(not(wg_threads_only))]
mod shells;
mod threads;
#[cfg(not(wg_threads_only))]
mod tokio;
