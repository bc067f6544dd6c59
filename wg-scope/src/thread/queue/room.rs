//! Who of those may begin, or queue, that are no runners: guests, sleepers, and the body.

use std::mem;

use wg_core::sync::Thread;

use super::{Begun, Follow, Found, Guest, Next, OwnHand, Queue, Running, Taken};
use crate::task_info::TaskInfo;
use crate::thread::job::Membership;

impl Queue {
    /// As [`next`](Self::next), for the thread that leaves the scope and can run what waits: where it finds
    /// nothing, the scope has ended, or it watches the group from now on. Whatever waits or runs then is
    /// counted there; `enter`: see [`push`](Self::push). `counts_nobody` says whether nobody is.
    #[inline(always)]
    pub(in crate::thread) fn next_or_leave(
        &self,
        before: Option<Begun>,
        hand: &OwnHand,
        enter: impl FnOnce() -> Option<Membership>,
        counts_nobody: impl FnOnce() -> bool,
        follow: &mut Follow,
    ) -> Found {
        let mut inner = self.lock_to_take();
        if let Some(begun) = before {
            inner.end(begun);
        }
        let next = inner.take(Some(hand));
        inner.after(before, &self.inlet, follow);
        match next {
            // Taken apart, as in `take`.
            Some(Next { job, index, begun, is_last }) => {
                Found::Next(Next { job, index, begun, is_last })
            }
            // Asked with the queue locked: what is alive here may have begun what is counted there, and
            // the other way round.
            None if inner.is_idle() && counts_nobody() => {
                inner.is_over = true;
                Found::Ended { asked: inner.asked > 0 }
            }
            None => {
                inner.watch(enter);
                Found::Nothing
            }
        }
    }

    /// Has what waits and runs here counted by the scope's group, from now on.
    pub(in crate::thread) fn watch(&self, enter: impl FnOnce() -> Option<Membership>) {
        self.lock().watch(enter);
    }

    /// Enters a task that is to be begun in place in the slot of a sleeper, if there is room.
    pub(in crate::thread) fn begin_as_guest(&self, task: TaskInfo) -> Option<Begun> {
        self.begin_as(Guest::OfSleeper, task)
    }

    /// Enters a task that is to be begun in place by one without a slot, if there is room.
    pub(in crate::thread) fn begin_as(&self, guest: Guest, task: TaskInfo) -> Option<Begun> {
        let mut inner = self.lock();
        let enter = |place: &mut Option<Running>| *place = Some(Running::new(task.into()));
        inner.has_room_for(guest).then(|| inner.begin_as(guest, enter))
    }

    /// Takes a task out of the queue that is to be begun in place by one without a slot, if there
    /// is room.
    pub(in crate::thread) fn take_as(&self, guest: Guest, index: u64) -> Taken {
        let mut inner = self.lock();
        if !inner.has_room_for(guest) {
            return Taken::NoRoom;
        }
        let Some(job) = inner.retract(index) else { return Taken::Elsewhere };
        let begun = inner.begin_as(guest, |place| job.enter(index, place));
        Taken::Begun(job, begun)
    }

    /// Whether one without a slot could begin a task in place. If not, `hopeful` is woken when that
    /// may have changed.
    pub(in crate::thread) fn has_room_for(&self, guest: Guest, hopeful: Thread) -> bool {
        let mut inner = self.lock();
        let room = inner.has_room_for(guest);
        if !room {
            inner.hopeful.push(hopeful);
        }
        room
    }

    /// Gives back what was begun in place.
    pub(in crate::thread) fn end(&self, begun: Begun, most: usize) -> Follow {
        let mut inner = self.lock();
        inner.end(begun);
        inner.follow(most, &self.inlet)
    }

    /// Enters that one who runs a task sleeps, and lends its slot to guests.
    pub(in crate::thread) fn fall_asleep(&self, most: usize) -> Follow {
        let mut inner = self.lock();
        inner.slots.fall_asleep();
        inner.follow(most, &self.inlet)
    }

    /// Enters that one who sleeps for something that tasks in the queue may have to do lets the
    /// queue have its slot, until it is claimed back. One runner more counts as asked for.
    pub(in crate::thread) fn hand_over(&self) {
        let mut inner = self.lock();
        inner.slots.lend();
        inner.runners += 1;
        inner.asked += 1;
    }

    /// Enters that one who let the queue have its slot wants it back.
    pub(in crate::thread) fn claim(&self) {
        self.lock().slots.claim();
    }

    /// Enters that a sleeper goes on, or that it hopes to.
    #[must_use]
    pub(in crate::thread) fn wake_up(&self, hopeful: &Thread) -> bool {
        let mut inner = self.lock();
        let awake = inner.slots.wake();
        if !awake {
            inner.hopeful.push(hopeful.clone());
        }
        awake
    }

    /// Whether a task may begin now.
    pub(in crate::thread) fn has_slot(&self) -> bool {
        self.lock().slots.has_room()
    }

    /// Whether a task may be queued from the body of a limited scope: as many may wait as may run.
    /// If not, `hopeful` is woken when half of those that wait have gone, or, where few may, one has.
    pub(in crate::thread) fn has_room(&self, hopeful: Option<&Thread>) -> bool {
        let mut inner = self.lock();
        let room = inner.slots.taken() + inner.waiting < inner.slots.limit().saturating_mul(2);
        if let (false, Some(thread)) = (room, hopeful) {
            inner.spawners.push(thread.clone());
            inner.expects = true;
        }
        room
    }

    /// Whether those who wait for room are woken when there is much, and not for each place.
    pub(in crate::thread) fn calls_late(&self) -> bool {
        self.lock().calls_late()
    }

    pub(in crate::thread) fn limit(&self) -> usize {
        self.lock().slots.limit()
    }

    pub(in crate::thread) fn set_limit(&self, limit: usize, most: usize) -> Follow {
        let mut inner = self.lock();
        inner.slots.set_limit(limit);
        inner.recall();
        let spawners = mem::take(&mut inner.spawners);
        let mut follow = inner.follow(most, &self.inlet);
        if !spawners.is_empty() {
            follow.rest().wake.extend(spawners);
        }
        follow
    }
}
