//! What scopes on a tokio runtime promise.

mod fan_out;
mod results;
