//! The peers that are written in Go: the program in `benches/go`, built when first needed with the
//! `go` that is in the PATH, or else with the one that `benches/go/fetch` brought.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::child::{self, Child};
use crate::row::Contender;
use crate::work::Work;

/// Where the program's source is.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/go");

/// The child, or why there is none.
static GO: LazyLock<Result<Mutex<Child>, String>> =
    LazyLock::new(|| start().map(Mutex::new).inspect_err(|why| eprintln!("NO GO: {why}")));

/// Does `what`, which is a name that the program knows.
pub(crate) fn peer(name: &'static str, what: &'static str) -> Contender {
    with(name, what, 0)
}

/// As [`peer`], with so many steps of xorshift in each task.
pub(crate) fn computing(name: &'static str, what: &'static str, work: Work) -> Contender {
    with(name, what, u64::from(work.steps()))
}

/// As [`peer`], told a number that the work depends on.
pub(crate) fn with(name: &'static str, what: &'static str, number: u64) -> Contender {
    match &*GO {
        Ok(go) => child::contender(name, go, move |times| format!("{what} {times} {number}")),
        Err(why) => Contender::absent(name, why),
    }
}

/// What the program says that it was built with; None where there is no Go.
pub(crate) fn version() -> Option<String> {
    let child = GO.as_ref().ok()?.lock().unwrap_or_else(PoisonError::into_inner);
    Some(child.greeting.clone())
}

fn start() -> Result<Child, String> {
    let beside = env::current_exe().map_err(|error| error.to_string())?;
    let program = beside.with_file_name(format!("wg-go{}", env::consts::EXE_SUFFIX));
    build(&program)?;
    Child::start(&program).map_err(|error| format!("{}: {error}", program.display()))
}

/// Builds the program anew; where nothing has changed, Go does nothing.
fn build(program: &Path) -> Result<(), String> {
    let mut why = String::from("no Go: put `go` in the PATH, or run benches/go/fetch");
    for go in toolchains() {
        let mut command = Command::new(&go);
        command.current_dir(SOURCE).args(["build", "-o"]).arg(program).arg(".");
        // What is here is what is used: no other toolchain and no module is fetched.
        command.env("GOTOOLCHAIN", "local").env("GOPROXY", "off").env("GOFLAGS", "");
        match command.output() {
            Ok(output) if output.status.success() => return Ok(()),
            Ok(output) => {
                let told = String::from_utf8_lossy(&output.stderr);
                why = format!("{} did not build benches/go: {}", go.display(), told.trim());
            }
            // Not there: perhaps the next is.
            Err(_) => {}
        }
    }
    Err(why)
}

fn toolchains() -> Vec<PathBuf> {
    let mut toolchains = vec![PathBuf::from("go")];
    let target = env::current_exe().ok();
    let target = target.as_deref().and_then(Path::parent).and_then(Path::parent);
    toolchains.extend(target.map(|target| target.join("go-tree/go/bin/go")));
    toolchains
}
