//! What a runner has taken out of the queue ahead: where nothing limits how many tasks run at once, it
//! takes several for one round of the queue's lock, and begins them one after the other. They are
//! still there for others, who take them over as soon as the queue itself is empty: whoever has them
//! in hand may be blocked.

use std::cell::{Cell, OnceCell};
use std::collections::VecDeque;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

use wg_core::sync::{self, Mutex};

use super::lists::LONGEST;
use super::{Entry, Running};
use crate::thread::job::Job;

/// The tasks that one runner has in hand. Its lock is taken with that of the queue held, never the
/// other way round. Only with both held anything is laid into a hand.
#[derive(Clone)]
pub(in crate::thread) struct Hand(Arc<Mutex<Held>>);

/// A runner's place for its hand, which is made when there is first something to lay in it. A thread
/// keeps one hand for its next scope.
#[derive(Default)]
pub(in crate::thread) struct OwnHand(OnceCell<Hand>);

sync::thread_local! {
    static SPARE: Cell<Option<Hand>> = const { Cell::new(None) };
}

impl OwnHand {
    pub(in crate::thread) fn get(&self) -> Option<&Hand> {
        self.0.get()
    }

    pub(super) fn get_or_make(&self) -> &Hand {
        self.0.get_or_init(|| SPARE.try_with(Cell::take).ok().flatten().unwrap_or_default())
    }
}

impl Drop for OwnHand {
    fn drop(&mut self) {
        // No other scope is to see it where this one still does.
        if let Some(hand) = self.0.take().filter(|hand| Arc::strong_count(&hand.0) == 1) {
            // In a thread whose locals are gone already, it goes too.
            let _ = SPARE.try_with(|spare| spare.set(Some(hand)));
        }
    }
}

#[derive(Default)]
struct Held {
    /// In the order of the queue.
    ahead: VecDeque<Entry>,
    current: Option<Running>,
    /// How many were begun that the queue has not heard of.
    taken: u64,
}

impl Default for Hand {
    fn default() -> Self {
        Hand(Arc::new(Mutex::new(Held::default())))
    }
}

impl Hand {
    /// Gives back the task that was begun before, and begins the next that is in hand.
    pub(in crate::thread) fn next(&self) -> Option<(Job, u64)> {
        self.0.lock().begin()
    }

    /// Lays down the entries in `range`, of which none has begun, and begins the first.
    pub(super) fn fill(
        &self,
        entries: &mut VecDeque<Entry>,
        range: Range<usize>,
    ) -> Option<(Job, u64)> {
        let mut held = self.0.lock();
        // A hand may be kept, and what is kept is not long.
        let is_short = entries.capacity() <= LONGEST;
        if range.len() == entries.len() && held.ahead.is_empty() && is_short {
            mem::swap(&mut held.ahead, entries);
        } else {
            held.ahead.extend(entries.drain(range));
        }
        held.begin()
    }

    /// Gives back how many were begun; nothing is in hand any more. `entries` gets the buffer of what was, if
    /// it has none.
    pub(super) fn settle(&self, entries: &mut VecDeque<Entry>) -> u64 {
        let mut held = self.0.lock();
        debug_assert!(held.ahead.is_empty(), "who settles has begun all that was in hand");
        if entries.capacity() == 0 {
            mem::swap(&mut held.ahead, entries);
        }
        held.current = None;
        mem::take(&mut held.taken)
    }

    /// Takes the back half of what has not begun, and how many are left.
    pub(super) fn take_half(&self) -> (VecDeque<Entry>, usize) {
        let mut held = self.0.lock();
        let left = held.ahead.len() / 2;
        (held.ahead.split_off(left), left)
    }

    /// Takes all that has not begun.
    pub(super) fn take_all(&self) -> VecDeque<Entry> {
        mem::take(&mut self.0.lock().ahead)
    }

    /// Takes out what has not begun and has this key, for its joiner; and where it was the next, the half
    /// behind it as well, if all of that is before the entry with the key `next`: who joins those in
    /// their order is as fast as this runner, and the two had better not be at the same ones.
    pub(super) fn retract(&self, key: u64, next: Option<u64>) -> Option<(Job, VecDeque<Entry>)> {
        let ahead = &mut self.0.lock().ahead;
        let place = ahead.binary_search_by_key(&key, Entry::key).ok()?;
        let (job, _) = ahead.remove(place)?.take()?;
        let half = if place == 0 { ahead.len() / 2 } else { 0 };
        let Some(last) = half.checked_sub(1) else { return Some((job, VecDeque::new())) };
        if next.is_some_and(|next| ahead[last].key() > next) {
            return Some((job, VecDeque::new()));
        }
        let kept = ahead.split_off(half);
        Some((job, mem::replace(ahead, kept)))
    }

    pub(super) fn ahead(&self) -> usize {
        self.0.lock().ahead.len()
    }

    pub(super) fn taken(&self) -> u64 {
        self.0.lock().taken
    }

    /// Shows what runs and what has not begun.
    pub(super) fn look<R>(
        &self,
        look: impl FnOnce(Option<&mut Running>, &VecDeque<Entry>) -> R,
    ) -> R {
        let mut held = self.0.lock();
        let Held { ahead, current, .. } = &mut *held;
        look(current.as_mut(), ahead)
    }
}

impl Held {
    /// Begins the next, in place of the one that was begun before: of that, a name is let go of at most.
    #[inline]
    fn begin(&mut self) -> Option<(Job, u64)> {
        let Some(mut entry) = self.ahead.pop_front() else {
            self.current = None;
            return None;
        };
        self.taken += 1;
        // A task is a word, and goes from hand to hand in a register.
        match entry.take_task() {
            Some((task, index)) => {
                task.enter(index, &mut self.current);
                Some((Job::Once(task), index))
            }
            None => Some(self.begin_other(entry)),
        }
    }

    #[cold]
    fn begin_other(&mut self, mut entry: Entry) -> (Job, u64) {
        let (job, index) = entry.take().expect("what is in hand is not empty");
        job.enter(index, &mut self.current);
        (job, index)
    }
}

#[cfg(all(test, not(wg_loom)))]
mod tests {
    use super::*;
    use crate::task_info::{Label, TaskInfo};
    use crate::thread::job::Run;

    struct Nothing;

    impl Run for Nothing {
        fn run(&self, _: u64) {}

        fn info(&self, index: u64) -> TaskInfo {
            TaskInfo::new(index, Label::at(std::panic::Location::caller()))
        }
    }

    #[test]
    fn a_short_buffer_goes_into_the_hand_as_it_is_and_a_long_one_stays() {
        for (capacity, stays) in [(LONGEST, false), (LONGEST + 1, true)] {
            let (hand, mut entries) = (Hand::default(), VecDeque::with_capacity(capacity));
            entries.extend((0..5).map(|index| Entry::of(Job::Often(Arc::new(Nothing)), index)));
            assert!(hand.fill(&mut entries, 0..5).is_some_and(|(_, index)| index == 0));
            assert_eq!((hand.ahead(), entries.len()), (4, 0));
            assert_eq!(entries.capacity() > LONGEST, stays);
        }
    }
}
