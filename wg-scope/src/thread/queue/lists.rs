//! The lists of a queue that has ended, kept for the next scope of the same thread: a small scope would
//! otherwise spend as long on them as on its tasks.

use std::cell::Cell;
use std::collections::VecDeque;

use slab::Slab;
use wg_core::sync;

use super::{Entry, Hand, Running};

#[derive(Default)]
pub(super) struct Lists {
    pub(super) entries: VecDeque<Entry>,
    pub(super) running: Slab<Running>,
    pub(super) hands: Slab<Hand>,
    pub(super) full: Vec<usize>,
}

/// Longer lists than this, in entries, are not kept.
const LONGEST: usize = 1024;

sync::thread_local! {
    static SPARE: Cell<Option<Lists>> = const { Cell::new(None) };
}

impl Lists {
    /// Returns empty lists.
    pub(super) fn spare() -> Self {
        SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()
    }

    /// Keeps these lists, if they are empty and not too long.
    pub(super) fn keep(self) {
        let Lists { entries, running, hands, full } = &self;
        let is_empty =
            entries.is_empty() && running.is_empty() && hands.is_empty() && full.is_empty();
        let longest = entries.capacity().max(running.capacity()).max(hands.capacity());
        if is_empty && longest.max(full.capacity()) <= LONGEST {
            // In a thread whose locals are gone already, they go too.
            let _ = SPARE.try_with(|spare| spare.set(Some(self)));
        }
    }
}
