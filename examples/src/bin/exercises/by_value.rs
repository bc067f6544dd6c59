//! Exercise 3: pass a WaitGroup by value instead of by pointer, run `go vet`, and fix it.
//!
//! In Go it compiles, `Done` lowers the counter of the copy, and `Wait` waits for ever; `go vet`
//! says `passes lock by value`. Here by value means moved, so it does not compile
//! (tests/ui/fail/bug_copying_a_group_by_value.rs); the compiler is the vet.
//!
//! Fixed, it is a reference. Or a token: that goes by value, because it is the membership itself,
//! which is what was to be handed over.

use std::thread;

use wg::{Token, WaitGroup, raw};

pub(crate) fn run() -> String {
    let by_reference = raw::WaitGroup::new();
    by_reference.add(1).expect("one is not too many");
    thread::scope(|threads| {
        threads.spawn(|| do_work(&by_reference));
        by_reference.wait().expect("nobody uses it again");
    });

    let group = WaitGroup::new();
    let token = group.token();
    thread::scope(|threads| {
        threads.spawn(move || do_work_as(token));
        group.wait();
    });
    format!("by reference {by_reference:?}, and with a token by value {} are left", group.count())
}

fn do_work(group: &raw::WaitGroup) {
    group.done().expect("it was added");
}

fn do_work_as(_member: Token<'_>) {}
