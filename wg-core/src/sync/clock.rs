//! The time of models: it stands still but for the deadlines that pass.

use std::cell::Cell;
use std::time::Instant;

std::thread_local! {
    /// All threads of a model are one thread to the system.
    static NOW: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The time.
pub fn now() -> Instant {
    let now = NOW.get().unwrap_or_else(Instant::now);
    NOW.set(Some(now));
    now
}

/// Lets a deadline pass.
pub(super) fn advance(deadline: Instant) {
    NOW.set(Some(now().max(deadline)));
}
