//! The lists of a queue. Those of one that has ended are kept for the next scope of the same thread: a
//! small scope would otherwise spend as long on them as on its tasks.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use slab::Slab;
use wg_core::sync;

use super::{Entry, Hand, Running};

#[derive(Default)]
pub(super) struct Lists {
    /// The inlet's, until that is opened.
    pub(super) laid: VecDeque<Entry>,
    pub(super) entries: VecDeque<Entry>,
    /// What runs, for the reports, but for what runners have in hand.
    pub(super) running: Slab<Option<Running>>,
    /// The hands of runners that took several tasks, and which of them may hold some not begun.
    pub(super) hands: Slab<Hand>,
    pub(super) full: Vec<usize>,
}

/// Longer lists than this, in entries, are not kept.
pub(super) const LONGEST: usize = 1024;

impl Lists {
    fn are_empty(&self) -> bool {
        let Lists { laid, entries, running, hands, full } = self;
        let tasks_are = laid.is_empty() && entries.is_empty();
        tasks_are && running.is_empty() && hands.is_empty() && full.is_empty()
    }

    fn longest(&self) -> usize {
        let Lists { laid, entries, running, hands, full } = self;
        let tasks = laid.capacity().max(entries.capacity());
        tasks.max(running.capacity()).max(hands.capacity()).max(full.capacity())
    }
}

/// Lists that are kept when they are dropped, if they are empty and not too long.
pub(super) struct Kept(Option<Box<Lists>>);

sync::thread_local! {
    static SPARE: Cell<Option<Box<Lists>>> = const { Cell::new(None) };
}

impl Kept {
    /// Returns empty lists.
    pub(super) fn new() -> Self {
        Kept(Some(SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default()))
    }
}

impl Deref for Kept {
    type Target = Lists;

    fn deref(&self) -> &Lists {
        self.0.as_ref().expect("they are here until they are dropped")
    }
}

impl DerefMut for Kept {
    fn deref_mut(&mut self) -> &mut Lists {
        self.0.as_mut().expect("they are here until they are dropped")
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(lists) = self.0.take_if(|lists| lists.are_empty() && lists.longest() <= LONGEST)
        {
            // In a thread whose locals are gone already, they go too.
            let _ = SPARE.try_with(|spare| spare.set(Some(lists)));
        }
    }
}
