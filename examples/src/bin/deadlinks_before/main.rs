//! `deadlinks`, as it was before: scoped threads, channels and a WaitGroup. See `deadlinks`.

#![forbid(unsafe_code)]

#[path = "../deadlinks/args.rs"]
mod args;
#[path = "../deadlinks/files.rs"]
mod files;
#[path = "../deadlinks/report.rs"]
mod report;
mod check;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let report = check::check_all(&args::Args::parse());
    report.print().unwrap_or(ExitCode::from(2))
}
