//! The rows, in the order of the report, and the curves.

mod core;
mod fan_outs;
mod futures;
mod looking;
mod threads;
pub(crate) mod growing;

use crate::row::Row;

pub(crate) fn all() -> Vec<Row> {
    let mut rows = core::rows();
    rows.extend(threads::rows());
    let mut of_futures = futures::rows();
    of_futures.extend(fan_outs::rows());
    of_futures.sort_by_key(|row| row.name);
    rows.extend(of_futures);
    rows.extend(looking::rows());
    rows.extend(threads::last());
    rows
}
