//! Pattern 2: `Done` with `defer`.
//!
//! The Go original:
//!
//! ```go
//! wg.Add(1)
//! go func() {
//!     defer wg.Done() // also if it panics
//!     // work that might panic
//! }()
//! ```
//!
//! `defer` makes sure of `Done` on every way out, so that the counter does not stay above zero. (In
//! Go the panic then ends the whole program, unless the goroutine recovers it, in another `defer`.)
//! Here the end of a task counts it out, and the end of a token's life does; both also when it
//! panics. And the panic is not lost: the scope resumes it, or lists it.

use std::panic::{AssertUnwindSafe, catch_unwind};

// ANCHOR: pattern
/// Counts every task out, whichever way it goes. Those that failed say who they were, and how.
fn with_a_scope(parse: impl Fn(&str) -> Result<u32, String> + Sync) -> (u32, Vec<String>) {
    let (sum, failures) = wg::options().catch_panics().collect_scope(|s| {
        let numbers = s.results();
        for text in ["1", "x", "", "4"] {
            let parse = &parse;
            numbers.task(if text.is_empty() { "nothing" } else { text }).spawn(move || parse(text));
        }
        numbers.as_completed().map(|(_, number)| number).sum()
    });
    (sum, failures.iter().map(ToString::to_string).collect())
}

/// A member that panics is no member any more.
fn with_a_token() -> usize {
    let group = wg::WaitGroup::new();
    let token = group.token();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _member = token;
        panic!("work that might panic");
    }));
    assert!(panicked.is_err());
    group.wait(); // does not hang
    group.count()
}
// ANCHOR_END: pattern

pub(crate) fn run() -> String {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {})); // these panics are on purpose
    let (sum, told) = with_a_scope(|text| match text {
        "" => panic!("no text at all"),
        text => text.parse().map_err(|_| "not a number".to_owned()),
    });
    let left = with_a_token();
    std::panic::set_hook(hook);
    format!("sum {sum}; {}; {left} members are left", told.join("; "))
}
