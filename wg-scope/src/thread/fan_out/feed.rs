//! Where the items of a fan-out come from: an iterator that is pulled lazily, and the items that
//! shares have pulled ahead and not begun, which others may take over.
//!
//! 1. Who pulls takes the iterator out of its place meanwhile: it is the user's code, may block, and
//!    runs under no lock. Nobody waits for it. A share that finds the iterator in use, and nothing to
//!    take over, goes away; who puts the iterator back posts as many as have gone.
//! 2. What is pulled lies on a desk before the iterator is asked for more. Who goes away says so
//!    first and looks at the desks then; who pulls ahead lays the item down first and looks then
//!    whether somebody has gone. So an iterator that blocks strands nothing that others could begin.
//! 3. Where there is a limit, no more items than that are pulled and not finished, and half of the
//!    room is left to others.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_deque::Worker;
use wg_core::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

use super::desk::{Desk, Seats};
use crate::outcome::{Payload, discard, drop_caught};
use crate::thread::crew::Posting;

/// The items of a fan-out.
pub(super) struct Feed<I: Iterator> {
    source: Mutex<Source<I>>,
    /// Whether the iterator has ended. A hint, so that the lock need not be asked.
    ended: AtomicBool,
    /// How many shares went away because the iterator was in use.
    gone: AtomicU64,
    seats: Mutex<Seats<I::Item>>,
    /// The most items that may be pulled and not finished.
    most: usize,
    /// Whether items may be pulled before they are needed.
    pulls_ahead: bool,
}

struct Source<I> {
    place: Place<I>,
    /// How many items were pulled, when the iterator was last here; and how many were left in it at
    /// least, when it was dropped.
    pulled: usize,
    left: usize,
    /// Whether nothing more is to be pulled.
    stopped: bool,
    /// Whether the iterator was seen to be at its end.
    exhausted: bool,
}

/// Where the iterator is.
enum Place<I> {
    Here(Box<I>),
    InUse,
    Gone,
}

/// How often a share looks whether the iterator is back before it goes away: first at once, because
/// pulling an item seldom takes long, and then after letting others have the core, among them
/// perhaps the one who pulls. Coming back costs much more.
const SPINS: usize = 64;
const PATIENCE: usize = SPINS + 16;

/// What came of asking for an item.
pub(super) enum Claim<T> {
    Item(usize, T),
    /// Somebody else is pulling one. Whoever got this has to go away.
    NotNow,
    /// There are none, and there will be none.
    Ended,
    /// The iterator panicked, when it was asked for the item with this index.
    Panicked(usize, Payload),
}

/// What came of asking for the iterator.
enum Asked<I> {
    Yours(Box<I>, usize),
    Wait,
    Ended,
}

impl<I: Iterator> Feed<I> {
    /// Creates a feed from which at most `most` items are pulled and not finished.
    pub(super) fn new(items: I, most: usize) -> Self {
        Feed { most, pulls_ahead: true, ..Feed::one_by_one(items) }
    }

    /// Creates a feed from which items are pulled when they are needed, and whoever claims them sees
    /// that they are not too many.
    pub(super) fn one_by_one(items: I) -> Self {
        let place = Place::Here(Box::new(items));
        Feed {
            source: Mutex::new(Source {
                place,
                pulled: 0,
                left: 0,
                stopped: false,
                exhausted: false,
            }),
            ended: AtomicBool::new(false),
            gone: AtomicU64::new(0),
            seats: Mutex::new(Seats::new()),
            most: usize::MAX,
            pulls_ahead: false,
        }
    }

    /// How many items there were, those included that are known to be left in the iterator; and
    /// whether these are all. To be asked when nobody pulls.
    pub(super) fn total(&self) -> (usize, bool) {
        let mut source = self.source.lock();
        let place = std::mem::replace(&mut source.place, Place::InUse);
        let known = (source.pulled.saturating_add(source.left), source.exhausted);
        drop(source);
        let total = match &place {
            Place::Here(items) => {
                let (least, most) = size(&**items);
                (known.0.saturating_add(least), most == Some(0))
            }
            Place::InUse | Place::Gone => known,
        };
        self.source.lock().place = place;
        total
    }

