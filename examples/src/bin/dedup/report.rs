//! What was found, for people and for programs.

use std::ffi::OsStr;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::find::{Found, Group};

/// Prints the groups and a summary to stdout, what could not be read to stderr.
pub(crate) fn text(found: &Found) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for group in &found.groups {
        let (size, wasted) = (HumanBytes(group.size), HumanBytes(group.wasted()));
        writeln!(out, "{} files of {size}, {wasted} wasted", group.paths.len())?;
        for path in &group.paths {
            writeln!(out, "  {}", one_line(path))?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "groups of duplicates: {}, wasted: {}, files looked at: {} ({})",
        HumanCount(found.groups.len() as u64),
        HumanBytes(wasted(found)),
        HumanCount(found.files as u64),
        HumanBytes(found.bytes),
    )?;
    if found.interrupted {
        writeln!(out, "interrupted: this is what was found so far")?;
    }
    out.flush()?;

    let mut err = io::stderr().lock();
    if !found.errors.is_empty() {
        writeln!(err, "could not be read: {}", found.errors.len())?;
    }
    for unreadable in &found.errors {
        writeln!(err, "  {}: {}", one_line(&unreadable.path), unreadable.error)?;
    }
    Ok(())
}

/// Prints everything to stdout as one JSON document.
pub(crate) fn json(found: &Found) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    serde_json::to_writer(&mut out, &Document::of(found))?;
    writeln!(out)?;
    out.flush()
}

#[derive(Serialize)]
struct Document<'a> {
    groups: Vec<Vec<Name<'a>>>,
    files: usize,
    bytes: u64,
    wasted_bytes: u64,
    errors: Vec<Failure<'a>>,
    interrupted: bool,
}

#[derive(Serialize)]
struct Failure<'a> {
    path: Name<'a>,
    error: String,
}

/// A path in JSON: a string, or what serde makes of the others, `{"Unix":[bytes]}`.
///
/// Replacing what is not Unicode would read better, and could name another file.
#[derive(Serialize)]
#[serde(untagged)]
enum Name<'a> {
    Unicode(&'a str),
    Other(&'a OsStr),
}

impl<'a> Document<'a> {
    fn of(found: &'a Found) -> Self {
        let groups = found.groups.iter();
        let errors = found.errors.iter();
        Document {
            groups: groups
                .map(|group| group.paths.iter().map(|path| name(path)).collect())
                .collect(),
            files: found.files,
            bytes: found.bytes,
            wasted_bytes: wasted(found),
            errors: errors
                .map(|one| Failure { path: name(&one.path), error: one.error.to_string() })
                .collect(),
            interrupted: found.interrupted,
        }
    }
}

fn wasted(found: &Found) -> u64 {
    found.groups.iter().map(Group::wasted).sum()
}

fn name(path: &Path) -> Name<'_> {
    path.to_str().map_or(Name::Other(path.as_os_str()), Name::Unicode)
}

/// The path as it is if it is plain text, else quoted and escaped: a file name may hold line
/// breaks and commands to the terminal.
fn one_line(path: &Path) -> String {
    match path.to_str() {
        Some(plain) if !plain.contains(char::is_control) => plain.to_owned(),
        _ => format!("{path:?}"),
    }
}
