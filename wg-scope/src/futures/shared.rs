//! What the body, the children and the handles of one scope share.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crossbeam_utils::CachePadded;
use wg_core::sync::{AtomicU64, Mutex, Ordering, now};
use wg_core::{OwnedToken, WaitGroup};

use super::child::Child;
use super::line::{By, Entry, Key, Line, Opened};
use super::place::Polls;
use super::roll::{Entered, Left, Roll, Running, Stop};
use super::signal::Signal;
use crate::cause::Cause;
use crate::context;
use crate::options::Options;
use crate::outcome::{discard, drop_caught};
use crate::policy::Policy;
use crate::record::Record;
use crate::report::{Alive, Counts, NAMED, StillRunning};
use crate::task_info::Label;

pub(crate) struct Shared<P: Polls> {
    record: Record,
    /// The tasks that have not ended.
    pub(crate) group: Arc<WaitGroup>,
    pub(crate) signal: Arc<Signal>,
    /// How many tasks were spawned: the index of the next.
    spawned: CachePadded<AtomicU64>,
    /// Whoever is at this one and at the roll locks this one first.
    line: CachePadded<Mutex<Line<P::Child>>>,
    roll: Roll<P::Child, P::Handle>,
    pub(crate) place: P,
    /// How long tasks that run have after a cancel.
    pub(crate) grace: Option<Duration>,
}

impl<P: Polls> Shared<P> {
    pub(crate) fn new(options: &Options, policy: Policy, place: P) -> Arc<Self> {
        let limit = options.limit.map_or(usize::MAX, std::num::NonZeroUsize::get);
        let record = Record::new(options, policy);
        record.node.set_lineage(context::lineage());
        Arc::new(Shared {
            record,
            group: Arc::new(WaitGroup::new()),
            signal: Arc::default(),
            spawned: CachePadded::new(AtomicU64::new(0)),
            line: CachePadded::new(Mutex::new(Line::new(limit))),
            roll: Roll::new(P::LISTS, limit != usize::MAX),
            place,
            grace: options.grace,
        })
    }

    /// Counts one more member of the scope that is no task. None if the scope has ended.
    pub(crate) fn token(&self) -> Option<OwnedToken> {
        self.group.try_owned_token().ok()
    }

    /// Numbers a task that is spawned, counts it, and gives it a slot if there is one, and if it is to
    /// begin.
    #[inline]
    pub(crate) fn open(&self, label: &Label) -> (u64, Opened) {
        let index = self.number();
        let child = || Running::Placed { label: label.clone(), index, stop: None };
        let begins = !self.skips(index);
        if begins {
            match self.roll.enter_and_count(child, index, &self.group) {
                Entered::Counted(key) => return (index, Opened::Begins(key, By::List)),
                Entered::Refused => return (index, Opened::Refused),
                Entered::Limited => {}
            }
        }
        (index, self.line.lock().open(&self.roll, &self.group, child, index, begins))
    }

    /// Enters whom to wake to stop a child that waits, and that its place has; see [`Roll::waits`].
    pub(crate) fn waits(&self, key: Key, waker: &Waker, again: bool) -> bool {
        self.roll.waits(key, waker, again)
    }

    /// Whether a child is to stop that its place has.
    pub(crate) fn is_told(&self, key: Key) -> bool {
        // The flag alone says no at once, and whoever is woken to stop sees that it is up.
        self.is_cancelled() && self.roll.is_stopped(key)
    }

