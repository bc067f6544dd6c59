//! The work of T3, a scope with 1,000 empty tasks, in a process of its own: `wg-benches` builds this
//! program twice, with and without the feature `tracing`, and compares the two.
//!
//! It greets with what it was built from and whether it has the feature. Then it reads numbers, line by
//! line, does the work so many times, and answers each with the nanoseconds of one task and of all.

use std::io::{self, BufRead};
use std::process::ExitCode;
use std::time::Instant;

const TASKS: u64 = 1_000;

fn main() -> ExitCode {
    let features = if cfg!(feature = "tracing") { "tracing" } else { "no-tracing" };
    println!("{} {features}", env!("WG_SOURCES"));
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(times) = line.trim().parse() else {
            eprintln!("wg-spawns: run by wg-benches; not a number: {line:?}");
            return ExitCode::from(2);
        };
        let nanos = spawn(times);
        println!("{} {nanos}", nanos / (times * TASKS) as f64);
    }
    ExitCode::SUCCESS
}

fn spawn(times: u64) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        wg::scope(|s| {
            for _ in 0..TASKS {
                s.spawn(|| ());
            }
        });
    }
    start.elapsed().as_secs_f64() * 1e9
}
