//! The desks of a crew: the items that each share has taken ahead, which others may take over, and how
//! many are finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_deque::{Steal, Stealer, Worker};
use wg_core::sync::{AtomicU64, Ordering, now};

/// A share's place: the items it has taken ahead.
pub(in crate::thread) struct Desk<T> {
    items: Worker<(usize, T)>,
    seat: Arc<Seat<T>>,
    /// How many items this share has begun; and how many of those it has finished it has told the
    /// others when it last asked for the iterator.
    begun: u64,
    told: u64,
    /// How many items to pull at once.
    pub(in crate::thread) batch: usize,
    /// Whether the desk counts as one that may hold items that are not begun.
    is_ahead: bool,
    since: Option<Instant>,
}

/// A desk as others see it.
struct Seat<T> {
    items: Stealer<(usize, T)>,
    /// How many items this desk's share has finished.
    finished: AtomicU64,
}

/// All desks at which somebody sits, or something is left.
pub(in crate::thread) struct Seats<T> {
    seats: Vec<Arc<Seat<T>>>,
    /// How many desks may hold items that are not begun.
    ahead: usize,
    /// How many items those have finished who have left.
    finished: u64,
}

/// Batches that took less than this are too small, and too large from ten times this on.
const BRIEF: Duration = Duration::from_micros(10);

/// The most items that are pulled at once: as many as fit on a desk without its growing.
const MOST: usize = 64;

impl<T> Desk<T> {
    /// Takes an item from here. Whatever was taken before is finished.
    #[inline]
    pub(in crate::thread) fn take(&mut self) -> Option<(usize, T)> {
        self.finish();
        let item = self.items.pop();
        self.begun += u64::from(item.is_some());
        item
    }

    /// Enters that whatever was taken before is finished.
    #[inline]
    pub(in crate::thread) fn finish(&self) {
        // ORDERING: Release, for `Seats::finished`: who sees the item finished finds done what it did.
        self.seat.finished.store(self.begun, Ordering::Release);
    }

    /// Lays down an item that was pulled.
    #[inline]
    pub(in crate::thread) fn put(&self, index: usize, item: T) {
        self.items.push((index, item));
    }

    /// Enters that an item was begun that never lay here.
    pub(in crate::thread) fn begin(&mut self) {
        self.begun += 1;
    }

    /// How many items were finished here that nobody was told of yet.
    pub(in crate::thread) fn tell(&mut self) -> usize {
        let news = self.begun - self.told;
        self.told = self.begun;
        news as usize
    }

    /// Pulls more at once if the last batch was brief, and less if it was long. To be called when
    /// nothing lies here.
    pub(in crate::thread) fn adapt(&mut self) {
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

impl<T> Seats<T> {
    pub(in crate::thread) const fn new() -> Self {
        Seats { seats: Vec::new(), ahead: 0, finished: 0 }
    }

    pub(in crate::thread) fn add(&mut self) -> Desk<T> {
        let items = Worker::new_fifo();
        let seat = Arc::new(Seat { items: items.stealer(), finished: AtomicU64::new(0) });
        self.seats.push(Arc::clone(&seat));
        Desk { items, seat, begun: 0, told: 0, batch: 1, is_ahead: false, since: None }
    }

    /// Takes a desk away, unless something lies on it: that is left.
    pub(in crate::thread) fn remove(&mut self, desk: &Desk<T>) {
        if desk.items.is_empty() {
            self.seats.retain(|seat| !Arc::ptr_eq(seat, &desk.seat));
            self.finished += desk.begun;
            self.ahead -= usize::from(desk.is_ahead);
        }
    }

    pub(in crate::thread) fn len(&self) -> usize {
        self.seats.len()
    }

    /// Enters whether items that are not begun may lie on a desk.
    #[inline]
    pub(in crate::thread) fn mark(&mut self, desk: &mut Desk<T>, is_ahead: bool) {
        self.ahead -= usize::from(desk.is_ahead);
        desk.is_ahead = is_ahead;
        self.ahead += usize::from(is_ahead);
    }

    /// How many desks may hold items that are not begun.
    pub(in crate::thread) fn ahead(&self) -> usize {
        self.ahead
    }

    /// How many items lie on all desks.
    pub(in crate::thread) fn laid_down(&self) -> usize {
        self.seats.iter().map(|seat| seat.items.len()).sum()
    }

    pub(in crate::thread) fn has_items(&self) -> bool {
        self.ahead > 0 && self.seats.iter().any(|seat| !seat.items.is_empty())
    }

    /// How many items were finished, or a few less.
    pub(in crate::thread) fn finished(&self) -> u64 {
        let those = |seat: &Arc<Seat<T>>| seat.finished.load(Ordering::Acquire);
        self.finished + self.seats.iter().map(those).sum::<u64>()
    }

    /// Takes an item over from another desk, and moves some more to this one: who sits there may be
    /// blocked.
    pub(in crate::thread) fn take_over(&mut self, desk: &mut Desk<T>) -> Option<(usize, T)> {
        if self.ahead == 0 {
            return None;
        }
        for seat in &self.seats {
            if Arc::ptr_eq(seat, &desk.seat) {
                continue;
            }
            loop {
                match seat.items.steal_batch_and_pop(&desk.items) {
                    Steal::Success(item) => {
                        desk.begin();
                        self.mark(desk, true);
                        return Some(item);
                    }
                    Steal::Empty => break,
                    Steal::Retry => std::hint::spin_loop(),
                }
            }
        }
        None
    }

    /// Takes back all items that are not begun.
    pub(in crate::thread) fn recall(&self) -> impl Iterator<Item = (usize, T)> {
        let next = |seat: &Seat<T>| loop {
            match seat.items.steal() {
                Steal::Success(item) => return Some(item),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        };
        self.seats.iter().flat_map(move |seat| std::iter::from_fn(move || next(seat)))
    }
}
