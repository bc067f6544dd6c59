//! What only a process of its own can show.

use std::process::{Command, Output, Stdio};

/// Runs one of this package's programs.
fn run(program: &str, stderr: Stdio) -> Output {
    let output = Command::new(program)
        // A thread is said to be dead by the signal, not by a backtrace.
        .env("RUST_BACKTRACE", "0")
        // Some of these programs leak, which is no fault there.
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .stderr(stderr)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

#[cfg(target_os = "linux")]
#[test]
fn rule_13_tasks_and_items_that_compute_do_not_breed_threads() {
    let output = run(env!("CARGO_BIN_EXE_computes"), Stdio::piped());
    let runners: usize = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let cores = std::thread::available_parallelism().unwrap().get();
    assert!(runners <= cores + 2, "{runners} runners for {cores} cores");
}

#[test]
fn rule_14_idle_threads_do_not_keep_the_process() {
    let output = run(env!("CARGO_BIN_EXE_faults"), Stdio::piped());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "ran 601 of 601\n");
}

#[test]
fn rule_14_a_forked_child_has_threads_of_its_own() {
    let output = run(env!("CARGO_BIN_EXE_forks"), Stdio::piped());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "forks: all scopes ended\n");
}

#[test]
fn rule_01_forgotten_handles_leave_nothing_that_dangles() {
    run(env!("CARGO_BIN_EXE_forgets"), Stdio::piped());
}

#[test]
fn rule_05_the_panics_that_are_not_resumed_are_told_on_standard_error() {
    let output = run(env!("CARGO_BIN_EXE_tells"), Stdio::piped());
    let resumed = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let (_, told) = told.split_once("in the scope at ").expect("nothing of further panics");
    assert!(told.contains("tells.rs:"), "{told}");
    assert!(told.contains("2 more tasks panicked"), "{told}");
    for panic in ["panic 1", "panic 2", "panic 3"] {
        assert_eq!(told.contains(panic), resumed.trim() != panic, "{told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn rule_05_a_payload_is_resumed_although_standard_error_cannot_be_written() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = run(env!("CARGO_BIN_EXE_tells"), full.into());
    let resumed = String::from_utf8(output.stdout).unwrap();
    assert!(resumed.starts_with("panic "), "{resumed}");
}
