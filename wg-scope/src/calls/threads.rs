//! A function and its items, on threads.

use std::fmt;

use super::settings::settings;
use crate::cause::Stopped;
use crate::failure::Errors;
use crate::options::{Options, options};
use crate::thread::{AsCompleted, FanOut, InOrder, Inside};

/// The items, pulled as they are needed.
type Items<'fan, I> = Box<dyn Iterator<Item = I> + Send + 'fan>;

/// The function, with what its items share.
type Function<'fan, I, R> = Box<dyn Fn(I) -> R + Send + Sync + 'fan>;

/// A function and its items, on threads: how it is to run. It is what the companion of a `fn` with
/// `#[wg::fan_out]` returns; a verb at the end runs it.
///
/// | verb | the function returns | comes back |
/// |---|---|---|
/// | [`run`](Self::run) | `R` | `Vec<R>`, in the order of the items |
/// | [`try_run`](Calls::try_run) | `Result<T, E>` | `Result<Vec<T>, E>`: the first error stops the rest |
/// | [`collect_all`](Calls::collect_all) | `Result<T, E>` | `(Vec<T>, Errors<E>)`: nobody is stopped |
/// | [`first_ok`](Calls::first_ok) | `Result<T, E>` | the first success |
/// | [`quorum`](Calls::quorum) | `Result<T, E>` | the first `k` successes |
/// | [`as_completed`](Self::as_completed), [`in_order`](Self::in_order) | `R` | results while work goes on |
///
/// It does what [`fan_out`](fn@crate::fan_out) does, whose documentation says how items are pulled
/// and how many are handled at once where no limit is given. What it adds is a type with a name, at
/// the cost of one virtual call for each item.
#[must_use = "nothing is called until a verb runs it"]
pub struct Calls<'fan, I, R> {
    items: Items<'fan, I>,
    function: Function<'fan, I, R>,
    options: Options,
}

impl<'fan, I, R> Calls<'fan, I, R>
where
    I: Send,
    R: Send,
{
    /// Puts a function and its items together. The attribute `#[fan_out]` writes this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use wg::Calls;
    ///
    /// fn count_all<'fan>(lines: &'fan [&'fan str], letter: char) -> Calls<'fan, &'fan str, usize> {
    ///     Calls::new(lines.iter().copied(), move |line| line.matches(letter).count())
    /// }
    ///
    /// assert_eq!(count_all(&["banana", "apple"], 'a').limit(2).run(), [3, 1]);
    /// ```
    pub fn new<S, F>(items: S, function: F) -> Self
    where
        S: IntoIterator<Item = I, IntoIter: Send + 'fan>,
        F: Fn(I) -> R + Send + Sync + 'fan,
    {
        let (items, function) = (Box::new(items.into_iter()), Box::new(function));
        Calls { items, function, options: options() }
    }

    /// The fan-out that it is, and the function to run in it.
    #[track_caller]
    fn start(self) -> (FanOut<'fan, Items<'fan, I>>, Function<'fan, I, R>) {
        (self.options.fan_out(self.items), self.function)
    }

    /// Calls the function once for each item, and returns the results in the order of the items.
    ///
    /// # Panics
    ///
    /// If an item panics, others that have not begun are dropped, those that run are waited for,
    /// and the first panic is resumed. Also if items were lost to a cancel or a deadline, as there
    /// is no result for them. See [`FanOut::map`].
    ///
    /// # Blocking
    ///
    /// Blocks until every item has been handled, and handles some itself.
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is visible to the function, and what that did is visible when
    /// this returns.
    #[track_caller]
    pub fn run(self) -> Vec<R> {
        let (fan_out, function) = self.start();
        fan_out.map(function)
    }

    /// Calls the function once for each item, and lends `body` the results as they come, each with
    /// the index of its item.
    ///
    /// An item is pulled only when there is room for its result. A body that returns early drops
    /// what has not begun.
    ///
    /// # Examples
    ///
    /// ```
    /// let shouts = wg::Calls::new(["a", "b"], |word: &str| word.to_uppercase());
    /// let mut seen = shouts.as_completed(|results| results.collect::<Vec<_>>());
    /// seen.sort();
    /// assert_eq!(seen, [(0, String::from("A")), (1, String::from("B"))]);
    /// ```
    ///
    /// # Panics
    ///
    /// If an item or the body panics, as [`scope`](crate::scope). A cancel or a deadline makes no
    /// panic: the results end early.
    ///
    /// # Blocking
    ///
    /// Blocks until the body has returned and what had begun has ended.
    #[track_caller]
    pub fn as_completed<T, B>(self, body: B) -> T
    where
        B: for<'scope> FnOnce(AsCompleted<'scope, R>) -> T,
        I: 'fan,
        R: 'fan,
    {
        self.inside(|fan_out, function| body(fan_out.as_completed(function)))
    }

    /// As [`as_completed`](Self::as_completed), with the results in the order of the items, and
    /// without indices. A result that comes early waits, and takes up room meanwhile.
    ///
    /// # Examples
    ///
    /// ```
    /// let shouts = wg::Calls::new(["a", "b"], |word: &str| word.to_uppercase());
    /// assert_eq!(shouts.in_order(|results| results.collect::<String>()), "AB");
    /// ```
    ///
    /// # Panics
    ///
    /// As [`as_completed`](Self::as_completed).
    ///
    /// # Blocking
    ///
    /// As [`as_completed`](Self::as_completed).
    #[track_caller]
    pub fn in_order<T, B>(self, body: B) -> T
    where
        B: for<'scope> FnOnce(InOrder<'scope, R>) -> T,
        I: 'fan,
        R: 'fan,
    {
        self.inside(|fan_out, function| body(fan_out.in_order(function)))
    }

    /// Runs `body` in a scope that has all options but the limit, which is the fan-out's.
    #[track_caller]
    fn inside<T, B>(mut self, body: B) -> T
    where
        B: for<'scope> FnOnce(
            FanOut<'scope, Items<'fan, I>, Inside<'scope, 'fan>>,
            Function<'fan, I, R>,
        ) -> T,
    {
        let limit = self.options.limit.take();
        self.options.scope(|s| {
            let mut fan_out = s.fan_out(self.items);
            if let Some(limit) = limit {
                fan_out = fan_out.limit(limit.get());
            }
            if let Some(name) = &self.options.name {
                fan_out = fan_out.name(name);
            }
            body(fan_out, self.function)
        })
    }
}

