//! Where the items of a fan-out come from: an iterator that is pulled lazily, and the items that
//! shares have pulled ahead and not begun, which others may take over.
//!
//! 1. Who pulls takes the iterator out of its place meanwhile: it is the user's code, may block, and
//!    runs under no lock. Nobody waits for it. A share that finds the iterator in use, and nothing to
//!    take over, goes away; who puts the iterator back posts as many as have gone.
//! 2. What is pulled lies on a desk before the iterator is asked for more. Who goes away says so
//!    first and looks at the desks then; who pulls ahead lays the item down first and looks then
//!    whether somebody has gone. So an iterator that blocks strands nothing that others could begin.
//!    The barrier that both need between the two is left to who goes away, where that can be.
//! 3. Where there is a limit, no more items than that are pulled and not finished, and no share pulls
//!    more than its part of them. Who takes the iterator takes room for a batch, under the same lock,
//!    and says how many of its items are finished since it was last there. Others count those only
//!    where there seems to be no room.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_utils::CachePadded;
use wg_core::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

use crate::outcome::{Payload, discard, drop_caught};
use crate::thread::crew::Posting;
use crate::thread::crew::barrier::Barrier;
use crate::thread::crew::desk::{Desk, Seats};

/// The items of a fan-out.
pub(super) struct Feed<I: Iterator> {
    source: Mutex<Source<I>>,
    /// How many shares went away because the iterator was in use. As the next, it is read so often that
    /// it must not lie beside what others write.
    gone: CachePadded<AtomicU64>,
    /// Whether somebody has the iterator: a hint for those who wait a little for it.
    in_use: CachePadded<AtomicBool>,
    /// Between who goes away and who pulls.
    barrier: Barrier,
    /// The most items that may be pulled and not finished.
    most: usize,
    /// Whether items may be pulled before they are needed.
    pulls_ahead: bool,
}

