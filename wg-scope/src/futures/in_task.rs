//! Polling the futures of a scope in the task that awaits it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt};
use wg_core::sync::Mutex;

use super::child::{Child, Driven};
use super::place::Polls;
use super::run::Stopping;
use super::shared::Shared;

/// How many children may end before others get a turn that are not of this scope.
const TURN: usize = 256;

/// How often all that is awake is polled before others get a turn: once, and once more for what that
/// woke here. Whoever wakes itself again and again lets others have their turn.
const ROUNDS: usize = 2;

/// Those that have begun and are not among the scope's futures yet.
pub(crate) struct Started<C: Child>(Mutex<Vec<Driven<C>>>);

impl<C: Child> Started<C> {
    pub(crate) fn new() -> Self {
        Started(Mutex::new(Vec::new()))
    }

    /// Adds one. Returns whether the scope's future is to be told: if it was told of others and has
    /// not come for them, it was not.
    pub(crate) fn push(&self, child: C) -> bool {
        let mut started = self.0.lock();
        started.push(Driven::new(child));
        started.len() == 1
    }

    /// Moves all of them into `fresh`, which is empty.
    pub(super) fn move_to(&self, fresh: &mut Vec<Driven<C>>) {
        std::mem::swap(&mut *self.0.lock(), fresh);
    }

    /// What is returned is to be dropped without the lock.
    pub(crate) fn take(&self) -> Vec<Driven<C>> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// The current task as a place.
pub(crate) trait InTask: Polls {
    fn started(&self) -> &Started<Self::Child>;
}

/// What a scope's future polls.
enum Member<C: Child, B> {
    Body(Pin<Box<B>>),
    Child(Driven<C>),
}

impl<C: Child, B: Future> Future for Member<C, B> {
    /// The body's.
    type Output = Option<B::Output>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Member::Body(body) => body.as_mut().poll(context).map(Some),
            Member::Child(child) => Pin::new(child).poll(context).map(|()| None),
        }
    }
}

/// Polls the body and the children.
pub(crate) struct Drive<P: InTask, B: Future> {
    shared: Arc<Shared<P>>,
    members: FuturesUnordered<Member<P::Child, B>>,
    /// A buffer for those that have been started.
    fresh: Vec<Driven<P::Child>>,
    /// That of the signal. `FuturesUnordered` wakes whoever polls it each time it has polled all that
    /// it holds: that ends here.
    waker: Waker,
    result: Option<B::Output>,
    stopping: Stopping,
}

impl<P: InTask, B: Future> Drive<P, B> {
    pub(crate) fn new(shared: Arc<Shared<P>>, body: B) -> Self {
        let members = FuturesUnordered::new();
        members.push(Member::Body(Box::pin(body)));
        let waker = Waker::from(Arc::clone(&shared.signal));
        let (fresh, stopping) = (Vec::new(), Stopping::default());
        Drive { shared, members, fresh, waker, result: None, stopping }
    }
}

impl<P: InTask, B: Future> Unpin for Drive<P, B> {}

impl<P: InTask, B: Future> Future for Drive<P, B> {
    type Output = B::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<B::Output> {
        let Drive { shared, members, fresh, waker, result, stopping } = self.get_mut();
        let mut own = Context::from_waker(waker);
        let mut rounds = 0;
        shared.signal.awake(context.waker());
        let mut looks = true;
        for _ in 0..TURN {
            // Not for each child that ends: it is a lock, and those that are awake come first.
            if std::mem::take(&mut looks) {
                shared.place.started().move_to(fresh);
                members.extend(fresh.drain(..).map(Member::Child));
            }
            if stopping.is_due(shared) {
                drop(shared.place.started().take());
                // A list first: what is dropped may do anything with the scope.
                let all: Vec<_> = std::mem::take(members).into_iter().collect();
                members.extend(all.into_iter().filter(|it| matches!(it, Member::Body(_))));
            }
            if result.is_none() && shared.gives_up() {
                // The body must be polled to hear of it, and what is entered anew is polled.
                let all: Vec<_> = std::mem::take(members).into_iter().collect();
                members.extend(all);
            }
            match members.poll_next_unpin(&mut own) {
                Poll::Ready(Some(Some(end))) => *result = Some(end),
                Poll::Ready(Some(None)) => {}
                Poll::Ready(None) | Poll::Pending => {
                    looks = true;
                    if result.is_some() && shared.has_ended() {
                        return Poll::Ready(result.take().expect("looked at it just now"));
                    }
                    if shared.signal.sleep() {
                        return Poll::Pending;
                    }
                    rounds += 1;
                    if rounds == ROUNDS {
                        break;
                    }
                }
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Writes what the current task does as a place, whose children are held by such pointers.
macro_rules! in_task {
    ($place:ident<$env:lifetime>, [$($send:tt)*]) => {
        impl<$env, C: $crate::futures::Drive $($send)* + $env> $crate::futures::Holds<C>
            for $place<$env>
        {
            fn child(cell: ::std::sync::Arc<C>) -> Self::Child {
                $crate::futures::Held(cell)
            }
        }

        impl<$env> $crate::futures::InTask for $place<$env> {
            fn started(&self) -> &$crate::futures::Started<Self::Child> {
                &self.started
            }
        }

        impl<$env> $crate::futures::Polls for $place<$env> {
            type Child = $crate::futures::Held<dyn $crate::futures::Drive $($send)* + $env>;
            type Joined<T> = dyn $crate::futures::Join<T> $($send)* + $env;
            type Handle = ();
            type Drive<B: Future> = $crate::futures::InTaskDrive<Self, B>;

            fn start(
                shared: &::std::sync::Arc<$crate::futures::Shared<Self>>,
                child: Self::Child,
            ) -> Option<()> {
                if shared.place.started.push(child) {
                    shared.signal.ring();
                }
                None
            }

            fn stop((): ()) {}

            fn drive<B: Future>(
                shared: ::std::sync::Arc<$crate::futures::Shared<Self>>,
                body: B,
            ) -> Self::Drive<B> {
                $crate::futures::InTaskDrive::new(shared, body)
            }

            fn hands(&self) -> usize {
                1
            }

            fn abandon(shared: &$crate::futures::Shared<Self>) {
                drop(shared.place.started.take());
            }
        }
    };
}

pub(crate) use in_task;
