//! The queue of one scope: its tasks that have not begun, who works on them, and what runs.

mod look;

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::time::Instant;

use slab::Slab;
use wg_core::sync::{Mutex, Thread};

use super::job::Job;
use super::slots::{Place, Slots};
use crate::task_info::TaskInfo;

pub(super) struct Queue(Mutex<Inner>);

struct Inner {
    entries: VecDeque<Entry>,
    /// Futures that nobody has woken.
    pending: Slab<Entry>,
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
    /// Those who wait for room to queue a task in.
    spawners: Vec<Thread>,
    /// Whether whoever queues tasks is likely to come with more soon.
    expects: bool,
}

/// The thread of the scope's body.
struct Owner {
    thread: Thread,
    /// Whether it takes tasks when it is woken.
    works: bool,
}

/// A job, and how often it may still be begun: 0 times if its joiner came first.
struct Entry {
    job: Job,
    index: u64,
    shares: usize,
    /// Entries are in the order of these, and a task's own is told by its index.
    key: u64,
}

/// The key of a task's entry.
const fn own_key(index: u64) -> u64 {
    2 * index + 1
}

/// From which limit on whoever waits for room is woken when there is much, and not for each place.
const MANY: usize = 8;

/// A task that runs. Its age is counted from when somebody first looked: the sentinel does so
/// every millisecond, and a clock for every task would cost more than a small task.
struct Running {
    task: TaskInfo,
    since: Option<Instant>,
}

/// Who would run a task in place without a slot of its own; see `slots`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    /// One for whose end a task of the scope waits, and lends its slot meanwhile.
    OfSleeper,
    /// Any other: it needs a slot that is free.
    Stranger,
}

/// What is left of entries that were taken out by their joiners.
type Leftover = (Option<Entry>, VecDeque<Entry>);

/// A task that was begun, to be given back at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    key: usize,
    place: Place,
}

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

impl Inner {
    fn can_take(&self) -> bool {
        self.waiting > 0 && self.slots.has_room()
    }

    /// The key of an entry that no joiner looks for.
    fn other_key(&self) -> u64 {
        2 * self.spawned
    }

    /// Takes a task's entry out that its joiner runs, if it is still there. What is left over is
    /// to be dropped without the lock.
    fn retract(&mut self, index: u64) -> Leftover {
        let key = own_key(index);
        let place = self.entries.binary_search_by_key(&key, |entry| entry.key);
        let Some(place) = place.ok().filter(|&place| self.entries[place].shares > 0) else {
            return Leftover::default();
        };
        self.waiting -= 1;
        if self.waiting == 0 {
            return (None, mem::take(&mut self.entries));
        }
        let one = if place == 0 {
            self.entries.pop_front()
        } else if place + 1 == self.entries.len() {
            self.entries.pop_back()
        } else {
            // In the middle of the queue it stays, as nothing.
            self.entries[place].shares = 0;
            None
        };
        (one, VecDeque::new())
    }

