//! Runs `deadlinks`, before and after, over the same folders: what they print is the same.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

const BEFORE: &str = env!("CARGO_BIN_EXE_deadlinks_before");
const AFTER: &str = env!("CARGO_BIN_EXE_deadlinks");

/// A small library: folders of chapters that link to each other, to a contents page, and, each
/// seventh of them, to a chapter that is not there.
fn library(chapters: usize) -> TempDir {
    let root = TempDir::new().unwrap();
    let place = |n: usize| format!("part{}/section{}/chapter{n}.md", n % 5, n % 3);
    let mut contents = String::from("# Contents\n\n");
    for n in 0..chapters {
        let path = root.path().join(place(n));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let next = if n % 7 == 3 { "missing.md".to_owned() } else { place((n + 1) % chapters) };
        let text = format!(
            "# Chapter {n}\n\nSee the [contents](../../contents.md#top) and [more](../../{next}), \
             or [the web](https://example.org/a.md).\n\n```md\n[no](link.md)\n```\n"
        );
        fs::write(path, text).unwrap();
        contents.push_str(&format!("- [chapter {n}]({})\n", place(n)));
    }
    fs::write(root.path().join("contents.md"), contents).unwrap();
    fs::write(root.path().join("notes.txt"), "[not](read.md)").unwrap();
    root
}

/// Makes a page that is not text.
fn break_one(root: &Path) {
    fs::write(root.join("part1/broken.md"), b"# \xff\xfe [a](b.md)\n").unwrap();
}

fn run(program: &str, root: &Path, args: &[&str]) -> Output {
    Command::new(program).arg(root).args(args).output().unwrap()
}

/// What both print, if it is the same, and the exit code.
#[track_caller]
fn both(root: &Path, args: &[&str]) -> (String, String, i32) {
    let [before, after] = [BEFORE, AFTER].map(|program| run(program, root, args));
    assert_eq!(before, after);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(after.stdout), text(after.stderr), after.status.code().unwrap())
}

#[test]
fn both_find_the_same_dead_links_at_any_number_of_workers() {
    let root = library(60);
    let found = both(root.path(), &[]);
    let (out, err, code) = &found;
    assert!(out.ends_with("pages: 61, links: 180, dead: 9\n"), "{out}");
    assert!(out.contains("chapter3.md:3: dead link: ../../missing.md\n"), "{out}");
    assert_eq!((err.as_str(), *code), ("", 1));
    for workers in ["1", "2", "50"] {
        assert_eq!(both(root.path(), &["--workers", workers]), found);
    }
}

#[test]
fn both_are_content_where_every_link_leads_somewhere() {
    let root = library(3);
    assert_eq!(both(root.path(), &[]), ("pages: 4, links: 9, dead: 0\n".into(), "".into(), 0));
    let empty = TempDir::new().unwrap();
    assert_eq!(both(empty.path(), &[]).0, "pages: 0, links: 0, dead: 0\n");
}

#[test]
fn both_list_a_page_that_cannot_be_read_and_check_the_others() {
    let root = library(20);
    break_one(root.path());
    let (out, err, code) = both(root.path(), &[]);
    assert!(out.ends_with("pages: 21, links: 60, dead: 3\n"), "{out}");
    assert!(err.starts_with("cannot read ") && err.contains("part1/broken.md: "), "{err}");
    assert_eq!(code, 1);
}

#[test]
fn both_stop_at_the_first_page_that_cannot_be_read_if_they_are_strict() {
    let root = library(300);
    break_one(root.path());
    for workers in ["1", "8"] {
        for program in [BEFORE, AFTER] {
            // What was ready before it differs from run to run.
            let stopped = run(program, root.path(), &["--strict", "--workers", workers]);
            let err = String::from_utf8(stopped.stderr).unwrap();
            assert!(
                err.contains("broken.md: ") && err.ends_with("a file cannot be read\n"),
                "{err}"
            );
            assert_eq!((err.lines().count(), stopped.status.code()), (2, Some(2)));
        }
    }
    // One at a time, in the order of the walk, it does not.
    both(root.path(), &["--strict", "--workers", "1"]);
}

#[test]
fn both_stop_at_the_deadline_and_say_so() {
    let root = library(50);
    let stopped = both(root.path(), &["--deadline", "0"]);
    let nothing = "pages: 0, links: 0, dead: 0\n".to_owned();
    assert_eq!(stopped, (nothing, "stopped: the deadline passed\n".into(), 2));
    // One that is far away changes nothing.
    let in_time = both(root.path(), &["--deadline", "3600"]);
    assert_eq!(in_time, both(root.path(), &[]));
}

#[test]
fn both_end_though_they_tell_how_far_they_are() {
    let root = library(50);
    for program in [BEFORE, AFTER] {
        let told = run(program, root.path(), &["--progress"]);
        let out = String::from_utf8(told.stdout).unwrap();
        assert!(out.ends_with("pages: 51, links: 150, dead: 7\n"), "{out}");
    }
}

#[test]
fn both_refuse_a_folder_that_is_none() {
    let root = library(3);
    let (_, err, code) = both(&root.path().join("absent"), &[]);
    assert!(err.starts_with("cannot read ") && code == 1, "{err}");
    let (_, err, code) = both(&root.path().join("notes.txt"), &[]);
    assert!(err.ends_with("notes.txt: not a directory\n") && code == 1, "{err}");
}

/// What is in a file, or between its anchors.
fn source(path: &str, anchor: Option<&str>) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let Some(anchor) = anchor else { return text };
    let (_, rest) = text.split_once(&format!("// ANCHOR: {anchor}\n")).unwrap();
    rest.split_once(&format!("// ANCHOR_END: {anchor}\n")).unwrap().0.to_owned()
}

fn lines_of_code(text: &str) -> usize {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn the_book_shows_what_is_there_and_counts_its_lines_right() {
    let book = source("../book/src/migration.md", None);
    for include in book.split("{{#include ").skip(1) {
        let (path, anchor) = include.split_once("}}").unwrap().0.split_once(':').unwrap();
        let shown = source(&format!("../book/src/{path}"), Some(anchor));
        assert!(lines_of_code(&shown) > 10, "{path}:{anchor}");
    }
    let counts = ["deadlinks_before", "deadlinks"].map(|program| {
        let file = format!("src/bin/{program}/check.rs");
        let whole = lines_of_code(&source(&file, None));
        let function = lines_of_code(&source(&file, Some("check_all")));
        let row = format!("| `{program}` | {function} | {whole} |");
        assert!(book.contains(&row), "the book has no row {row:?}");
        whole
    });
    assert!(2 * counts[1] <= counts[0], "{counts:?}");
}
