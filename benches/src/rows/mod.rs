//! The rows, in the order of speed.md.

mod core;
mod fan_outs;
mod futures;
mod threads;

use crate::row::Row;

pub(crate) fn all() -> Vec<Row> {
    let mut rows = core::rows();
    rows.extend(threads::rows());
    rows.extend(futures::rows());
    rows.extend(fan_outs::rows());
    rows
}
