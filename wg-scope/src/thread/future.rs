//! One future on its way from the queue to its end: polled where it is queued, shelved while it is
//! pending, dropped before its scope may end.
//!
//! Most end by their first poll, by a runner that took them from the queue. For that it needs nothing but
//! the job, which is in nobody else's hand, and it is counted by the queue, as closures are. All that
//! others need who would poll it again comes when it is pending, or when somebody waits for it
//! before: its ring, and a token of its own.

mod join;
mod start;

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use wg_core::Token;
use wg_core::sync::{AtomicBool, Mutex, Ordering};

pub(super) use self::start::{Boxed, Fresh, Start, Started};
use super::bell::Move;
use super::job::{Job, Run};
use super::ring::{Driver, Lone, Ring};
use super::shared::Shared;
use super::wait::Vain;
use crate::context;
use crate::ending::{Origin, Slot};
use crate::outcome::{Outcome, Payload, drop_caught};
use crate::settle::Settle;
use crate::task_info::{Label, Stamp, TaskInfo};

/// A future as its handle sees it that blocks.
pub(super) trait Join<T>: Send + Sync {
    /// Blocks until the future has ended, and polls it meanwhile where nobody else may.
    fn join(
        &self,
        home: &Arc<Shared>,
        index: u64,
        deadline: Option<Instant>,
    ) -> Result<Outcome<T>, Vain>;

    /// Gives the result up: it is settled by whoever finds it first, here or at the future's end.
    fn abandon(&self, home: &Arc<Shared>, index: u64);

    fn is_finished(&self) -> bool;

    fn info(&self, index: u64) -> TaskInfo;
}

/// A future as its handle sees it.
pub(super) trait Await<T>: Join<T> {
    /// Takes the outcome if the future has ended; otherwise wakes the one who asks when it has. It
    /// may poll the future here. `again` is whether this wait has left it to the runners once.
    fn poll_end(
        &self,
        home: &Arc<Shared>,
        index: u64,
        again: &mut bool,
        context: &Context<'_>,
    ) -> Poll<Outcome<T>>;
}

/// A future that has not ended.
struct Rest<'scope, T> {
    future: Boxed<'scope, T>,
    /// When it was first polled, if it was.
    began: Stamp,
    /// Whether it was told that it is stopped: its error may be the echo of that.
    told: bool,
}

/// How far a future has come.
enum Stage<'scope, F, T> {
    /// Nobody has begun it: its job is in the queue, or in the hand of one who will.
    Fresh(F, &'scope Arc<Shared>),
    /// It is polled for the first time, by one who has the job in hand. And who waits for it, to drive it
    /// if it is pending.
    First(Option<Driver>),
    /// It has ended.
    Ended,
    /// The ring says who polls it. Taken out by that one.
    Rung(Option<(Rest<'scope, T>, Token<'scope>)>),
}

/// A future in a scope. It borrows nothing but what is in `stage` before the end: everything else is
/// there for whoever comes late, and finds the scope by the ring.
pub(super) struct FutureCell<'scope, F, T, S> {
    origin: Origin<S>,
    inner: Mutex<Inner<'scope, F, T>>,
    /// Set with the stage locked, which then is `Rung`.
    ring: OnceLock<Arc<Ring>>,
    /// Whether the outcome was laid down. Set under the lock.
    ended: AtomicBool,
}

/// Under one lock, so that the end of a first poll takes it once: for who waits to drive the future, and
/// for who waits for the outcome.
struct Inner<'scope, F, T> {
    stage: Stage<'scope, F, T>,
    slot: Slot<T>,
}

