//! What follows from a change of the queue: who is woken, who is asked for, and whether the scope may end.

use std::mem;

use wg_core::sync::Thread;

use super::inlet::Inlet;
use super::{Begun, Inner};
use crate::blocks::Held;
use crate::thread::job::Membership;

/// From which limit on whoever waits for room is woken when there is much, and not for each place.
const MANY: usize = 8;

/// What must be done after a change, when the lock is free. Mostly that is nothing, and it is two words.
#[must_use]
pub(in crate::thread) struct Follow {
    /// One more runner is wanted. It counts as asked for.
    pub(in crate::thread) ask: bool,
    pub(in crate::thread) rest: Option<Held<Rest>>,
}

/// Whom to wake, and what to let go of.
#[derive(Default)]
pub(in crate::thread) struct Rest {
    pub(in crate::thread) wake: Vec<Thread>,
    /// Nothing waits and nothing runs. To be dropped last: then the scope may end.
    left: Option<Membership>,
}

impl Follow {
    pub(in crate::thread) const NONE: Follow = Follow { ask: false, rest: None };

    #[inline]
    pub(in crate::thread) fn is_nothing(&self) -> bool {
        !self.ask && self.rest.is_none()
    }

    pub(super) fn rest(&mut self) -> &mut Rest {
        self.rest.get_or_insert_with(|| Held::new(Rest::default()))
    }

    fn wake(&mut self, thread: Thread) {
        self.rest().wake.push(thread);
    }
}

impl Inner {
    /// Enters whom to wake where a slot has become free, or a task does not wait any more.
    #[inline]
    fn call_hopeful(&mut self, follow: &mut Follow) {
        if !self.hopeful.is_empty() || !self.spawners.is_empty() {
            self.call_some(follow);
        }
    }

    #[cold]
    fn call_some(&mut self, follow: &mut Follow) {
        let mut wake = mem::take(&mut self.hopeful);
        // Not for each place, where there are many: waking and falling asleep takes longer than many
        // a task, and what is left keeps the runners at work meanwhile.
        if !self.calls_late() || self.waiting <= self.slots.limit() / 2 {
            wake.append(&mut self.spawners);
        }
        if !wake.is_empty() {
            follow.rest().wake.append(&mut wake);
        }
    }

    /// Lets the membership go, if nothing waits and nothing runs any more.
    #[inline]
    fn let_go(&mut self, inlet: &Inlet, follow: &mut Follow) {
        if let Some(left) = self.leave(inlet) {
            follow.rest().left = Some(left);
        }
    }

    pub(super) fn calls_late(&self) -> bool {
        self.slots.limit() >= MANY
    }

    /// What follows where what was begun before was given back, and nobody has to be found.
    #[inline]
    pub(super) fn after(&mut self, before: Option<Begun>, inlet: &Inlet, follow: &mut Follow) {
        if before.is_some() {
            self.call_hopeful(follow);
        }
        self.let_go(inlet, follow);
    }

    /// Finds somebody for tasks that can begin, and tells those who hope for room.
    pub(super) fn follow(&mut self, most: usize, inlet: &Inlet) -> Follow {
        let mut follow = Follow::NONE;
        self.call_hopeful(&mut follow);
        self.let_go(inlet, &mut follow);
        if self.wants_somebody(most) {
            self.find_somebody(&mut follow, most);
        }
        follow
    }

    /// As [`follow`](Self::follow), where one more task waits and no slot has become free.
    #[inline]
    pub(super) fn after_push(&mut self, most: usize) -> Follow {
        let mut follow = Follow::NONE;
        if self.wants_somebody(most) {
            self.find_somebody(&mut follow, most);
        }
        follow
    }

    /// Whether somebody might have to be found for one more task.
    pub(super) fn wants_somebody(&self, most: usize) -> bool {
        self.owner.as_ref().is_some_and(|owner| owner.works)
            || self.runners < most.saturating_add(self.slots.lent())
    }

    /// Finds somebody for tasks that can begin.
    fn find_somebody(&mut self, follow: &mut Follow, most: usize) {
        if !self.can_take() {
            return;
        }
        if let Some(owner) = self.owner.take_if(|owner| owner.works) {
            follow.wake(owner.thread);
        } else if self.runners < most.min(self.slots.limit()).saturating_add(self.slots.lent()) {
            // Those who lent their slots are runners too, and do not come.
            self.runners += 1;
            self.asked += 1;
            follow.ask = true;
        }
    }
}
