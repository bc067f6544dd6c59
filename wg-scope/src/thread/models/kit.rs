//! What the models are made of.

use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use loom::sync::atomic::AtomicBool;
use loom::thread::JoinHandle;
use wg_core::sync::{Mutex, Ordering::Relaxed, Thread, current, park_until, rely_on_unpark};

use crate::task_info::{Label, TaskInfo};
use crate::thread::job::{Job, Run};
use crate::thread::pool::Client;
use crate::thread::queue::{Begun, Follow, OwnHand, Queue};
use crate::thread::shared::Shared;

/// Runs a model in every order with at most three preemptions.
pub(super) fn explore(model: impl Fn() + Send + Sync + 'static) {
    check(Some(3), model);
}

/// Runs a model in every order there is.
pub(super) fn exhaust(model: impl Fn() + Send + Sync + 'static) {
    check(None, model);
}

/// `LOOM_MAX_PREEMPTIONS` takes precedence.
fn check(bound: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(bound);
    builder.max_branches = 10_000;
    // The flag of a cancel is read relaxed: the wake-up brings it along.
    rely_on_unpark();
    let orders = Arc::new(Count::default());
    let counted = Arc::clone(&orders);
    builder.check(move || {
        counted.up();
        model();
    });
    println!("{} orders", orders.get());
}

/// What somebody did. Whoever was not told of it in an orderly way may find it not done.
#[derive(Debug, Default)]
pub(super) struct Deed(AtomicBool);

impl Deed {
    pub(super) fn act(&self) {
        self.0.store(true, Relaxed);
    }

    pub(super) fn assert_seen(&self) {
        assert!(self.0.load(Relaxed), "told of an end too early, or not in an orderly way");
    }
}

/// Counts what happens, unwatched by loom.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicUsize);

impl Count {
    pub(super) fn up(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    pub(super) fn get(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Counts its drop.
#[derive(Debug)]
pub(super) struct Dropped(pub(super) Arc<Count>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.up();
    }
}

/// A place where one may be at a time. It is watched by loom, so that others run while one is in it;
/// but it orders nothing.
#[derive(Debug, Default)]
pub(super) struct Narrow(loom::sync::atomic::AtomicUsize);

impl Narrow {
    pub(super) fn enter(&self) {
        assert_eq!(self.0.fetch_add(1, Relaxed), 0, "two run at a limit of one");
    }

    pub(super) fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Opens once, for one who waits before it.
#[derive(Debug)]
pub(super) struct Gate(Mutex<Door>);

#[derive(Debug)]
enum Door {
    Closed(Option<Thread>),
    Open,
}

impl Gate {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Gate(Mutex::new(Door::Closed(None))))
    }

    pub(super) fn open(&self) {
        let before = std::mem::replace(&mut *self.0.lock(), Door::Open);
        if let Door::Closed(Some(thread)) = before {
            thread.unpark();
        }
    }

    pub(super) fn pass(&self) {
        loop {
            match &mut *self.0.lock() {
                Door::Open => return,
                Door::Closed(waiter) => *waiter = Some(current()),
            }
            park_until(None);
        }
    }
}

/// A job that does one thing.
pub(super) struct Step<F>(pub(super) F);

impl<F: Fn() + Send + Sync + 'static> Step<F> {
    pub(super) fn job(step: F) -> Job {
        Job::of(Arc::new(Step(step)))
    }
}

impl<F: Fn() + Send + Sync> Run for Step<F> {
    fn run(&self, _: u64) {
        (self.0)();
    }

    fn info(&self, index: u64) -> TaskInfo {
        task(index)
    }
}

#[track_caller]
pub(super) fn task(index: u64) -> TaskInfo {
    TaskInfo::new(index, Label::at(Location::caller()))
}

/// Works a queue off, as a runner that was asked for does; see `Shared::work`.
pub(super) fn work(queue: &Queue) {
    queue.attached();
    let (hand, mut begun) = (OwnHand::default(), None);
    loop {
        if begun.is_some_and(Begun::is_several) {
            while let Some((job, index)) = hand.get().and_then(|hand| hand.next()) {
                job.run(index);
            }
        }
        let (next, follow, stays) = queue.next_or_detach(begun.take(), &hand);
        wake(follow);
        match next {
            Some(next) => {
                begun = Some(next.begun);
                next.job.run(next.index);
            }
            None if stays => queue.expect_nobody(),
            None => return,
        }
    }
}

/// Queues a job that is in no scope.
pub(super) fn push(queue: &Queue, job: Job, most: usize) -> (u64, Follow) {
    match queue.lay(job) {
        Ok(index) => (index, Follow::NONE),
        Err(job) => queue.push(job, most, || None),
    }
}

/// Wakes those who are to be woken. Returns whether a runner is asked for.
pub(super) fn wake(follow: Follow) -> bool {
    follow.rest.iter().flat_map(|rest| &rest.wake).for_each(Thread::unpark);
    follow.ask
}

/// A runner that was lent to a scope, which it keeps until it is joined: loom does not know that the
/// last of several `Arc`s to go is dropped after all others.
pub(super) struct Lent {
    runner: JoinHandle<()>,
    _scope: Arc<Shared>,
}

/// Lends a runner to a scope.
pub(super) fn lend(scope: &Arc<Shared>) -> Lent {
    scope.queue.ask(1);
    lend_asked(scope)
}

/// Lends a runner to a scope in which one was asked for.
pub(super) fn lend_asked(scope: &Arc<Shared>) -> Lent {
    let its = Arc::clone(scope);
    Lent::is(scope, move || its.work())
}

impl Lent {
    /// A thread that knows a scope, and does this there.
    pub(super) fn is(scope: &Arc<Shared>, what: impl FnOnce() + 'static) -> Self {
        Lent { runner: loom::thread::spawn(what), _scope: Arc::clone(scope) }
    }

    pub(super) fn join(self) {
        self.runner.join().unwrap();
    }
}

pub(super) fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
