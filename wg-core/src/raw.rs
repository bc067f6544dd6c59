//! Go's `sync.WaitGroup`, with `add`, `done` and `wait`: for porting and for study.
//!
//! The same word (counter in the high half, waiters in the low half), the same counting semaphore
//! beside it, the same algorithm as Go's
//! [`sync.WaitGroup`](https://pkg.go.dev/sync#WaitGroup),
//! which is the seed of this crate; and the same three misuses, which the caller has to avoid and
//! which are detected where they show. Go panics; here each is an error, and a fourth is detected
//! that Go lets pass, the overflow:
//!
//! | misuse | Go | here |
//! |---|---|---|
//! | more `done` than `add` | panics, the counter stays negative | [`Misuse::NegativeCounter`], nothing changed |
//! | `add` from zero while a `wait` is blocked | panics if caught in the act | [`Misuse::AddDuringWait`], nothing changed |
//! | `add` for the next round before each `wait` of this one has returned | that `wait` panics | [`Misuse::ReusedBeforeWaitReturned`] from that `wait` |
//! | more than 2³¹ − 1 members | `Add(1<<31)` "negative", `Add(1<<32)` lost | [`Misuse::Overflow`], nothing changed |
//! | copying the group | `go vet` warns | does not compile |
//!
//! New code wants [`crate::WaitGroup`], where none of these can be written: its tokens count by
//! existing, waits may time out, and rounds do not mix.

use std::fmt;

use crate::state::{MAX_COUNT, MAX_WAITERS, Snapshot, State};
use crate::sync::{Condvar, Mutex, Ordering};
use Ordering::{Acquire, Relaxed, Release};

/// Go's WaitGroup: a counter that callers raise and lower by hand.
///
/// # Examples
///
/// ```
/// use wg_core::raw::WaitGroup;
///
/// let group = WaitGroup::new();
/// group.add(2)?; // before the threads start, never inside them
/// std::thread::scope(|s| {
///     for _ in 0..2 {
///         s.spawn(|| group.done().unwrap());
///     }
///     group.wait()
/// })?;
/// # Ok::<(), wg_core::raw::Misuse>(())
/// ```
///
/// # Memory ordering
///
/// As Go words it, a call to `done` *synchronizes before* the return of any `wait` that it
/// unblocks: every `done` of the round, not only the last.
pub struct WaitGroup {
    state: State,
    sema: Semaphore,
}

impl WaitGroup {
    const_fn! {
        /// Creates a group whose counter is zero.
        #[must_use]
        pub const fn new() -> Self {
            WaitGroup { state: State::new(), sema: Semaphore::new() }
        }
    }

    /// Adds `delta`, which may be negative, to the counter; at zero, releases every blocked
    /// [`wait`](Self::wait).
    ///
    /// Calls with a positive `delta` that find the counter at zero must happen before the `wait`
    /// they are meant for: call `add` before starting the thread, not inside it. Adding 0 does
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`Misuse::NegativeCounter`], [`Misuse::AddDuringWait`] or [`Misuse::Overflow`]; the group
    /// is unchanged then.
    pub fn add(&self, delta: isize) -> Result<(), Misuse> {
        // ORDERING: Release publishes what was done before a `done`. No Acquire for those who are
        // woken: a woken `wait` loads the word, no older than its zeroing, and so acquires from
        // every `done` itself. The failed load acts on nothing but the word.
        let waiters =
            self.state.transition(Release, Relaxed, |now| match judge_add(now, delta) {
                Ok(next) => (Ok(if next.count == 0 { next.waiters } else { 0 }), Some(next)),
                Err(misuse) => (Err(misuse), None),
            })?;
        if delta == 0 || waiters == 0 {
            return Ok(());
        }
        // The counter is zero and nobody can raise it while waiters are counted, so the word is
        // this call's alone until the waiters are taken out of it. Go stores a zero here and
        // panics if the word has changed; `judge_add` has refused those who would change it.
        //
        // ORDERING: Relaxed. Being a read-modify-write, it hands the release sequence of the
        // `done`s on to a `wait` that finds the counter at zero.
        self.state.transition(Relaxed, Relaxed, |now| ((), Some(Snapshot { waiters: 0, ..now })));
        self.sema.release(waiters);
        Ok(())
    }

    /// Lowers the counter by one.
    ///
    /// # Errors
    ///
    /// [`Misuse::NegativeCounter`] if it is zero; the group is unchanged then.
    pub fn done(&self) -> Result<(), Misuse> {
        self.add(-1)
    }

    /// Blocks until the counter is zero.
    ///
    /// # Errors
    ///
    /// [`Misuse::ReusedBeforeWaitReturned`] if the next round began between the release of this
    /// wait and its return. The wait is over all the same. [`Misuse::Overflow`] if 2³¹ − 1 waits
    /// are blocked already.
    ///
    /// # Blocking
    ///
    /// Sleeps on the semaphore, for ever if a `done` was forgotten: there is no timed wait, as in
    /// Go.
    pub fn wait(&self) -> Result<(), Misuse> {
        // ORDERING: Acquire pairs with the Release of every `done` if the counter is found at
        // zero. Relaxed when enlisting: no end has been learned of.
        let enlisted = self.state.transition(Relaxed, Acquire, |now| match now {
            Snapshot { count: 0, .. } => (Ok(false), None),
            Snapshot { waiters: MAX_WAITERS, .. } => (Err(Misuse::Overflow), None),
            _ => (Ok(true), Some(Snapshot { waiters: now.waiters + 1, ..now })),
        })?;
        if !enlisted {
            return Ok(());
        }
        self.sema.acquire();
        // The semaphore's lock orders this read after the zero, so what it finds beside a zero is
        // newer. It acquires from every `done` of the round, see `add`.
        let now = self.state.load();
        if now.is_idle() { Ok(()) } else { Err(Misuse::ReusedBeforeWaitReturned) }
    }

    /// As [`add`](Self::add), panicking on misuse as Go does.
    ///
    /// # Panics
    ///
    /// With a text that names the misuse.
    #[track_caller]
    pub fn add_or_panic(&self, delta: isize) {
        self.add(delta).unwrap_or_else(|misuse| panic!("{misuse}"));
    }

    /// As [`done`](Self::done), panicking on misuse as Go does.
    ///
    /// # Panics
    ///
    /// With a text that names the misuse.
    #[track_caller]
    pub fn done_or_panic(&self) {
        self.done().unwrap_or_else(|misuse| panic!("{misuse}"));
    }

    /// As [`wait`](Self::wait), panicking on misuse as Go does.
    ///
    /// # Panics
    ///
    /// With a text that names the misuse.
    #[track_caller]
    pub fn wait_or_panic(&self) {
        self.wait().unwrap_or_else(|misuse| panic!("{misuse}"));
    }
}

