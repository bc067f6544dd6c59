//! Who may run now: a limit, and those who sleep in a slot of theirs.
//!
//! A task holds one slot from its beginning to its end, also while it sleeps in a wait of ours: a
//! limit is a promise about tasks that have begun. What it joins in place runs in that same slot.
//! But it may sleep for something that needs a slot itself: at the end of a scope that it opened,
//! for a task there that joins one of these in place. Such a *guest* runs in the slot of a sleeper,
//! who does not go on before it has its slot back. So no more than `limit` tasks ever compute at
//! once, and none waits for itself. Nobody else is a guest: one who joins from elsewhere would keep
//! a sleeper from going on that does not wait for it, and that it may be waiting for.

/// The slots of one scope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    /// `usize::MAX` stands for no limit.
    limit: usize,
    /// How many may execute: the limit, or more after it fell, until those that had begun have
    /// ended. They go on, also after a sleep.
    cap: usize,
    /// Tasks that run and do not sleep.
    executing: usize,
    /// Sleepers who keep their slot for themselves and for guests, without those in whose slot a
    /// guest is: a slot counts once, however many sleep one in another's.
    reserved: usize,
    /// Sleepers and guests who let the queue have their slot.
    lent: usize,
}

/// In whose slot a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Own,
    /// In that of one who sleeps for it.
    Sleepers,
}

impl Slots {
    pub(super) const fn new(limit: usize) -> Self {
        Slots { limit, cap: limit, executing: 0, reserved: 0, lent: 0 }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.lower_the_cap();
    }

    /// How many tasks have begun and not ended, without those that joiners run in place.
    pub(super) fn taken(&self) -> usize {
        self.executing + self.reserved
    }

    /// Whether a task may begin.
    pub(super) fn has_room(&self) -> bool {
        self.room() > 0
    }

    /// How many tasks may begin.
    pub(super) fn room(&self) -> usize {
        // Several may lend one slot: a sleeper and its guests.
        let taken = self.taken() - self.lent.min(self.reserved);
        self.limit.saturating_sub(taken)
    }

    /// How many let the queue have their slot.
    pub(super) fn lent(&self) -> usize {
        self.lent
    }

    /// Whether a guest may begin.
    pub(super) fn has_room_for_guest(&self) -> bool {
        self.has_room() || (self.executing < self.cap && self.reserved > 0)
    }

    pub(super) fn begin(&mut self) {
        self.executing += 1;
    }

    /// A guest begins: in a slot that is free, or in a sleeper's.
    pub(super) fn begin_as_guest(&mut self) -> Place {
        self.executing += 1;
        if self.taken() <= self.limit {
            return Place::Own;
        }
        self.reserved -= 1;
        Place::Sleepers
    }

    /// A guest ends. Whose slot it was in has it back.
    pub(super) fn end_as_guest(&mut self, place: Place) {
        if place == Place::Sleepers {
            self.reserved += 1;
        }
        self.end();
    }

    pub(super) fn end(&mut self) {
        self.executing -= 1;
        self.lower_the_cap();
    }

    /// One who runs falls asleep, and lends its slot to guests.
    pub(super) fn fall_asleep(&mut self) {
        self.executing -= 1;
        self.reserved += 1;
    }

    /// A sleeper goes on, if no guest is in its slot.
    #[must_use]
    pub(super) fn wake(&mut self) -> bool {
        let free = self.executing < self.cap && self.reserved > 0;
        if free {
            self.reserved -= 1;
            self.executing += 1;
        }
        free
    }

    /// One who sleeps lets the queue have its slot: it sleeps for what tasks there may have to do.
    pub(super) fn lend(&mut self) {
        self.lent += 1;
    }

    /// One who lent its slot wants it back, before any further task begins.
    pub(super) fn claim(&mut self) {
        self.lent -= 1;
    }

    fn lower_the_cap(&mut self) {
        self.cap = self.cap.min(self.taken()).max(self.limit);
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
        let place = slots.begin_as_guest();
        assert!(!slots.wake(), "a guest is in its slot");
        slots.end_as_guest(place);
        assert!(slots.wake());
        slots.end();
        assert_eq!(slots.taken(), 0);
    }

    #[test]
    fn rule_11_guests_of_guests_sleep_in_one_slot_and_lend_it() {
        let mut slots = Slots::new(2);
        slots.begin();
        slots.begin();
        slots.fall_asleep();
        let mut places = Vec::new();
        for _ in 0..40 {
            assert!(slots.has_room_for_guest());
            places.push(slots.begin_as_guest());
            assert_eq!(slots.taken(), 2);
            assert!(!slots.has_room_for_guest(), "one other executes");
            slots.fall_asleep();
        }
        slots.lend();
        assert_eq!(slots.room(), 1, "the other one executes");
        slots.claim();
        while let Some(place) = places.pop() {
            assert!(slots.wake());
            slots.end_as_guest(place);
        }
        assert!(slots.wake());
        slots.end();
        slots.end();
        assert_eq!(slots.taken(), 0);
    }

    #[test]
    fn rule_11_a_guest_takes_a_free_slot_before_a_sleepers() {
        let mut slots = Slots::new(2);
        slots.begin();
        slots.fall_asleep();
        let place = slots.begin_as_guest();
        assert_eq!(place, Place::Own);
        assert!(slots.wake(), "its slot is its own");
        assert!(!slots.has_room_for_guest());
        slots.end_as_guest(place);
        slots.end();
        assert_eq!(slots.taken(), 0);
    }

    #[test]
    fn rule_09_those_that_had_begun_go_on_when_the_limit_falls() {
        for before in [3, usize::MAX] {
            let mut slots = Slots::new(before);
            (0..3).for_each(|_| slots.begin());
            slots.fall_asleep();
            slots.set_limit(1);
            assert!(!slots.has_room());
            assert!(slots.wake(), "two others execute");
            slots.end();
            slots.fall_asleep();
            assert!(slots.wake(), "one other executes");
            slots.end();
            assert!(!slots.has_room() && !slots.has_room_for_guest());
            slots.end();
            slots.begin();
            assert!(!slots.has_room() && !slots.has_room_for_guest());
        }
    }

    #[test]
    fn rule_09_a_slot_that_a_sleeper_and_its_guests_lend_is_room_for_one() {
        let mut slots = Slots::new(2);
        slots.begin();
        slots.begin();
        slots.fall_asleep();
        slots.lend();
        // Two who wait inside of the sleeper's task lend the slot as well.
        slots.lend();
        slots.lend();
        assert_eq!(slots.room(), 1, "the other one executes");
        let place = slots.begin_as_guest();
        assert_eq!(place, Place::Sleepers);
        assert!(!slots.has_room(), "a guest has it");
        slots.end_as_guest(place);
        (0..3).for_each(|_| slots.claim());
        assert!(!slots.has_room() && slots.wake());
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
