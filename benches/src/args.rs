//! The command line.

use lexopt::Arg::{Long, Short};
use lexopt::ValueExt;

use crate::growth::Growth;
use crate::measure::Plan;
use crate::report::Format;
use crate::row::Row;
use crate::rows::{self, growing};

pub(crate) const HELP: &str = "\
Measures wg and its peers side by side.

Usage: benches/build && target/release/wg-benches [OPTIONS]

benches/build builds this program, those beside it that it starts, and brings a Go where there is
none. What is missing is skipped, and counted as skipped.

  --row PATTERN  only these rows; may be repeated. `C` is all rows of C, `C7` is C7a and C7b,
                 `T1` is not T12 (but `T1*` is)
  --quick        all rows within 45 s, less exactly
  --json         one JSON object per line
  --report       also how cost grows; writes RESULTS.md and the curves of the book. All rows,
                 some minutes
  --curve NAME   no rows, but this curve of how cost grows; may be repeated. Its name is a part of
                 the picture's, such as `limit`
  --list         name the rows and the curves, and measure none
  --help         this text
";

pub(crate) enum Command {
    Help,
    List(Vec<Row>),
    Curves(Vec<&'static Growth>, Plan),
    Measure { rows: Vec<Row>, plan: Plan, format: Format, reports: bool },
}

pub(crate) fn parse(mut parser: lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut patterns = Vec::new();
    let mut plan = Plan::FULL;
    let mut format = Format::Text;
    let mut list = false;
    let mut reports = false;
    let mut curves = Vec::new();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("row") => patterns.push(parser.value()?.string()?),
            Long("quick") => plan = Plan::QUICK,
            Long("json") => format = Format::Json,
            Long("report") => reports = true,
            Long("curve") => curves.extend(curve(&parser.value()?.string()?)?),
            Long("list") => list = true,
            Long("help") | Short('h') => return Ok(Command::Help),
            _ => return Err(arg.unexpected()),
        }
    }
    if reports && !(patterns.is_empty() && curves.is_empty()) {
        return Err("a report is of all rows and curves".into());
    }
    if !curves.is_empty() {
        return Ok(Command::Curves(curves, plan));
    }
    let rows = choose(rows::all(), &patterns)?;
    Ok(if list { Command::List(rows) } else { Command::Measure { rows, plan, format, reports } })
}

/// The curves whose names have this part.
fn curve(part: &str) -> Result<Vec<&'static Growth>, String> {
    let found: Vec<_> = growing::ALL.iter().filter(|it| it.name.contains(part)).collect();
    if found.is_empty() {
        Err(format!("no curve is named {part:?} (see --list)"))
    } else {
        Ok(found)
    }
}

/// The rows that are asked for: all of them if none is named.
fn choose(mut rows: Vec<Row>, patterns: &[String]) -> Result<Vec<Row>, String> {
    for pattern in patterns {
        if !rows.iter().any(|row| matches(row.name, pattern)) {
            return Err(format!("no row is named {pattern:?} (see --list)"));
        }
    }
    if !patterns.is_empty() {
        rows.retain(|row| patterns.iter().any(|pattern| matches(row.name, pattern)));
    }
    Ok(rows)
}

/// A pattern is the beginning of a name; it does not end within a number, unless a `*` says so.
fn matches(name: &str, pattern: &str) -> bool {
    if let Some(beginning) = pattern.strip_suffix('*') {
        return name.starts_with(beginning);
    }
    let digit = |c: char| c.is_ascii_digit();
    name.strip_prefix(pattern)
        .is_some_and(|rest| !(pattern.ends_with(digit) && rest.starts_with(digit)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_beginning_that_keeps_numbers_whole() {
        assert!(matches("C7a", "C") && matches("C7a", "C7") && matches("C7a", "C7a"));
        assert!(matches("T1", "T1") && !matches("T12", "T1") && matches("T12", "T1*"));
        assert!(!matches("C7a", "C7b") && !matches("C", "C1"));
    }

    fn parsed(args: &[&str]) -> Result<Command, lexopt::Error> {
        parse(lexopt::Parser::from_args(args))
    }

    #[test]
    fn a_report_is_of_all_rows() {
        assert!(parsed(&["--report", "--row", "C1"]).is_err());
        let report = parsed(&["--report", "--quick", "--json"]);
        let Ok(Command::Measure { rows, plan, format, reports }) = report else {
            panic!("it measures");
        };
        assert_eq!(rows.len(), rows::all().len());
        assert!(plan.is_quick && reports && matches!(format, Format::Json));
    }

    #[test]
    fn curves_are_chosen_by_a_part_of_their_names() {
        let Ok(Command::Curves(curves, _)) = parsed(&["--curve", "limit", "--curve", "depth"])
        else {
            panic!("it measures curves");
        };
        let names: Vec<_> = curves.iter().map(|curve| curve.name).collect();
        assert_eq!(names, ["growth-limit", "growth-depth"]);
        assert!(parsed(&["--curve", "no such curve"]).is_err());
    }

    #[test]
    fn rows_have_different_names() {
        let mut names: Vec<_> = rows::all().iter().map(|row| row.name).collect();
        names.extend(growing::ALL.iter().map(|curve| curve.name));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn a_pattern_that_matches_nothing_is_an_error() {
        assert!(choose(rows::all(), &["Z9".into()]).is_err());
        assert_eq!(choose(rows::all(), &[]).unwrap().len(), rows::all().len());
    }
}
