//! Models of what has synchronisation of its own in scopes of futures: the signal, what was started,
//! the line, and a child between its place, its joiner and its scope. `loom` runs each of them in every
//! order that its bound allows. They stand in here because the protocols are private.
//!
//! The place is one like a runtime: each child is polled by a thread of its own. `.ci/models` runs
//! them all.

use std::collections::VecDeque;
use std::future::{Future, pending, poll_fn};
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::sync::atomic::AtomicBool;
use loom::thread::{JoinHandle, spawn};
use wg_core::sync::{Mutex, Ordering::Relaxed, rely_on_unpark};

use super::child::{Claimed, Drive, Driven, Held, Join, Sendable, Whose};
use super::fan_out::{Reads, Streams};
use super::in_task::Started;
use super::line::Key;
use super::place::{Claims, Holds, Joins, Polls, Takes};
use super::run::{Stopping, plain};
use super::scope::AsyncScope;
use super::shared::Shared;
use super::signal::{Bell, Signal};
use super::task::AsyncTask;
use crate::options::{Options, options};
use crate::policy::Policy;
use crate::settle::Plain;
use crate::task_info::{Label, TaskInfo};
use crate::twin::{Giver, Taker, twins};

/// Runs a model in every order with at most so many preemptions; `LOOM_MAX_PREEMPTIONS` takes
/// precedence.
fn explore(most: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(most));
    builder.max_branches = 20_000;
    // The flag of a cancel is read relaxed: the wake-up brings it along.
    rely_on_unpark();
    let orders = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&orders);
    builder.check(move || {
        counted.fetch_add(1, Relaxed);
        model();
    });
    println!("{} orders", orders.load(Relaxed));
}

/// What somebody did. Whoever was not told of it in an orderly way may find it not done.
#[derive(Default)]
struct Deed(AtomicBool);

impl Deed {
    fn act(&self) {
        self.0.store(true, Relaxed);
    }

    fn assert_seen(&self) {
        assert!(self.0.load(Relaxed), "told of an end too early, or not in an orderly way");
    }
}

/// Counts its drop, unwatched by loom.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A place where one may be at a time.
#[derive(Default)]
struct Narrow(loom::sync::atomic::AtomicUsize);

impl Narrow {
    fn enter(&self) {
        assert_eq!(self.0.fetch_add(1, Relaxed), 0, "two run at a limit of one");
    }

    fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// A place like a runtime: each child is polled by a thread of its own, until it has ended or is
/// stopped.
struct Threads(Mutex<Vec<JoinHandle<()>>>);

/// A child in the hands of its thread.
struct Hand(Mutex<Stage>);

enum Stage {
    Rests(Pin<Box<dyn Future<Output = ()> + Send>>, Option<Waker>),
    Polled,
    Stopped,
}

impl Hand {
    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        let before = mem::replace(&mut *self.0.lock(), Stage::Polled);
        let Stage::Rests(mut child, _) = before else {
            *self.0.lock() = Stage::Stopped;
            return Poll::Ready(());
        };
        if child.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut stage = self.0.lock();
        if let Stage::Polled = *stage {
            *stage = Stage::Rests(child, Some(context.waker().clone()));
            return Poll::Pending;
        }
        drop(stage);
        drop(child);
        Poll::Ready(())
    }

    fn stop(&self) {
        let before = mem::replace(&mut *self.0.lock(), Stage::Stopped);
        if let Stage::Rests(child, waker) = before {
            drop(child);
            waker.into_iter().for_each(Waker::wake);
        }
    }
}

impl<C: Drive + Send + Sync + 'static> Holds<C> for Threads {
    fn child(cell: Arc<C>) -> Sendable<'static> {
        Held(cell)
    }
}

impl<C: Join + Send + Sync + 'static> Joins<C> for Threads {
    fn joined(cell: Arc<C>) -> Arc<Self::Joined> {
        cell
    }
}

impl<T, C: Claimed<T> + Send + Sync + 'static> Claims<C, T> for Threads {
    fn claimed(claim: impl FnOnce() -> C) -> (Giver<T, C>, Taker<T, Self::Claimed<T>>) {
        twins::<T, C, dyn Claimed<T> + Send + Sync>(claim, |it| it)
    }
}

impl<W: Future<Output = ()> + Send + 'static> Takes<W> for Threads {
    fn take(shared: &Arc<Shared<Self>>, whole: W) {
        drop(shared.place.poll(Box::pin(whole)));
    }
}

