//! Where threads of one group wait that came one after the other: one waking opens it for all.

use std::time::Instant;

use crate::sync::{self, Condvar, Mutex};

/// Opened once, for everybody who waits at it.
#[derive(Debug)]
pub(super) struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub(super) fn new() -> Self {
        Gate { open: Mutex::new(false), opened: Condvar::new() }
    }

    pub(super) fn open(&self) {
        *self.open.lock() = true;
        // Not under the lock, which those who are woken take.
        self.opened.notify_all();
    }

    /// Blocks until the gate is open (true) or the deadline has passed (false).
    pub(super) fn pass(&self, deadline: Option<Instant>) -> bool {
        let mut open = self.open.lock();
        while !*open {
            open = match deadline {
                None => self.opened.wait(open),
                Some(deadline) if sync::now() < deadline => self.opened.wait_until(open, deadline),
                Some(_) => return false,
            };
        }
        true
    }
}
