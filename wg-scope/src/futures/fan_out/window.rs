//! Where the results of a stream wait to be taken, and the room for more.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use wg_core::sync::{Mutex, MutexGuard};

use crate::futures::signal::Signal;

/// Results that wait to be taken, and the room for more.
pub(crate) struct Window<R> {
    state: Mutex<State<R>>,
    /// Wakes who reads.
    pub(super) signal: Arc<Signal>,
}

struct State<R> {
    /// The results by their items; None for an item that gave none.
    ready: BTreeMap<u64, Option<R>>,
    /// The item whose result comes next in order.
    next: u64,
    /// Items that were pulled, or are being, and whose results were not taken.
    open: usize,
    /// Those among them that are not done yet.
    in_flight: usize,
    /// The most that may be open.
    most: usize,
    ended: bool,
    /// Whether somebody waits for a result.
    awaited: bool,
}

/// Which result is taken next.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    AsCompleted,
    /// That of the next item, or of the next one that gives any.
    InOrder,
}

/// What a reader finds.
pub(super) struct Found<R> {
    /// None as long as there may be a result later; `Some(None)` when there will be none.
    pub(super) result: Option<Option<(u64, R)>>,
    /// Whether there is room for an item.
    pub(super) has_room: bool,
}

impl<R> Window<R> {
    pub(super) fn new(most: usize) -> Self {
        let state = State {
            ready: BTreeMap::new(),
            next: 0,
            open: 0,
            in_flight: 0,
            most,
            ended: false,
            awaited: false,
        };
        Window { state: Mutex::new(state), signal: Arc::default() }
    }

    pub(super) fn has_room(&self) -> bool {
        self.state.lock().has_room()
    }

    /// Takes room for one item, if there is some. Returns whether there is room for another.
    pub(super) fn enter(&self) -> Option<bool> {
        let mut state = self.state.lock();
        if !state.has_room() {
            return None;
        }
        state.open += 1;
        state.in_flight += 1;
        Some(state.has_room())
    }

    /// Gives the room back for which there was no item; there will be none if it has `ended`.
    pub(super) fn retreat(&self, ended: bool) {
        let mut state = self.state.lock();
        state.open -= 1;
        state.in_flight -= 1;
        state.ended |= ended;
        self.call(state);
    }

    /// Puts a result in; an item without one leaves a gap. It comes back if nobody will read it.
    pub(super) fn put(&self, index: u64, result: Option<R>) -> Option<R> {
        let mut state = self.state.lock();
        state.in_flight -= 1;
        if state.most == 0 {
            return result;
        }
        state.ready.insert(index, result);
        self.call(state);
        None
    }

    /// Takes the next result. If there is none yet, the reader is called when that may have changed.
    pub(super) fn take(&self, order: Order) -> Found<R> {
        let mut state = self.state.lock();
        let taken = state.take(order);
        let over = taken.is_none() && state.in_flight == 0 && state.ended;
        state.awaited = taken.is_none() && !over;
        let has_room = state.has_room();
        Found { result: if over { Some(None) } else { taken.map(Some) }, has_room }
    }

    /// Lets nothing more in, and returns what is here.
    pub(super) fn close(&self) -> impl Iterator<Item = R> + use<R> {
        let mut state = self.state.lock();
        state.ended = true;
        state.most = 0;
        mem::take(&mut state.ready).into_values().flatten()
    }

    fn call(&self, mut state: MutexGuard<'_, State<R>>) {
        let awaited = mem::take(&mut state.awaited);
        drop(state);
        if awaited {
            self.signal.ring();
        }
    }
}

impl<R> State<R> {
    fn has_room(&self) -> bool {
        !self.ended && self.open < self.most
    }

    /// Takes a result, passing the gaps before it.
    fn take(&mut self, order: Order) -> Option<(u64, R)> {
        loop {
            let first = self.ready.first_entry()?;
            if matches!(order, Order::InOrder) && *first.key() != self.next {
                return None;
            }
            let (index, result) = first.remove_entry();
            self.next += 1;
            self.open -= 1;
            if let Some(result) = result {
                return Some((index, result));
            }
        }
    }
}
