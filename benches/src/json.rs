//! A row as one JSON object on one line.

use serde::{Serialize, Serializer};

use crate::measure::Outcome;
use crate::report::show;

/// The keys are what scripts read; they stay. Peers that could not be had are not among the peers;
/// a row that could not be measured has nulls for its figures.
#[derive(Serialize)]
struct Line<'a> {
    row: &'a str,
    what: &'a str,
    ours: Option<f64>,
    unit: &'a str,
    #[serde(serialize_with = "as_map")]
    peers: &'a [(&'static str, f64)],
    best: Option<&'a str>,
    ratio: Option<f64>,
    target: Option<f64>,
    met: Option<bool>,
}

fn as_map<S: Serializer>(peers: &[(&str, f64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(peers.iter().map(|&(peer, figure)| (peer, round(figure))))
}

pub(crate) fn line(outcome: &Outcome<'_>) -> String {
    let line = match outcome {
        Ok(measured) => Line {
            row: measured.row.name,
            what: measured.row.what,
            ours: Some(round(measured.ours)),
            unit: measured.row.unit,
            peers: &measured.peers,
            best: Some(measured.best),
            ratio: Some((measured.ratio * 1000.0).round() / 1000.0),
            target: measured.row.target,
            met: measured.met(),
        },
        Err(skipped) => Line {
            row: skipped.row.name,
            what: skipped.row.what,
            ours: None,
            unit: skipped.row.unit,
            peers: &[],
            best: None,
            ratio: None,
            target: skipped.row.target,
            met: None,
        },
    };
    serde_json::to_string(&line).expect("strings and numbers can be written as JSON")
}

fn round(figure: f64) -> f64 {
    show(figure).parse().unwrap_or(figure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Measured, Skipped};
    use crate::row::{Absent, Against, ROW, Row};

    const C1: Row = Row {
        name: "C1",
        what: "token + drop",
        against: Against::BestPeer,
        target: Some(1.10),
        ..ROW
    };

    #[test]
    fn the_line_is_as_promised() {
        let peers = vec![("bare pair", 11.7), ("crossbeam", 23.456)];
        let absent = vec![Absent { name: "Go", why: "no Go".into() }];
        let (best, ratio) = ("bare pair", 1.0085);
        let measured = Measured { row: &C1, ours: 11.8, peers, absent, best, ratio };
        let promised = concat!(
            r#"{"row":"C1","what":"token + drop","ours":11.8,"unit":"ns","#,
            r#""peers":{"bare pair":11.7,"crossbeam":23.46},"#,
            r#""best":"bare pair","ratio":1.009,"target":1.1,"met":true}"#
        );
        assert_eq!(line(&Ok(measured)), promised);
    }

    #[test]
    fn a_row_that_was_not_measured_has_the_same_keys() {
        let skipped = Skipped { row: &C1, absent: Vec::new() };
        let promised = concat!(
            r#"{"row":"C1","what":"token + drop","ours":null,"unit":"ns","peers":{},"#,
            r#""best":null,"ratio":null,"target":1.1,"met":null}"#
        );
        assert_eq!(line(&Err(skipped)), promised);
    }
}