    /// The index of the next child.
    pub(crate) fn number(&self) -> u64 {
        // ORDERING: Relaxed. It says nothing about other memory.
        self.spawned.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether every task has ended; then no more are let in.
    pub(crate) fn has_ended(&self) -> bool {
        if self.group.count() > 0 {
            return false;
        }
        self.group.close();
        // Somebody may have been faster.
        self.group.count() == 0
    }

    /// Whether the body is not to be waited for any more: the scope has failed, or has been cancelled
    /// from outside, and every task has ended. If it was cancelled by hand the body goes on.
    pub(crate) fn gives_up(&self) -> bool {
        if !self.is_cancelled() || !self.signal.is_stopped() || self.group.count() > 0 {
            return false;
        }
        let by_hand =
            |cause| matches!(cause, Cause::Asked(_) | Cause::Decided | Cause::ReceiverGone);
        !self.node.cause().is_none_or(by_hand)
    }

    /// Gives a slot to a child, or a place in the line. `first`: before all others that wait.
    pub(crate) fn enter(&self, child: &P::Child, first: bool) -> Entry {
        self.line.lock().enter(&self.roll, child, first)
    }

    /// As [`enter`](Self::enter); `note` hears of a place in the line, under its lock.
    pub(crate) fn enter_and_note(
        &self,
        child: &P::Child,
        first: bool,
        note: impl FnOnce(i64, i64),
    ) -> Entry {
        let mut line = self.line.lock();
        let entry = line.enter(&self.roll, child, first);
        if let Entry::Waits(number) = entry {
            note(number, line.lowest().unwrap_or(number));
        }
        entry
    }

    /// Starts a child that waits, and that nobody else can reach, as soon as there is a slot for it.
    pub(crate) fn submit(self: &Arc<Self>, child: P::Child, first: bool) {
        if let Entry::Begins(key) = self.enter(&child, first) {
            let driven = child.drive(key);
            debug_assert!(driven, "nobody else can reach it");
            self.start(child, key);
        }
        // Whoever cancelled the scope may have looked at the line before the child was there.
        if self.record.is_cancelled() {
            self.drain();
        }
    }

    /// Has a child polled by its place.
    pub(crate) fn start(self: &Arc<Self>, child: P::Child, key: Key) {
        if let Some(handle) = P::start(self, child) {
            let late = self.roll.attach(key, handle);
            late.into_iter().for_each(P::stop);
        }
    }

    /// Enters that a child that waited is begun in the slot of another.
    pub(crate) fn begin_in_place(&self, child: &P::Child, number: i64) -> Key {
        let mut line = self.line.lock();
        let (key, waited) = line.begin_in_place(&self.roll, child, number);
        let hopeful = line.hopeful();
        drop(line);
        drop(waited);
        wake(hopeful);
        key
    }

    /// The child that waits with this number.
    pub(crate) fn at(&self, number: i64) -> Option<P::Child> {
        self.line.lock().at(number)
    }

    /// Takes a child out of the line again. Returns false if it has left that already.
    pub(crate) fn withdraw(&self, number: i64) -> bool {
        let mut line = self.line.lock();
        let waited = line.withdraw(number);
        let hopeful = line.hopeful();
        drop(line);
        wake(hopeful);
        waited.is_some()
    }

    /// Enters the end of a child, or that it waits again, and gives its slot to the next.
    pub(crate) fn end(self: &Arc<Self>, key: Option<Key>, had_slot: bool) {
        self.end_task(&Standing { key, has_slot: had_slot, counts: By::Nobody });
    }

    /// As [`end`](Self::end), for a task, of which nothing of the user's is left: it does not count any
    /// more, if it did.
    #[inline]
    pub(crate) fn end_task(self: &Arc<Self>, standing: &Standing) {
        let counted = standing.counts == By::List;
        let left = standing.key.and_then(|key| self.roll.leave(key, counted));
        if left.is_some() || standing.counts == By::Line {
            self.end_wholly(left, standing);
        }
    }

    #[inline(never)]
    fn end_wholly(self: &Arc<Self>, left: Option<Left<P::Child, P::Handle>>, standing: &Standing) {
        let Standing { has_slot, counts, .. } = *standing;
        let (mut frees, mut last) = (false, None);
        if let Some(Left { child, token, limited }) = left {
            (frees, last) = (has_slot && limited, token);
            drop_caught(child).unwrap_or_else(discard);
        }
        if frees || counts == By::Line {
            let mut line = self.line.lock();
            if frees {
                line.free_slot();
                if line.is_wanted() {
                    // The scope is not to end while somebody is still giving its slots away.
                    drop(line);
                    self.fill();
                    line = self.line.lock();
                }
            }
            if counts == By::Line {
                last = line.discount();
            }
        }
        if last.is_some() {
            // Those who wait for all may have wakers that panic.
            drop_caught(last).unwrap_or_else(discard);
            if self.group.count() == 0 {
                self.signal.ring();
            }
        }
    }

    /// Starts those that wait, as far as there are slots. One at a time does so: a runtime that is
    /// shut down drops what is started at once, and who then came back here for the next would need
    /// a stack as long as the line.
    fn fill(self: &Arc<Self>) {
        if !self.line.lock().begin_to_fill() {
            return;
        }
        loop {
            let mut line = self.line.lock();
            let next = line.next(&self.roll);
            if next.is_none() {
                line.end_filling();
            }
            let hopeful = line.hopeful();
            drop(line);
            wake(hopeful);
            let Some((child, key)) = next else { return };
            self.start_or_undo(child, key);
        }
    }

    fn start_or_undo(self: &Arc<Self>, child: P::Child, key: Key) {
        if child.drive(key) {
            self.line.lock().unqueue();
            self.start(child, key);
        } else {
            // Its joiner was faster.
            drop(self.roll.leave(key, false));
            self.line.lock().free_slot();
        }
    }

    /// Drops what waits, because the scope is cancelled.
    pub(crate) fn drain(&self) {
        let waiting = self.line.lock().drain();
        for child in waiting.into_values() {
            if child.cancel() {
                self.line.lock().unqueue();
            }
        }
    }

    /// Drops what runs, as soon as it is not being polled.
    pub(crate) fn stop(&self) {
        self.signal.stop();
        let mut wakers = Vec::new();
        for running in self.roll.stop() {
            match running {
                Stop::Wakes(waker) => wakers.push(waker),
                Stop::Handle(handle) => P::stop(handle),
                Stop::Child(child) => child.stop(),
            }
        }
        wake(wakers);
    }

    /// Whether there is room for a child that is spawned now; if not, `waker` is woken when that may
    /// have changed.
    pub(crate) fn has_room(&self, waker: Option<&Waker>) -> bool {
        let waker = waker.cloned();
        let mut line = self.line.lock();
        let room = line.has_room();
        if let (false, Some(waker)) = (room, waker) {
            line.hope(waker);
        }
        room
    }

    pub(crate) fn limit(&self) -> usize {
        self.line.lock().limit()
    }

    pub(crate) fn set_limit(self: &Arc<Self>, limit: usize) {
        self.line.lock().set_limit(&self.roll, limit);
        self.fill();
    }

    pub(crate) fn counts(&self) -> Counts {
        // First, so that nobody counts as ended who is being spawned.
        let spawned = usize::try_from(self.spawned.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let line = self.line.lock();
        // Under the line's lock, so that nobody who waits begins meanwhile.
        let (waiting, running) = (line.queued(), self.roll.len());
        drop(line);
        let ended = spawned.saturating_sub(waiting + running);
        Counts { spawned: ended + waiting + running, waiting, running, ended }
    }

    /// Begins to count the age of what runs.
    pub(crate) fn look(&self) {
        self.roll.look();
    }

    pub(crate) fn alive(&self) -> StillRunning {
        let line = self.line.lock();
        self.roll.look();
        let running = self.roll.alive(NAMED);
        let waiting = line.first(NAMED - running.len());
        drop(line);
        let time = now();
        let age = |since| time.saturating_duration_since(since);
        let running = running.into_iter().map(|(task, since)| Alive::new(task, since.map(age)));
        let waiting = waiting.iter().filter(|child| child.is_waiting());
        let waiting = waiting.map(|child| Alive::new(child.info(), None));
        let counts = self.counts();
        let total = counts.waiting + counts.running;
        StillRunning::new(self.record.name.as_deref(), running.chain(waiting).collect(), total)
    }
}

/// How a task stands in the line of its scope.
#[derive(Clone, Copy)]
pub(crate) struct Standing {
    /// Where it stands among those that run, if it does.
    pub(crate) key: Option<Key>,
    pub(crate) has_slot: bool,
    pub(crate) counts: By,
}

impl Standing {
    /// Enters that the task begins in a slot of its own.
    pub(crate) fn begin(&mut self, key: Key) {
        (self.key, self.has_slot) = (Some(key), true);
    }
}

fn wake(wakers: Vec<Waker>) {
    for waker in wakers {
        // A waker is foreign code. Whoever makes room is not to be blamed for its panic.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            discard(payload);
        }
    }
}

impl<P: Polls> Deref for Shared<P> {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

impl<P: Polls> std::fmt::Debug for Shared<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("record", &self.record).finish_non_exhaustive()
    }
}
