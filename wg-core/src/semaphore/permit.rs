//! What is held, as a value.

use super::Semaphore;

/// Permits of a [`Semaphore`] that are held, until this is dropped.
///
/// Dropping it gives them back, also while unwinding, and wakes those who can go on. It may be sent
/// to another thread and dropped there. If the waker of a task that is woken panics, the others are
/// woken nevertheless, and the panic goes on from this drop.
///
/// A permit that is leaked (`mem::forget`) loses what it holds, and nothing else: the rest goes on
/// being lent. A request that needs more than this rest then waits for ever.
#[must_use = "permits are given back at once when this is dropped"]
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    weight: u64,
}

impl<'a> Permit<'a> {
    pub(super) fn new(semaphore: &'a Semaphore, weight: u64) -> Self {
        Permit { semaphore, weight }
    }

    /// Returns what was asked for, also if it is more than the whole capacity, less what was
    /// [`split`](Self::split) off.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.weight
    }

    /// Splits off a part of weight `n`, which is then held and given back by itself. Returns `None`,
    /// and changes nothing, if this holds less than that.
    ///
    /// # Examples
    ///
    /// ```
    /// use wg_core::Semaphore;
    ///
    /// let semaphore = Semaphore::new(10);
    /// let mut whole = semaphore.acquire(10);
    /// let part = whole.split(4).unwrap();
    /// assert_eq!((whole.weight(), part.weight()), (6, 4));
    /// drop(part);
    /// assert_eq!(semaphore.available(), 4);
    /// assert!(whole.split(7).is_none());
    /// ```
    #[must_use = "the part is given back at once when it is dropped"]
    pub fn split(&mut self, n: u64) -> Option<Permit<'a>> {
        self.weight = self.weight.checked_sub(n)?;
        Some(Permit::new(self.semaphore, n))
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.give_back(self.weight);
    }
}
