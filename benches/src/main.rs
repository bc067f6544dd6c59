//! Measures wg and its peers side by side, row by row of the table of rows in [`rows`].
//!
//! A row runs the same work on wg and on each peer, one short round after the other (ours, peer,
//! ours, peer …), so that whatever slows the machine down slows all of them. It reports the median
//! of each and the ratio that the row's target speaks of.

mod args;
mod cores;
mod measure;
mod report;
mod row;
mod rows;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::Command;

fn main() -> ExitCode {
    let outcome = args::parse(lexopt::Parser::from_env()).map_err(io::Error::other).and_then(run);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read the rows has seen enough of them.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("wg-benches: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> io::Result<()> {
    let mut out = io::stdout();
    match command {
        Command::Help => write!(out, "{}", args::HELP),
        Command::List(rows) => {
            rows.iter().try_for_each(|row| writeln!(out, "{:<4} {}", row.name, row.what))
        }
        Command::Measure { rows, plan, format } => rows.iter().try_for_each(|row| {
            let line = report::line(&measure::measure(row, &plan), format);
            writeln!(out, "{line}")?;
            out.flush()
        }),
    }
}
