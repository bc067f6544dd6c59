//! What scopes on a tokio runtime promise.

mod fan_out;
mod fan_out_streams;
mod results;
mod results_lent;
mod timeline;
mod workers;
