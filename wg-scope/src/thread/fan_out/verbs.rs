//! The verbs that run a fan-out and return what came of it.

use std::convert::Infallible;
use std::panic::{Location, resume_unwind};
use std::sync::Arc;

use super::FanOut;
use super::feed::Feed;
use super::mapping::{Done, Mapping, drop_each};
use crate::cause::{Cause, Stopped};
use crate::closing::unwinding;
use crate::failure::{Errors, Failure, FailureKind};
use crate::failures::into_error;
use crate::gather::{Places, in_any_order, in_order};
use crate::ledger::{Unwind, stopped};
use crate::outcome::{Payload, discard};
use crate::policy::Policy;
use crate::task_info::Label;
use crate::thread::crew::Posting;
use crate::thread::entry::Entry;
use crate::thread::pool::{Client, CountedIn, Pool};
use crate::thread::runner::finish;
use crate::thread::scope::Scope;
use crate::thread::shared::Shared;

/// What came of a fan-out that no panic ended.
struct Finished<R, E> {
    done: Done<R, E>,
    /// Whether the policy calls it a failure.
    failed: bool,
    lowest: bool,
    /// Why items were lost, if they were.
    lost: Option<Stopped>,
    /// The echo of what an outer scope tells.
    echo: Option<Stopped>,
    items: usize,
    scope: Arc<Shared>,
    site: &'static Location<'static>,
}

