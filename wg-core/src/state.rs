//! The word: its bits, its transitions, and why they are right.
//!
//! | bits   | field   | meaning                                          |
//! |--------|---------|--------------------------------------------------|
//! | 32..64 | count   | members now in the group                         |
//! | 31     | closed  | no token is given out any more                   |
//! | 0..31  | waiters | threads and tasks listed in `waiters`            |
//!
//! No other file knows a bit. Every transition answers with what its caller must do next; none
//! blocks or wakes.
//!
//! # The protocol
//!
//! 1. A member enters and leaves by one blind addition or subtraction. Nothing else changes the
//!    count, so entering and leaving never retry.
//! 2. Waiters enlist, withdraw and are released under the lock of their list only (`waiters`), so
//!    a waiter is in the word exactly while it is in the list. The count moves meanwhile, hence
//!    the CAS loops.
//! 3. Nobody enlists at count zero.
//! 4. *Zero with waiters is not zero yet*, it is a release that nobody has carried out. The member
//!    whose leaving made it is on its way to do so; whoever takes the lock first and finds count
//!    zero does it in its stead: a newcomer, a leaver, an observer. For all of them the last
//!    member leaves at that moment, `(0, w) → (0, 0)`.
//! 5. A member that enters before that moment revives the group, as if it had entered before the
//!    last one left; the one who leaves last after it is on its way then. So a group in `(0, w)`
//!    always has somebody on the way, and nobody is left behind.
//! 6. A waiter is released only by a transition that found count zero, under the lock, after it
//!    had enlisted: never early, and never by the zero of another round. This is why a leaver does
//!    not simply count itself out: at zero it carries the release out (rule 4), in the same step
//!    that finds the zero; otherwise the round that it is counted in is still running.
//! 7. Who leaves last touches the group no more unless it finds waiters *listed for it*: the
//!    group is gone as soon as one of its waiters returned, perhaps. The list is not part of the
//!    group, so looking there first is safe; a listed waiter borrows the group, so it is alive. (A
//!    wait that was forgotten, whose group was then moved, stays listed at the old address. Tokens
//!    borrow the group, so safe code cannot get there; unsafe code that frees a group under its
//!    last leaver must not forget waits.)

use std::fmt;

use crate::sync::{AtomicU64, Ordering};
use Ordering::{AcqRel, Acquire, Relaxed, Release};

const COUNT_SHIFT: u32 = 32;
const ONE_MEMBER: u64 = 1 << COUNT_SHIFT;
const CLOSED: u64 = 1 << 31;
const WAITERS_MASK: u64 = CLOSED - 1;

/// Most members at once. Half of what the field holds: blind additions overshoot before they are
/// taken back, and 2³¹ threads would have to do so at once to wrap it.
pub(crate) const MAX_COUNT: u32 = u32::MAX / 2;

/// Most waiters at once: the field's capacity, which is never overshot.
pub(crate) const MAX_WAITERS: u32 = WAITERS_MASK as u32;

const _: () = {
    assert!((u32::MAX as u64) << COUNT_SHIFT | CLOSED | WAITERS_MASK == u64::MAX);
    assert!(CLOSED & WAITERS_MASK == 0);
};

/// The decoded word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) count: u32,
    pub(crate) closed: bool,
    pub(crate) waiters: u32,
}

impl Snapshot {
    const fn decode(word: u64) -> Self {
        Snapshot {
            count: (word >> COUNT_SHIFT) as u32,
            closed: word & CLOSED != 0,
            waiters: (word & WAITERS_MASK) as u32,
        }
    }

    const fn encode(self) -> u64 {
        (self.count as u64) << COUNT_SHIFT
            | if self.closed { CLOSED } else { 0 }
            | self.waiters as u64
    }

    /// Nobody to wait for, and nobody who would have to be told.
    pub(crate) const fn is_idle(self) -> bool {
        self.count == 0 && self.waiters == 0
    }

    /// Rule 4: a release that nobody has carried out yet.
    pub(crate) const fn is_releasing(self) -> bool {
        self.count == 0 && self.waiters != 0
    }
}

