//! Who waits for a future, and polls it himself where nobody else may.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use wg_core::sync::current;

use super::{Await, FutureCell, Join, Start};
use crate::context::Role;
use crate::outcome::Outcome;
use crate::settle::Settle;
use crate::task_info::TaskInfo;
use crate::thread::frame;
use crate::thread::onward::with_room;
use crate::thread::pool;
use crate::thread::queue::{Begun, Guest, Taken};
use crate::thread::ring::{Driver, needs_hands};
use crate::thread::shared::Shared;
use crate::thread::task::run_framed;
use crate::thread::wait::{Vain, wait};

/// What ends a joiner's sleep.
enum Step<T> {
    Ended(Outcome<T>),
    Turn(Turn),
}

/// What a joiner can do for the future.
enum Turn {
    /// The scope is cancelled, and the future is there to be dropped.
    Drop,
    PollInSlot,
    PollAsGuest,
}

impl<'scope, F, T, S> FutureCell<'scope, F, T, S>
where
    F: Start<'scope, T>,
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn advance_in_frame(&self, home: &Arc<Shared>, index: u64) {
        with_room(home, || {
            let _frame = frame::enter(home, Role::Task);
            self.advance(home, index, None);
        });
    }

    fn advance_in_slot(&self, home: &Arc<Shared>, index: u64) {
        let begun = home.queue.begin_in_slot(self.origin.task(index));
        self.advance_in_frame(home, index);
        home.queue.end_in_slot(begun);
    }

    fn advance_as_guest(&self, home: &Arc<Shared>, index: u64, begun: Begun) {
        self.advance_in_frame(home, index);
        let follow = home.queue.end(begun, pool::cores());
        home.follow(follow);
    }

    /// Takes the job out of the queue if the future has never been polled, and does what a runner would
    /// do, if this thread may.
    fn run_in_place(&self, home: &Arc<Shared>, index: u64) {
        if has_slot(home) {
            if let Some((job, begun, follow)) = home.queue.take_in_slot(index) {
                home.follow(follow);
                run_framed(home, job, index);
                home.queue.end_in_slot(begun);
            }
        } else if let Taken::Begun(job, begun) = home.queue.take_as(guest(home), index) {
            run_framed(home, job, index);
            let follow = home.queue.end(begun, pool::cores());
            home.follow(follow);
        }
    }

    /// What a joiner does that was woken, and may poll the future; None: it sleeps on.
    fn turn(&self, home: &Arc<Shared>, waker: &Waker) -> Option<Turn> {
        if !self.drive(Driver::Thread(waker.clone())) {
            return None;
        }
        if has_slot(home) {
            return Some(Turn::PollInSlot);
        }
        // All slots may be taken. A runner will come to it, or a slot becomes free for it.
        home.queue.has_room_for(guest(home), current()).then_some(Turn::PollAsGuest)
    }
}

fn has_slot(home: &Arc<Shared>) -> bool {
    frame::role_in(home) == Some(Role::Task)
}

/// What this thread is to the scope if it has no slot there.
fn guest(home: &Arc<Shared>) -> Guest {
    if frame::is_inside_a_task_of(home) { Guest::OfSleeper } else { Guest::Stranger }
}

impl<'scope, F, T, S> Join<T> for FutureCell<'scope, F, T, S>
where
    F: Start<'scope, T>,
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn join(
        &self,
        home: &Arc<Shared>,
        index: u64,
        deadline: Option<Instant>,
    ) -> Result<Outcome<T>, Vain> {
        if let Some(outcome) = self.take() {
            return Ok(outcome);
        }
        let mut may_drop = true;
        // A body whose stack is not for these tasks has runners that it can wait for.
        let is_body = frame::role_in(home) == Some(Role::Body);
        let polls = home.runs_anywhere() || !is_body;
        if deadline.is_none() && polls && !home.is_cancelled() {
            self.run_in_place(home, index);
            if let Some(outcome) = self.take() {
                return Ok(outcome);
            }
        }
        loop {
            let step = wait(home, deadline, |waker| {
                if let Some(outcome) = self.take_or_wait(waker) {
                    return Some(Step::Ended(outcome));
                }
                if home.is_cancelled() {
                    return may_drop.then_some(Step::Turn(Turn::Drop));
                }
                // A timed join polls nothing: there would be no end to it.
                if deadline.is_some() || !polls {
                    return None;
                }
                self.turn(home, waker).map(Step::Turn)
            });
            let turn = match step {
                Ok(Step::Ended(outcome)) => return Ok(outcome),
                Ok(Step::Turn(turn)) => turn,
                Err(vain) => {
                    self.dismiss();
                    return Err(vain);
                }
            };
            match turn {
                Turn::Drop => {
                    may_drop = false;
                    self.advance(home, index, None);
                }
                Turn::PollInSlot => self.advance_in_slot(home, index),
                // It is only now that this thread has its own slots back, in other scopes: who
                // waited for those with one of this scope in hand might wait for ever.
                Turn::PollAsGuest => {
                    let task = self.origin.task(index);
                    if let Some(begun) = home.queue.begin_as(guest(home), task) {
                        self.advance_as_guest(home, index, begun);
                    }
                }
            }
        }
    }

    fn abandon(&self, home: &Arc<Shared>, index: u64) {
        self.abandon_for(home, index);
    }

    fn is_finished(&self) -> bool {
        self.has_ended()
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.origin.task(index)
    }
}

impl<'scope, F, T, S> Await<T> for FutureCell<'scope, F, T, S>
where
    F: Start<'scope, T>,
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn poll_end(
        &self,
        home: &Arc<Shared>,
        index: u64,
        again: &mut bool,
        context: &Context<'_>,
    ) -> Poll<Outcome<T>> {
        let waker = context.waker();
        if let Some(outcome) = self.take_or_wait(waker) {
            return Poll::Ready(outcome);
        }
        // Whenever it is queued from here on, the one who awaits it is woken, where this is needed:
        // a limit must not keep a future in the queue for which one waits who has the slot.
        let queued = self.drive(Driver::Future(waker.clone()));
        let has_slot = has_slot(home);
        let may_poll = has_slot || guest(home) == Guest::OfSleeper;
        if !queued || !may_poll || !needs_hands(home) {
            *again = false;
            return Poll::Pending;
        }
        let others_come = home.queue.has_runners() && home.queue.has_slot();
        if others_come && !*again {
            // They come to it before this one's turn comes again: both at once is better.
            *again = true;
            waker.wake_by_ref();
            return Poll::Pending;
        }
        *again = false;
        if has_slot {
            self.advance_in_slot(home, index);
        } else if let Some(begun) = home.queue.begin_as_guest(self.origin.task(index)) {
            self.advance_as_guest(home, index, begun);
        } else {
            // The one whose slot it may have does not sleep yet.
            waker.wake_by_ref();
        }
        self.take_or_wait(waker).map_or(Poll::Pending, Poll::Ready)
    }
}
