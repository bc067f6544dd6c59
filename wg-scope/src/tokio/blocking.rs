//! Closures that block, as tasks of a scope: on the threads that the runtime has for them.
//!
//! The task is a future that waits for its closure. It can be dropped at any time, as every task
//! can; the closure cannot. So a closure that runs is a member of the scope's group itself.

use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wg_core::OwnedToken;
use wg_core::sync::Mutex;

use super::{Scope, Tokio, TryScope};
use crate::context::{self, Role};
use crate::ending::Origin;
use crate::futures::{AsyncNamed, AsyncTask, Shared, TryAsyncTask};
use crate::outcome::{Payload, discard, drop_caught};
use crate::settle::{Plain, Settle};
use crate::task_info::Label;

/// # Starting closures that block
impl Scope {
    /// Starts a closure that may block, on the threads that the runtime has for such.
    ///
    /// It is a task like any other: it counts, it takes a slot of the limit, and its panic is the
    /// task's. It differs in one thing: a closure that runs cannot be dropped. If the scope is
    /// cancelled, whoever awaits it is told at once, and the scope waits for the closure, which may
    /// ask [`is_cancelled`](crate::AsyncScope::is_cancelled) now and then. What it returns so late is
    /// dropped; its panic, or its error in a scope that may fail, is reported. A closure that has not
    /// begun when the scope is cancelled does not run.
    ///
    /// # Examples
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let sum = wg::tokio::scope(async |s| {
    ///     let slow = s.spawn_blocking(|| (1..=1_000_u64).sum::<u64>());
    ///     slow.join().await
    /// });
    /// assert_eq!(sum.await, 500_500);
    /// # });
    /// ```
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is visible to the closure.
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, closure: F) -> AsyncTask<super::Tokio, R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        send(self, Label::at(Location::caller()), closure, Plain, Plain)
    }
}

impl AsyncNamed<'_, Scope> {
    /// Starts a closure with this name; see [`Scope::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, R>(self, closure: F) -> AsyncTask<super::Tokio, R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let label = Label::named(self.name, Location::caller());
        send(self.scope, label, closure, Plain, Plain)
    }
}

/// # Starting closures that block
impl<E: Send + 'static> TryScope<E> {
    /// Starts a closure that may block and may fail; see [`Scope::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, T>(&self, closure: F) -> TryAsyncTask<super::Tokio, T, E>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        let (settle, late) = (Arc::clone(self.failures()), Arc::clone(self.failures()));
        let label = Label::at(Location::caller());
        TryAsyncTask::new(send(self, label, closure, settle, late))
    }
}

impl<E: Send + 'static> AsyncNamed<'_, TryScope<E>> {
    /// Starts a closure with this name that may fail; see [`Scope::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, T>(self, closure: F) -> TryAsyncTask<super::Tokio, T, E>
    where
        F: FnOnce() -> Result<T, E> + Send + 'static,
        T: Send + 'static,
    {
        let failures = self.scope.failures();
        let (settle, late) = (Arc::clone(failures), Arc::clone(failures));
        let label = Label::named(self.name, Location::caller());
        TryAsyncTask::new(send(self.scope, label, closure, settle, late))
    }
}

/// Starts a closure as a task. `late` settles what it ends with when the task is gone already.
fn send<F, R, S>(
    scope: &Scope,
    label: Label,
    closure: F,
    settle: S,
    late: S,
) -> AsyncTask<super::Tokio, R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
    S: Settle<R> + Send + Sync + 'static,
{
    let errand = Arc::new(Errand {
        shared: Arc::clone(scope.shared()),
        label: label.clone(),
        inner: Mutex::new(Inner {
            stage: Stage::Waiting(closure),
            waker: None,
            index: None,
            late: Some(late),
        }),
    });
    let future = Blocking { errand: Arc::clone(&errand), is_sent: false };
    let spawned = scope.start(label, future, settle);
    let task = AsyncTask::<super::Tokio, _>::new(spawned);
    errand.number(task.info().index() as u64);
    task
}

/// A closure, on its way to a thread and back.
struct Errand<F, R, S> {
    shared: Arc<Shared<Tokio>>,
    label: Label,
    inner: Mutex<Inner<F, R, S>>,
}

struct Inner<F, R, S> {
    stage: Stage<F, R>,
    /// Whom to wake when it has ended.
    waker: Option<Waker>,
    /// Which task it is. It may have begun before that is known here.
    index: Option<u64>,
    late: Option<S>,
}

enum Stage<F, R> {
    /// For its turn, or for a thread.
    Waiting(F),
    Running,
    /// It ended, and the task will take this.
    Ended(End<R>),
    /// It runs, and the task is gone.
    Alone,
    /// It ended, the task is gone, and it is not known which task that was.
    Nameless(End<R>, Option<Member>),
    Over,
}

struct End<R> {
    result: Result<R, Payload>,
    /// Whether it was told that it is stopped.
    told: bool,
}

/// A closure as a member of its scope. The last one out rings.
struct Member {
    token: Option<OwnedToken>,
    shared: Arc<Shared<Tokio>>,
}

impl Member {
    /// None if the scope lets nobody in any more.
    fn of(shared: &Arc<Shared<Tokio>>) -> Option<Self> {
        let token = Some(shared.token()?);
        Some(Member { token, shared: Arc::clone(shared) })
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.token.take());
        if self.shared.group.count() == 0 {
            self.shared.signal.ring();
        }
    }
}