/// What a member that counted itself in blindly has become.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    Member,
    /// Counted, but the group is closed: leave again.
    Closed,
    /// Counted, but beyond [`MAX_COUNT`]: leave again.
    Full,
}

/// Why a member was not counted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Closed,
    Full,
}

/// What those who left must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Nothing, and touch nothing: the group may be gone.
    Nothing,
    /// Carry the release out, by rule 7.
    Release,
}

/// What a waiter that wants to enlist must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Enlisted {
    /// Counted: put yourself on the list.
    Waiting,
    /// Nobody is left: return.
    Idle,
    /// The release that was pending is carried out: wake the list, then return.
    Released,
    /// [`MAX_WAITERS`] wait already.
    Full,
}

/// What a listed waiter that wants to leave must do.
#[must_use]
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Withdrawn {
    /// Take yourself off the list.
    Left,
    /// The release that was pending is carried out, your own included: wake the list.
    Released,
}

/// The word itself.
pub(crate) struct State(AtomicU64);

impl State {
    const_fn! {
        pub(crate) const fn new() -> Self {
            State(AtomicU64::new(0))
        }
    }

    /// A word with the given fields, to start a test at the edge of a range.
    #[cfg(test)]
    pub(crate) fn preset(count: u32, closed: bool, waiters: u32) -> Self {
        State(AtomicU64::new(Snapshot { count, closed, waiters }.encode()))
    }

    /// The one CAS loop: `step` decides what becomes of `now`, or refuses with `None`. `raw` runs
    /// its own steps through it.
    #[inline]
    pub(crate) fn transition<A>(
        &self,
        success: Ordering,
        failure: Ordering,
        mut step: impl FnMut(Snapshot) -> (A, Option<Snapshot>),
    ) -> A {
        let mut word = self.0.load(failure);
        loop {
            let (action, next) = step(Snapshot::decode(word));
            let Some(next) = next else { return action };
            match self.0.compare_exchange_weak(word, next.encode(), success, failure) {
                Ok(_) => return action,
                Err(changed) => word = changed,
            }
        }
    }

    /// Reads the word, and with it everything done by the members that it no longer counts.
    #[inline]
    pub(crate) fn load(&self) -> Snapshot {
        // ORDERING: Acquire pairs with the Release in `leave`. Every change of the word is a
        // read-modify-write, so each leaving heads a release sequence that reaches to the value
        // read here, whoever came after: all members, not only the last.
        Snapshot::decode(self.0.load(Acquire))
    }

    /// Counts one in, blindly.
    #[inline]
    pub(crate) fn enter(&self) -> Entered {
        // ORDERING: Relaxed. Entering tells nobody anything; what the member will do is published
        // when it leaves.
        let before = Snapshot::decode(self.0.fetch_add(ONE_MEMBER, Relaxed));
        if before.closed {
            Entered::Closed
        } else if before.count >= MAX_COUNT {
            Entered::Full
        } else {
            Entered::Member
        }
    }

    /// Counts one more in on behalf of a member, which may do so in a closed group as well.
    #[inline]
    pub(crate) fn enter_beside(&self) -> Entered {
        // ORDERING: Relaxed, as in `enter`.
        let before = Snapshot::decode(self.0.fetch_add(ONE_MEMBER, Relaxed));
        if before.count >= MAX_COUNT { Entered::Full } else { Entered::Member }
    }

    /// Counts `n` in if the group is open and has room for them, and changes nothing otherwise.
    #[inline]
    pub(crate) fn try_enter(&self, n: u32) -> Result<(), Refused> {
        // ORDERING: Relaxed on success, as in `enter`. Acquire on what is read, because a refusal
        // acts on it: it pairs with the Release in `close`.
        self.transition(Relaxed, Acquire, |now| {
            let room = MAX_COUNT.saturating_sub(now.count);
            match now {
                Snapshot { closed: true, .. } => (Err(Refused::Closed), None),
                _ if n > room => (Err(Refused::Full), None),
                _ => (Ok(()), Some(Snapshot { count: now.count + n, ..now })),
            }
        })
    }

