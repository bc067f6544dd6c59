//! `deadlinks` checks the links between Markdown files.
//!
//! It is the same program twice. Here one function runs over what a walk of the tree yields, in a
//! scope; `deadlinks_before` does it with scoped threads, channels and a WaitGroup. They share
//! [`args`], [`files`] and [`report`], and differ in [`check`]. The book compares them
//! (book/src/migration.md).

#![forbid(unsafe_code)]

mod args;
mod files;
mod report;
mod check;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let report = check::check_all(&args::Args::parse());
    report.print().unwrap_or(ExitCode::from(2))
}
