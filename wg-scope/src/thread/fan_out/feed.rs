//! Where the items of a fan-out come from: an iterator that is pulled lazily, and the items that
//! shares have pulled ahead and not begun, which others may take over.
//!
//! 1. The iterator is the user's code, and may block. It lies with what is counted of it behind a lock
//!    that nobody waits for: who finds it taken looks again for a little, then for something to take
//!    over, and goes away; who has pulled posts as many shares as have gone. In the beginning it is the
//!    first share's alone, see [`alone`](super::alone).
//! 2. What is pulled lies on a desk before the iterator is asked for more. Who goes away says so
//!    first and looks at the desks then, and whether the iterator is free; who pulls lays the item down, or
//!    lets the iterator go, first, and looks then whether somebody has gone. So an iterator that blocks
//!    strands nothing that others could begin, and nobody goes away from one that is free. In the same way
//!    one who wants no more to be pulled drops the iterator, or has it dropped by the one who has it. The
//!    barrier that is needed between the two is left to who calls, where that can be. Items that are taken
//!    over may lie on neither desk for one who looks at both: who goes away meanwhile has said so as well.
//! 3. Where there is a limit, no more items than that are pulled and not finished, and no share pulls
//!    more than its part of them. Who takes the iterator takes room for a batch, and says how many of its
//!    items are finished since it was last there. Others count those only where there seems to be no
//!    room.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_utils::CachePadded;
use wg_core::sync::{AtomicBool, AtomicU64, Mutex, Ordering, times};

use super::alone::{Puller, Watch};
use crate::outcome::{Payload, discard, drop_caught};
use crate::thread::crew::Posting;
use crate::thread::crew::barrier::Barrier;
use crate::thread::crew::biased::{Other, Owner, biased};
use crate::thread::crew::desk::{Desk, Found, Seats};

/// The items of a fan-out.
pub(in crate::thread) struct Feed<I: Iterator> {
    /// Only ever tried: the iterator runs under it.
    pub(super) source: Other<Source<I>>,
    /// Whose it is, until there is a share.
    owner: Mutex<Option<Owner<Source<I>>>>,
    pub(super) watch: Mutex<Watch>,
    seats: CachePadded<Mutex<Seats<I::Item>>>,
    calls: CachePadded<Calls>,
    /// Between who calls and who pulls.
    barrier: Barrier,
    /// The most items that may be pulled and not finished.
    most: usize,
    /// Whether items may be pulled before they are needed.
    pulls_ahead: bool,
}

pub(super) struct Source<I> {
    /// None when it is at its end, or not needed any more.
    pub(super) items: Option<I>,
    /// How many items were pulled; and how many were left at least when the iterator was dropped.
    pub(super) pulled: usize,
    left: usize,
    /// How many items are pulled, or about to be, and not known to be finished.
    out: usize,
    /// Whether the iterator was seen to be at its end.
    pub(super) exhausted: bool,
}

/// What is read at each pull, and hardly ever written.
struct Calls {
    /// How many shares went away because the iterator was in use, or items were being taken over; and
    /// [`STOPPED`].
    calls: AtomicU64,
    /// Whether there is no iterator any more.
    has_ended: AtomicBool,
    /// How many desks there are.
    desks: AtomicU64,
    /// How many items those have finished who have left, that were not taken off those that are out.
    finished: AtomicU64,
}

/// Nothing more is to be pulled, and the iterator is to be dropped.
const STOPPED: u64 = 1 << 63;

/// How often a share looks whether the iterator is back before it takes over what lies on other desks, or
/// goes away: first at once, because pulling an item seldom takes long, and so do the items that lie there,
/// most of the time; and then after letting others have the core, among them perhaps the one who pulls.
/// Coming back costs much more. As who looks disturbs the one who pulls, some time passes between two looks.
const SPINS: usize = times(64);
const LOOK: usize = times(4);
const PATIENCE: usize = SPINS + times(16);

