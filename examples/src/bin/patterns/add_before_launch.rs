//! Pattern 1: `Add` before the launch.
//!
//! The Go original, as every text about `sync.WaitGroup` has it:
//!
//! ```go
//! for i := 0; i < 10; i++ {
//!     wg.Add(1) // BEFORE the go keyword
//!     go func() {
//!         defer wg.Done()
//!         doWork()
//!     }()
//! }
//! wg.Wait()
//! ```
//!
//! `Add` stands before `go` so that the counter is up before the goroutine might lower it, and
//! before `Wait` might look. In a scope this is not a rule to keep: `spawn` counts, and the way out
//! waits. For members that no scope can see, the one who starts them takes a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::thread;

// ANCHOR: pattern
/// Tasks of a scope: `spawn` is the `Add`, the end of the scope the `Wait`.
fn with_a_scope(work: impl Fn(u32) + Sync) {
    wg::scope(|s| {
        for n in 0..10 {
            let work = &work;
            s.spawn(move || work(n));
        }
    });
}

/// Threads of somebody else: the token is taken here, and goes along.
fn with_tokens(work: impl Fn(u32) + Send + Sync + 'static) {
    let (group, work) = (Arc::new(wg::WaitGroup::new()), Arc::new(work));
    for n in 0..10 {
        let (token, work) = (group.owned_token(), Arc::clone(&work));
        thread::spawn(move || {
            let _member = token;
            work(n);
        });
    }
    group.wait();
}
// ANCHOR_END: pattern

pub(crate) fn run() -> String {
    let scope = AtomicU32::new(0);
    with_a_scope(|n| {
        scope.fetch_add(n, Relaxed);
    });
    let tokens = Arc::new(AtomicU32::new(0));
    let sum = Arc::clone(&tokens);
    with_tokens(move |n| {
        sum.fetch_add(n, Relaxed);
    });
    format!("the work of a scope makes {}, of tokens {}", scope.into_inner(), tokens.load(Relaxed))
}
