//! Where the items of a fan-out come from: an iterator that is pulled when items are needed, and
//! items that were pulled and have not begun. And who is there to handle them.
//!
//! 1. Who pulls takes the iterator out of its place meanwhile: it is the user's code, and runs under
//!    no lock. A strand that finds it in use waits. Whoever leaves something behind that can be
//!    claimed wakes one of those, who wakes the next. A strand that was woken is polled, or else the
//!    scope is cancelled, so no wake-up is lost.
//! 2. A strand pulls several items at once only as long as its items do not wait, take next to no
//!    time, and the iterator says that there are so many. When one waits after all, those behind it
//!    are given back to be claimed by others. Never are more items pulled and not finished than may
//!    be handled at once: each strand has room for one, and what is pulled beyond takes the room of
//!    others, which are not started meanwhile. Who ends a turn keeps none of it.
//! 3. A strand for which there is nothing to do ends. Whoever makes something to do, or finds that
//!    there is more than he can do, starts one more, as long as there is room. Both are decided under
//!    one lock: either a strand finds what was made, or it is seen to be gone. Where there is no room,
//!    somebody has pulled ahead, who comes back for more, or gives back what is behind his item.
//! 4. While items prove brief there are no more strands than can be polled at once: others would only
//!    take turns with these. Whoever would have started one more owes it, and does so when one of his
//!    items waits; then they are not brief any more, and rule 3 holds again.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use wg_core::sync::{Mutex, times};

use super::budget::Weigh;
use super::hand::{Hand, Pace, Pulled, size};
use crate::outcome::{Payload, discard, drop_caught};

/// The items of a fan-out.
pub(crate) struct Feed<I: Iterator, W> {
    source: Mutex<Source<I>>,
    weigh: W,
    /// The most strands, and the most while items are brief.
    most: usize,
    few: usize,
    /// Whether items are pulled one at a time, whatever they are.
    one_by_one: bool,
    /// Whether strands stay when the iterator has ended, as there may be other items.
    stays: bool,
}

struct Source<I: Iterator> {
    place: Place<I>,
    /// Items that were pulled and have not begun: given back, or too heavy so far.
    ready: VecDeque<Pulled<I::Item>>,
    /// How many items were pulled; and how many were left at least, when the iterator was dropped.
    pulled: u64,
    left: usize,
    /// Whether the iterator was seen to be at its end.
    exhausted: bool,
    /// Whether nothing more is to be pulled.
    stopped: bool,
    /// The strands that wait for the iterator. Each is here once: a wake-up for one that does not
    /// wait any more would be lost to the others.
    waiting: BTreeMap<u64, Waker>,
    /// How many items are in the hands of strands and not finished, and what they weigh.
    out: usize,
    used: u64,
    /// For how many of these there is room beyond one for each strand.
    ahead: usize,
    /// How many strands there are, and how many there were ever.
    live: usize,
    posted: u64,
    /// Whether items are to be taken for brief.
    brief: bool,
}

/// How often a strand looks whether the iterator is back before it waits for that: as long as to be
/// woken takes.
const LOOKS: usize = times(16);

/// Where the iterator is.
enum Place<I> {
    Here(Box<I>),
    InUse,
    Gone,
}

/// What came of asking for an item.
pub(crate) enum Claim {
    /// There is one in hand, or several. One more strand is to be started, with this number.
    Items(Option<u64>),
    /// Another strand is pulling one. This one is woken when that is done.
    Wait,
    /// There are none, or none that this strand could begin now: it is to end.
    Leave,
    /// The iterator panicked, when it was asked for the item with this index, or when it was
    /// dropped. There may be items in hand.
    Panicked(u64, Payload),
    /// The item with this index cannot be weighed.
    Broken(u64, Payload),
}

/// What came of asking for the iterator.
enum Taken<I> {
    /// With the index of the next item.
    Yours(Box<I>, u64),
    Instead(Claim),
}

/// Why no more is pulled.
enum End {
    NotYet,
    Exhausted,
    Panicked(Payload),
}

impl<I: Iterator, W: Weigh<I::Item>> Feed<I, W> {
    /// Creates a feed for at most `most` strands, of which the first is to be started. Of these
    /// `hands` can be polled at once.
    pub(super) fn new(items: I, weigh: W, most: usize, hands: usize) -> Self {
        let source = Source {
            place: Place::Here(Box::new(items)),
            ready: VecDeque::new(),
            pulled: 0,
            left: 0,
            exhausted: false,
            stopped: false,
            waiting: BTreeMap::new(),
            out: 0,
            used: 0,
            ahead: 0,
            live: 1,
            posted: 1,
            // Where one is polled at a time, whether they are makes no difference before one waits.
            brief: hands == 1,
        };
        let few = hands.min(most);
        let one_by_one = W::WEIGHS || most == 1;
        Feed { source: Mutex::new(source), weigh, most, few, one_by_one, stays: false }
    }

