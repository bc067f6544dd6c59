//! `patterns` does what the usual patterns of Go's WaitGroup do, and prints what came of it. Each
//! module begins with the Go original. The book shows them (book/src/patterns.md).
//!
//! ```sh
//! patterns                                    # runs the five short ones
//! patterns proxy 127.0.0.1:8080 10.0.0.7:80   # proxies, with two threads for each connection
//! patterns proxy-tokio 127.0.0.1:8080 10.0.0.7:80
//! ```
//!
//! A proxy ends after as many connections as a third argument says; without one it goes on.

#![forbid(unsafe_code)]

mod add_before_launch;
mod done_with_defer;
mod dynamic_work;
mod worker_pool;
mod bounded;

mod proxy;
mod proxy_tokio;

use std::io;
use std::process::ExitCode;

const USAGE: &str = "usage: patterns [proxy|proxy-tokio LISTEN BACKEND [CONNECTIONS]]";

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (which, listen, backend, connections) = match arguments[..] {
        [] => {
            run_the_short_ones();
            return Ok(ExitCode::SUCCESS);
        }
        [which, listen, backend] => (which, listen, backend, usize::MAX),
        [which, listen, backend, connections] if connections.parse::<usize>().is_ok() => {
            (which, listen, backend, connections.parse().unwrap_or(usize::MAX))
        }
        _ => ("", "", "", 0),
    };
    match which {
        "proxy" => proxy::serve(listen, backend, connections)?,
        "proxy-tokio" => proxy_tokio::serve(listen, backend, connections)?,
        _ => {
            eprintln!("{USAGE}");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn run_the_short_ones() {
    println!("add before launch: {}", add_before_launch::run());
    println!("done with defer: {}", done_with_defer::run());
    println!("dynamic work: {}", dynamic_work::run());
    println!("worker pool: {}", worker_pool::run());
    println!("bounded: {}", bounded::run());
}