/// What came of asking for an item.
pub(in crate::thread) enum Claim<T> {
    Item(usize, T),
    /// Somebody else is pulling one. Whoever got this has to go away.
    NotNow,
    /// There are none, and there will be none.
    Ended,
    /// The iterator panicked, when it was asked for the item with this index.
    Panicked(usize, Payload),
}

/// What was pulled, where it does not lie on the desk, and what is to be done outside.
struct Batch<I: Iterator> {
    /// One item, which was not laid down.
    one: Option<I::Item>,
    /// How many were pulled before, and how many now.
    pulled: usize,
    batch: usize,
    /// The iterator, if there are no more.
    over: Option<I>,
    thrown: Option<Payload>,
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
    pub(in crate::thread) fn new(items: I, most: usize) -> Self {
        // The one that its owner has in hand.
        let (owner, source) = source(items, 1);
        Feed { most, pulls_ahead: true, owner: Mutex::new(Some(owner)), ..Feed::of(source) }
    }

    /// Creates a feed from which items are pulled when they are needed, and whoever claims them sees
    /// that they are not too many.
    pub(in crate::thread) fn one_by_one(items: I) -> Self {
        Feed::of(source(items, 0).1)
    }

    fn of(source: Other<Source<I>>) -> Self {
        let calls = Calls {
            calls: AtomicU64::new(0),
            has_ended: AtomicBool::new(false),
            desks: AtomicU64::new(0),
            finished: AtomicU64::new(0),
        };
        Feed {
            source,
            owner: Mutex::new(None),
            watch: Mutex::new(Watch::default()),
            seats: CachePadded::new(Mutex::new(Seats::new())),
            calls: CachePadded::new(calls),
            barrier: Barrier::best(),
            most: usize::MAX,
            pulls_ahead: false,
        }
    }

    /// How many items there were, those included that are known to be left in the iterator; and
    /// whether these are all. To be asked when there are no shares.
    pub(in crate::thread) fn total(&self) -> (usize, bool) {
        let total = self.source.try_with(|source| {
            let known = source.pulled.saturating_add(source.left);
            match &source.items {
                Some(items) => {
                    let (least, most) = size(items);
                    (known.saturating_add(least), most == Some(0))
                }
                None => (known, source.exhausted),
            }
        });
        total.expect("there are no shares")
    }

    /// Pulls nothing more; what is on the desks is left. Returns what the drop of the iterator has
    /// thrown.
    pub(in crate::thread) fn stop(&self) -> Option<Payload> {
        // ORDERING: Relaxed. The barrier orders it before the look, in `drop_iterator`.
        if self.calls.calls.fetch_or(STOPPED, Ordering::Relaxed) & STOPPED == 0 {
            // Without it, the iterator may stay until somebody asks for the next item, or for the rest.
            let _ = self.barrier.heavy();
        }
        self.drop_iterator()
    }

    /// Drops the iterator, unless somebody has it: who has looks then whether it is to be dropped. Returns
    /// what that has thrown.
    fn drop_iterator(&self) -> Option<Payload> {
        let items = self.source.try_with(|source| {
            let items = source.items.take()?;
            self.enter_end();
            source.left = size(&items).0;
            Some(items)
        });
        drop_caught(items??).err()
    }

    /// A desk for a share, and the iterator if it is the first.
    pub(in crate::thread) fn puller(&self) -> Puller<I> {
        let owner = self.owner.lock().take();
        let mut seats = self.seats.lock();
        let desk = seats.add();
        self.count(&seats);
        Puller::new(desk, owner)
    }

    /// Gives a desk back. What lies on it, if the scope was cancelled, is left for
    /// [`clear`](Self::clear). Returns what the iterator has thrown, if nobody was told of it, and the index of
    /// the item that it was asked for.
    #[must_use = "a panic is to be entered"]
    pub(in crate::thread) fn leave(&self, mut puller: Puller<I>) -> Option<(usize, Payload)> {
        puller.share(true);
        let mut desk = puller.desk;
        let mut seats = self.seats.lock();
        self.calls.finished.fetch_add(desk.tell() as u64, Ordering::Relaxed);
        seats.remove(&desk);
        self.count(&seats);
        puller.thrown
    }

