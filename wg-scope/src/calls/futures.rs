//! A function that makes futures, and its items: one type, for every place.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;

use super::settings::settings;
use crate::futures::Place;
use crate::options::{Options, options};

/// The items, pulled as they are needed.
pub(crate) type Items<'fan, I> = Box<dyn Iterator<Item = I> + Send + 'fan>;

/// What the function makes of an item.
pub(crate) type Made<'fan, R> = Pin<Box<dyn Future<Output = R> + Send + 'fan>>;

/// The function, with what its items share.
pub(crate) type Function<'fan, I, R> = Box<dyn Fn(I) -> Made<'fan, R> + Send + Sync + 'fan>;

/// An async function and its items: how it is to run. It is what the companion of an `async fn` with
/// `#[wg::fan_out]` returns; a verb at the end makes a future of it.
///
/// | verb | the function is ready with | comes back |
/// |---|---|---|
/// | `run` | `R` | `Vec<R>`, in the order of the items |
/// | `try_run` | `Result<T, E>` | `Result<Vec<T>, E>`: the first error drops the rest |
/// | `collect_all` | `Result<T, E>` | `(Vec<T>, Errors<E>)`: nobody is dropped |
/// | `first_ok` | `Result<T, E>` | the first success; the losers are dropped |
/// | `quorum` | `Result<T, E>` | the first `k` successes |
/// | `as_completed`, `in_order` | `R` | results while work goes on |
///
/// It does what [`local::fan_out`](crate::local::fan_out) does, in the task that awaits it, and may
/// borrow. Where nothing is borrowed, `tokio()` moves it to a tokio runtime, in parallel. What it
/// adds is a type with a name, at the cost of one allocation for each item.
#[must_use = "nothing is called until the future that a verb makes of it is awaited"]
pub struct AsyncCalls<'fan, I, R, P> {
    pub(crate) items: Items<'fan, I>,
    pub(crate) function: Function<'fan, I, R>,
    pub(crate) options: Options,
    pub(crate) place: PhantomData<fn() -> P>,
}

impl<'fan, I, R, P: Place> AsyncCalls<'fan, I, R, P>
where
    I: Send,
    R: Send,
{
    /// Puts a function and its items together. The attribute `#[fan_out]` writes this call.
    ///
    /// # Examples
    ///
    /// ```
    /// let pages = [String::from("one"), String::from("three")];
    /// let lengths = wg::local::Calls::new(&pages, async |page: &String| page.len());
    /// assert_eq!(futures::executor::block_on(lengths.limit(100).run()), [3, 5]);
    /// ```
    pub fn new<S, F, Fut>(items: S, function: F) -> Self
    where
        S: IntoIterator<Item = I, IntoIter: Send + 'fan>,
        F: Fn(I) -> Fut + Send + Sync + 'fan,
        Fut: Future<Output = R> + Send + 'fan,
    {
        AsyncCalls {
            items: Box::new(items.into_iter()),
            function: Box::new(move |item| Box::pin(function(item))),
            options: options(),
            place: PhantomData,
        }
    }
}

settings!(impl['fan, I, R, P: Place] AsyncCalls<'fan, I, R, P>);

/// # How to run
impl<I, R, P: Place> AsyncCalls<'_, I, R, P> {
    /// Gives items that run this long after a cancel; see [`Options::grace`].
    pub fn grace(mut self, grace: std::time::Duration) -> Self {
        self.options = self.options.grace(grace);
        self
    }
}

