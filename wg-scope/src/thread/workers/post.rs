//! Where the jobs of a worker pool wait, how many workers are at work, and for how many results there is
//! room.
//!
//! Jobs come and are taken under a lock. Where many wait, a worker takes some more than the one it
//! begins; they lie on its desk, from where others take them over when there is nothing else.
//!
//! Where results are bounded, a job takes a place when it is taken, and gives it back when its result is
//! handed out, or when it ends without one. `given_back` counts these, and says whether jobs wait for
//! places while workers are idle, both in one word. Who looks for room in vain says so in the same step;
//! who gives a place back sees it in the same step, and posts workers.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::task::Waker;

use crossbeam_utils::CachePadded;
use wg_core::sync::{AtomicU64, Mutex, Ordering};

use super::outlet::Outlet;
use crate::thread::crew::desk::{self, Desk, Seats};
use crate::thread::pile::Pile;

/// How many jobs an inlet holds for each worker, unless it is told otherwise.
const JOBS_PER_WORKER: usize = 4;

/// Where jobs and results wait. Those who send, who work and who read write to different parts of it,
/// all at the same time, so these lie apart.
pub(in crate::thread) struct Post<J, R> {
    inlet: CachePadded<Mutex<In<J>>>,
    /// How many jobs wait.
    pile: Pile,
    outlet: CachePadded<Outlet<R>>,
    /// How many places among the results were given back, in units of `ONE`, and `WANTED`.
    given_back: CachePadded<AtomicU64>,
}

/// Set when jobs wait for a place among the results, and workers are idle.
const WANTED: u64 = 1;

/// One place.
const ONE: u64 = 2;

/// The most jobs that a worker takes at once.
const BATCH: usize = desk::MOST;

struct In<J> {
    jobs: VecDeque<Numbered<J>>,
    /// Jobs that workers have taken ahead.
    seats: Seats<J>,
    most_jobs: usize,
    most_results: usize,
    sent: usize,
    /// How many jobs were taken by workers, and how many places were given back, when somebody last
    /// looked.
    taken: u64,
    given_back: u64,
    /// Workers that are at work or on the way, and the most.
    workers: usize,
    most_workers: usize,
    /// Inlets by which jobs may come, the pool's own among them.
    inlets: usize,
    /// Those who wait for room in the inlet, and whether one of them has waited for long.
    senders: Vec<Waker>,
    hurry: bool,
}