    fn count(&self, seats: &Seats<I::Item>) {
        self.calls.desks.store(seats.len() as u64, Ordering::Relaxed);
    }

    /// Enters that there is no iterator any more.
    pub(super) fn enter_end(&self) {
        self.calls.has_ended.store(true, Ordering::Relaxed);
    }

    /// Whether there is no iterator any more: then what is left is on the desks.
    pub(in crate::thread) fn has_ended(&self) -> bool {
        self.calls.has_ended.load(Ordering::Relaxed)
    }

    /// Whether a share would find something to do. If not, because the iterator is in use, or items are
    /// being taken over, one more is posted when that is done.
    pub(in crate::thread) fn has_more(&self) -> bool {
        if self.is_watched() {
            return false;
        }
        let has_items = || self.source.try_with(|source| source.items.is_some());
        match if self.has_ended() { Some(false) } else { has_items() } {
            Some(true) => return true,
            Some(false) => {}
            None => {
                // ORDERING: Relaxed, with `is_called`. The barrier orders it before the looks.
                self.calls.calls.fetch_add(1, Ordering::Relaxed);
                // If the barrier fails that was there before, this share had better stay and look again.
                if !self.barrier.heavy() || has_items().is_some() {
                    return true;
                }
            }
        }
        let seats = self.seats.lock();
        let (lies, moves) = (seats.has_items(), seats.is_moving());
        if !lies && moves {
            self.calls.calls.fetch_add(1, Ordering::Relaxed);
        }
        lies
    }

    /// How many items were finished, or a few less. None if somebody is at the desks: who asks for this
    /// waits for nobody.
    pub(in crate::thread) fn done(&self) -> Option<u64> {
        self.seats.try_lock().map(|seats| seats.finished() + self.source.rounds())
    }

    /// How many items were finished, or a few less.
    pub(super) fn finished(&self) -> u64 {
        self.seats.lock().finished() + self.source.rounds()
    }

    /// Whether the iterator is one share's, and may have more items.
    pub(super) fn is_one_shares(&self) -> bool {
        self.source.is_owned() && !self.has_ended()
    }

    /// Whether somebody goes away, or wants no more items, who may not see that an item was laid down just
    /// now, or the iterator let go. Whoever that is has said so before looking, in
    /// [`has_more`](Self::has_more) or [`stop`](Self::stop), and here the one or the other is done before
    /// looking who has: one of the two sees what the other did.
    #[inline]
    pub(super) fn is_called(&self) -> bool {
        self.barrier.light();
        // ORDERING: Relaxed. The barrier orders it after what was done.
        self.calls.calls.load(Ordering::Relaxed) != 0
    }

    fn is_stopped(&self) -> bool {
        self.calls.calls.load(Ordering::Relaxed) & STOPPED != 0
    }

    /// Takes off those who have gone, to post as many, and returns how many that are.
    fn take_gone(&self) -> usize {
        // ORDERING: Relaxed. Each is answered once; whoever goes later sees the iterator free.
        let gone = self.calls.calls.fetch_and(STOPPED, Ordering::Relaxed) & !STOPPED;
        usize::try_from(gone).unwrap_or(usize::MAX)
    }

    /// Claims the next item: from this desk, from the iterator, or from another desk. The one that
    /// was claimed here before is finished.
    #[inline]
    pub(in crate::thread) fn claim(
        &self,
        puller: &mut Puller<I>,
        crew: &dyn Posting,
    ) -> Claim<I::Item> {
        match self.take(puller, crew) {
            Some((index, item)) => Claim::Item(index, item),
            None => self.refill(puller, crew),
        }
    }

