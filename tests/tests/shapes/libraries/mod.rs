//! Libraries: contexts, timers, once. 6 of the bugs that do not block and 4 of those that do are
//! misused message libraries.

mod context;
mod timer;
mod once;
