//! Where the jobs and the results of a worker pool wait, and how many workers are at work.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::task::Waker;

use wg_core::sync::{Mutex, MutexGuard};

/// How many jobs an inlet holds for each worker, unless it is told otherwise.
const JOBS_PER_WORKER: usize = 4;

/// Where jobs and results wait.
pub(super) struct Post<J, R>(Mutex<State<J, R>>);

struct State<J, R> {
    jobs: VecDeque<(usize, J)>,
    most_jobs: usize,
    results: VecDeque<R>,
    most_results: usize,
    /// Jobs that were taken and have not ended.
    in_flight: usize,
    sent: usize,
    /// Workers that are at work or on the way, and the most.
    workers: usize,
    most_workers: usize,
    /// Inlets by which jobs may come, the pool's own among them.
    inlets: usize,
    /// Whether the pool's own end is still there, to take results.
    is_read: bool,
    reader: Option<Waker>,
    /// Those who wait for room in the inlet, and whether one of them has waited for long.
    senders: Vec<Waker>,
    hurry: bool,
}

/// Whom a sender that finds no room has woken, and when.
#[derive(Clone, Copy)]
pub(super) enum Patience<'a> {
    /// Nobody: it does not wait.
    None,
    /// Woken when half of the inlet is empty, so that not every job wakes somebody.
    Some(&'a Waker),
    /// Woken when there is any room.
    NoMore(&'a Waker),
}

/// What a worker does next.
pub(super) struct Next<J, R> {
    /// None if it goes away.
    pub(super) job: Option<(usize, J)>,
    /// A result that nobody will take.
    pub(super) unread: Option<R>,
    /// Whether it was the last, and no job will ever come.
    pub(super) over: bool,
}

impl<J, R> State<J, R> {
    /// For how many more jobs there is room among the results.
    fn room(&self) -> usize {
        self.most_results.saturating_sub(self.results.len()).saturating_sub(self.in_flight)
    }

    /// How many more workers would find something to do. They count as on the way.
    fn enlist(&mut self, most: usize) -> usize {
        let idle = self.most_workers - self.workers;
        let wanted = self.jobs.len().min(self.room()).min(idle).min(most);
        self.workers += wanted;
        wanted
    }

    /// Takes a job for a worker; without one, the worker goes away.
    fn claim(&mut self) -> Option<(usize, J)> {
        let job = if self.room() > 0 { self.jobs.pop_front() } else { None };
        match job {
            Some(_) => self.in_flight += 1,
            None => self.workers -= 1,
        }
        job
    }

    /// Whether no job is left, and none will ever come.
    fn is_over(&self) -> bool {
        self.inlets == 0 && self.workers == 0 && self.jobs.is_empty()
    }

    /// Those who may send now.
    fn call_senders(&mut self, worker_leaves: bool) -> Vec<Waker> {
        let half_empty = self.jobs.len() <= self.most_jobs / 2;
        let has_room = self.jobs.len() < self.most_jobs;
        if half_empty || (has_room && (worker_leaves || self.hurry)) {
            self.hurry = false;
            return mem::take(&mut self.senders);
        }
        Vec::new()
    }
}

impl<J, R> Post<J, R> {
    pub(super) fn new(workers: usize) -> Self {
        Post(Mutex::new(State {
            jobs: VecDeque::new(),
            most_jobs: workers.saturating_mul(JOBS_PER_WORKER),
            results: VecDeque::new(),
            most_results: usize::MAX,
            in_flight: 0,
            sent: 0,
            workers: 0,
            most_workers: workers,
            inlets: 1,
            is_read: true,
            reader: None,
            senders: Vec::new(),
            hurry: false,
        }))
    }

    pub(super) fn set_most_jobs(&self, most: usize) {
        let mut state = self.0.lock();
        state.most_jobs = most;
        let senders = state.call_senders(true);
        drop(state);
        senders.into_iter().for_each(Waker::wake);
    }

    /// Returns how many workers are to be posted: there may be room for more results.
    #[must_use]
    pub(super) fn set_most_results(&self, most: usize) -> usize {
        let mut state = self.0.lock();
        state.most_results = most;
        state.enlist(usize::MAX)
    }

    /// Whether one more worker would find something to do. Then it counts as on the way.
    pub(super) fn enlist_one(&self) -> bool {
        self.0.lock().enlist(1) > 0
    }

    /// Ends the job before, and takes the next. Both in one go: it is one lock for each job.
    pub(super) fn next(&self, ended: bool, result: Option<R>) -> Next<J, R> {
        let mut state = self.0.lock();
        let mut unread = result;
        if ended {
            state.in_flight -= 1;
            if state.is_read {
                state.results.extend(unread.take());
            }
        }
        let job = state.claim();
        let senders = state.call_senders(job.is_none());
        let reader = if ended { state.reader.take() } else { None };
        let over = state.is_over();
        drop(state);
        reader.into_iter().chain(senders).for_each(Waker::wake);
        Next { job, unread, over }
    }

    /// Puts a job into the inlet, unless it is full. Returns how many workers are to be posted; or
    /// the job.
    pub(super) fn offer(
        &self,
        job: J,
        patience: Patience<'_>,
        refuses: impl FnOnce() -> bool,
    ) -> Result<usize, J> {
        let mut state = self.0.lock();
        if state.jobs.len() >= state.most_jobs || refuses() {
            match patience {
                Patience::None => {}
                Patience::Some(waker) => state.senders.push(waker.clone()),
                Patience::NoMore(waker) => {
                    state.senders.push(waker.clone());
                    state.hurry = true;
                }
            }
            return Err(job);
        }
        let index = state.sent;
        state.sent += 1;
        state.jobs.push_back((index, job));
        Ok(state.enlist(1))
    }

    /// Moves results that are there into `ready`: all, or one where there is a bound, so that what
    /// was taken is what was asked for. Returns how many workers are to be posted.
    pub(super) fn take(&self, ready: &mut VecDeque<R>) -> usize {
        Self::take_from(&mut self.0.lock(), ready)
    }

    fn take_from(state: &mut MutexGuard<'_, State<J, R>>, ready: &mut VecDeque<R>) -> usize {
        if state.most_results == usize::MAX {
            mem::swap(&mut state.results, ready);
            return 0;
        }
        ready.extend(state.results.pop_front());
        state.enlist(usize::MAX)
    }

    /// As [`take`](Self::take); None if there is nothing, and nothing will come. If there is nothing
    /// yet, `waker` is woken when that may have changed.
    pub(super) fn take_or_await(&self, ready: &mut VecDeque<R>, waker: &Waker) -> Option<usize> {
        let mut state = self.0.lock();
        let wanted = Self::take_from(&mut state, ready);
        if !ready.is_empty() {
            return Some(wanted);
        }
        if state.jobs.is_empty() && state.in_flight == 0 && state.inlets == 1 {
            return None;
        }
        let before = state.reader.replace(waker.clone());
        drop(state);
        drop(before);
        Some(wanted)
    }

    /// How many jobs wait or are being handled.
    pub(super) fn outstanding(&self) -> usize {
        let state = self.0.lock();
        state.jobs.len() + state.in_flight
    }

    pub(super) fn add_inlet(&self) {
        self.0.lock().inlets += 1;
    }

    /// Returns whether no job is left, and none will ever come.
    #[must_use]
    pub(super) fn remove_inlet(&self) -> bool {
        let mut state = self.0.lock();
        state.inlets -= 1;
        let (reader, over) = (state.reader.take(), state.is_over());
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        over
    }

    /// Enters that nobody takes results any more. Returns those that are there, and how many workers
    /// are to be posted.
    pub(super) fn leave(&self) -> (VecDeque<R>, usize) {
        let mut state = self.0.lock();
        state.is_read = false;
        state.most_results = usize::MAX;
        (mem::take(&mut state.results), state.enlist(usize::MAX))
    }
}

impl<J, R> fmt::Debug for Post<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Post")
            .field("jobs", &state.jobs.len())
            .field("in_flight", &state.in_flight)
            .field("results", &state.results.len())
            .finish()
    }
}