impl<'scope, F, T, S> FutureCell<'scope, F, T, S>
where
    F: Start<'scope, T>,
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    pub(super) fn new(scope: &'scope Arc<Shared>, label: Label, future: F, settle: S) -> Self {
        FutureCell {
            origin: Origin::new(scope.stamped(label), settle),
            inner: Mutex::new(Inner { stage: Stage::Fresh(future, scope), slot: Slot::new() }),
            ring: OnceLock::new(),
            ended: AtomicBool::new(false),
        }
    }

    /// Begins a future that nobody has begun, for the one who has the job in hand.
    fn begin(&self) -> Option<(Boxed<'scope, T>, &'scope Arc<Shared>)> {
        if self.ring.get().is_some() {
            return None;
        }
        let mut inner = self.inner.lock();
        let before = mem::replace(&mut inner.stage, Stage::First(None));
        let Stage::Fresh(future, scope) = before else {
            inner.stage = before;
            return None;
        };
        drop(inner);
        Some((future.start(), scope))
    }

    /// The ring, for one who has no job in hand, or not the first time. None while the future is polled for
    /// the first time, and if that was its end.
    fn ring(&self) -> Option<&Arc<Ring>> {
        if self.ring.get().is_none() {
            let mut inner = self.inner.lock();
            inner.stage = match mem::replace(&mut inner.stage, Stage::Rung(None)) {
                Stage::Fresh(future, scope) => {
                    let _ = self.ring.set(Arc::new(Ring::new(scope)));
                    let future = future.start();
                    let rest = Rest { future, began: Stamp::NEVER, told: false };
                    Stage::Rung(Some((rest, scope.group.token())))
                }
                other => other,
            };
        }
        self.ring.get()
    }

    /// Enters who is to be woken when the future is queued, and returns whether it is queued now.
    fn drive(&self, driver: Driver) -> bool {
        if self.ring().is_none() {
            let mut inner = self.inner.lock();
            if self.ring.get().is_none() {
                let before = match &mut inner.stage {
                    Stage::First(waiting) => waiting.replace(driver),
                    _ => Some(driver),
                };
                drop(inner);
                drop(before);
                return false;
            }
        }
        self.ring().is_some_and(|ring| ring.drive(driver))
    }

    /// Forgets who waits.
    fn dismiss(&self) {
        if self.ring.get().is_none() {
            let mut inner = self.inner.lock();
            if let Stage::First(waiting) = &mut inner.stage {
                let before = waiting.take();
                drop(inner);
                drop(before);
                return;
            }
        }
        if let Some(ring) = self.ring.get() {
            ring.dismiss();
        }
    }

    /// Polls the future for the first time, by one who has the job in hand: nobody else may do
    /// anything for it meanwhile. Until this returns the queue counts it.
    fn poll_first(
        &self,
        home: &'scope Arc<Shared>,
        index: u64,
        job: &Job,
        future: Boxed<'scope, T>,
    ) {
        let mut rest = Rest { future, began: Stamp::NEVER, told: false };
        if home.skips(index) {
            return self.end(home, index, rest, Ok(None));
        }
        rest.began = home.first_poll();
        let lone = Lone::take();
        match rest.poll(lone.waker()) {
            Ok(Poll::Pending) if !home.is_cancelled() => {
                self.bind(home, index, job, rest, lone.keep())
            }
            polled => {
                self.end(home, index, rest, ready(polled));
                lone.give_back();
            }
        }
    }

    /// Leaves a future that is pending after its first poll to its ring.
    fn bind(
        &self,
        home: &'scope Arc<Shared>,
        index: u64,
        job: &Job,
        rest: Rest<'scope, T>,
        ring: Arc<Ring>,
    ) {
        let token = home.group.token();
        let mut inner = self.inner.lock();
        let before = mem::replace(&mut inner.stage, Stage::Rung(Some((rest, token))));
        let Stage::First(driver) = before else { unreachable!("it was begun once") };
        // Others find the ring when it has its driver, and may add theirs. Until then they wait here.
        let (what, queued) = ring.bind(home, driver);
        let ring = self.ring.get_or_init(|| ring);
        drop(inner);
        self.pended(ring, home, index, Some(job), what, queued);
    }

    /// Polls the future if it is queued, or drops it if the scope is cancelled. Whoever has the job
    /// in hand leaves it where it belongs.
    fn advance(&self, home: &Arc<Shared>, index: u64, job: Option<&Job>) {
        let Some(ring) = self.ring() else { return };
        let drops = home.is_cancelled();
        if ring.step(|bell| bell.begin(drops)) {
            self.poll(ring, home, index, job);
        } else if let Some(job) = job {
            if !ring.step(|bell| bell.has_ended()) {
                self.shelve(ring, home, index, job);
                mind_cancel(ring, home);
            }
        }
    }

    /// Polls a future that was begun.
    fn poll(&self, ring: &Arc<Ring>, home: &Arc<Shared>, index: u64, job: Option<&Job>) {
        let rest = match &mut self.inner.lock().stage {
            Stage::Rung(rest) => rest.take(),
            Stage::Fresh(..) | Stage::First(_) | Stage::Ended => None,
        };
        let (mut rest, token) = rest.expect("one at a time polls a future");
        let begun = rest.began.is_set();
        let skips = if begun { home.is_cancelled() } else { home.skips(index) };
        let polled = if skips {
            Ok(Poll::Pending)
        } else {
            if !begun {
                rest.began = home.first_poll();
            }
            rest.poll(&Waker::from(Arc::clone(ring)))
        };
        if let (Ok(Poll::Pending), false) = (&polled, skips || home.is_cancelled()) {
            self.inner.lock().stage = Stage::Rung(Some((rest, token)));
            // From here on others may poll it, to its end even, and the scope with it.
            let (what, queued) = ring.step(|bell| {
                let what = bell.pend(job.is_some());
                (what, bell.is_queued())
            });
            self.pended(ring, home, index, job, what, queued);
        } else {
            self.end(home, index, rest, ready(polled));
            drop(token);
        }
    }

    /// Does what follows where a future is pending after a poll.
    fn pended(
        &self,
        ring: &Arc<Ring>,
        home: &Arc<Shared>,
        index: u64,
        job: Option<&Job>,
        what: Move,
        queued: bool,
    ) {
        self.carry_out(ring, home, index, job, what);
        if queued {
            ring.tell(home);
        }
        mind_cancel(ring, home);
    }

    fn carry_out(
        &self,
        ring: &Ring,
        home: &Arc<Shared>,
        index: u64,
        job: Option<&Job>,
        what: Move,
    ) {
        match (what, job) {
            (Move::Nothing, _) => {}
            (Move::Queue, Some(job)) => home.requeue(again(job), index),
            (Move::Shelve, Some(job)) => self.shelve(ring, home, index, job),
            (Move::Unshelve(key), _) => home.unshelve(key),
            (Move::Drop(key), _) => drop(home.queue.unkeep(key)),
            (Move::Queue | Move::Shelve, None) => unreachable!("the job is in nobody's hand"),
        }
    }

    fn shelve(&self, ring: &Ring, home: &Arc<Shared>, index: u64, job: &Job) {
        let key = home.queue.shelve(again(job), index);
        let what = ring.step(|bell| bell.shelved(key));
        self.carry_out(ring, home, index, None, what);
    }

    /// Ends the future. When this returns everything of the user's has been dropped or handed over, and
    /// whatever counts it may go (rule 1).
    fn end(
        &self,
        home: &Arc<Shared>,
        index: u64,
        rest: Rest<'scope, T>,
        result: Result<Option<T>, Payload>,
    ) {
        let Rest { future, began, told } = rest;
        let result = match (drop_caught(future), result) {
            (Ok(()), result) => result,
            (Err(payload), Ok(value)) => {
                // As with a closure, a panic in the drop of what it holds costs it its value.
                if let Err(worse) = drop_caught(value) {
                    self.origin.panicked(home, index, worse);
                }
                Err(payload)
            }
            (Err(worse), Err(payload)) => {
                self.origin.panicked(home, index, worse);
                Err(payload)
            }
        };
        self.origin.record(home, index, began, &result);
        let mut driver = None;
        if let Some(ring) = self.ring.get() {
            let (what, own) = ring.end();
            self.carry_out(ring, home, index, None, what);
            driver = own;
        }
        let (outcome, order, verdict) = self.origin.judge(home, index, result, told);
        let mut inner = self.inner.lock();
        if let Stage::First(own) = mem::replace(&mut inner.stage, Stage::Ended) {
            driver = own;
        }
        let laid = inner.slot.lay_down(outcome, order);
        // ORDERING: Release, for those who are told by it alone that the future has ended.
        self.ended.store(true, Ordering::Release);
        drop(inner);
        if let Err(payload) = drop_caught(driver) {
            self.origin.panicked(home, index, payload);
        }
        self.origin.laid_down(home, index, laid);
        home.obey(verdict);
    }

    fn has_ended(&self) -> bool {
        // ORDERING: Acquire pairs with the end's Release.
        self.ended.load(Ordering::Acquire)
    }

    /// Takes the outcome if it is there.
    fn take(&self) -> Option<Outcome<T>> {
        if self.has_ended() { self.inner.lock().slot.take() } else { None }
    }

    /// Takes the outcome if it is there; otherwise `waker` is woken when it is.
    fn take_or_wait(&self, waker: &Waker) -> Option<Outcome<T>> {
        if let Some(outcome) = self.take() {
            return Some(outcome);
        }
        // Cloning and dropping a waker may be anybody's code, so no lock is held meanwhile.
        let mut waker = Some(waker.clone());
        self.inner.lock().slot.take_or_wait(&mut waker)
    }

    /// Gives the outcome up, and forgets who waits.
    fn abandon_for(&self, home: &Shared, index: u64) {
        let mut inner = self.inner.lock();
        let driver = match &mut inner.stage {
            Stage::First(waiting) => waiting.take(),
            Stage::Fresh(..) | Stage::Ended | Stage::Rung(_) => None,
        };
        let before = inner.slot.abandon();
        drop(inner);
        self.origin.given_up(Some(home), index, before);
        drop(driver);
        if let Some(ring) = self.ring.get() {
            ring.dismiss();
        }
    }
}

