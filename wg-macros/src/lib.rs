//! The `#[fan_out]` attribute of `wg-scope`: reserved, and empty so far.

#![forbid(unsafe_code)]
