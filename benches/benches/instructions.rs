//! How many instructions the fast paths take, counted by callgrind: the figures that a busy machine
//! does not disturb. `.ci/instructions` runs this and prints them.
//!
//! Everything is done [`TIMES`] times, so that the call counts for nothing. The loop counts for two,
//! and hiding the group from the compiler for another two.

// The macros write functions and modules without documentation.
#![allow(missing_docs)]

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::task::{Context, Poll, Waker};

use gungraun::{library_benchmark, library_benchmark_group, main};
use wg_core::WaitGroup;

/// `.ci/instructions` divides by it.
const TIMES: usize = 1_000;

fn repeat(mut work: impl FnMut()) {
    for _ in 0..black_box(TIMES) {
        work();
    }
}

/// A group with a member, so that no token is the last.
fn busy() -> &'static WaitGroup {
    let group: &WaitGroup = Box::leak(Box::default());
    std::mem::forget(group.token());
    group
}

/// A thread that has been in a scope before, with the pool's threads asleep.
fn warm() {
    wg::scope(|s| drop(s.spawn(|| ())));
}

#[library_benchmark]
fn bare_pair() {
    let word = AtomicU64::new(0);
    repeat(|| {
        let word = black_box(&word);
        word.fetch_add(1 << 32, Relaxed);
        word.fetch_sub(1 << 32, Release);
    });
}

#[library_benchmark]
fn token_drop() {
    let group = WaitGroup::new();
    repeat(|| drop(black_box(&group).token()));
}

#[library_benchmark]
#[bench::of_a_busy_group(busy())]
fn clone_drop(group: &'static WaitGroup) {
    let token = group.token();
    repeat(|| drop(black_box(&token).clone()));
}

#[library_benchmark]
fn try_token_drop() {
    let group = WaitGroup::new();
    repeat(|| drop(black_box(&group).try_token()));
}

// Ten times a hundred.
#[library_benchmark]
fn tokens_each() {
    let group = WaitGroup::new();
    for _ in 0..black_box(TIMES / 100) {
        black_box(&group).tokens(100).for_each(drop);
    }
}

#[library_benchmark]
fn acquire_load() {
    let word = AtomicU64::new(0);
    repeat(|| assert!(black_box(&word).load(Acquire) == 0));
}

#[library_benchmark]
fn idle_wait() {
    let group = WaitGroup::new();
    repeat(|| black_box(&group).wait());
}

#[library_benchmark]
fn idle_wait_async() {
    let group = WaitGroup::new();
    let mut cx = Context::from_waker(Waker::noop());
    repeat(|| assert!(pin!(black_box(&group).wait_async()).poll(&mut cx).is_ready()));
}

// The whole life of a wait of a task: begun, polled, released, polled.
#[library_benchmark]
fn async_wait() {
    let group = WaitGroup::new();
    let mut cx = Context::from_waker(Waker::noop());
    repeat(|| {
        let token = black_box(&group).token();
        let mut wait = pin!(group.wait_async());
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Pending);
        drop(token);
        assert_eq!(wait.as_mut().poll(&mut cx), Poll::Ready(()));
    });
}

#[library_benchmark]
#[bench::warm(warm())]
fn scope_of_nothing((): ()) {
    repeat(|| wg::scope(|_| ()));
}

// A scope with one task that does nothing. The thread that leaves it runs it.
#[library_benchmark]
#[bench::warm(warm())]
fn scope_of_one((): ()) {
    repeat(|| wg::scope(|s| drop(s.spawn(|| ()))));
}

library_benchmark_group!(
    name = word;
    benchmarks = bare_pair, token_drop, clone_drop, try_token_drop, tokens_each, acquire_load,
        idle_wait, idle_wait_async, async_wait
);

library_benchmark_group!(
    name = scope;
    benchmarks = scope_of_nothing, scope_of_one
);

main!(library_benchmark_groups = word, scope);
