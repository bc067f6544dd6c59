//! Measures wg and its peers side by side, row by row of the table of rows in [`rows`].
//!
//! A row runs the same work on wg and on each peer, one short round after the other (ours, peer,
//! ours, peer …), so that whatever slows the machine down slows all of them. It reports the median
//! of each and the ratio that the row's target speaks of.

mod args;
mod child;
mod cores;
mod footprint;
mod go;
mod growth;
mod json;
mod machine;
mod measure;
mod plot;
mod report;
mod results;
mod row;
mod rows;
mod work;

use std::io::{self, Write};
use std::process::ExitCode;

use crate::args::Command;
use crate::machine::describe_load;
use crate::report::Summary;
use crate::results::Before;
use crate::rows::growing;

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
            rows.iter().try_for_each(|row| writeln!(out, "{:<4} {}", row.name, row.what))?;
            let mut curves = growing::ALL.iter();
            curves.try_for_each(|curve| writeln!(out, "{}: {}", curve.name, curve.title))
        }
        Command::Curves(curves, plan) => {
            eprintln!("{}", describe_load());
            curves.into_iter().try_for_each(|curve| {
                let grown = growth::measure(curve, plan.is_quick);
                writeln!(out, "{}", results::curve(&grown))
            })
        }
        Command::Measure { rows, plan, format, reports } => {
            let before = Before::now(plan.is_quick);
            // Figures come on standard output, what they depend on does not.
            eprintln!("{}; {}", describe_load(), work::describe());
            let mut outcomes = Vec::new();
            for row in &rows {
                let outcome = measure::measure(row, &plan);
                writeln!(out, "{}", report::line(&outcome, format))?;
                out.flush()?;
                outcomes.push(outcome);
            }
            eprintln!("{}\n{}", Summary::of(&outcomes).text(), describe_load());
            if reports {
                let files = results::write(&outcomes, &before)?;
                eprintln!("wrote {}", files.join(", "));
            }
            Ok(())
        }
    }
}
