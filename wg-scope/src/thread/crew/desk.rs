//! The desks of a crew: the items that each share has taken ahead, which others may take over, and how
//! many are finished.

use std::sync::Arc;
use std::time::{Duration, Instant};

use wg_core::sync::{AtomicU64, Ordering, now};

use super::biased::{Other, Owner, biased};
use super::buffer::{Consumer, Gauge, LENGTH, Producer, Room, buffer};

/// Where the items of a desk are taken out: mostly by its own share, and by others if need be.
type Items<T> = Consumer<(usize, T)>;

/// A share's place: the items it has taken ahead.
pub(in crate::thread) struct Desk<T> {
    laid: Producer<(usize, T)>,
    items: Owner<Items<T>>,
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
    /// How many batches are not to be timed.
    untimed: u8,
}

/// Lays several items down.
pub(in crate::thread) struct Laying<'a, T>(Room<'a, (usize, T)>);

/// A desk as others see it.
#[repr(align(128))]
struct Seat<T> {
    items: Other<Items<T>>,
    /// How many items lie here, so that nobody asks for those of an empty desk. Who must not miss one sees
    /// to it that the laying down is seen.
    lying: Gauge<(usize, T)>,
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
    /// How many take items over, which may lie on no desk meanwhile.
    moving: usize,
}

/// A desk on which something lay.
pub(in crate::thread) struct Found<T>(Arc<Seat<T>>);

/// Batches that took less than this are too small, and too large from ten times this on.
const BRIEF: Duration = Duration::from_micros(40);

/// How many batches are timed together where they are as large as they can be, and take next to no time.
const TIMED_TOGETHER: u8 = 8;

/// The most items that are pulled at once: as many as fit on a desk.
pub(in crate::thread) const MOST: usize = LENGTH;

impl<T> Desk<T> {
    /// Takes an item from here. Whatever was taken before is finished.
    #[inline]
    pub(in crate::thread) fn take(&mut self) -> Option<(usize, T)> {
        self.finish();
        loop {
            if let Some(mut inside) = self.items.enter() {
                let item = inside.with(Consumer::take)?;
                self.begun += 1;
                return Some(item);
            }
            if self.is_empty() {
                // Those who have taken over what lay here may keep it.
                return None;
            }
            self.items.take_back();
        }
    }

    /// Whether nothing lies here. If something does, others may have been faster to take it.
    fn is_empty(&self) -> bool {
        self.laid.is_empty()
    }

    /// Enters that whatever was taken before is finished.
    #[inline]
    pub(in crate::thread) fn finish(&self) {
        // ORDERING: Release, for `Seats::finished`: who sees the item finished finds done what it did.
        self.seat.finished.store(self.begun, Ordering::Release);
    }

    /// Lays down an item that was pulled, on a desk on which fewer than [`MOST`] lie.
    pub(in crate::thread) fn put(&mut self, index: usize, item: T) {
        self.lay(1).put(index, item);
    }

    /// To lay down up to `most` items that are pulled, where there is room for them up to [`MOST`].
    #[inline]
    pub(in crate::thread) fn lay(&mut self, most: usize) -> Laying<'_, T> {
        Laying(self.laid.room(most))
    }

    /// Whether this counts as a desk that may hold items that are not begun.
    #[inline]
    pub(in crate::thread) fn is_ahead(&self) -> bool {
        self.is_ahead
    }

    /// Enters that an item was begun that never lay here.
    pub(in crate::thread) fn begin(&mut self) {
        self.begun += 1;
    }

    /// Enters that one item more is out than others were told: one that was begun here, or none.
    pub(in crate::thread) fn owe_one(&mut self, is_begun: bool) {
        self.begun += u64::from(is_begun);
        self.told = self.begun.wrapping_sub(1);
    }

    /// How many items were finished here that nobody was told of yet.
    pub(in crate::thread) fn tell(&mut self) -> usize {
        let news = self.begun.wrapping_sub(self.told);
        self.told = self.begun;
        news as usize
    }

    /// Pulls more at once if the last batch was brief, and less if it was long. To be called when
    /// nothing lies here.
    pub(in crate::thread) fn adapt(&mut self) {
        if self.untimed > 0 {
            self.untimed -= 1;
            return;
        }
        let now = now();
        if let Some(since) = self.since.replace(now) {
            let took = now - since;
            if took < BRIEF {
                self.batch = (self.batch * 2).min(MOST);
            } else if took > BRIEF * 10 {
                self.batch = (self.batch / 2).max(1);
            }
            // A look at the clock takes as long as some small items.
            let is_large = self.batch == MOST && took < BRIEF / 8;
            self.untimed = if is_large { TIMED_TOGETHER - 1 } else { 0 };
        }
    }
}

