//! `dedup` reports the duplicate files of a directory tree.
//!
//! It reads as little as it can, in three stages, each of them a `wg::scope`:
//!
//! 1. [`tree`] walks the tree. Every directory is a task, spawned by the task that found it.
//! 2. [`hash`] hashes the first block of each file whose size occurs more than once.
//! 3. [`hash`] hashes in full the files that are longer than a block and still look alike.
//!
//! In a hashing stage `--limit` workers take the next file from one shared list until it is empty.
//! Leaving a scope is the whole hand-over between stages: nothing of the one before still runs.
//! [`find`] strings the stages together, [`report`] prints what they found, [`progress`] what they
//! do. Ctrl-C raises a flag that every task looks at between two files and between two blocks; the
//! scopes then end as they always do, and what is known by then is reported.

#![forbid(unsafe_code)]

mod find;
mod hash;
mod progress;
mod report;
mod tree;

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use anyhow::Context;
use clap::Parser;
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::find::Search;
use crate::progress::Progress;

/// Finds duplicate files: same content, whatever their names
///
/// Hidden files are looked at like all others. Symbolic links are not followed. Hard links to one
/// file are one file, not duplicates of each other. Empty files waste nothing and are not reported.
#[derive(Debug, Parser)]
#[command(name = "dedup", version, after_help = AFTER_HELP, after_long_help = AFTER_LONG_HELP)]
struct Args {
    /// Directory to search
    #[arg(default_value = ".", value_parser = PathBufValueParser::new().try_map(directory))]
    path: PathBuf,

    /// Most files hashed at once [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = limit)]
    limit: Option<NonZeroUsize>,

    /// Print one JSON document instead of text
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "Exit codes: 0 done, 1 something could not be read, 2 it could not be \
                          started or printed, 130 interrupted";

const AFTER_LONG_HELP: &str = r#"Output:
  Results go to stdout, progress and unreadable files to stderr. Groups that waste the most come
  first; the order is the same in every run.

  With --json everything is one document on stdout:
    {"groups":[["a","b"],["c","d","e"]],"files":9,"bytes":4096,"wasted_bytes":1024,
     "errors":[{"path":"f","error":"permission denied"}],"interrupted":false}
  A path that is not Unicode has no JSON string. It is given as {"Unix":[102,255]}, its bytes, or
  {"Windows":[102,55296]}, its UTF-16 units, so that no path is ever mistaken for another.

Exit codes:
  0    every file was looked at, with or without duplicates
  1    something could not be read; it is listed at the end, all the rest was looked at
  2    wrong arguments, or the results could not be printed
  130  interrupted by Ctrl-C; what was found by then is reported. A second Ctrl-C ends at once"#;

const SOMETHING_UNREADABLE: u8 = 1;
const NOT_DONE: u8 = 2;
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    // Wrong arguments end here, with exit code 2.
    let args = Args::parse();
    run(&args).unwrap_or_else(|error| {
        eprintln!("dedup: {error:#}");
        ExitCode::from(NOT_DONE)
    })
}

fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let stop = stop_on_ctrl_c().context("cannot listen for ctrl-c")?;
    let progress = if io::stderr().is_terminal() { Progress::Bars } else { Progress::Lines };
    let limit = args.limit.unwrap_or_else(cores).get();

    let found = Search { limit, progress, stop: &stop }.run(&args.path);
    let printed = if args.json { report::json(&found) } else { report::text(&found) };
    match printed {
        // Whoever read stdout, `head` for one, has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed.context("cannot print the results")?,
    }

    Ok(if found.interrupted {
        ExitCode::from(INTERRUPTED)
    } else if !found.errors.is_empty() {
        ExitCode::from(SOMETHING_UNREADABLE)
    } else {
        ExitCode::SUCCESS
    })
}

fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        // ORDERING: the flag carries no data, it is only looked at.
        if raised.swap(true, Relaxed) {
            process::exit(INTERRUPTED.into());
        }
    })?;
    Ok(stop)
}

fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn directory(path: PathBuf) -> io::Result<PathBuf> {
    if path.metadata()?.is_dir() { Ok(path) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

fn limit(value: &str) -> Result<NonZeroUsize, &'static str> {
    value.parse().map_err(|_| "the limit must be a whole number, at least 1")
}
