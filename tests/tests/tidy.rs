//! What the compiler does not check: who may import whom, where bits, atomics, cfgs and `unsafe`
//! may stand, and that versions and the changelog agree (ARCHITECTURE.md, "Invariants").
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A source file: its path below the root, and its text without comments and without its tests.
struct Source {
    path: String,
    code: String,
}

impl Source {
    fn is_below(&self, folder: &str) -> bool {
        self.path.starts_with(folder)
    }
}

/// All files below `folder` whose names end in `ending`, sorted.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if name.ends_with(ending) {
                let path = path.strip_prefix(root()).unwrap();
                found.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    assert!(!found.is_empty(), "no {ending} below {folder}");
    found.sort();
    found
}

fn sources(folder: &str) -> Vec<Source> {
    let source = |path: String| {
        let text = read(&path);
        let production = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let production = production.split("#[cfg(all(test,").next().unwrap();
        let code = production.lines().map(|line| line.split("//").next().unwrap());
        Source { path, code: code.collect::<Vec<_>>().join("\n") }
    };
    files(folder, ".rs").into_iter().map(source).collect()
}

fn has_word(code: &str, word: &str) -> bool {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').any(|token| token == word)
}

/// Whether this file is of models, which are tests in all but where they stand.
fn is_model(path: &str) -> bool {
    ["wg-scope/src/thread/models/", "wg-scope/src/futures/models.rs"]
        .iter()
        .any(|models| path.starts_with(models))
}

/// Fails for every file of `folder` in which one of `words` stands, unless `allowed` says it may.
fn only_in(folder: &str, words: &[&str], allowed: impl Fn(&str) -> bool) {
    let mut strays = Vec::new();
    for source in sources(folder) {
        for word in words {
            if has_word(&source.code, word) && !allowed(&source.path) {
                strays.push(format!("{}: {word}", source.path));
            }
        }
    }
    assert!(strays.is_empty(), "these may not stand here: {strays:#?}");
}