/// # Functions that may fail
impl<'fan, I, T, E> Calls<'fan, I, Result<T, E>>
where
    I: Send,
    T: Send,
    E: Send,
{
    /// Calls the function for each item; the first error stops the rest and comes back.
    ///
    /// # Examples
    ///
    /// ```
    /// let parse = |text: &str| text.parse::<u8>().map_err(|error| error.to_string());
    /// assert_eq!(wg::Calls::new(["1", "2"], parse).try_run(), Ok(vec![1, 2]));
    /// let error = wg::Calls::new(["1", "x"], parse).try_run().unwrap_err();
    /// assert_eq!(error, "invalid digit found in string");
    /// ```
    ///
    /// # Errors
    ///
    /// The first error by completion; with [`lowest_index`](crate::Policy::lowest_index), that of
    /// the first item that fails. If items were lost to a cancel or a deadline, [`Stopped`] says so.
    ///
    /// # Panics
    ///
    /// If an item panics, as [`run`](Self::run), unless panics are caught: then the error is
    /// [`Stopped`], with the panic's words.
    ///
    /// # Blocking
    ///
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn try_run(self) -> Result<Vec<T>, E>
    where
        E: From<Stopped>,
    {
        let (fan_out, function) = self.start();
        fan_out.try_map(function)
    }

    /// Calls the function for each item, whatever fails; returns the values and the errors, both in
    /// the order of the items.
    ///
    /// # Panics
    ///
    /// As [`FanOut::collect_all`].
    ///
    /// # Blocking
    ///
    /// As [`run`](Self::run).
    #[track_caller]
    pub fn collect_all(self) -> (Vec<T>, Errors<E>) {
        let (fan_out, function) = self.start();
        fan_out.collect_all(function)
    }

    /// Calls the function for the items until one succeeds, and returns that success.
    ///
    /// # Errors
    ///
    /// All failures, if none succeeds; none at all, if there was no item.
    ///
    /// # Panics
    ///
    /// As [`FanOut::collect_all`].
    ///
    /// # Blocking
    ///
    /// As [`run`](Self::run): what had begun when one succeeded is waited for.
    #[track_caller]
    pub fn first_ok(self) -> Result<T, Errors<E>> {
        let (fan_out, function) = self.start();
        fan_out.first_ok(function)
    }

    /// Calls the function for the items until `wanted` succeed, and returns the first so many
    /// successes by completion, each with the index of its item.
    ///
    /// # Errors
    ///
    /// All failures, if fewer succeed.
    ///
    /// # Panics
    ///
    /// If `wanted` is 0. Otherwise as [`FanOut::collect_all`].
    ///
    /// # Blocking
    ///
    /// As [`first_ok`](Self::first_ok).
    #[track_caller]
    pub fn quorum(self, wanted: usize) -> Result<Vec<(usize, T)>, Errors<E>> {
        let (fan_out, function) = self.start();
        fan_out.quorum(wanted, function)
    }
}

settings!(impl['fan, I, R] Calls<'fan, I, R>);

/// # How to run
impl<I, R> Calls<'_, I, R> {
    /// Runs on threads with stacks of at least `bytes` bytes; see [`Options::stack_size`].
    ///
    /// # Panics
    ///
    /// If `bytes` is 0.
    #[track_caller]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.options = self.options.stack_size(bytes);
        self
    }
}

impl<I, R> fmt::Debug for Calls<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calls").field("options", &self.options).finish_non_exhaustive()
    }
}
