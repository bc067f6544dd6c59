//! C5a, C5b, C7a: tasks that wait, polled by hand, so that no executor is measured with them.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use wg_core::WaitGroup;

use crate::go;
use crate::measure::{nanos, nanos_each};
use crate::row::Contender;

const CROWD: usize = 1_000;

/// How many waits of their own are begun before the clock starts.
const FLOCK: usize = 100;

/// Counts how often it is woken.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// From the release of a wait, the only one of its group, until it was polled.
pub(super) fn released() -> Vec<Contender> {
    let groups = each(WaitGroup::new);
    let notifies = each(Notify::new);
    let counted = each(Counted::default);
    let trackers = each(closed_tracker);
    vec![
        Contender::ours(move |times| {
            flock(times, &groups, |group| {
                let token = group.token();
                (group.wait_async(), || drop(token))
            })
        }),
        Contender::new("tokio Notify", move |times| {
            flock(times, &notifies, |notify| (notify.notified(), || notify.notify_waiters()))
        }),
        Contender::new("tokio Notify + counter", move |times| {
            flock(times, &counted, |counted| {
                counted.enter();
                (counted.notify.notified(), || counted.leave())
            })
        }),
        Contender::new("tokio TaskTracker", move |times| {
            flock(times, &trackers, |tracker| {
                let token = tracker.token();
                (tracker.wait(), || drop(token))
            })
        }),
    ]
}

fn each<G>(new: fn() -> G) -> Vec<G> {
    (0..FLOCK).map(|_| new()).collect()
}

/// Returns the nanoseconds of one released wait; `begin` returns a group's wait and what releases
/// it.
fn flock<'g, G, F, R>(times: u64, groups: &'g [G], begin: impl Fn(&'g G) -> (F, R)) -> f64
where
    F: Future<Output = ()>,
    R: FnOnce(),
{
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    let mut elapsed = Duration::ZERO;
    for _ in 0..times {
        let (mut waits, releases): (Vec<Pin<Box<F>>>, Vec<R>) =
            groups.iter().map(&begin).map(|(wait, release)| (Box::pin(wait), release)).unzip();
        for wait in &mut waits {
            assert!(wait.as_mut().poll(&mut cx).is_pending());
        }
        let start = Instant::now();
        for (wait, release) in waits.iter_mut().zip(releases) {
            release();
            assert!(wait.as_mut().poll(&mut cx).is_ready());
        }
        elapsed += start.elapsed();
    }
    assert_eq!(counter.0.load(Relaxed) as u64, times * FLOCK as u64);
    nanos_each(elapsed, times * FLOCK as u64)
}

/// The whole life of a wait: begun, polled once, released, polled again.
pub(super) fn whole() -> Vec<Contender> {
    let group = WaitGroup::new();
    let notify = Notify::new();
    let counted = Counted::default();
    let tracker = closed_tracker();
    vec![
        Contender::ours(move |times| {
            cycle(times, || {
                let token = group.token();
                (group.wait_async(), || drop(token))
            })
        }),
        Contender::new("tokio Notify", move |times| {
            cycle(times, || (notify.notified(), || notify.notify_waiters()))
        }),
        Contender::new("tokio Notify + counter", move |times| {
            cycle(times, || {
                counted.enter();
                (counted.notify.notified(), || counted.leave())
            })
        }),
        Contender::new("tokio TaskTracker", move |times| {
            cycle(times, || {
                let token = tracker.token();
                (tracker.wait(), || drop(token))
            })
        }),
    ]
}

/// Returns the nanoseconds of one wait; `begin` returns it and what releases it.
fn cycle<F, R>(times: u64, mut begin: impl FnMut() -> (F, R)) -> f64
where
    F: Future<Output = ()>,
    R: FnOnce(),
{
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    let each = nanos(times, || {
        let (wait, release) = begin();
        let mut wait = pin!(wait);
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        release();
        assert!(wait.as_mut().poll(&mut cx).is_ready());
    });
    assert_eq!(counter.0.load(Relaxed) as u64, times);
    each
}

/// C7a, with goroutines beside it: what waits in Go is a goroutine in either case.
pub(super) fn many() -> Vec<Contender> {
    let mut contenders = crowd(CROWD);
    contenders.push(go::with("Go", "release", CROWD as u64));
    contenders
}

/// From the release of a crowd of waits until the last of them was polled.
pub(in crate::rows) fn crowd(size: usize) -> Vec<Contender> {
    let group = WaitGroup::new();
    let notify = Notify::new();
    let tracker = closed_tracker();
    vec![
        Contender::ours(move |times| {
            stampede(times, size, || {
                let token = group.token();
                (|| group.wait_async(), || drop(token))
            })
        }),
        Contender::new("tokio Notify", move |times| {
            stampede(times, size, || (|| notify.notified(), || notify.notify_waiters()))
        }),
        Contender::new("tokio TaskTracker", move |times| {
            stampede(times, size, || {
                let token = tracker.token();
                (|| tracker.wait(), || drop(token))
            })
        }),
    ]
}

/// Returns the nanoseconds of one released wait; `begin` returns what makes a wait and what
/// releases all of them.
fn stampede<F, W, R>(times: u64, size: usize, mut begin: impl FnMut() -> (W, R)) -> f64
where
    F: Future<Output = ()>,
    W: FnMut() -> F,
    R: FnOnce(),
{
    let counter = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&counter));
    let mut cx = Context::from_waker(&waker);
    let mut elapsed = Duration::ZERO;
    for _ in 0..times {
        let (mut wait, release) = begin();
        let mut crowd: Vec<Pin<Box<F>>> = (0..size).map(|_| Box::pin(wait())).collect();
        for wait in &mut crowd {
            assert!(wait.as_mut().poll(&mut cx).is_pending());
        }
        let start = Instant::now();
        release();
        for wait in &mut crowd {
            assert!(wait.as_mut().poll(&mut cx).is_ready());
        }
        elapsed += start.elapsed();
    }
    assert_eq!(counter.0.load(Relaxed) as u64, times * size as u64);
    nanos_each(elapsed, times * size as u64)
}

/// A tracker that is waited for with success.
fn closed_tracker() -> TaskTracker {
    let tracker = TaskTracker::new();
    tracker.close();
    tracker
}

/// What somebody without a WaitGroup would write.
#[derive(Default)]
struct Counted {
    members: AtomicUsize,
    notify: Notify,
}

impl Counted {
    fn enter(&self) {
        self.members.fetch_add(1, Relaxed);
    }

    fn leave(&self) {
        if self.members.fetch_sub(1, Release) == 1 {
            self.notify.notify_waiters();
        }
    }
}
