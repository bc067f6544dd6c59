//! How rows that were measured are shown, one by one and in sum.

use std::fmt::Write;

use crate::json;
use crate::measure::{Measured, OURS, Outcome, Skipped};
use crate::row::Absent;

#[derive(Clone, Copy)]
pub(crate) enum Format {
    Text,
    Json,
}

/// One line, or a few of them, without the end of the last.
pub(crate) fn line(outcome: &Outcome<'_>, format: Format) -> String {
    match (format, outcome) {
        (Format::Json, outcome) => json::line(outcome),
        (Format::Text, Ok(measured)) => text(measured),
        (Format::Text, Err(skipped)) => skipped_text(skipped),
    }
}

fn text(measured: &Measured<'_>) -> String {
    let Measured { row, ours, peers, absent, best, ratio } = measured;
    let mut text = format!("{:<4} {} ({})\n     wg {}", row.name, row.what, row.unit, show(*ours));
    for (peer, figure) in peers {
        // Writing to a String cannot fail.
        let _ = write!(text, " · {peer} {}", show(*figure));
    }
    for peer in absent {
        let _ = write!(text, " · {}: NOT MEASURED HERE", peer.name);
    }
    let verdict = match (row.target, measured.met()) {
        (Some(target), Some(true)) => format!("≤ {target:.2} met"),
        (Some(target), _) => format!("≤ {target:.2} MISSED"),
        (None, _) => "no target".to_owned(),
    };
    let _ = write!(text, "\n     {ratio:.2} × {best}, {verdict}");
    text
}

fn skipped_text(skipped: &Skipped<'_>) -> String {
    let row = skipped.row;
    format!("{:<4} {}\n     NOT MEASURED: {}", row.name, row.what, why(&skipped.absent))
}

/// Why there was nobody, or nobody to compare with.
pub(crate) fn why(absent: &[Absent]) -> String {
    let said: Vec<_> = absent.iter().map(|it| format!("{}: {}", it.name, it.why)).collect();
    said.join("; ")
}

/// What a run came to.
#[derive(Default)]
pub(crate) struct Summary {
    pub(crate) met: usize,
    pub(crate) missed: Vec<&'static str>,
    pub(crate) shown: usize,
    pub(crate) skipped: Vec<&'static str>,
    /// Which peers were absent, and where.
    pub(crate) absent: Vec<(Absent, Vec<&'static str>)>,
}

impl Summary {
    pub(crate) fn of(outcomes: &[Outcome<'_>]) -> Self {
        let mut summary = Summary::default();
        for outcome in outcomes {
            summary.add(outcome);
        }
        summary
    }

    fn add(&mut self, outcome: &Outcome<'_>) {
        let (row, absent) = match outcome {
            Ok(measured) => {
                match measured.met() {
                    Some(true) => self.met += 1,
                    Some(false) => self.missed.push(measured.row.name),
                    None => self.shown += 1,
                }
                (measured.row, &measured.absent)
            }
            Err(skipped) => {
                self.skipped.push(skipped.row.name);
                (skipped.row, &skipped.absent)
            }
        };
        // Without our side it is the row that is skipped.
        for peer in absent.iter().filter(|peer| peer.name != OURS) {
            match self.absent.iter_mut().find(|(known, _)| known == peer) {
                Some((_, rows)) => rows.push(row.name),
                None => self.absent.push((peer.clone(), vec![row.name])),
            }
        }
    }

    /// How often a contender could not be had.
    pub(crate) fn absences(&self) -> usize {
        self.absent.iter().map(|(_, rows)| rows.len()).sum()
    }

    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{} met, {} MISSED ({}), {} without target, {} rows skipped ({}), {} peers skipped",
            self.met,
            self.missed.len(),
            self.missed.join(" "),
            self.shown,
            self.skipped.len(),
            self.skipped.join(" "),
            self.absences(),
        );
        for (peer, rows) in &self.absent {
            let _ = write!(text, "\n  {} in {}: {}", peer.name, rows.join(" "), peer.why);
        }
        text
    }
}

/// With four digits, which is more than any figure deserves.
pub(crate) fn show(figure: f64) -> String {
    match figure {
        ..10.0 => format!("{figure:.3}"),
        ..100.0 => format!("{figure:.2}"),
        ..1000.0 => format!("{figure:.1}"),
        _ => format!("{figure:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::{ROW, Row};

    const T1: Row = Row { name: "T1", what: "one task", ..ROW };

    fn go() -> Absent {
        Absent { name: "Go", why: "no Go".into() }
    }

    fn measured(row: &Row) -> Measured<'_> {
        let (peers, absent) = (vec![("std", 2.0)], vec![go()]);
        Measured { row, ours: 1.0, peers, absent, best: "std", ratio: 0.5 }
    }

    #[test]
    fn peers_that_were_not_measured_are_named_and_counted() {
        let outcomes = [Ok(measured(&T1)), Err(Skipped { row: &T1, absent: vec![go()] })];
        assert!(line(&outcomes[0], Format::Text).contains("Go: NOT MEASURED HERE"));
        assert!(line(&outcomes[1], Format::Text).contains("NOT MEASURED: Go: no Go"));
        let summary = Summary::of(&outcomes);
        assert_eq!((summary.shown, summary.absences()), (1, 2));
        let text = summary.text();
        assert!(text.contains("1 rows skipped (T1), 2 peers skipped"), "{text}");
        assert!(text.contains("Go in T1 T1: no Go"), "{text}");
    }

    #[test]
    fn a_target_is_met_or_missed() {
        let row = Row { target: Some(0.5), ..T1 };
        assert!(line(&Ok(measured(&row)), Format::Text).ends_with("0.50 × std, ≤ 0.50 met"));
        let row = Row { target: Some(0.4), ..T1 };
        let outcomes = [Ok(measured(&row))];
        assert!(line(&outcomes[0], Format::Text).ends_with("≤ 0.40 MISSED"));
        assert_eq!(Summary::of(&outcomes).missed, ["T1"]);
    }
}
