//! One future on its way from the queue to its end: polled where it is queued, shelved while it is
//! pending, dropped before its token.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use wg_core::Token;
use wg_core::sync::{Mutex, current};

use super::bell::Move;
use super::frame;
use super::job::{Job, Run};
use super::onward::with_room;
use super::pool;
use super::queue::{Begun, Guest, Taken};
use super::ring::{Driver, Ring, needs_hands};
use super::shared::Shared;
use super::task::run_framed;
use super::wait::{Vain, wait};
use crate::context::{self, Role};
use crate::ending::Ending;
use crate::outcome::{Outcome, Payload, drop_caught};
use crate::settle::Settle;
use crate::task_info::{Label, Stamp, TaskInfo};

/// A future as its handle sees it that blocks.
pub(super) trait Join<T>: Send + Sync {
    /// Blocks until the future has ended, and polls it meanwhile where nobody else may.
    fn join(&self, index: u64, deadline: Option<Instant>) -> Result<Outcome<T>, Vain>;

    /// Gives the result up: it is settled by whoever finds it first, here or at the future's end.
    fn abandon(&self, index: u64);

    fn is_finished(&self) -> bool;

    fn info(&self, index: u64) -> TaskInfo;
}

/// A future as its handle sees it.
pub(super) trait Await<T>: Join<T> {
    /// Takes the outcome if the future has ended; otherwise wakes the one who asks when it has. It
    /// may poll the future here. `again` is whether this wait has left it to the runners once.
    fn poll_end(&self, index: u64, again: &mut bool, context: &Context<'_>) -> Poll<Outcome<T>>;
}

pub(super) type Boxed<'scope, T> = Pin<Box<dyn Future<Output = T> + Send + 'scope>>;

/// What is left of a future that has not ended.
struct Rest<'scope, T> {
    future: Boxed<'scope, T>,
    token: Token<'scope>,
    /// When it was first polled, if it was.
    began: Stamp,
    /// Whether it was told that it is stopped: its error may be the echo of that.
    told: bool,
}

/// A future in a scope. It borrows nothing but what is in `rest`: everything else is there for
/// whoever comes late, and finds the scope by the ring.
pub(super) struct FutureCell<'scope, T, S> {
    ring: Arc<Ring>,
    ending: Ending<T, S>,
    /// Taken out by the one who polls. None from the end on.
    rest: Mutex<Option<Rest<'scope, T>>>,
}

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

