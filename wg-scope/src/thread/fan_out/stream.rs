//! Results of a fan-out while it runs, bounded: an item is pulled only when there is room for its
//! result.

use std::fmt;
use std::iter::FusedIterator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use super::alone::Puller;
use super::budget::{Budget, Weighed};
use super::feed::Feed;
use super::outlet::{Order, Outlet};
use super::{FanOut, Inside};
use crate::outcome::{Payload, drop_caught};
use crate::task_info::{Label, TaskInfo};
use crate::thread::crew::{Crew, Posting, Work, panicked};
use crate::thread::shared::Shared;
use crate::thread::wait::wait_stopped;
use crate::timeline::OutcomeKind;

impl<'scope, 'env, I> FanOut<'scope, I, Inside<'scope, 'env>>
where
    I: Iterator + Send + 'scope,
    I::Item: Send + 'scope,
{
    /// Runs `function` on each item, and returns the results with the indices of their items, as
    /// they are completed, while work goes on.
    ///
    /// An item is pulled only when there is room for its result: at most [`limit`](Self::limit)
    /// items are in the making or wait to be taken, so that a slow reader slows the work down. It
    /// begins at once.
    ///
    /// # Examples
    ///
    /// ```
    /// let words = ["one", "two", "three"];
    /// wg::scope(|s| {
    ///     let mut lengths = [0; 3];
    ///     for (index, length) in s.fan_out(&words).limit(2).as_completed(|word| word.len()) {
    ///         lengths[index] = length;
    ///     }
    ///     assert_eq!(lengths, [3, 3, 5]);
    /// });
    /// ```
    ///
    /// # Panics
    ///
    /// A panic of the function is the scope's; the iteration ends.
    #[track_caller]
    pub fn as_completed<R, F>(self, function: F) -> AsCompleted<'scope, R>
    where
        F: Fn(I::Item) -> R + Send + Sync + 'scope,
        R: Send + 'scope,
    {
        AsCompleted(Stream::new(self, function))
    }

    /// As [`as_completed`](Self::as_completed), in the order of the items: what is completed early is
    /// held back. At most [`limit`](Self::limit) results are in the making or held.
    ///
    /// # Examples
    ///
    /// ```
    /// let lines: Vec<String> = wg::scope(|s| {
    ///     s.fan_out(0..5).limit(3).in_order(|n| format!("line {n}")).collect()
    /// });
    /// assert_eq!(lines[4], "line 4");
    /// ```
    ///
    /// # Panics
    ///
    /// A panic of the function is the scope's; the iteration ends.
    #[track_caller]
    pub fn in_order<R, F>(self, function: F) -> InOrder<'scope, R>
    where
        F: Fn(I::Item) -> R + Send + Sync + 'scope,
        R: Send + 'scope,
    {
        InOrder(Stream::new(self, function))
    }
}

/// Results as they are completed, with the indices of their items. Made by
/// [`FanOut::as_completed`].
///
/// Dropping it drops the items that have not begun, and the results that nobody took; items that
/// run are waited for by the scope.
#[must_use = "nobody reads the results: `for_each` is for that"]
pub struct AsCompleted<'scope, R>(Stream<'scope, R>);

/// Results in the order of their items. Made by [`FanOut::in_order`]. Dropping it is as for
/// [`AsCompleted`].
#[must_use = "nobody reads the results: `for_each` is for that"]
pub struct InOrder<'scope, R>(Stream<'scope, R>);

impl<R> Iterator for AsCompleted<'_, R> {
    type Item = (usize, R);

    fn next(&mut self) -> Option<(usize, R)> {
        self.0.take(Order::AsCompleted)
    }
}

impl<R> Iterator for InOrder<'_, R> {
    type Item = R;

    fn next(&mut self) -> Option<R> {
        // Where an item gave no result, because its panic was caught, the next one follows.
        self.0.take(Order::InOrder).map(|(_, result)| result)
    }
}

impl<R> FusedIterator for AsCompleted<'_, R> {}
impl<R> FusedIterator for InOrder<'_, R> {}

/// The reading end, and what keeps the crew at work.
struct Stream<'scope, R> {
    outlet: Arc<Outlet<R>>,
    crew: Box<dyn Hands + 'scope>,
    scope: &'scope Arc<Shared>,
    label: Label,
}

/// A crew as a reader sees it.
trait Hands: Send + Sync {
    fn post(&self);
    fn help(&self) -> bool;
    fn dismiss(&self);
}

impl<'scope, W: Work + Send + 'scope> Hands for Arc<Crew<'scope, W>> {
    fn post(&self) {
        Posting::post(&**self, 1);
    }

    fn help(&self) -> bool {
        Crew::help(self)
    }

    fn dismiss(&self) {
        Posting::dismiss(&**self);
    }
}

impl<'scope, R: Send + 'scope> Stream<'scope, R> {
    fn new<'env, I, F>(fan_out: FanOut<'scope, I, Inside<'scope, 'env>>, function: F) -> Self
    where
        I: Iterator + Send + 'scope,
        I::Item: Send + 'scope,
        F: Fn(I::Item) -> R + Send + Sync + 'scope,
    {
        let most = fan_out.most();
        let Inside(scope) = fan_out.place;
        let name = fan_out.options.name.as_deref().unwrap_or("fan_out");
        let label = Label::named(name, fan_out.site);
        let outlet = Arc::new(Outlet::new(most));
        let work = Streaming {
            feed: Feed::one_by_one(fan_out.items),
            budget: fan_out.budget,
            function: Some(function),
            outlet: Arc::clone(&outlet),
            scope: scope.shared(),
            label: label.clone(),
        };
        let crew = scope.crew(label.clone(), most, work);
        // Each share posts the next, as long as there is room.
        Posting::post(&*crew, 1);
        Stream { outlet, crew: Box::new(crew), scope: scope.shared(), label }
    }
}

