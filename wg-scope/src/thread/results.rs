//! Results of tasks of one type, read as they come: a channel that closes itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem;
use std::task::Waker;
use std::time::{Duration, Instant};

use wg_core::sync::now;

use super::lent::Lent;
use super::scope::Scope;
use super::spawner::Spawner;
use super::wait::{Vain, wait};
use crate::no_result::NoResult;
use crate::outcome::{Payload, discard, drop_caught};
use crate::outlet::{Arrived, Outlet, ROOMY, Receiver};
use crate::task_info::TaskInfo;

/// The reading end of tasks of one type: what they return comes out here, and it ends by itself
/// when the last of them has ended.
///
/// Made by [`Scope::results`]. Whoever holds it spawns through it, and reads
/// [`as_completed`](Self::as_completed) or [`in_order`](Self::in_order); tasks spawn further ones
/// through a [`Spawner`].
///
/// It has ended when no task of it is queued or running and nothing waits to be read, however the
/// tasks ended: one that panics, fails or is cancelled just yields nothing. Then it may be used
/// again. Delivering never blocks a task, so that spawning and reading in one place cannot lock
/// itself up: what is not read yet waits in memory ([`Scope::results_bounded`] is the other kind).
///
/// There is one reader, because it is not `Sync` and has no `clone`: so what is read needs no lock
/// of its own, and everything that waits is taken at once. Reading takes `&self`, so that the loop
/// over the results may spawn more.
///
/// Dropping it blocks nobody: tasks of it that have not begun are dropped, as if cancelled; those
/// that run go on, and what they return is dropped. Others of the scope are not touched.
/// [`discard_rest`](Self::discard_rest) lets all of them run.
///
/// # Examples
///
/// ```
/// let lengths = wg::scope(|s| {
///     let results = s.results();
///     for word in ["structured", "concurrency"] {
///         results.spawn(move || word.len());
///     }
///     let mut lengths = vec![0; 2];
///     for (index, length) in results.as_completed() {
///         lengths[index] = length; // other tasks run meanwhile
///     }
///     lengths
/// });
/// assert_eq!(lengths, [10, 11]);
/// ```
///
/// Like a handle, it stays in its scope:
///
/// ```compile_fail,E0521
/// let mut kept = None;
/// wg::scope(|s| kept = Some(s.results::<u32>()));
/// ```
///
/// and it has no order of its own:
///
/// ```compile_fail,E0277
/// wg::scope(|s| for result in s.results::<u32>() {});
/// ```
///
/// # Memory ordering
///
/// What a task did is visible to whoever receives its result; and what all of them did, to whoever
/// sees the end.
#[must_use = "results that are dropped cancel the tasks that have not begun"]
pub struct Results<'scope, 'env, T> {
    spawner: Spawner<'scope, 'env, T>,
    hand: RefCell<Hand<T>>,
    caught: Caught<'scope>,
}

/// What becomes of the panic of a drop, where panics are failures.
pub(super) type Caught<'scope> = Box<dyn Fn(TaskInfo, Payload, usize) + Send + 'scope>;

/// What the reader has taken and not handed out.
struct Hand<T> {
    ready: VecDeque<Arrived<T>>,
    /// What came before its turn, when it was read in order.
    early: BTreeMap<u64, Box<Arrived<T>>>,
    /// Tasks with lower numbers had ended at the last look, and what they delivered is in the hand
    /// or handed out.
    frontier: u64,
}

impl<T> Default for Hand<T> {
    fn default() -> Self {
        Hand { ready: VecDeque::new(), early: BTreeMap::new(), frontier: 0 }
    }
}

impl<T> Hand<T> {
    fn has_next(&mut self) -> bool {
        !self.early.is_empty() || !self.ready.is_empty()
    }

    fn next(&mut self) -> Option<Arrived<T>> {
        match self.early.pop_first() {
            Some((_, arrived)) => Some(*arrived),
            None => self.ready.pop_front(),
        }
    }

