//! The first share of a feed, as long as it is alone with the iterator.
//!
//! 1. The iterator is the first share's until another asks for it: it goes in and out without a locked
//!    instruction, for one item at a time, and lays nothing down. Who asks has it outside from then on, and the
//!    iterator is everybody's.
//! 2. Whoever comes waits with that as long as the first share handles items faster than they could be
//!    handed over: two who share such items are slower than one. It looks again all the time, so an
//!    item that takes long, or blocks, leaves it waiting for a moment only. One does so. Others go
//!    away, and are posted again by that one.
//! 3. That the first share has an item in hand is counted among those that are out from the beginning.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use wg_core::sync::{now, times};

use super::feed::{Feed, Source};
use crate::outcome::{Payload, discard, drop_caught};
use crate::thread::crew::Posting;
use crate::thread::crew::biased::Owner;
use crate::thread::crew::desk::Desk;

/// What a share claims items with.
pub(in crate::thread) struct Puller<I: Iterator> {
    pub(super) desk: Desk<I::Item>,
    /// The iterator, as long as it is this share's.
    own: Option<Owner<Source<I>>>,
    /// What is left to be done at the end of the iterator.
    over: Option<Over<I>>,
    /// What was thrown and not told yet, and the index of the item that the iterator was asked for.
    pub(super) thrown: Option<(usize, Payload)>,
}

/// The end of an iterator.
struct Over<I> {
    /// It was asked for the item with this index.
    index: usize,
    /// The iterator, to be dropped outside.
    items: Option<I>,
    thrown: Option<Payload>,
}

/// Those who wait until the first share is not quick any more.
#[derive(Default)]
pub(super) struct Watch {
    /// Whether somebody looks how quick it is.
    is_watched: bool,
    /// How many have gone away meanwhile.
    away: usize,
}

/// For how long a share looks how fast the first one is, at first and at last; and how long it takes at least
/// to hand an item over. Two who share small items take 4 to 6 ns for each, most of it for moving what they
/// share from core to core, so what takes this long is worth sharing.
const FIRST_LOOK: Duration = Duration::from_micros(1);
const LAST_LOOK: Duration = Duration::from_micros(8);
const HANDED_OVER: Duration = Duration::from_nanos(10);

/// How often it spins before it looks at the clock.
const SPINS: usize = 4;

impl<I: Iterator> Puller<I> {
    pub(super) fn new(desk: Desk<I::Item>, own: Option<Owner<Source<I>>>) -> Self {
        Puller { desk, own, over: None, thrown: None }
    }

    /// Whether the iterator is this share's, as far as it knows.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        self.own.is_some()
    }

    /// Lets all others have the iterator. `in_hand`: the item that was pulled last, if there is one, was not
    /// counted as finished.
    pub(super) fn share(&mut self, in_hand: bool) {
        if let Some(own) = self.own.take() {
            self.desk.owe_one(in_hand && own.has_been_inside());
        }
    }
}

impl<I: Iterator> Source<I> {
    /// Pulls an item. If there is none, what is to be done is in `over`.
    #[inline]
    fn next(&mut self, over: &mut Option<Over<I>>) -> Option<(usize, I::Item)> {
        let index = self.pulled;
        let items = &mut self.items;
        match catch_unwind(AssertUnwindSafe(|| items.as_mut().and_then(Iterator::next))) {
            Ok(Some(item)) => {
                self.pulled += 1;
                return Some((index, item));
            }
            Ok(None) => *over = Some(self.end(None)),
            Err(payload) => *over = Some(self.end(Some(payload))),
        }
        None
    }

    #[cold]
    fn end(&mut self, thrown: Option<Payload>) -> Over<I> {
        let items = self.items.take();
        // One that is gone already says nothing.
        self.exhausted |= items.is_some() && thrown.is_none();
        Over { index: self.pulled, items, thrown }
    }
}

impl<I: Iterator> Feed<I> {
    /// Takes the next item, from the iterator if that is this share's, and otherwise from its desk. Whatever was
    /// taken before is finished.
    #[inline]
    pub(in crate::thread) fn take(
        &self,
        puller: &mut Puller<I>,
        crew: &dyn Posting,
    ) -> Option<(usize, I::Item)> {
        if puller.is_alone() { self.take_alone(puller, crew) } else { puller.desk.take() }
    }

