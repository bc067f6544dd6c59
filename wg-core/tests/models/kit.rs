//! What the models are made of.

use std::future::Future;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use loom::cell::UnsafeCell;
use loom::thread::JoinHandle;
use wg_core::sync::{self, Thread};
use wg_core::{TimedOut, WaitGroup};

/// Runs a model in every order with at most three preemptions.
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    check(Some(3), model);
}

/// Runs a model in every order there is.
pub(crate) fn exhaust(model: impl Fn() + Send + Sync + 'static) {
    check(None, model);
}

/// Runs a model with more threads than most: with at most two preemptions, whatever the environment
/// says.
pub(crate) fn explore_crowd(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

/// `LOOM_MAX_PREEMPTIONS` takes precedence.
fn check(bound: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(bound);
    builder.check(model);
}

/// What somebody did: memory that loom watches, and a flag that it does not watch, so that "not
/// yet" is told from "not ordered".
pub(crate) struct Deed {
    memory: UnsafeCell<()>,
    done: AtomicBool,
}

// SAFETY: the memory holds nothing, so nothing can be torn; loom reports its races all the same.
unsafe impl Sync for Deed {}

impl Deed {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Deed { memory: UnsafeCell::new(()), done: AtomicBool::new(false) })
    }

    pub(crate) fn act(&self) {
        self.memory.with_mut(|_| ());
        self.done.store(true, Relaxed);
    }

    /// Fails unless the deed was done, and happened before this.
    pub(crate) fn assert_seen(&self) {
        assert!(self.done.load(Relaxed), "told of an end too early");
        self.memory.with(|_| ());
    }
}

pub(crate) fn assert_all_seen(deeds: &[Arc<Deed>]) {
    deeds.iter().for_each(|deed| deed.assert_seen());
}

/// Starts a thread that does a deed and then leaves, by dropping its token.
pub(crate) fn member(token: impl Sized + 'static, deed: &Arc<Deed>) -> JoinHandle<()> {
    let deed = Arc::clone(deed);
    loom::thread::spawn(move || {
        deed.act();
        drop(token);
    })
}

/// Starts a thread that waits for deeds.
pub(crate) fn waiter(group: &Arc<WaitGroup>, deeds: &[Arc<Deed>]) -> JoinHandle<()> {
    let (group, deeds) = (Arc::clone(group), deeds.to_vec());
    loom::thread::spawn(move || {
        group.wait();
        assert_all_seen(&deeds);
    })
}

/// Waits with a deadline that passes when it is worst.
pub(crate) fn wait_briefly(group: &WaitGroup) -> Result<(), TimedOut> {
    group.wait_deadline(Instant::now())
}

pub(crate) fn join(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Fails unless everybody has left without a trace.
pub(crate) fn assert_deserted(group: &WaitGroup) {
    assert_eq!((group.waiters(), group.count()), (0, 0), "a ghost is in the word");
}

/// A waker that ends a sleep.
pub(crate) struct Alarm {
    sleeper: Thread,
    rung: AtomicBool,
}

impl Alarm {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Alarm { sleeper: sync::current(), rung: AtomicBool::new(false) })
    }

    /// Sleeps until this alarm, and no other, has been rung since.
    pub(crate) fn sleep(&self) {
        while !self.rung.swap(false, Relaxed) {
            sync::park_until(None);
        }
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Relaxed);
        self.sleeper.unpark();
    }
}

pub(crate) fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Polls a future whenever it asks for it, until it is ready.
pub(crate) fn block_on<F: Future + Unpin>(mut future: F) -> F::Output {
    let alarm = Alarm::new();
    let waker = Waker::from(Arc::clone(&alarm));
    loop {
        match poll(&mut future, &waker) {
            Poll::Ready(output) => return output,
            Poll::Pending => alarm.sleep(),
        }
    }
}

/// The address of a group that one thread ends while others may still know it.
///
/// Its memory stays until the model is over. So whoever comes too late finds a dead group, which
/// fails the model, and not somebody else's memory.
#[derive(Clone, Copy)]
pub(crate) struct Doomed(*mut MaybeUninit<WaitGroup>);

// SAFETY: a `WaitGroup` is `Sync`, and what else is done through the address is `unsafe`.
unsafe impl Send for Doomed {}

impl Doomed {
    pub(crate) fn new() -> Self {
        Doomed(Box::into_raw(Box::new(MaybeUninit::new(WaitGroup::new()))))
    }

    /// # Safety
    ///
    /// The group is alive while its reference is used, apart from what the protocol promises.
    pub(crate) unsafe fn group(self) -> &'static WaitGroup {
        // SAFETY: the memory is valid, and initialized from `new` to `end`.
        unsafe { &*self.0.cast() }
    }

    /// Ends the group. `group` must be called again for a successor.
    ///
    /// # Safety
    ///
    /// The group is alive, and nobody will use it, apart from what the protocol promises.
    pub(crate) unsafe fn end(self) {
        // SAFETY: the group is alive, and dropped once.
        unsafe { self.0.cast::<WaitGroup>().drop_in_place() }
    }

    /// Puts a new group where one has ended.
    ///
    /// # Safety
    ///
    /// The former group has ended.
    pub(crate) unsafe fn begin_anew(self) {
        // SAFETY: the memory is valid and holds nothing that would have to be dropped.
        unsafe { self.0.write(MaybeUninit::new(WaitGroup::new())) }
    }

    /// # Safety
    ///
    /// The group has ended, and nobody knows the address any more.
    pub(crate) unsafe fn free(self) {
        // SAFETY: the memory is that of the box in `new`.
        drop(unsafe { Box::from_raw(self.0) });
    }
}
