//! Where the results of a worker pool wait, how many jobs have ended, and who waits for them.
//!
//! All of it is under one lock. Whoever ends a job counts it in the same step in which its result is
//! queued, and finds there whether the reader waits or is gone: a reader that sees a job ended finds its
//! result, and one that waits hears of it. Taken from here is all that is there at once, so that reading
//! costs no lock for most results.

use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

use wg_core::sync::Mutex;

use crate::thread::pile::Pile;

pub(super) struct Outlet<R> {
    state: Mutex<State<R>>,
    /// How many results wait.
    pile: Pile,
}

struct State<R> {
    results: VecDeque<R>,
    /// How many jobs have ended.
    ended: u64,
    /// The reader, if it waits, or is on the way to.
    reader: Option<Waker>,
    /// Whether nobody takes results any more.
    is_gone: bool,
}

/// How many results the room that a reader gives back may be for: more is freed.
const ROOMY: usize = 1024;

impl<R> Outlet<R> {
    pub(super) fn new() -> Self {
        let state = State { results: VecDeque::new(), ended: 0, reader: None, is_gone: false };
        Outlet { state: Mutex::new(state), pile: Pile::new() }
    }

    /// Ends a job. Returns results that nobody will take, to be dropped.
    #[inline]
    pub(super) fn end(&self, result: Option<R>) -> Option<Box<[R]>> {
        let mut state = self.state.lock();
        if let Some(result) = result {
            state.results.push_back(result);
        }
        state.ended += 1;
        let reader = state.reader.take();
        let unread = if state.is_gone { take_unread(&mut state.results) } else { None };
        self.pile.set(state.results.len());
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
        unread
    }

    /// How many jobs have ended.
    pub(super) fn ended(&self) -> u64 {
        self.state.lock().ended
    }

    /// How many results wait.
    pub(super) fn len(&self) -> usize {
        self.state.lock().results.len()
    }

    /// Takes all results into `ready`, which is empty. If there are some, waits a little for more.
    pub(super) fn take(&self, ready: &mut VecDeque<R>) {
        make_room(ready);
        self.pile.gather();
        let mut state = self.state.lock();
        mem::swap(&mut state.results, ready);
        self.pile.set(0);
    }

    /// As [`take`](Self::take). If there is none, `waker` is woken by the next job that ends. Returns
    /// how many have, and a waker to be dropped under no lock.
    pub(super) fn take_or_await(
        &self,
        ready: &mut VecDeque<R>,
        waker: Waker,
    ) -> (u64, Option<Waker>) {
        make_room(ready);
        let mut state = self.state.lock();
        mem::swap(&mut state.results, ready);
        self.pile.set(0);
        let before = if ready.is_empty() { state.reader.replace(waker) } else { Some(waker) };
        (state.ended, before)
    }

    /// Wakes the reader, if it waits.
    pub(super) fn wake_reader(&self) {
        let reader = self.state.lock().reader.take();
        reader.into_iter().for_each(Waker::wake);
    }

    /// Enters that nobody takes results any more, and returns those that are there.
    pub(super) fn leave(&self) -> VecDeque<R> {
        let mut state = self.state.lock();
        state.is_gone = true;
        self.pile.set(0);
        mem::take(&mut state.results)
    }
}

#[cold]
fn take_unread<R>(results: &mut VecDeque<R>) -> Option<Box<[R]>> {
    Some(results.drain(..).collect())
}

/// Frees the room for many results.
fn make_room<R>(ready: &mut VecDeque<R>) {
    debug_assert!(ready.is_empty(), "what is ready is handed out first");
    if ready.capacity() > ROOMY {
        *ready = VecDeque::new();
    }
}
