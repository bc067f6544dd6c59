//! A child as others see it: who polls it, who awaits it, and its scope.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::line::{Entry, Key};
use crate::outcome::Outcome;
use crate::task_info::TaskInfo;

/// A child as whoever polls it sees it.
pub(crate) trait Drive {
    fn drive(&self, key: Key) -> bool;
    fn poll(&self, context: &mut Context<'_>) -> Poll<()>;
    fn cancel(&self, whose: Whose) -> bool;
    fn is_waiting(&self) -> bool;
    fn info(&self) -> TaskInfo;

    /// See [`Child::try_here`]. Only strands of fan-outs do.
    fn try_here(&self, _: &mut Context<'_>) -> Here {
        Here::Waits
    }

    /// See [`Child::begin_in_place`]. Only tasks do.
    fn begin_in_place(&self, _: Where, _: &mut dyn FnMut(i64) -> Key) -> Option<Key> {
        None
    }

    /// See [`Child::move_out`].
    fn move_out(&self, _: &mut dyn FnMut() -> Entry) -> Option<Key> {
        None
    }

    fn has_ended(&self) -> bool;
}

/// What came of polling a child that has no slot yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    /// Others are to get a turn.
    Again,
    /// Something in it waits: it is to go on in a slot.
    Waits,
    Ended,
}

/// Where a child goes on that is begun in the slot of another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Where {
    /// In the hands of the one who has the slot.
    Here,
    /// In the hands of its place: the stack is deep here.
    Beside,
}

/// In whose hands a child is that is to be dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Lines,
    Places,
    Joiners,
}

/// A child that was in the line when it had been spawned, as its handle sees it beside its outcome.
pub(crate) trait Join {
    /// Polls the child here, if it has no slot and the one who asks has one.
    fn poll_in_slot(self: Arc<Self>, context: &mut Context<'_>);

    /// Leaves the child to its scope, if it was polled by its handle.
    fn leave(self: Arc<Self>);
}

/// What a child shares with its handle, as that sees it.
pub(crate) trait Claimed<T> {
    /// Settles an outcome that was there when the handle was dropped.
    fn forgo(&self, outcome: Outcome<T>, order: usize);

    fn info(&self) -> TaskInfo;
}

/// A child as its scope sees it.
pub(crate) trait Child: Clone {
    /// Gives a child that waits to its place, with a slot. Returns false if it does not wait.
    fn drive(&self, key: Key) -> bool;

    /// Polls a child that has not been entered anywhere, until something in it waits.
    fn try_here(&self, context: &mut Context<'_>) -> Here;

    /// Begins a child that waits in a slot that somebody has, and enters it by `begin`, which gets
    /// its number in the line. None if it does not wait.
    fn begin_in_place(&self, how: Where, begin: &mut dyn FnMut(i64) -> Key) -> Option<Key>;

    /// Takes a child out of that slot again, and enters it by `enter`. It is to be started if it has
    /// got a slot of its own.
    fn move_out(&self, enter: &mut dyn FnMut() -> Entry) -> Option<Key>;

    fn has_ended(&self) -> bool;

    /// Polls a child that is in the hands of the one who asks.
    fn poll(&self, context: &mut Context<'_>) -> Poll<()>;

    /// Drops a child that waits. Returns false if it does not.
    fn cancel(&self) -> bool;

    /// Drops a child that is in the hands of whoever awaits it, or has its place drop it if that has
    /// its future, too.
    fn stop(&self);

    /// Drops a child that is in the hands of its place.
    fn abandon(&self);

    fn is_waiting(&self) -> bool;

    fn info(&self) -> TaskInfo;
}

/// A child behind a pointer, which says what it may hold and where it may go.
pub(crate) struct Held<D: ?Sized>(pub(crate) Arc<D>);

/// A child that may go to other threads.
pub(crate) type Sendable<'env> = Held<dyn Drive + Send + Sync + 'env>;

/// A child that may not.
pub(crate) type Unsendable<'env> = Held<dyn Drive + 'env>;

impl<D: ?Sized> Clone for Held<D> {
    fn clone(&self) -> Self {
        Held(Arc::clone(&self.0))
    }
}

impl<D: Drive + ?Sized> Child for Held<D> {
    fn drive(&self, key: Key) -> bool {
        self.0.drive(key)
    }

    fn try_here(&self, context: &mut Context<'_>) -> Here {
        self.0.try_here(context)
    }

    fn begin_in_place(&self, how: Where, begin: &mut dyn FnMut(i64) -> Key) -> Option<Key> {
        self.0.begin_in_place(how, begin)
    }

    fn move_out(&self, enter: &mut dyn FnMut() -> Entry) -> Option<Key> {
        self.0.move_out(enter)
    }

    fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<()> {
        self.0.poll(context)
    }

    fn cancel(&self) -> bool {
        self.0.cancel(Whose::Lines)
    }

    fn stop(&self) {
        self.0.cancel(Whose::Joiners);
    }

    fn abandon(&self) {
        self.0.cancel(Whose::Places);
    }

    fn is_waiting(&self) -> bool {
        self.0.is_waiting()
    }

    fn info(&self) -> TaskInfo {
        self.0.info()
    }
}

/// A child in the hands of its place: ready when it has ended. Dropping it drops the child's future,
/// which has been cancelled then.
pub(crate) struct Driven<C: Child>(Option<C>);

impl<C: Child> Driven<C> {
    pub(crate) fn new(child: C) -> Self {
        Driven(Some(child))
    }
}

impl<C: Child> Unpin for Driven<C> {}

impl<C: Child> Future for Driven<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let child = this.0.as_ref().expect("it is not polled after its end");
        let polled = child.poll(context);
        if polled.is_ready() {
            this.0 = None;
        }
        polled
    }
}

impl<C: Child> Drop for Driven<C> {
    fn drop(&mut self) {
        if let Some(child) = &self.0 {
            child.abandon();
        }
    }
}
