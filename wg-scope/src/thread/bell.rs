//! Who polls a future next: the states between two polls, and every step from one to another.
//!
//! A future has one job. It is in the queue or in the hands of whoever took it from there (*out*),
//! or it is shelved under a key, when nobody has to look at it before a wake-up. A joiner may poll
//! the future without the job.
//!
//! | | pending | queued | polling | polling, woken | ended |
//! |---|---|---|---|---|---|
//! | [`wake`](Bell::wake) | queued; a job on the shelf is queued | · | polling, woken | · | · |
//! | [`begin`](Bell::begin) | no; polling if the future is to be dropped | polling | no | no | no |
//! | [`pend`](Bell::pend) | | | pending; a job in hand is shelved | queued; and so is a job in hand or on the shelf | |
//! | [`shelved`](Bell::shelved) | on the shelf | the job is queued | on the shelf | on the shelf | the job is dropped |
//! | [`end`](Bell::end) | | | ended; a job on the shelf is dropped | the same | |
//!
//! So a queued future always has its job out, where somebody comes by; a job is never in two
//! places; and a wake-up is lost only by a future that has ended or will be polled anyway.

/// Where a future stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bell {
    phase: Phase,
    /// Where its job is shelved; None if it is out.
    shelf: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// Nobody has woken it.
    Pending,
    /// To be polled by whoever comes first.
    Queued,
    Polling,
    /// Woken while it is polled: it has to be polled again.
    Woken,
    Ended,
}

/// What is to be done with the job of a future.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    Nothing,
    /// Shelve the job in hand, and say so by [`Bell::shelved`].
    Shelve,
    /// Queue the job in hand.
    Queue,
    /// Queue the job on the shelf.
    Unshelve(usize),
    /// Drop the job on the shelf.
    Drop(usize),
}

/// What a wake-up does.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ring {
    /// The future is polled anyway, or never again.
    Unheard,
    /// It is queued by this, and may have to be polled by one who waits for it.
    Heard(Move),
}

impl Bell {
    /// A future that is about to be queued.
    pub(super) const fn new() -> Self {
        Bell { phase: Phase::Queued, shelf: None }
    }

    /// A future that is polled for the first time, by one who has the job in hand.
    pub(super) const fn polled() -> Self {
        Bell { phase: Phase::Polling, shelf: None }
    }

    /// The waker was called.
    pub(super) fn wake(&mut self) -> Ring {
        match self.phase {
            Phase::Pending => {
                self.phase = Phase::Queued;
                Ring::Heard(self.unshelve())
            }
            Phase::Polling => {
                self.phase = Phase::Woken;
                Ring::Unheard
            }
            Phase::Queued | Phase::Woken | Phase::Ended => Ring::Unheard,
        }
    }

    /// Somebody wants to poll the future; or to drop it, for which it need not have been woken.
    /// Returns whether it is theirs, until [`pend`](Self::pend) or [`end`](Self::end).
    #[must_use]
    pub(super) fn begin(&mut self, drops: bool) -> bool {
        let theirs = match self.phase {
            Phase::Queued => true,
            Phase::Pending => drops,
            Phase::Polling | Phase::Woken | Phase::Ended => false,
        };
        if theirs {
            self.phase = Phase::Polling;
        }
        theirs
    }

    /// It was polled and is pending, by one who has the job in hand or not.
    pub(super) fn pend(&mut self, in_hand: bool) -> Move {
        let woken = self.phase == Phase::Woken;
        debug_assert!(woken || self.phase == Phase::Polling);
        self.phase = if woken { Phase::Queued } else { Phase::Pending };
        match (woken, in_hand) {
            (true, true) => Move::Queue,
            (true, false) => self.unshelve(),
            (false, true) => Move::Shelve,
            (false, false) => Move::Nothing,
        }
    }

    /// The job was shelved under this key.
    pub(super) fn shelved(&mut self, key: usize) -> Move {
        match self.phase {
            Phase::Pending | Phase::Polling | Phase::Woken => {
                self.shelf = Some(key);
                Move::Nothing
            }
            Phase::Queued => Move::Unshelve(key),
            Phase::Ended => Move::Drop(key),
        }
    }

    /// It was polled, and has ended.
    pub(super) fn end(&mut self) -> Move {
        debug_assert!(matches!(self.phase, Phase::Polling | Phase::Woken));
        self.phase = Phase::Ended;
        self.shelf.take().map_or(Move::Nothing, Move::Drop)
    }

    pub(super) fn is_queued(&self) -> bool {
        self.phase == Phase::Queued
    }

    pub(super) fn has_ended(&self) -> bool {
        self.phase == Phase::Ended
    }

    fn unshelve(&mut self) -> Move {
        self.shelf.take().map_or(Move::Nothing, Move::Unshelve)
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Where the job really is. There is one, so each move has to find it where it expects it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Job {
        Queue,
        /// In the hands of runner 0 or 1.
        Hand(usize),
        Shelf,
        Gone,
    }

    const KEY: usize = 7;

    /// What somebody is about to do; all steps are done under one lock each.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Next {
        Idle,
        Begin,
        Poll,
        Pend,
        Shelve,
        Shelved,
        Carry(Carry),
    }