    pub(super) fn one_by_one(self) -> Self {
        Feed { one_by_one: true, ..self }
    }

    pub(super) fn staying(self) -> Self {
        Feed { stays: true, ..self.one_by_one() }
    }

    /// Claims items for the strand `who`.
    pub(super) fn claim(&self, who: u64, waker: &Waker, hand: &mut Hand<I::Item>) -> Claim {
        let pace = if self.one_by_one { Pace::Unknown } else { hand.adapt() };
        loop {
            let (items, first) = match self.take(who, waker, hand, pace) {
                Taken::Yours(items, first) => (items, first),
                Taken::Instead(claim) => return claim,
            };
            if let Some(claim) = self.pull(items, first, hand) {
                return claim;
            }
        }
    }

    /// Takes the iterator, or an item that was given back.
    fn take(&self, who: u64, waker: &Waker, hand: &mut Hand<I::Item>, pace: Pace) -> Taken<I> {
        let (mut spare, mut looks) = (None, if self.few > 1 { LOOKS } else { 0 });
        loop {
            let mut source = self.source.lock();
            source.settle(hand);
            match pace {
                Pace::Unknown => {}
                Pace::Brief => source.brief = true,
                // More strands would not make it faster where one is polled at a time.
                Pace::Slow => source.brief &= self.few == 1,
            }
            if let Some(next) = source.ready.pop_front() {
                let claim = if source.fits(next.weight, self.weigh.total()) {
                    source.out += 1;
                    source.used = source.used.saturating_add(next.weight);
                    hand.items.lay(next);
                    Claim::Items(self.recruit_for(&mut source, hand))
                } else {
                    source.ready.push_front(next);
                    source.live -= usize::from(hand.counts);
                    Claim::Leave
                };
                let before = source.waiting.remove(&who);
                let next = source.call();
                drop(source);
                drop(before);
                wake(next);
                return Taken::Instead(claim);
            }
            match mem::replace(&mut source.place, Place::InUse) {
                Place::Here(items) => {
                    let before = source.waiting.remove(&who);
                    source.reserve(hand, self.most, self.few);
                    let first = source.pulled;
                    drop(source);
                    drop(before);
                    return Taken::Yours(items, first);
                }
                Place::Gone => {
                    source.place = Place::Gone;
                    source.live -= usize::from(hand.counts && !self.stays);
                    return Taken::Instead(Claim::Leave);
                }
                Place::InUse => {}
            }
            match spare.take() {
                Some(waker) => {
                    let before = source.waiting.insert(who, waker);
                    drop(source);
                    drop(before);
                    return Taken::Instead(Claim::Wait);
                }
                None if looks > 0 => {
                    drop(source);
                    looks -= 1;
                    (0..4).for_each(|_| std::hint::spin_loop());
                }
                // Cloning a waker may be anybody's code, so no lock is held meanwhile.
                None => {
                    drop(source);
                    spare = Some(waker.clone());
                }
            }
        }
    }

    /// Pulls items, and puts the iterator back. None if there are none.
    fn pull(&self, mut items: Box<I>, first: u64, hand: &mut Hand<I::Item>) -> Option<Claim> {
        // Only what the iterator says is there is asked for ahead: it is less likely to block.
        let most = if hand.ahead == 0 { 1 } else { size(&*items).0.clamp(1, hand.ahead + 1) };
        let end = match hand.items.pull(first, &mut *items, most) {
            Ok(false) => End::NotYet,
            Ok(true) => End::Exhausted,
            Err(payload) => End::Panicked(payload),
        };
        let index = first + hand.items.len() as u64;
        if W::WEIGHS {
            if let Some(payload) = self.weigh(hand) {
                if let Err(Some(worse)) = self.put_back(items, index, End::NotYet, hand) {
                    discard(worse);
                }
                return Some(Claim::Broken(index - 1, payload));
            }
        }
        match self.put_back(items, index, end, hand) {
            Ok(claim) => Some(claim),
            Err(Some(payload)) => Some(Claim::Panicked(index, payload)),
            Err(None) if hand.items.is_empty() => None,
            Err(None) => Some(Claim::Items(None)),
        }
    }