/// Whom a sender that finds no room has woken, and when.
#[derive(Clone, Copy)]
pub(in crate::thread) enum Patience<'a> {
    /// Nobody: it does not wait.
    None,
    /// Woken when half of the inlet is empty, so that not every job wakes somebody.
    Some(&'a Waker),
    /// Woken when there is any room.
    NoMore(&'a Waker),
}

/// A job and its index.
pub(in crate::thread) type Numbered<J> = (usize, J);

/// What a worker got, and how many further workers are to be posted.
pub(in crate::thread) struct Claimed<J> {
    pub(in crate::thread) job: Option<Numbered<J>>,
    pub(in crate::thread) wanted: usize,
}

/// What a worker that found no job does next.
pub(in crate::thread) enum Next<J> {
    Job(Claimed<J>),
    /// It goes away. If it is `over`, it was the last, and no job will ever come.
    Leave {
        over: bool,
    },
}

/// What the reader found.
pub(in crate::thread) enum Found {
    Results,
    /// None yet.
    Nothing,
    /// None, and nothing will come.
    End,
}

impl<J> In<J> {
    /// For how many more jobs there is room among the results, given what was given back.
    fn room(&self) -> usize {
        let places = self.taken - self.given_back;
        self.most_results.saturating_sub(usize::try_from(places).unwrap_or(usize::MAX))
    }

    /// Whether as many jobs wait as may, those included that were taken ahead.
    fn is_full(&self) -> bool {
        let here = self.jobs.len();
        // What lies on the desks is counted only where it matters.
        here + self.seats.ahead() * BATCH >= self.most_jobs
            && (here >= self.most_jobs || here + self.seats.laid_down() >= self.most_jobs)
    }

    /// Takes back what was taken ahead.
    fn recall(&mut self) {
        if self.seats.ahead() > 0 {
            let mut recalled: VecDeque<_> = self.seats.recall().collect();
            self.taken -= recalled.len() as u64;
            recalled.append(&mut self.jobs);
            self.jobs = recalled;
        }
    }

    /// How many jobs one worker may take at once, where there is room for the results of so many: each
    /// is to get some.
    fn batch(&self, room: usize) -> usize {
        if self.hurry {
            return 1;
        }
        let fair = self.jobs.len().min(room) / self.most_workers;
        fair.clamp(1, BATCH)
    }

    /// Takes a job over that another worker has taken ahead.
    fn take_over(&mut self, desk: &mut Option<Desk<J>>) -> Option<Numbered<J>> {
        if !self.seats.has_items() {
            return None;
        }
        let desk = desk.get_or_insert_with(|| self.seats.add());
        self.seats.take_over(desk)
    }

    /// Whether no job is left, and none will ever come.
    fn is_over(&self) -> bool {
        self.inlets == 0 && self.workers == 0 && self.jobs.is_empty()
    }

    /// Those who may send now.
    fn call_senders(&mut self, worker_leaves: bool) -> Vec<Waker> {
        if self.senders.is_empty() {
            return Vec::new();
        }
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
    pub(in crate::thread) fn new(workers: usize) -> Self {
        Post {
            inlet: CachePadded::new(Mutex::new(In {
                jobs: VecDeque::new(),
                seats: Seats::new(),
                most_jobs: workers.saturating_mul(JOBS_PER_WORKER),
                most_results: usize::MAX,
                sent: 0,
                taken: 0,
                given_back: 0,
                workers: 0,
                most_workers: workers,
                inlets: 1,
                senders: Vec::new(),
                hurry: false,
            })),
            pile: Pile::new(),
            outlet: CachePadded::new(Outlet::new()),
            given_back: CachePadded::new(AtomicU64::new(0)),
        }
    }

    pub(in crate::thread) fn set_most_jobs(&self, most: usize) {
        let mut inlet = self.inlet.lock();
        inlet.most_jobs = most;
        let senders = inlet.call_senders(true);
        drop(inlet);
        senders.into_iter().for_each(Waker::wake);
    }

    /// Returns how many workers are to be posted: there may be room for more results.
    #[must_use]
    pub(in crate::thread) fn set_most_results(&self, most: usize) -> usize {
        let mut inlet = self.inlet.lock();
        inlet.most_results = most;
        self.enlist(&mut inlet, usize::MAX)
    }

    /// Whether one more worker would find something to do. Then it counts as on the way.
    pub(in crate::thread) fn enlist_one(&self) -> bool {
        self.enlist(&mut self.inlet.lock(), 1) > 0
    }

    /// How many jobs were taken by workers. None if somebody is at the inlet: who asks for this waits for
    /// nobody.
    pub(in crate::thread) fn taken(&self) -> Option<u64> {
        self.inlet.try_lock().map(|inlet| inlet.taken)
    }

    /// How many more workers would find something to do. They count as on the way.
    fn enlist(&self, inlet: &mut In<J>, most: usize) -> usize {
        let idle = inlet.most_workers - inlet.workers;
        let most = idle.min(most);
        if most == 0 {
            return 0;
        }
        // What was taken ahead has its room.
        let ahead = if inlet.seats.ahead() > 0 { inlet.seats.laid_down().min(most) } else { 0 };
        let mut wanted = inlet.jobs.len().min(most - ahead);
        if wanted > 0 {
            wanted = wanted.min(self.room(inlet, wanted));
        }
        let wanted = wanted + ahead;
        inlet.workers += wanted;
        wanted
    }

    /// For how many more jobs there is room among the results. If for fewer than are `wanted`, who
    /// gives places back looks for workers.
    fn room(&self, inlet: &mut In<J>, wanted: usize) -> usize {
        if inlet.room() < wanted {
            // ORDERING: Acquire, with `give_back`: who takes a place that was given back finds taken
            // the result that was there.
            inlet.given_back = self.given_back.load(Ordering::Acquire) / ONE;
        }
        if inlet.room() < wanted {
            let word = self.given_back.fetch_or(WANTED, Ordering::AcqRel);
            inlet.given_back = word / ONE;
        }
        inlet.room()
    }

    /// Gives places among the results back. Returns how many workers are to be posted.
    #[must_use]
    pub(in crate::thread) fn give_back(&self, places: usize) -> usize {
        // ORDERING: AcqRel. Release for who finds room; and in one order with those who set the bit.
        let before = self.given_back.fetch_add(ONE * places as u64, Ordering::AcqRel);
        if before & WANTED == 0 { 0 } else { self.enlist_wanted() }
    }

    #[cold]
    fn enlist_wanted(&self) -> usize {
        let mut inlet = self.inlet.lock();
        // Set again if there is still not room enough.
        // ORDERING: Relaxed, as the bit is set and cleared under the lock alone. AcqRel keeps what is
        // given back in one order with that: who does it later finds the bit cleared.
        if self.given_back.load(Ordering::Relaxed) & WANTED != 0 {
            self.given_back.fetch_sub(WANTED, Ordering::AcqRel);
        }
        self.enlist(&mut inlet, usize::MAX)
    }

    /// Takes a job for a worker, if there is one, and room for its result. Where many wait it takes
    /// some more, which come to lie on the worker's desk; where some do, it waits a little for more.
    pub(in crate::thread) fn claim(&self, desk: &mut Option<Desk<J>>) -> Claimed<J> {
        self.pile.gather();
        let mut inlet = self.inlet.lock();
        let claimed = self.claim_from(&mut inlet, desk);
        let senders = inlet.call_senders(false);
        drop(inlet);
        senders.into_iter().for_each(Waker::wake);
        claimed
    }

    fn claim_from(&self, inlet: &mut In<J>, desk: &mut Option<Desk<J>>) -> Claimed<J> {
        let wanted = usize::from(!inlet.jobs.is_empty());
        let room = if wanted > 0 { self.room(inlet, 1) } else { 0 };
        if room == 0 {
            let job = inlet.take_over(desk);
            return Claimed { job, wanted: 0 };
        }
        let batch = inlet.batch(room);
        let job = inlet.jobs.pop_front();
        if batch > 1 || desk.is_some() {
            let inlet = &mut *inlet;
            let desk = desk.get_or_insert_with(|| inlet.seats.add());
            inlet.seats.mark(desk, batch > 1);
            let mut laying = desk.lay(batch - 1);
            inlet.jobs.drain(..batch - 1).for_each(|(index, job)| laying.put(index, job));
        }
        self.pile.set(inlet.jobs.len());
        inlet.taken += batch as u64;
        // Others may come for what was taken ahead, in case that this worker is held up.
        let wanted = if batch > 1 { self.enlist(inlet, usize::MAX) } else { 0 };
        Claimed { job, wanted }
    }

    /// Whether jobs may come.
    pub(in crate::thread) fn expects_jobs(&self) -> bool {
        self.inlet.lock().inlets > 0
    }

    /// As [`claim`](Self::claim), for a worker that goes away without one.
    pub(in crate::thread) fn claim_or_leave(&self, desk: &mut Option<Desk<J>>) -> Next<J> {
        let mut inlet = self.inlet.lock();
        let claimed = self.claim_from(&mut inlet, desk);
        let leaves = claimed.job.is_none();
        if leaves {
            inlet.workers -= 1;
            desk.take().iter().for_each(|desk| inlet.seats.remove(desk));
        }
        let senders = inlet.call_senders(leaves);
        let over = inlet.is_over();
        drop(inlet);
        senders.into_iter().for_each(Waker::wake);
        if leaves { Next::Leave { over } } else { Next::Job(claimed) }
    }

    /// Ends a job. Returns results that nobody will take, to be dropped; and how many workers are to be
    /// posted.
    #[must_use]
    pub(in crate::thread) fn end(&self, result: Option<R>) -> (Option<Box<[R]>>, usize) {
        let gives_back = result.is_none();
        let unread = self.outlet.end(result);
        (unread, if gives_back { self.give_back(1) } else { 0 })
    }

    /// Puts a job into the inlet, unless it is full. Returns how many workers are to be posted; or
    /// the job.
    pub(in crate::thread) fn offer(
        &self,
        job: J,
        patience: Patience<'_>,
        refuses: impl FnOnce() -> bool,
    ) -> Result<usize, J> {
        let mut inlet = self.inlet.lock();
        if matches!(patience, Patience::NoMore(_)) && inlet.is_full() {
            // From now on each job that begins is seen here, until this sender is called.
            inlet.recall();
        }
        if inlet.is_full() || refuses() {
            match patience {
                Patience::None => {}
                Patience::Some(waker) => inlet.senders.push(waker.clone()),
                Patience::NoMore(waker) => {
                    inlet.senders.push(waker.clone());
                    inlet.hurry = true;
                }
            }
            return Err(job);
        }
        let index = inlet.sent;
        inlet.sent += 1;
        inlet.jobs.push_back((index, job));
        self.pile.set(inlet.jobs.len());
        Ok(self.enlist(&mut inlet, 1))
    }

    /// Takes all results that are there into `ready`, which is empty.
    pub(in crate::thread) fn take(&self, ready: &mut VecDeque<R>) {
        self.outlet.take(ready);
    }

    /// As [`take`](Self::take). If there is nothing yet, `waker` is woken when that may have changed.
    pub(in crate::thread) fn take_or_await(&self, ready: &mut VecDeque<R>, waker: &Waker) -> Found {
        let waker = waker.clone();
        // What is counted below is counted under this lock.
        let inlet = self.inlet.lock();
        let (ended, before) = self.outlet.take_or_await(ready, waker);
        let is_last = inlet.jobs.is_empty() && inlet.taken == ended && inlet.inlets == 1;
        drop(inlet);
        drop(before);
        match (ready.is_empty(), is_last) {
            (false, _) => Found::Results,
            (true, true) => Found::End,
            (true, false) => Found::Nothing,
        }
    }

    /// How many jobs wait or are being handled.
    pub(in crate::thread) fn outstanding(&self) -> usize {
        let inlet = self.inlet.lock();
        inlet.jobs.len() + self.in_flight(&inlet)
    }

    fn in_flight(&self, inlet: &In<J>) -> usize {
        (inlet.taken - self.outlet.ended()) as usize
    }

    pub(in crate::thread) fn add_inlet(&self) {
        self.inlet.lock().inlets += 1;
    }

    /// Returns whether no job is left, and none will ever come.
    #[must_use]
    pub(in crate::thread) fn remove_inlet(&self) -> bool {
        let mut inlet = self.inlet.lock();
        inlet.inlets -= 1;
        let over = inlet.is_over();
        drop(inlet);
        self.outlet.wake_reader();
        over
    }

    /// Enters that nobody takes results any more. Returns those that are there, and how many workers
    /// are to be posted.
    pub(in crate::thread) fn leave(&self) -> (VecDeque<R>, usize) {
        let mut inlet = self.inlet.lock();
        inlet.most_results = usize::MAX;
        let wanted = self.enlist(&mut inlet, usize::MAX);
        drop(inlet);
        (self.outlet.leave(), wanted)
    }
}

impl<J, R> fmt::Debug for Post<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inlet = self.inlet.lock();
        f.debug_struct("Post")
            .field("jobs", &inlet.jobs.len())
            .field("in_flight", &self.in_flight(&inlet))
            .field("results", &self.outlet.len())
            .finish()
    }
}