    /// A [`Move`] that was decided and not yet done.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    enum Carry {
        Queue,
        Unshelve,
        Drop,
    }

    /// Two runners, a joiner without the job (2), and a waker (3), with so many wake-ups to give.
    /// The future ends by the poll that sees the last of them.
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct World {
        bell: Bell,
        job: Job,
        next: [Next; 4],
        to_wake: u8,
        /// How many wake-ups the last poll saw.
        seen: u8,
        wakes: u8,
        joins: u8,
    }

    impl World {
        fn new(wakes: u8, joins: u8) -> Self {
            let next = [Next::Idle; 4];
            World {
                bell: Bell::new(),
                job: Job::Queue,
                next,
                to_wake: wakes,
                seen: 0,
                wakes,
                joins,
            }
        }

        fn given(&self) -> u8 {
            self.wakes - self.to_wake
        }

        fn carry(&self, who: usize, what: Move) -> Next {
            match what {
                Move::Nothing => Next::Idle,
                Move::Shelve => {
                    assert_eq!(self.job, Job::Hand(who));
                    Next::Shelve
                }
                Move::Queue => {
                    assert_eq!(self.job, Job::Hand(who));
                    Next::Carry(Carry::Queue)
                }
                Move::Unshelve(key) => {
                    assert_eq!((key, self.job), (KEY, Job::Shelf));
                    Next::Carry(Carry::Unshelve)
                }
                Move::Drop(key) => {
                    assert_eq!((key, self.job), (KEY, Job::Shelf));
                    Next::Carry(Carry::Drop)
                }
            }
        }

        /// Does what `who` is about to do; None if that is nothing.
        fn step(&self, who: usize) -> Option<World> {
            let mut world = self.clone();
            let in_hand = self.job == Job::Hand(who);
            world.next[who] = match self.next[who] {
                Next::Idle => match who {
                    0 | 1 if self.job == Job::Queue => {
                        world.job = Job::Hand(who);
                        Next::Begin
                    }
                    2 if self.joins > 0 => {
                        world.joins -= 1;
                        Next::Begin
                    }
                    3 if self.to_wake > 0 => {
                        world.to_wake -= 1;
                        match world.bell.wake() {
                            Ring::Unheard => Next::Idle,
                            Ring::Heard(what) => self.carry(who, what),
                        }
                    }
                    _ => return None,
                },
                Next::Begin if world.bell.begin(false) => Next::Poll,
                Next::Begin if in_hand && self.bell.has_ended() => {
                    world.job = Job::Gone;
                    Next::Idle
                }
                Next::Begin if in_hand => Next::Shelve,
                Next::Begin => Next::Idle,
                Next::Poll => {
                    let others = (0..4).filter(|&other| other != who);
                    for other in others {
                        assert!(!matches!(self.next[other], Next::Poll | Next::Pend), "{self:?}");
                    }
                    world.seen = self.given();
                    if world.seen == self.wakes {
                        let what = world.bell.end();
                        if in_hand {
                            assert_eq!(what, Move::Nothing);
                            world.job = Job::Gone;
                        }
                        self.carry(who, what)
                    } else {
                        Next::Pend
                    }
                }
                Next::Pend => {
                    let what = world.bell.pend(in_hand);
                    world.carry(who, what)
                }
                Next::Shelve => {
                    assert_eq!(self.job, Job::Hand(who));
                    world.job = Job::Shelf;
                    Next::Shelved
                }
                Next::Shelved => {
                    let what = world.bell.shelved(KEY);
                    world.carry(who, what)
                }
                Next::Carry(Carry::Queue | Carry::Unshelve) => {
                    world.job = Job::Queue;
                    Next::Idle
                }
                Next::Carry(Carry::Drop) => {
                    world.job = Job::Gone;
                    Next::Idle
                }
            };
            Some(world)
        }
    }

    /// Goes through every order of the steps. Where nothing is left to do, the future has ended,
    /// and its job is gone.
    fn explore(wakes: u8, joins: u8) -> usize {
        let mut seen = HashSet::new();
        let mut todo = vec![World::new(wakes, joins)];
        while let Some(world) = todo.pop() {
            if !seen.insert(world.clone()) {
                continue;
            }
            let steps: Vec<_> = (0..4).filter_map(|who| world.step(who)).collect();
            if steps.is_empty() {
                assert!(world.bell.has_ended(), "a wake-up was lost: {world:?}");
                assert_eq!(world.job, Job::Gone, "{world:?}");
            }
            todo.extend(steps);
        }
        seen.len()
    }

    #[test]
    fn rule_26_in_every_order_no_wake_up_is_lost_and_there_is_one_job() {
        assert!(explore(0, 0) > 2);
        assert!(explore(3, 3) > 1_000);
    }

    #[test]
    fn rule_26_waking_what_is_polled_anyway_changes_nothing() {
        let mut bell = Bell::new();
        assert_eq!((bell.wake(), bell), (Ring::Unheard, Bell::new()));
        assert!(bell.begin(false));
        assert_eq!((bell.wake(), bell.wake()), (Ring::Unheard, Ring::Unheard));
        assert_eq!((bell.pend(true), bell), (Move::Queue, Bell::new()));
        assert!(bell.begin(false));
        assert_eq!(bell.end(), Move::Nothing);
        assert_eq!(bell.wake(), Ring::Unheard);
        assert!(bell.has_ended() && !bell.begin(true));
    }

    #[test]
    fn rule_18_a_future_that_nobody_woke_may_be_begun_to_be_dropped() {
        let mut bell = Bell::new();
        assert!(bell.begin(true));
        assert_eq!(bell.pend(true), Move::Shelve);
        assert_eq!(bell.shelved(KEY), Move::Nothing);
        assert!(!bell.begin(false) && bell.begin(true));
        assert_eq!(bell.end(), Move::Drop(KEY));
    }
}
