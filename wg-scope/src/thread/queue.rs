//! The queue of one scope: its tasks that have not begun, who works on them, and what runs.

mod entries;
mod follow;
mod hand;
mod inlet;
mod lists;
mod look;
mod room;
mod take;

use std::fmt;
use std::mem;

use slab::Slab;
use wg_core::sync::{Mutex, MutexGuard, Thread, times};

use self::entries::Entry;
pub(super) use self::follow::Follow;
pub(super) use self::hand::{Hand, OwnHand};
use self::inlet::Inlet;
use self::lists::Kept;
use super::job::{Job, Membership};
use super::running::Running;
use super::slots::{Place, Slots};
use crate::task_info::TaskInfo;

pub(super) struct Queue {
    inlet: Inlet,
    inner: Mutex<Inner>,
}

struct Inner {
    lists: Kept,
    /// Futures that nobody has woken.
    pending: Slab<Shelved>,
    /// How many tasks and shares the entries stand for.
    waiting: usize,
    slots: Slots,
    /// How many have taken something that they have not given back.
    at_work: usize,
    /// The tasks' membership of the scope's group, while some wait or run: one for all of them. None as
    /// long as nobody watches the group.
    membership: Option<Membership>,
    /// Whether somebody has waited for the group. Until then the one who will, when the body has returned,
    /// looks here first.
    watched: bool,
    /// How many tasks have been spawned, but for those that lie in the inlet.
    spawned: u64,
    /// Runners at work or asked for.
    runners: usize,
    /// Of these, the ones that have not come yet.
    asked: usize,
    /// How often a task was taken; and the same, when progress was last looked at.
    taken: u64,
    seen: u64,
    /// How much of what is shared was done when progress was last looked at.
    seen_done: u64,
    /// The thread of the scope's body, where it sleeps.
    owner: Option<Owner>,
    /// Threads that sleep until there is room, or a slot. They are woken all, and look again.
    hopeful: Vec<Thread>,
    /// Those who wait for room to queue a task in.
    spawners: Vec<Thread>,
    /// Whether whoever queues tasks is likely to come with more soon.
    expects: bool,
    /// Whether somebody joins tasks in the order of the queue.
    joined_in_order: bool,
    /// Whether the scope has ended: nobody is asked for any more.
    is_over: bool,
}

/// The thread of the scope's body.
struct Owner {
    thread: Thread,
    /// Whether it takes tasks when it is woken.
    works: bool,
}

/// The job of a future that nobody has woken.
struct Shelved {
    job: Job,
    index: u64,
}

/// From how many tasks on a scope has use for its inlet: with few, one lock is less than two.
const LONG: u64 = times(32) as u64 - 1;

/// Who would run a task in place without a slot of its own; see `slots`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guest {
    /// One for whose end a task of the scope waits, and lends its slot meanwhile.
    OfSleeper,
    /// Any other: it needs a slot that is free.
    Stranger,
}

/// What was begun, to be given back at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    kind: Kind,
    key: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One task, with its key among those that run; in whose slot.
    Alone(Place),
    /// Those that a runner has in hand, with the key of the hand.
    Several,
}

impl Begun {
    /// Whether there may be more in the hand.
    #[inline]
    pub(super) fn is_several(self) -> bool {
        self.kind == Kind::Several
    }
}

/// What was taken from the queue.
pub(super) struct Next {
    pub(super) job: Job,
    pub(super) index: u64,
    pub(super) begun: Begun,
    /// Whether nothing is left in the queue.
    pub(super) is_last: bool,
}

/// What the thread finds that leaves a scope.
pub(super) enum Found {
    Next(Next),
    /// Nothing that it could begin.
    Nothing,
    /// Nothing waits and nothing runs. Whether some runner that was asked for has not come.
    Ended {
        asked: bool,
    },
}

/// What became of a wish to begin a task in place.
pub(super) enum Taken {
    Begun(Job, Begun),
    NoRoom,
    /// It is not in the queue: others have begun it.
    Elsewhere,
}

impl Inner {
    fn can_take(&self) -> bool {
        self.slots.has_room() && (self.waiting > 0 || self.ahead() > 0)
    }

    /// How many tasks runners have in hand that have not begun.
    fn ahead(&self) -> usize {
        self.lists.full.iter().map(|&key| self.lists.hands[key].ahead()).sum()
    }

    fn has_room_for(&self, guest: Guest) -> bool {
        match guest {
            Guest::OfSleeper => self.slots.has_room_for_guest(),
            Guest::Stranger => self.slots.has_room(),
        }
    }

    /// Enters what begins alone: what is known of it comes to lie where `enter` is told.
    #[inline]
    fn enter(&mut self, place: Place, enter: impl FnOnce(&mut Option<Running>)) -> Begun {
        self.at_work += 1;
        let vacant = self.lists.running.vacant_entry();
        let key = vacant.key();
        enter(vacant.insert(None));
        Begun { kind: Kind::Alone(place), key }
    }