    /// Whether the first by number from this one on is there, and none before it can come any more.
    fn has_next_in_order(&mut self, from: u64) -> bool {
        for arrived in self.ready.drain(..) {
            self.early.insert(arrived.number, Box::new(arrived));
        }
        let first = self.early.range(from..).next();
        first.is_some_and(|(&first, _)| first < self.frontier)
    }

    /// The first by number from this one on.
    fn next_from(&mut self, from: u64) -> Option<Arrived<T>> {
        let (&first, _) = self.early.range(from..).next()?;
        self.early.remove(&first).map(|arrived| *arrived)
    }

    /// Gives back what a burst has left.
    fn trim(&mut self) {
        if self.ready.is_empty() && self.ready.capacity() > ROOMY {
            self.ready = VecDeque::new();
        }
    }
}

/// # Results of many tasks
impl<'scope, 'env> Scope<'scope, 'env> {
    /// Creates an outlet for the results of tasks of one type, as many as there will be.
    ///
    /// # Examples
    ///
    /// ```
    /// let total = wg::scope(|s| {
    ///     let results = s.results();
    ///     for n in 1..=10 {
    ///         results.spawn(move || n * n);
    ///     }
    ///     results.as_completed().map(|(_, square)| square).sum::<u32>()
    /// });
    /// assert_eq!(total, 385);
    /// ```
    pub fn results<T: Send + 'scope>(&'scope self) -> Results<'scope, 'env, T> {
        Results::new(self, usize::MAX, let_go())
    }

    /// As [`results`](Self::results), but a task that delivers blocks while `bound` results wait to
    /// be taken.
    ///
    /// It holds a thread and its place under the limit meanwhile. So give the scope a
    /// [`limit`](crate::Options::limit); read in the body, or in a task that runs already; and let
    /// the body of a limited scope wait for nothing else while it has not read, such as room for
    /// other tasks: spawning into the outlet it reads is safe. The task stops blocking when the
    /// scope is cancelled or the reading end is dropped; its result is not lost by that.
    ///
    /// What is [read in order](Results::in_order) and came too early counts as taken.
    ///
    /// # Examples
    ///
    /// ```
    /// let lines = wg::options().limit(2).scope(|s| {
    ///     let results = s.results_bounded(1);
    ///     for n in 0..100 {
    ///         results.spawn(move || format!("line {n}"));
    ///     }
    ///     results.as_completed().count()
    /// });
    /// assert_eq!(lines, 100);
    /// ```
    ///
    /// # Panics
    ///
    /// If `bound` is 0: nothing could ever be delivered.
    #[track_caller]
    pub fn results_bounded<T: Send + 'scope>(
        &'scope self,
        bound: usize,
    ) -> Results<'scope, 'env, T> {
        Results::new(self, checked_bound(bound), let_go())
    }
}

fn let_go<'scope>() -> Caught<'scope> {
    Box::new(|_, payload, _| discard(payload))
}

#[track_caller]
pub(super) fn checked_bound(bound: usize) -> usize {
    assert!(bound > 0, "an outlet with a bound of 0 takes no result: it must be at least 1");
    bound
}

impl<'scope, 'env, T> Results<'scope, 'env, T> {
    pub(super) fn new(
        scope: &'scope Scope<'scope, 'env>,
        bound: usize,
        caught: Caught<'scope>,
    ) -> Self {
        Results { spawner: Spawner::of_reader(scope, bound), hand: RefCell::default(), caught }
    }

    fn outlet(&self) -> &Outlet<T> {
        self.spawner.outlet()
    }

    pub(super) fn at_reader(&self) -> &Spawner<'scope, 'env, T> {
        &self.spawner
    }
}