impl<'scope, T, S> FutureCell<'scope, T, S>
where
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    pub(super) fn new(
        scope: &'scope Arc<Shared>,
        label: Label,
        future: Boxed<'scope, T>,
        settle: S,
    ) -> Self {
        let rest = Rest { future, token: scope.group.token(), began: Stamp::NEVER, told: false };
        FutureCell {
            ring: Arc::new(Ring::new(scope)),
            ending: Ending::new(scope.stamped(label), settle),
            rest: Mutex::new(Some(rest)),
        }
    }

    fn home(&self) -> Arc<Shared> {
        self.ring.home().expect("a handle does not outlive its scope")
    }

    /// Polls the future if it is queued, or drops it if the scope is cancelled. Whoever has the job
    /// in hand leaves it where it belongs.
    fn advance(&self, home: &Arc<Shared>, index: u64, job: Option<&Job>) {
        let drops = home.is_cancelled();
        if self.ring.step(|bell| bell.begin(drops)) {
            self.poll(home, index, job);
        } else if let Some(job) = job {
            if !self.ring.step(|bell| bell.has_ended()) {
                self.shelve(home, index, job);
                self.mind_cancel(home);
            }
        }
    }

    /// Polls a future that was begun.
    fn poll(&self, home: &Arc<Shared>, index: u64, job: Option<&Job>) {
        let mut rest = self.rest.lock().take().expect("one at a time polls a future");
        let begun = rest.began.is_set();
        let skips = if begun { home.is_cancelled() } else { home.skips(index) };
        if skips {
            return self.end(home, index, rest, Ok(None));
        }
        if !begun {
            rest.began = home.first_poll();
        }
        let waker = Waker::from(Arc::clone(&self.ring));
        let mut context = Context::from_waker(&waker);
        let poll = AssertUnwindSafe(|| rest.future.as_mut().poll(&mut context));
        let told = context::told();
        let polled = catch_unwind(poll);
        rest.told |= context::told() != told;
        match polled {
            Ok(Poll::Ready(value)) => self.end(home, index, rest, Ok(Some(value))),
            Err(payload) => self.end(home, index, rest, Err(payload)),
            Ok(Poll::Pending) if home.is_cancelled() => self.end(home, index, rest, Ok(None)),
            Ok(Poll::Pending) => {
                *self.rest.lock() = Some(rest);
                // From here on others may poll it, to its end even, and the scope with it.
                let (what, queued) = self.ring.step(|bell| {
                    let what = bell.pend(job.is_some());
                    (what, bell.is_queued())
                });
                self.carry_out(home, index, job, what);
                if queued {
                    self.ring.tell(home);
                }
                self.mind_cancel(home);
            }
        }
    }

    fn carry_out(&self, home: &Arc<Shared>, index: u64, job: Option<&Job>, what: Move) {
        match (what, job) {
            (Move::Nothing, _) => {}
            (Move::Queue, Some(job)) => home.requeue(again(job), index),
            (Move::Shelve, Some(job)) => self.shelve(home, index, job),
            (Move::Unshelve(key), _) => home.unshelve(key),
            (Move::Drop(key), _) => drop(home.queue.unkeep(key)),
            (Move::Queue | Move::Shelve, None) => unreachable!("the job is in nobody's hand"),
        }
    }

    fn shelve(&self, home: &Arc<Shared>, index: u64, job: &Job) {
        let key = home.queue.shelve(again(job), index);
        let what = self.ring.step(|bell| bell.shelved(key));
        self.carry_out(home, index, None, what);
    }

    /// Whoever cancelled the scope may have looked at the shelf before the future was there.
    fn mind_cancel(&self, home: &Shared) {
        if home.is_cancelled() {
            self.ring.ring();
        }
    }

    /// Ends the future. When the token goes, at the very end, everything of the user's has been
    /// dropped or handed over (rule 1).
    fn end(
        &self,
        home: &Arc<Shared>,
        index: u64,
        rest: Rest<'scope, T>,
        result: Result<Option<T>, Payload>,
    ) {
        let Rest { future, token, began, told } = rest;
        let result = match (drop_caught(future), result) {
            (Ok(()), result) => result,
            (Err(payload), Ok(value)) => {
                // As with a closure, a panic in the drop of what it holds costs it its value.
                if let Err(worse) = drop_caught(value) {
                    self.ending.panicked(home, index, worse);
                }
                Err(payload)
            }
            (Err(worse), Err(payload)) => {
                self.ending.panicked(home, index, worse);
                Err(payload)
            }
        };
        self.ending.record(home, index, began, &result);
        let (what, driver) = self.ring.end();
        self.carry_out(home, index, None, what);
        if let Err(payload) = drop_caught(driver) {
            self.ending.panicked(home, index, payload);
        }
        self.ending.conclude(home, index, result, told);
        drop(token);
    }

    fn advance_in_frame(&self, home: &Arc<Shared>, index: u64) {
        with_room(home, || {
            let _frame = frame::enter(home, Role::Task);
            self.advance(home, index, None);
        });
    }

    fn advance_in_slot(&self, home: &Arc<Shared>, index: u64) {
        let begun = home.queue.begin_in_slot(self.ending.task(index));
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
        if !self.ring.drive(Driver::Thread(waker.clone())) {
            return None;
        }
        if has_slot(home) {
            return Some(Turn::PollInSlot);
        }
        // All slots may be taken. A runner will come to it, or a slot becomes free for it.
        home.queue.has_room_for(guest(home), current()).then_some(Turn::PollAsGuest)
    }
}

fn again(job: &Job) -> Job {
    job.share().expect("a future's job may be run several times")
}

fn has_slot(home: &Arc<Shared>) -> bool {
    frame::role_in(home) == Some(Role::Task)
}

