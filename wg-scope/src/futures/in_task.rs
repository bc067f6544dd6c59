//! Polling the futures of a scope in the task that awaits it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use slab::Slab;
use wg_core::sync::Mutex;

use super::child::{Child, Driven};
use super::place::Polls;
use super::run::Stopping;
use super::shared::Shared;
use super::signal::{Bell, Signal};
use crate::context;

/// How many polls there may be before others get a turn that are not of this scope.
const TURN: usize = 256;

/// How many that wake themselves are polled before others get a turn.
const YIELDS: usize = 2;

/// How often all that is awake is polled before others get a turn: once, and once more for what that
/// woke here.
const ROUNDS: usize = 2;

/// A child that has begun, with its future or without.
pub(crate) enum Begun<C: Child, W> {
    Driven(Driven<C>),
    Placed(W),
}

impl<C: Child, W: Future<Output = ()> + Unpin> Future for Begun<C, W> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.get_mut() {
            Begun::Driven(child) => Pin::new(child).poll(context),
            Begun::Placed(child) => Pin::new(child).poll(context),
        }
    }
}

/// Those that have begun and are not among the scope's futures yet.
pub(crate) struct Started<B>(Mutex<Vec<B>>);

impl<B> Started<B> {
    pub(crate) fn new() -> Self {
        Started(Mutex::new(Vec::new()))
    }

    /// Adds one. Returns whether the scope's future is to be told: if it was told of others and has
    /// not come for them, it was not.
    pub(crate) fn push(&self, child: B) -> bool {
        let mut started = self.0.lock();
        started.push(child);
        started.len() == 1
    }

    /// Moves all of them to the end of `fresh`.
    pub(super) fn move_to(&self, fresh: &mut VecDeque<B>) {
        fresh.extend(self.0.lock().drain(..));
    }

    /// What is returned is to be dropped without the lock.
    pub(crate) fn take(&self) -> Vec<B> {
        std::mem::take(&mut *self.0.lock())
    }
}

/// The current task as a place.
pub(crate) trait InTask: Polls {
    /// How a child is held with its future.
    type Whole: Future<Output = ()> + Unpin;

    fn started(&self) -> &Started<Begun<Self::Child, Self::Whole>>;
}

/// What a scope's future polls.
enum Member<P: InTask, B> {
    Body(Pin<Box<B>>),
    Child(Begun<P::Child, P::Whole>),
}

/// The place of the body.
const BODY: usize = 0;

/// The body and the children, each of which is polled when it was woken.
///
/// A child has no place before it has waited: the first time, it is polled under the bell of the place
/// that it would get. So those that are ready at once need no bell of their own, and are never put
/// anywhere.
struct Members<P: InTask, B> {
    all: Slab<Member<P, B>>,
    /// A bell for each place that there ever was.
    bells: Vec<Waker>,
    /// The places of those that were woken.
    ready: VecDeque<usize>,
    /// Those that have begun and were not polled yet.
    fresh: VecDeque<Begun<P::Child, P::Whole>>,
}

impl<P: InTask, B: Future> Members<P, B> {
    fn new(body: B) -> Self {
        let mut all = Slab::new();
        let place = all.insert(Member::Body(Box::pin(body)));
        debug_assert_eq!(place, BODY, "it is the first");
        let (ready, fresh) = (VecDeque::from([BODY]), VecDeque::new());
        Members { all, bells: Vec::new(), ready, fresh }
    }