/// # Starting tasks
impl<'scope, 'env, T: Send + 'scope> Results<'scope, 'env, T> {
    /// Starts a task whose result comes out here, and returns its number: how many were spawned
    /// here before it. Otherwise as [`Scope::spawn`].
    ///
    /// # Blocking
    ///
    /// As [`Scope::spawn`], but never on results that nobody has read yet.
    #[track_caller]
    pub fn spawn<F>(&self, task: F) -> usize
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.spawner.spawn(task)
    }

    /// Names the tasks that are spawned through what it returns, for reports and errors.
    ///
    /// # Examples
    ///
    /// ```
    /// wg::scope(|s| {
    ///     let results = s.results();
    ///     results.task("fetch").spawn(|| 1);
    ///     assert_eq!(results.recv(), Some((0, 1)));
    /// });
    /// ```
    pub fn task(&self, name: &str) -> Spawner<'scope, 'env, T> {
        self.spawner.task(name)
    }

    /// Returns a handle with which tasks, or other threads, start tasks whose results come out
    /// here.
    ///
    /// It keeps nothing open: what ends is the tasks. One that spawns others before it ends leaves
    /// no gap.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut found = wg::scope(|s| {
    ///     let results = s.results();
    ///     let more = results.spawner();
    ///     results.spawn(move || {
    ///         more.spawn(|| "leaf");
    ///         "root"
    ///     });
    ///     results.as_completed().map(|(_, name)| name).collect::<Vec<_>>()
    /// });
    /// found.sort();
    /// assert_eq!(found, ["leaf", "root"]);
    /// ```
    pub fn spawner(&self) -> Spawner<'scope, 'env, T> {
        self.spawner.elsewhere()
    }
}

/// # Reading
impl<T> Results<'_, '_, T> {
    /// Iterates over the results as they come, each with the number of its task.
    ///
    /// It ends when no task is outstanding, or when the scope is cancelled: then after what is
    /// already there. It may be asked again later.
    ///
    /// # Blocking
    ///
    /// Each step blocks as [`recv`](Self::recv).
    pub fn as_completed(&self) -> impl Iterator<Item = (usize, T)> {
        std::iter::from_fn(|| self.recv())
    }

    /// Iterates over the results in the order in which their tasks were spawned, also where these
    /// end in another order: what comes too early is held back.
    ///
    /// A task that yields nothing leaves a gap. If the scope is cancelled, what is already there
    /// comes in this order, with gaps for what is not, and then it ends.
    ///
    /// # Examples
    ///
    /// ```
    /// let lines = wg::scope(|s| {
    ///     let results = s.results();
    ///     for name in ["a", "b", "c"] {
    ///         results.spawn(move || name.to_uppercase());
    ///     }
    ///     results.in_order().collect::<String>()
    /// });
    /// assert_eq!(lines, "ABC");
    /// ```
    ///
    /// # Blocking
    ///
    /// Each step blocks until all earlier tasks have ended, or the scope is cancelled.
    pub fn in_order(&self) -> impl Iterator<Item = T> {
        let mut next = 0;
        std::iter::from_fn(move || {
            // In vain or not: what is there is handed out. What comes after one of its successors
            // was does not come here any more.
            let _ = self.await_next(None, |hand| hand.has_next_in_order(next));
            let arrived = self.hand.borrow_mut().next_from(next)?;
            next = arrived.number + 1;
            Some(arrived.value)
        })
    }

    /// Receives the next result that comes, with the number of its task; `None` if no task is
    /// outstanding, or if the scope is cancelled and nothing is there.
    ///
    /// # Blocking
    ///
    /// Blocks until one of the tasks has delivered, all have ended, or the scope is cancelled. A
    /// task of a limited scope lends its place under the limit meanwhile, so that it can wait for
    /// tasks that it spawned at any limit.
    pub fn recv(&self) -> Option<(usize, T)> {
        let _ = self.await_next(None, Hand::has_next);
        self.next()
    }

    /// Receives the next result if it is there.
    ///
    /// # Errors
    ///
    /// [`NoResult::NotYet`] or [`NoResult::Ended`].
    pub fn try_recv(&self) -> Result<(usize, T), NoResult> {
        self.look(None, Hand::has_next).unwrap_or(Err(NoResult::NotYet))?;
        self.next().ok_or(NoResult::NotYet)
    }

