//! How tasks leave the queue: one by one, several at once into a runner's hand, out of another's hand, and
//! out of the middle for those who join them.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::mem;

use wg_core::sync::times;

use super::entries::own_key;
use super::{Begun, Entry, Follow, Inner, Kind, Next, OwnHand, Place, Queue, Running};
use crate::thread::job::Job;

/// How many tasks must wait for a runner to take several, and how many it takes at most.
const SEVERAL: usize = times(4);
const MOST: usize = 256;

/// From how many places on a buffer that has become empty is given back.
const ROOMY: usize = 1024;

impl Inner {
    /// Takes a task out that its joiner runs, if it is still there.
    pub(super) fn retract(&mut self, index: u64) -> Option<Job> {
        let key = own_key(index);
        let Some(place) = self.place_of(key) else { return self.retract_from_hand(key) };
        let entries = &mut self.lists.entries;
        let (job, _) = entries[place].take()?;
        self.waiting -= 1;
        self.joined_in_order |= place == 0;
        if self.waiting == 0 {
            self.clear();
        } else if place == 0 {
            entries.pop_front();
        } else if place + 1 == entries.len() {
            entries.pop_back();
        }
        Some(job)
    }

    fn retract_from_hand(&mut self, key: u64) -> Option<Job> {
        let next = self.lists.entries.front().map(Entry::key);
        let retract = |&place: &usize| self.lists.hands[place].retract(key, next);
        let (job, mut behind) = self.lists.full.iter().find_map(retract)?;
        if !behind.is_empty() {
            self.waiting += behind.len();
            behind.append(&mut self.lists.entries);
            self.lists.entries = behind;
            self.joined_in_order = true;
        }
        Some(job)
    }

    /// Where in the queue the entry with this key is. Mostly they are joined in the order in which they
    /// were spawned.
    fn place_of(&self, key: u64) -> Option<usize> {
        let entries = &self.lists.entries;
        match entries.front()?.key().cmp(&key) {
            Ordering::Less => entries.binary_search_by_key(&key, Entry::key).ok(),
            Ordering::Equal => Some(0),
            Ordering::Greater => None,
        }
    }

    /// Forgets the empty entries that are left where nothing waits.
    fn clear(&mut self) {
        self.lists.entries.clear();
        if self.lists.entries.capacity() > ROOMY {
            self.lists.entries = VecDeque::new();
        }
    }

    /// The first entry that is not empty.
    fn front(&mut self) -> Option<&mut Entry> {
        while self.lists.entries.front()?.shares() == 0 {
            self.lists.entries.pop_front();
        }
        self.lists.entries.front_mut()
    }

    /// Takes what is next; several tasks, if they are many, go into `hand`.
    #[inline(always)]
    pub(super) fn take(&mut self, hand: Option<&OwnHand>) -> Option<Next> {
        if !self.slots.has_room() || (self.waiting == 0 && !self.take_over()) {
            return None;
        }
        let (waiting, limit) = (self.waiting, self.slots.limit());
        let entry = self.front()?;
        if let (Some(hand), 1, SEVERAL.., usize::MAX) = (hand, entry.shares(), waiting, limit) {
            return self.take_several(hand);
        }
        // A task is a word, and is put together with nothing on its way.
        let Some((task, index)) = entry.take_task() else {
            // Taken apart: what a call has laid down is not to be copied as a whole.
            let Next { job, index, begun, is_last } = self.take_other()?;
            return Some(Next { job, index, begun, is_last });
        };
        self.lists.entries.pop_front();
        let begun = self.took(1, |place| task.enter(index, place));
        Some(Next { job: Job::Once(task), index, begun, is_last: self.waiting == 0 })
    }

    /// Takes what is next, and may have to be begun several times.
    #[cold]
    fn take_other(&mut self) -> Option<Next> {
        let entry = self.front()?;
        let forgotten = entry.forget_unwanted();
        let (job, index) = entry.take()?;
        if entry.shares() == 0 {
            self.lists.entries.pop_front();
        }
        let begun = self.took(forgotten + 1, |place| job.enter(index, place));
        Some(Next { job, index, begun, is_last: self.waiting == 0 })
    }