impl<R> Stream<'_, R> {
    /// Waits for the next result. None when there will be no more, or the scope is cancelled.
    fn take(&self, order: Order) -> Option<(usize, R)> {
        let poll = |waker: &Waker| {
            let found = self.outlet.take(order, waker);
            if found.has_room {
                self.crew.post();
            }
            found.result
        };
        while self.scope.is_limited() {
            let found = self.outlet.take(order, Waker::noop());
            if let Some(result) = found.result {
                return result;
            }
            if !self.crew.help() {
                break;
            }
        }
        wait_stopped(self.scope, poll).ok().flatten()
    }
}

impl<R> Drop for Stream<'_, R> {
    fn drop(&mut self) {
        let results = self.outlet.close();
        self.crew.dismiss();
        let thrown: Vec<_> = results.filter_map(|result| drop_caught(result).err()).collect();
        enter_panics(self.scope, &self.label, thrown);
    }
}

/// The work of a fan-out whose results are read while it runs.
struct Streaming<'scope, I: Iterator, F, R> {
    feed: Feed<I>,
    budget: Option<Budget<'scope, I::Item>>,
    /// Taken away only at the end.
    function: Option<F>,
    outlet: Arc<Outlet<R>>,
    scope: &'scope Arc<Shared>,
    label: Label,
}

impl<I, F, R> Streaming<'_, I, F, R>
where
    I: Iterator + Send,
    I::Item: Send,
    F: Fn(I::Item) -> R + Sync,
    R: Send,
{
    fn claim(&self, puller: &mut Puller<I>, crew: &dyn Posting) -> Weighed<I::Item> {
        match &self.budget {
            Some(budget) => budget.claim(&self.feed, puller, crew),
            None => self.feed.claim(puller, crew).into(),
        }
    }

    fn call(&self, item: I::Item) -> R {
        (self.function.as_ref().expect("there are items, so this is not the end"))(item)
    }
}

impl<I, F, R> Work for Streaming<'_, I, F, R>
where
    I: Iterator + Send,
    I::Item: Send,
    F: Fn(I::Item) -> R + Sync,
    R: Send,
{
    fn share(&self, crew: &dyn Posting) {
        let mut puller = self.feed.puller();
        while !crew.scope().is_cancelled() && self.outlet.enter() {
            match self.claim(&mut puller, crew) {
                Weighed::Item(index, item, weight) => {
                    // There may be room for another.
                    crew.post(1);
                    let mut span = self.scope.begin_span();
                    let result = catch_unwind(AssertUnwindSafe(|| self.call(item)));
                    if let Some(span) = &mut span {
                        let value = |_: &_| OutcomeKind::Value;
                        let kind = result.as_ref().map_or_else(OutcomeKind::of_panic, value);
                        span.end(index as u64, &self.label, kind);
                    }
                    if let Some(budget) = &self.budget {
                        budget.give_back(weight);
                    }
                    let thrown = |payload| panicked(self.scope, &crew.item(index), payload);
                    self.outlet.put(index, result.map_err(thrown).ok());
                }
                Weighed::Panicked(index, payload) => {
                    panicked(self.scope, &crew.item(index), payload);
                    self.outlet.put(index, None);
                }
                Weighed::NotNow => {
                    self.outlet.retreat(false);
                    break;
                }
                Weighed::Ended => {
                    self.outlet.retreat(true);
                    break;
                }
            }
        }
        if let Some((index, payload)) = self.feed.leave(puller) {
            panicked(self.scope, &crew.item(index), payload);
        }
    }

    fn has_more(&self) -> bool {
        if self.scope.is_cancelled() || !self.outlet.has_room() {
            return false;
        }
        // Room alone is not enough where the next item is too heavy, or another share pulls it.
        match &self.budget {
            Some(budget) => budget.has_more(false),
            None => self.feed.has_more() || self.feed.has_ended(),
        }
    }

    fn done(&self) -> Option<u64> {
        self.feed.done()
    }
}

impl<I: Iterator, F, R> Drop for Streaming<'_, I, F, R> {
    fn drop(&mut self) {
        let mut thrown = self.feed.clear();
        thrown.extend(self.budget.take().into_iter().flat_map(Budget::clear));
        thrown.extend(drop_caught(self.function.take()).err());
        // What was delivered after the reader had gone.
        thrown.extend(self.outlet.close().filter_map(|result| drop_caught(result).err()));
        enter_panics(self.scope, &self.label, thrown);
    }
}

/// Enters what the drops of items and results have thrown.
fn enter_panics(scope: &Shared, label: &Label, thrown: impl IntoIterator<Item = Payload>) {
    let task = TaskInfo::new(0, label.clone());
    thrown.into_iter().for_each(|payload| panicked(scope, &task, payload));
}

impl<R> fmt::Debug for AsCompleted<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsCompleted").field(&self.0.outlet).finish()
    }
}

impl<R> fmt::Debug for InOrder<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("InOrder").field(&self.0.outlet).finish()
    }
}