impl Threads {
    fn poll(&self, child: Pin<Box<dyn Future<Output = ()> + Send>>) -> Arc<Hand> {
        let hand = Arc::new(Hand(Mutex::new(Stage::Rests(child, None))));
        let its = Arc::clone(&hand);
        let thread = spawn(move || block_on(poll_fn(|context| its.poll(context))));
        self.0.lock().push(thread);
        hand
    }
}

impl Streams for Threads {
    type Reader<R> = dyn Reads<R> + Send;
}

impl Polls for Threads {
    type Child = Sendable<'static>;
    type Claimed<T> = dyn Claimed<T> + Send + Sync;
    type Joined = dyn Join + Send + Sync;
    type Handle = Arc<Hand>;
    type Kept = ();
    type Drive<B: Future> = Body<B>;

    const DROPS: bool = false;
    const LISTS: usize = 2;

    fn start(shared: &Arc<Shared<Self>>, child: Sendable<'static>) -> Option<Arc<Hand>> {
        Some(shared.place.poll(Box::pin(Driven::new(child))))
    }

    fn stop(hand: Arc<Hand>) {
        hand.stop();
    }

    fn drive<B: Future>(shared: Arc<Shared<Self>>, body: B) -> Body<B> {
        Body { shared, body: Box::pin(body), result: None, stopping: Stopping::default() }
    }

    fn hands(&self) -> usize {
        usize::MAX
    }

    fn lends_a_hand(&self) -> bool {
        false
    }

    fn abandon(_: &Shared<Self>) {}
}

/// Polls the body and waits for the children, as on tokio.
struct Body<B: Future> {
    shared: Arc<Shared<Threads>>,
    body: Pin<Box<B>>,
    result: Option<B::Output>,
    stopping: Stopping,
}

impl<B: Future> Unpin for Body<B> {}

impl<B: Future> Future for Body<B> {
    type Output = B::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<B::Output> {
        let Body { shared, body, result, stopping } = self.get_mut();
        shared.signal.awake(context.waker());
        loop {
            if stopping.is_due(shared) {
                shared.stop();
            }
            if result.is_none() {
                if let Poll::Ready(end) = body.as_mut().poll(context) {
                    *result = Some(end);
                }
            }
            if result.is_some() && shared.has_ended() {
                return Poll::Ready(result.take().expect("looked at it just now"));
            }
            if shared.signal.sleep() {
                return Poll::Pending;
            }
        }
    }
}

type Scope = AsyncScope<Threads>;

/// What is left of a scope. It is kept until all threads that know it are joined: loom does not know
/// that the last of several `Arc`s to go is dropped after all others.
#[must_use]
struct Left(Arc<Shared<Threads>>);