    /// Counts `n` members out, of those that are counted in.
    #[inline]
    pub(crate) fn leave(&self, n: u32) -> Left {
        // ORDERING: Release pairs with the Acquire in `load`, `enlist` and `release`: what these
        // members did is visible to whoever learns of their end. No Acquire: who leaves learns
        // nothing; a release acquires for those it wakes.
        let before = Snapshot::decode(self.0.fetch_sub(u64::from(n) << COUNT_SHIFT, Release));
        debug_assert!(before.count >= n, "{n} left of {} members", before.count);
        if before.count == n && before.waiters != 0 { Left::Release } else { Left::Nothing }
    }

    /// Closes the group, and says whether it was open.
    pub(crate) fn close(&self) -> bool {
        // ORDERING: Release pairs with the Acquire in `try_enter`: who is refused sees what
        // happened before the closing.
        !Snapshot::decode(self.0.fetch_or(CLOSED, Release)).closed
    }

    /// Counts a waiter in. Under the list's lock (rule 2).
    pub(crate) fn enlist(&self) -> Enlisted {
        // ORDERING: Acquire on success for `Released`, as in `release`; on failure for `Idle`, which
        // acts on what it read as a wait that returns, as in `load`.
        self.transition(Acquire, Acquire, |now| match now {
            _ if now.is_releasing() => (Enlisted::Released, Some(Snapshot { waiters: 0, ..now })),
            _ if now.is_idle() => (Enlisted::Idle, None),
            _ if now.waiters == MAX_WAITERS => (Enlisted::Full, None),
            _ => (Enlisted::Waiting, Some(Snapshot { waiters: now.waiters + 1, ..now })),
        })
    }

    /// Counts a listed waiter out, unless its round has ended. Under the list's lock (rule 2).
    pub(crate) fn withdraw(&self) -> Withdrawn {
        // ORDERING: Acquire on success for `Released`, as in `release`. A waiter that gives up
        // learns of no end.
        self.transition(Acquire, Relaxed, |now| match now.count {
            0 => (Withdrawn::Released, Some(Snapshot { waiters: 0, ..now })),
            _ => (Withdrawn::Left, Some(Snapshot { waiters: now.waiters - 1, ..now })),
        })
    }

    /// Carries the release out, `(0, w) → (0, 0)`, and says that the whole list is to be woken; or
    /// says no, because the group was revived (rule 5). Under the list's lock (rule 2).
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // ORDERING: Acquire on success pairs with the Release in `leave`, on behalf of the waiters:
        // they learn of their release through the list's lock or through their waking, which come
        // after this. Release, because a waiter that reads the zero without the lock may free the
        // group: this step's own reading of the word has to come before that. Relaxed on failure:
        // a revived group tells nothing.
        self.transition(AcqRel, Relaxed, |now| match now.count {
            0 => (true, Some(Snapshot { waiters: 0, ..now })),
            _ => (false, None),
        })
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(state: &State) -> (u32, bool, u32) {
        let now = state.load();
        (now.count, now.closed, now.waiters)
    }

    /// Words at and around every edge, by every closed bit.
    fn interesting() -> impl Iterator<Item = Snapshot> {
        let counts = [0, 1, 2, 7, MAX_COUNT - 1, MAX_COUNT];
        let waiters = [0, 1, 2, 9, MAX_WAITERS - 1, MAX_WAITERS];
        counts.into_iter().flat_map(move |count| {
            waiters.into_iter().flat_map(move |waiters| {
                [false, true].map(|closed| Snapshot { count, closed, waiters })
            })
        })
    }

    #[test]
    fn decoding_undoes_encoding_for_every_field_combination() {
        for snapshot in interesting() {
            assert_eq!(Snapshot::decode(snapshot.encode()), snapshot);
        }
        assert_eq!(Snapshot::decode(u64::MAX).encode(), u64::MAX);
    }

    #[test]
    fn the_count_is_the_high_half_and_the_waiters_the_low_half() {
        let word = Snapshot { count: 3, closed: false, waiters: 5 }.encode();
        assert_eq!((word >> 32, word & 0xffff_ffff), (3, 5));
    }

