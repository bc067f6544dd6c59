//! Runs `timeline`, as a user would.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

#[test]
fn the_trace_has_an_event_for_each_task_of_all_scopes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("trace.json");
    let output = Command::new(env!("CARGO_BIN_EXE_timeline")).arg(&path).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.starts_with("570 lines in 13 tasks\n"), "{said}");
    let trace: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |scope: &str| events.iter().filter(|it| it["args"]["scope"] == scope).count();
    assert_eq!((of("build"), of("core"), of("net"), of("cli")), (4, 4, 3, 2));
    let parsed = events.iter().filter(|it| it["name"] == "parse" && it["ph"] == "X");
    assert_eq!(parsed.count(), 9);
}

#[test]
fn a_path_that_cannot_be_written_is_told() {
    let folder = TempDir::new().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_timeline")).arg(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("cannot create "), "{said}");
}
