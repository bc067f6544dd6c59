//! `#[wg::fan_out]`: what it may stand on, and that its companions do what they say.
#![forbid(unsafe_code)]

mod threads;
mod futures;
mod tokio;
mod methods;
mod generics;
mod lifetimes;
mod attributes;
mod types;
