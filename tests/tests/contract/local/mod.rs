//! What scopes inside the current task promise.

mod blocking;
mod fan_out;
mod gone;
mod guests;
mod life;
mod results;
mod limits;
mod unsend;
mod wakers;
