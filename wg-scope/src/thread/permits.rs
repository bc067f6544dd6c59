//! Permits inside a scope: a wait for them ends with the scope.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll};

use wg_core::{Permit, Semaphore};

use super::scope::Scope;
use super::wait::wait_stopped;
use crate::cause::Stopped;

impl Scope<'_, '_> {
    /// Takes `n` permits of a semaphore, waiting in line for them; they are given back when the
    /// permit is dropped, on every path.
    ///
    /// For what a limit on tasks cannot say: several kinds of resources, or tasks that need more of
    /// one than others. Those who wait are served in the order of their arrival; a request that is
    /// heavier than all permits together runs alone.
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the scope is cancelled before the permits are there.
    ///
    /// # Examples
    ///
    /// ```
    /// let memory = wg::Semaphore::new(1 << 30);
    /// wg::scope(|s| {
    ///     for size in [1_u64 << 20, 1 << 29, 1 << 30] {
    ///         let memory = &memory;
    ///         s.spawn(move || {
    ///             let _held = s.permits(memory, size);
    ///             // No more than 1 GiB is held at any time.
    ///         });
    ///     }
    /// });
    /// assert_eq!(memory.available(), 1 << 30);
    /// ```
    ///
    /// # Blocking
    ///
    /// Blocks this thread; other tasks go on.
    pub fn permits<'a>(&self, of: &'a Semaphore, n: u64) -> Result<Permit<'a>, Stopped> {
        let mut acquire = pin!(of.acquire_async(n));
        wait_stopped(self.shared(), |waker| {
            match acquire.as_mut().poll(&mut Context::from_waker(waker)) {
                Poll::Ready(permit) => Some(permit),
                Poll::Pending => None,
            }
        })
    }
}
