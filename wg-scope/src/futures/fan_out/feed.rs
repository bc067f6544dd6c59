//! Where the items of a fan-out come from: an iterator that is pulled one item at a time.
//!
//! Who pulls takes the iterator out of its place meanwhile: it is the user's code, and runs under no
//! lock. A strand that finds it in use waits; each time it is put back one of those is woken. A
//! strand that was woken is polled, or else the scope is cancelled, so no wake-up is lost.

use std::collections::BTreeMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use wg_core::sync::Mutex;

use crate::outcome::{Payload, discard, drop_caught};

/// The items of a fan-out.
pub(super) struct Feed<I>(Mutex<Source<I>>);

struct Source<I> {
    place: Place<I>,
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
}

/// Where the iterator is.
enum Place<I> {
    Here(Box<I>),
    InUse,
    Gone,
}

/// What came of asking for an item.
pub(super) enum Claim<T> {
    Item(u64, T),
    /// Another strand is pulling one. This one is woken when that is done.
    Wait,
    /// There are none, and there will be none. Dropping the iterator may have thrown this.
    Ended(Option<Payload>),
    /// The iterator panicked, when it was asked for the item with this index.
    Panicked(u64, Payload),
}

impl<I: Iterator> Feed<I> {
    pub(super) fn new(items: I) -> Self {
        Feed(Mutex::new(Source {
            place: Place::Here(Box::new(items)),
            pulled: 0,
            left: 0,
            exhausted: false,
            stopped: false,
            waiting: BTreeMap::new(),
        }))
    }

    /// Pulls an item for the strand `who`.
    pub(super) fn claim(&self, who: u64, waker: &Waker) -> Claim<I::Item> {
        let Some(mut items) = self.take(who, waker) else { return Claim::Wait };
        let Some(items_here) = items.as_mut() else { return Claim::Ended(None) };
        match catch_unwind(AssertUnwindSafe(|| items_here.next())) {
            Ok(Some(item)) => {
                let items = items.expect("looked at it just now");
                let (index, thrown) = self.put_back(items);
                match thrown {
                    None => Claim::Item(index, item),
                    Some(payload) => {
                        drop_caught(item).unwrap_or_else(discard);
                        Claim::Panicked(index, payload)
                    }
                }
            }
            Ok(None) => Claim::Ended(self.end(items, true).1),
            Err(payload) => {
                let (index, worse) = self.end(items, false);
                worse.into_iter().for_each(discard);
                Claim::Panicked(index, payload)
            }
        }
    }

    /// Takes the iterator: `Some(None)` if it is gone, `None` if the strand has to wait for it.
    fn take(&self, who: u64, waker: &Waker) -> Option<Option<Box<I>>> {
        let mut spare = None;
        loop {
            let mut source = self.0.lock();
            match mem::replace(&mut source.place, Place::InUse) {
                Place::Here(items) => {
                    let before = source.waiting.remove(&who);
                    drop(source);
                    drop(before);
                    return Some(Some(items));
                }
                Place::Gone => {
                    source.place = Place::Gone;
                    return Some(None);
                }
                Place::InUse => {}
            }
            match spare.take() {
                Some(waker) => {
                    let before = source.waiting.insert(who, waker);
                    drop(source);
                    drop(before);
                    return None;
                }
                // Cloning a waker may be anybody's code, so no lock is held meanwhile.
                None => {
                    drop(source);
                    spare = Some(waker.clone());
                }
            }
        }
    }

    /// Puts the iterator back, with one more item pulled. Returns the item's index, and what the
    /// drop of the iterator has thrown, if nothing more is to be pulled.
    fn put_back(&self, items: Box<I>) -> (u64, Option<Payload>) {
        let mut source = self.0.lock();
        let index = source.pulled;
        source.pulled += 1;
        if source.stopped {
            drop(source);
            return (index, self.end(Some(items), false).1);
        }
        source.place = Place::Here(items);
        let next = source.waiting.pop_first();
        drop(source);
        next.into_iter().for_each(|(_, waker)| wake(waker));
        (index, None)
    }

    /// Drops the iterator. Returns how many were pulled, and what that has thrown.
    fn end(&self, items: Option<Box<I>>, exhausted: bool) -> (u64, Option<Payload>) {
        let left = items.as_ref().map_or(0, |items| if exhausted { 0 } else { least(&**items) });
        let thrown = drop_caught(items).err();
        let mut source = self.0.lock();
        source.place = Place::Gone;
        source.exhausted |= exhausted;
        source.left = left;
        let pulled = source.pulled;
        let waiting = mem::take(&mut source.waiting);
        drop(source);
        waiting.into_values().for_each(wake);
        (pulled, thrown)
    }

    /// Pulls nothing more. Returns what the drop of the iterator has thrown, if it is not in use:
    /// then who uses it drops it.
    pub(super) fn stop(&self) -> Option<Payload> {
        let mut source = self.0.lock();
        source.stopped = true;
        match mem::replace(&mut source.place, Place::InUse) {
            Place::Here(items) => {
                drop(source);
                self.end(Some(items), false).1
            }
            other => {
                source.place = other;
                None
            }
        }
    }

    /// How many items there were, those included that are known to be left; and whether these are
    /// all. To be asked when the iterator is gone.
    pub(super) fn total(&self) -> (usize, bool) {
        let source = self.0.lock();
        let pulled = usize::try_from(source.pulled).unwrap_or(usize::MAX);
        (pulled.saturating_add(source.left), source.exhausted)
    }
}

/// How many items an iterator has at least. What it says is the user's code.
fn least<I: Iterator>(items: &I) -> usize {
    catch_unwind(AssertUnwindSafe(|| items.size_hint().0)).unwrap_or_else(|payload| {
        discard(payload);
        0
    })
}

fn wake(waker: Waker) {
    // A waker is foreign code. Whoever pulled an item is not to be blamed for its panic.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        discard(payload);
    }
}
