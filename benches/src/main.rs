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
mod work;

use std::io::{self, Write};
use std::process::ExitCode;
use std::{fs, thread};

use crate::args::Command;
use crate::report::Summary;

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
        Command::Measure { rows, plan, format } => {
            // Figures come on standard output, what they depend on does not.
            eprintln!("{}; {}", load(), work::describe());
            let mut summary = Summary::default();
            for row in &rows {
                let measured = measure::measure(row, &plan);
                summary.add(row, measured.as_ref());
                let line = match &measured {
                    Some(measured) => report::line(measured, format),
                    None => report::skipped(row, format),
                };
                writeln!(out, "{line}")?;
                out.flush()?;
            }
            eprintln!("{}\n{}", summary.text(), load());
            Ok(())
        }
    }
}

/// How busy the machine is.
fn load() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let minute = load.split(' ').next().filter(|minute| !minute.is_empty());
    let cores = thread::available_parallelism().map_or(1, usize::from);
    format!("load {} on {cores} cores", minute.unwrap_or("unknown"))
}
