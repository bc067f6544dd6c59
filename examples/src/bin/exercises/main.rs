//! `exercises` does the five exercises that texts about Go's WaitGroup end with, and prints what
//! happened. With a number, it does that one.
//!
//! The book names them where their bugs are (book/src/bugs.md).

#![forbid(unsafe_code)]

mod bounded;
mod by_value;
mod leak;
mod negative;
mod thousand;

use std::process::ExitCode;

const USAGE: &str = "usage: exercises [1|2|3|4|5]";

fn main() -> ExitCode {
    let exercises: [fn() -> String; 5] =
        [thousand::run, negative::run, by_value::run, leak::run, bounded::run];
    let wanted = match std::env::args().nth(1).map(|number| number.parse::<usize>()) {
        None => 1..=exercises.len(),
        Some(Ok(number)) if (1..=exercises.len()).contains(&number) => number..=number,
        Some(_) => {
            eprintln!("{USAGE}");
            return ExitCode::FAILURE;
        }
    };
    for number in wanted {
        println!("{number}. {}", exercises[number - 1]());
    }
    ExitCode::SUCCESS
}
