//! Tasks that are lent what belongs to whoever awaits the scope, who gets it back.

use std::future::Future;
use std::panic::Location;
use std::sync::Arc;

use futures_util::FutureExt;

use super::{Builder, Scope, TryScope};
use crate::cause::Stopped;
use crate::futures::AsyncTask;
use crate::options::options;

/// As [`scope`](super::scope), with an environment that the body and the tasks share, and that comes
/// back when all of them have ended.
///
/// A task on a runtime cannot borrow: whoever awaits it may forget the future. So the environment is
/// moved in and out again, and everybody inside has an [`Arc`] of it.
///
/// # Examples
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
/// # runtime.block_on(async {
/// let words = vec!["one", "two", "three"];
/// let (words, lengths) = wg::tokio::scope_with(words, async |s, words| {
///     let mut lengths = Vec::new();
///     for n in 0..words.len() {
///         let words = words.clone();
///         lengths.push(s.spawn(async move { words[n].len() }));
///     }
///     lengths.remove(2).join().await
/// })
/// .await;
/// assert_eq!((words.len(), lengths), (3, 5));
/// # });
/// ```
///
/// # Panics
///
/// As [`scope`](super::scope); the environment is dropped then. Also if an [`Arc`] of it is left when
/// the scope has ended: one that the body returned, or that was put somewhere outside.
///
/// # Cancel safety
///
/// As [`scope`](super::scope). Dropping the future drops the environment, when the last task has.
#[track_caller]
pub fn scope_with<Env, F, Fut>(
    env: Env,
    body: F,
) -> impl Future<Output = (Env, Fut::Output)> + use<Env, F, Fut>
where
    F: FnOnce(Scope, Arc<Env>) -> Fut,
    Fut: Future,
{
    options().tokio().scope_with(env, body)
}

/// As [`scope_with`], for tasks that may fail; the environment comes back with an error, too.
///
/// # Errors
///
/// As [`try_scope`](super::try_scope), in the second of the pair.
///
/// # Panics
///
/// As [`scope_with`].
///
/// # Cancel safety
///
/// As [`scope_with`].
#[track_caller]
pub fn try_scope_with<Env, F, Fut, R, E>(
    env: Env,
    body: F,
) -> impl Future<Output = (Env, Result<R, E>)> + use<Env, F, Fut, R, E>
where
    F: FnOnce(TryScope<E>, Arc<Env>) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: From<Stopped> + Send + 'static,
{
    options().tokio().try_scope_with(env, body)
}

/// Has a task change each item; ready with the items, in their order, when all have ended.
///
/// Each item is moved to its task and back. A closure that borrows it, `async |x: &mut T|`, would be
/// neater, but no bound can say yet that the future of such a closure is `Send`, for every lifetime.
///
/// # Examples
///
/// ```
/// # let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
/// # runtime.block_on(async {
/// let words = vec![String::from("one"), String::from("two")];
/// let words = wg::tokio::for_each_mut(words, |mut word: String| async {
///     word.push('!');
///     word
/// });
/// assert_eq!(words.await, ["one!", "two!"]);
/// # });
/// ```
///
/// # Panics
///
/// As [`scope`](super::scope), and where a deadline or an outer scope's cancel costs an item. The
/// items are dropped then.
///
/// # Cancel safety
///
/// As [`scope`](super::scope). Dropping the future drops the items.
#[track_caller]
pub fn for_each_mut<T, F, Fut>(items: Vec<T>, change: F) -> impl Future<Output = Vec<T>>
where
    T: Send + 'static,
    F: FnMut(T) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    options().tokio().for_each_mut(items, change)
}

/// # Lending
impl Builder {
    /// As [`scope_with`], with these options.
    ///
    /// # Panics
    ///
    /// As [`scope_with`].
    ///
    /// # Cancel safety
    ///
    /// As [`scope_with`].
    #[track_caller]
    pub fn scope_with<Env, F, Fut>(
        &self,
        env: Env,
        body: F,
    ) -> impl Future<Output = (Env, Fut::Output)> + use<Env, F, Fut>
    where
        F: FnOnce(Scope, Arc<Env>) -> Fut,
        Fut: Future,
    {
        let site = Location::caller();
        let env = Arc::new(env);
        let lent = Arc::clone(&env);
        self.scope(move |s| body(s, lent)).map(move |result| (back(env, site), result))
    }

    /// As [`try_scope_with`], with these options.
    ///
    /// # Errors
    ///
    /// As [`try_scope_with`].
    ///
    /// # Panics
    ///
    /// As [`scope_with`].
    ///
    /// # Cancel safety
    ///
    /// As [`scope_with`].
    #[track_caller]
    pub fn try_scope_with<Env, F, Fut, R, E>(
        &self,
        env: Env,
        body: F,
    ) -> impl Future<Output = (Env, Result<R, E>)> + use<Env, F, Fut, R, E>
    where
        F: FnOnce(TryScope<E>, Arc<Env>) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: From<Stopped> + Send + 'static,
    {
        let site = Location::caller();
        let env = Arc::new(env);
        let lent = Arc::clone(&env);
        self.try_scope(move |s| body(s, lent)).map(move |result| (back(env, site), result))
    }

    /// As [`for_each_mut`], with these options.
    ///
    /// # Panics
    ///
    /// As [`for_each_mut`].
    ///
    /// # Cancel safety
    ///
    /// As [`for_each_mut`].
    #[track_caller]
    pub fn for_each_mut<T, F, Fut>(
        &self,
        items: Vec<T>,
        change: F,
    ) -> impl Future<Output = Vec<T>> + use<T, F, Fut>
    where
        T: Send + 'static,
        F: FnMut(T) -> Fut,
        Fut: Future<Output = T> + Send + 'static,
    {
        self.scope(async move |s| {
            let tasks: Vec<AsyncTask<super::Tokio, T>> = s.spawn_all(items.into_iter().map(change));
            let mut changed = Vec::with_capacity(tasks.len());
            for task in tasks {
                changed.push(task.join().await);
            }
            changed
        })
    }
}

/// Takes the environment back that nobody has any more.
fn back<Env>(env: Arc<Env>, site: &Location<'_>) -> Env {
    Arc::into_inner(env).unwrap_or_else(|| {
        panic!(
            "the environment of the scope at {site} is still held: an Arc of it was returned, or \
             was put somewhere outside"
        )
    })
}
