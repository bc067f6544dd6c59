//! The semaphore: permits that are lent by weight, in the order in which they were asked for.
//!
//! What is decided stands in `line`, over plain data: who is next, and what fits. This file keeps
//! the count where it is cheapest to reach, in one word as long as nobody waits, and in the line's
//! book, under its lock, otherwise. `acquire` waits in two ways, as a thread and as a task.
//!
//! | bits  | field | meaning                                                      |
//! |-------|-------|--------------------------------------------------------------|
//! | 63    | shut  | the count is in the line's book; the other bits mean nothing |
//! | 0..63 | free  | permits that anybody may take                                |
//!
//! # The protocol
//!
//! 1. While the word is open, one CAS takes permits or gives them back.
//! 2. Everything else happens under the line's lock, and shuts the word first. That moves the
//!    count into the book. From then on the word is changed by the lock's holder only.
//! 3. The word is opened again before the lock is left if nobody waits and no more is held than the
//!    capacity. So *open* means that nobody waits, and rule 1 overtakes nobody.
//! 4. Who finds too little looks again behind the shut word before it joins the line. What is given
//!    back comes either before the shutting, and is in the count, or after it, and comes to the
//!    lock. So nobody waits for permits that are there.
//! 5. Whoever makes room (gives back, leaves the line, raises the capacity) grants to the head of
//!    the line while it fits, in the same step. *Being off the line is the truth*: the permits are
//!    the waiter's from then on, and its waking is only a hint to look.
//! 6. A waiter that leaves looks whether it is in the line, under the lock. If not, the permits are
//!    its own: it keeps them or gives them back. There is no third case, so none are lost.
//!
//! No user code runs under the lock: wakers are cloned before it, and woken or dropped after it.

mod line;
mod wakes;

mod permit;
mod acquire;

use std::fmt;

use crate::sync::{AtomicU64, Mutex, Ordering};
use crate::waiters::Waiter;

use self::line::Line;

pub use self::acquire::Acquire;
pub use self::acquire::AcquireTimedOut;
pub use self::permit::Permit;

/// The word is shut.
const SHUT: u64 = 1 << 63;

/// The largest capacity whose free permits an open word can count, however many come back. A
/// semaphore with a larger one works behind a shut word.
const MOST_OPEN: u64 = SHUT - 1;

/// Lends a number of permits, by weight and in the order of asking.
///
/// [`acquire`](Self::acquire) asks for any number of permits at once, waits until they are free,
/// and returns them as one [`Permit`], which gives them back when it is dropped, also while
/// unwinding. Waiters may be threads and tasks ([`acquire_async`](Self::acquire_async)), many of
/// both kinds at once.
///
/// It is fair: there is one line, and nobody overtakes in it. A heavy request at its head holds up
/// light ones that would fit, so it cannot starve; [`try_acquire`](Self::try_acquire) takes nothing
/// while somebody waits.
///
/// A request heavier than the [`capacity`](Self::capacity) waits until nothing else is held, is
/// then granted, and holds everything: an item heavier than the whole budget runs alone. A request
/// for 0 permits is granted at once.
///
/// While nobody waits, taking permits is one atomic instruction, and so is giving them back.
/// Construction is `const`, and allocates nothing.
///
/// `tokio::sync::Semaphore` is as fair, and can be closed, which this one cannot. There, a request
/// heavier than the capacity waits until permits are added.
///
/// # Examples
///
/// ```
/// use wg_core::Semaphore;
///
/// static MEMORY: Semaphore = Semaphore::new(1 << 30); // bytes
///
/// let images: Vec<Vec<u8>> = vec![vec![0; 5000]; 8];
/// std::thread::scope(|s| {
///     for image in &images {
///         s.spawn(move || {
///             let _budget = MEMORY.acquire(image.len() as u64);
///             // decode it; given back when this closure ends, however it ends
///         });
///     }
/// });
/// assert_eq!(MEMORY.available(), 1 << 30);
/// ```
///
/// # Memory ordering
///
/// What happened before permits were given back happens before the return of the `acquire` that got
/// them, whichever kind it is, and of every later one that could not have been granted without
/// them. [`available`](Self::available), [`waiters`](Self::waiters) and
/// [`set_capacity`](Self::set_capacity) order nothing.
pub struct Semaphore {
    word: AtomicU64,
    line: Mutex<Line<Waiter>>,
}

impl Semaphore {
    const_fn! {
        /// Creates a semaphore that lends `permits`.
        ///
        /// # Panics
        ///
        /// If `permits` is 0. For one request at a time, whatever its weight, use 1.
        #[must_use]
        #[track_caller]
        pub const fn new(permits: u64) -> Self {
            assert!(permits != 0, "a semaphore of 0 permits is refused: use 1 for one at a time");
            let word = if permits <= MOST_OPEN { permits } else { SHUT };
            Semaphore { word: AtomicU64::new(word), line: Mutex::new(Line::new(permits)) }
        }
    }

