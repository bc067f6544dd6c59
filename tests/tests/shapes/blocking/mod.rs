//! Bugs that block: of the 85 of ASPLOS 2019, 33 are locks, 29 channels, 16 channels mixed with
//! locks or waits, 4 messaging libraries, 3 `Wait`.

mod lock;
mod channel;
mod request;
mod mixed;
mod condition;
