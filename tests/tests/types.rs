//! Which public types may go to other threads, and which may be shared with them: all of them, with
//! values that may and values that may not.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;

use futures::{FutureExt, StreamExt};

/// What the compiler thinks of a type.
struct Of<T: ?Sized>(PhantomData<T>);

trait Neither {
    const SEND: bool = false;
    const SYNC: bool = false;

    fn sends(&self) -> bool {
        false
    }
}

impl<T: ?Sized> Neither for Of<T> {}

/// The names hide those of the trait, where the bound holds.
impl<T: ?Sized + Send> Of<T> {
    const SEND: bool = true;

    fn sends(&self) -> bool {
        true
    }
}

impl<T: ?Sized + Sync> Of<T> {
    const SYNC: bool = true;
}

/// A value that may be sent and not shared, and one that may be neither.
type Sent = Cell<u8>;
type Stays = Rc<u8>;

/// A fan-out that was described in a scope.
type Inside<P> = wg::AsyncFanOut<Range<u8>, P, wg::Unweighed, wg::AsyncInside<P>>;

macro_rules! matrix {
    ($($name:ty: $send:literal $sync:literal,)*) => {
        $(
            assert_eq!(
                (Of::<$name>::SEND, Of::<$name>::SYNC),
                ($send, $sync),
                concat!(stringify!($name), ": whether it is Send, whether it is Sync"),
            );
        )*
    };
}

#[test]
fn rule_27_types_for_threads() {
    matrix! {
        wg::Scope<'_, '_>: true true,
        wg::TryScope<'_, '_, Sent>: true true,
        wg::Task<'_, u8>: true true,
        wg::Task<'_, Sent>: true true,
        wg::TryTask<'_, u8, Sent>: true true,
        wg::FutureTask<'_, Sent>: true true,
        wg::TryFutureTask<'_, u8, Sent>: true true,
        wg::Named<'_, '_, '_>: true true,
        wg::TryNamed<'_, '_, '_, Sent>: true true,
        wg::Results<'_, '_, Sent>: true false,
        wg::TryResults<'_, '_, Sent, Sent>: true false,
        wg::Spawner<'_, '_, Sent>: true true,
        wg::TrySpawner<'_, '_, Sent, Sent>: true true,
        wg::Inlet<'_, Sent, Sent>: true true,
        wg::More<'_, Sent>: true true,
        wg::AsCompleted<'_, Sent>: true true,
        wg::InOrder<'_, Sent>: true true,
        wg::FanOut<'_, Range<u8>>: true true,
        wg::FanOut<'_, std::vec::IntoIter<Stays>>: false false,
    }
}

#[test]
fn rule_27_types_for_futures() {
    use wg::{local, tokio};
    matrix! {
        local::Scope<'_>: true true,
        local::TryScope<'_, Sent>: true true,
        local::Task<'_, Sent>: true true,
        local::TryTask<'_, u8, Sent>: true true,
        local::Builder: true true,
        wg::AsyncNamed<'_, local::Scope<'_>>: true true,
        wg::AsyncSpawner<local::Local<'_>, Sent>: true true,
        wg::TryAsyncSpawner<local::Local<'_>, Sent, Sent>: true true,
        wg::AsyncResults<local::Local<'_>, u8>: true true,
        wg::AsyncResults<local::Local<'_>, Sent>: true false,
        wg::TryAsyncResults<local::Local<'_>, u8, Sent>: true true,
        wg::AsyncInlet<local::Local<'_>, Sent, Sent>: true true,
        wg::AsyncMore<Sent>: true true,
        wg::AsyncMore<Stays>: false false,
        wg::AsyncAsCompleted<local::Local<'_>, Sent>: true false,
        wg::AsyncInOrder<local::Local<'_>, Sent>: true false,
        wg::AsyncAsCompleted<tokio::Tokio, Sent>: true false,
        wg::AsyncInOrder<tokio::Tokio, Sent>: true false,
        tokio::Scope: true true,
        tokio::TryScope<Sent>: true true,
        tokio::Task<Sent>: true true,
        tokio::TryTask<u8, Sent>: true true,
        tokio::Builder: true true,
        wg::AsyncSpawner<tokio::Tokio, Sent>: true true,
        local::unsend::Scope<'_>: false false,
        local::unsend::TryScope<'_, u8>: false false,
        local::unsend::Task<'_, u8>: false false,
        local::unsend::TryTask<'_, u8, u8>: false false,
        wg::AsyncResults<local::unsend::Unsend<'_>, u8>: false false,
        wg::AsyncInlet<local::unsend::Unsend<'_>, u8, u8>: false false,
        wg::AsyncAsCompleted<local::unsend::Unsend<'_>, u8>: false false,
        wg::AsyncInOrder<local::unsend::Unsend<'_>, u8>: false false,
        local::unsend::Builder: true true,
        local::FanOut<'_, Range<u8>>: true true,
        local::unsend::FanOut<'_, Range<u8>>: true true,
        local::unsend::FanOut<'_, std::vec::IntoIter<Stays>>: false false,
        Inside<local::Local<'_>>: true true,
        Inside<tokio::Tokio>: true true,
        Inside<local::unsend::Unsend<'_>>: false false,
    }
}