    /// Returns how many permits there are: what [`new`](Self::new) or
    /// [`set_capacity`](Self::set_capacity) said last.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        self.look(Line::capacity)
    }

    /// Returns how many permits are free.
    ///
    /// Others may take them at any time, and they are spoken for if somebody waits, so this is for
    /// display.
    #[must_use]
    pub fn available(&self) -> u64 {
        self.look(Line::available)
    }

    /// Returns the number of threads and tasks that wait.
    #[must_use]
    pub fn waiters(&self) -> usize {
        self.look(Line::waiters)
    }

    /// Changes how many permits there are.
    ///
    /// May be called at any time, and does not block. If there are more of them, those who wait go
    /// on, as far as it reaches. If there are fewer, nothing is taken from anybody: what is held
    /// too much is not lent again when it comes back. Requests that are waiting, and have become
    /// heavier than the capacity, wait until nothing else is held.
    ///
    /// # Examples
    ///
    /// ```
    /// use wg_core::Semaphore;
    ///
    /// let semaphore = Semaphore::new(4);
    /// let held = semaphore.acquire(3);
    /// semaphore.set_capacity(2);
    /// assert_eq!(semaphore.available(), 0);
    /// drop(held);
    /// assert_eq!(semaphore.available(), 2);
    /// ```
    ///
    /// # Panics
    ///
    /// If `permits` is 0. The semaphore is unchanged then.
    #[track_caller]
    pub fn set_capacity(&self, permits: u64) {
        assert!(permits != 0, "a capacity of 0 permits is refused: use 1 for one at a time");
        let granted = self.settle(|line| line.set_capacity(permits));
        wakes::carry_out(granted, None);
    }

    /// Takes permits from the open word, by rule 1. If it says no, that is not the last word.
    #[inline]
    fn take(&self, weight: u64) -> bool {
        if weight == 0 {
            return true;
        }
        // ORDERING: Acquire on success pairs with the Release in `put` and `settle`: what happened
        // before these permits were given back is visible to whoever takes them. Other takers in
        // between are read-modify-writes, which hand the release sequence on. Relaxed on failure:
        // who is refused looks again under the lock.
        self.change(
            Ordering::Acquire,
            |word| if is_open(word) { word.checked_sub(weight) } else { None },
        )
    }

    /// Puts permits back into the open word, by rule 1.
    #[inline]
    fn put(&self, weight: u64) -> bool {
        // ORDERING: Release pairs with the Acquire in `take` and `settle`, see there. Relaxed on
        // failure: who is refused comes to the lock.
        self.change(Ordering::Release, |word| is_open(word).then(|| word + weight))
    }

    /// The one CAS loop: `step` says what becomes of the word, or refuses.
    #[inline]
    fn change(&self, success: Ordering, step: impl Fn(u64) -> Option<u64>) -> bool {
        let mut word = self.word.load(Ordering::Relaxed);
        while let Some(next) = step(word) {
            match self.word.compare_exchange_weak(word, next, success, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(changed) => word = changed,
            }
        }
        false
    }

    /// Gives permits back, and wakes those who get them.
    #[inline]
    fn give_back(&self, weight: u64) {
        if weight != 0 && !self.put(weight) {
            let granted = self.settle(|line| line.give_back(weight));
            wakes::carry_out(granted, None);
        }
    }

    /// Decides something behind the shut word, by rules 2 and 3. What the decision answers is
    /// carried out by the caller, without the lock.
    #[cold]
    fn settle<A>(&self, decide: impl FnOnce(&mut Line<Waiter>) -> A) -> A {
        let mut line = self.line.lock();
        // ORDERING: Acquire pairs with the Release in `put`, on behalf of those to whom these
        // permits are granted now or later: they learn of it under the lock, after this. No
        // Release: shutting tells nobody anything, and is part of the sequence that it ends.
        let word = self.word.fetch_or(SHUT, Ordering::Acquire);
        if is_open(word) {
            line.reckon(word);
        }
        let answer = decide(&mut line);
        if let Some(free) = line.to_lend().filter(|_| line.capacity() <= MOST_OPEN) {
            // ORDERING: Release pairs with the Acquire in `take`: what was given back under the
            // lock is taken without it from now on. It need not be a read-modify-write, because
            // whatever the shut word had published was acquired by the one who shut it.
            self.word.store(free, Ordering::Release);
        }
        answer
    }

    /// Looks at the book without shutting the word.
    fn look<A>(&self, read: impl FnOnce(&Line<Waiter>) -> A) -> A {
        let mut line = self.line.lock();
        // ORDERING: Relaxed. Whether it is shut is known by the lock; the number is for display.
        let word = self.word.load(Ordering::Relaxed);
        if is_open(word) {
            line.reckon(word);
        }
        read(&line)
    }
}

/// Whether a word is the number of free permits.
const fn is_open(word: u64) -> bool {
    word & SHUT == 0
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (capacity, available, waiters) =
            self.look(|line| (line.capacity(), line.available(), line.waiters()));
        f.debug_struct("Semaphore")
            .field("capacity", &capacity)
            .field("available", &available)
            .field("waiters", &waiters)
            .finish()
    }
}