    /// As [`recv`](Self::recv), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// Why there is none.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use wg::NoResult;
    ///
    /// let (send, receive) = std::sync::mpsc::channel();
    /// wg::scope(|s| {
    ///     let results = s.results();
    ///     assert_eq!(results.try_recv(), Err(NoResult::Ended));
    ///     results.spawn(move || receive.recv());
    ///     assert_eq!(results.recv_timeout(Duration::from_millis(1)), Err(NoResult::NotYet));
    ///     send.send(7).unwrap();
    ///     assert_eq!(results.recv(), Some((0, Ok(7))));
    /// });
    /// ```
    ///
    /// # Blocking
    ///
    /// As [`recv`](Self::recv), for at most about `timeout`.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<(usize, T), NoResult> {
        self.await_next(now().checked_add(timeout), Hand::has_next)?;
        self.next().ok_or(NoResult::NotYet)
    }

    /// Returns how many tasks have not ended. What they have delivered is not counted.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.outlet().numbers().0
    }

    /// Gives the results up and lets the tasks run, all of them: what they return is dropped.
    pub fn discard_rest(self) {
        self.leave(Receiver::Discards);
    }

    /// Takes what is next out of the hand, in the order in which it came.
    fn next(&self) -> Option<(usize, T)> {
        let Arrived { number, value, .. } = self.hand.borrow_mut().next()?;
        Some((usize::try_from(number).unwrap_or(usize::MAX), value))
    }

    /// Looks whether the next result is in the hand, or else there will be none; `None` if it is
    /// still to come, and then `reader` is woken for it.
    fn look(
        &self,
        reader: Option<&Waker>,
        mut has_next: impl FnMut(&mut Hand<T>) -> bool,
    ) -> Option<Result<(), NoResult>> {
        let hand = &mut *self.hand.borrow_mut();
        loop {
            if has_next(hand) {
                return Some(Ok(()));
            }
            hand.trim();
            let look = match reader {
                Some(reader) => self.outlet().take_or_await(&mut hand.ready, reader),
                None => self.outlet().take(&mut hand.ready),
            };
            let frontier = look.frontier.unwrap_or(hand.frontier);
            let moved = mem::replace(&mut hand.frontier, frontier) != frontier;
            if hand.ready.is_empty() && !moved {
                return look.ended.then_some(Err(NoResult::Ended));
            }
        }
    }

    fn await_next(
        &self,
        deadline: Option<Instant>,
        mut has_next: impl FnMut(&mut Hand<T>) -> bool,
    ) -> Result<(), NoResult> {
        if has_next(&mut self.hand.borrow_mut()) {
            return Ok(());
        }
        let mut place = Lent::new(self.spawner.shared());
        let found = wait(place.scope, deadline, |waker| {
            loop {
                let found = self.look(Some(waker), &mut has_next);
                if found.is_some() {
                    place.claim();
                    return found;
                }
                if !place.helps() {
                    return None;
                }
            }
        });
        match found {
            Ok(found) => found,
            Err(Vain::Stopped(stopped)) => Err(NoResult::Stopped(stopped)),
            Err(Vain::TimedOut) => Err(NoResult::NotYet),
        }
    }

    /// Lets go of everything, which may panic: that is entered for the tasks, and is the scope's.
    fn leave(&self, how: Receiver) {
        let arrived = self.outlet().leave(how);
        let Hand { ready, early, .. } = self.hand.take();
        let early = early.into_values().map(|arrived| *arrived);
        for Arrived { task, value, .. } in early.chain(ready).chain(arrived) {
            if let Err(payload) = drop_caught(value) {
                let (_, failure) = self.spawner.shared().panicked(payload, &task);
                if let Some((payload, order)) = failure {
                    (self.caught)(task, payload, order);
                }
            }
        }
    }
}

impl<T> Drop for Results<'_, '_, T> {
    fn drop(&mut self) {
        self.leave(Receiver::Gone);
    }
}

impl<T> fmt::Debug for Results<'_, '_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").field("outlet", self.outlet()).finish_non_exhaustive()
    }
}
