//! The rules of design and documentation, checked from outside. Each test's name begins with its
//! rule.
#![forbid(unsafe_code)]

mod local;
mod shells;
mod threads;
mod tokio;