impl<I, R, P> fmt::Debug for AsyncCalls<'_, I, R, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncCalls").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Writes the verbs of calls in a place, whose items live at least as long as `$env`. `$place_of` is
/// the method of [`Options`] that makes its builder.
macro_rules! calls {
    (impl[$($env_param:lifetime)?] $place:ty, $env:lifetime, $place_of:ident) => {
        /// # Verbs
        impl<$($env_param,)? I, R> $crate::AsyncCalls<$env, I, R, $place>
        where
            I: Send + $env,
            R: Send + $env,
        {
            /// Awaits the function once for each item; ready with the results in the order of the
            /// items.
            ///
            /// # Panics
            ///
            /// If an item panics: the others are dropped, and the first panic is resumed. Also if
            /// items were lost to a cancel or a deadline, as there is no result for them.
            ///
            /// # Cancel safety
            ///
            /// Dropping the future drops the items and the results, as with a scope's future.
            ///
            /// # Memory ordering
            ///
            /// What happened before the first poll is visible to the function, and what that did is
            /// visible when this is ready.
            #[track_caller]
            pub fn run(
                self,
            ) -> impl ::std::future::Future<Output = Vec<R>> + use<$($env_param,)? I, R> {
                self.options.$place_of().fan_out(self.items).map(self.function)
            }

            /// Awaits the function once for each item, and hands `body` the results as they come,
            /// each with the index of its item, as a stream.
            ///
            /// An item is pulled only when there is room for its result. A body that drops the
            /// stream stops what has not begun.
            ///
            /// # Panics
            ///
            /// If an item or the body panics, as a scope. A cancel or a deadline makes no panic: the
            /// results end early.
            ///
            /// # Cancel safety
            ///
            /// As [`run`](Self::run).
            #[track_caller]
            pub fn as_completed<B, Fut>(
                self,
                body: B,
            ) -> impl ::std::future::Future<Output = Fut::Output>
            + use<$($env_param,)? I, R, B, Fut>
            where
                B: FnOnce($crate::AsyncAsCompleted<$place, R>) -> Fut,
                Fut: ::std::future::Future,
            {
                self.inside(move |fan_out, function| body(fan_out.as_completed(function)))
            }

            /// As [`as_completed`](Self::as_completed), with the results in the order of the items,
            /// and without indices. A result that comes early waits, and takes up room meanwhile.
            ///
            /// # Panics
            ///
            /// As [`as_completed`](Self::as_completed).
            ///
            /// # Cancel safety
            ///
            /// As [`run`](Self::run).
            #[track_caller]
            pub fn in_order<B, Fut>(
                self,
                body: B,
            ) -> impl ::std::future::Future<Output = Fut::Output>
            + use<$($env_param,)? I, R, B, Fut>
            where
                B: FnOnce($crate::AsyncInOrder<$place, R>) -> Fut,
                Fut: ::std::future::Future,
            {
                self.inside(move |fan_out, function| body(fan_out.in_order(function)))
            }

            /// Runs `body` in a scope, with the fan-out in it.
            #[track_caller]
            fn inside<B, Fut>(
                self,
                body: B,
            ) -> impl ::std::future::Future<Output = Fut::Output>
            + use<$($env_param,)? I, R, B, Fut>
            where
                B: FnOnce(
                    $crate::AsyncFanOut<
                        $crate::calls::Items<$env, I>,
                        $place,
                        $crate::Unweighed,
                        $crate::AsyncInside<$place>,
                    >,
                    $crate::calls::Function<$env, I, R>,
                ) -> Fut,
                Fut: ::std::future::Future,
            {
                let $crate::AsyncCalls { items, function, mut options, .. } = self;
                let limit = options.limit.take();
                options.$place_of().scope(move |s| {
                    let fan_out = s.fan_out(items);
                    let fan_out = match limit {
                        Some(limit) => fan_out.limit(limit.get()),
                        None => fan_out,
                    };
                    body(fan_out, function)
                })
            }
        }

        /// # Functions that may fail
        impl<$($env_param,)? I, T, E> $crate::AsyncCalls<$env, I, Result<T, E>, $place>
        where
            I: Send + $env,
            T: Send + $env,
            E: Send + $env,
        {
            /// Awaits the function for each item; the first error drops the rest and comes back.
            ///
            /// # Errors
            ///
            /// The first error by completion; with
            /// [`lowest_index`](crate::Policy::lowest_index), that of the first item that fails. If
            /// items were lost to a cancel or a deadline, [`Stopped`](crate::Stopped) says so.
            ///
            /// # Panics
            ///
            /// If an item panics, as [`run`](Self::run), unless panics are caught: then the error
            /// is [`Stopped`](crate::Stopped), with the panic's words.
            ///
            /// # Cancel safety
            ///
            /// As [`run`](Self::run).
            #[track_caller]
            pub fn try_run(
                self,
            ) -> impl ::std::future::Future<Output = Result<Vec<T>, E>>
            + use<$($env_param,)? I, T, E>
            where
                E: From<$crate::Stopped>,
            {
                self.options.$place_of().fan_out(self.items).try_map(self.function)
            }

            /// Awaits the function for each item, whatever fails; ready with the values and the
            /// errors, both in the order of the items.
            ///
            /// # Panics
            ///
            /// If an item panics, as [`run`](Self::run), unless panics are caught: then they are
            /// among the errors, with their payloads. Also, silently, if items were lost to the
            /// cancel of an outer scope.
            ///
            /// # Cancel safety
            ///
            /// As [`run`](Self::run).
            #[track_caller]
            pub fn collect_all(
                self,
            ) -> impl ::std::future::Future<Output = (Vec<T>, $crate::Errors<E>)>
            + use<$($env_param,)? I, T, E> {
                self.options.$place_of().fan_out(self.items).collect_all(self.function)
            }

            /// Awaits the function for the items until one succeeds; ready with that success. The
            /// others are dropped, those that have begun where they wait.
            ///
            /// # Errors
            ///
            /// All failures, if none succeeds; none at all, if there was no item.
            ///
            /// # Panics
            ///
            /// As [`collect_all`](Self::collect_all).
            ///
            /// # Cancel safety
            ///
            /// As [`run`](Self::run).
            #[track_caller]
            pub fn first_ok(
                self,
            ) -> impl ::std::future::Future<Output = Result<T, $crate::Errors<E>>>
            + use<$($env_param,)? I, T, E> {
                self.options.$place_of().fan_out(self.items).first_ok(self.function)
            }

            /// Awaits the function for the items until `wanted` succeed; ready with the first so
            /// many successes by completion, each with the index of its item.
            ///
            /// # Errors
            ///
            /// All failures, if fewer succeed.
            ///
            /// # Panics
            ///
            /// If `wanted` is 0, at once. Otherwise as [`collect_all`](Self::collect_all).
            ///
            /// # Cancel safety
            ///
            /// As [`run`](Self::run).
            #[track_caller]
            pub fn quorum(
                self,
                wanted: usize,
            ) -> impl ::std::future::Future<Output = Result<Vec<(usize, T)>, $crate::Errors<E>>>
            + use<$($env_param,)? I, T, E> {
                self.options.$place_of().fan_out(self.items).quorum(wanted, self.function)
            }
        }
    };
}

pub(crate) use calls;
