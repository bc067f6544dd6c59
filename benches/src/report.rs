//! How a row that was measured is shown.

use std::fmt::Write;

use serde::{Serialize, Serializer};

use crate::measure::Measured;
use crate::row::Row;

#[derive(Clone, Copy)]
pub(crate) enum Format {
    Text,
    Json,
}

/// One line, or a few of them, without the end of the last.
pub(crate) fn line(measured: &Measured<'_>, format: Format) -> String {
    match format {
        Format::Text => text(measured),
        Format::Json => json(measured),
    }
}

fn text(measured: &Measured<'_>) -> String {
    let Measured { row, ours, peers, best, ratio } = measured;
    let verdict = match (row.target, measured.met()) {
        (Some(target), Some(true)) => format!("≤ {target:.2} met"),
        (Some(target), _) => format!("≤ {target:.2} MISSED"),
        (None, _) => "no target".to_owned(),
    };
    let mut text = format!("{:<4} {} ({})\n     wg {}", row.name, row.what, row.unit, show(*ours));
    for (peer, figure) in peers {
        // Writing to a String cannot fail.
        let _ = write!(text, " · {peer} {}", show(*figure));
    }
    for peer in row.absent {
        let _ = write!(text, " · {peer}: NOT MEASURED HERE");
    }
    let _ = write!(text, "\n     {ratio:.2} × {best}, {verdict}");
    text
}

/// What is said of a row that could not be measured.
pub(crate) fn skipped(row: &Row, format: Format) -> String {
    let why = "needs Linux, and the program wg-footprint beside this one: build the whole package";
    match format {
        Format::Text => format!("{:<4} {}\n     NOT MEASURED: {why}", row.name, row.what),
        Format::Json => {
            let line = NoLine { row: row.name, what: row.what, not_measured: why };
            serde_json::to_string(&line).expect("strings can be written as JSON")
        }
    }
}

#[derive(Serialize)]
struct NoLine<'a> {
    row: &'a str,
    what: &'a str,
    not_measured: &'a str,
}

/// What a run came to.
#[derive(Default)]
pub(crate) struct Summary {
    met: usize,
    missed: Vec<&'static str>,
    shown: usize,
    skipped: Vec<&'static str>,
    absent: Vec<String>,
}

impl Summary {
    pub(crate) fn add(&mut self, row: &Row, measured: Option<&Measured<'_>>) {
        match measured.map(Measured::met) {
            Some(Some(true)) => self.met += 1,
            Some(Some(false)) => self.missed.push(row.name),
            Some(None) => self.shown += 1,
            None => self.skipped.push(row.name),
        }
        self.absent.extend(row.absent.iter().map(|peer| format!("{peer} in {}", row.name)));
    }

    pub(crate) fn text(&self) -> String {
        format!(
            "{} met, {} MISSED ({}), {} without target, {} rows skipped ({}), \
             {} peers skipped ({})",
            self.met,
            self.missed.len(),
            self.missed.join(" "),
            self.shown,
            self.skipped.len(),
            self.skipped.join(" "),
            self.absent.len(),
            self.absent.join(", "),
        )
    }
}

/// The keys are what scripts read; they stay.
#[derive(Serialize)]
struct Line<'a> {
    row: &'a str,
    what: &'a str,
    ours: f64,
    unit: &'a str,
    #[serde(serialize_with = "as_map")]
    peers: &'a [(&'static str, f64)],
    best: &'a str,
    ratio: f64,
    target: Option<f64>,
    met: Option<bool>,
    /// Peers that were not measured.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    skipped: &'a [&'static str],
}

fn as_map<S: Serializer>(peers: &[(&str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(peers.iter().map(|&(peer, figure)| (peer, round(figure))))
}

fn json(measured: &Measured<'_>) -> String {
    let line = Line {
        row: measured.row.name,
        what: measured.row.what,
        ours: round(measured.ours),
        unit: measured.row.unit,
        peers: &measured.peers,
        best: measured.best,
        ratio: (measured.ratio * 1000.0).round() / 1000.0,
        target: measured.row.target,
        met: measured.met(),
        skipped: measured.row.absent,
    };
    serde_json::to_string(&line).expect("strings and numbers can be written as JSON")
}

/// To four digits, which is more than any figure deserves.
fn round(figure: f64) -> f64 {
    show(figure).parse().unwrap_or(figure)
}

fn show(figure: f64) -> String {
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
    use crate::row::{Against, Rounds};

    #[test]
    fn the_json_is_as_promised() {
        let row = Row {
            name: "C1",
            what: "token + drop",
            unit: "ns",
            against: Against::BestPeer,
            target: Some(1.10),
            absent: &[],
            rounds: Rounds::Many,
            contenders: Vec::new,
        };
        let peers = vec![("bare pair", 11.7)];
        let measured = Measured { row: &row, ours: 11.8, peers, best: "bare pair", ratio: 1.0085 };
        let promised = concat!(
            r#"{"row":"C1","what":"token + drop","ours":11.8,"unit":"ns","#,
            r#""peers":{"bare pair":11.7},"best":"bare pair","ratio":1.009,"target":1.1,"met":true}"#
        );
        assert_eq!(line(&measured, Format::Json), promised);
    }

    #[test]
    fn peers_that_were_not_measured_are_named_and_counted() {
        let row = Row {
            name: "T1",
            what: "",
            unit: "ns",
            against: Against::BestPeer,
            target: None,
            absent: &["Go"],
            rounds: Rounds::Many,
            contenders: Vec::new,
        };
        let peers = vec![("std", 1.0)];
        let measured = Measured { row: &row, ours: 1.0, peers, best: "std", ratio: 1.0 };
        assert!(line(&measured, Format::Text).contains("Go: NOT MEASURED HERE"));
        assert!(line(&measured, Format::Json).contains(r#""skipped":["Go"]"#));
        let mut summary = Summary::default();
        summary.add(&row, Some(&measured));
        assert!(summary.text().contains("1 peers skipped (Go in T1)"));
    }
}
