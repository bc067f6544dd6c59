//! T15, T16: memory and threads. They are looked at in a process that has done nothing else, by a
//! program of its own, because what counts memory would slow all other rows down.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use crate::row::Contender;

/// The program, which lies beside this one.
const PROGRAM: &str = "wg-footprint";

pub(super) fn queued() -> Vec<Contender> {
    contenders(&[("wg", "queued-wg"), ("rayon", "queued-rayon"), ("tokio", "queued-tokio")])
        .map_or_else(Vec::new, |contenders| with(contenders, "allowed", 64.0))
}

/// What a scope may grow by while it lives: the odd page that an allocator finds to be missing.
const FLAT: f64 = 1024.0;

pub(super) fn long_and_limited() -> Vec<Contender> {
    contenders(&[("wg", "long-limited")])
        .map_or_else(Vec::new, |contenders| with(contenders, "allowed", FLAT))
}

pub(super) fn long_and_joined() -> Vec<Contender> {
    contenders(&[("wg", "long-joined")])
        .map_or_else(Vec::new, |contenders| with(contenders, "allowed", FLAT))
}

pub(super) fn threads() -> Vec<Contender> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    contenders(&[("wg", "threads")])
        .map_or_else(Vec::new, |contenders| with(contenders, "cores + 2", (cores + 2) as f64))
}

fn with(mut contenders: Vec<Contender>, name: &'static str, figure: f64) -> Vec<Contender> {
    contenders.push(Contender::fixed(name, figure));
    contenders
}

/// Contenders by name, and what the program is told to look at. None where it cannot.
fn contenders(looks: &[(&'static str, &'static str)]) -> Option<Vec<Contender>> {
    let program = program()?;
    let contender = |&(name, look)| {
        let program = program.clone();
        Contender::new(name, move |times| run(&program, look, times))
    };
    Some(looks.iter().map(contender).collect())
}

fn program() -> Option<PathBuf> {
    let this = env::current_exe().ok()?;
    let mut program = this.with_file_name(PROGRAM);
    if let Some(extension) = this.extension().and_then(OsStr::to_str) {
        program.set_extension(extension);
    }
    (program.exists() && Path::new("/proc/self/task").exists()).then_some(program)
}

fn run(program: &Path, look: &str, times: u64) -> f64 {
    let mut command = Command::new(program);
    command.arg(look).arg(times.to_string()).stderr(Stdio::inherit());
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let figure = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    figure.unwrap_or_else(|| panic!("{command:?} said no figure, and ended with {}", output.status))
}