    /// As [`claim`](Self::claim), where nothing lies on this desk.
    #[cold]
    fn refill(&self, puller: &mut Puller<I>, crew: &dyn Posting) -> Claim<I::Item> {
        if let Some((index, payload)) = puller.thrown.take() {
            return Claim::Panicked(index, payload);
        }
        if !self.wait_while_quick(crew) {
            return Claim::NotNow;
        }
        let desk = &mut puller.desk;
        if self.pulls_ahead && self.most > 1 {
            desk.adapt();
        }
        let (mut looks, mut before) = (0, 0);
        loop {
            let (mut has_ended, mut pulled) = (false, None);
            self.source.try_with(|source| {
                let room = self.take_room(source, desk);
                has_ended = source.items.is_none();
                pulled = (room > 0).then(|| self.pull(source, room, desk));
            });
            if let Some(batch) = pulled {
                match self.look_at(batch, desk, crew) {
                    Pulled::One(index, item) => return Claim::Item(index, item),
                    Pulled::Some => {}
                    Pulled::Panicked(index, payload) => return Claim::Panicked(index, payload),
                }
                // Others may have been faster to take what was pulled here.
                if let Some((index, item)) = desk.take() {
                    return Claim::Item(index, item);
                }
                continue;
            }
            if has_ended || looks >= PATIENCE {
                let mut seats = self.seats.lock();
                if has_ended && !seats.has_items() && !seats.is_moving() {
                    return Claim::Ended;
                }
                let left = seats.laid_down();
                if looks == 0 {
                    before = left;
                }
                // Where half of it was begun meanwhile, the rest will be as well, before it were here.
                if looks >= PATIENCE && (1..=before / 2).contains(&left) {
                    (looks, before) = (SPINS, left);
                }
                let found = if looks >= PATIENCE { seats.find(desk) } else { None };
                drop(seats);
                let item = found.and_then(|found| self.take_over(&found, desk, crew));
                if let Some((index, item)) = item {
                    return Claim::Item(index, item);
                }
            }
            if looks < SPINS {
                looks += LOOK;
                (0..LOOK).for_each(|_| std::hint::spin_loop());
            } else if looks < PATIENCE {
                looks += 1;
                std::thread::yield_now();
            } else {
                return Claim::NotNow;
            }
        }
    }

    /// Takes an item over, and perhaps more. Not under the lock of the desks, as that may need the heavy
    /// side of a barrier.
    fn take_over(
        &self,
        found: &Found<I::Item>,
        desk: &mut Desk<I::Item>,
        crew: &dyn Posting,
    ) -> Option<(usize, I::Item)> {
        let item = found.take_over(desk);
        // ORDERING: Relaxed. Those who went because of this did so under this lock.
        let all_lies = self.seats.lock().moved();
        if all_lies {
            crew.post(self.take_gone());
        }
        item
    }

    /// Takes room for a batch of items, if there is an iterator, and room for one more. Returns for how
    /// many.
    fn take_room(&self, source: &mut Source<I>, desk: &mut Desk<I::Item>) -> usize {
        source.out -= desk.tell();
        if source.items.is_none() {
            return 0;
        }
        if self.most == usize::MAX {
            source.out += desk.batch;
            return desk.batch;
        }
        let calls = &*self.calls;
        // ORDERING: Relaxed, here and below. What is finished is a number, and taken off once.
        if calls.finished.load(Ordering::Relaxed) > 0 {
            source.out -= calls.finished.swap(0, Ordering::Relaxed) as usize;
        }
        let mut room = self.most.saturating_sub(source.out);
        if room == 0 {
            // Those who are blocked have not told what they finished before.
            let finished = self.finished() as usize;
            room = self.most.saturating_sub(source.pulled.saturating_sub(finished));
        }
        let desks = calls.desks.load(Ordering::Relaxed) as usize;
        let room = room.min((self.most / desks.max(2)).max(1)).min(desk.batch);
        source.out += room;
        room
    }

