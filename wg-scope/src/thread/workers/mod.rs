//! Worker pools: jobs go in by a bounded inlet, results come out as they are completed.

mod inlet;
mod outlet;
pub(super) mod post;

use std::collections::VecDeque;
use std::fmt;
use std::iter::repeat_n;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use wg_core::sync::{give_way, now, times};

pub use self::inlet::Inlet;
use self::post::{Found, Next, Numbered, Post};
use super::crew::desk::Desk;
use super::crew::{Posting, Work, panicked};
use super::scope::Scope;
use super::try_scope::TryScope;
use super::wait::{Vain, wait, wait_stopped};
use crate::cause::Stopped;
use crate::not_sent::NotSent;
use crate::outcome::{Payload, discard, drop_caught};
use crate::task_info::{Label, TaskInfo};
use crate::timeline::OutcomeKind;

/// A pool of workers in a scope: `n` jobs at once, through one handler. Made by [`Scope::workers`]
/// and [`TryScope::workers`].
///
/// Jobs go in through a bounded inlet, which blocks its senders when it is full; results come out
/// as they are completed, and wait in memory until they are taken, so that whoever sends and
/// receives in the same place cannot deadlock with itself. A worker without a job holds no thread.
///
/// Dropping the pool closes its inlet: jobs that were sent are handled, also those that other
/// [`Inlet`]s still send, and results that nobody took are dropped. There is nothing to forget.
pub struct Workers<'scope, J, R> {
    inlet: Inlet<'scope, J, R>,
    /// Results that were taken from the post all at once; and how many of them keep their places there.
    ready: VecDeque<R>,
    held: usize,
    is_bounded: bool,
}

/// How often a worker without a job, a sender without room and a reader without a result let others have
/// their core and look again: falling asleep and being woken takes longer than many a job. In models they
/// do not.
const LOOKS: usize = times(10) - times(2);

/// What the workers do.
struct Handling<J, R, F, C> {
    post: Arc<Post<J, R>>,
    handler: F,
    /// Takes the payload of a panic that is a failure, with its place among the failures.
    caught: C,
}

/// Looks several times, and lets others have the core before each.
fn linger<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    for () in repeat_n((), LOOKS) {
        let is_idle = give_way();
        let found = look();
        if found.is_some() || !is_idle {
            return found;
        }
    }
    None
}

impl<J, R, F, C> Handling<J, R, F, C> {
    /// The next job for a worker; none if it is to go away.
    fn next(&self, desk: &mut Option<Desk<J>>, crew: &dyn Posting) -> Option<Numbered<J>> {
        if let Some(job) = desk.as_mut().and_then(Desk::take) {
            return Some(job);
        }
        let mut claimed = self.post.claim(desk);
        // Where few may run, others may need the slot.
        if claimed.job.is_none() && !crew.scope().is_limited() {
            linger(|| {
                if self.post.expects_jobs() && !crew.scope().is_cancelled() {
                    claimed = self.post.claim(desk);
                    return claimed.job.is_some().then_some(());
                }
                Some(())
            });
        }
        if claimed.job.is_none() {
            match self.post.claim_or_leave(desk) {
                Next::Job(now) => claimed = now,
                Next::Leave { over } => {
                    if over {
                        crew.dismiss();
                    }
                    return None;
                }
            }
        }
        crew.post(claimed.wanted);
        claimed.job
    }
}

