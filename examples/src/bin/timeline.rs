//! `timeline` does some work in scopes, and writes down what ran when: a trace, to be looked at in
//! <https://ui.perfetto.dev>.
//!
//! ```sh
//! cargo run --release -p wg-examples --bin timeline -- trace.json
//! ```
//!
//! The work is that of a build: three crates are parsed, each of them in a scope of its own with a task
//! for each file; then all is linked. One file is much longer than the others, and the trace shows
//! what that costs: while it is parsed, the other threads have nothing to do.

#![forbid(unsafe_code)]

use std::fs::File;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use wg::{OutcomeKind, Span, Timeline};

/// Records what the tasks of a small build do, as a trace for ui.perfetto.dev
#[derive(Debug, Parser)]
#[command(name = "timeline", version)]
struct Args {
    /// Where the trace is written
    #[arg(default_value = "trace.json")]
    trace: PathBuf,
}

const CRATES: [(&str, &[u32]); 3] =
    [("core", &[30, 20, 40, 10]), ("net", &[20, 400, 30]), ("cli", &[10, 10])];

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let timeline = Timeline::new();
    let lines = wg::options().name("build").timeline(&timeline).scope(|s| {
        let crates = CRATES.map(|(name, files)| s.task(name).spawn(|| parse_all(name, files)));
        let lines = crates.into_iter().map(|task| task.join()).sum::<u32>();
        s.task("link").spawn(move || compute(lines / 10)).join();
        lines
    });
    let spans = timeline.spans();
    println!("{lines} lines in {} tasks", spans.len());
    if let Some(longest) = spans.iter().filter(|it| it.scope() != Some("build")).max_by_key(lasted)
    {
        println!("the longest of a crate took {:?}: {}", lasted(&longest), longest.task());
    }
    let failed = spans.iter().filter(|span| span.outcome() != OutcomeKind::Value).count();
    println!("{failed} failed");
    let path = args.trace.display();
    let file = File::create(&args.trace).with_context(|| format!("cannot create {path}"))?;
    timeline.write_chrome(file).with_context(|| format!("cannot write {path}"))?;
    println!("open {path} in https://ui.perfetto.dev");
    Ok(())
}

/// Parses the files of a crate, which are so many lines long, in a scope of its own: its tasks are in
/// the timeline of the outer one.
fn parse_all(name: &str, files: &[u32]) -> u32 {
    wg::options().name(name).scope(|s| {
        let parse = |&lines| s.task("parse").spawn(move || compute(lines));
        let tasks: Vec<_> = files.iter().map(parse).collect();
        tasks.into_iter().map(|task| task.join()).sum()
    })
}

fn lasted(span: &&Span) -> Duration {
    span.ended() - span.began()
}

/// Computes for a while. Returns how many lines that were.
fn compute(lines: u32) -> u32 {
    let mut word = 1_u64;
    for _ in 0..lines * 20_000 {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
    }
    black_box(word);
    lines
}