impl<T> Rest<'_, T> {
    fn poll(&mut self, waker: &Waker) -> Result<Poll<T>, Payload> {
        let future = self.future.as_mut();
        let told = context::told();
        let polled =
            catch_unwind(AssertUnwindSafe(|| future.poll(&mut Context::from_waker(waker))));
        self.told |= context::told() != told;
        polled
    }
}

/// What the end of a future hears of its last poll: one that is pending is cancelled.
fn ready<T>(polled: Result<Poll<T>, Payload>) -> Result<Option<T>, Payload> {
    polled.map(|poll| match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    })
}

/// Whoever cancelled the scope may have looked at the shelf before the future was there.
fn mind_cancel(ring: &Ring, home: &Shared) {
    if home.is_cancelled() {
        ring.ring();
    }
}

fn again(job: &Job) -> Job {
    job.share().expect("a future's job may be run several times")
}

impl<'scope, F, T, S> Run for FutureCell<'scope, F, T, S>
where
    F: Start<'scope, T>,
    T: Send + 'scope,
    S: Settle<T> + Send + Sync + 'scope,
{
    fn run(&self, index: u64) {
        if let Some(home) = self.ring.get().and_then(|ring| ring.home()) {
            self.advance(&home, index, None);
        }
    }

    fn run_as(&self, index: u64, job: &Job) {
        if let Some((future, home)) = self.begin() {
            self.poll_first(home, index, job, future);
        } else if let Some(home) = self.ring.get().and_then(|ring| ring.home()) {
            self.advance(&home, index, Some(job));
        }
    }

    fn stir(&self) {
        // Nobody waits yet for one that has no ring, or whoever polls it will see.
        let Some(ring) = self.ring.get() else { return };
        ring.ring();
        if let Some(home) = ring.home() {
            ring.tell(&home);
        }
    }

    fn info(&self, index: u64) -> TaskInfo {
        self.origin.task(index)
    }
}
