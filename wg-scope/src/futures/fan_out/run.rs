//! A fan-out from its beginning to its end.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::FutureExt;

use super::AsyncFanOut;
use super::budget::Weigh;
use super::done::{Done, Results};
use super::feed::Feed;
use super::grow::Added;
use super::hand::size;
use super::mapping::Mapping;
use super::strand::{First, InHand, Strand, Work, first, start};
use crate::cause::{Cause, Stopped};
use crate::closing::unwinding;
use crate::failure::{Errors, FailureKind};
use crate::futures::place::{Holds, Place};
use crate::futures::run;
use crate::futures::shared::Shared;
use crate::futures::try_scope::TryAsyncScope;
use crate::gather::Places;
use crate::ledger::Unwind;
use crate::policy::Policy;
use crate::task_info::Label;

#[expect(private_bounds, reason = "sealed")]
impl<I: Iterator, P: Place, W: Weigh<I::Item>, S> AsyncFanOut<I, P, W, S> {
    /// Runs it all; the first failure comes back.
    pub(crate) fn tried<R, E, F, Fut>(
        self,
        function: F,
        added: Option<Arc<Added<I::Item>>>,
    ) -> impl Future<Output = Result<Vec<R>, E>> + use<I, P, W, S, R, E, F, Fut>
    where
        P: Holds<Strand<Mapping<P, I, W, F, Fut, R, E>>>,
        F: Fn(I::Item) -> Fut,
        Fut: Future<Output = Result<R, E>>,
        E: From<Stopped>,
    {
        let (open, options, site) = (self.open, self.options.clone(), self.site);
        let policy = options.policy_or(Policy::fail_fast());
        let its = policy.clone();
        let results = Results::new();
        let begin = self.begin(function, results.clone(), added);
        let body = move |scope| begin(scope).map(Ok);
        run::tried(move || open(&options, its), policy, body, site).map(move |ended| {
            let done = results.take();
            match ended.map(|shared| done.lost(&shared)) {
                Ok(None) => Ok(done.into_values()),
                Ok(Some(stopped)) => Err(done.give_up(E::from(stopped))),
                Err(error) => Err(done.give_up(error)),
            }
        })
    }

    /// Runs it all; everything comes back. It unwinds if an outer scope's cancel has cost items.
    fn collected<R, E, F, Fut>(
        self,
        policy: Policy,
        function: F,
        added: Option<Arc<Added<I::Item>>>,
    ) -> impl Future<Output = (Done<R>, Errors<E>, Arc<Shared<P>>)> + use<I, P, W, S, R, E, F, Fut>
    where
        P: Holds<Strand<Mapping<P, I, W, F, Fut, R, E>>>,
        F: Fn(I::Item) -> Fut,
        Fut: Future<Output = Result<R, E>>,
    {
        let (open, options, site) = (self.open, self.options.clone(), self.site);
        let policy = options.policy_or(policy);
        let results = Results::new();
        let begin = self.begin(function, results.clone(), added);
        let body = begin;
        run::collect(move || open(&options, policy), body, site).map(move |(shared, errors)| {
            let done = results.take();
            let lost = done.lost(&shared);
            if let Some(echo) = lost.filter(|lost| matches!(lost.cause(), Cause::Outer(_))) {
                done.discard();
                unwinding(Unwind::Echo(echo), Some(errors), &shared, site);
            }
            let lost = done.items.saturating_sub(done.ended);
            let errors = Errors::new(errors.into_iter().collect(), done.items, lost);
            (done, errors, shared)
        })
    }

    /// Runs it all; there are no errors.
    pub(crate) fn mapped<R, F, Fut>(
        self,
        function: F,
        added: Option<Arc<Added<I::Item>>>,
    ) -> impl Future<Output = Vec<R>> + use<I, P, W, S, R, F, Fut>
    where
        P: Holds<Strand<Mapping<P, I, W, F, Fut, R, Infallible>>>,
        F: Fn(I::Item) -> Fut,
        Fut: Future<Output = Result<R, Infallible>>,
    {
        self.collected(Policy::fail_fast(), function, added).map(|(done, errors, shared)| {
            if let Some(stopped) = done.lost(&shared) {
                done.discard();
                panic!("{stopped}");
            }
            if let Some(failure) = errors.into_iter().next() {
                done.discard();
                match failure.into_kind() {
                    FailureKind::Panic(payload) => payload.resume(),
                    FailureKind::Error(never) => match never {},
                }
            }
            done.into_values()
        })
    }

    /// Runs it all, whatever fails.
    pub(crate) fn all<R, E, F, Fut>(
        self,
        function: F,
    ) -> impl Future<Output = (Vec<R>, Errors<E>)> + use<I, P, W, S, R, E, F, Fut>
    where
        P: Holds<Strand<Mapping<P, I, W, F, Fut, R, E>>>,
        F: Fn(I::Item) -> Fut,
        Fut: Future<Output = Result<R, E>>,
    {
        let collected = self.collected(Policy::collect_all(), function, None);
        collected.map(|(done, errors, _)| (done.into_values(), errors))
    }

    /// Runs it until so many succeed.
    #[track_caller]
    pub(crate) fn first<R, E, F, Fut>(
        mut self,
        wanted: usize,
        function: F,
    ) -> impl Future<Output = Result<Vec<(usize, R)>, Errors<E>>> + use<I, P, W, S, R, E, F, Fut>
    where
        P: Holds<Strand<Mapping<P, I, W, F, Fut, R, E>>>,
        F: Fn(I::Item) -> Fut,
        Fut: Future<Output = Result<R, E>>,
    {
        let policy = Policy::quorum(wanted);
        self.options = self.options.policy(policy.clone());
        self.collected(policy, function, None).map(move |(mut done, errors, _)| {
            match done.take_first(wanted) {
                // Several may have succeeded at the same moment; the first are the ones.
                Some(successes) => Ok(done.give_up(successes)),
                None => Err(done.give_up(errors)),
            }
        })
    }

    /// Makes what begins the first strand in the scope it is given, which starts the others.
    fn begin<R, E, F, Fut>(
        self,
        function: F,
        results: Results<R>,
        added: Option<Arc<Added<I::Item>>>,
    ) -> impl FnOnce(TryAsyncScope<P, E>) -> First<P> + use<I, P, W, S, R, E, F, Fut>
    where
        P: Holds<Strand<Mapping<P, I, W, F, Fut, R, E>>>,
        F: Fn(I::Item) -> Fut,
        Fut: Future<Output = Result<R, E>>,
    {
        let most = self.most();
        let AsyncFanOut { items, options, weigh, site, .. } = self;
        let label = Label::named(options.name.as_deref().unwrap_or("fan_out"), site);
        move |scope| {
            let shared = Arc::clone(scope.shared());
            let counts = added.is_some() || shared.counts_values();
            let places = if counts { Places::none() } else { Places::new(size(&items)) };
            let feed = Feed::new(items, weigh, most, shared.place.hands());
            let work = Arc::new(Mapping {
                shared: Arc::clone(&shared),
                failures: Arc::clone(scope.failures()),
                results,
                places,
                feed: if added.is_some() { feed.staying() } else { feed },
                added,
                function,
                label,
                post: start,
                future: PhantomData::<fn() -> Fut>,
            });
            let strand = first(InHand::new(&work, true));
            // Where the scope has ended, nobody else holds it.
            if let Some(work) = Arc::into_inner(work) {
                work.finish();
            }
            strand
        }
    }
}