struct Source<I: Iterator> {
    place: Place<I>,
    /// How many items were pulled, when the iterator was last here; and how many were left in it at
    /// least, when it was dropped.
    pulled: usize,
    left: usize,
    /// How many items are pulled, or about to be, and not known to be finished.
    out: usize,
    seats: Seats<I::Item>,
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
/// pulling an item seldom takes long, and so do the items that lie on other desks, most of the time; and
/// then after letting others have the core, among them perhaps the one who pulls. Coming back costs much
/// more. Where the lock is asked for, several times pass between two looks.
const SPINS: usize = 64;
const LOOK: usize = 16;
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
enum Asked<I: Iterator> {
    /// Here it is. So many items were pulled before, and so many may be pulled now.
    Yours(Box<I>, usize, usize),
    /// Here is an item that lay on another desk.
    TakenOver(usize, I::Item),
    Wait,
    Ended,
}

/// What came of pulling.
enum Pulled<T> {
    /// One item, which was not laid down.
    One(usize, T),
    /// Some items, which lie on the desk; or none.
    Some,
    Panicked(usize, Payload),
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
                out: 0,
                seats: Seats::new(),
                stopped: false,
                exhausted: false,
            }),
            gone: CachePadded::new(AtomicU64::new(0)),
            in_use: CachePadded::new(AtomicBool::new(false)),
            barrier: Barrier::best(),
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
        drop(source);
        let Place::Here(items) = place else { return None };
        let left = size(&*items).0;
        self.source.lock().left = left;
        drop_caught(items).err()
    }

    pub(super) fn desk(&self) -> Desk<I::Item> {
        self.source.lock().seats.add()
    }

    /// Gives a desk back. What lies on it, if the scope was cancelled, is left for
    /// [`clear`](Self::clear).
    pub(super) fn leave(&self, mut desk: Desk<I::Item>) {
        let mut source = self.source.lock();
        source.out -= desk.tell();
        source.seats.remove(&desk);
    }

    /// Whether the iterator has ended: then what is left is on the desks.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.source.lock().place, Place::Gone)
    }

    /// Whether a share would find something to do. If not, because the iterator is in use, one more
    /// is posted when it is back.
    pub(super) fn has_more(&self) -> bool {
        let source = self.source.lock();
        match source.place {
            Place::Here(_) => return true,
            Place::Gone => return source.seats.has_items(),
            // ORDERING: Relaxed, with `somebody_has_gone`. The barrier orders it before the look.
            Place::InUse => self.gone.fetch_add(1, Ordering::Relaxed),
        };
        drop(source);
        // If the barrier fails that was there before, this share had better stay and look again.
        !self.barrier.heavy() || self.source.lock().seats.has_items()
    }

    /// How many items were finished, or a few less.
    pub(super) fn done(&self) -> u64 {
        self.source.lock().seats.finished()
    }

    /// Whether somebody goes away who may not see what was laid down just now. Whoever that is has said
    /// so before looking at the desks in [`has_more`](Self::has_more), and here an item is laid down
    /// before looking who goes away: one of the two sees what the other did.
    #[inline]
    fn somebody_has_gone(&self) -> bool {
        self.barrier.light();
        // ORDERING: Relaxed. The barrier orders it after the laying down of the item.
        self.gone.load(Ordering::Relaxed) > 0
    }

    /// Claims the next item: from this desk, from the iterator, or from another desk. The one that
    /// was claimed here before is finished.
    #[inline]
    pub(super) fn claim(&self, desk: &mut Desk<I::Item>, crew: &dyn Posting) -> Claim<I::Item> {
        match desk.take() {
            Some((index, item)) => Claim::Item(index, item),
            None => self.refill(desk, crew),
        }
    }

    /// As [`claim`](Self::claim), where nothing lies on this desk.
    #[cold]
    pub(super) fn refill(&self, desk: &mut Desk<I::Item>, crew: &dyn Posting) -> Claim<I::Item> {
        if self.pulls_ahead && self.most > 1 {
            desk.adapt();
        }
        let mut looks = 0;
        loop {
            // ORDERING: Relaxed. It says only how long to wait.
            if looks < SPINS && self.in_use.load(Ordering::Relaxed) {
                looks += 1;
                std::hint::spin_loop();
                continue;
            }
            match self.ask(desk, looks >= SPINS) {
                Asked::Yours(items, pulled, most) => {
                    match self.pull(items, pulled, most, desk, crew) {
                        Pulled::One(index, item) => return Claim::Item(index, item),
                        Pulled::Some => {}
                        Pulled::Panicked(index, payload) => return Claim::Panicked(index, payload),
                    }
                    // Others may have been faster to take what was pulled here.
                    if let Some((index, item)) = desk.take() {
                        return Claim::Item(index, item);
                    }
                }
                Asked::TakenOver(index, item) => return Claim::Item(index, item),
                Asked::Ended => return Claim::Ended,
                Asked::Wait if looks < SPINS => {
                    looks += LOOK;
                    (0..LOOK).for_each(|_| std::hint::spin_loop());
                }
                Asked::Wait if looks < PATIENCE => {
                    looks += 1;
                    std::thread::yield_now();
                }
                Asked::Wait => return Claim::NotNow,
            }
        }
    }

    /// Takes the iterator, if it is here, and there is room for one more item; or else, if it `takes_over`,
    /// an item from another desk.
    fn ask(&self, desk: &mut Desk<I::Item>, takes_over: bool) -> Asked<I> {
        let mut guard = self.source.lock();
        let source = &mut *guard;
        source.out -= desk.tell();
        let asked = match std::mem::replace(&mut source.place, Place::InUse) {
            Place::Here(items) => match self.share_of_room(source) {
                0 => {
                    source.place = Place::Here(items);
                    Asked::Wait
                }
                room => {
                    let most = desk.batch.min(room);
                    source.out += most;
                    source.seats.mark(desk, most > 1);
                    self.in_use.store(true, Ordering::Relaxed);
                    return Asked::Yours(items, source.pulled, most);
                }
            },
            Place::InUse => Asked::Wait,
            Place::Gone => {
                source.place = Place::Gone;
                Asked::Ended
            }
        };
        if !source.seats.has_items() {
            return asked;
        }
        let item = if takes_over { source.seats.take_over(desk) } else { None };
        item.map_or(Asked::Wait, |(index, item)| Asked::TakenOver(index, item))
    }

    /// How many more items one share may pull. To be asked where the iterator is.
    fn share_of_room(&self, source: &Source<I>) -> usize {
        if self.most == usize::MAX {
            return usize::MAX;
        }
        let mut room = self.most.saturating_sub(source.out);
        if room == 0 {
            // Those who are blocked have not told what they finished before.
            let finished = source.seats.finished() as usize;
            room = self.most.saturating_sub(source.pulled.saturating_sub(finished));
        }
        room.min((self.most / source.seats.len().max(2)).max(1))
    }

    /// Pulls up to so many items onto this desk, and puts the iterator back. A single one does not
    /// come to lie there.
    fn pull(
        &self,
        mut items: Box<I>,
        pulled: usize,
        most: usize,
        desk: &mut Desk<I::Item>,
        crew: &dyn Posting,
    ) -> Pulled<I::Item> {
        let (mut one, mut batch) = (None, 0);
        let asked = catch_unwind(AssertUnwindSafe(|| {
            let Some(first) = items.next() else { return true };
            batch = 1;
            // Only what the iterator says is there is asked for ahead: it is less likely to block.
            let there = if most > 1 { size(&*items).0.saturating_add(1) } else { 1 };
            if there == 1 {
                one = Some(first);
                return false;
            }
            desk.put(pulled, first);
            while batch < most.min(there) && !self.somebody_has_gone() {
                let Some(item) = items.next() else { return true };
                desk.put(pulled + batch, item);
                batch += 1;
            }
            false
        }));
        let (exhausted, mut thrown) = match asked {
            Ok(exhausted) => (exhausted, None),
            Err(payload) => (false, Some(payload)),
        };
        let ends = exhausted || thrown.is_some();
        let (over, gone) = self.put_back(items, (pulled + batch, most - batch), ends, exhausted);
        if let (Some(items), false) = (&over, ends) {
            let left = size(&**items).0;
            self.source.lock().left = left;
        }
        // Not kept any longer: it may hold a channel that somebody waits for.
        if let Err(payload) = drop_caught(over) {
            if thrown.is_some() { discard(payload) } else { thrown = Some(payload) }
        }
        if gone > 0 {
            crew.post(usize::try_from(gone).unwrap_or(usize::MAX));
        }
        match (one, thrown) {
            (Some(item), None) => {
                desk.begin();
                Pulled::One(pulled, item)
            }
            (None, None) => Pulled::Some,
            (one, Some(payload)) => {
                one.into_iter().for_each(|item| desk.put(pulled, item));
                Pulled::Panicked(pulled + batch, payload)
            }
        }
    }

    /// Puts the iterator back, or returns it if it is not needed any more; and how many shares have
    /// gone away meanwhile.
    fn put_back(
        &self,
        items: Box<I>,
        (pulled, unused): (usize, usize),
        ends: bool,
        all: bool,
    ) -> (Option<Box<I>>, u64) {
        let mut source = self.source.lock();
        // ORDERING: Relaxed. It is counted up under this lock.
        let gone = self.gone.load(Ordering::Relaxed);
        if gone > 0 {
            self.gone.store(0, Ordering::Relaxed);
        }
        source.pulled = pulled;
        source.out -= unused;
        self.in_use.store(false, Ordering::Relaxed);
        source.exhausted = all;
        if ends || source.stopped {
            source.place = Place::Gone;
            return (Some(items), gone);
        }
        source.place = Place::Here(items);
        (None, gone)
    }

    /// Drops all that nobody claimed, one by one, and returns what their drops have thrown.
    pub(super) fn clear(&self) -> Vec<Payload> {
        let mut thrown: Vec<_> = self.stop().into_iter().collect();
        let seats = std::mem::replace(&mut self.source.lock().seats, Seats::new());
        for item in seats.recall() {
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