impl<'w, I, P> FanOut<'w, I, P>
where
    I: Iterator + Send,
    I::Item: Send,
{
    /// Runs `function` once on each item, and returns the results in the order of the items.
    ///
    /// # Examples
    ///
    /// ```
    /// let squares = wg::fan_out(1..=4).map(|n| n * n);
    /// assert_eq!(squares, [1, 4, 9, 16]);
    /// ```
    ///
    /// # Panics
    ///
    /// If the function panics: items that have not begun are dropped, those that run are waited
    /// for, and the first panic is resumed. Also if items were lost to a cancel or a deadline, as
    /// there is no result for them: [`try_map`](Self::try_map) returns an error then.
    ///
    /// # Blocking
    ///
    /// Blocks until all is done. This thread handles items too, and runs nothing else.
    ///
    /// # Memory ordering
    ///
    /// What happened before the call is visible to the function, and what that did is visible
    /// after the return.
    #[track_caller]
    pub fn map<R, F>(self, function: F) -> Vec<R>
    where
        F: Fn(I::Item) -> R + Sync,
        R: Send,
    {
        let run = self.run(Policy::fail_fast(), move |item| Ok::<R, Infallible>(function(item)));
        let mut finished = run.or_unwind();
        if let Some(stopped) = finished.lost.take() {
            finished.done.discard_all();
            panic!("{stopped}");
        }
        if let Some(failure) = finished.first_failure() {
            finished.done.discard_all();
            match failure.into_kind() {
                FailureKind::Panic(payload) => payload.resume(),
                FailureKind::Error(never) => match never {},
            }
        }
        finished.done.into_values()
    }

    /// Runs `function` once on each item.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut counts = vec![1, 2, 3];
    /// wg::fan_out(&mut counts).for_each(|count| *count += 1);
    /// assert_eq!(counts, [2, 3, 4]);
    /// ```
    ///
    /// # Panics
    ///
    /// As [`map`](Self::map).
    ///
    /// # Blocking
    ///
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn for_each<F>(self, function: F)
    where
        F: Fn(I::Item) + Sync,
    {
        self.map(function);
    }

    /// Runs `function` on each item; the first error stops the rest and comes back.
    ///
    /// # Examples
    ///
    /// ```
    /// let parse = |text: &&str| text.parse::<u8>().map_err(|error| error.to_string());
    /// assert_eq!(wg::fan_out(&["1", "2"]).try_map(parse), Ok(vec![1, 2]));
    /// let error = wg::fan_out(&["1", "x"]).try_map(parse).unwrap_err();
    /// assert_eq!(error, "invalid digit found in string");
    /// ```
    ///
    /// # Errors
    ///
    /// The first error by completion; with [`lowest_index`](Policy::lowest_index), that of the
    /// first item that fails. If items were lost to a cancel or a deadline, [`Stopped`] says so.
    ///
    /// # Panics
    ///
    /// If the function panics, as [`map`](Self::map), unless panics are caught: then the error is
    /// [`Stopped`], with the panic's words.
    ///
    /// # Blocking
    ///
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn try_map<R, E, F>(self, function: F) -> Result<Vec<R>, E>
    where
        F: Fn(I::Item) -> Result<R, E> + Sync,
        R: Send,
        E: From<Stopped> + Send,
    {
        let mut finished = self.run(Policy::fail_fast(), function);
        let stopped = finished.echo.take().or(finished.lost.take());
        if !finished.failed && stopped.is_none() {
            return Ok(finished.done.into_values_alone());
        }
        let failure = finished.first_failure();
        let failure = finished.done.give_up(failure);
        let too_few = || Stopped::new(Cause::TooFewSuccesses);
        Err(failure.map_or_else(|| E::from(stopped.unwrap_or_else(too_few)), into_error))
    }

    /// As [`try_map`](Self::try_map), without results.
    ///
    /// # Errors
    ///
    /// As [`try_map`](Self::try_map).
    ///
    /// # Panics
    ///
    /// As [`try_map`](Self::try_map).
    ///
    /// # Blocking
    ///
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn try_for_each<E, F>(self, function: F) -> Result<(), E>
    where
        F: Fn(I::Item) -> Result<(), E> + Sync,
        E: From<Stopped> + Send,
    {
        self.try_map(function).map(drop)
    }

    /// Runs `function` on each item, whatever fails, and returns the results and the errors, both in
    /// the order of the items.
    ///
    /// # Examples
    ///
    /// ```
    /// let parse = |text: &&str| text.parse::<u8>();
    /// let (numbers, errors) = wg::fan_out(&["1", "x", "3"]).collect_all(parse);
    /// assert_eq!(numbers, [1, 3]);
    /// assert_eq!(errors.first().unwrap().index(), Some(1));
    /// ```
    ///
    /// # Panics
    ///
    /// If the function panics, as [`map`](Self::map), unless panics are caught: then they are among
    /// the errors, with their payloads.
    ///
    /// # Blocking
    ///
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn collect_all<R, E, F>(self, function: F) -> (Vec<R>, Errors<E>)
    where
        F: Fn(I::Item) -> Result<R, E> + Sync,
        R: Send,
        E: Send,
    {
        let mut finished = self.run(Policy::collect_all(), function).or_unwind();
        let errors = finished.errors();
        (finished.done.into_values(), errors)
    }

    /// Runs `function` on the items until one succeeds, and returns that success. Items that have
    /// not begun are dropped; those that run are waited for, and should look at
    /// [`Cancel::is_cancelled`](crate::Cancel::is_cancelled) or wait with waits of ours.
    ///
    /// # Examples
    ///
    /// ```
    /// let mirrors = ["down", "up", "down"];
    /// let page = wg::fan_out(mirrors).first_ok(|mirror| match mirror {
    ///     "up" => Ok("page"),
    ///     other => Err(other),
    /// });
    /// assert_eq!(page.unwrap(), "page");
    /// ```
    ///
    /// # Errors
    ///
    /// All failures, if none succeeds; none at all, if there was no item.
    ///
    /// # Panics
    ///
    /// As [`collect_all`](Self::collect_all).
    ///
    /// # Blocking
    ///
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn first_ok<R, E, F>(self, function: F) -> Result<R, Errors<E>>
    where
        F: Fn(I::Item) -> Result<R, E> + Sync,
        R: Send,
        E: Send,
    {
        let mut successes = self.quorum(1, function)?;
        Ok(successes.swap_remove(0).1)
    }

    /// Runs `function` on the items until `wanted` succeed, and returns the first so many successes
    /// by completion, each with the index of its item.
    ///
    /// # Examples
    ///
    /// ```
    /// let agreed = wg::fan_out(0..5).quorum(3, |n| if n == 1 { Err("no") } else { Ok(n) });
    /// assert_eq!(agreed.unwrap().len(), 3);
    /// let missed = wg::fan_out(0..5).quorum(4, |n| if n % 2 == 1 { Err("no") } else { Ok(n) });
    /// assert_eq!(missed.unwrap_err().len(), 2);
    /// ```
    ///
    /// # Errors
    ///
    /// All failures, if fewer succeed.
    ///
    /// # Panics
    ///
    /// If `wanted` is 0. Otherwise as [`collect_all`](Self::collect_all).
    ///
    /// # Blocking
    ///
    /// As [`map`](Self::map).
    #[track_caller]
    pub fn quorum<R, E, F>(
        mut self,
        wanted: usize,
        function: F,
    ) -> Result<Vec<(usize, R)>, Errors<E>>
    where
        F: Fn(I::Item) -> Result<R, E> + Sync,
        R: Send,
        E: Send,
    {
        self.options = self.options.policy(Policy::quorum(wanted));
        let mut finished = self.run(Policy::collect_all(), function).or_unwind();
        let mut successes = std::mem::take(&mut finished.done.completed);
        if successes.len() < wanted {
            finished.done.completed = successes;
            let errors = finished.errors();
            return Err(finished.done.give_up(errors));
        }
        // Several may have succeeded at the same moment; the first are the ones.
        finished.done.completed = successes.split_off(wanted);
        Ok(finished.done.give_up(successes))
    }

    /// Runs it all, in a scope of its own, and unwinds if a panic is to be resumed.
    #[track_caller]
    fn run<R, E, F>(self, policy: Policy, function: F) -> Finished<R, E>
    where
        F: Fn(I::Item) -> Result<R, E> + Sync,
        R: Send,
        E: Send,
    {
        let most = self.most();
        let site = self.site;
        let policy = self.options.policy_or(policy);
        let lowest = policy.takes_the_lowest();
        let options = self.options;
        // The crew's size is the limit; the scope has nothing else to run.
        let ahead = options.limit.map_or(usize::MAX, std::num::NonZeroUsize::get);
        let label = Label::named(options.name.as_deref().unwrap_or("fan_out"), site);
        let (hint, counts_values) = (self.items.size_hint(), policy.counts_values());
        let (shares, feed) = match (&self.budget, hint.1) {
            (Some(_), _) => (1, Feed::one_by_one(self.items)),
            // One also where there seems to be no item: that may not be true.
            (None, items) => {
                (items.map_or(most, |n| n.clamp(1, most)), Feed::new(self.items, ahead))
            }
        };
        let mut entry = Entry::new(&options, policy, site);
        let places = if counts_values { Places::none() } else { Places::new(hint) };
        let work = Mapping::new(feed, self.budget, function, places);
        let scope = Scope::of(&entry);
        let crew = scope.crew(label.clone(), most, &work);
        // This thread works, too. If it did not count, a core would seem idle, and others would come.
        let counted_in = (shares > 1).then(|| count_in(entry.shared()));
        let posted = entry.run(|| crew.begin(shares));
        finish(entry.shared());
        drop(counted_in);
        crew.dismiss();
        drop(crew);
        let scope = Arc::clone(entry.shared());
        let cause = scope.node.cause();
        let (done, items, are_all) = work.finish(&scope, &label);
        let conclusion = entry.close(posted.err());
        // What a policy skips it does not want.
        let unwanted =
            matches!(cause, Some(Cause::Decided | Cause::Failed(_) | Cause::Panicked(..)));
        let lost = (items > done.begun || !are_all) && !unwanted;
        let lost = cause.filter(|_| lost).map(|cause| stopped(Some(cause)));
        let (lost, echo) = match conclusion.unwind {
            Unwind::Not => match lost {
                Some(lost) if matches!(lost.cause(), Cause::Outer(_)) => (None, Some(lost)),
                lost => (lost, None),
            },
            Unwind::Echo(echo) => (lost, Some(echo)),
            panic @ Unwind::Panic { .. } => {
                done.discard_all();
                unwinding(panic, Some(()), &scope, site)
            }
        };
        Finished { done, failed: conclusion.failed, lowest, lost, echo, items, scope, site }
    }
}

