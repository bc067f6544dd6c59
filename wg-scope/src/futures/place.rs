//! Where futures are polled.

use std::future::Future;
use std::sync::Arc;

use super::cell::Cell;
pub(crate) use super::child::Child;
use super::child::{Claimed, Join};
use super::claim::Claim;
use super::fan_out::Streams;
use super::placed::Placed;
use super::shared::Shared;
use crate::settle::Settle;
use crate::twin::{Giver, Taker};

/// Where the futures of a scope are polled: the whole difference between the kinds of scopes.
///
/// [`local::Local`](crate::local::Local) and, with the feature `tokio`, `tokio::Tokio` are such
/// places. It cannot be implemented elsewhere.
#[expect(private_bounds, reason = "sealed")]
pub trait Place: Polls + Streams {}

impl<P: Polls + Streams> Place for P {}

/// What a place does. It has no lifetime of its own, so that a scope's type names that of what it
/// borrows once: only then can the compiler see that a future is `Send` that holds one.
pub(crate) trait Polls: Sized {
    /// How a child is held.
    type Child: Child;

    /// What a task shares with its handle.
    type Claimed<T>: Claimed<T> + ?Sized;

    /// What a task that waits in line is to its handle beside that.
    type Joined: Join + ?Sized;

    /// By what a child is stopped that this place polls.
    type Handle;

    /// What the handle of a child keeps that this place got with its future: what the place has for it
    /// is best freed where it was made. To drop it does nothing to the child.
    type Kept;

    /// Polls the body, and sees to it that the children are, until all have ended.
    type Drive<B: Future>: Future<Output = B::Output>;

    /// Whether it drops the children that it has, together with their futures, when they are to stop;
    /// otherwise they end when they are woken.
    const DROPS: bool;

    /// In how many lists those are that run: as many as keep apart those who spawn and those who end. A
    /// power of two.
    const LISTS: usize;

    /// Has a child polled until it has ended.
    fn start(shared: &Arc<Shared<Self>>, child: Self::Child) -> Option<Self::Handle>;

    /// Drops a child as soon as it is not being polled.
    fn stop(handle: Self::Handle);

    fn drive<B: Future>(shared: Arc<Shared<Self>>, body: B) -> Self::Drive<B>;

    /// How many children can be polled at once.
    fn hands(&self) -> usize;

    /// Whether whoever polls the scope's future may poll a child as well: where others would have to be woken
    /// for that, and the child finds here what it finds there.
    fn lends_a_hand(&self) -> bool;

    /// Drops what was started and not polled yet.
    fn abandon(shared: &Shared<Self>);
}

/// A place that can hold such cells.
pub(crate) trait Holds<C>: Polls {
    fn child(cell: Arc<C>) -> Self::Child;
}

/// A place that can take such futures, each of a child of its own.
pub(crate) trait Takes<W: Future<Output = ()>>: Polls {
    /// Has a child polled until it has ended.
    fn take(shared: &Arc<Shared<Self>>, whole: W) -> Self::Kept;
}

/// A place whose handles can see such tasks.
pub(crate) trait Joins<C>: Polls {
    fn joined(cell: Arc<C>) -> Arc<Self::Joined>;
}

/// A place whose handles can have such claims.
pub(crate) trait Claims<C, T>: Polls {
    /// A claim for a task, and for its handle. It is put together where it is to lie.
    fn claimed(claim: impl FnOnce() -> C) -> (Giver<T, C>, Taker<T, Self::Claimed<T>>);
}

/// A place in which such tasks can be spawned, whether they begin at once or wait in line.
pub(crate) trait Spawns<F: Future, S: Settle<F::Output>>:
    Holds<Cell<Self, F, S>>
    + Takes<Placed<Self, F, S>>
    + Joins<Cell<Self, F, S>>
    + Claims<Claim<Self, S>, F::Output>
{
}

impl<P, F: Future, S: Settle<F::Output>> Spawns<F, S> for P where
    P: Holds<Cell<P, F, S>>
        + Takes<Placed<P, F, S>>
        + Joins<Cell<P, F, S>>
        + Claims<Claim<P, S>, F::Output>
{
}
