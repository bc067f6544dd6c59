//! Where the jobs and the results of a worker pool wait, and how many workers are at work.
//!
//! A worker comes when there is a job for it and goes when there is none, so that none waits: a
//! pool that nobody sends to holds no slot of its scope and keeps that from ending in nothing. What
//! waits are senders, each with its job, and the reader. Whoever makes room moves the first
//! sender's job into the inlet himself: it makes no difference whether that one is polled, late, or
//! not at all, and a sender that goes away takes nothing with it but its own job.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use wg_core::sync::Mutex;

use crate::futures::place::{Child, Polls};
use crate::futures::results_spawner::held_open;
use crate::futures::shared::Shared;
use crate::outcome::{Payload, discard, drop_caught};
use crate::task_info::{Label, TaskInfo};

/// How many jobs an inlet holds for each worker, unless it is told otherwise.
const JOBS_PER_WORKER: usize = 4;

/// Where jobs and results wait.
pub(super) struct Post<P: Polls, J, R> {
    pub(super) shared: Arc<Shared<P>>,
    pub(super) label: Label,
    state: Mutex<State<P::Child, J, R>>,
}

struct State<C, J, R> {
    jobs: VecDeque<(u64, J)>,
    most_jobs: usize,
    /// Those who wait for room in the inlet, by their tickets, with their jobs.
    senders: BTreeMap<u64, (J, Waker)>,
    tickets: u64,
    results: VecDeque<R>,
    most_results: usize,
    /// Jobs that were taken and have not ended.
    in_flight: usize,
    sent: u64,
    /// Workers that are at work or on the way, and the most.
    workers: usize,
    most_workers: usize,
    /// Of those on the way, the ones that nobody has started yet.
    wanted: usize,
    /// Those that wait for a slot of the scope, by their numbers, with their places in its line.
    lined: BTreeMap<u64, (C, i64)>,
    /// Inlets by which jobs may come, the pool's own among them.
    inlets: usize,
    /// Whether the pool's own end is still there, to take results.
    is_read: bool,
    reader: Option<Waker>,
}

/// What a worker does next.
pub(super) struct Next<J> {
    /// None if it goes away.
    pub(super) job: Option<(u64, J)>,
    /// Whether workers are to be started.
    pub(super) hire: bool,
}

/// What came of sending a job.
pub(super) enum Offer<J> {
    /// It is in the inlet. If true, workers are to be started.
    Sent(bool),
    /// It waits, with this ticket.
    Waits(u64),
    Refused(J),
}

/// What came of looking for results.
pub(super) struct Look {
    /// Whether workers are to be started: there may be room for more results.
    pub(super) hire: bool,
    /// Whether nothing is there, and nothing will come.
    pub(super) ended: bool,
}

impl<C, J, R> State<C, J, R> {
    /// For how many more jobs there is room among the results.
    fn room(&self) -> usize {
        self.most_results.saturating_sub(self.results.len()).saturating_sub(self.in_flight)
    }

    /// Has so many more workers come as would find something to do. Returns whether there are some.
    fn enlist(&mut self, most: usize) -> bool {
        let more = self.most_workers - self.workers;
        let wanted = self.jobs.len().min(self.room()).min(more).min(most);
        self.workers += wanted;
        self.wanted += wanted;
        wanted > 0
    }

    fn is_full(&self) -> bool {
        self.jobs.len() >= self.most_jobs
    }

    fn send(&mut self, job: J) {
        self.jobs.push_back((self.sent, job));
        self.sent += 1;
    }

    /// Moves jobs of those who wait into the inlet, as far as there is room. Returns whom to tell.
    fn admit(&mut self) -> Vec<Waker> {
        let mut admitted = Vec::new();
        while !self.is_full() {
            let Some((_, (job, sender))) = self.senders.pop_first() else { break };
            self.send(job);
            admitted.push(sender);
        }
        admitted
    }

    /// Whether no job is left, and no other inlet is there by which one could come.
    fn has_ended(&self) -> bool {
        self.jobs.is_empty() && self.in_flight == 0 && self.inlets == 1
    }

    /// Moves results that are there into `ready`: all, or one where there is a bound, so that what
    /// was taken is what was asked for.
    fn take(&mut self, ready: &mut VecDeque<R>) -> Look {
        let mut hire = false;
        if self.most_results == usize::MAX {
            mem::swap(&mut self.results, ready);
        } else {
            ready.extend(self.results.pop_front());
            hire = self.enlist(usize::MAX);
        }
        Look { hire, ended: ready.is_empty() && self.has_ended() }
    }
}