impl<F, R, S> Errand<F, R, S>
where
    F: FnOnce() -> R,
    S: Settle<R> + Send + Sync,
{
    /// Runs the closure, on a thread that may be blocked.
    fn run(&self) {
        let shared = &self.shared;
        let mut inner = self.inner.lock();
        let (closure, member) = match mem::replace(&mut inner.stage, Stage::Running) {
            // The task is here, so the scope has not ended.
            Stage::Waiting(closure) if !shared.is_cancelled() => match Member::of(shared) {
                Some(member) => (closure, member),
                None => {
                    inner.stage = Stage::Waiting(closure);
                    return;
                }
            },
            // The task will be dropped, and the closure with it; or both are already.
            other => {
                inner.stage = other;
                return;
            }
        };
        drop(inner);
        let told = context::told();
        let place = context::enter(&shared.node, Role::Task);
        let result = catch_unwind(AssertUnwindSafe(closure));
        drop(place);
        self.end(End { result, told: context::told() != told }, member);
    }

    fn end(&self, end: End<R>, member: Member) {
        let mut inner = self.inner.lock();
        match (mem::replace(&mut inner.stage, Stage::Over), inner.index) {
            (Stage::Running, _) => {
                inner.stage = Stage::Ended(end);
                let waker = inner.waker.take();
                drop(inner);
                if let Some(waker) = waker {
                    // A waker is foreign code. A thread of the runtime's is not to be blamed for it.
                    catch_unwind(AssertUnwindSafe(|| waker.wake())).unwrap_or_else(discard);
                }
            }
            (_, Some(index)) => {
                let late = inner.late.take();
                drop(inner);
                self.settle(late, index, end);
            }
            (_, None) => {
                inner.stage = Stage::Nameless(end, Some(member));
                return;
            }
        }
        drop(member);
    }

    /// Enters which task it is.
    fn number(&self, index: u64) {
        let mut inner = self.inner.lock();
        inner.index = Some(index);
        match mem::replace(&mut inner.stage, Stage::Over) {
            Stage::Nameless(end, member) => {
                let late = inner.late.take();
                drop(inner);
                self.settle(late, index, end);
                drop(member);
            }
            other => inner.stage = other,
        }
    }

    /// Gives the task up, wherever its closure is.
    fn leave(&self) {
        let mut inner = self.inner.lock();
        let waker = inner.waker.take();
        let mut closure = None;
        match (mem::replace(&mut inner.stage, Stage::Over), inner.index) {
            (Stage::Waiting(waiting), _) => closure = Some(waiting),
            (Stage::Running, _) => inner.stage = Stage::Alone,
            (Stage::Ended(end), Some(index)) => {
                let late = inner.late.take();
                drop(inner);
                drop(waker);
                return self.settle(late, index, end);
            }
            (Stage::Ended(end), None) => {
                inner.stage = Stage::Nameless(end, Member::of(&self.shared));
            }
            (other, _) => inner.stage = other,
        }
        drop(inner);
        drop(waker);
        // A panic in there is the task's: whoever drops that sees to it.
        drop(closure);
    }

    /// Settles how a closure ended whose task has ended before it, as cancelled: a failure is not
    /// lost.
    fn settle(&self, settle: Option<S>, index: u64, end: End<R>) {
        let settle = settle.expect("a closure ends once");
        let record = &**self.shared;
        let is_error = end.result.as_ref().is_ok_and(|value| settle.is_error(value));
        let origin = Origin::new(self.label.clone(), settle);
        match end.result {
            Ok(value) if !is_error => {
                if let Err(payload) = drop_caught(value) {
                    origin.panicked::<R>(record, index, payload);
                }
            }
            result => {
                let result = result.map(Some);
                let (outcome, order, verdict) = origin.judge(record, index, result, end.told);
                origin.forgo(record, index, outcome, order);
                record.obey(verdict);
            }
        }
    }
}

/// The task: it waits for its closure.
struct Blocking<F: FnOnce() -> R, R, S: Settle<R> + Send + Sync> {
    errand: Arc<Errand<F, R, S>>,
    is_sent: bool,
}

impl<F, R, S> Future for Blocking<F, R, S>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
    S: Settle<R> + Send + Sync + 'static,
{
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<R> {
        // Cloning and dropping a waker may be anybody's code, so no lock is held meanwhile.
        let waker = context.waker().clone();
        let mut inner = self.errand.inner.lock();
        match mem::replace(&mut inner.stage, Stage::Over) {
            Stage::Ended(End { result, told }) => {
                drop(inner);
                if told {
                    context::tell(self.errand.shared.stopped());
                }
                return Poll::Ready(result.unwrap_or_else(|payload| resume_unwind(payload)));
            }
            other => inner.stage = other,
        }
        let before = inner.waker.replace(waker);
        drop(inner);
        drop(before);
        if !mem::replace(&mut self.is_sent, true) {
            let errand = Arc::clone(&self.errand);
            // Where the runtime is shut down it drops this, and the task, which is then cancelled.
            drop(self.errand.shared.place.runtime.spawn_blocking(move || errand.run()));
        }
        Poll::Pending
    }
}

impl<F: FnOnce() -> R, R, S: Settle<R> + Send + Sync> Drop for Blocking<F, R, S> {
    fn drop(&mut self) {
        self.errand.leave();
    }
}