impl<J, R, F, C> Work for Handling<J, R, F, C>
where
    J: Send,
    R: Send,
    F: Fn(J, &dyn Fn() -> TaskInfo) -> Option<R> + Sync,
    C: Fn(TaskInfo, Payload, usize) + Sync,
{
    fn share(&self, crew: &dyn Posting) {
        let panicked = |task: TaskInfo, payload| {
            if let (_, Some((payload, order))) = crew.scope().panicked(payload, &task) {
                (self.caught)(task, payload, order);
            }
        };
        let mut desk = None;
        while let Some((index, job)) = self.next(&mut desk, crew) {
            let item = || crew.item(index);
            let mut span = crew.scope().begin_span();
            let is_cancelled = crew.scope().is_cancelled();
            let result = if is_cancelled {
                drop_caught(job).map(|()| {
                    crew.scope().cancelled(&item());
                    None
                })
            } else {
                catch_unwind(AssertUnwindSafe(|| (self.handler)(job, &item)))
            };
            if let Some(span) = &mut span {
                let kind = match &result {
                    Err(payload) => OutcomeKind::of_panic(payload),
                    Ok(_) if is_cancelled => OutcomeKind::Cancelled,
                    Ok(result) => OutcomeKind::of_value(result.is_none()),
                };
                span.end(index as u64, crew.label(), kind);
            }
            let result = result.unwrap_or_else(|payload| {
                panicked(item(), payload);
                None
            });
            let (unread, wanted) = self.post.end(result);
            crew.post(wanted);
            if let Some(unread) = unread {
                for result in unread {
                    if let Err(payload) = drop_caught(result) {
                        panicked(item(), payload);
                    }
                }
            }
        }
    }

    fn has_more(&self) -> bool {
        self.post.enlist_one()
    }

    fn done(&self) -> Option<u64> {
        self.post.taken()
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Starts a pool of `n` workers, which run `handler` on the jobs that are sent to it.
    ///
    /// # Examples
    ///
    /// ```
    /// let lengths: usize = wg::scope(|s| {
    ///     let mut pool = s.workers(4, |word: &str| word.len());
    ///     for word in "a few words to measure".split(' ') {
    ///         pool.send(word).unwrap();
    ///     }
    ///     pool.results().sum()
    /// });
    /// assert_eq!(lengths, 18);
    /// ```
    ///
    /// # Panics
    ///
    /// If `n` is 0. A panic of the handler is the scope's.
    #[track_caller]
    pub fn workers<J, R, F>(&'scope self, n: usize, handler: F) -> Workers<'scope, J, R>
    where
        F: Fn(J) -> R + Send + Sync + 'scope,
        J: Send + 'scope,
        R: Send + 'scope,
    {
        let site = Location::caller();
        let handle = move |job, _: &dyn Fn() -> TaskInfo| Some(handler(job));
        self.start_workers(n, site, handle, |_, payload, _| discard(payload))
    }

    #[track_caller]
    fn start_workers<J, R, F, C>(
        &'scope self,
        n: usize,
        site: &'static Location<'static>,
        handler: F,
        caught: C,
    ) -> Workers<'scope, J, R>
    where
        F: Fn(J, &dyn Fn() -> TaskInfo) -> Option<R> + Send + Sync + 'scope,
        C: Fn(TaskInfo, Payload, usize) + Send + Sync + 'scope,
        J: Send + 'scope,
        R: Send + 'scope,
    {
        assert!(n > 0, "a pool of 0 workers handles nothing: it must have at least 1");
        let post = Arc::new(Post::new(n));
        let label = Label::named("worker", site);
        let work = Handling { post: Arc::clone(&post), handler, caught };
        // How many there are is counted at the post.
        let crew = self.crew(label.clone(), usize::MAX, work);
        let inlet = Inlet { post, crew: Arc::new(crew), scope: self.shared(), label };
        Workers { inlet, ready: VecDeque::new(), held: 0, is_bounded: false }
    }
}

impl<'scope, 'env, E: Send + 'env> TryScope<'scope, 'env, E> {
    /// As [`Scope::workers`], with a handler that may fail: its errors go to the scope, and the
    /// policy judges them.
    ///
    /// # Examples
    ///
    /// ```
    /// let failed = wg::try_scope(|s| {
    ///     let pool = s.workers(2, |text: &str| text.parse::<u8>().map_err(|e| e.to_string()));
    ///     for text in ["1", "x", "3"] {
    ///         pool.send(text)?;
    ///     }
    ///     Ok::<_, String>(())
    /// });
    /// assert_eq!(failed.unwrap_err(), "invalid digit found in string");
    /// ```
    ///
    /// # Panics
    ///
    /// If `n` is 0. A panic of the handler is the scope's.
    #[track_caller]
    pub fn workers<J, R, F>(&'scope self, n: usize, handler: F) -> Workers<'scope, J, R>
    where
        F: Fn(J) -> Result<R, E> + Send + Sync + 'scope,
        J: Send + 'scope,
        R: Send + 'scope,
    {
        let (scope, report) = (self.shared(), self.report());
        let settle = move |job, item: &dyn Fn() -> TaskInfo| match handler(job) {
            Ok(result) => {
                scope.value(item);
                Some(result)
            }
            Err(error) => {
                let task = item();
                let order = scope.error(&task);
                report.failed(task, error, order);
                None
            }
        };
        let report = self.report();
        let caught = move |task, payload, order| report.panicked(task, payload, order);
        self.start_workers(n, Location::caller(), settle, caught)
    }
}

impl<'scope, J, R> Workers<'scope, J, R> {
    /// Sets how many jobs may wait in the inlet. Without it, four for each worker.
    ///
    /// # Panics
    ///
    /// If `jobs` is 0.
    #[must_use = "returns the pool"]
    #[track_caller]
    pub fn inlet_of(self, jobs: usize) -> Self {
        assert!(jobs > 0, "an inlet for 0 jobs is always full: it must hold at least 1");
        self.inlet.post.set_most_jobs(jobs);
        self
    }

    /// Bounds how many results may wait to be taken: no job begins whose result would have no room.
    /// Whoever sends and receives in the same place must then receive in time: a full outlet stops
    /// the workers, and then the inlet fills up.
    ///
    /// # Panics
    ///
    /// If `results` is 0.
    #[must_use = "returns the pool"]
    #[track_caller]
    pub fn outlet_of(mut self, results: usize) -> Self {
        assert!(results > 0, "an outlet for 0 results lets nothing begin: it must hold at least 1");
        self.is_bounded = true;
        let wanted = self.inlet.post.set_most_results(results);
        self.inlet.crew.post(wanted);
        self
    }

    /// Sends a job to the pool; see [`Inlet::send`].
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled.
    ///
    /// # Blocking
    ///
    /// Blocks while the inlet is full.
    pub fn send(&self, job: J) -> Result<(), Stopped> {
        self.inlet.send(job)
    }

    /// Sends a job to the pool if the inlet has room.
    ///
    /// # Errors
    ///
    /// [`NotSent`], with the job, if the inlet is full or the scope is cancelled.
    pub fn try_send(&self, job: J) -> Result<(), NotSent<J>> {
        self.inlet.try_send(job)
    }

    /// Returns a further inlet, for another task. The results end only when all inlets but the
    /// pool's own are dropped.
    #[must_use]
    pub fn inlet(&self) -> Inlet<'scope, J, R> {
        self.inlet.clone()
    }

    /// Takes the next result by completion. None if no job is left and no other inlet is there by
    /// which one could come, or if the scope is cancelled and no result is waiting.
    ///
    /// It is no end for good: after it, jobs may be sent again.
    ///
    /// # Blocking
    ///
    /// Blocks until there is a result.
    ///
    /// # Memory ordering
    ///
    /// What the handler did for a result happens before it is returned.
    pub fn recv(&mut self) -> Option<R> {
        if let Some(result) = self.try_recv() {
            return Some(result);
        }
        if self.inlet.scope.is_limited() {
            loop {
                if let Some(result) = self.take(Waker::noop()) {
                    return result;
                }
                if !self.inlet.crew.help() {
                    break;
                }
            }
        } else if let Some(result) = linger(|| self.try_recv()) {
            return Some(result);
        }
        wait_stopped(self.inlet.scope, |waker| self.take(waker)).ok().flatten()
    }

    /// Takes results that are there, and returns the first; or learns that there will be none.
    fn take(&mut self, waker: &Waker) -> Option<Option<R>> {
        match self.inlet.post.take_or_await(&mut self.ready, waker) {
            Found::Results => {
                self.hold();
                Some(self.hand_out())
            }
            Found::Nothing => None,
            Found::End => Some(None),
        }
    }

    /// Enters that results were taken from the post. Where there is a bound, each of them keeps its
    /// place until it is handed out, so that what was taken is what was asked for.
    fn hold(&mut self) {
        if self.is_bounded {
            self.held = self.ready.len();
        } else if !self.ready.is_empty() {
            self.give_back(self.ready.len());
        }
    }

    /// Hands out the next result that was taken.
    fn hand_out(&mut self) -> Option<R> {
        let result = self.ready.pop_front()?;
        if self.held > 0 {
            self.held -= 1;
            self.give_back(1);
        }
        Some(result)
    }

    fn give_back(&self, places: usize) {
        let wanted = self.inlet.post.give_back(places);
        if wanted > 0 {
            self.inlet.crew.post(wanted);
        }
    }

    /// As [`recv`](Self::recv), for at most `timeout`. It handles no job here, which `recv` does in a
    /// task of a limited scope, where there may be no slot for a worker: that would have no end.
    ///
    /// # Errors
    ///
    /// How many jobs are waiting or being handled, if there is no result after that time.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Option<R>, usize> {
        if let Some(result) = self.hand_out() {
            return Ok(Some(result));
        }
        match wait(self.inlet.scope, now().checked_add(timeout), |waker| self.take(waker)) {
            Ok(result) => Ok(result),
            Err(Vain::Stopped(_)) => Ok(None),
            Err(Vain::TimedOut) => Err(self.inlet.post.outstanding()),
        }
    }

    /// Takes a result that is there. Never blocks; where results come one right after the other, it may
    /// wait some microseconds to take several at once, for the calls that follow.
    pub fn try_recv(&mut self) -> Option<R> {
        if self.ready.is_empty() {
            self.inlet.post.take(&mut self.ready);
            self.hold();
        }
        self.hand_out()
    }

    /// Iterates over the results as [`recv`](Self::recv) returns them: until no job is left.
    pub fn results(&mut self) -> impl Iterator<Item = R> + use<'_, 'scope, J, R> {
        std::iter::from_fn(|| self.recv())
    }
}

impl<J, R> Drop for Workers<'_, J, R> {
    fn drop(&mut self) {
        let (results, wanted) = self.inlet.post.leave();
        self.inlet.crew.post(wanted);
        let task = TaskInfo::new(0, self.inlet.label.clone());
        for result in self.ready.drain(..).chain(results) {
            if let Err(payload) = drop_caught(result) {
                panicked(self.inlet.scope, &task, payload);
            }
        }
    }
}

impl<J, R> fmt::Debug for Workers<'_, J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Workers").field(&self.inlet).finish()
    }
}
