//! What a group does without waiting allocates nothing, nor does a lone waiter; two find the memory
//! that the last ones left.
#![cfg(not(wg_loom))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use wg_core::{WaitGroup, raw};

thread_local! {
    /// By thread, so that the harness and other tests do not disturb.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call goes on to `System` as it came; counting touches a `Cell` that needs neither
// memory nor a destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those of `System::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of `System::dealloc`; `pointer` comes from it.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those of `System::alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promises are those of `System::realloc`; `pointer` comes from it.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations<R>(f: impl FnOnce() -> R) -> usize {
    let before = ALLOCATIONS.get();
    black_box(f());
    ALLOCATIONS.get() - before
}

#[test]
fn allocations_are_counted() {
    assert_eq!(allocations(|| Box::new(1)), 1);
    assert_eq!(allocations(|| vec![0_u8; 100]), 1);
}

#[test]
fn coming_and_going_allocates_nothing() {
    assert_eq!(allocations(WaitGroup::new), 0);
    let group = Arc::new(WaitGroup::new());
    assert_eq!(allocations(|| drop(group.token())), 0);
    assert_eq!(allocations(|| group.try_token().map(drop)), 0);
    assert_eq!(allocations(|| drop(group.token().clone())), 0);
    assert_eq!(allocations(|| drop(group.owned_token().clone())), 0);
    assert_eq!(allocations(|| group.tokens(100).for_each(drop)), 0);
    assert_eq!(allocations(|| drop(group.tokens(100).next())), 0);
    assert_eq!(allocations(|| (group.count(), group.waiters(), group.is_closed())), 0);
    assert_eq!(allocations(|| group.close()), 0);
    assert_eq!(allocations(|| group.try_token().map(drop)), 0);
    assert_eq!(allocations(|| group.try_tokens(100).map(drop)), 0);
}

#[test]
fn waiting_for_an_idle_group_allocates_nothing() {
    let group = WaitGroup::new();
    for _open_then_closed in 0..2 {
        assert_eq!(allocations(|| group.wait()), 0);
        assert_eq!(allocations(|| group.wait_timeout(Duration::ZERO)), 0);
        assert_eq!(allocations(|| group.wait_timeout(Duration::MAX)), 0);
        assert_eq!(allocations(|| group.wait_deadline(Instant::now())), 0);
        let polled = allocations(|| {
            let mut wait = group.wait_async();
            let ready = Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop()));
            assert!(ready.is_ready());
        });
        assert_eq!(polled, 0);
        group.close();
    }
}

#[test]
fn adding_and_done_allocate_nothing() {
    let group = raw::WaitGroup::new();
    assert_eq!(allocations(|| group.add(2)), 0);
    assert_eq!(allocations(|| (group.done(), group.done(), group.done())), 0);
    assert_eq!(allocations(|| group.wait()), 0);
}

#[test]
fn a_lone_waiter_allocates_nothing() {
    let group = WaitGroup::new();
    let wait = || {
        let token = group.token();
        assert!(group.wait_timeout(Duration::ZERO).is_err());
        let mut cx = Context::from_waker(Waker::noop());
        let (mut leaves, mut stays) = (group.wait_async(), group.wait_async());
        assert!(Pin::new(&mut leaves).poll(&mut cx).is_pending());
        drop(leaves);
        assert!(Pin::new(&mut stays).poll(&mut cx).is_pending());
        drop(token);
        assert!(Pin::new(&mut stays).poll(&mut cx).is_ready());
    };
    for _ in 0..100 {
        assert_eq!(allocations(wait), 0);
    }
}

#[test]
fn two_waiters_find_the_memory_that_the_last_two_left() {
    let group = WaitGroup::new();
    let wait = || {
        let token = group.token();
        let mut cx = Context::from_waker(Waker::noop());
        let (mut one, mut other) = (group.wait_async(), group.wait_async());
        assert!(Pin::new(&mut one).poll(&mut cx).is_pending());
        assert!(Pin::new(&mut other).poll(&mut cx).is_pending());
        drop(one);
        drop(token);
        assert!(Pin::new(&mut other).poll(&mut cx).is_ready());
    };
    assert!(allocations(wait) > 0);
    for _ in 0..100 {
        assert_eq!(allocations(wait), 0);
    }
}