impl<P: Polls, J, R> Post<P, J, R> {
    pub(super) fn new(shared: &Arc<Shared<P>>, label: Label, workers: usize) -> Self {
        let state = State {
            jobs: VecDeque::new(),
            most_jobs: workers.saturating_mul(JOBS_PER_WORKER),
            senders: BTreeMap::new(),
            tickets: 0,
            results: VecDeque::new(),
            most_results: usize::MAX,
            in_flight: 0,
            sent: 0,
            workers: 0,
            most_workers: workers,
            wanted: 0,
            lined: BTreeMap::new(),
            inlets: 1,
            is_read: true,
            reader: None,
        };
        Post { shared: Arc::clone(shared), label, state: Mutex::new(state) }
    }

    /// Returns whether workers are to be started.
    #[must_use]
    pub(super) fn set_most_jobs(&self, most: usize) -> bool {
        let mut state = self.state.lock();
        state.most_jobs = most;
        let admitted = state.admit();
        let hire = state.enlist(admitted.len());
        drop(state);
        wake(admitted);
        hire
    }

    /// Returns whether workers are to be started: there may be room for more results.
    #[must_use]
    pub(super) fn set_most_results(&self, most: usize) -> bool {
        let mut state = self.state.lock();
        state.most_results = most;
        state.enlist(usize::MAX)
    }

    /// Puts a job into the inlet, or into the line before it if there is somebody to tell. A
    /// cancelled scope takes no more, also if there is room.
    pub(super) fn offer(&self, job: J, waits: Option<Waker>) -> Offer<J> {
        let mut state = self.state.lock();
        // Under the lock: a worker that saw the cancel before has dropped what it found.
        if self.shared.is_cancelled() {
            return Offer::Refused(job);
        }
        if !state.is_full() {
            state.send(job);
            return Offer::Sent(state.enlist(1));
        }
        let Some(sender) = waits else { return Offer::Refused(job) };
        let ticket = state.tickets;
        state.tickets += 1;
        state.senders.insert(ticket, (job, sender));
        Offer::Waits(ticket)
    }

    /// Whether a job still waits, of which `sender` will be told.
    pub(super) fn waits(&self, ticket: u64, sender: Waker) -> bool {
        let mut state = self.state.lock();
        let entry = state.senders.get_mut(&ticket);
        let before = entry.map(|(_, known)| mem::replace(known, sender));
        drop(state);
        before.is_some()
    }

    /// Takes a job back, if it still waits.
    pub(super) fn withdraw(&self, ticket: u64) -> Option<J> {
        let withdrawn = self.state.lock().senders.remove(&ticket);
        withdrawn.map(|(job, _)| job)
    }

    /// Takes a job for a worker; without one, the worker goes away.
    pub(super) fn claim(&self) -> Next<J> {
        let mut state = self.state.lock();
        let job = if state.room() > 0 { state.jobs.pop_front() } else { None };
        if job.is_none() {
            state.workers -= 1;
            return Next { job, hire: false };
        }
        state.in_flight += 1;
        let admitted = state.admit();
        let hire = state.enlist(admitted.len());
        drop(state);
        wake(admitted);
        Next { job, hire }
    }

    /// Enters the end of a job. Returns a result that nobody will take.
    pub(super) fn end(&self, result: Option<R>) -> Option<R> {
        let mut state = self.state.lock();
        state.in_flight -= 1;
        let mut unread = result;
        if state.is_read {
            state.results.extend(unread.take());
        }
        let reader = state.reader.take();
        drop(state);
        wake(reader);
        unread
    }

    /// Enters that a worker is gone that did not go by itself, and what it had in hand: no other
    /// will fare better. Returns the jobs that nobody will handle.
    pub(super) fn lose(&self, had_a_job: bool) -> VecDeque<(u64, J)> {
        let mut state = self.state.lock();
        state.workers -= 1;
        state.in_flight -= usize::from(had_a_job);
        let mut senders = Vec::new();
        // In a cancelled scope those who wait get their jobs back.
        if !self.shared.is_cancelled() {
            while let Some((_, (job, sender))) = state.senders.pop_first() {
                state.send(job);
                senders.push(sender);
            }
        }
        let jobs = mem::take(&mut state.jobs);
        let reader = state.reader.take();
        drop(state);
        wake(senders.into_iter().chain(reader));
        jobs
    }

