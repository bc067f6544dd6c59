//! An async function and its items, on a tokio runtime.

use std::marker::PhantomData;

use super::Tokio;
use crate::calls::{AsyncCalls, calls};
use crate::local::Local;

/// An async function and its items, on a tokio runtime; see [`AsyncCalls`].
pub type Calls<I, R> = AsyncCalls<'static, I, R, Tokio>;

/// # On tokio
impl<I, R> AsyncCalls<'static, I, R, Local<'static>> {
    /// Runs the items on the tokio runtime it is awaited in, in parallel, instead of only in the task
    /// that awaits it. So nothing may be borrowed. Without a limit, as many items are handled at
    /// once as there are cores. That task handles items, too, until one waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let pages = vec![String::from("one"), String::from("three")];
    /// let lengths = wg::local::Calls::new(pages, async |page: String| page.len());
    /// assert_eq!(lengths.tokio().run().await, [3, 5]);
    /// # });
    /// ```
    pub fn tokio(self) -> Calls<I, R> {
        let AsyncCalls { items, function, options, .. } = self;
        AsyncCalls { items, function, options, place: PhantomData }
    }
}

calls!(impl[] Tokio, 'static, tokio);
