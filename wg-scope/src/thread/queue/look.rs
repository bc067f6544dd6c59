//! What a queue tells those who look: the sentinel, and whoever asks who is alive.

use std::mem;
use std::time::Instant;

use wg_core::sync;

use super::{Inner, Queue};
use crate::task_info::TaskInfo;
use crate::thread::pool::Progress;

/// A task that has begun and not ended, or that waits in the queue.
pub(in crate::thread) struct Seen {
    pub(in crate::thread) task: TaskInfo,
    /// None while it waits.
    pub(in crate::thread) since: Option<Instant>,
}

/// How many tasks a scope has had, and where they are.
#[derive(Clone, Copy)]
pub(in crate::thread) struct Numbers {
    pub(in crate::thread) spawned: u64,
    pub(in crate::thread) waiting: usize,
    pub(in crate::thread) running: usize,
}

impl Queue {
    /// Looks whether tasks are being taken, and remembers the look.
    pub(in crate::thread) fn progress(&self) -> Progress {
        let mut inner = self.0.lock();
        inner.stamp();
        let taken = inner.taken;
        let seen = mem::replace(&mut inner.seen, taken);
        if !inner.can_take() {
            return Progress::Fine;
        }
        let most = inner.slots.room();
        Progress::Waiting {
            tasks: inner.waiting.min(most),
            runners: inner.runners,
            asked: inner.asked,
            taken: taken.wrapping_sub(seen),
            limited: inner.slots.limit() != usize::MAX,
        }
    }

    pub(in crate::thread) fn numbers(&self) -> Numbers {
        let inner = self.0.lock();
        let waiting = inner.waiting + inner.pending.len();
        Numbers { spawned: inner.spawned, waiting, running: inner.running.len() }
    }

    /// Begins to count the age of what runs.
    pub(in crate::thread) fn look(&self) {
        self.0.lock().stamp();
    }

    /// What runs, and the first of what waits, `most` at the most.
    pub(in crate::thread) fn alive(&self, most: usize) -> Vec<Seen> {
        let mut inner = self.0.lock();
        inner.stamp();
        let running = inner
            .running
            .iter()
            .map(|(_, running)| Seen { task: running.task.clone(), since: running.since });
        let pending = inner.pending.iter().map(|(_, entry)| entry);
        let waiting = inner.entries.iter().chain(pending).flat_map(|entry| {
            let seen = || Seen { task: entry.job.info(entry.index), since: None };
            std::iter::repeat_with(seen).take(entry.shares)
        });
        running.chain(waiting).take(most).collect()
    }
}

impl Inner {
    fn stamp(&mut self) {
        let mut now = None;
        for (_, running) in &mut self.running {
            running.since.get_or_insert_with(|| *now.get_or_insert_with(sync::now));
        }
    }
}