    #[test]
    fn rule_28_entering_beyond_the_most_is_refused_and_can_be_taken_back() {
        let state = State::preset(MAX_COUNT - 1, false, 4);
        assert_eq!(state.enter(), Entered::Member);
        assert_eq!(state.enter(), Entered::Full);
        assert_eq!(state.leave(1), Left::Nothing);
        assert_eq!(fields(&state), (MAX_COUNT, false, 4));
        assert_eq!(state.enter_beside(), Entered::Full);
        assert_eq!(state.leave(1), Left::Nothing);
        assert_eq!(fields(&state), (MAX_COUNT, false, 4));
    }

    #[test]
    fn rule_28_a_refused_batch_leaves_the_word_bit_for_bit() {
        for now in interesting() {
            let state = State::preset(now.count, now.closed, now.waiters);
            let room = MAX_COUNT - now.count;
            let refusal = if now.closed { Refused::Closed } else { Refused::Full };
            assert_eq!(state.try_enter(room + 1), Err(refusal));
            assert_eq!(state.load(), now);
            assert!(state.try_enter(u32::MAX).is_err());
            assert_eq!(state.load(), now);
            assert_eq!(state.try_enter(room).is_ok(), !now.closed);
        }
    }

    #[test]
    fn only_the_last_leaver_of_a_waited_group_releases() {
        for now in interesting().filter(|now| now.count > 0) {
            let state = State::preset(now.count, now.closed, now.waiters);
            let last = now.count == 1 && now.waiters > 0;
            assert_eq!(state.leave(1), if last { Left::Release } else { Left::Nothing });
            assert_eq!(fields(&state), (now.count - 1, now.closed, now.waiters));
        }
    }

    #[test]
    fn a_batch_that_leaves_as_the_last_releases_once() {
        let state = State::preset(5, true, 2);
        assert_eq!(state.leave(3), Left::Nothing);
        assert_eq!(state.leave(2), Left::Release);
        assert!(state.release());
        assert_eq!(fields(&state), (0, true, 0));
    }

    #[test]
    fn nobody_enlists_at_zero() {
        assert_eq!(State::preset(0, false, 0).enlist(), Enlisted::Idle);
        assert_eq!(State::preset(0, true, 0).enlist(), Enlisted::Idle);
        let releasing = State::preset(0, true, 1);
        assert_eq!(releasing.enlist(), Enlisted::Released);
        assert_eq!(fields(&releasing), (0, true, 0));
    }

    #[test]
    fn rule_28_one_waiter_too_many_is_refused_bit_for_bit() {
        let state = State::preset(1, false, MAX_WAITERS - 1);
        assert_eq!(state.enlist(), Enlisted::Waiting);
        assert_eq!(state.enlist(), Enlisted::Full);
        assert_eq!(fields(&state), (1, false, MAX_WAITERS));
    }

    #[test]
    fn rule_25_a_leaver_gives_its_place_back_and_at_zero_releases_instead() {
        let state = State::preset(1, false, 2);
        assert_eq!(state.withdraw(), Withdrawn::Left);
        assert_eq!(fields(&state), (1, false, 1));
        assert_eq!(state.leave(1), Left::Release);
        assert_eq!(state.withdraw(), Withdrawn::Released);
        assert_eq!(fields(&state), (0, false, 0));
    }

    #[test]
    fn a_revived_group_is_not_released() {
        let state = State::preset(1, false, 1);
        assert_eq!(state.leave(1), Left::Release);
        assert_eq!(state.enter(), Entered::Member);
        assert!(!state.release());
        assert_eq!(fields(&state), (1, false, 1));
        assert_eq!(state.leave(1), Left::Release);
        assert!(state.release());
        assert_eq!(fields(&state), (0, false, 0));
    }

    #[test]
    fn closing_twice_says_so_and_keeps_the_rest() {
        let state = State::preset(2, false, 1);
        assert!(state.close());
        assert!(!state.close());
        assert_eq!(fields(&state), (2, true, 1));
        assert_eq!(state.enter(), Entered::Closed);
        assert_eq!(state.enter_beside(), Entered::Member);
        assert_eq!(state.try_enter(0), Err(Refused::Closed));
        assert_eq!(fields(&state), (4, true, 1));
    }
}
