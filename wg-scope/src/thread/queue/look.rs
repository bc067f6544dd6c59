//! What a queue tells those who look: the sentinel, and whoever asks who is alive.

use std::time::Instant;
use std::{iter, mem};

use wg_core::sync;

use super::{Entry, Inner, Queue, Running};
use crate::task_info::{Names, TaskInfo};
use crate::thread::job::Membership;
use crate::thread::pool::Progress;

/// How many pieces of something shared count as one task that was taken: nobody comes to the queue for each
/// of them, so those who share are blocked in these, if they are, also where they are brief.
const PIECES: u64 = 4;

/// A task that has begun and not ended, or that waits in the queue.
pub(in crate::thread) struct Seen {
    pub(in crate::thread) task: TaskInfo,
    /// None while it waits.
    pub(in crate::thread) since: Option<Instant>,
}

impl Seen {
    fn waiting(task: TaskInfo) -> Self {
        Seen { task, since: None }
    }
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
        let mut inner = self.lock();
        inner.stamp();
        let in_hand = inner.lists.hands.iter().map(|(_, hand)| hand.taken()).sum();
        let taken = inner.taken.wrapping_add(in_hand);
        let seen = mem::replace(&mut inner.seen, taken);
        // Those who share something seldom take shares, and go on all the same.
        let first = inner.lists.entries.iter().find(|entry| entry.is_wanted());
        let waits = inner.ahead() > 0 || first.is_some();
        // Where that is not to be known now, it will be at the next look.
        let done = first.map_or(Some(0), Entry::done).unwrap_or(inner.seen_done);
        let seen_done = mem::replace(&mut inner.seen_done, done);
        let pieces = done.wrapping_sub(seen_done).div_ceil(PIECES);
        if !inner.can_take() || !waits {
            return Progress::Fine;
        }
        let most = inner.slots.room();
        Progress::Waiting {
            tasks: (inner.waiting + inner.ahead()).min(most),
            runners: inner.runners,
            asked: inner.asked,
            taken: taken.wrapping_sub(seen).saturating_add(pieces),
            limited: inner.slots.limit() != usize::MAX,
        }
    }

    pub(in crate::thread) fn numbers(&self) -> Numbers {
        let inner = self.lock();
        let mut waiting = inner.waiting + inner.pending.len();
        let mut running = inner.lists.running.len();
        for (_, hand) in &inner.lists.hands {
            let (runs, ahead) = hand.look(|current, ahead| (current.is_some(), ahead.len()));
            running += usize::from(runs);
            waiting += ahead;
        }
        Numbers { spawned: inner.spawned, waiting, running }
    }

    /// Begins to count the age of what runs, for one who is about to wait for the scope's group.
    pub(in crate::thread) fn look(&self, enter: impl FnOnce() -> Option<Membership>) {
        let mut inner = self.lock();
        inner.stamp();
        inner.watch(enter);
    }

    /// What runs, and the first of what waits, `most` at the most. `names`: those of the scope.
    pub(in crate::thread) fn alive(&self, most: usize, names: &Names) -> Vec<Seen> {
        let mut inner = self.lock();
        inner.stamp();
        let mut seen: Vec<_> = inner
            .lists
            .running
            .iter()
            .flat_map(|(_, running)| running)
            .map(|running| running.seen(names))
            .collect();
        let mut waiting = Vec::new();
        for (_, hand) in &inner.lists.hands {
            hand.look(|current, ahead| {
                seen.extend(current.map(|running| running.seen(names)));
                waiting.extend(ahead.iter().take(most).flat_map(Entry::seen));
            });
        }
        let pending = inner.pending.iter().map(|(_, shelved)| shelved.job.info(shelved.index));
        let pending = pending.map(Seen::waiting);
        let behind = inner.lists.entries.iter().flat_map(Entry::seen).chain(pending);
        seen.extend(waiting.into_iter().chain(behind).take(most.saturating_sub(seen.len())));
        seen.truncate(most);
        seen
    }
}

impl Inner {
    fn stamp(&mut self) {
        let mut now = None;
        let mut stamp = |running: &mut Running| {
            running.since.get_or_insert_with(|| *now.get_or_insert_with(sync::now));
        };
        self.lists.running.iter_mut().flat_map(|(_, running)| running).for_each(&mut stamp);
        for (_, hand) in &self.lists.hands {
            hand.look(|current, _| current.map(&mut stamp));
        }
    }
}

impl Running {
    fn seen(&self, names: &Names) -> Seen {
        Seen { task: self.task.info(names), since: self.since }
    }
}

impl Entry {
    fn seen(&self) -> impl Iterator<Item = Seen> {
        let shares = iter::repeat_with(|| self.info()).take(self.shares());
        shares.flatten().map(Seen::waiting)
    }
}
