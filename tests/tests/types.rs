//! Which public types may go to other threads, and which may be shared with them: all of them, with
//! values that may and values that may not.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Range;
use std::rc::Rc;

/// What the compiler thinks of a type.
struct Of<T: ?Sized>(PhantomData<T>);

trait Neither {
    const SEND: bool = false;
    const SYNC: bool = false;
}

impl<T: ?Sized> Neither for Of<T> {}

/// The names hide those of the trait, where the bound holds.
impl<T: ?Sized + Send> Of<T> {
    const SEND: bool = true;
}

impl<T: ?Sized + Sync> Of<T> {
    const SYNC: bool = true;
}

/// A value that may be sent and not shared, and one that may be neither.
type Sent = Cell<u8>;
type Stays = Rc<u8>;

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
        wg::AsyncAsCompleted<'_, Sent>: true false,
        wg::AsyncInOrder<'_, Sent>: true false,
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
        local::FanOut<'_, Range<u8>>: true true,
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
        wg::Errors<u8>: true false,
        wg::Errors<Stays>: false false,
        wg::Failure<Sent>: true false,
        wg::Failure<Stays>: false false,
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
