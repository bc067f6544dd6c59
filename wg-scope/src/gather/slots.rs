//! Places for the results of a fan-out, one for each item.
//!
//! Where it is known how many items there are, each result is moved to where it is to lie in the end, and
//! nothing is put in order then. Which places are filled the parts know that have filled them.
#![allow(unsafe_code)]

use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;
use std::sync::Arc;

use crate::outcome::{discard, drop_caught};

/// The most memory that is taken at once for results, in bytes: an iterator may say that it is as long as
/// it likes.
const MOST: usize = 1 << 30;

/// Memory for so many results. Knows of none that lie in it.
pub(super) struct Slots<R> {
    first: NonNull<R>,
    count: usize,
}

// SAFETY: It lends no results. Who writes and takes them is `Filled`, which says so itself.
unsafe impl<R> Send for Slots<R> {}
// SAFETY: As above.
unsafe impl<R> Sync for Slots<R> {}

impl<R> Slots<R> {
    /// Slots for `count` results, if they take memory at all, and not too much.
    pub(super) fn new(count: usize) -> Option<Arc<Self>> {
        let mut memory = Vec::new();
        let size = count.saturating_mul(size_of::<R>());
        if !(1..=MOST).contains(&size) || memory.try_reserve_exact(count).is_err() {
            return None;
        }
        let mut memory = ManuallyDrop::new(memory);
        let first = NonNull::new(memory.as_mut_ptr()).expect("a vector has an address");
        Some(Arc::new(Slots { first, count: memory.capacity() }))
    }
}

impl<R> Drop for Slots<R> {
    fn drop(&mut self) {
        // SAFETY: The memory is that of a vector with this capacity, which nobody else owns. What may lie
        // in it is not this one's.
        drop(unsafe { Vec::from_raw_parts(self.first.as_ptr(), 0, self.count) });
    }
}

/// The results in some of the slots: those that were put there by this. It owns them.
pub(super) struct Filled<R> {
    slots: Option<Arc<Slots<R>>>,
    /// The last results, which follow one another and go into their slots together: the memory there was
    /// another core's before, and is fetched as a whole then, not for one result after the other.
    last: Vec<R>,
    /// The slot of the first of these.
    begin: usize,
    /// How many of these there may be, for which there are slots.
    most: usize,
    /// From where to where slots are filled.
    runs: Vec<(usize, usize)>,
}

// SAFETY: It owns results, as a vector would, and reaches no other's.
unsafe impl<R: Send> Send for Filled<R> {}
// SAFETY: By reference it shows no result.
unsafe impl<R> Sync for Filled<R> {}

impl<R> Filled<R> {
    /// How many results go into their slots together: those of a batch of small ones.
    const TOGETHER: usize = match 4096_usize.checked_div(size_of::<R>()) {
        None | Some(0) => 1,
        Some(64..) => 64,
        Some(some) => some,
    };

    /// None of these slots.
    pub(super) fn new(slots: Option<&Arc<Slots<R>>>) -> Self {
        Filled { slots: slots.cloned(), last: Vec::new(), begin: 0, most: 0, runs: Vec::new() }
    }

    /// Puts a result into the slot with this index, or gives it back if there is no such slot.
    ///
    /// # Safety
    ///
    /// Nobody else has put, or will put, a result into the slot with this index.
    #[inline]
    pub(super) unsafe fn put(&mut self, index: usize, result: R) -> Result<(), R> {
        let count = self.last.len();
        if count == self.most || index != self.begin + count {
            // SAFETY: As promised.
            return unsafe { self.put_apart(index, result) };
        }
        self.last.push(result);
        Ok(())
    }

    /// As [`put`](Self::put), where it does not go to the last ones, or there are enough of them.
    ///
    /// # Safety
    ///
    /// As there.
    #[cold]
    unsafe fn put_apart(&mut self, index: usize, result: R) -> Result<(), R> {
        self.lay_down();
        let count = self.slots.as_ref().map_or(0, |slots| slots.count);
        if index >= count {
            return Err(result);
        }
        self.begin = index;
        self.most = Self::TOGETHER.min(count - index);
        self.last.reserve_exact(self.most);
        self.last.push(result);
        Ok(())
    }