impl Left {
    fn join(self) {
        let threads = mem::take(&mut *self.0.place.0.lock());
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// Runs a scope on this thread.
fn scope<Fut: Future<Output = ()>>(options: &Options, body: impl FnOnce(Scope) -> Fut) -> Left {
    let kept = Arc::new(std::sync::Mutex::new(None));
    let keeps = Arc::clone(&kept);
    let options = options.clone();
    let open = move || {
        let place = Threads(Mutex::new(Vec::new()));
        let shared = Shared::new(&options, Policy::fail_fast(), place);
        *keeps.lock().unwrap() = Some(Arc::clone(&shared));
        shared
    };
    block_on(plain(open, body, Location::caller()));
    let shared = kept.lock().unwrap().take().expect("it was opened");
    Left(shared)
}

#[track_caller]
fn start<F>(s: &Scope, task: F) -> AsyncTask<Threads, F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    let spawned = s.start(Label::at(Location::caller()), task, Plain);
    AsyncTask::<Threads, _>::new(spawned)
}

/// Whoever goes to sleep has been told, or will be woken: a ring between the last look and the sleep
/// is not lost.
#[test]
fn rule_26_a_ring_wakes_the_one_who_goes_to_sleep() {
    explore(5, || {
        let signal = Arc::new(Signal::default());
        let deed = Arc::new(Deed::default());
        let other = spawn({
            let (signal, deed) = (Arc::clone(&signal), Arc::clone(&deed));
            move || {
                deed.act();
                signal.ring();
            }
        });
        block_on(poll_fn(|context| {
            signal.awake(context.waker());
            loop {
                if deed.0.load(Relaxed) {
                    return Poll::Ready(());
                }
                if signal.sleep() {
                    return Poll::Pending;
                }
            }
        }));
        other.join().unwrap();
    });
}

/// What tasks did is seen when the scope is ready, and by those who await them.
#[test]
fn rule_01_a_scope_is_ready_when_its_last_task_has_ended() {
    explore(2, || {
        let (one, two) = (Arc::new(Deed::default()), Arc::new(Deed::default()));
        let left = scope(&options(), async |s| {
            let (its, joined) = (Arc::clone(&one), Arc::clone(&one));
            let task = start(&s, async move { its.act() });
            let its = Arc::clone(&two);
            drop(start(&s, async move { its.act() }));
            task.join().await;
            joined.assert_seen();
        });
        one.assert_seen();
        two.assert_seen();
        left.join();
    });
}

/// The slot goes from one to the next, and there is only one.
#[test]
fn rule_09_at_a_limit_of_one_tasks_follow_each_other() {
    explore(2, || {
        let narrow = Arc::new(Narrow::default());
        let ran = Arc::new(AtomicUsize::new(0));
        let left = scope(&options().limit(1), async |s| {
            for _ in 0..2 {
                let (narrow, ran) = (Arc::clone(&narrow), Arc::clone(&ran));
                drop(start(&s, async move {
                    narrow.enter();
                    ran.fetch_add(1, Relaxed);
                    narrow.leave();
                }));
            }
        });
        assert_eq!(ran.load(Relaxed), 2);
        left.join();
    });
}

/// A limit comes while a task runs, or ends: whoever begins after that begins after its end.
#[test]
fn rule_09_a_limit_that_comes_late_counts_what_runs() {
    explore(2, || {
        let narrow = Arc::new(Narrow::default());
        let ran = Arc::new(AtomicUsize::new(0));
        let left = scope(&options(), async |s| {
            for _ in 0..2 {
                let (narrow, ran) = (Arc::clone(&narrow), Arc::clone(&ran));
                drop(start(&s, async move {
                    narrow.enter();
                    ran.fetch_add(1, Relaxed);
                    narrow.leave();
                }));
                s.set_limit(1);
            }
        });
        assert_eq!(ran.load(Relaxed), 2);
        left.join();
    });
}

/// A task joins one that waits, while the other slot becomes free: it is begun once, by its joiner or
/// in that slot, and the joiner hears of its end.
#[test]
fn rule_11_a_task_is_begun_by_its_joiner_or_in_a_slot_of_its_own() {
    explore(2, || {
        let ran = Arc::new(AtomicUsize::new(0));
        let left = scope(&options().limit(2), async |s| {
            let inner = s.clone();
            let counted = Arc::clone(&ran);
            let host = start(&s, async move {
                let guest = start(&inner, async move { counted.fetch_add(1, Relaxed) });
                guest.join().await
            });
            drop(start(&s, async {}));
            assert_eq!(host.join().await, 0);
        });
        assert_eq!(ran.load(Relaxed), 1);
        left.join();
    });
}

/// A cancel from elsewhere finds every task: those that run, those that wait, and the one that is
/// being spawned.
#[test]
fn rule_19_a_cancel_drops_what_runs_what_waits_and_what_comes() {
    explore(2, || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut canceller = None;
        let left = scope(&options().limit(1), async |s| {
            let cancel = s.canceller();
            canceller = Some(spawn(move || assert!(cancel.cancel("enough"))));
            for _ in 0..2 {
                let held = Dropped(Arc::clone(&dropped));
                drop(start(&s, async move {
                    pending::<()>().await;
                    drop(held);
                }));
            }
        });
        assert_eq!(dropped.load(Relaxed), 2);
        canceller.take().expect("the body has begun").join().unwrap();
        left.join();
    });
}

/// A cancel comes while a task goes to sleep that its place has: it finds whom to wake, or the task
/// finds that it is to stop.
#[test]
fn rule_19_a_cancel_stops_a_task_that_goes_to_sleep() {
    explore(3, || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let mut canceller = None;
        let left = scope(&options(), async |s| {
            let held = Dropped(Arc::clone(&dropped));
            drop(start(&s, async move {
                pending::<()>().await;
                drop(held);
            }));
            let cancel = s.canceller();
            canceller = Some(spawn(move || assert!(cancel.cancel("enough"))));
        });
        assert_eq!(dropped.load(Relaxed), 1);
        canceller.take().expect("the body has begun").join().unwrap();
        left.join();
    });
}

