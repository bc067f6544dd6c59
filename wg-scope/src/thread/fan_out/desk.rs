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
    /// Whether the desk counts as one that may hold more than one item.
    is_ahead: bool,
    since: Option<Instant>,
}

/// A desk as others see it. All numbers only go up.
pub(super) struct Seat<T> {
    items: Stealer<(usize, T)>,
    /// Items that came to this desk; the desk's own share counts them, or whoever moves them.
    come: AtomicU64,
    /// Items that this desk's share has begun, and those that it has finished.
    begun: AtomicU64,
    finished: AtomicU64,
    /// Items that were moved to another desk.
    moved: AtomicU64,
}

/// All desks at which somebody sits, or something is left. Items move from one desk to another under
/// the lock around this only, so that whoever counts sees each of them once.
pub(super) struct Seats<T> {
    seats: Vec<Arc<Seat<T>>>,
    /// How many desks may hold more than one item that is not finished.
    ahead: usize,
}

/// Batches that took less than this are too small, and too large from ten times this on.
const BRIEF: Duration = Duration::from_micros(10);

/// The most items that are pulled at once.
const MOST: usize = 1024;

impl<T> Desk<T> {
    pub(super) fn new(items: Worker<(usize, T)>, seat: Arc<Seat<T>>) -> Self {
        Desk { items, seat, in_hand: false, batch: 1, is_ahead: false, since: None }
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
        bump(&self.seat.begun, u64::from(self.in_hand));
        item
    }

    /// Lays down an item that was pulled.
    #[inline]
    pub(super) fn put(&mut self, index: usize, item: T) {
        bump(&self.seat.come, 1);
        self.items.push((index, item));
    }

    /// Pulls more at once if the last batch was brief, and less if it was long. Returns whether the
    /// desk has to be [`count`](Seats::count)ed anew. To be called when nothing lies on it.
    pub(super) fn adapt(&mut self) -> bool {
        let now = now();
        if let Some(since) = self.since.replace(now) {
            let took = now - since;
            if took < BRIEF {
                self.batch = (self.batch * 2).min(MOST);
            } else if took > BRIEF * 10 {
                self.batch = (self.batch / 2).max(1);
            }
        }
        self.is_ahead != (self.batch > 1)
    }
}

impl<T> Seat<T> {
    /// How many items seem to lie here.
    fn laid_down(&self) -> u64 {
        let gone = self.begun.load(Ordering::Relaxed) + self.moved.load(Ordering::Relaxed);
        self.come.load(Ordering::Relaxed).saturating_sub(gone)
    }

    /// How many items are here that are not finished, or a few more.
    fn unfinished(&self) -> u64 {
        let done = self.finished.load(Ordering::Relaxed) + self.moved.load(Ordering::Relaxed);
        self.come.load(Ordering::Relaxed).saturating_sub(done)
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
        Seats { seats: Vec::new(), ahead: 0 }
    }

    pub(super) fn add(&mut self, items: &Worker<(usize, T)>) -> Arc<Seat<T>> {
        let seat = Arc::new(Seat {
            items: items.stealer(),
            come: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            finished: AtomicU64::new(0),
            moved: AtomicU64::new(0),
        });
        self.seats.push(Arc::clone(&seat));
        seat
    }

    pub(super) fn remove(&mut self, desk: &Desk<T>) {
        if let Some(place) = self.seats.iter().position(|seat| Arc::ptr_eq(seat, &desk.seat)) {
            self.seats.swap_remove(place);
            self.ahead -= usize::from(desk.is_ahead);
        }
    }

    /// Counts a desk anew as one that may hold more than one item, or not.
    pub(super) fn count(&mut self, desk: &mut Desk<T>) {
        self.ahead -= usize::from(desk.is_ahead);
        desk.is_ahead = desk.batch > 1;
        self.ahead += usize::from(desk.is_ahead);
    }

    pub(super) fn has_items(&self) -> bool {
        self.seats.iter().any(|seat| !seat.items.is_empty())
    }

    /// How many items were pulled and are not finished, or some more. For one who has finished what
    /// he pulled before.
    pub(super) fn unfinished(&self, most: usize) -> usize {
        // Looking at many desks takes long, and others wait meanwhile. Where each holds one item at
        // most, it is enough to know how many there are.
        if self.ahead == 0 && self.seats.len() <= most {
            return self.seats.len().saturating_sub(1);
        }
        self.seats.iter().map(|seat| seat.unfinished()).sum::<u64>() as usize
    }

    /// Takes an item over from another desk, and moves some more to this one: who sits there may be
    /// blocked.
    pub(super) fn take_over(&mut self, desk: &mut Desk<T>) -> Option<(usize, T)> {
        for place in 0..self.seats.len() {
            let seat = &self.seats[place];
            // Stealing costs a barrier, also where there is nothing.
            while seat.laid_down() > 0 {
                match seat.items.steal_batch_and_pop(&desk.items) {
                    Steal::Success(item) => {
                        let more = desk.items.len();
                        bump(&desk.seat.come, 1 + more as u64);
                        bump(&desk.seat.begun, 1);
                        bump(&seat.moved, 1 + more as u64);
                        desk.in_hand = true;
                        if more > 0 && !desk.is_ahead {
                            desk.is_ahead = true;
                            self.ahead += 1;
                        }
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
        self.seats.into_iter().flat_map(move |seat| std::iter::from_fn(move || next(&seat)))
    }
}
