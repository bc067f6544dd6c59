//! What is done with wakers once the lock is left, whatever they throw.

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::waiters::Waiter;

use super::line::Granted;

/// Wakes everybody, in the order of the line, then drops the waiter that left it. All of this
/// happens also if a waker panics: the first panic goes on when it is over, unless the thread is
/// panicking already.
pub(super) fn carry_out(granted: Granted<Waiter>, leaver: Option<Waiter>) {
    let mut first = None;
    let mut guarded = |waiter, act: fn(Waiter)| {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| act(waiter))) {
            match &first {
                None => first = Some(payload),
                Some(_) => discard(payload),
            }
        }
    };
    granted.into_iter().for_each(|waiter| guarded(waiter, wake));
    leaver.into_iter().for_each(|waiter| guarded(waiter, drop));
    match first {
        Some(payload) if std::thread::panicking() => discard(payload),
        Some(payload) => resume_unwind(payload),
        None => {}
    }
}

fn wake(waiter: Waiter) {
    match waiter {
        Waiter::Thread(thread) => thread.unpark(),
        Waiter::Task(waker) => waker.wake(),
    }
}

/// Drops a panic's payload, whose own drop may panic, as may the drop of what that throws. Where
/// there is no end to it, the last is leaked.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(worse) => payload = worse,
        }
    }
    mem::forget(payload);
}
