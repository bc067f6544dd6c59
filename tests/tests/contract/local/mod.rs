//! What scopes inside the current task promise.

mod blocking;
mod fan_out;
mod fan_out_budget;
mod fan_out_grow;
mod fan_out_streams;
mod fan_out_streams_ends;
mod gone;
mod guests;
mod life;
mod results;
mod results_lent;
mod limits;
mod unsend;
mod unsend_fan_out;
mod unsend_fan_out_ends;
mod unsend_streams;
mod wakers;
mod workers;
