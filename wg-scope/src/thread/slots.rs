//! Who may run now: a limit, and those who sleep in a slot of theirs.
//!
//! A task holds one slot while it runs, and keeps it while it sleeps in a wait of ours (a `join`,
//! the end of an inner scope): a limit is a promise about tasks that have begun. But whoever sleeps
//! may sleep for something that needs a slot itself: a thread without one that joins a task in
//! place. Such a *guest* runs in the slot of a sleeper, who does not go on before it has its slot
//! back. So no more than `limit` tasks ever compute at once, and none waits for itself.

/// The slots of one scope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    /// `usize::MAX` stands for no limit.
    limit: usize,
    /// Tasks that run and do not sleep.
    executing: usize,
    /// Sleepers who keep their slot for themselves and for guests.
    reserved: usize,
    /// Sleepers who let the queue have their slot.
    lent: usize,
}

impl Slots {
    pub(super) const fn new(limit: usize) -> Self {
        Slots { limit, executing: 0, reserved: 0, lent: 0 }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// How many tasks have begun and not ended.
    pub(super) fn taken(&self) -> usize {
        self.executing + self.reserved
    }

    /// Whether a task may begin.
    pub(super) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// How many tasks may begin.
    pub(super) fn room(&self) -> usize {
        // One who has lent its slot is not asleep yet, or is about to go on.
        self.limit.saturating_sub(self.taken().saturating_sub(self.lent))
    }

    /// Whether a guest may begin, or a sleeper go on.
    pub(super) fn has_room_for_guest(&self) -> bool {
        self.executing < self.limit
    }

    pub(super) fn begin(&mut self) {
        self.executing += 1;
    }

    pub(super) fn end(&mut self) {
        self.executing -= 1;
    }

    /// One who runs falls asleep, and lends its slot to guests.
    pub(super) fn fall_asleep(&mut self) {
        self.executing -= 1;
        self.reserved += 1;
    }

    /// A sleeper goes on, if no guest is in its slot.
    #[must_use]
    pub(super) fn wake(&mut self) -> bool {
        let free = self.has_room_for_guest();
        if free {
            self.reserved -= 1;
            self.executing += 1;
        }
        free
    }

    /// One who runs begins another task in its own slot, and sleeps until that has ended.
    pub(super) fn nest(&mut self) {
        self.reserved += 1;
    }

    /// The task in its own slot has ended.
    pub(super) fn unnest(&mut self) {
        self.reserved -= 1;
    }

    /// One who falls asleep lets the queue have its slot: it sleeps for a task there, and has no
    /// stack left to run it in place.
    pub(super) fn lend(&mut self) {
        self.lent += 1;
    }

    /// One who lent its slot wants it back, before any further task begins.
    pub(super) fn claim(&mut self) {
        self.lent -= 1;
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use super::*;

    #[test]
    fn rule_09_no_more_than_the_limit_begin() {
        let mut slots = Slots::new(2);
        slots.begin();
        slots.begin();
        assert!(!slots.has_room() && !slots.has_room_for_guest());
        slots.end();
        assert!(slots.has_room());
        slots.set_limit(1);
        assert!(!slots.has_room());
    }

    #[test]
    fn rule_11_a_guest_runs_in_a_sleepers_slot_and_the_sleeper_waits_for_it() {
        let mut slots = Slots::new(1);
        slots.begin();
        assert!(!slots.has_room_for_guest());
        slots.fall_asleep();
        assert!(!slots.has_room(), "the slot is the sleeper's, not the queue's");
        assert!(slots.has_room_for_guest());
        slots.begin();
        assert!(!slots.wake(), "a guest is in its slot");
        slots.end();
        assert!(slots.wake());
        slots.end();
        assert_eq!(slots.taken(), 0);
    }

    #[test]
    fn rule_11_a_task_in_its_joiners_slot_takes_no_other_also_if_the_limit_falls() {
        let mut slots = Slots::new(2);
        slots.begin();
        slots.nest();
        assert!(!slots.has_room(), "the joiner has begun, and so has the joined");
        assert!(slots.has_room_for_guest());
        slots.set_limit(1);
        slots.unnest();
        slots.end();
        assert_eq!(slots.taken(), 0);
    }

    #[test]
    fn rule_11_a_slot_that_was_lent_is_claimed_back_before_anything_else_begins() {
        let mut slots = Slots::new(1);
        slots.begin();
        slots.fall_asleep();
        slots.lend();
        assert!(slots.has_room());
        slots.begin();
        slots.claim();
        assert!(!slots.has_room() && !slots.wake());
        slots.end();
        assert!(!slots.has_room() && slots.wake());
    }
}