    /// Pulls nothing more; what is on the desks is left. Returns what the drop of the iterator has
    /// thrown.
    pub(super) fn stop(&self) -> Option<Payload> {
        let mut source = self.source.lock();
        source.stopped = true;
        // One that is in use is dropped by who uses it.
        if !matches!(source.place, Place::Here(_)) {
            return None;
        }
        let place = std::mem::replace(&mut source.place, Place::Gone);
        self.ended.store(true, Ordering::Release);
        drop(source);
        let Place::Here(items) = place else { return None };
        let left = size(&*items).0;
        self.source.lock().left = left;
        drop_caught(items).err()
    }

    pub(super) fn desk(&self) -> Desk<I::Item> {
        let items = Worker::new_fifo();
        let seat = self.seats.lock().add(&items);
        Desk::new(items, seat)
    }

    /// Gives a desk back. What lies on it, if the scope was cancelled, is left for
    /// [`clear`](Self::clear).
    pub(super) fn leave(&self, desk: Desk<I::Item>) {
        if desk.items.is_empty() {
            self.seats.lock().remove(&desk);
        }
    }

    /// Whether the iterator has ended: then what is left is on the desks.
    pub(super) fn has_ended(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `put_back`: whoever sees it set goes on to look
        // at the desks, and finds what was laid down there before.
        self.ended.load(Ordering::Acquire)
    }

    /// Whether a share would find something to do. If not, because the iterator is in use, one more
    /// is posted when it is back.
    pub(super) fn has_more(&self) -> bool {
        let source = self.source.lock();
        match source.place {
            Place::Here(_) => return true,
            Place::Gone => {}
            Place::InUse => {
                // ORDERING: AcqRel, with `pull`: the two are ordered, so either that one sees this
                // share gone, or this one sees below what that one has laid down.
                self.gone.fetch_add(1, Ordering::AcqRel);
            }
        }
        drop(source);
        self.seats.lock().has_items()
    }

    /// Claims the next item: from this desk, from the iterator, or from another desk. The one that
    /// was claimed here before is finished.
    #[inline]
    pub(super) fn claim(&self, desk: &mut Desk<I::Item>, crew: &dyn Posting) -> Claim<I::Item> {
        desk.finish();
        match desk.take() {
            Some((index, item)) => Claim::Item(index, item),
            None => self.refill(desk, crew),
        }
    }

    #[cold]
    fn refill(&self, desk: &mut Desk<I::Item>, crew: &dyn Posting) -> Claim<I::Item> {
        let mut looks = 0;
        loop {
            let asked = if self.has_ended() { Asked::Ended } else { self.ask() };
            if let Asked::Yours(items, pulled) = asked {
                if desk.adapt() {
                    self.seats.lock().count(desk);
                }
                let panicked = self.pull(items, pulled, desk, crew);
                if let Some((index, payload)) = panicked {
                    return Claim::Panicked(index, payload);
                }
            } else if let Some((index, item)) = self.seats.lock().take_over(desk) {
                return Claim::Item(index, item);
            } else if matches!(asked, Asked::Ended) {
                return Claim::Ended;
            } else if looks < PATIENCE {
                looks += 1;
                if looks < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
            } else {
                return Claim::NotNow;
            }
            // Others may have been faster to take what was pulled here.
            if let Some((index, item)) = desk.take() {
                return Claim::Item(index, item);
            }
        }
    }