/// What this thread is to the scope if it has no slot there.
fn guest(home: &Arc<Shared>) -> Guest {
    if frame::is_inside_a_task_of(home) { Guest::OfSleeper } else { Guest::Stranger }
}

impl<'scope, T, S> Run for FutureCell<'scope, T, S>
where
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn run(&self, index: u64) {
        if let Some(home) = self.ring.home() {
            self.advance(&home, index, None);
        }
    }

    fn run_as(&self, index: u64, job: &Job) {
        if let Some(home) = self.ring.home() {
            self.advance(&home, index, Some(job));
        }
    }

    fn stir(&self) {
        self.ring.ring();
        if let Some(home) = self.ring.home() {
            self.ring.tell(&home);
        }
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.ending.task(index)
    }
}

impl<'scope, T, S> Join<T> for FutureCell<'scope, T, S>
where
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn join(&self, index: u64, deadline: Option<Instant>) -> Result<Outcome<T>, Vain> {
        let home = self.home();
        let mut may_drop = true;
        // A body whose stack is not for these tasks has runners that it can wait for.
        let is_body = frame::role_in(&home) == Some(Role::Body);
        let polls = home.runs_anywhere() || !is_body;
        if deadline.is_none() && polls && !home.is_cancelled() {
            self.run_in_place(&home, index);
        }
        if let Some(outcome) = self.ending.take_if_ended() {
            return Ok(outcome);
        }
        loop {
            let step = wait(&home, deadline, |waker| {
                if let Some(outcome) = self.ending.take(waker) {
                    return Some(Step::Ended(outcome));
                }
                if home.is_cancelled() {
                    return may_drop.then_some(Step::Turn(Turn::Drop));
                }
                // A timed join polls nothing: there would be no end to it.
                if deadline.is_some() || !polls {
                    return None;
                }
                self.turn(&home, waker).map(Step::Turn)
            });
            let turn = match step {
                Ok(Step::Ended(outcome)) => return Ok(outcome),
                Ok(Step::Turn(turn)) => turn,
                Err(vain) => {
                    self.ring.dismiss();
                    return Err(vain);
                }
            };
            match turn {
                Turn::Drop => {
                    may_drop = false;
                    self.advance(&home, index, None);
                }
                Turn::PollInSlot => self.advance_in_slot(&home, index),
                // It is only now that this thread has its own slots back, in other scopes: who
                // waited for those with one of this scope in hand might wait for ever.
                Turn::PollAsGuest => {
                    let task = self.ending.task(index);
                    if let Some(begun) = home.queue.begin_as(guest(&home), task) {
                        self.advance_as_guest(&home, index, begun);
                    }
                }
            }
        }
    }

    fn abandon(&self, index: u64) {
        self.ring.dismiss();
        let home = self.ring.home();
        self.ending.abandon(home.as_deref().map(|home| &**home), index);
    }

    fn is_finished(&self) -> bool {
        self.ending.is_ended()
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.ending.task(index)
    }
}

impl<'scope, T, S> Await<T> for FutureCell<'scope, T, S>
where
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn poll_end(&self, index: u64, again: &mut bool, context: &Context<'_>) -> Poll<Outcome<T>> {
        let waker = context.waker();
        if let Some(outcome) = self.ending.take(waker) {
            return Poll::Ready(outcome);
        }
        let home = self.home();
        // Whenever it is queued from here on, the one who awaits it is woken, where this is needed:
        // a limit must not keep a future in the queue for which one waits who has the slot.
        let queued = self.ring.drive(Driver::Future(waker.clone()));
        let has_slot = has_slot(&home);
        let may_poll = has_slot || guest(&home) == Guest::OfSleeper;
        if !queued || !may_poll || !needs_hands(&home) {
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
            self.advance_in_slot(&home, index);
        } else if let Some(begun) = home.queue.begin_as_guest(self.ending.task(index)) {
            self.advance_as_guest(&home, index, begun);
        } else {
            // The one whose slot it may have does not sleep yet.
            waker.wake_by_ref();
        }
        self.ending.take(waker).map_or(Poll::Pending, Poll::Ready)
    }
}
