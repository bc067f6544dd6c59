//! A crew for tests that counts how many shares are posted, and knows nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Posting;
use crate::task_info::{Label, TaskInfo};
use crate::thread::shared::Shared;

/// Counts how many shares are posted, unwatched by loom.
#[derive(Default)]
pub(in crate::thread) struct Posts(AtomicUsize);

impl Posts {
    pub(in crate::thread) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Posting for Posts {
    fn scope(&self) -> &Arc<Shared> {
        unreachable!("who posts knows of no scope")
    }

    fn item(&self, _: usize) -> TaskInfo {
        unreachable!("who posts reports nothing")
    }

    fn label(&self) -> &Label {
        unreachable!("who posts reports nothing")
    }

    fn dismiss(&self) {
        unreachable!("who posts does not end the work")
    }

    fn post(&self, shares: usize) {
        self.0.fetch_add(shares, Ordering::Relaxed);
    }

    fn retract(&self) {
        unreachable!("who posts does not end the work")
    }
}