/// A value goes to its handle or is dropped, and before the scope is ready.
#[test]
fn rule_01_a_value_is_dropped_once_if_its_handle_goes_while_the_task_ends() {
    explore(3, || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let its = Arc::clone(&dropped);
        let left = scope(&options(), async |s| drop(start(&s, async move { Dropped(its) })));
        assert_eq!(dropped.load(Relaxed), 1);
        left.join();
    });
}

/// The same of a task that waits in between: it looks whether its handle is gone while that goes.
#[test]
fn rule_01_a_value_is_dropped_once_if_its_handle_goes_while_the_task_waits() {
    explore(2, || {
        let dropped = Arc::new(AtomicUsize::new(0));
        let its = Arc::clone(&dropped);
        let left = scope(&options(), async |s| {
            let mut waits = true;
            drop(start(&s, async move {
                poll_fn(|context| {
                    if !mem::take(&mut waits) {
                        return Poll::Ready(());
                    }
                    context.waker().wake_by_ref();
                    Poll::Pending
                })
                .await;
                Dropped(its)
            }));
        });
        assert_eq!(dropped.load(Relaxed), 1);
        left.join();
    });
}

/// A handle of the scope is left elsewhere. What is spawned there is waited for, or never begins.
#[test]
fn rule_03_a_task_that_is_spawned_at_the_end_is_waited_for_or_never_begins() {
    explore(2, || {
        let (begun, over) = (Arc::new(Deed::default()), Arc::new(Deed::default()));
        let mut spawner = None;
        let left = scope(&options(), async |s| {
            let (inner, begun, over) = (s.clone(), Arc::clone(&begun), Arc::clone(&over));
            let late = move || {
                drop(start(&inner, async move {
                    assert!(!over.0.load(Relaxed), "it began after the end");
                    begun.act();
                }));
            };
            spawner = Some(spawn(late));
        });
        over.act();
        spawner.take().expect("the body has begun").join().unwrap();
        left.join();
    });
}

/// A child of which nothing is asked.
struct Idle;

impl Drive for Idle {
    fn drive(&self, _: Key) -> bool {
        false
    }

    fn poll(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn cancel(&self, _: Whose) -> bool {
        false
    }

    fn is_waiting(&self) -> bool {
        false
    }

    fn info(&self) -> TaskInfo {
        TaskInfo::new(0, Label::at(Location::caller()))
    }

    fn has_ended(&self) -> bool {
        true
    }
}

/// Two threads start a child each, and only who finds nobody before him rings: whoever polls the
/// scope finds both.
#[test]
fn rule_26_what_was_started_is_found_though_only_the_first_rings() {
    explore(3, || {
        let shared = Arc::new((Started::<Driven<Sendable<'static>>>::new(), Signal::default()));
        let spawners: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                spawn(move || {
                    if shared.0.push(Driven::new(Held(Arc::new(Idle) as Arc<_>))) {
                        shared.1.ring();
                    }
                })
            })
            .collect();
        let (mut fresh, mut found) = (VecDeque::new(), 0);
        block_on(poll_fn(|context| {
            shared.1.awake(context.waker());
            loop {
                shared.0.move_to(&mut fresh);
                found += fresh.drain(..).count();
                if found == 2 {
                    return Poll::Ready(());
                }
                if shared.1.sleep() {
                    return Poll::Pending;
                }
            }
        }));
        spawners.into_iter().for_each(|spawner| spawner.join().unwrap());
    });
}

/// Somebody wakes a member again and again, each time after a deed: whoever polls the scope polls the
/// member after the last of them.
#[test]
fn rule_26_a_member_that_is_woken_is_polled_after_that() {
    explore(4, || {
        let signal = Arc::new(Signal::default());
        let (first, second) = (Arc::new(Deed::default()), Arc::new(Deed::default()));
        let waker = Bell::waker(&signal, 3);
        let deeds = [Arc::clone(&first), Arc::clone(&second)];
        let other = spawn(move || {
            for deed in deeds {
                deed.act();
                waker.wake_by_ref();
            }
        });
        let mut ready = VecDeque::new();
        block_on(poll_fn(|context| {
            signal.awake(context.waker());
            loop {
                signal.take_called(&mut ready);
                while let Some(place) = ready.pop_front() {
                    assert_eq!(place, 3);
                    if second.0.load(Relaxed) {
                        return Poll::Ready(());
                    }
                }
                if signal.sleep() {
                    return Poll::Pending;
                }
            }
        }));
        first.assert_seen();
        other.join().unwrap();
    });
}