/// The modules of its own crate that a file names, in paths through `crate` or `super`.
fn imports(code: &str, from: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        let group = rest.strip_prefix('{').map(|rest| rest.split('}').next().unwrap());
        for path in group.unwrap_or(rest).split(',').take(if group.is_some() { 99 } else { 1 }) {
            let end = |c: char| !c.is_alphanumeric() && c != '_';
            let name = path.trim().split(end).next().unwrap();
            if name != from && !name.is_empty() {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// Fails for every import that goes against `ranks`: a file may import those of lower ranks.
fn imports_follow(folder: &str, prefix: &str, ranks: &[&[&str]]) {
    let rank = |name: &str| ranks.iter().position(|rank| rank.contains(&name));
    let mut wrong = Vec::new();
    for source in sources(folder) {
        let own = source.path.strip_prefix(folder).unwrap().trim_start_matches('/');
        let own = own.split(['/', '.']).next().unwrap();
        if own == "lib" || own == "mod" {
            continue;
        }
        let mine = rank(own).unwrap_or_else(|| panic!("{}: no place in the order", source.path));
        for name in imports(&source.code, own, prefix) {
            if rank(&name).is_some_and(|other| other >= mine) {
                wrong.push(format!("{own} imports {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "against the arrows: {wrong:?}");
}

#[test]
fn wg_core_imports_follow_the_arrows() {
    let ranks: &[&[&str]] = &[
        &["sync"],
        &["state"],
        &["waiters"],
        &["semaphore"],
        &["group"],
        &["token"],
        &["wait"],
        &["raw"],
    ];
    imports_follow("wg-core/src", "crate::", ranks);
    let ranks: &[&[&str]] = &[&["line"], &["wakes"], &["permit"], &["acquire"]];
    imports_follow("wg-core/src/semaphore", "super::", ranks);
}

#[test]
fn wg_scope_imports_follow_the_arrows() {
    imports_follow(
        "wg-scope/src",
        "crate::",
        &[
            &["task_info", "trace", "no_trace"],
            &["cause"],
            &["no_result", "not_sent", "outcome"],
            &["payload"],
            &["failure", "policy", "report", "timeline", "process", "outlet"],
            &["ledger", "blocks", "gather"],
            &["cancel"],
            &["context", "timer"],
            &["cancelled", "options"],
            &["record", "settle"],
            &["closing"],
            &["failures", "ending"],
            &["twin"],
            &["futures"],
            &["thread"],
            &["calls"],
            &["local"],
            &["tokio"],
        ],
    );
    let ranks: &[&[&str]] = &[
        &["probe", "stack"],
        &["pool"],
        &["pile", "running"],
        &["job", "bell", "slots", "large"],
        &["queue"],
        &["shared"],
        &["frame", "ring", "todo"],
        &["cell"],
        &["sleep"],
        &["onward"],
        &["runner"],
        &["wait", "lent"],
        &["task"],
        &["future"],
        &["future_task"],
        &["handle", "entry", "crew"],
        &["scope"],
        &["steer", "try_scope", "permits", "ready"],
        &["spawn_future"],
        &["fan_out", "workers"],
        &["delivery"],
        &["spawner"],
        &["results"],
        &["try_results"],
        &["models"],
    ];
    imports_follow("wg-scope/src/thread", "super::", ranks);
}

#[test]
fn wg_core_knows_nothing_of_wg_scope_and_the_macros_know_neither() {
    only_in("wg-core/src", &["wg_scope", "wg_macros"], |_| false);
    only_in("wg-macros/src", &["wg_core", "wg_scope"], |_| false);
}

#[test]
fn bits_of_the_word_stand_in_state_only() {
    let words = ["COUNT_SHIFT", "ONE_MEMBER", "CLOSED", "WAITERS_MASK", "encode", "decode"];
    only_in("wg-core/src", &words, |path| path == "wg-core/src/state.rs");
}

#[test]
fn atomics_stand_where_the_protocols_are() {
    let words = ["AtomicU64", "AtomicBool", "AtomicUsize", "Ordering", "fetch_add"];
    only_in("wg-core/src", &words, |path| {
        path.starts_with("wg-core/src/sync/")
            || ["wg-core/src/state.rs", "wg-core/src/semaphore.rs", "wg-core/src/raw.rs"]
                .contains(&path)
    });
    only_in("wg-scope/src", &words, |path| {
        path.starts_with("wg-scope/src/thread/")
            || is_model(path)
            || ["cancel", "process", "outlet", "blocks", "twin", "futures/shared"]
                .iter()
                .any(|file| path == format!("wg-scope/src/{file}.rs"))
    });
    only_in("wg-macros/src", &words, |_| false);
}

#[test]
fn the_private_cfgs_stand_at_the_door_only() {
    let words = ["wg_loom", "wg_shuttle", "wg_asan", "loom", "shuttle"];
    for folder in ["wg-core/src", "wg-scope/src", "wg-macros/src"] {
        only_in(folder, &words, |path| path.starts_with("wg-core/src/sync/") || is_model(path));
    }
}

#[test]
fn tokio_is_named_in_one_place() {
    only_in("wg-scope/src", &["tokio"], |path| {
        ["wg-scope/src/tokio.rs", "wg-scope/src/lib.rs"].contains(&path)
            || path.starts_with("wg-scope/src/tokio/")
    });
}

#[test]
fn tracing_is_named_in_one_place() {
    only_in("wg-scope/src", &["tracing"], |path| {
        ["wg-scope/src/trace.rs", "wg-scope/src/lib.rs"].contains(&path)
    });
}

#[test]
fn unsafe_stands_where_lifetimes_are_erased_tasks_items_and_results_lie_and_forks_are_counted_only()
{
    // The macros speak of it, and forbid it.
    assert!(read("wg-macros/src/lib.rs").contains("#![forbid(unsafe_code)]"));
    for folder in ["wg-core/src", "wg-scope/src", "examples"] {
        only_in(folder, &["unsafe"], |path| {
            let thread = ["job", "cell", "scope", "crew/biased", "crew/buffer", "fan_out/mapping"];
            let own =
                ["process", "blocks", "twin", "gather", "gather/slots", "futures/fan_out/mapping"];
            let thread = thread.iter().map(|file| format!("wg-scope/src/thread/{file}.rs"));
            let own = own.iter().map(|file| format!("wg-scope/src/{file}.rs"));
            thread.chain(own).any(|file| path == file)
        });
    }
}

#[test]
fn a_libs_root_is_a_table_of_contents() {
    for folder in ["wg-core/src", "wg-scope/src"] {
        for source in sources(folder).iter().filter(|source| source.path.ends_with("lib.rs")) {
            for word in ["fn", "struct", "enum", "impl", "trait"] {
                assert!(!has_word(&source.code, word), "{}: {word}", source.path);
            }
        }
    }
}

#[test]
fn files_can_be_read_in_one_sitting() {
    for folder in ["wg-core/src", "wg-scope/src", "wg-macros/src", "examples/src"] {
        for path in files(folder, ".rs") {
            let lines = read(&path).lines().count();
            assert!(lines <= 600, "{path} has {lines} lines: it wants to be two files");
        }
    }
}

/// Whether `code` has a `mod` of this name, or one that lies in a file of this name.
fn names_a_mod(code: &str, name: &str) -> bool {
    let (named, path) = (format!("{name};"), format!("path = \"{name}.rs\""));
    code.lines().map(|line| line.split("//").next().unwrap()).any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.ends_with(&["mod", &named]) || line.contains(&path)
    })
}

/// The files in which the `mod` of this one may stand, and its name there.
fn whose_mod(path: &str) -> (Vec<PathBuf>, &str) {
    let path = Path::new(path);
    let (mut folder, mut name) = (path.parent().unwrap(), path.file_stem().unwrap());
    if name == "mod" {
        name = folder.file_name().unwrap();
        folder = folder.parent().unwrap();
    }
    let inside = ["mod.rs", "lib.rs", "main.rs"].map(|file| folder.join(file));
    let parents = inside.into_iter().chain([folder.with_extension("rs")]).collect();
    (parents, name.to_str().unwrap())
}

#[test]
fn every_file_is_compiled() {
    let mut strays = Vec::new();
    for folder in ["tests/tests", "examples/src", "wg-core/src", "wg-scope/src", "benches/src"] {
        let is_root = |path: &str| {
            let own: Vec<_> = path[folder.len() + 1..].split('/').collect();
            match own[..] {
                [_] | [_, "main.rs"] if folder == "tests/tests" => true,
                ["lib.rs" | "main.rs"] | ["bin", _] | ["bin", _, "main.rs"] => true,
                _ => false,
            }
        };
        for path in files(folder, ".rs").into_iter().filter(|path| !is_root(path)) {
            let (parents, name) = whose_mod(&path);
            let text = |parent: &PathBuf| fs::read_to_string(root().join(parent)).ok();
            if !parents.iter().filter_map(text).any(|code| names_a_mod(&code, name)) {
                strays.push(path);
            }
        }
    }
    assert!(strays.is_empty(), "no `mod` names these, so they are not compiled: {strays:#?}");
}

#[test]
fn versions_are_equal_and_the_changelog_has_this_one() {
    let manifest = read("Cargo.toml");
    let version = env!("CARGO_PKG_VERSION");
    assert!(manifest.contains(&format!("\nversion = \"{version}\"\n")));
    for package in ["wg-core", "wg-scope", "wg-macros"] {
        let pinned = format!("{package} = {{ path = \"{package}\", version = \"={version}\" }}");
        assert!(manifest.contains(&pinned), "{package} is not pinned to {version}");
        let own = read(&format!("{package}/Cargo.toml"));
        assert!(own.contains("version.workspace = true"), "{package} has a version of its own");
    }
    assert!(read("CHANGELOG.md").contains(&format!("\n## {version}")), "no entry for {version}");
}

#[test]
fn every_package_takes_the_lints_and_the_licences_of_the_workspace() {
    for path in files(".", "Cargo.toml").iter().filter(|path| *path != "Cargo.toml") {
        let manifest = read(path);
        assert!(manifest.contains("[lints]\nworkspace = true"), "{path}");
        assert!(manifest.contains("license.workspace = true"), "{path}");
    }
    for package in [".", "wg-core", "wg-scope", "wg-macros"] {
        for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
            assert!(root().join(package).join(licence).exists(), "{package}/{licence}");
        }
    }
}

#[test]
fn the_readmes_commands_are_the_ones_that_are_checked() {
    let readme = read("README.md");
    let main_job = "cargo run --release -p wg-examples --bin dedup";
    let tests = "cargo test --workspace";
    assert!(readme.contains(main_job) && readme.contains(tests));
    let run = read(".ci/run");
    assert!(run.contains(main_job) && run.contains(tests));
}

#[test]
fn every_rule_that_a_file_cites_exists() {
    let rules = 1..=28;
    for folder in ["wg-core/src", "wg-scope/src", "wg-core/tests", "tests/tests"] {
        for path in files(folder, ".rs").into_iter().filter(|path| !path.ends_with("tidy.rs")) {
            let text = read(&path);
            for (at, _) in text.match_indices("fn rule_") {
                let number = &text[at + 8..at + 10];
                let number: u32 = number.parse().unwrap_or_else(|_| panic!("{path}: {number}"));
                assert!(rules.contains(&number), "{path}: rule {number}");
            }
        }
    }
}

#[test]
fn the_checks_of_this_file_see_what_they_look_for() {
    assert!(has_word("let x = CLOSED | 1;", "CLOSED") && !has_word("ENCLOSED", "CLOSED"));
    assert_eq!(imports("use crate::{state::State, sync};", "x", "crate::"), ["state", "sync"]);
    assert_eq!(imports("use super::pool;\nuse super::queue::Queue;", "queue", "super::"), ["pool"]);
    assert!(names_a_mod("pub(crate) mod bell;", "bell") && names_a_mod("mod bell;", "bell"));
    assert!(names_a_mod("#[path = \"bell.rs\"]\nmod imp;", "bell"));
    assert!(!names_a_mod("// mod bell;\nmod doorbell;\nmod bells;\nuse bell;", "bell"));
    let (parents, name) = whose_mod("a/src/b/mod.rs");
    assert!(parents.contains(&PathBuf::from("a/src/lib.rs")) && name == "b");
    let (parents, name) = whose_mod("a/src/b/c.rs");
    assert!(parents.contains(&PathBuf::from("a/src/b.rs")) && name == "c");
    let state = sources("wg-core/src").into_iter().find(|source| source.is_below("wg-core/src/st"));
    let state = state.unwrap().code;
    assert!(has_word(&state, "ONE_MEMBER") && !has_word(&state, "preset_count_is"));
}
