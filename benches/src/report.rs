//! How a row that was measured is shown.

use std::fmt::Write;

use serde::{Serialize, Serializer};

use crate::measure::Measured;

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
    let _ = write!(text, "\n     {ratio:.2} × {best}, {verdict}");
    text
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
    use crate::row::{Against, Row};

    #[test]
    fn the_json_is_as_promised() {
        let row = Row {
            name: "C1",
            what: "token + drop",
            unit: "ns",
            against: Against::BestPeer,
            target: Some(1.10),
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
}
