//! In place of `trace`, where nobody is told anything.

use std::panic::Location;

pub(crate) fn blocks(_: &Location<'_>) {}
