//! The queue of one scope: its tasks that have not begun, who works on them, and what runs.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::time::Instant;

use slab::Slab;
use wg_core::sync::{Mutex, Thread};

use super::job::Job;
use super::pool::Progress;
use super::slots::Slots;
use crate::task_info::TaskInfo;

pub(super) struct Queue(Mutex<Inner>);

struct Inner {
    entries: VecDeque<Entry>,
    /// How many tasks and shares the entries stand for.
    waiting: usize,
    slots: Slots,
    /// What runs, for the reports.
    running: Slab<Running>,
    spawned: u64,
    /// Runners at work or asked for.
    runners: usize,
    /// Of these, the ones that have not come yet.
    asked: usize,
    /// How often a task was taken; and the same, when progress was last looked at.
    taken: u64,
    seen: u64,
    /// The thread of the scope's body, where it sleeps.
    owner: Option<Owner>,
    /// Threads that sleep until there is room, or a slot. They are woken all, and look again.
    hopeful: Vec<Thread>,
}

/// The thread of the scope's body.
struct Owner {
    thread: Thread,
    /// Whether it takes tasks when it is woken.
    works: bool,
}

/// A job, and how often it may still be begun.
struct Entry {
    job: Job,
    index: u64,
    shares: usize,
}

/// A task that runs. Its age is counted from when somebody first looked: the sentinel does so
/// every millisecond, and a clock for every task would cost more than a small task.
struct Running {
    task: TaskInfo,
    since: Option<Instant>,
}

/// A task that was begun, to be given back at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun(usize);

/// What was taken from the queue.
pub(super) struct Next {
    pub(super) job: Job,
    pub(super) index: u64,
    pub(super) begun: Begun,
}

/// What must be done after a change, when the lock is free.
#[must_use]
pub(super) struct Follow {
    pub(super) wake: Vec<Thread>,
    /// One more runner is wanted. It counts as asked for.
    pub(super) ask: bool,
}

/// A task that has begun and not ended, or that waits in the queue.
pub(super) struct Seen {
    pub(super) task: TaskInfo,
    /// None while it waits.
    pub(super) since: Option<Instant>,
}

/// How many tasks a scope has had, and where they are.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pub(super) spawned: u64,
    pub(super) waiting: usize,
    pub(super) running: usize,
}

impl Inner {
    fn can_take(&self) -> bool {
        self.waiting > 0 && self.slots.has_room()
    }

    fn take(&mut self) -> Option<Next> {
        if !self.slots.has_room() {
            return None;
        }
        let entry = self.entries.front_mut()?;
        let index = entry.index;
        let job = if entry.shares > 1 {
            entry.shares -= 1;
            entry.job.share()
        } else {
            self.entries.pop_front().expect("looked at it just now").job
        };
        self.waiting -= 1;
        self.taken = self.taken.wrapping_add(1);
        let begun = self.begin(job.info(index));
        Some(Next { job, index, begun })
    }

    fn begin(&mut self, task: TaskInfo) -> Begun {
        self.slots.begin();
        Begun(self.running.insert(Running { task, since: None }))
    }

    fn end(&mut self, begun: Begun) -> TaskInfo {
        self.slots.end();
        self.running.remove(begun.0).task
    }

    /// Finds somebody for tasks that can begin, and tells those who hope for room.
    fn follow(&mut self, most: usize) -> Follow {
        let wake = mem::take(&mut self.hopeful);
        self.find_somebody(wake, most)
    }

