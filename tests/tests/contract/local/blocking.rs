//! A scope of threads where a future is polled: it works, and says what it does to the others.

use std::fmt;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down what is told.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<String>>>);

impl Visit for Listener {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.lock().unwrap().push(format!("{field}: {value:?}"));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "wg"
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What is told while this is done.
fn told(what: impl FnOnce()) -> Vec<String> {
    let listener = Listener::default();
    tracing::subscriber::with_default(listener.clone(), what);
    std::mem::take(&mut *listener.0.lock().unwrap())
}

fn threads() -> usize {
    wg::scope(|s| s.spawn(|| 7).join())
}

#[test]
fn a_scope_of_threads_says_that_it_blocks_a_task() {
    let line = line!() - 5;
    let told = told(|| {
        let seven = block_on(wg::local::scope(async |s| s.spawn(async { threads() }).join().await));
        assert_eq!(seven, 7);
    });
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("blocks the future that enters it"), "{told:?}");
    assert!(told[1].contains(&format!("blocking.rs:{line}:")), "{told:?}");
}

#[test]
fn a_scope_of_threads_says_that_it_blocks_a_body() {
    let told = told(|| assert_eq!(block_on(wg::local::scope(async |_| threads())), 7));
    assert_eq!(told.len(), 2, "{told:?}");
}

#[test]
fn a_scope_of_threads_is_silent_where_it_blocks_nobody() {
    let told = told(|| {
        let inside = wg::scope(|s| s.spawn(threads).join());
        assert_eq!(inside, 7);
    });
    assert_eq!(told, [""; 0]);

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let blocking = wg::tokio::scope(async |s| {
        s.spawn_blocking(|| self::told(|| assert_eq!(threads(), 7))).join().await
    });
    assert_eq!(runtime.block_on(blocking), [""; 0]);
}
