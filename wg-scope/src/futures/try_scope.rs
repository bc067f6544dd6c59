//! Scopes whose tasks may fail.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use super::place::Place;
use super::scope::AsyncScope;
use super::shared::Shared;
use crate::failures::Failures;

/// A scope of futures that return `Result`, which knows what a failure does to the others.
///
/// It is an [`AsyncScope`] in everything else: what that can do, this can.
pub struct TryAsyncScope<P: Place, E> {
    plain: AsyncScope<P>,
    failures: Arc<Failures<E>>,
}

impl<P: Place, E> Clone for TryAsyncScope<P, E> {
    fn clone(&self) -> Self {
        TryAsyncScope { plain: self.plain.clone(), failures: Arc::clone(&self.failures) }
    }
}

impl<P: Place, E> TryAsyncScope<P, E> {
    pub(crate) fn of(shared: &Arc<Shared<P>>, failures: &Arc<Failures<E>>) -> Self {
        shared.keep_strays();
        TryAsyncScope { plain: AsyncScope::of(shared), failures: Arc::clone(failures) }
    }

    pub(crate) fn failures(&self) -> &Arc<Failures<E>> {
        &self.failures
    }
}

impl<P: Place, E> Deref for TryAsyncScope<P, E> {
    type Target = AsyncScope<P>;

    fn deref(&self) -> &Self::Target {
        &self.plain
    }
}

impl<P: Place, E> fmt::Debug for TryAsyncScope<P, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryAsyncScope").field("plain", &self.plain).finish_non_exhaustive()
    }
}