    /// Finds somebody for tasks that can begin.
    fn find_somebody(&mut self, mut wake: Vec<Thread>, most: usize) -> Follow {
        let mut ask = false;
        if self.can_take() {
            if let Some(owner) = self.owner.take_if(|owner| owner.works) {
                wake.push(owner.thread);
            } else if self.runners < most.min(self.slots.limit()) {
                self.runners += 1;
                self.asked += 1;
                ask = true;
            }
        }
        Follow { wake, ask }
    }
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Queue(Mutex::new(Inner {
            entries: VecDeque::new(),
            waiting: 0,
            slots: Slots::new(limit),
            running: Slab::new(),
            spawned: 0,
            runners: 0,
            asked: 0,
            taken: 0,
            seen: 0,
            owner: None,
            hopeful: Vec::new(),
        }))
    }

    /// Queues a task, for at most `most` runners. Returns its index.
    pub(super) fn push(&self, job: Job, most: usize) -> (u64, Follow) {
        let mut inner = self.0.lock();
        let index = inner.spawned;
        inner.spawned += 1;
        inner.waiting += 1;
        inner.entries.push_back(Entry { job, index, shares: 1 });
        (index, inner.find_somebody(Vec::new(), most))
    }

    /// Queues a job that may be begun `shares` times, at once if there are runners enough.
    pub(super) fn push_shares(&self, job: Job, shares: usize, most: usize) -> Follow {
        let mut inner = self.0.lock();
        let index = inner.spawned;
        inner.waiting += shares;
        inner.entries.push_back(Entry { job, index, shares });
        inner.follow(most)
    }

    /// Gives back what ran before, and takes the next task, if one may begin.
    pub(super) fn next(&self, before: Option<Begun>) -> (Option<Next>, Follow) {
        let mut inner = self.0.lock();
        let ended = before.map(|begun| inner.end(begun));
        let next = inner.take();
        let wake = if before.is_some() { mem::take(&mut inner.hopeful) } else { Vec::new() };
        drop(inner);
        // A name may be the last to be let go of.
        drop(ended);
        (next, Follow { wake, ask: false })
    }

    /// As [`next`](Self::next), for a runner, which goes away if there is nothing.
    pub(super) fn next_or_detach(&self, before: Option<Begun>) -> (Option<Next>, Follow) {
        let mut inner = self.0.lock();
        let ended = before.map(|begun| inner.end(begun));
        let next = inner.take();
        if next.is_none() {
            inner.runners -= 1;
        }
        let wake = if before.is_some() { mem::take(&mut inner.hopeful) } else { Vec::new() };
        drop(inner);
        drop(ended);
        (next, Follow { wake, ask: false })
    }

    /// Enters a task that was begun in place, in the slot of the one who joins it and sleeps.
    pub(super) fn begin_in_slot(&self, task: TaskInfo) -> Begun {
        let mut inner = self.0.lock();
        inner.slots.nest();
        Begun(inner.running.insert(Running { task, since: None }))
    }

    /// Gives back what was begun in a slot. Whose slot it is goes on.
    pub(super) fn end_in_slot(&self, begun: Begun) {
        let mut inner = self.0.lock();
        inner.slots.unnest();
        let ended = inner.running.remove(begun.0);
        drop(inner);
        drop(ended);
    }

    /// Enters a task that is to be begun in place by one without a slot, if there is room.
    pub(super) fn begin_as_guest(&self, task: TaskInfo) -> Option<Begun> {
        let mut inner = self.0.lock();
        inner.slots.has_room_for_guest().then(|| inner.begin(task))
    }

    /// Gives back what was begun in place.
    pub(super) fn end(&self, begun: Begun, most: usize) -> Follow {
        let mut inner = self.0.lock();
        let ended = inner.end(begun);
        let follow = inner.follow(most);
        drop(inner);
        drop(ended);
        follow
    }

    /// Enters that one who runs a task sleeps, and lends its slot to guests.
    pub(super) fn fall_asleep(&self, most: usize) -> Follow {
        let mut inner = self.0.lock();
        inner.slots.fall_asleep();
        inner.follow(most)
    }

    /// Enters that one who joins a task here will not run it itself: the queue has its slot until
    /// it is claimed back. One runner more counts as asked for.
    pub(super) fn hand_over(&self, has_slot: bool) {
        let mut inner = self.0.lock();
        if has_slot {
            inner.slots.lend();
        }
        inner.runners += 1;
        inner.asked += 1;
    }

    pub(super) fn has_runners(&self) -> bool {
        self.0.lock().runners > 0
    }

    /// Enters that one who handed its task over wants its slot back.
    pub(super) fn claim(&self) {
        self.0.lock().slots.claim();
    }

    /// Enters that a sleeper goes on, or that it hopes to.
    #[must_use]
    pub(super) fn wake_up(&self, hopeful: &Thread) -> bool {
        let mut inner = self.0.lock();
        let awake = inner.slots.wake();
        if !awake {
            inner.hopeful.push(hopeful.clone());
        }
        awake
    }

    /// Whether a task may be queued from the body of a limited scope: as many may wait as may run.
    /// If not, `hopeful` is woken when that may have changed.
    pub(super) fn has_room(&self, hopeful: Option<&Thread>) -> bool {
        let mut inner = self.0.lock();
        let room = inner.slots.taken() + inner.waiting < inner.slots.limit().saturating_mul(2);
        if let (false, Some(thread)) = (room, hopeful) {
            inner.hopeful.push(thread.clone());
        }
        room
    }

    /// Wakes this thread when a slot may have become free.
    pub(super) fn hope(&self, thread: Thread) {
        self.0.lock().hopeful.push(thread);
    }

    pub(super) fn limit(&self) -> usize {
        self.0.lock().slots.limit()
    }

    pub(super) fn set_limit(&self, limit: usize, most: usize) -> Follow {
        let mut inner = self.0.lock();
        inner.slots.set_limit(limit);
        inner.follow(most)
    }

    /// Enters a runner that was asked for.
    pub(super) fn attached(&self) {
        self.0.lock().asked -= 1;
    }

    /// Enters that `n` more runners were asked for.
    pub(super) fn ask(&self, n: usize) {
        let mut inner = self.0.lock();
        inner.runners += n;
        inner.asked += n;
    }

    /// Enters that a runner that was asked for will not come. Those who wait for it are to be
    /// woken.
    pub(super) fn refuse(&self) -> Vec<Thread> {
        let mut inner = self.0.lock();
        inner.runners -= 1;
        inner.asked -= 1;
        let mut wake = mem::take(&mut inner.hopeful);
        wake.extend(inner.owner.take().map(|owner| owner.thread));
        wake
    }

    /// Whether some runner that was asked for has not come.
    pub(super) fn asked(&self) -> bool {
        self.0.lock().asked > 0
    }

    /// Whether tasks wait that could begin, and nobody is there or on the way to take them. Then
    /// one runner more counts as asked for.
    pub(super) fn is_deserted(&self) -> bool {
        let mut inner = self.0.lock();
        let deserted = inner.runners == 0 && inner.can_take();
        if deserted {
            inner.runners += 1;
            inner.asked += 1;
        }
        deserted
    }

    /// Enters the scope's own thread as asleep, unless there is work.
    #[must_use]
    pub(super) fn sleep(&self, thread: Thread) -> bool {
        let mut inner = self.0.lock();
        let idle = !inner.can_take();
        if idle {
            inner.owner = Some(Owner { thread, works: true });
        }
        idle
    }

    /// Enters the scope's own thread as asleep, and as one that takes no tasks as long as others
    /// do.
    pub(super) fn stand_by(&self, thread: Thread) {
        self.0.lock().owner = Some(Owner { thread, works: false });
    }

    /// Enters the scope's own thread as awake.
    pub(super) fn wake(&self) {
        self.0.lock().owner = None;
    }

    /// Looks whether tasks are being taken, and remembers the look.
    pub(super) fn progress(&self) -> Progress {
        let mut inner = self.0.lock();
        inner.stamp();
        let taken = inner.taken;
        let seen = mem::replace(&mut inner.seen, taken);
        if seen != taken || !inner.can_take() {
            return Progress::Fine;
        }
        let most = inner.slots.room();
        Progress::Stalled {
            waiting: inner.waiting.min(most),
            runners: inner.runners,
            asked: inner.asked,
        }
    }

    pub(super) fn numbers(&self) -> Numbers {
        let inner = self.0.lock();
        Numbers { spawned: inner.spawned, waiting: inner.waiting, running: inner.running.len() }
    }

    /// Begins to count the age of what runs.
    pub(super) fn look(&self) {
        self.0.lock().stamp();
    }

    /// What runs, and the first of what waits, `most` at the most.
    pub(super) fn alive(&self, most: usize) -> Vec<Seen> {
        let mut inner = self.0.lock();
        inner.stamp();
        let running = inner
            .running
            .iter()
            .map(|(_, running)| Seen { task: running.task.clone(), since: running.since });
        let waiting = inner.entries.iter().flat_map(|entry| {
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
            running.since.get_or_insert_with(|| *now.get_or_insert_with(Instant::now));
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.lock();
        f.debug_struct("Queue")
            .field("waiting", &inner.waiting)
            .field("running", &inner.running.len())
            .field("runners", &inner.runners)
            .finish_non_exhaustive()
    }
}
