//! Bugs that do not block: of the 86 of ASPLOS 2019, 46 are traditional races, 11 captures by
//! anonymous functions, 6 misused WaitGroups (see `wait_group`), 6 libraries, 17 messages.
//!
//! Most of them do not compile in Rust, with or without wg. The cases are in `ui/fail`; here is what
//! one writes instead.

mod shared;
mod order;
mod message;
