//! A ring buffer of a fixed length, for one who puts values in and one who takes them out, in order.
//!
//! `head` counts what was taken out, `tail` what was put in. The places from `head` to `tail` are the
//! consumer's, all others the producer's; by moving its own count each hands a place to the other.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::sync::Arc;

use wg_core::sync::{AtomicU64, Ordering, UnsafeCell, times};

/// How many values there is room for. Models go round often.
pub(in crate::thread) const LENGTH: usize = 2 * times(32);

const _: () = assert!(LENGTH.is_power_of_two(), "else the remainder would be slow");

/// The end that puts in.
pub(in crate::thread) struct Producer<T>(Arc<Ring<T>>);

/// The end that takes out.
pub(in crate::thread) struct Consumer<T>(Arc<Ring<T>>);

/// Looks how many values there are.
pub(in crate::thread) struct Gauge<T>(Arc<Ring<T>>);

/// Both ends are mostly one thread's: what others write must lie elsewhere.
#[repr(align(128))]
struct Ring<T> {
    head: AtomicU64,
    tail: AtomicU64,
    places: Box<[UnsafeCell<MaybeUninit<T>>; LENGTH]>,
}

// SAFETY: By reference, values are handed from the one producer to the one consumer.
unsafe impl<T: Send> Sync for Ring<T> {}

/// The ends of an empty buffer.
pub(in crate::thread) fn buffer<T>() -> (Producer<T>, Consumer<T>, Gauge<T>) {
    let places = (0..LENGTH).map(|_| UnsafeCell::new(MaybeUninit::uninit()));
    let Ok(places) = places.collect::<Box<[_]>>().try_into() else { unreachable!("so many") };
    let ring = Ring { head: AtomicU64::new(0), tail: AtomicU64::new(0), places };
    let ring = Arc::new(ring);
    (Producer(Arc::clone(&ring)), Consumer(Arc::clone(&ring)), Gauge(ring))
}

impl<T> Ring<T> {
    #[inline]
    fn place(&self, count: u64) -> &UnsafeCell<MaybeUninit<T>> {
        &self.places[count as usize % LENGTH]
    }

    #[inline]
    fn len(&self) -> usize {
        // ORDERING: Relaxed. It is a hint; and exact for the one who may have changed it last.
        let head = self.head.load(Ordering::Relaxed);
        self.tail.load(Ordering::Relaxed).saturating_sub(head) as usize
    }
}

/// Puts several values in.
pub(in crate::thread) struct Room<'a, T> {
    ring: &'a Ring<T>,
    /// The places from `tail` to `end` are free.
    tail: u64,
    end: u64,
}

impl<T> Room<'_, T> {
    #[inline]
    pub(in crate::thread) fn is_full(&self) -> bool {
        self.tail == self.end
    }

    /// Puts a value in, or returns it if there is no room.
    #[inline]
    pub(in crate::thread) fn put(&mut self, value: T) -> Result<(), T> {
        if self.is_full() {
            return Err(value);
        }
        let place = self.ring.place(self.tail);
        // SAFETY: The place is not between `head` and `tail`, so it is the producer's, which is one.
        place.with_mut(|place| unsafe { (*place).write(value) });
        self.tail += 1;
        // ORDERING: Release hands the place to the consumer.
        self.ring.tail.store(self.tail, Ordering::Release);
        Ok(())
    }
}

impl<T> Producer<T> {
    /// The room that there is now, for up to `most` values.
    #[inline]
    pub(in crate::thread) fn room(&mut self, most: usize) -> Room<'_, T> {
        let ring = &*self.0;
        // ORDERING: Relaxed. Only this end writes it.
        let tail = ring.tail.load(Ordering::Relaxed);
        // ORDERING: Acquire pairs with `take`: what was in the places has been taken out.
        let end = ring.head.load(Ordering::Acquire) + LENGTH as u64;
        Room { ring, tail, end: end.min(tail + most as u64) }
    }

    /// Whether there is nothing: nobody else puts anything in. If there is something, it may be taken out
    /// at any time.
    #[inline]
    pub(in crate::thread) fn is_empty(&self) -> bool {
        // ORDERING: Relaxed. It leads to nothing.
        self.0.head.load(Ordering::Relaxed) == self.0.tail.load(Ordering::Relaxed)
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest value out.
    #[inline]
    pub(in crate::thread) fn take(&mut self) -> Option<T> {
        let ring = &*self.0;
        // ORDERING: Relaxed. Only this end writes it.
        let head = ring.head.load(Ordering::Relaxed);
        // ORDERING: Acquire pairs with `put`: the value is in its place.
        if head == ring.tail.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: The place is between `head` and `tail`, so there is a value in it, and it is the
        // consumer's, which is one; and never again between the two with this value.
        let value = ring.place(head).with_mut(|place| unsafe { place.cast::<T>().read() });
        // ORDERING: Release hands the place to the producer.
        ring.head.store(head + 1, Ordering::Release);
        Some(value)
    }

    pub(in crate::thread) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Gauge<T> {
    /// How many values there are, as far as this thread has been told.
    #[inline]
    pub(in crate::thread) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let rest = self.head.load(Ordering::Relaxed)..self.tail.load(Ordering::Relaxed);
        rest.for_each(|count| {
            // SAFETY: Both ends are gone, and between the counts there are values.
            self.place(count).with_mut(|place| unsafe { place.cast::<T>().drop_in_place() });
        });
    }
}
