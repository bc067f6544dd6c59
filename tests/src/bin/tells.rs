//! Has three tasks of a scope panic, and prints what the scope resumes.
#![forbid(unsafe_code)]

use std::sync::Barrier;

use wg_tests::caught;

fn main() {
    let begun = Barrier::new(3);
    let resumed: String = caught(|| {
        wg::scope(|s| {
            for number in 1..=3 {
                let begun = &begun;
                s.spawn(move || {
                    begun.wait();
                    panic!("panic {number}")
                });
            }
        });
    });
    println!("{resumed}");
}