    /// Pulls up to so many items onto this desk. A single one does not come to lie there.
    fn pull(&self, source: &mut Source<I>, most: usize, desk: &mut Desk<I::Item>) -> Batch<I> {
        if desk.is_ahead() != (most > 1) {
            self.seats.lock().mark(desk, most > 1);
        }
        let pulled = source.pulled;
        let items = source.items.as_mut().expect("there is room only where there is an iterator");
        let (mut one, mut batch) = (None, 0);
        let asked = catch_unwind(AssertUnwindSafe(|| {
            if self.is_stopped() {
                return false;
            }
            let Some(first) = items.next() else { return true };
            batch = 1;
            // Only what the iterator says is there is asked for ahead: it is less likely to block.
            let there = if most > 1 { size(items).0.saturating_add(1) } else { 1 };
            if there == 1 {
                one = Some(first);
                return false;
            }
            let mut laying = desk.lay(most.min(there));
            laying.put(pulled, first);
            while !laying.is_full() && !self.is_called() {
                let Some(item) = items.next() else { return true };
                laying.put(pulled + batch, item);
                batch += 1;
            }
            false
        }));
        let (exhausted, thrown) = match asked {
            Ok(exhausted) => (exhausted, None),
            Err(payload) => (false, Some(payload)),
        };
        source.pulled += batch;
        source.out -= most - batch;
        source.exhausted = exhausted;
        let over = if exhausted || thrown.is_some() { source.items.take() } else { None };
        if over.is_some() {
            self.enter_end();
        }
        Batch { one, pulled, batch, over, thrown }
    }

    /// Does what is left to be done when the iterator was let go.
    fn look_at(
        &self,
        batch: Batch<I>,
        desk: &mut Desk<I::Item>,
        crew: &dyn Posting,
    ) -> Pulled<I::Item> {
        let Batch { one, pulled, batch, over, mut thrown } = batch;
        // Not kept any longer: it may hold a channel that somebody waits for.
        let dropped = [drop_caught(over).err(), self.answer(crew)];
        for payload in dropped.into_iter().flatten() {
            if thrown.is_some() { discard(payload) } else { thrown = Some(payload) }
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

    /// Does what those want who could not wait for the iterator, which is free now. Returns what its drop has
    /// thrown, if it is not to be kept.
    #[inline]
    pub(super) fn answer(&self, crew: &dyn Posting) -> Option<Payload> {
        if self.is_called() { self.answer_call(crew) } else { None }
    }

    #[cold]
    pub(super) fn answer_call(&self, crew: &dyn Posting) -> Option<Payload> {
        let gone = self.take_gone();
        let thrown = if self.is_stopped() { self.drop_iterator() } else { None };
        crew.post(gone);
        thrown
    }

    /// Drops all that nobody claimed, one by one, and returns what their drops have thrown. To be called when
    /// there are no shares.
    pub(in crate::thread) fn clear(&self) -> Vec<Payload> {
        let mut thrown: Vec<_> = self.drop_iterator().into_iter().collect();
        let seats = std::mem::replace(&mut *self.seats.lock(), Seats::new());
        for item in seats.recall() {
            thrown.extend(drop_caught(item).err());
        }
        thrown
    }
}

/// The iterator, with what is counted of it, and whose it is. So many items are out already.
fn source<I>(items: I, out: usize) -> (Owner<Source<I>>, Other<Source<I>>) {
    biased(Source { items: Some(items), pulled: 0, left: 0, out, exhausted: false })
}

/// How many items an iterator says that there are, at least and at most. One that panics says nothing.
fn size<I: Iterator>(items: &I) -> (usize, Option<usize>) {
    catch_unwind(AssertUnwindSafe(|| items.size_hint())).unwrap_or_else(|payload| {
        discard(payload);
        (0, None)
    })
}
