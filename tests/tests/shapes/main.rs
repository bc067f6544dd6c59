//! Concurrency bugs that real software had, written with wg: each either does not compile
//! (`ui/fail`), cannot be said, or ends cleanly.
//!
//! The shapes are those of Go programs, because there they have been collected: "Understanding
//! Real-World Concurrency Bugs in Go" (ASPLOS 2019; 85 bugs that block, 86 that do not), and GoKer,
//! the kernels of GoBench (CGO 2021), of which Go's own tests for leaked goroutines carry 63. A
//! number as in `etcd#6857` is the pull request or issue of that project. The programs here are
//! ours; only the shape is theirs.
//!
//! A test fails if its program hangs: [`ends`] watches it. That no task is left behind is what
//! leaving a scope means; a [`Roll`] counts the tasks in and out all the same.
#![forbid(unsafe_code)]

mod blocking;
mod wait_group;
mod nonblocking;
mod libraries;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// A program that runs longer than this hangs.
const HANGS: Duration = Duration::from_secs(120);

/// A deadline for programs that only a deadline ends.
const SHORT: Duration = Duration::from_millis(20);

/// Long enough that whoever sleeps so long is woken by something else, or hangs.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Runs a program on a thread of its own and returns what it returned; panics if it hangs.
fn ends<R: Send + 'static>(program: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = channel();
    thread::spawn(move || send.send(catch_unwind(AssertUnwindSafe(program))));
    match receive.recv_timeout(HANGS) {
        Ok(Ok(returned)) => returned,
        Ok(Err(payload)) => resume_unwind(payload),
        Err(RecvTimeoutError::Timeout) => panic!("the program hangs"),
        Err(RecvTimeoutError::Disconnected) => unreachable!("a send comes before the end"),
    }
}

/// Counts tasks in and out. What is left behind stays in.
#[derive(Debug, Default)]
struct Roll {
    entered: AtomicUsize,
    left: AtomicUsize,
}

impl Roll {
    fn enter(&self) -> Entered<'_> {
        self.entered.fetch_add(1, SeqCst);
        Entered(self)
    }

    fn entered(&self) -> usize {
        self.entered.load(SeqCst)
    }

    /// How many have entered, none of whom may still be there.
    #[track_caller]
    fn all_left(&self) -> usize {
        assert_eq!(self.entered(), self.left.load(SeqCst), "tasks are left behind");
        self.entered()
    }
}

#[derive(Debug)]
struct Entered<'a>(&'a Roll);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.left.fetch_add(1, SeqCst);
    }
}

#[test]
#[should_panic = "tasks are left behind"]
fn a_roll_sees_who_is_left_behind() {
    let roll = Roll::default();
    let _inside = roll.enter();
    roll.all_left();
}
