//! Who stands in one place of a list, and how they are woken.

use std::any::Any;
use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

use crate::sync::Arc;

use super::Waiter;
use super::gate::Gate;

/// A place on a list. Later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Ticket {
    pub(super) const FIRST: Ticket = Ticket(0);

    /// Returns this one, and becomes the next.
    pub(super) fn draw(&mut self) -> Ticket {
        let drawn = *self;
        self.0 += 1;
        drawn
    }
}

/// Who stands in one place.
#[derive(Debug)]
pub(super) enum Place {
    One(Waiter),
    /// So many threads, which came one after the other. They share the ticket: none is told from
    /// the others.
    Crowd(Arc<Gate>, usize),
}

/// Those who wait for one group, in the order of their arrival, which is that of their tickets.
pub(super) type Queue = VecDeque<(Ticket, Place)>;

/// Waiters that were taken off their list and are to be woken, when no lock is held.
#[must_use]
pub(super) enum Released {
    Nobody,
    One(Place),
    Many(Queue),
}

impl Released {
    /// Wakes everybody, in the order of their arrival, also if a waker panics: the first panic goes
    /// on when all have been woken, unless the thread is panicking already.
    #[inline]
    pub(super) fn wake_all(self) {
        let first = match self {
            Released::Nobody => None,
            Released::One(place) => wake(place).err(),
            Released::Many(queue) => wake_each(queue),
        };
        if let Some(payload) = first {
            surface(payload);
        }
    }
}

#[cold]
fn surface(payload: Box<dyn Any + Send>) {
    if std::thread::panicking() { discard(payload) } else { resume_unwind(payload) }
}

/// Returns the first panic.
#[cold]
fn wake_each(queue: Queue) -> Option<Box<dyn Any + Send>> {
    let mut first = None;
    for (_, place) in queue {
        if let Err(payload) = wake(place) {
            match &first {
                None => first = Some(payload),
                Some(_) => discard(payload),
            }
        }
    }
    first
}

/// As [`Released::wake_all`], for a single task.
#[inline]
pub(super) fn wake_task(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        surface(payload);
    }
}

fn wake(place: Place) -> std::thread::Result<()> {
    catch_unwind(AssertUnwindSafe(|| match place {
        Place::One(Waiter::Thread(thread)) => thread.unpark(),
        Place::One(Waiter::Task(waker)) => waker.wake(),
        Place::Crowd(gate, _) => gate.open(),
    }))
}

/// Drops a panic's payload, whose own drop may panic, as may the drop of what that throws. Where
/// there is no end to it, the last is leaked.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(worse) => payload = worse,
        }
    }
    mem::forget(payload);
}