    fn bell<'a>(bells: &'a mut Vec<Waker>, place: usize, signal: &Arc<Signal>) -> &'a Waker {
        while bells.len() <= place {
            bells.push(Bell::waker(signal, bells.len()));
        }
        &bells[place]
    }

    /// Polls the next that was woken before, if `woken`, or the next that has begun. What the body is
    /// ready with, if it is.
    fn poll_next(&mut self, woken: bool, signal: &Arc<Signal>) -> Polled<B::Output> {
        let Members { all, bells, ready, fresh } = self;
        if woken {
            let Some(place) = ready.pop_front() else { return Polled::Nobody };
            let mut context = Context::from_waker(Self::bell(bells, place, signal));
            let ended = match all.get_mut(place) {
                None => return Polled::Waits,
                Some(Member::Body(body)) => body.as_mut().poll(&mut context).map(Polled::Body),
                Some(Member::Child(child)) => {
                    Pin::new(child).poll(&mut context).map(|()| Polled::Child)
                }
            };
            let Poll::Ready(ended) = ended else { return Polled::waits(signal, place) };
            drop(all.remove(place));
            return ended;
        }
        let Some(mut child) = fresh.pop_front() else { return Polled::Nobody };
        let place = all.vacant_key();
        let mut context = Context::from_waker(Self::bell(bells, place, signal));
        if Pin::new(&mut child).poll(&mut context).is_ready() {
            return Polled::Child;
        }
        all.insert(Member::Child(child));
        Polled::waits(signal, place)
    }

    /// Drops the children.
    fn drop_children(&mut self) {
        // Lists first: what is dropped may do anything with the scope.
        let fresh = std::mem::take(&mut self.fresh);
        let children = self.all.iter().filter(|(_, it)| matches!(it, Member::Child(_)));
        let places: Vec<_> = children.map(|(place, _)| place).collect();
        let children: Vec<_> = places.into_iter().map(|place| self.all.remove(place)).collect();
        drop((children, fresh));
    }
}

/// What came of polling one.
enum Polled<R> {
    Nobody,
    Waits,
    /// It has woken itself.
    Yields,
    Child,
    Body(R),
}

impl<R> Polled<R> {
    fn waits(signal: &Signal, place: usize) -> Self {
        if signal.is_called(place) { Polled::Yields } else { Polled::Waits }
    }
}

/// What may happen before others get a turn.
struct Turn {
    polls: usize,
    yields: usize,
}

impl Turn {
    fn is_over(&self) -> bool {
        self.polls == 0 || self.yields == 0
    }
}

/// Polls the body and the children.
pub(crate) struct Drive<P: InTask, B: Future> {
    shared: Arc<Shared<P>>,
    members: Members<P, B>,
    result: Option<B::Output>,
    stopping: Stopping,
}

impl<P: InTask, B: Future> Drive<P, B> {
    pub(crate) fn new(shared: Arc<Shared<P>>, body: B) -> Self {
        let (members, stopping) = (Members::new(body), Stopping::default());
        Drive { shared, members, result: None, stopping }
    }

    /// Polls all that was woken before and all that has begun, as far as there is a `turn` for it.
    fn round(&mut self, turn: &mut Turn) {
        let Drive { shared, members, result, stopping } = self;
        shared.place.started().move_to(&mut members.fresh);
        shared.signal.take_called(&mut members.ready);
        if result.is_none() && shared.gives_up() {
            // The body must be polled to hear of it.
            members.ready.push_front(BODY);
        }
        let (mut woken, mut looks) = (members.ready.len(), true);
        let node = (woken + members.fresh.len() > 1).then_some(&shared.node);
        let _place = node.map(context::enter_to_poll_many);
        while !turn.is_over() {
            if std::mem::take(&mut looks) && stopping.is_due(shared) {
                drop(shared.place.started().take());
                members.drop_children();
                if result.is_none() && shared.gives_up() {
                    members.ready.push_front(BODY);
                    woken += 1;
                }
            }
            // By turns, so that neither holds up the other.
            let next_woken = woken > 0 && (turn.polls % 2 == 0 || members.fresh.is_empty());
            match members.poll_next(next_woken, &shared.signal) {
                Polled::Nobody => return,
                Polled::Waits => {}
                Polled::Yields => turn.yields -= 1,
                Polled::Child => looks = true,
                Polled::Body(end) => {
                    *result = Some(end);
                    looks = true;
                }
            }
            woken -= usize::from(next_woken);
            turn.polls -= 1;
        }
    }
}