    /// Drops jobs that nobody will handle.
    pub(super) fn drop_jobs(&self, jobs: VecDeque<(u64, J)>) {
        for (index, job) in jobs {
            let task = self.task(index);
            match drop_caught(job) {
                Ok(()) => self.shared.cancelled(&task),
                Err(payload) => self.panicked(task, payload),
            }
        }
    }

    /// Looks for results.
    pub(super) fn take(&self, ready: &mut VecDeque<R>) -> Look {
        self.state.lock().take(ready)
    }

    /// As [`take`](Self::take). If there is nothing yet, `reader` is told when that may have
    /// changed.
    pub(super) fn take_or_await(&self, ready: &mut VecDeque<R>, reader: Waker) -> Look {
        let mut state = self.state.lock();
        let look = state.take(ready);
        let waits = ready.is_empty() && !look.ended;
        let before = if waits { state.reader.replace(reader) } else { Some(reader) };
        drop(state);
        drop(before);
        look
    }

    pub(super) fn add_inlet(&self) {
        self.state.lock().inlets += 1;
    }

    pub(super) fn remove_inlet(&self) {
        let mut state = self.state.lock();
        state.inlets -= 1;
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    /// Enters that nobody takes results any more, and drops those that are there and those that are
    /// in hand. Returns whether workers are to be started.
    #[must_use]
    pub(super) fn leave(&self, ready: VecDeque<R>) -> bool {
        let mut state = self.state.lock();
        state.is_read = false;
        state.most_results = usize::MAX;
        let (results, reader) = (mem::take(&mut state.results), state.reader.take());
        // There may be jobs that no worker is to handle, as there was no room for their results.
        let cancelled = self.shared.is_cancelled();
        let jobs = if cancelled { mem::take(&mut state.jobs) } else { VecDeque::new() };
        let hire = state.enlist(usize::MAX);
        drop(state);
        drop(reader);
        held_open(&self.shared, || {
            self.drop_jobs(jobs);
            for result in ready.into_iter().chain(results) {
                if let Err(payload) = drop_caught(result) {
                    self.panicked(self.task(0), payload);
                }
            }
        });
        hire
    }

    /// Takes over that so many workers are started.
    pub(super) fn take_wanted(&self) -> usize {
        mem::take(&mut self.state.lock().wanted)
    }

    /// Enters that a worker waits in the line of its scope.
    pub(super) fn line_up(&self, number: u64, worker: P::Child, place: i64) {
        let waits = worker.clone();
        self.state.lock().lined.insert(number, (worker, place));
        // It may have left before it was entered.
        if !waits.is_waiting() {
            self.leave_line(number);
        }
    }

    /// Enters that it does not any more.
    pub(super) fn leave_line(&self, number: u64) {
        let left = self.state.lock().lined.remove(&number);
        drop(left);
    }

    /// Calls a worker out of the line, to be polled in a slot that somebody has.
    pub(super) fn call(&self) -> Option<P::Child> {
        loop {
            let first = self.state.lock().lined.pop_first();
            let (_, (worker, place)) = first?;
            if self.shared.withdraw(place) {
                return Some(worker);
            }
        }
    }

    pub(super) fn task(&self, index: u64) -> TaskInfo {
        TaskInfo::new(index, self.label.clone())
    }

    /// Enters a panic that no handle will ask for. If the scope has ended, there is nobody to tell.
    pub(super) fn panicked(&self, task: TaskInfo, payload: Payload) {
        if self.shared.group.is_closed() && self.shared.group.count() == 0 {
            return discard(payload);
        }
        if let (_, Some((payload, order))) = self.shared.panicked(payload, &task) {
            self.shared.stray(task, payload, order);
        }
    }
}

/// What is left in a post that nobody reaches any more: jobs for whose results there was no room
/// when their scope had ended. Nobody is there to be told of a panic.
impl<P: Polls, J, R> Drop for Post<P, J, R> {
    fn drop(&mut self) {
        let mut state = self.state.lock();
        let (jobs, results) = (mem::take(&mut state.jobs), mem::take(&mut state.results));
        drop(state);
        jobs.into_iter().for_each(|job| drop_caught(job).unwrap_or_else(discard));
        results.into_iter().for_each(|result| drop_caught(result).unwrap_or_else(discard));
    }
}

/// A waker is foreign code. Whoever has something to tell is not to be blamed for its panic.
fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            discard(payload);
        }
    }
}

impl<P: Polls, J, R> fmt::Debug for Post<P, J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Post")
            .field("jobs", &state.jobs.len())
            .field("in_flight", &state.in_flight)
            .field("results", &state.results.len())
            .finish()
    }
}
