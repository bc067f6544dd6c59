//! How a row is measured: contenders warmed up, rounds interleaved, medians compared.

use std::time::{Duration, Instant};

use crate::row::{Against, Contender, Rounds, Row};

/// How much time to spend.
pub(crate) struct Plan {
    /// What one round of one contender should take: little beside a time slice, so that few
    /// rounds are interrupted and the median is one that was not.
    round: Duration,
    /// When to stop beginning rounds of a row.
    row: Duration,
    /// Fewest rounds of a row, unless they take three times as long as a row should.
    rounds: usize,
    /// Fewest rounds, however long they take.
    least: usize,
    is_quick: bool,
}

impl Plan {
    pub(crate) const FULL: Plan = Plan {
        round: Duration::from_millis(1),
        row: Duration::from_secs(5),
        rounds: 15,
        least: 5,
        is_quick: false,
    };

    /// Leaves a second to each of some forty rows.
    pub(crate) const QUICK: Plan = Plan {
        round: Duration::from_micros(250),
        row: Duration::from_millis(500),
        rounds: 5,
        least: 1,
        is_quick: true,
    };
}

/// What came of a row.
pub(crate) struct Measured<'a> {
    pub(crate) row: &'a Row,
    pub(crate) ours: f64,
    pub(crate) peers: Vec<(&'static str, f64)>,
    /// The peer that the ratio is taken against.
    pub(crate) best: &'static str,
    pub(crate) ratio: f64,
}

impl Measured<'_> {
    /// Whether the target was met, if there is one.
    pub(crate) fn met(&self) -> Option<bool> {
        self.row.target.map(|target| self.ratio <= target)
    }
}

/// Returns what came of the row; None if there are no contenders here.
pub(crate) fn measure<'a>(row: &'a Row, plan: &Plan) -> Option<Measured<'a>> {
    let contenders = (row.contenders)();
    if contenders.is_empty() {
        return None;
    }
    let medians = match row.rounds {
        Rounds::Many => many(contenders, plan),
        Rounds::Once(full, quick) => {
            let times = if plan.is_quick { quick } else { full };
            let once = |mut contender: Contender| (contender.name, contender.run(times));
            contenders.into_iter().map(once).collect()
        }
    };
    Some(conclude(row, medians))
}

/// Plays the rounds and returns each contender's median.
fn many(contenders: Vec<Contender>, plan: &Plan) -> Vec<(&'static str, f64)> {
    let mut entrants: Vec<_> =
        contenders.into_iter().map(|contender| Entrant::new(contender, plan)).collect();
    let start = Instant::now();
    let mut rounds = 0;
    loop {
        let enough = match start.elapsed() {
            elapsed if elapsed < plan.row => false,
            elapsed if elapsed < plan.row * 3 => rounds >= plan.rounds,
            _ => rounds >= plan.least,
        };
        if enough {
            return entrants.into_iter().map(Entrant::result).collect();
        }
        // Everybody comes after everybody else at times, should that matter.
        let first = rounds % entrants.len();
        let (late, early) = entrants.split_at_mut(first);
        for entrant in early.iter_mut().chain(late) {
            entrant.play();
        }
        rounds += 1;
    }
}

/// Takes the ratio; ours is the first of `medians`.
fn conclude<'a>(row: &'a Row, mut medians: Vec<(&'static str, f64)>) -> Measured<'a> {
    let (_, ours) = medians.remove(0);
    let peers = medians;
    let named = |name| peers.iter().find(|(peer, _)| *peer == name);
    let best = match row.against {
        Against::BestPeer => peers.iter().min_by(|(_, a), (_, b)| a.total_cmp(b)),
        Against::Peer(name) => named(name),
    };
    let &(best, theirs) = best.unwrap_or_else(|| panic!("{} has nobody to compare with", row.name));
    Measured { row, ours, best, ratio: ours / theirs, peers }
}

/// A contender in the course of its rounds.
struct Entrant {
    contender: Contender,
    /// How often the work is done in a round.
    times: u64,
    figures: Vec<f64>,
}

impl Entrant {
    /// Finds out how often the work fits into a round, which warms it up as well.
    fn new(mut contender: Contender, plan: &Plan) -> Self {
        let mut times = 1;
        loop {
            let start = Instant::now();
            contender.run(times);
            let share = plan.round.as_secs_f64() / start.elapsed().as_secs_f64().max(1e-9);
            if share < 2.0 {
                let times = ((times as f64 * share) as u64).max(1);
                return Entrant { contender, times, figures: Vec::new() };
            }
            times = (times as f64 * share.min(10.0)) as u64;
        }
    }

    fn play(&mut self) {
        self.figures.push(self.contender.run(self.times));
    }

    fn result(self) -> (&'static str, f64) {
        (self.contender.name, median(self.figures))
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    if figures.len() % 2 == 1 {
        figures[middle]
    } else {
        f64::midpoint(figures[middle - 1], figures[middle])
    }
}

/// Does `work` a number of times and returns the nanoseconds of one.
#[inline]
pub(crate) fn nanos(times: u64, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..times {
        work();
    }
    nanos_each(start.elapsed(), times)
}

/// The nanoseconds of one of `times`.
pub(crate) fn nanos_each(elapsed: Duration, times: u64) -> f64 {
    elapsed.as_secs_f64() * 1e9 / times as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(against: Against) -> Row {
        Row {
            name: "Z1",
            what: "",
            unit: "ns",
            against,
            target: Some(1.1),
            absent: &[],
            rounds: Rounds::Many,
            contenders: || {
                let names = ["wg", "slow", "fast"];
                let figures = [2.0, 4.0, 1.0];
                let pairs = names.into_iter().zip(figures);
                pairs.map(|(name, figure)| Contender::new(name, move |_| figure)).collect()
            },
        }
    }

    fn measured(row: &Row) -> Measured<'_> {
        let plan = Plan {
            round: Duration::ZERO,
            row: Duration::ZERO,
            rounds: 2,
            least: 2,
            is_quick: true,
        };
        measure(row, &plan).expect("it has contenders")
    }

    #[test]
    fn the_ratio_is_to_the_best_peer_or_to_the_named_one() {
        let row = row(Against::BestPeer);
        let best = measured(&row);
        assert_eq!((best.best, best.ratio, best.met()), ("fast", 2.0, Some(false)));
        let row = Row { against: Against::Peer("slow"), ..row };
        let named = measured(&row);
        assert_eq!((named.best, named.ratio, named.met()), ("slow", 0.5, Some(true)));
        assert_eq!(named.peers, [("slow", 4.0), ("fast", 1.0)]);
    }

    #[test]
    fn a_row_without_a_target_is_neither_met_nor_missed() {
        let row = Row { target: None, ..row(Against::BestPeer) };
        assert_eq!(measured(&row).met(), None);
    }

    #[test]
    fn a_row_that_is_measured_once_is_told_how_often() {
        let contenders = || vec![Contender::ours(|times| times as f64), Contender::fixed("x", 2.0)];
        let row = Row { rounds: Rounds::Once(10, 3), contenders, ..row(Against::BestPeer) };
        assert_eq!(measured(&row).ours, 3.0);
    }

    #[test]
    fn a_row_without_contenders_is_not_measured() {
        let row = Row { contenders: Vec::new, ..row(Against::BestPeer) };
        assert!(measure(&row, &Plan::QUICK).is_none());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
