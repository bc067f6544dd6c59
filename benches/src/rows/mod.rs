//! The rows, in the order of speed.md.

mod core;

use crate::row::Row;

pub(crate) fn all() -> Vec<Row> {
    core::rows()
}