    fn begin_as(&mut self, guest: Guest, enter: impl FnOnce(&mut Option<Running>)) -> Begun {
        let place = match guest {
            Guest::OfSleeper => self.slots.begin_as_guest(),
            Guest::Stranger => {
                self.slots.begin();
                Place::Own
            }
        };
        self.enter(place, enter)
    }

    /// Gives back what was begun. All that is let go of is a name at most.
    fn end(&mut self, begun: Begun) {
        self.at_work -= 1;
        let Begun { kind, key } = begun;
        match kind {
            Kind::Alone(place) => {
                self.slots.end_as_guest(place);
                self.lists.running.remove(key);
            }
            Kind::Several => {
                self.slots.end();
                self.lists.full.retain(|&other| other != key);
                let hand = self.lists.hands.remove(key);
                self.taken = self.taken.wrapping_add(hand.settle(&mut self.lists.entries));
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting == 0 && self.at_work == 0
    }

    fn watch(&mut self, enter: impl FnOnce() -> Option<Membership>) {
        self.watched = true;
        // Shares with nothing to do are taken at some time, or at the scope's end: nobody waits for them.
        let counts = self.at_work > 0 || self.lists.entries.iter().any(Entry::is_wanted);
        if counts && self.membership.is_none() {
            self.membership = enter();
        }
    }

    /// The membership, if nothing waits and nothing runs any more.
    fn leave(&mut self, inlet: &Inlet) -> Option<Membership> {
        if !self.is_idle() {
            return None;
        }
        inlet.shut(self);
        if self.is_idle() { self.membership.take() } else { None }
    }
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        let inner = Inner {
            lists: Kept::new(),
            pending: Slab::new(),
            waiting: 0,
            slots: Slots::new(limit),
            at_work: 0,
            membership: None,
            watched: false,
            spawned: 0,
            runners: 0,
            asked: 0,
            taken: 0,
            seen: 0,
            seen_done: 0,
            owner: None,
            hopeful: Vec::new(),
            spawners: Vec::new(),
            expects: false,
            joined_in_order: false,
            is_over: false,
        };
        Queue { inlet: Inlet::new(), inner: Mutex::new(inner) }
    }

    /// Locks the queue, with everything in it that was laid down before.
    #[inline]
    fn lock(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock();
        self.inlet.carry(&mut inner);
        inner
    }

    /// Locks the queue, with the first tasks of those in it that were laid down before.
    #[inline]
    fn lock_to_take(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock();
        if inner.waiting == 0 {
            self.inlet.carry(&mut inner);
        }
        inner
    }

    /// Lets more tasks come together, where the queue was empty when it was last looked at.
    #[inline]
    pub(super) fn gather(&self) {
        self.inlet.gather();
    }

    /// Queues a task for which nobody has to be found, and returns its index; or else returns its job.
    #[inline]
    pub(super) fn lay(&self, job: Job) -> Result<u64, Job> {
        self.inlet.lay(job)
    }

    /// Queues a task, for at most `most` runners. Returns its index. If none waits and none runs, and the
    /// scope's group is watched, `enter` makes them members of it.
    pub(super) fn push(
        &self,
        job: Job,
        most: usize,
        enter: impl FnOnce() -> Option<Membership>,
    ) -> (u64, Follow) {
        let mut inner = self.inner.lock();
        self.inlet.shut(&mut inner);
        if inner.watched && inner.membership.is_none() {
            inner.membership = enter();
        }
        let index = inner.spawned;
        inner.spawned += 1;
        inner.waiting += 1;
        inner.expects = true;
        inner.lists.entries.push_back(Entry::of(job, index));
        let follow = inner.after_push(most);
        if inner.spawned >= LONG && !inner.wants_somebody(most) {
            self.inlet.open(&mut inner);
        }
        (index, follow)
    }

    /// Queues a job that may be begun `shares` times, at once if there are runners enough.
    pub(super) fn push_shares(&self, job: Job, shares: usize, most: usize) -> Follow {
        let mut inner = self.lock();
        let index = inner.spawned;
        inner.waiting += shares;
        inner.lists.entries.push_back(Entry::after(index, job, index, shares));
        inner.follow(most, &self.inlet)
    }

    /// Queues a future's job again, which has its index.
    pub(super) fn requeue(&self, job: Job, index: u64, most: usize) -> Follow {
        let mut inner = self.lock();
        inner.waiting += 1;
        let entry = Entry::after(inner.spawned, job, index, 1);
        inner.lists.entries.push_back(entry);
        inner.after_push(most)
    }

    /// Keeps the job of a future that is not to be polled before it is woken.
    pub(super) fn shelve(&self, job: Job, index: u64) -> usize {
        self.lock().pending.insert(Shelved { job, index })
    }

    /// Queues the job of a future that was woken.
    pub(super) fn unshelve(&self, key: usize, most: usize) -> Follow {
        let mut inner = self.lock();
        let Shelved { job, index } = inner.pending.remove(key);
        inner.waiting += 1;
        let entry = Entry::after(inner.spawned, job, index, 1);
        inner.lists.entries.push_back(entry);
        inner.after_push(most)
    }

    /// Gives the job of a future back that has ended.
    pub(super) fn unkeep(&self, key: usize) -> Job {
        self.lock().pending.remove(key).job
    }

    /// The jobs of the futures that nobody has woken; `all`: and of what waits.
    pub(super) fn jobs(&self, all: bool) -> Vec<Job> {
        let inner = self.lock();
        let pending = inner.pending.iter().filter_map(|(_, shelved)| shelved.job.share());
        let waiting = inner.lists.entries.iter().filter(|_| all).filter_map(Entry::share);
        let mut jobs: Vec<_> = pending.chain(waiting).collect();
        for &key in inner.lists.full.iter().filter(|_| all) {
            inner.lists.hands[key]
                .look(|_, ahead| jobs.extend(ahead.iter().filter_map(Entry::share)));
        }
        jobs
    }

    /// Enters a task that was begun in place, in the slot of the one who joins it and sleeps.
    pub(super) fn begin_in_slot(&self, task: TaskInfo) -> Begun {
        self.lock().enter(Place::Own, |place| *place = Some(Running::new(task.into())))
    }

    /// Takes a task out of the queue, if it is there, to be begun as by
    /// [`begin_in_slot`](Self::begin_in_slot), or not to begin at all.
    pub(super) fn take_in_slot(&self, index: u64) -> Option<(Job, Begun, Follow)> {
        let mut inner = self.lock();
        let job = inner.retract(index)?;
        let begun = inner.enter(Place::Own, |place| job.enter(index, place));
        // One fewer waits, and no more have begun.
        let mut follow = Follow::NONE;
        inner.after(Some(begun), &self.inlet, &mut follow);
        Some((job, begun, follow))
    }

    /// Gives back what was begun in a slot. Whose slot it is goes on.
    pub(super) fn end_in_slot(&self, begun: Begun) {
        let Begun { kind: Kind::Alone(_), key } = begun else {
            unreachable!("one begins in a slot alone")
        };
        let mut inner = self.lock();
        inner.at_work -= 1;
        inner.lists.running.remove(key);
        let left = inner.leave(&self.inlet);
        drop(inner);
        drop(left);
    }

    /// Enters a runner that was asked for.
    pub(super) fn attached(&self) {
        self.inner.lock().asked -= 1;
    }

    /// Enters that `n` more runners were asked for, unless the scope has ended.
    pub(super) fn ask(&self, n: usize) -> bool {
        let mut inner = self.lock();
        if !inner.is_over {
            inner.runners += n;
            inner.asked += n;
        }
        !inner.is_over
    }

    /// Enters that the scope has ended. Returns whether some runner that was asked for has not come.
    pub(super) fn close(&self) -> bool {
        let mut inner = self.lock();
        inner.is_over = true;
        inner.asked > 0
    }

    /// Enters that a runner that was asked for will not come. Those who wait for it are to be
    /// woken.
    pub(super) fn refuse(&self) -> Vec<Thread> {
        let mut inner = self.inner.lock();
        self.inlet.shut(&mut inner);
        inner.runners -= 1;
        inner.asked -= 1;
        let mut wake = mem::take(&mut inner.hopeful);
        wake.append(&mut inner.spawners);
        wake.extend(inner.owner.take().map(|owner| owner.thread));
        wake
    }

    pub(super) fn has_runners(&self) -> bool {
        self.inner.lock().runners > 0
    }

    /// Whether some runner that was asked for has not come.
    pub(super) fn asked(&self) -> bool {
        self.inner.lock().asked > 0
    }

    /// Whether tasks wait that could begin, and nobody is there or on the way to take them. Then
    /// one runner more counts as asked for.
    pub(super) fn is_deserted(&self) -> bool {
        let mut inner = self.lock();
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
        let mut inner = self.inner.lock();
        self.inlet.shut(&mut inner);
        let idle = !inner.can_take();
        if idle {
            inner.owner = Some(Owner { thread, works: true });
        }
        idle
    }

    /// Enters the scope's own thread as asleep, and as one that takes no tasks as long as others
    /// do.
    pub(super) fn stand_by(&self, thread: Thread) {
        self.inner.lock().owner = Some(Owner { thread, works: false });
    }

    /// Enters the scope's own thread as awake.
    pub(super) fn wake(&self) {
        self.inner.lock().owner = None;
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.inlet.give_back(&self.inner);
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Queue")
            .field("waiting", &inner.waiting)
            .field("pending", &inner.pending.len())
            .field("running", &inner.lists.running.len())
            .field("runners", &inner.runners)
            .finish_non_exhaustive()
    }
}
