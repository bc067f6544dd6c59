//! Deadlines of scopes: one thread of the process cancels those whose deadline has passed.
//!
//! It is there only while deadlines are watched, and a while longer. Where it cannot be created,
//! every wait of ours watches the deadline itself, so that only a loop that polls `is_cancelled`
//! may hear of it late.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use wg_core::sync::{self, Condvar, Mutex, now};

use crate::cancel::Node;
use crate::cause::Cause;
use crate::process::{GENERATIONS, generation};

/// How long the thread stays when nothing is watched.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

sync::global! {
    static TIMERS: [Timer; GENERATIONS] = sync::array_of!(Timer::new(); GENERATIONS);
}

struct Timer {
    inner: Mutex<Inner>,
    /// Told when an earlier deadline has come up.
    earlier: Condvar,
}

struct Inner {
    due: BTreeMap<(Instant, u64), Weak<Node>>,
    next: u64,
    has_thread: bool,
}

/// A deadline that is watched until this is dropped.
#[derive(Debug)]
pub(crate) struct Watched {
    place: (Instant, u64),
    generation: usize,
}

/// Watches the deadline of this scope, if it has one of its own.
pub(crate) fn watch(node: &Arc<Node>) -> Option<Watched> {
    let deadline = node.own_deadline()?;
    if deadline <= now() {
        node.cancel(Cause::Deadline);
        return None;
    }
    let generation = generation();
    let timer = &TIMERS[generation];
    let mut inner = timer.inner.lock();
    let place = (deadline, inner.next);
    inner.next += 1;
    inner.due.insert(place, Arc::downgrade(node));
    let is_first = inner.due.first_key_value().is_some_and(|(first, _)| *first == place);
    if !inner.has_thread {
        inner.has_thread = true;
        drop(inner);
        let main = move || TIMERS[generation].run();
        if sync::spawn("wg-timer".to_owned(), None, main).is_err() {
            timer.inner.lock().has_thread = false;
        }
    } else if is_first {
        timer.earlier.notify_one();
    }
    Some(Watched { place, generation })
}

impl Drop for Watched {
    fn drop(&mut self) {
        let node = TIMERS[self.generation].inner.lock().due.remove(&self.place);
        drop(node);
    }
}

impl Timer {
    sync::const_fn! {
        const fn new() -> Self {
            let inner = Inner { due: BTreeMap::new(), next: 0, has_thread: false };
            Timer { inner: Mutex::new(inner), earlier: Condvar::new() }
        }
    }

    fn run(&self) {
        let mut inner = self.inner.lock();
        let mut idle_until = now() + KEEP_ALIVE;
        loop {
            let time = now();
            match inner.due.first_key_value().map(|(&place, _)| place) {
                Some(place @ (deadline, _)) if deadline <= time => {
                    let node = inner.due.remove(&place);
                    drop(inner);
                    if let Some(node) = node.and_then(|node| node.upgrade()) {
                        node.cancel(Cause::Deadline);
                    }
                    inner = self.inner.lock();
                }
                Some((deadline, _)) => {
                    inner = self.earlier.wait_until(inner, deadline);
                    idle_until = now() + KEEP_ALIVE;
                }
                None if time < idle_until => inner = self.earlier.wait_until(inner, idle_until),
                None => {
                    inner.has_thread = false;
                    return;
                }
            }
        }
    }
}
