//! Runs the demo of `shutdown`: who behaves ends, and who does not is reported and aborted.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn who_does_not_end_is_reported_by_name_and_aborted() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_shutdown"));
    let end = program.args(["--demo", "--drain", "100"]).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(end.stdout), text(end.stderr));
    let told = "quick asks: hello\n\
                quick hears: hello\n\
                idle asks: hello\n\
                idle hears: hello\n\
                stuck asks: wait 3600\n\
                stuck hears: waiting\n\
                the server is asked to stop\n\
                idle hears: goodbye\n\
                late is cut off\n\
                stuck is cut off\n\
                aborted: 1\n";
    assert_eq!((out.as_str(), end.status.code()), (told, Some(0)), "{err}");
    // `stuck` is the third connection, so its index is 2.
    let start = "still there: 1 task alive in `connections`: 127.0.0.1:";
    let (report, more) = err.split_once('\n').unwrap();
    assert!(report.starts_with(start), "{err}");
    assert!(report.contains("#2 spawned at ") && report.contains("server.rs:"), "{err}");
    assert!(report.contains(", running ") && more.is_empty(), "{err}");
}

#[test]
fn the_book_quotes_the_server_that_is_there() {
    let read = |path| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (book, server) = (read("../book/src/shutdown.md"), read("src/bin/shutdown/server.rs"));
    assert!(book.contains("{{#include ../../examples/src/bin/shutdown/server.rs:serve}}\n"));
    let (_, shown) = server.split_once("// ANCHOR: serve\n").unwrap();
    let (shown, _) = shown.split_once("// ANCHOR_END: serve\n").unwrap();
    assert!(shown.contains("async fn serve(") && shown.contains("async fn talk("));
    let spawn = server.lines().position(|line| line.contains(".spawn(")).unwrap() + 1;
    let line = format!("spawned at examples/src/bin/shutdown/server.rs:{spawn}, running ");
    assert!(book.contains(&line), "the book's report has another line than {spawn}");
}
