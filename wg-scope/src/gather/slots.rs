//! Places for the results of a fan-out, one for each item.
//!
//! Where it is known how many items there are, each result is written where it is to lie in the end:
//! nothing is put in order then, and nothing is copied. Which places are filled the parts know that have
//! filled them.
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
    /// Those of `slots`; without them, none.
    first: NonNull<R>,
    count: usize,
    /// From where to where slots are filled, without the last run.
    runs: Vec<(usize, usize)>,
    /// The last run.
    begin: usize,
    next: usize,
}

// SAFETY: It owns results, as a vector would, and reaches no other's.
unsafe impl<R: Send> Send for Filled<R> {}
// SAFETY: By reference it shows no result.
unsafe impl<R> Sync for Filled<R> {}

impl<R> Filled<R> {
    /// None of these slots.
    pub(super) fn new(slots: Option<&Arc<Slots<R>>>) -> Self {
        let (first, count) =
            slots.map_or((NonNull::dangling(), 0), |slots| (slots.first, slots.count));
        Filled { slots: slots.cloned(), first, count, runs: Vec::new(), begin: 0, next: 0 }
    }

    /// Puts a result into the slot with this index, or gives it back if there is no such slot.
    ///
    /// # Safety
    ///
    /// Nobody else has put, or will put, a result into the slot with this index.
    #[inline]
    pub(super) unsafe fn put(&mut self, index: usize, result: R) -> Result<(), R> {
        if index >= self.count {
            return Err(result);
        }
        if index != self.next {
            self.begin_run(index);
        }
        // SAFETY: There are so many slots, and their memory is there as long as `slots`.
        let slot = unsafe { self.first.add(index) };
        // SAFETY: As above. Nobody else touches this slot, as promised, but for who takes over what this one
        // owns, and has it then.
        unsafe { slot.write(result) };
        self.next = index + 1;
        Ok(())
    }

    #[cold]
    fn begin_run(&mut self, index: usize) {
        self.end_run();
        self.begin = index;
    }

    fn end_run(&mut self) {
        if self.begin < self.next {
            self.runs.push((self.begin, self.next));
        }
        self.begin = self.next;
    }

    #[cfg(test)]
    pub(super) fn address(&self) -> *const R {
        self.first.as_ptr()
    }

    /// How many results there are.
    pub(super) fn len(&self) -> usize {
        let runs = self.runs.iter().map(|(begin, end)| end - begin).sum::<usize>();
        runs + (self.next - self.begin)
    }

    /// Takes one of the results.
    pub(super) fn pop(&mut self) -> Option<R> {
        if self.begin == self.next {
            (self.begin, self.next) = self.runs.pop()?;
        }
        self.next -= 1;
        // SAFETY: There are more slots than that.
        let slot = unsafe { self.first.add(self.next) };
        // SAFETY: The result is one of those that this one owns, and is not any more.
        Some(unsafe { slot.read() })
    }

    /// Lets go of all results, and says in which slots they lie.
    fn forget(&mut self) -> Vec<(usize, usize)> {
        self.end_run();
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

impl<R> Drop for Filled<R> {
    fn drop(&mut self) {
        // Mostly there is nothing left.
        while let Some(result) = self.pop() {
            drop_caught(result).unwrap_or_else(discard);
        }
    }
}