/// Counts this thread among those that work for a scope, as long as what is returned lives.
fn count_in(scope: &Arc<Shared>) -> CountedIn {
    let client = Arc::clone(scope) as Arc<dyn Client>;
    Pool::of_this_process(scope.stack).count_in(&client)
}

impl<R, E> Finished<R, E> {
    /// Unwinds with the echo of what an outer scope tells, if there is one.
    #[track_caller]
    fn or_unwind(mut self) -> Self {
        if let Some(echo) = self.echo.take() {
            self.done.discard_all();
            unwinding(Unwind::Echo(echo), Some(()), &self.scope, self.site);
        }
        self
    }

    /// The failure that stands for all.
    fn first_failure(&mut self) -> Option<Failure<E>> {
        let failures = &mut self.done.failures;
        if self.lowest {
            failures.sort_by_key(|(_, failure)| failure.index());
        } else {
            failures.sort_by_key(|&(order, _)| order);
        }
        if failures.is_empty() { None } else { Some(failures.swap_remove(0).1) }
    }

    fn errors(&mut self) -> Errors<E> {
        let failures = std::mem::take(&mut self.done.failures);
        let cancelled = self.items.saturating_sub(self.done.begun);
        let failures = failures.into_iter().map(|(_, failure)| failure).collect();
        Errors::new(failures, self.items, cancelled)
    }
}

impl<R, E> Done<R, E> {
    fn into_values(self) -> Vec<R> {
        if self.completed.is_empty() {
            return in_order(self.parts);
        }
        let mut completed = self.completed;
        completed.sort_by_key(|&(index, _)| index);
        completed.into_iter().map(|(_, value)| value).collect()
    }

    /// As [`into_values`](Self::into_values), where failures do not count.
    fn into_values_alone(mut self) -> Vec<R> {
        let failures = drop_each(std::mem::take(&mut self.failures).into_iter());
        if let Some(payload) = failures {
            self.discard_all();
            resume_unwind(payload);
        }
        self.into_values()
    }

    /// Drops everything that is left but what is `kept`, where nothing else has been thrown.
    fn give_up<K: IntoIterator>(self, kept: K) -> K {
        if let Some(payload) = self.drop_all() {
            drop_each(kept.into_iter()).into_iter().for_each(discard);
            resume_unwind(payload);
        }
        kept
    }

    /// Drops everything that is left, before something else is thrown.
    fn discard_all(self) {
        self.drop_all().into_iter().for_each(discard);
    }

    /// Drops everything one by one, so that what one throws takes no other with it.
    fn drop_all(self) -> Option<Payload> {
        let values = drop_each(in_any_order(self.parts));
        let completed = drop_each(self.completed.into_iter());
        let failures = drop_each(self.failures.into_iter());
        values.or(completed).or(failures)
    }
}