    /// Weighs the item in hand. One that cannot be weighed is dropped: then returns what was thrown.
    fn weigh(&self, hand: &mut Hand<I::Item>) -> Option<Payload> {
        let weigh = AssertUnwindSafe(|| hand.items.weigh(|item| self.weigh.weigh(item)));
        let payload = catch_unwind(weigh).err()?;
        drop_caught(hand.items.pop()).unwrap_or_else(discard);
        Some(payload)
    }

    /// Puts the iterator back, of which the items before `index` were pulled; those in hand count
    /// from here on, where they fit. If nothing more is to be pulled, the iterator is dropped instead:
    /// then returns what has been thrown.
    fn put_back(
        &self,
        items: Box<I>,
        index: u64,
        end: End,
        hand: &mut Hand<I::Item>,
    ) -> Result<Claim, Option<Payload>> {
        // Where they have a weight, there is one.
        let weight = hand.items.weight();
        let mut source = self.source.lock();
        source.pulled = index;
        let spare = (hand.ahead + 1).saturating_sub(hand.items.len().max(1));
        source.ahead -= spare;
        hand.ahead -= spare;
        let fits = hand.items.is_empty() || source.fits(weight, self.weigh.total());
        if fits {
            source.out += hand.items.len();
            source.used = source.used.saturating_add(weight);
        } else {
            source.ready.extend(hand.items.drain());
        }
        if !source.stopped && matches!(end, End::NotYet) {
            source.place = Place::Here(items);
            let claim = if hand.items.is_empty() && fits {
                Claim::Items(None)
            } else if fits {
                Claim::Items(self.recruit_for(&mut source, hand))
            } else {
                source.live -= usize::from(hand.counts);
                Claim::Leave
            };
            let next = source.call();
            drop(source);
            wake(next);
            return Ok(claim);
        }
        drop(source);
        let thrown = self.end(items, matches!(end, End::Exhausted));
        match end {
            End::Panicked(first) => {
                thrown.into_iter().for_each(discard);
                Err(Some(first))
            }
            End::NotYet | End::Exhausted => Err(thrown),
        }
    }

    /// Enters one more strand for whoever has found that there is more, or that he owes it.
    fn recruit_for(&self, source: &mut Source<I>, hand: &mut Hand<I::Item>) -> Option<u64> {
        let most = if source.brief { self.few } else { self.most };
        let number = source.recruit(hand.recruits, most.min(self.most - source.ahead));
        hand.owes = number.is_none() && hand.recruits && source.live < self.most;
        number
    }

    /// Gives back what is in hand and has not begun, as an item waits. Returns the number of a strand
    /// that is to be started for it.
    pub(super) fn give_back(&self, hand: &mut Hand<I::Item>) -> Option<u64> {
        let mut source = self.source.lock();
        source.settle(hand);
        source.brief = false;
        hand.owes = false;
        source.out -= hand.items.len();
        source.ready.extend(hand.items.drain());
        let next = source.call();
        let most = self.most - source.ahead;
        let post = if next.is_none() { source.recruit(hand.recruits, most) } else { None };
        drop(source);
        wake(next);
        post
    }

    /// Enters what was finished, as a strand lets others have a turn.
    pub(super) fn settle(&self, hand: &mut Hand<I::Item>) {
        self.source.lock().settle(hand);
    }

    /// Enters what was finished, and that a strand ends, if it is one.
    pub(super) fn dismiss(&self, hand: &mut Hand<I::Item>) {
        let mut source = self.source.lock();
        source.settle(hand);
        source.live -= usize::from(hand.counts);
    }

    /// Takes back that a strand ends, if there may be one more.
    pub(super) fn rejoin(&self, hand: &Hand<I::Item>) -> bool {
        let mut source = self.source.lock();
        let may = source.live < self.most || !hand.counts;
        source.live += usize::from(may && hand.counts);
        may
    }

    /// Whether there is nothing more to claim.
    pub(super) fn is_empty(&self) -> bool {
        let source = self.source.lock();
        source.ready.is_empty() && matches!(source.place, Place::Gone)
    }

    /// Enters that one more strand is to be started, if there may be one, and returns its number.
    pub(super) fn recruit(&self) -> Option<u64> {
        self.source.lock().recruit(true, self.most)
    }

    /// Enters a strand that begins with an item in hand, and returns its number.
    pub(super) fn enlist(&self) -> u64 {
        let mut source = self.source.lock();
        source.live += 1;
        source.posted += 1;
        source.posted - 1
    }