    /// Moves the last results into their slots.
    fn lay_down(&mut self) {
        let (begin, count) = (self.begin, self.last.len());
        let Some(slots) = self.slots.as_ref().filter(|_| count > 0) else { return };
        // SAFETY: There are so many slots: `most` sees to it.
        let place = unsafe { slots.first.add(begin) };
        // SAFETY: Nobody else touches these slots, as promised to `put`, but for who takes over what this one
        // owns, and has it then. They are not in the vector.
        unsafe { self.last.as_ptr().copy_to_nonoverlapping(place.as_ptr(), count) };
        // SAFETY: They are in their slots now.
        unsafe { self.last.set_len(0) };
        match self.runs.last_mut() {
            Some((_, end)) if *end == begin => *end += count,
            _ => self.runs.push((begin, begin + count)),
        }
    }

    #[cfg(test)]
    pub(super) fn address(&self) -> *const R {
        self.slots.as_ref().unwrap().first.as_ptr()
    }

    /// How many results there are.
    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(|(begin, end)| end - begin).sum::<usize>() + self.last.len()
    }

    /// Takes one of the results.
    pub(super) fn pop(&mut self) -> Option<R> {
        self.lay_down();
        let (begin, end) = self.runs.last_mut()?;
        *end -= 1;
        let slots = self.slots.as_ref().expect("they lie in some");
        // SAFETY: There are more slots than that.
        let slot = unsafe { slots.first.add(*end) };
        if begin == end {
            self.runs.pop();
        }
        // SAFETY: The result is one of those that this one owns, and is not any more.
        Some(unsafe { slot.read() })
    }

    /// Lets go of all results, and says in which slots they lie.
    fn forget(&mut self) -> Vec<(usize, usize)> {
        self.lay_down();
        mem::take(&mut self.runs)
    }
}

/// All results in these, which fill the same slots, in the order of the slots.
pub(super) fn in_order<R>(mut all: Vec<Filled<R>>) -> Vec<R> {
    let Some(slots) = all.iter().find_map(|filled| filled.slots.clone()) else { return Vec::new() };
    let same = |filled: &Filled<R>| filled.slots.as_ref().is_none_or(|it| Arc::ptr_eq(it, &slots));
    assert!(all.iter().all(same), "they fill the same slots");
    let mut runs: Vec<_> = all.iter_mut().flat_map(Filled::forget).collect();
    drop(all);
    debug_assert!(are_apart(&runs), "a slot was filled twice: {runs:?}");
    let count = runs.iter().map(|(begin, end)| end - begin).sum();
    let end = runs.iter().map(|&(_, end)| end).max();
    // Each is filled once, so there are no holes if as many are filled as there are up to the last.
    let alone = if end == Some(count) { Arc::try_unwrap(slots) } else { Err(slots) };
    let slots = match alone {
        Ok(slots) => {
            let slots = ManuallyDrop::new(slots);
            // SAFETY: The memory is that of a vector with this capacity, and is nobody's any more. The
            // results up to `count` lie there, and are nobody's since they were let go of.
            return unsafe { Vec::from_raw_parts(slots.first.as_ptr(), count, slots.count) };
        }
        Err(slots) => slots,
    };
    runs.sort_unstable();
    let mut ordered: Vec<R> = Vec::with_capacity(count);
    for index in runs.into_iter().flat_map(|(begin, end)| begin..end) {
        // SAFETY: There are more slots than that.
        let slot = unsafe { slots.first.add(index) };
        // SAFETY: The result lies there, and is nobody's since it was let go of.
        ordered.push(unsafe { slot.read() });
    }
    ordered
}

/// Whether no two of these runs have a slot in common, as all who [put](Filled::put) have promised.
fn are_apart(runs: &[(usize, usize)]) -> bool {
    let mut runs = runs.to_vec();
    runs.sort_unstable();
    runs.windows(2).all(|two| two[0].1 <= two[1].0)
}

impl<R> Drop for Filled<R> {
    fn drop(&mut self) {
        // Mostly there is nothing left.
        while let Some(result) = self.pop() {
            drop_caught(result).unwrap_or_else(discard);
        }
    }
}
