//! How a future comes to where it can be polled.

use std::future::Future;
use std::pin::Pin;

use crate::blocks::{Held, pin};

pub(in crate::thread) type Boxed<'scope, T> = Pin<Held<dyn Future<Output = T> + Send + 'scope>>;

/// A future that has not begun.
pub(in crate::thread) trait Start<'scope, T>: Send {
    /// Puts it where it can be polled.
    fn start(self) -> Boxed<'scope, T>;
}

/// A small one, which lies in its cell. Mostly it is polled once, and dropped by the thread that did it:
/// a block for that goes from hand to hand in this thread, and concerns no other.
pub(in crate::thread) struct Fresh<F>(pub(in crate::thread) F);

impl<'scope, F> Start<'scope, F::Output> for Fresh<F>
where
    F: Future + Send + 'scope,
{
    fn start(self) -> Boxed<'scope, F::Output> {
        pin(self.0)
    }
}

/// One that lies in its block already.
pub(in crate::thread) struct Started<'scope, T>(pub(in crate::thread) Boxed<'scope, T>);

impl<'scope, T> Start<'scope, T> for Started<'scope, T> {
    fn start(self) -> Boxed<'scope, T> {
        self.0
    }
}