    fn take(&mut self) -> Option<Next> {
        if !self.can_take() {
            return None;
        }
        while self.entries.front().is_some_and(|entry| entry.shares == 0) {
            self.entries.pop_front();
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

    fn has_room_for(&self, guest: Guest) -> bool {
        match guest {
            Guest::OfSleeper => self.slots.has_room_for_guest(),
            Guest::Stranger => self.slots.has_room(),
        }
    }

    fn begin(&mut self, task: TaskInfo) -> Begun {
        self.slots.begin();
        Begun { key: self.running.insert(Running { task, since: None }), place: Place::Own }
    }

    fn begin_as(&mut self, guest: Guest, task: TaskInfo) -> Begun {
        let place = match guest {
            Guest::OfSleeper => self.slots.begin_as_guest(),
            Guest::Stranger => {
                self.slots.begin();
                Place::Own
            }
        };
        Begun { key: self.running.insert(Running { task, since: None }), place }
    }

    fn end(&mut self, begun: Begun) -> TaskInfo {
        self.slots.end_as_guest(begun.place);
        self.running.remove(begun.key).task
    }

    /// Those to be woken where a slot has become free, or a task does not wait any more.
    fn hopeful(&mut self) -> Vec<Thread> {
        let mut wake = mem::take(&mut self.hopeful);
        // Not for each place, where there are many: waking and falling asleep takes longer than many
        // a task, and what is left keeps the runners at work meanwhile.
        if !self.calls_late() || self.waiting <= self.slots.limit() / 2 {
            wake.append(&mut self.spawners);
        }
        wake
    }

    fn calls_late(&self) -> bool {
        self.slots.limit() >= MANY
    }

    /// Finds somebody for tasks that can begin, and tells those who hope for room.
    fn follow(&mut self, most: usize) -> Follow {
        let wake = self.hopeful();
        self.find_somebody(wake, most)
    }

    /// Finds somebody for tasks that can begin.
    fn find_somebody(&mut self, mut wake: Vec<Thread>, most: usize) -> Follow {
        let mut ask = false;
        if self.can_take() {
            if let Some(owner) = self.owner.take_if(|owner| owner.works) {
                wake.push(owner.thread);
            } else if self.runners < most.min(self.slots.limit()).saturating_add(self.slots.lent())
            {
                // Those who lent their slots are runners too, and do not come.
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
            pending: Slab::new(),
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
            spawners: Vec::new(),
            expects: false,
        }))
    }

    /// Queues a task, for at most `most` runners. Returns its index.
    pub(super) fn push(&self, job: Job, most: usize) -> (u64, Follow) {
        let mut inner = self.0.lock();
        let index = inner.spawned;
        inner.spawned += 1;
        inner.waiting += 1;
        inner.expects = true;
        inner.entries.push_back(Entry { job, index, shares: 1, key: own_key(index) });
        (index, inner.find_somebody(Vec::new(), most))
    }

    /// Queues a job that may be begun `shares` times, at once if there are runners enough.
    pub(super) fn push_shares(&self, job: Job, shares: usize, most: usize) -> Follow {
        let mut inner = self.0.lock();
        let index = inner.spawned;
        inner.waiting += shares;
        let key = inner.other_key();
        inner.entries.push_back(Entry { job, index, shares, key });
        inner.follow(most)
    }

    /// Queues a future's job again, which has its index.
    pub(super) fn requeue(&self, job: Job, index: u64, most: usize) -> Follow {
        let mut inner = self.0.lock();
        inner.waiting += 1;
        let key = inner.other_key();
        inner.entries.push_back(Entry { job, index, shares: 1, key });
        inner.find_somebody(Vec::new(), most)
    }

    /// Keeps the job of a future that is not to be polled before it is woken.
    pub(super) fn shelve(&self, job: Job, index: u64) -> usize {
        self.0.lock().pending.insert(Entry { job, index, shares: 1, key: 0 })
    }

    /// Queues the job of a future that was woken.
    pub(super) fn unshelve(&self, key: usize, most: usize) -> Follow {
        let mut inner = self.0.lock();
        let entry = inner.pending.remove(key);
        inner.waiting += 1;
        let key = inner.other_key();
        inner.entries.push_back(Entry { key, ..entry });
        inner.find_somebody(Vec::new(), most)
    }

    /// Gives the job of a future back that has ended.
    pub(super) fn unkeep(&self, key: usize) -> Job {
        self.0.lock().pending.remove(key).job
    }

    /// The jobs of the futures that nobody has woken; `all`: and of what waits.
    pub(super) fn jobs(&self, all: bool) -> Vec<Job> {
        let inner = self.0.lock();
        let pending = inner.pending.iter().map(|(_, entry)| entry);
        let waiting = inner.entries.iter().filter(|_| all);
        pending.chain(waiting).map(|entry| entry.job.share()).collect()
    }

    /// Gives back what ran before, and takes the next task, if one may begin.
    pub(super) fn next(&self, before: Option<Begun>) -> (Option<Next>, Follow) {
        let mut inner = self.0.lock();
        let ended = before.map(|begun| inner.end(begun));
        let next = inner.take();
        let wake = if before.is_some() { inner.hopeful() } else { Vec::new() };
        drop(inner);
        // A name may be the last to be let go of.
        drop(ended);
        (next, Follow { wake, ask: false })
    }

    /// As [`next`](Self::next), for a runner, which goes away if there is nothing, and nobody is
    /// likely to come soon with something. Returns whether it stays.
    pub(super) fn next_or_detach(&self, before: Option<Begun>) -> (Option<Next>, Follow, bool) {
        let mut inner = self.0.lock();
        let ended = before.map(|begun| inner.end(begun));
        let next = inner.take();
        let stays = next.is_some() || inner.expects;
        if !stays {
            inner.runners -= 1;
        }
        let wake = if before.is_some() { inner.hopeful() } else { Vec::new() };
        drop(inner);
        drop(ended);
        (next, Follow { wake, ask: false }, stays)
    }

    /// Enters that a runner has waited in vain for those who are likely to come.
    pub(super) fn expect_nobody(&self) {
        self.0.lock().expects = false;
    }

    /// Enters a task that was begun in place, in the slot of the one who joins it and sleeps.
    pub(super) fn begin_in_slot(&self, task: TaskInfo) -> Begun {
        let key = self.0.lock().running.insert(Running { task, since: None });
        Begun { key, place: Place::Own }
    }

    /// Takes a task out of the queue, to be begun as by [`begin_in_slot`](Self::begin_in_slot).
    pub(super) fn take_in_slot(&self, index: u64, task: TaskInfo) -> (Begun, Follow) {
        let mut inner = self.0.lock();
        let leftover = inner.retract(index);
        let key = inner.running.insert(Running { task, since: None });
        let begun = Begun { key, place: Place::Own };
        // One fewer waits, and no more have begun.
        let wake = inner.hopeful();
        drop(inner);
        drop(leftover);
        (begun, Follow { wake, ask: false })
    }

    /// Takes a task out of the queue that is not to begin at all.
    pub(super) fn retract(&self, index: u64) -> Follow {
        let mut inner = self.0.lock();
        let leftover = inner.retract(index);
        let wake = inner.hopeful();
        drop(inner);
        drop(leftover);
        Follow { wake, ask: false }
    }

    /// Gives back what was begun in a slot. Whose slot it is goes on.
    pub(super) fn end_in_slot(&self, begun: Begun) {
        let ended = self.0.lock().running.remove(begun.key);
        drop(ended);
    }

    /// Enters a task that is to be begun in place in the slot of a sleeper, if there is room.
    pub(super) fn begin_as_guest(&self, task: TaskInfo) -> Option<Begun> {
        self.begin_as(Guest::OfSleeper, task)
    }

    /// Enters a task that is to be begun in place by one without a slot, if there is room.
    pub(super) fn begin_as(&self, guest: Guest, task: TaskInfo) -> Option<Begun> {
        let mut inner = self.0.lock();
        inner.has_room_for(guest).then(|| inner.begin_as(guest, task))
    }

    /// Takes a task out of the queue that is to be begun in place by one without a slot, if there
    /// is room.
    pub(super) fn take_as(&self, guest: Guest, index: u64, task: TaskInfo) -> Option<Begun> {
        let mut inner = self.0.lock();
        if !inner.has_room_for(guest) {
            return None;
        }
        let leftover = inner.retract(index);
        let begun = inner.begin_as(guest, task);
        drop(inner);
        drop(leftover);
        Some(begun)
    }

    /// Whether one without a slot could begin a task in place. If not, `hopeful` is woken when that
    /// may have changed.
    pub(super) fn has_room_for(&self, guest: Guest, hopeful: Thread) -> bool {
        let mut inner = self.0.lock();
        let room = inner.has_room_for(guest);
        if !room {
            inner.hopeful.push(hopeful);
        }
        room
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

    /// Enters that one who sleeps for something that tasks in the queue may have to do lets the
    /// queue have its slot, until it is claimed back. One runner more counts as asked for.
    pub(super) fn hand_over(&self) {
        let mut inner = self.0.lock();
        inner.slots.lend();
        inner.runners += 1;
        inner.asked += 1;
    }

    pub(super) fn has_runners(&self) -> bool {
        self.0.lock().runners > 0
    }

    /// Enters that one who let the queue have its slot wants it back.
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

    /// Whether a task may begin now.
    pub(super) fn has_slot(&self) -> bool {
        self.0.lock().slots.has_room()
    }

    /// Whether a task may be queued from the body of a limited scope: as many may wait as may run.
    /// If not, `hopeful` is woken when half of those that wait have gone, or, where few may, one has.
    pub(super) fn has_room(&self, hopeful: Option<&Thread>) -> bool {
        let mut inner = self.0.lock();
        let room = inner.slots.taken() + inner.waiting < inner.slots.limit().saturating_mul(2);
        if let (false, Some(thread)) = (room, hopeful) {
            inner.spawners.push(thread.clone());
            inner.expects = true;
        }
        room
    }

    /// Whether those who wait for room are woken when there is much, and not for each place.
    pub(super) fn calls_late(&self) -> bool {
        self.0.lock().calls_late()
    }

    pub(super) fn limit(&self) -> usize {
        self.0.lock().slots.limit()
    }

    pub(super) fn set_limit(&self, limit: usize, most: usize) -> Follow {
        let mut inner = self.0.lock();
        inner.slots.set_limit(limit);
        let spawners = mem::take(&mut inner.spawners);
        let mut follow = inner.follow(most);
        follow.wake.extend(spawners);
        follow
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
        wake.append(&mut inner.spawners);
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
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.0.lock();
        f.debug_struct("Queue")
            .field("waiting", &inner.waiting)
            .field("pending", &inner.pending.len())
            .field("running", &inner.running.len())
            .field("runners", &inner.runners)
            .finish_non_exhaustive()
    }
}