    /// Takes the iterator, if it is here, and there is room for one more item.
    fn ask(&self) -> Asked<I> {
        let mut source = self.source.lock();
        match std::mem::replace(&mut source.place, Place::InUse) {
            Place::Here(items) if self.room() > 0 => Asked::Yours(items, source.pulled),
            Place::Here(items) => {
                source.place = Place::Here(items);
                Asked::Wait
            }
            Place::InUse => Asked::Wait,
            Place::Gone => {
                source.place = Place::Gone;
                Asked::Ended
            }
        }
    }

    /// For how many more items there is room.
    fn room(&self) -> usize {
        if self.most == usize::MAX {
            return usize::MAX;
        }
        self.most.saturating_sub(self.seats.lock().unfinished(self.most))
    }

    /// Pulls items onto this desk, as many as there are good for it, and puts the iterator back.
    /// Returns what the iterator has thrown, and for which item.
    fn pull(
        &self,
        mut items: Box<I>,
        mut pulled: usize,
        desk: &mut Desk<I::Item>,
        crew: &dyn Posting,
    ) -> Option<(usize, Payload)> {
        let mut most = 1;
        let mut batch = 0;
        let mut thrown = None;
        let mut exhausted = false;
        while batch < most {
            match catch_unwind(AssertUnwindSafe(|| items.next())) {
                Ok(Some(item)) => desk.put(pulled, item),
                Ok(None) => {
                    exhausted = true;
                    break;
                }
                Err(payload) => {
                    thrown = Some(payload);
                    break;
                }
            }
            pulled += 1;
            batch += 1;
            if batch == 1 && self.pulls_ahead && desk.batch > 1 {
                // Only what the iterator says is there is asked for ahead: it is less likely to
                // block.
                let there = size(&*items).0.saturating_add(1);
                let room = self.room().saturating_add(1) / 2;
                most = desk.batch.min(room).min(there).max(1);
            }
            // ORDERING: AcqRel, with `has_more`: see there.
            if batch < most && self.gone.fetch_add(0, Ordering::AcqRel) > 0 {
                break;
            }
        }
        let ends = exhausted || thrown.is_some();
        let over = self.put_back(items, pulled, ends, exhausted);
        if let (Some(items), false) = (&over, ends) {
            let left = size(&**items).0;
            self.source.lock().left = left;
        }
        // Not kept any longer: it may hold a channel that somebody waits for.
        if let Err(payload) = drop_caught(over) {
            if thrown.is_some() { discard(payload) } else { thrown = Some(payload) }
        }
        // ORDERING: Relaxed. Who was counted in `has_more` while the iterator was in use has been
        // so under the lock of `put_back`.
        let gone = self.gone.swap(0, Ordering::Relaxed);
        if gone > 0 {
            crew.post(usize::try_from(gone).unwrap_or(usize::MAX));
        }
        thrown.map(|payload| (pulled, payload))
    }

    /// Puts the iterator back, or returns it if it is not needed any more.
    fn put_back(&self, items: Box<I>, pulled: usize, ends: bool, all: bool) -> Option<Box<I>> {
        let mut source = self.source.lock();
        source.pulled = pulled;
        source.exhausted = all;
        if ends || source.stopped {
            source.place = Place::Gone;
            // ORDERING: Release, for `has_ended`.
            self.ended.store(true, Ordering::Release);
            return Some(items);
        }
        source.place = Place::Here(items);
        None
    }

    /// Drops all that nobody claimed, one by one, and returns what their drops have thrown.
    pub(super) fn clear(&self) -> Vec<Payload> {
        let mut thrown: Vec<_> = self.stop().into_iter().collect();
        let seats = std::mem::replace(&mut *self.seats.lock(), Seats::new());
        for item in seats.into_items() {
            thrown.extend(drop_caught(item).err());
        }
        thrown
    }
}

/// How many items an iterator says that there are, at least and at most. One that panics says nothing.
fn size<I: Iterator>(items: &I) -> (usize, Option<usize>) {
    catch_unwind(AssertUnwindSafe(|| items.size_hint())).unwrap_or_else(|payload| {
        discard(payload);
        (0, None)
    })
}