    /// As [`take`](Self::take), where the iterator is this share's, or was. None when it is not any more.
    // A call, with what it saves and hands over in memory, takes as long as all the rest.
    #[inline(always)]
    pub(super) fn take_alone(
        &self,
        puller: &mut Puller<I>,
        crew: &dyn Posting,
    ) -> Option<(usize, I::Item)> {
        let Puller { own, over, .. } = puller;
        let own = own.as_mut()?;
        let next = own.enter().and_then(|mut inside| inside.with(|source| source.next(over)));
        match &next {
            None => self.end_alone(puller, crew),
            Some((index, _)) if self.is_called() => self.answer_alone(puller, index + 1, crew),
            Some(_) => {}
        }
        next
    }

    #[cold]
    fn answer_alone(&self, puller: &mut Puller<I>, index: usize, crew: &dyn Posting) {
        let thrown = self.answer_call(crew);
        puller.thrown = thrown.map(|payload| (index, payload));
    }

    /// The iterator is not this share's any more, or at its end.
    #[cold]
    fn end_alone(&self, puller: &mut Puller<I>, crew: &dyn Posting) {
        let Some(Over { index, items, mut thrown }) = puller.over.take() else {
            // The last item that was pulled is finished here.
            puller.share(true);
            puller.desk.finish();
            return;
        };
        self.enter_end();
        puller.share(false);
        // Not kept any longer: it may hold a channel that somebody waits for.
        for payload in [drop_caught(items).err(), self.answer(crew)].into_iter().flatten() {
            if thrown.is_some() { discard(payload) } else { thrown = Some(payload) }
        }
        puller.thrown = thrown.map(|payload| (index, payload));
    }

    /// Waits while the first share handles items faster than they could be handed over. Then it is asked to share,
    /// which takes no longer than its item, mostly. Returns false if another waits already.
    pub(super) fn wait_while_quick(&self, crew: &dyn Posting) -> bool {
        // Models have no time.
        if times(100) != 100 || !self.is_one_shares() {
            return true;
        }
        if mem::replace(&mut self.watch.lock().is_watched, true) {
            return false;
        }
        self.watch();
        let Watch { away, .. } = mem::take(&mut *self.watch.lock());
        if !self.has_ended() {
            crew.post(away);
        }
        true
    }

    /// Whether a share that goes away now is posted again by the one who waits.
    pub(super) fn is_watched(&self) -> bool {
        if !self.is_one_shares() {
            return false;
        }
        let mut watch = self.watch.lock();
        watch.away += usize::from(watch.is_watched);
        watch.is_watched
    }

    fn watch(&self) {
        let mut look = FIRST_LOOK;
        let mut before = self.finished();
        while self.wait_for(look, || false) {
            let done = self.finished();
            let handled = u32::try_from(done.saturating_sub(before)).unwrap_or(u32::MAX);
            if HANDED_OVER.saturating_mul(handled) < look {
                self.source.ask();
                self.wait_for(LAST_LOOK, || !self.is_one_shares());
                return;
            }
            (look, before) = (LAST_LOOK.min(look * 2), done);
            std::thread::yield_now();
        }
    }

    /// Waits for so long, or until what is looked at now and then. Returns whether the iterator is one share's
    /// still. In between nothing is read that the first share writes.
    fn wait_for(&self, time: Duration, is_over: impl Fn() -> bool) -> bool {
        let since = now();
        while !self.has_ended() && now() - since < time && !is_over() {
            (0..SPINS).for_each(|_| std::hint::spin_loop());
        }
        self.is_one_shares()
    }
}

#[cfg(all(test, not(wg_loom), not(wg_shuttle)))]
mod tests {
    use super::super::feed::Claim;
    use super::*;
    use crate::thread::crew::stub::Posts;

    #[test]
    fn rule_14_who_goes_away_because_another_waits_is_posted_by_that_one() {
        let (feed, crew) = (Feed::new(0.., 9), Posts::default());
        let mut first = feed.puller();
        assert!(feed.take(&mut first, &crew).is_some());
        feed.watch.lock().is_watched = true;
        for away in 1..3 {
            assert!(matches!(feed.claim(&mut feed.puller(), &crew), Claim::NotNow));
            assert!(!feed.has_more());
            assert_eq!(feed.watch.lock().away, away);
        }
        // The first share is still alone, and does not come again: it is not quick.
        assert!(feed.take(&mut first, &crew).is_some());
        feed.watch.lock().is_watched = false;
        assert!(matches!(feed.claim(&mut feed.puller(), &crew), Claim::Item(2, _)));
        assert_eq!(crew.get(), 2);
        assert!(feed.take(&mut first, &crew).is_none() && feed.has_more());
    }
}
