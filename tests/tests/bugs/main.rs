//! The bug classes of Go's WaitGroup, one by one: each does not compile (`ui/fail/bug_*.rs`),
//! cannot be said, or is answered at run time, and then a test here gets the answer.
//!
//! The list is the one that texts about `sync.WaitGroup` have: its misuses, the channel beside it
//! that nobody reads, and what people expect of it that it is not for. Where `wg::raw`, which is
//! Go's type bit for bit, can be driven into the bug in a fixed order, a test does that first: so
//! it is seen that the order is the one that hurts. The book goes through the same list
//! (book/src/bugs.md). What larger programs make of these classes is in `tests/shapes`.
#![forbid(unsafe_code)]

mod counting;
mod leaks;
mod waiting;
mod futures;

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

/// A program that runs longer than this hangs.
const HANGS: Duration = Duration::from_secs(50);

/// For waits that are to time out.
const SOON: Duration = Duration::from_millis(2);

/// Long enough that whoever sleeps so long is woken by something else, or hangs.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// Runs a program on a thread of its own and returns what it returned; panics if it hangs.
fn ends<R: Send + 'static>(program: impl FnOnce() -> R + Send + 'static) -> R {
    let (send, receive) = channel();
    let running = thread::spawn(move || drop(send.send(program())));
    match receive.recv_timeout(HANGS) {
        Ok(returned) => returned,
        Err(RecvTimeoutError::Timeout) => panic!("the program hangs"),
        Err(RecvTimeoutError::Disconnected) => resume_unwind(running.join().unwrap_err()),
    }
}

/// Counts in and out: whoever holds what [`enter`](Self::enter) returned is in.
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

    fn inside(&self) -> usize {
        self.entered.load(SeqCst) - self.left.load(SeqCst)
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
fn a_roll_sees_who_is_inside() {
    let roll = Roll::default();
    let inside = roll.enter();
    assert_eq!((roll.entered(), roll.inside()), (1, 1));
    drop(inside);
    assert_eq!((roll.entered(), roll.inside()), (1, 0));
}
