//! Who may run: a limit, those that run, and those that wait for a slot.

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Instant;

use slab::Slab;
use wg_core::sync::now;

use super::place::Child;
use crate::task_info::TaskInfo;

/// The children of one scope.
pub(crate) struct Line<C, H> {
    limit: usize,
    /// Slots that are taken.
    taken: usize,
    waiting: VecDeque<C>,
    /// How many of those that wait have not been begun in place.
    queued: usize,
    running: Slab<Running<H>>,
    spawned: u64,
    /// Those who wait for room.
    hopeful: Vec<Waker>,
    /// Whether those that run have been stopped.
    stopped: bool,
}

/// A child that has begun and not ended.
struct Running<H> {
    task: TaskInfo,
    /// When somebody first looked: a clock for every task would cost more than a small task.
    since: Option<Instant>,
    handle: Option<H>,
}

/// Where a child stands among those that run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(usize);

/// How many children a scope has had, and where they are.
#[derive(Clone, Copy)]
pub(crate) struct Numbers {
    pub(crate) spawned: u64,
    pub(crate) waiting: usize,
    pub(crate) running: usize,
}

impl<C: Child, H> Line<C, H> {
    pub(crate) fn new(limit: usize) -> Self {
        Line {
            limit,
            taken: 0,
            waiting: VecDeque::new(),
            queued: 0,
            running: Slab::new(),
            spawned: 0,
            hopeful: Vec::new(),
            stopped: false,
        }
    }

    /// The index of the next child.
    pub(crate) fn number(&mut self) -> u64 {
        self.spawned += 1;
        self.spawned - 1
    }

    /// Gives a slot to a child, or has it wait for one. `first`: before all others that wait.
    pub(crate) fn enter(&mut self, child: C, first: bool) -> Option<(C, Key)> {
        if self.taken < self.limit {
            self.taken += 1;
            let key = self.run(child.info());
            return Some((child, key));
        }
        self.queued += 1;
        if first {
            self.waiting.push_front(child);
        } else {
            self.waiting.push_back(child);
        }
        None
    }

    /// The next that waits, with a slot, if there is one. It may have been begun in place meanwhile:
    /// then it is to be given back by [`undo`](Self::undo).
    pub(crate) fn next(&mut self) -> Option<(C, Key)> {
        if self.taken >= self.limit {
            return None;
        }
        let child = self.waiting.pop_front()?;
        self.taken += 1;
        let key = self.run(child.info());
        Some((child, key))
    }

    /// Takes a slot back that was not needed.
    pub(crate) fn undo(&mut self, key: Key) {
        self.taken -= 1;
        self.running.remove(key.0);
    }

    /// Enters that one that waited does not any more.
    pub(crate) fn unqueue(&mut self) {
        self.queued -= 1;
    }

    /// Enters that one that waited is begun in the slot of another.
    pub(crate) fn begin_in_place(&mut self, task: TaskInfo) -> Key {
        self.queued -= 1;
        self.run(task)
    }

    /// Everything that waits.
    pub(crate) fn drain(&mut self) -> VecDeque<C> {
        std::mem::take(&mut self.waiting)
    }

    fn run(&mut self, task: TaskInfo) -> Key {
        Key(self.running.insert(Running { task, since: None, handle: None }))
    }

    /// Enters by what it is stopped, if it still runs. Gives that back if it is to stop now.
    pub(crate) fn attach(&mut self, key: Key, index: usize, handle: H) -> Option<H> {
        if self.stopped {
            return Some(handle);
        }
        if let Some(running) = self.running.get_mut(key.0) {
            // Another may have the key by now.
            if running.task.index() == index {
                running.handle = Some(handle);
            }
        }
        None
    }

    /// Enters that it has ended. What is returned is to be dropped without the lock.
    pub(crate) fn end(&mut self, key: Key, had_slot: bool) -> impl Sized + use<C, H> {
        self.taken -= usize::from(had_slot);
        let ended = self.running.remove(key.0);
        (ended.task, ended.handle)
    }

    /// By what those are stopped that run. Whoever is attached from now on is to stop at once.
    pub(crate) fn stop(&mut self) -> Vec<H> {
        self.stopped = true;
        self.running.iter_mut().filter_map(|(_, running)| running.handle.take()).collect()
    }

    /// Whether a child that is spawned now would run at once.
    pub(crate) fn has_room(&self) -> bool {
        self.taken < self.limit && self.queued == 0
    }

    /// Enters who is to be woken when there may be room.
    pub(crate) fn hope(&mut self, waker: Waker) {
        self.hopeful.push(waker);
    }

    /// Those who wait for room, if there may be some.
    pub(crate) fn hopeful(&mut self) -> Vec<Waker> {
        if self.has_room() { std::mem::take(&mut self.hopeful) } else { Vec::new() }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(crate) fn numbers(&self) -> Numbers {
        Numbers { spawned: self.spawned, waiting: self.queued, running: self.running.len() }
    }

    /// Begins to count the age of what runs.
    pub(crate) fn look(&mut self) {
        let mut time = None;
        for (_, running) in &mut self.running {
            running.since.get_or_insert_with(|| *time.get_or_insert_with(now));
        }
    }

    /// What runs, and since when somebody looks.
    pub(crate) fn alive(&self, most: usize) -> Vec<(TaskInfo, Option<Instant>)> {
        let running = self.running.iter().map(|(_, it)| (it.task.clone(), it.since));
        running.take(most).collect()
    }

    /// The first of those that wait.
    pub(crate) fn first(&self, most: usize) -> Vec<C> {
        self.waiting.iter().take(most).cloned().collect()
    }
}