/// What the counter becomes, or why it must not.
fn judge_add(now: Snapshot, delta: isize) -> Result<Snapshot, Misuse> {
    if delta > 0 && now.is_releasing() {
        return Err(Misuse::AddDuringWait);
    }
    match i64::from(now.count).checked_add(delta as i64) {
        Some(count) if count < 0 => Err(Misuse::NegativeCounter),
        Some(count) if count <= i64::from(MAX_COUNT) => Ok(Snapshot { count: count as u32, ..now }),
        _ => Err(Misuse::Overflow),
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = self.state.load();
        f.debug_struct("WaitGroup")
            .field("count", &now.count)
            .field("waiters", &now.waiters)
            .finish()
    }
}

/// How a [`raw::WaitGroup`](WaitGroup) was misused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misuse {
    /// `done` was called more often than was added.
    #[error("negative WaitGroup counter")]
    NegativeCounter,
    /// The counter was raised from zero while a `wait` was still blocked.
    #[error("WaitGroup misuse: add called concurrently with wait")]
    AddDuringWait,
    /// The counter was raised again before every `wait` of the last round had returned.
    #[error("WaitGroup is reused before previous wait has returned")]
    ReusedBeforeWaitReturned,
    /// The counter, or the number of waiters, would exceed 2³¹ − 1.
    #[error("WaitGroup counter overflow")]
    Overflow,
}

/// A counting semaphore, as Go's runtime keeps one for each WaitGroup. Counted permits are enough
/// here only because no wait can give up.
struct Semaphore {
    permits: Mutex<u64>,
    released: Condvar,
}

impl Semaphore {
    const_fn! {
        const fn new() -> Self {
            Semaphore { permits: Mutex::new(0), released: Condvar::new() }
        }
    }

    fn release(&self, permits: u32) {
        *self.permits.lock() += u64::from(permits);
        self.released.notify_all();
    }

    fn acquire(&self) {
        let mut permits = self.permits.lock();
        while *permits == 0 {
            permits = self.released.wait(permits);
        }
        *permits -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset(count: u32, waiters: u32) -> WaitGroup {
        WaitGroup { state: State::preset(count, false, waiters), sema: Semaphore::new() }
    }

    fn fields(group: &WaitGroup) -> (u32, u32) {
        let now = group.state.load();
        (now.count, now.waiters)
    }

    #[test]
    fn done_at_zero_is_negative_and_changes_nothing() {
        let group = preset(0, 0);
        assert_eq!(group.done(), Err(Misuse::NegativeCounter));
        assert_eq!(group.add(isize::MIN), Err(Misuse::NegativeCounter));
        assert_eq!(fields(&group), (0, 0));
    }

    #[test]
    fn adding_at_zero_under_a_blocked_wait_is_refused_and_changes_nothing() {
        let group = preset(0, 1);
        assert_eq!(group.add(1), Err(Misuse::AddDuringWait));
        assert_eq!(group.add(isize::MAX), Err(Misuse::AddDuringWait));
        assert_eq!(group.add(0), Ok(()));
        assert_eq!(fields(&group), (0, 1));
    }

    #[test]
    fn overflow_is_refused_and_changes_nothing() {
        let group = preset(MAX_COUNT, 0);
        for delta in [1, isize::MAX / 2, isize::MAX] {
            assert_eq!(group.add(delta), Err(Misuse::Overflow));
        }
        assert_eq!(fields(&group), (MAX_COUNT, 0));
        let group = preset(1, MAX_WAITERS);
        assert_eq!(group.wait(), Err(Misuse::Overflow));
        assert_eq!(fields(&group), (1, MAX_WAITERS));
    }

    #[test]
    fn a_wait_that_finds_the_next_round_says_so() {
        let group = preset(1, 0);
        group.sema.release(1);
        assert_eq!(group.wait(), Err(Misuse::ReusedBeforeWaitReturned));
    }
}
