//! The report: `RESULTS.md` at the root of the repository, and the pictures of the book.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use crate::growth::{self, Grown};
use crate::machine;
use crate::measure::{Measured, Outcome};
use crate::plot;
use crate::report::{Summary, show, why};
use crate::rows::growing;

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// What was there when the measuring began.
pub(crate) struct Before {
    load: Option<f64>,
    is_quick: bool,
}

impl Before {
    pub(crate) fn now(is_quick: bool) -> Self {
        Before { load: machine::load(), is_quick }
    }
}

/// Measures how cost grows, and writes all files. Returns their names.
pub(crate) fn write(outcomes: &[Outcome<'_>], before: &Before) -> io::Result<Vec<String>> {
    let mut grown = Vec::new();
    for growth in growing::ALL {
        eprintln!("{} …", growth.title);
        grown.push(growth::measure(growth, before.is_quick));
    }
    let root = Path::new(ROOT);
    let mut files = vec!["RESULTS.md".to_owned()];
    fs::write(root.join(&files[0]), page(outcomes, &grown, before))?;
    for grown in &grown {
        let file = format!("book/src/{}.svg", grown.growth.name);
        fs::write(root.join(&file), plot::svg(grown))?;
        files.push(file);
    }
    Ok(files)
}

fn page(outcomes: &[Outcome<'_>], grown: &[Grown], before: &Before) -> String {
    let summary = Summary::of(outcomes);
    [
        "# Results\n\nWritten by `target/release/wg-benches --report`; the book's page *Speed* says \
         how rows are measured and shows the curves. `.ci/instructions` counts the instructions of \
         the fast paths.\n\n<!-- ANCHOR: results -->\n"
            .to_owned(),
        where_and_with_what(before),
        table(outcomes),
        what_was_not_reached(outcomes, &summary),
        curves(grown),
        "<!-- ANCHOR_END: results -->\n".to_owned(),
    ]
    .join("\n")
}

/// More than this many who want to run, beside us, make figures doubtful.
const QUIET: f64 = 0.5;

fn where_and_with_what(before: &Before) -> String {
    let mut text = "## Where, and with what\n\n".to_owned();
    let load = before.load.map_or_else(|| "unknown".to_owned(), |load| format!("{load:.2}"));
    if before.is_quick {
        text += "**A quick run: too few rounds to quote.**\n\n";
    }
    if before.load.is_none_or(|load| load > QUIET) {
        let _ = writeln!(text, "**The machine was not idle (load {load}): do not quote these.**\n");
    }
    text += "| machine | |\n|---|---|\n";
    for (name, value) in machine::machine() {
        let _ = writeln!(text, "| {name} | {} |", cell(&value));
    }
    let _ = writeln!(text, "| load at the start | {load} |");
    text += "\n| version of | |\n|---|---|\n";
    for (name, value) in machine::versions() {
        let _ = writeln!(text, "| {name} | {} |", cell(&value));
    }
    text
}

fn table(outcomes: &[Outcome<'_>]) -> String {
    let mut text =
        "## The rows\n\nSmaller is better. The ratio is ours by the peer's that is called \
                    best.\n\n| row | what | | ours | peers | best | ratio | target | |\n\
                    |---|---|---|--:|---|---|--:|--:|---|\n"
            .to_owned();
    for outcome in outcomes {
        text += &match outcome {
            Ok(measured) => measured_line(measured),
            Err(skipped) => {
                let row = skipped.row;
                let target = row.target.map_or_else(String::new, |target| format!("{target:.2}"));
                let what = cell(row.what);
                format!("| {} | {what} | {} | | | | | {target} | skipped |\n", row.name, row.unit)
            }
        };
    }
    text
}

fn measured_line(measured: &Measured<'_>) -> String {
    let Measured { row, ours, peers, absent, best, ratio } = measured;
    let mut shown: Vec<_> =
        peers.iter().map(|(name, figure)| format!("{name} {}", show(*figure))).collect();
    shown.extend(absent.iter().map(|peer| format!("{} skipped", peer.name)));
    let target = row.target.map_or_else(String::new, |target| format!("{target:.2}"));
    let verdict = match measured.met() {
        Some(true) => "met",
        Some(false) => "**missed**",
        None => "shown",
    };
    format!(
        "| {} | {} | {} | {} | {} | {} | {ratio:.2} | {target} | {verdict} |\n",
        row.name,
        cell(row.what),
        row.unit,
        show(*ours),
        cell(&shown.join(" · ")),
        cell(best),
    )
}

fn what_was_not_reached(outcomes: &[Outcome<'_>], summary: &Summary) -> String {
    let mut text = format!(
        "## Missed and skipped\n\n{} met, {} missed, {} without a target, {} rows and {} peers \
         skipped.\n",
        summary.met,
        summary.missed.len(),
        summary.shown,
        summary.skipped.len(),
        summary.absences(),
    );
    let list = |text: &mut String, title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let _ = writeln!(text, "\n{title}\n\n{}", lines.join("\n"));
        }
    };
    let measured = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok());
    let missed = measured.filter(|measured| measured.met() == Some(false)).map(|measured| {
        let Measured { row, ratio, best, .. } = measured;
        let target = row.target.unwrap_or(f64::NAN);
        format!("- {}, {}: {ratio:.2} × {best}, wanted {target:.2}", row.name, row.what)
    });
    list(&mut text, "Missed:", missed.collect());
    let skipped = outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
    let skipped = skipped.map(|skipped| {
        format!("- {}, {}: {}", skipped.row.name, skipped.row.what, why(&skipped.absent))
    });
    list(&mut text, "Rows skipped:", skipped.collect());
    let absent = summary.absent.iter();
    let absent =
        absent.map(|(peer, rows)| format!("- {} in {}: {}", peer.name, rows.join(", "), peer.why));
    list(&mut text, "Peers skipped:", absent.collect());
    text
}

fn curves(grown: &[Grown]) -> String {
    let tables: Vec<_> = grown.iter().map(curve).collect();
    format!("## How cost grows\n\n{}", tables.join("\n"))
}

/// A curve's figures as a table.
pub(crate) fn curve(grown: &Grown) -> String {
    let growth = grown.growth;
    let names: Vec<_> = grown.curves.iter().map(|curve| curve.name).collect();
    let mut text = format!("{} ({}):\n\n", growth.title, growth.y);
    let _ = writeln!(text, "| {} | {} |", growth.x, names.join(" | "));
    let _ = writeln!(text, "|--:|{}", "--:|".repeat(names.len()));
    for size in grown.sizes() {
        let at = grown.curves.iter().map(|curve| curve.at(size));
        let cells: Vec<_> = at.map(|figure| figure.map_or_else(|| "–".to_owned(), show)).collect();
        let _ = writeln!(text, "| {} | {} |", grouped(size), cells.join(" | "));
    }
    text
}

/// With commas between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What would end a cell does not.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::{Curve, GROWTH, Growth};
    use crate::measure::Skipped;
    use crate::row::{Absent, ROW, Row};

    static GROWING: Growth = Growth { title: "Time", x: "tasks", ..GROWTH };

    const T1: Row = Row { name: "T1", what: "one | task", target: Some(1.0), ..ROW };

    const IDLE: Before = Before { load: Some(0.1), is_quick: false };

    fn outcomes() -> [Outcome<'static>; 2] {
        let absent = || vec![Absent { name: "Go", why: "there is none".into() }];
        let peers = vec![("std", 40.0)];
        let ours = 50.0;
        let measured =
            Measured { row: &T1, ours, peers, absent: absent(), best: "std", ratio: 1.25 };
        [Ok(measured), Err(Skipped { row: &T1, absent: absent() })]
    }

    #[test]
    fn the_page_has_every_row_and_what_was_missed_and_skipped() {
        let page = page(&outcomes(), &[], &IDLE);
        let row = "| T1 | one \\| task | ns | 50.00 | std 40.00 · Go skipped | std | 1.25 | 1.00 | \
                   **missed** |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("| T1 | one \\| task | ns | | | | | 1.00 | skipped |"));
        assert!(page.contains("0 met, 1 missed, 0 without a target, 1 rows and 2 peers skipped"));
        assert!(page.contains("- T1, one | task: 1.25 × std, wanted 1.00"));
        assert!(page.contains("- T1, one | task: Go: there is none"));
        assert!(page.contains("- Go in T1, T1: there is none"));
        assert!(page.contains("| load at the start | 0.10 |") && !page.contains("do not quote"));
    }

    #[test]
    fn a_page_from_a_busy_machine_or_of_a_quick_run_says_so_first() {
        let busy = Before { load: Some(2.0), is_quick: true };
        let page = page(&[], &[], &busy);
        assert!(page.contains("not idle (load 2.00): do not quote") && page.contains("too few"));
    }

    #[test]
    fn every_curve_is_a_column() {
        let ours = Curve { name: "ours", points: vec![(1, 5.0), (10_000, 4.0)] };
        let peer = Curve { name: "peer", points: vec![(10_000, 6.0)] };
        let grown = Grown { growth: &GROWING, curves: vec![ours, peer] };
        let text = curve(&grown);
        let table = "| tasks | ours | peer |\n|--:|--:|--:|\n| 1 | 5.000 | – |\n\
                     | 10,000 | 4.000 | 6.000 |\n";
        assert!(text.contains(table), "{text}");
    }

    #[test]
    fn thousands_have_commas() {
        assert_eq!((grouped(999), grouped(1_000)), ("999".into(), "1,000".into()));
        assert_eq!(grouped(10_000_000), "10,000,000");
    }
}
