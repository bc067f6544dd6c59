//! Exercise 2: call `Done` more often than `Add` on purpose, and observe the panic.
//!
//! In Go: `panic: sync: negative WaitGroup counter`, which ends the program unless somebody
//! recovers it, and leaves the counter at -1. Go's type is `wg::raw` here, and says the same as an
//! error, with the counter as it was; who wants the panic calls `done_or_panic`.
//!
//! With tokens there is nothing to observe, because it does not compile: what was dropped cannot be
//! dropped again (tests/ui/fail/bug_done_more_often_than_add.rs has the compiler's words).

use wg::raw::WaitGroup;

pub(crate) fn run() -> String {
    let group = WaitGroup::new();
    group.add(1).expect("one is not too many");
    group.done().expect("it was added");
    let Err(misuse) = group.done() else { return "nobody noticed".to_owned() };
    format!("done once too often: {misuse}; then {group:?}")
}
