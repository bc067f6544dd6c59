//! A task that reads results in a slot of its scope: those it waits for may need that very slot.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Waker};

use wg_core::sync::Mutex;

use super::cell::DEEP;
use super::child::{Child, Where};
use super::line::Entry;
use super::place::Polls;
use super::shared::Shared;
use crate::context;
use crate::outlet::Outlet;

/// An outlet, and which of its tasks wait for a slot of their scope.
pub(crate) struct Exit<T> {
    outlet: Outlet<T>,
    /// Their numbers in the line. Some may have left it: whoever enters the next sees to it that
    /// they are not many.
    lined: Mutex<VecDeque<i64>>,
}

impl<T> Exit<T> {
    /// Creates one; `reader` wakes who will probably read it.
    pub(super) fn new(reader: Waker) -> Self {
        Exit { outlet: Outlet::new(usize::MAX, reader), lined: Mutex::new(VecDeque::new()) }
    }

    /// Enters that a task waits in the line, where none has a number below `lowest`.
    pub(super) fn line_up(&self, number: i64, lowest: i64) {
        let mut lined = self.lined.lock();
        while lined.front().is_some_and(|first| *first < lowest) {
            lined.pop_front();
        }
        if lined.front().is_some_and(|first| number < *first) {
            lined.push_front(number);
        } else {
            lined.push_back(number);
        }
    }

    fn next_lined(&self) -> Option<i64> {
        self.lined.lock().pop_front()
    }
}

impl<T> Deref for Exit<T> {
    type Target = Outlet<T>;

    fn deref(&self) -> &Outlet<T> {
        &self.outlet
    }
}

/// A task that goes on in the slot of the one who waits for its result.
pub(super) enum Helped<P: Polls> {
    Nobody,
    /// It is polled by the one who waits.
    Here(P::Child),
    /// It is polled by its place.
    Beside(P::Child),
}

impl<P: Polls> Helped<P> {
    /// Lends the slot in which this is called, if it is one, to a task that waits for one. Returns
    /// whether that has done what there was to do.
    pub(super) fn help<T>(
        &mut self,
        shared: &Arc<Shared<P>>,
        exit: &Exit<T>,
        context: &mut Context<'_>,
    ) -> bool {
        if !context::is_in_a_task_of(&shared.node) {
            self.give_back(shared, exit);
            return false;
        }
        match self {
            Helped::Beside(child) if !child.has_ended() => return false,
            Helped::Nobody | Helped::Beside(_) => *self = Self::begin(shared, exit),
            Helped::Here(_) => {}
        }
        let Helped::Here(child) = self else { return false };
        let mut ready = child.poll(context).is_ready();
        // Whoever stops all may have looked while it was in hand.
        if !ready && shared.signal.is_stopped() {
            child.stop();
            ready = true;
        }
        if ready {
            *self = Helped::Nobody;
        }
        ready
    }

    /// Begins the first that waits in the line.
    fn begin<T>(shared: &Arc<Shared<P>>, exit: &Exit<T>) -> Self {
        let how = if context::depth() > DEEP { Where::Beside } else { Where::Here };
        while let Some(number) = exit.next_lined() {
            let Some(child) = shared.at(number) else { continue };
            let mut enter = |number| shared.begin_in_place(&child, number);
            let Some(key) = child.begin_in_place(how, &mut enter) else { continue };
            if how == Where::Here {
                return Helped::Here(child);
            }
            shared.start(child.clone(), key);
            return Helped::Beside(child);
        }
        Helped::Nobody
    }

    /// Has the task that is polled here go on in a slot of its own, before all others that wait.
    pub(super) fn give_back<T>(&mut self, shared: &Arc<Shared<P>>, exit: &Exit<T>) {
        let Helped::Here(child) = std::mem::replace(self, Helped::Nobody) else { return };
        let note = |number, lowest| exit.line_up(number, lowest);
        let mut enter = || -> Entry { shared.enter_and_note(&child, true, note) };
        let key = child.move_out(&mut enter);
        if let Some(key) = key {
            shared.start(child, key);
        }
        // Whoever cancelled the scope may have looked at the line before the child was there.
        if shared.is_cancelled() {
            shared.drain();
        }
    }
}