impl<T> Laying<'_, T> {
    #[inline]
    pub(in crate::thread) fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Lays an item down, for everybody to see.
    #[inline]
    pub(in crate::thread) fn put(&mut self, index: usize, item: T) {
        assert!(self.0.put((index, item)).is_ok(), "no more are pulled than fit on a desk");
    }
}

impl<T> Seats<T> {
    pub(in crate::thread) const fn new() -> Self {
        Seats { seats: Vec::new(), ahead: 0, finished: 0, moving: 0 }
    }

    pub(in crate::thread) fn add(&mut self) -> Desk<T> {
        let (laid, items, lying) = buffer();
        let (items, others) = biased(items);
        let seat = Arc::new(Seat { items: others, lying, finished: AtomicU64::new(0) });
        self.seats.push(Arc::clone(&seat));
        Desk {
            laid,
            items,
            seat,
            begun: 0,
            told: 0,
            batch: 1,
            is_ahead: false,
            since: None,
            untimed: 0,
        }
    }

    /// Takes a desk away, unless something lies on it: that is left.
    pub(in crate::thread) fn remove(&mut self, desk: &Desk<T>) {
        if desk.is_empty() {
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
        self.seats.iter().map(|seat| seat.lying.len()).sum()
    }

    pub(in crate::thread) fn has_items(&self) -> bool {
        self.ahead > 0 && self.seats.iter().any(|seat| seat.lying.len() > 0)
    }

    /// How many items were finished, or a few less.
    pub(in crate::thread) fn finished(&self) -> u64 {
        let those = |seat: &Arc<Seat<T>>| seat.finished.load(Ordering::Acquire);
        self.finished + self.seats.iter().map(those).sum::<u64>()
    }

    /// Finds a desk on which something lies, for one who takes that over. That is entered until
    /// [`moved`](Self::moved).
    pub(in crate::thread) fn find(&mut self, desk: &mut Desk<T>) -> Option<Found<T>> {
        if self.ahead == 0 {
            return None;
        }
        let found = self.seats.iter().find(|seat| seat.lying.len() > 0)?;
        let found = Found(Arc::clone(found));
        self.moving += 1;
        self.mark(desk, true);
        Some(found)
    }

    /// Enters that nothing is being taken over any more of what was found. Returns whether all lies on the
    /// desks again.
    pub(in crate::thread) fn moved(&mut self) -> bool {
        self.moving -= 1;
        self.moving == 0
    }

    /// Whether something is being taken over, which may lie on no desk meanwhile.
    pub(in crate::thread) fn is_moving(&self) -> bool {
        self.moving > 0
    }

    /// Takes an item over from another desk, if something lies on one, and moves some more to this one.
    pub(in crate::thread) fn take_over(&mut self, desk: &mut Desk<T>) -> Option<(usize, T)> {
        let found = self.find(desk)?;
        let item = found.take_over(desk);
        self.moved();
        item
    }

    /// Takes back all items that are not begun.
    pub(in crate::thread) fn recall(&self) -> impl Iterator<Item = (usize, T)> {
        let all = |seat: &Arc<Seat<T>>| {
            let all =
                seat.items.with(|items| std::iter::from_fn(|| items.take()).collect::<Vec<_>>());
            all.unwrap_or_default()
        };
        self.seats.iter().filter(|seat| seat.lying.len() > 0).flat_map(all)
    }
}

impl<T> Found<T> {
    /// Takes an item over, and moves some more to this desk: who sits there may be blocked. None if others
    /// were faster.
    pub(in crate::thread) fn take_over(&self, desk: &mut Desk<T>) -> Option<(usize, T)> {
        let item = self.0.items.with(|theirs| {
            let item = theirs.take()?;
            let half = theirs.len() / 2;
            let mut laying = desk.lay(half);
            for _ in 0..half {
                theirs.take().into_iter().for_each(|(index, item)| laying.put(index, item));
            }
            Some(item)
        });
        let item = item.flatten()?;
        desk.begin();
        Some(item)
    }
}
