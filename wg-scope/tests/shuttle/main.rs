//! Scenarios of whole scopes, with the pool, the sentinel and the timer: `shuttle` runs each of
//! them in thousands of random orders. `.ci/shuttle` runs them all, and again, but for those of
//! `growth`, with threads that cannot be created.
//!
//! Time is not modelled: a wait with a deadline may end whenever it likes. So a wake-up that is lost
//! where a time-out comes to the rescue is not seen here. What waits for ever is: shuttle reports a
//! deadlock, or that there is no end to it.

#![cfg(wg_shuttle)]
#![forbid(unsafe_code)]

mod cancel;
mod fan_out;
mod futures;
mod growth;
mod kit;
mod life;
mod limit;
mod results;
mod stacks;
