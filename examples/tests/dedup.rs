//! Runs `dedup` on small trees, as a user would.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// More than `dedup` reads at once, so that such files are compared in two steps.
const LONG: usize = 200_000;

fn dedup(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dedup"));
    command.arg(root);
    command
}

fn tree(files: &[(&str, &[u8])]) -> TempDir {
    let root = TempDir::new().unwrap();
    for (name, content) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    root
}

fn output(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// What `--json` says about the tree, with the exit code it must have.
fn report(root: &Path, code: i32) -> Value {
    let output = output(dedup(root).arg("--json"));
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The paths below `root` as the report spells them.
fn group(root: &TempDir, names: &[&str]) -> Value {
    names.iter().map(|name| json!(root.path().join(name))).collect()
}

fn long(last: u8) -> Vec<u8> {
    let mut content = vec![b'x'; LONG];
    *content.last_mut().unwrap() = last;
    content
}

#[test]
fn duplicates_are_grouped_and_what_they_waste_is_summed() {
    let root = tree(&[
        ("a", b"twice"),
        ("deep/down/b", b"twice"),
        (".hidden/c", b"three times"),
        ("d", b"three times"),
        ("e", b"three times"),
        ("f", b"once"),
    ]);
    assert_eq!(
        report(root.path(), 0),
        json!({
            "groups": [
                group(&root, &[".hidden/c", "d", "e"]),
                group(&root, &["a", "deep/down/b"]),
            ],
            "files": 6,
            "bytes": 2 * 5 + 3 * 11 + 4,
            "wasted_bytes": 5 + 2 * 11,
            "errors": [],
            "interrupted": false,
        })
    );
}

#[test]
fn text_names_every_duplicate_and_the_total() {
    let root = tree(&[("a", b"same"), ("b", b"same"), ("c", b"other")]);
    let output = output(&mut dedup(root.path()));
    assert_eq!(output.status.code(), Some(0));
    let (a, b) = (root.path().join("a"), root.path().join("b"));
    assert_eq!(
        stdout(&output),
        format!(
            "2 files of 4 B, 4 B wasted\n  {}\n  {}\n\n\
             groups of duplicates: 1, wasted: 4 B, files looked at: 3 (13 B)\n",
            a.display(),
            b.display()
        )
    );
}

#[test]
fn files_of_one_size_and_different_content_are_not_duplicates() {
    let root = tree(&[
        ("short/a", b"one"),
        ("short/b", b"two"),
        ("long/a", &long(b'a')),
        ("long/b", &long(b'b')),
    ]);
    assert_eq!(report(root.path(), 0)["groups"], json!([]));
}

#[test]
fn long_files_are_compared_to_their_last_byte() {
    let root = tree(&[("a", &long(b'a')), ("b", &long(b'b')), ("c", &long(b'a'))]);
    assert_eq!(report(root.path(), 0)["groups"], json!([group(&root, &["a", "c"])]));
}

#[test]
fn empty_files_are_counted_but_waste_nothing() {
    let root = tree(&[("a", b""), ("b", b"")]);
    let report = report(root.path(), 0);
    assert_eq!(report["groups"], json!([]));
    assert_eq!(report["files"], 2);
}

#[test]
fn an_empty_tree_has_no_duplicates() {
    let root = tree(&[]);
    assert_eq!(
        report(root.path(), 0),
        json!({
            "groups": [], "files": 0, "bytes": 0, "wasted_bytes": 0,
            "errors": [], "interrupted": false,
        })
    );
}

#[test]
fn the_output_is_the_same_at_every_limit() {
    let root = TempDir::new().unwrap();
    for i in 0..300 {
        let directory = root.path().join(format!("{}", i % 7));
        fs::create_dir_all(&directory).unwrap();
        let content = if i % 10 == 0 { long((i % 3) as u8) } else { vec![b'x'; 1 + i % 13] };
        fs::write(directory.join(format!("{i}")), content).unwrap();
    }
    let at_limit = |limit: &str| {
        let output = output(dedup(root.path()).args(["--json", "--limit", limit]));
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).to_owned()
    };
    let alone = at_limit("1");
    assert!(alone.contains("\"files\":300"), "{alone}");
    assert_eq!(alone, at_limit("2"));
    assert_eq!(alone, at_limit("8"));
}

#[test]
fn a_limit_of_zero_is_refused() {
    let root = tree(&[]);
    let output = output(dedup(root.path()).args(["--limit", "0"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("the limit must be a whole number, at least 1"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_path_that_does_not_exist_is_refused() {
    let root = tree(&[]);
    let output = output(&mut dedup(&root.path().join("missing")));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("missing"), "{}", stderr(&output));
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_path_that_is_a_file_is_refused() {
    let root = tree(&[("file", b"content")]);
    let output = output(&mut dedup(&root.path().join("file")));
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("not a directory"), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn links_are_not_duplicates() {
    let root = tree(&[("a", b"linked"), ("directory/b", b"once more")]);
    fs::hard_link(root.path().join("a"), root.path().join("hard")).unwrap();
    std::os::unix::fs::symlink("a", root.path().join("soft")).unwrap();
    std::os::unix::fs::symlink("directory", root.path().join("way")).unwrap();
    let report = report(root.path(), 0);
    assert_eq!(report["groups"], json!([]));
    assert_eq!((&report["files"], &report["bytes"]), (&json!(2), &json!(15)));
}

#[cfg(unix)]
#[test]
fn a_duplicate_with_two_names_is_listed_once() {
    let root = tree(&[("b", b"same"), ("c", b"same")]);
    fs::hard_link(root.path().join("b"), root.path().join("a")).unwrap();
    let report = report(root.path(), 0);
    assert_eq!(report["groups"], json!([group(&root, &["a", "c"])]));
    assert_eq!(report["wasted_bytes"], 4);
}

#[cfg(unix)]
#[test]
fn a_pipe_is_not_opened() {
    let root = tree(&[("a", b"same"), ("b", b"same")]);
    let made = Command::new("mkfifo").arg(root.path().join("pipe")).status().unwrap();
    assert!(made.success());
    assert_eq!(report(root.path(), 0)["files"], 2);
}

/// Modes keep nobody from a file who runs as root. The limit of Linux on the length of a path,
/// 4096 bytes, does; renaming a directory is the way past it.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_read_is_listed_and_the_rest_is_compared() {
    use std::path::PathBuf;

    const SEGMENT: usize = 200;
    let name = |letter: &str| letter.repeat(SEGMENT);
    let below = |start: PathBuf, segments| -> PathBuf {
        (0..segments).fold(start, |path, _| path.join(name("d")))
    };

    let root = tree(&[("a", b"same"), ("b", b"same")]);
    let upper = below(root.path().to_owned(), 15);
    let lower = root.path().join("lower");
    // Both lengths together leave no room for one more name, but for the directory itself.
    let rest = 4095 - upper.as_os_str().len() - "/lower".len();
    let bottom = below(lower.clone(), rest / (SEGMENT + 1));
    fs::create_dir_all(bottom.join(name("e"))).unwrap();
    fs::write(bottom.join(name("f")), "same").unwrap();
    fs::create_dir_all(&upper).unwrap();
    fs::rename(&lower, upper.join("lower")).unwrap();

    let report = report(root.path(), 1);

    assert_eq!(report["groups"], json!([group(&root, &["a", "b"])]));
    assert_eq!(report["files"], 3);
    let errors = report["errors"].as_array().unwrap();
    let listed: Vec<_> = errors.iter().map(|one| one["path"].as_str().unwrap()).collect();
    assert_eq!(listed.len(), 2, "{errors:?}");
    assert!(listed[0].ends_with("eee") && listed[1].ends_with("fff"), "{listed:?}");
    assert!(errors.iter().all(|one| one["error"].as_str().unwrap().contains("too long")));

    let text = output(&mut dedup(root.path()));
    assert_eq!(text.status.code(), Some(1));
    assert!(stderr(&text).contains("could not be read: 2"), "{}", stderr(&text));
}

#[cfg(target_os = "linux")]
#[test]
fn a_path_that_is_not_unicode_keeps_its_bytes() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let root = tree(&[("a", b"same")]);
    let odd = root.path().join(OsStr::from_bytes(b"\xff\n"));
    fs::write(&odd, "same").unwrap();

    let bytes = json!({ "Unix": odd.as_os_str().as_bytes() });
    assert_eq!(report(root.path(), 0)["groups"], json!([[root.path().join("a"), bytes]]));

    let text = output(&mut dedup(root.path()));
    assert!(stdout(&text).contains(r#"/\xFF\n""#), "{}", stdout(&text));
}

/// The two long files are holes, which cost no space but hours to hash, so the child is certainly
/// busy with them when it is interrupted.
#[cfg(unix)]
#[test]
fn ctrl_c_reports_what_was_found_so_far() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let root = tree(&[("a", b"same"), ("b", b"same")]);
    for name in ["long", "longer"] {
        fs::File::create(root.path().join(name)).unwrap().set_len(1 << 42).unwrap();
    }
    let mut child = dedup(root.path())
        .arg("--json")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    // The short files have been compared once the long ones are compared in full.
    let mut stages = BufReader::new(child.stderr.take().unwrap()).lines();
    let reached = stages.any(|line| line.unwrap().starts_with("comparing all of 2 files"));
    let pid = child.id().to_string();
    let sent = Command::new("sh").args(["-c", r#"kill -INT "$0""#, &pid]).status().unwrap();
    let output = child.wait_with_output().unwrap();

    assert!(reached && sent.success());
    assert_eq!(output.status.code(), Some(130));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["groups"], json!([group(&root, &["a", "b"])]));
    assert_eq!(report["errors"], json!([]));
}
