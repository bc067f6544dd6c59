//! What scopes on a tokio runtime promise.

mod blocking;
mod fan_out;
mod fan_out_streams;
mod lend;
mod life;
mod results;
mod results_lent;
mod steer;
mod timeline;
mod token;
mod workers;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use tokio::runtime::{Builder, Runtime};

/// A runtime of each flavour.
fn runtimes() -> [Runtime; 2] {
    let one = Builder::new_current_thread().enable_all().build();
    let several = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    [one.unwrap(), several.unwrap()]
}

/// Runs what `make` makes on a runtime of each flavour.
fn on_each<F: Future>(mut make: impl FnMut() -> F) {
    for runtime in runtimes() {
        runtime.block_on(make());
    }
}

/// Makes values, and knows how many of them have not been dropped.
#[derive(Clone, Debug, Default)]
struct Census(Arc<AtomicUsize>);

/// One that a [`Census`] counts until it is dropped.
#[derive(Debug)]
struct Member(Census);

impl Census {
    fn new() -> Self {
        Self::default()
    }

    /// A value that is counted.
    fn one(&self) -> Member {
        self.0.fetch_add(1, SeqCst);
        Member(self.clone())
    }

    /// How many there are.
    fn count(&self) -> usize {
        self.0.load(SeqCst)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}
