//! The desks of a feed: what each share has pulled ahead, and how much of it is not finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_deque::{Steal, Stealer, Worker};
use wg_core::sync::{AtomicU64, Ordering, now};

/// A share's place at a feed: the items it has pulled ahead.
pub(super) struct Desk<T> {
    pub(super) items: Worker<(usize, T)>,
    pub(super) seat: Arc<Seat<T>>,
    /// Whether an item was taken from here that is not finished.
    in_hand: bool,
    /// How many items to pull at once.
    pub(super) batch: usize,
    since: Option<Instant>,
}

/// A desk as others see it. All numbers only go up.
pub(super) struct Seat<T> {
    items: Stealer<(usize, T)>,
    /// Items that came to this desk; the desk's own share counts them, or whoever moves them.
    come: AtomicU64,
    /// Items that were finished by this desk's share, or moved to another desk.
    finished: AtomicU64,
    moved: AtomicU64,
}

/// All desks at which somebody sits, or something is left. Items move from one desk to another under
/// the lock around this only, so that whoever counts sees each of them once.
pub(super) struct Seats<T>(Vec<Arc<Seat<T>>>);

/// Batches that took less than this are too small, and too large from ten times this on.
const BRIEF: Duration = Duration::from_micros(10);

/// The most items that are pulled at once.
const MOST: usize = 1024;

impl<T> Desk<T> {
    pub(super) fn new(items: Worker<(usize, T)>, seat: Arc<Seat<T>>) -> Self {
        Desk { items, seat, in_hand: false, batch: 1, since: None }
    }

    /// Enters that the item which was taken before is finished.
    #[inline]
    pub(super) fn finish(&mut self) {
        if std::mem::take(&mut self.in_hand) {
            bump(&self.seat.finished, 1);
        }
    }

    /// Takes an item from here.
    #[inline]
    pub(super) fn take(&mut self) -> Option<(usize, T)> {
        let item = self.items.pop();
        self.in_hand = item.is_some();
        item
    }

    /// Lays down an item that was pulled.
    #[inline]
    pub(super) fn put(&mut self, index: usize, item: T) {
        bump(&self.seat.come, 1);
        self.items.push((index, item));
    }

    /// Pulls more at once if the last batch was brief, and less if it was long.
    pub(super) fn adapt(&mut self) {
        let now = now();
        if let Some(since) = self.since.replace(now) {
            let took = now - since;
            if took < BRIEF {
                self.batch = (self.batch * 2).min(MOST);
            } else if took > BRIEF * 10 {
                self.batch = (self.batch / 2).max(1);
            }
        }
    }
}

/// Counts up what only one thread counts up at a time.
#[inline]
fn bump(count: &AtomicU64, by: u64) {
    // ORDERING: Relaxed. Who reads an old number of what was finished believes that there is less
    // room than there is, and looks again. What came is read by whoever holds the iterator's lock,
    // under which it was, or the lock around the desks.
    count.store(count.load(Ordering::Relaxed) + by, Ordering::Relaxed);
}

impl<T> Seats<T> {
    pub(super) const fn new() -> Self {
        Seats(Vec::new())
    }

    pub(super) fn add(&mut self, items: &Worker<(usize, T)>) -> Arc<Seat<T>> {
        let (come, finished, moved) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let seat = Arc::new(Seat { items: items.stealer(), come, finished, moved });
        self.0.push(Arc::clone(&seat));
        seat
    }

    pub(super) fn remove(&mut self, seat: &Arc<Seat<T>>) {
        if let Some(place) = self.0.iter().position(|other| Arc::ptr_eq(other, seat)) {
            self.0.swap_remove(place);
        }
    }

    pub(super) fn has_items(&self) -> bool {
        self.0.iter().any(|seat| !seat.items.is_empty())
    }

    /// How many items were pulled and are not finished, or a few more.
    pub(super) fn unfinished(&self) -> usize {
        let unfinished = |seat: &Arc<Seat<T>>| {
            let done = seat.finished.load(Ordering::Relaxed) + seat.moved.load(Ordering::Relaxed);
            seat.come.load(Ordering::Relaxed).saturating_sub(done)
        };
        self.0.iter().map(unfinished).sum::<u64>() as usize
    }

    /// Takes an item over from another desk, and moves some more to this one: who sits there may be
    /// blocked.
    pub(super) fn take_over(&mut self, desk: &mut Desk<T>) -> Option<(usize, T)> {
        for seat in &self.0 {
            loop {
                match seat.items.steal_batch_and_pop(&desk.items) {
                    Steal::Success(item) => {
                        let moved = 1 + desk.items.len() as u64;
                        bump(&desk.seat.come, moved);
                        bump(&seat.moved, moved);
                        desk.in_hand = true;
                        return Some(item);
                    }
                    Steal::Empty => break,
                    Steal::Retry => std::hint::spin_loop(),
                }
            }
        }
        None
    }

    /// All items that nobody took.
    pub(super) fn into_items(self) -> impl Iterator<Item = (usize, T)> {
        let next = |seat: &Arc<Seat<T>>| loop {
            match seat.items.steal() {
                Steal::Success(item) => return Some(item),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        };
        self.0.into_iter().flat_map(move |seat| std::iter::from_fn(move || next(&seat)))
    }
}
