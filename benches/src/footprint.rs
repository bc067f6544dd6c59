//! What is looked at in a process that has done nothing else: memory and threads. A program of its
//! own does it, because what counts memory would slow all other rows down.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::row::Contender;

/// The program, which lies beside this one.
const PROGRAM: &str = "wg-footprint";

/// A contender that is looked at as `look` says, which is a name that the program knows.
pub(crate) fn look(name: &'static str, look: &'static str) -> Contender {
    with(name, look, |times| times)
}

/// As [`look`], at so many tasks, however often the work is to be done.
pub(crate) fn look_at(name: &'static str, look: &'static str, tasks: u64) -> Contender {
    with(name, look, move |_| tasks)
}

fn with(name: &'static str, look: &'static str, tasks: impl Fn(u64) -> u64 + 'static) -> Contender {
    match program() {
        Some(program) => Contender::new(name, move |times| run(&program, look, tasks(times))),
        None => Contender::absent(
            name,
            "needs Linux, and the program wg-footprint beside this one: build the whole package",
        ),
    }
}

fn program() -> Option<PathBuf> {
    let program = beside(PROGRAM)?;
    Path::new("/proc/self/task").exists().then_some(program)
}

/// A program of this package, if it was built.
pub(crate) fn beside(name: &str) -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let program = program.with_file_name(format!("{name}{}", env::consts::EXE_SUFFIX));
    program.exists().then_some(program)
}

fn run(program: &Path, look: &str, times: u64) -> f64 {
    let mut command = Command::new(program);
    command.arg(look).arg(times.to_string()).stderr(Stdio::inherit());
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let figure = String::from_utf8_lossy(&output.stdout).trim().parse().ok();
    figure.unwrap_or_else(|| panic!("{command:?} said no figure, and ended with {}", output.status))
}