#[test]
fn rule_27_types_that_are_told_and_given() {
    matrix! {
        wg::Options: true true,
        wg::Policy: true true,
        wg::Tally: true true,
        wg::Cancel: true true,
        wg::Cancelled: true true,
        wg::Cause: true true,
        wg::Stopped: true true,
        wg::Errors<u8>: true true,
        wg::Errors<Stays>: false false,
        wg::Failure<Sent>: true false,
        wg::Failure<Stays>: false false,
        wg::PanicPayload: true true,
        wg::NotSent<u8>: true true,
        wg::NotSent<Sent>: true false,
        wg::NotSent<Stays>: false false,
        wg::NotSpawned<Stays>: false false,
        wg::NoResult: true true,
        wg::StillRunning: true true,
        wg::Alive: true true,
        wg::Counts: true true,
        wg::TaskInfo: true true,
    }
}

#[test]
fn rule_27_types_of_the_core() {
    matrix! {
        wg::WaitGroup: true true,
        wg::Token<'_>: true true,
        wg::Tokens<'_>: true true,
        wg::OwnedToken: true true,
        wg::Wait<'_>: true true,
        wg::TimedOut: true true,
        wg::Semaphore: true true,
        wg::Permit<'_>: true true,
        wg::Acquire<'_>: true true,
        wg::AcquireTimedOut: true true,
        wg::raw::WaitGroup: true true,
    }
}

#[test]
fn rule_27_calls_of_the_attribute() {
    matrix! {
        wg::Calls<'_, u8, u8>: true false,
        wg::local::Calls<'_, u8, u8>: true false,
    }
}

async fn ok(n: u8) -> Result<u8, String> {
    Ok(n)
}

/// Hands every verb's future of fan-outs in a place to `$is`.
macro_rules! verbs {
    ($place:path, $is:expr) => {{
        use $place::{fan_out, scope};
        $is(fan_out(0..2).map(async |n| n).map(drop));
        $is(fan_out(0..2).for_each(async |_| ()));
        $is(fan_out(0..2).try_map(ok).map(drop));
        $is(fan_out(0..2).try_for_each(async |n| ok(n).await.map(drop)).map(drop));
        $is(fan_out(0..2).collect_all(ok).map(drop));
        $is(fan_out(0..2).first_ok(ok).map(drop));
        $is(fan_out(0..2).quorum(1, ok).map(drop));
        $is(fan_out(0..2).grow(async |n, _| n).map(drop));
        $is(fan_out(0..2).try_grow(async |n, _| ok(n).await).map(drop));
        $is(fan_out(0..2).budget(1, |_| 1).map(async |n| n).map(drop));
        $is(scope(async |s| {
            let mut stream = s.fan_out(0..2).as_completed(async |n| n);
            while stream.next().await.is_some() {}
        }));
        $is(scope(async |s| {
            let mut stream = s.fan_out(0..2).budget(1, |_| 1).in_order(async |n| n);
            while stream.next().await.is_some() {}
        }));
    }};
}

#[test]
fn rule_27_the_futures_of_fan_outs_may_be_sent_and_those_of_unsend_may_not() {
    fn sends(_: impl Future<Output = ()> + Send) {}
    verbs!(wg::local, sends);
    verbs!(wg::tokio, sends);

    fn plain(_: impl Future<Output = ()>) {}
    verbs!(wg::local::unsend, plain);
    fn stays() -> impl Future {
        wg::local::unsend::fan_out(0..2).map(async |n: u8| n)
    }
    fn sees<F>(_: fn() -> F) -> Of<F> {
        Of(PhantomData)
    }
    assert!(!sees(stays).sends());
    fn goes() -> impl Future {
        wg::local::fan_out(0..2).map(async |n: u8| n)
    }
    assert!(sees(goes).sends());
}
