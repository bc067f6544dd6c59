//! Where the results of a stream wait to be taken, and the room for more.

use std::collections::BTreeMap;
use std::fmt;
use std::task::Waker;

use wg_core::sync::{Mutex, MutexGuard};

/// Results that wait to be taken, and the room for more.
pub(super) struct Outlet<R>(Mutex<State<R>>);

struct State<R> {
    /// The results by their items; None for an item that gave none.
    ready: BTreeMap<usize, Option<R>>,
    /// The item whose result comes next in order.
    next: usize,
    /// Items that were pulled, those among them that are not done yet, and those whose results were
    /// taken or will never be there.
    pulled: usize,
    in_flight: usize,
    gone: usize,
    /// The most that may be pulled and not gone.
    window: usize,
    ended: bool,
    reader: Option<Waker>,
}

/// Which result is taken next.
#[derive(Clone, Copy)]
pub(super) enum Order {
    AsCompleted,
    /// That of the next item, or of the next one that gives any.
    InOrder,
}

/// What a reader finds.
pub(super) struct Found<R> {
    /// None as long as there may be a result later; `Some(None)` when there will be none.
    pub(super) result: Option<Option<(usize, R)>>,
    /// Whether there is room for an item.
    pub(super) has_room: bool,
}

impl<R> State<R> {
    fn has_room(&self) -> bool {
        !self.ended && self.pulled - self.gone < self.window
    }

    /// Takes a result, passing the gaps before it.
    fn take(&mut self, order: Order) -> Option<(usize, R)> {
        loop {
            let first = self.ready.first_entry()?;
            if matches!(order, Order::InOrder) && *first.key() != self.next {
                return None;
            }
            let (index, result) = first.remove_entry();
            self.next += 1;
            self.gone += 1;
            if let Some(result) = result {
                return Some((index, result));
            }
        }
    }
}

impl<R> Outlet<R> {
    pub(super) fn new(window: usize) -> Self {
        Outlet(Mutex::new(State {
            ready: BTreeMap::new(),
            next: 0,
            pulled: 0,
            in_flight: 0,
            gone: 0,
            window,
            ended: false,
            reader: None,
        }))
    }

    pub(super) fn has_room(&self) -> bool {
        self.0.lock().has_room()
    }

    /// Takes room for one item, if there is some.
    pub(super) fn enter(&self) -> bool {
        let mut state = self.0.lock();
        let room = state.has_room();
        if room {
            state.pulled += 1;
            state.in_flight += 1;
        }
        room
    }

    /// Gives the room back for which there was no item.
    pub(super) fn retreat(&self, ended: bool) {
        let mut state = self.0.lock();
        state.pulled -= 1;
        state.in_flight -= 1;
        state.ended |= ended;
        wake(state);
    }

    /// Puts a result in; an item without one leaves a gap.
    pub(super) fn put(&self, index: usize, result: Option<R>) {
        let mut state = self.0.lock();
        state.in_flight -= 1;
        state.ready.insert(index, result);
        wake(state);
    }

    /// Takes the next result. If there is none yet, `waker` is woken when that may have changed.
    pub(super) fn take(&self, order: Order, waker: &Waker) -> Found<R> {
        let mut state = self.0.lock();
        let taken = state.take(order);
        let over = taken.is_none() && state.in_flight == 0 && state.ended;
        let waits = taken.is_none() && !over;
        let before = if waits { state.reader.replace(waker.clone()) } else { None };
        let has_room = state.has_room();
        drop(state);
        drop(before);
        Found { result: if over { Some(None) } else { taken.map(Some) }, has_room }
    }

    /// Lets nothing more in, and returns what is here.
    pub(super) fn close(&self) -> impl Iterator<Item = R> + use<R> {
        let mut state = self.0.lock();
        state.ended = true;
        state.window = 0;
        std::mem::take(&mut state.ready).into_values().flatten()
    }
}

fn wake<R>(mut state: MutexGuard<'_, State<R>>) {
    let reader = state.reader.take();
    drop(state);
    if let Some(reader) = reader {
        reader.wake();
    }
}

impl<R> fmt::Debug for Outlet<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Outlet")
            .field("ready", &state.ready.len())
            .field("in_flight", &state.in_flight)
            .field("ended", &state.ended)
            .finish()
    }
}