impl<P: InTask, B: Future> Unpin for Drive<P, B> {}

impl<P: InTask, B: Future> Future for Drive<P, B> {
    type Output = B::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<B::Output> {
        let this = self.get_mut();
        this.shared.signal.awake(context.waker());
        let mut turn = Turn { polls: TURN, yields: YIELDS };
        for _ in 0..ROUNDS {
            this.round(&mut turn);
            if turn.is_over() {
                break;
            }
            if this.result.is_some() && this.shared.has_ended() {
                return Poll::Ready(this.result.take().expect("looked at it just now"));
            }
            if this.shared.signal.sleep() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Writes what the current task does as a place, whose children are held by such pointers.
macro_rules! in_task {
    ($place:ident<$env:lifetime>, [$($send:tt)*], [$($sync:tt)*], $pinned:ident, $pin:ident) => {
        impl<$env, C: $crate::futures::Drive $($send)* $($sync)* + $env> $crate::futures::Holds<C>
            for $place<$env>
        {
            fn child(cell: ::std::sync::Arc<C>) -> Self::Child {
                $crate::futures::Held(cell)
            }
        }

        impl<$env, C: $crate::futures::Join $($send)* $($sync)* + $env> $crate::futures::Joins<C>
            for $place<$env>
        {
            fn joined(cell: ::std::sync::Arc<C>) -> ::std::sync::Arc<Self::Joined> {
                cell
            }
        }

        impl<$env, T, C: $crate::futures::Claimed<T> $($send)* $($sync)* + $env>
            $crate::futures::Claims<C, T> for $place<$env>
        {
            fn claimed(
                claim: impl FnOnce() -> C,
            ) -> ($crate::twin::Giver<T, C>, $crate::twin::Taker<T, Self::Claimed<T>>) {
                $crate::twin::twins::<T, C, Self::Claimed<T>>(claim, |it| it)
            }
        }

        impl<$env> $crate::futures::InTask for $place<$env> {
            type Whole = $crate::blocks::$pinned<$env, ()>;

            fn started(
                &self,
            ) -> &$crate::futures::Started<$crate::futures::Begun<Self::Child, Self::Whole>> {
                &self.started
            }
        }

        impl<$env, W: ::std::future::Future<Output = ()> $($send)* + $env> $crate::futures::Takes<W>
            for $place<$env>
        {
            fn take(shared: &::std::sync::Arc<$crate::futures::Shared<Self>>, whole: W) {
                let whole = $crate::futures::Begun::Placed($crate::blocks::$pin(whole));
                if shared.place.started.push(whole) {
                    shared.signal.ring();
                }
            }
        }

        impl<$env> $crate::futures::Polls for $place<$env> {
            type Child = $crate::futures::Held<dyn $crate::futures::Drive $($send)* $($sync)* + $env>;
            type Claimed<T> = dyn $crate::futures::Claimed<T> $($send)* $($sync)* + $env;
            type Joined = dyn $crate::futures::Join $($send)* $($sync)* + $env;
            type Handle = ();
            type Kept = ();
            type Drive<B: Future> = $crate::futures::InTaskDrive<Self, B>;

            const DROPS: bool = true;
            const LISTS: usize = 1;

            fn start(
                shared: &::std::sync::Arc<$crate::futures::Shared<Self>>,
                child: Self::Child,
            ) -> Option<()> {
                let child = $crate::futures::child::Driven::new(child);
                if shared.place.started.push($crate::futures::Begun::Driven(child)) {
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

            fn lends_a_hand(&self) -> bool {
                false
            }

            fn abandon(shared: &$crate::futures::Shared<Self>) {
                drop(shared.place.started.take());
            }
        }
    };
}

pub(crate) use in_task;
