//! `wg::scope`.

mod life;
mod drops;
mod panics;
mod progress;
mod join;
mod memory;
mod types;
mod process;