    /// Enters that one was taken, and so many do not wait any more.
    #[inline]
    fn took(&mut self, less: usize, enter: impl FnOnce(&mut Option<Running>)) -> Begun {
        self.waiting -= less;
        self.taken = self.taken.wrapping_add(1);
        self.slots.begin();
        self.enter(Place::Own, enter)
    }

    /// Takes several tasks, and begins the first. Half is left for others, if there are any: who comes
    /// later takes them over. The first half, mostly; where tasks are being joined in their order, the
    /// second, as the first is run by who joins them.
    fn take_several(&mut self, hand: &OwnHand) -> Option<Next> {
        let hand = hand.get_or_make();
        let is_alone = self.runners == self.asked;
        let most = if is_alone { self.waiting } else { self.waiting / 2 }.min(MOST);
        let entries = &mut self.lists.entries;
        let is_plain = |entry: &&Entry| entry.shares() == 1;
        let mut range = 0..entries.iter().take(most).take_while(is_plain).count();
        if mem::take(&mut self.joined_in_order) {
            let several = entries.iter().rev().take(most).take_while(is_plain).count();
            if several > 0 {
                range = entries.len() - several..entries.len();
            }
        }
        self.waiting -= range.len();
        let (job, index) = hand.fill(entries, range)?;
        let key = self.lists.hands.insert(hand.clone());
        self.lists.full.push(key);
        self.slots.begin();
        self.at_work += 1;
        let begun = Begun { kind: Kind::Several, key };
        Some(Next { job, index, begun, is_last: self.waiting == 0 })
    }

    /// Takes half of what some runner has in hand back into the queue, which is empty. Returns
    /// whether there was something.
    fn take_over(&mut self) -> bool {
        while let Some(&key) = self.lists.full.last() {
            let (some, left) = self.lists.hands[key].take_half();
            if left == 0 {
                self.lists.full.pop();
            }
            if !some.is_empty() {
                self.waiting = some.len();
                self.lists.entries = some;
                return true;
            }
        }
        false
    }

    /// Takes all back into the queue that runners have in hand and that has not begun.
    pub(super) fn recall(&mut self) {
        for key in mem::take(&mut self.lists.full) {
            let some = self.lists.hands[key].take_all();
            self.waiting += some.len();
            self.lists.entries.extend(some);
        }
        self.lists.entries.make_contiguous().sort_by_key(Entry::key);
    }
}

impl Queue {
    /// Gives back what ran before, and takes the next task, if one may begin. Where there are many,
    /// more of them go into `hand`.
    pub(in crate::thread) fn next(
        &self,
        before: Option<Begun>,
        hand: Option<&OwnHand>,
    ) -> (Option<Next>, Follow) {
        let mut inner = self.lock_to_take();
        if let Some(begun) = before {
            inner.end(begun);
        }
        let (next, mut follow) = (inner.take(hand), Follow::NONE);
        inner.after(before, &self.inlet, &mut follow);
        (next, follow)
    }

    /// As [`next`](Self::next), for a runner, which goes away if there is nothing, and nobody is
    /// likely to come soon with something. Returns whether it stays.
    pub(in crate::thread) fn next_or_detach(
        &self,
        before: Option<Begun>,
        hand: &OwnHand,
    ) -> (Option<Next>, Follow, bool) {
        let mut inner = self.lock_to_take();
        if let Some(begun) = before {
            inner.end(begun);
        }
        let mut next = inner.take(Some(hand));
        if next.is_none() && !inner.expects {
            self.inlet.shut(&mut inner);
            next = inner.take(Some(hand));
        }
        let stays = next.is_some() || inner.expects;
        if !stays {
            inner.runners -= 1;
        }
        let mut follow = Follow::NONE;
        inner.after(before, &self.inlet, &mut follow);
        (next, follow, stays)
    }

    /// Takes the next task for a runner that has nothing, if one may begin; and says whether the scope has
    /// ended.
    pub(in crate::thread) fn next_or_over(&self, hand: &OwnHand) -> (Option<Next>, bool) {
        let mut inner = self.lock_to_take();
        let next = inner.take(Some(hand));
        let (is_over, left) = (inner.is_over, inner.leave(&self.inlet));
        drop(inner);
        drop(left);
        (next, is_over)
    }

    /// Enters that a runner has waited in vain for those who are likely to come.
    pub(in crate::thread) fn expect_nobody(&self) {
        self.lock().expects = false;
    }
}