    /// Takes in hand an item that does not come from the iterator. Where it `recruits`, returns the
    /// number of one more strand.
    pub(super) fn take_other(
        &self,
        hand: &mut Hand<I::Item>,
        pulled: Pulled<I::Item>,
        recruits: bool,
    ) -> Option<u64> {
        let mut source = self.source.lock();
        source.settle(hand);
        source.out += 1;
        hand.items.lay(pulled);
        if recruits { source.add(self.most) } else { None }
    }

    /// Drops the iterator. Returns what that has thrown.
    fn end(&self, items: Box<I>, exhausted: bool) -> Option<Payload> {
        // One that was asked for its last item may know that this was the last.
        let (left, most) = if exhausted { (0, Some(0)) } else { size(&*items) };
        let thrown = drop_caught(items).err();
        let mut source = self.source.lock();
        source.place = Place::Gone;
        source.exhausted = most == Some(0);
        source.left = left;
        let waiting = mem::take(&mut source.waiting);
        drop(source);
        waiting.into_values().for_each(|waker| wake(Some(waker)));
        thrown
    }

    /// Pulls nothing more. Returns what the drop of the iterator has thrown, if it is not in use:
    /// then who uses it drops it.
    pub(super) fn stop(&self) -> Option<Payload> {
        let mut source = self.source.lock();
        source.stopped = true;
        match mem::replace(&mut source.place, Place::InUse) {
            Place::Here(items) => {
                drop(source);
                self.end(items, false)
            }
            other => {
                source.place = other;
                None
            }
        }
    }

    /// How many items were pulled, how many are known to be left, and whether these are all. To be
    /// asked when the iterator is gone.
    pub(super) fn total(&self) -> (usize, usize, bool) {
        let source = self.source.lock();
        (usize::try_from(source.pulled).unwrap_or(usize::MAX), source.left, source.exhausted)
    }

    /// Drops all that is left, one by one. Returns what that has thrown.
    pub(super) fn clear(self) -> Vec<Payload> {
        let mut thrown: Vec<_> = self.stop().into_iter().collect();
        let ready = mem::take(&mut self.source.lock().ready);
        thrown.extend(ready.into_iter().filter_map(|pulled| drop_caught(pulled).err()));
        thrown.extend(drop_caught(self.weigh).err());
        thrown
    }
}

impl<I: Iterator> Source<I> {
    /// Keeps room for as many items as a strand is to pull beyond the first. Each strand that there is
    /// has room for one. Half of the rest is left to others, if there may be more than few of them.
    fn reserve(&mut self, hand: &mut Hand<I::Item>, most: usize, few: usize) {
        let room = most.saturating_sub(self.live + self.ahead);
        let share = if self.brief { most / few - 1 } else { 0 };
        hand.ahead = share.max(room / 2).min(room).min(hand.batch - 1);
        self.ahead += hand.ahead;
    }

    /// Enters what was finished. What is left in hand is one item at most, or about to be given back.
    fn settle(&mut self, hand: &mut Hand<I::Item>) {
        self.ahead -= mem::take(&mut hand.ahead);
        self.out -= mem::take(&mut hand.finished);
        self.used = self.used.saturating_sub(mem::take(&mut hand.weight));
        if self.out == 0 {
            // A single item may be heavier than all that can be counted.
            self.used = 0;
        }
    }

    fn fits(&self, weight: u64, total: u64) -> bool {
        self.out == 0 || self.used.checked_add(weight).is_some_and(|used| used <= total)
    }

    /// Enters one more strand, if there may be something for it to do.
    fn recruit(&mut self, recruits: bool, most: usize) -> Option<u64> {
        let is_more = !self.ready.is_empty() || !matches!(self.place, Place::Gone);
        if recruits && is_more { self.add(most) } else { None }
    }

    fn add(&mut self, most: usize) -> Option<u64> {
        if self.live >= most {
            return None;
        }
        self.live += 1;
        self.posted += 1;
        Some(self.posted - 1)
    }

    /// One of those that wait, if there is something to claim.
    fn call(&mut self) -> Option<Waker> {
        let is_more = !self.ready.is_empty() || matches!(self.place, Place::Here(_));
        if is_more { self.waiting.pop_first().map(|(_, waker)| waker) } else { None }
    }
}

pub(super) fn wake(waker: Option<Waker>) {
    let Some(waker) = waker else { return };
    // A waker is foreign code. Whoever pulled an item is not to be blamed for its panic.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        discard(payload);
    }
}
