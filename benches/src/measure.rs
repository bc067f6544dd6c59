//! How a row is measured: contenders warmed up, rounds interleaved, medians compared.

use std::time::{Duration, Instant};

use crate::row::{Absent, Against, Contender, Rounds, Row, Work};

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
    pub(crate) is_quick: bool,
}

impl Plan {
    pub(crate) const FULL: Plan = Plan {
        round: Duration::from_millis(1),
        row: Duration::from_secs(5),
        rounds: 15,
        least: 5,
        is_quick: false,
    };

    /// For each point of a curve, of which there are many.
    pub(crate) const POINT: Plan = Plan {
        round: Duration::from_millis(1),
        row: Duration::from_secs(1),
        rounds: 9,
        least: 3,
        is_quick: false,
    };

    /// Leaves less than a second to each of some fifty rows.
    pub(crate) const QUICK: Plan = Plan {
        round: Duration::from_micros(250),
        row: Duration::from_millis(400),
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
    /// Peers that cannot be had here.
    pub(crate) absent: Vec<Absent>,
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

/// Why a row was not measured.
pub(crate) struct Skipped<'a> {
    pub(crate) row: &'a Row,
    pub(crate) absent: Vec<Absent>,
}

/// What came of a row, or what it lacked.
pub(crate) type Outcome<'a> = Result<Measured<'a>, Skipped<'a>>;

/// Returns what came of the row. Without our side, or without anybody to compare it with, it is
/// not measured.
pub(crate) fn measure<'a>(row: &'a Row, plan: &Plan) -> Outcome<'a> {
    let (present, absent) = split((row.contenders)());
    let ours = present.first().is_some_and(|(name, _)| *name == OURS);
    let compares = match row.against {
        Against::BestPeer => present.len() > 1,
        Against::Peer(peer) => present.iter().skip(1).any(|(name, _)| *name == peer),
    };
    if !ours || !compares {
        return Err(Skipped { row, absent });
    }
    Ok(conclude(row, medians(present, row.rounds, plan), absent))
}

/// The name of our side.
pub(crate) const OURS: &str = "wg";

/// Those who can run, and those who cannot.
fn split(contenders: Vec<Contender>) -> (Vec<(&'static str, Work)>, Vec<Absent>) {
    let (mut present, mut absent) = (Vec::new(), Vec::new());
    for contender in contenders {
        match contender.into_work() {
            Ok(contender) => present.push(contender),
            Err(missing) => absent.push(missing),
        }
    }
    (present, absent)
}

/// Measures contenders of no row, and returns the figure of each that can be had.
pub(crate) fn figures(
    contenders: Vec<Contender>,
    rounds: Rounds,
    plan: &Plan,
) -> Vec<(&'static str, f64)> {
    medians(split(contenders).0, rounds, plan)
}

fn medians(
    present: Vec<(&'static str, Work)>,
    rounds: Rounds,
    plan: &Plan,
) -> Vec<(&'static str, f64)> {
    match rounds {
        Rounds::Many => many(enter(present, plan), plan),
        Rounds::Together => {
            let mut entrants = enter(present, plan);
            let least = entrants.iter().map(|entrant| entrant.times).min();
            entrants.iter_mut().for_each(|entrant| entrant.times = least.unwrap_or(1));
            many(entrants, plan)
        }
        Rounds::Once(full, quick) => {
            let times = if plan.is_quick { quick } else { full };
            let once = |(name, mut work): (_, Work)| (name, work(times));
            present.into_iter().map(once).collect()
        }
    }
}

/// Warms everybody up.
fn enter(present: Vec<(&'static str, Work)>, plan: &Plan) -> Vec<Entrant> {
    present.into_iter().map(|(name, work)| Entrant::new(name, work, plan)).collect()
}

/// Plays the rounds and returns each contender's median.
fn many(mut entrants: Vec<Entrant>, plan: &Plan) -> Vec<(&'static str, f64)> {
    let start = Instant::now();
    let mut rounds = 0;
    loop {
        let enough = match start.elapsed() {
            elapsed if elapsed < plan.row => false,
            elapsed if elapsed < plan.row * 3 => rounds >= plan.rounds,
            _ => rounds >= plan.least,
        };
        if enough || entrants.is_empty() {
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
fn conclude<'a>(
    row: &'a Row,
    mut medians: Vec<(&'static str, f64)>,
    absent: Vec<Absent>,
) -> Measured<'a> {
    let (_, ours) = medians.remove(0);
    let peers = medians;
    let named = |name| peers.iter().find(|(peer, _)| *peer == name);
    let best = match row.against {
        Against::BestPeer => peers.iter().min_by(|(_, a), (_, b)| a.total_cmp(b)),
        Against::Peer(name) => named(name),
    };
    let &(best, theirs) = best.unwrap_or_else(|| panic!("{} has nobody to compare with", row.name));
    Measured { row, ours, best, ratio: ours / theirs, peers, absent }
}

/// How often something that seems to take long is tried. If it was only interrupted, it would be done once in
/// each round, and every figure be that of a first time after a pause.
const TRIES: usize = 3;

/// The least of what something `took` that is tried again unless it is done within `most`.
fn brief(mut took: impl FnMut() -> Duration, most: Duration) -> Duration {
    let mut least = took();
    for _ in 1..TRIES {
        if least > most {
            least = least.min(took());
        }
    }
    least
}

/// As often as anything is done in a round.
const OFTEN: u64 = 1 << 32;

/// A contender in the course of its rounds.
struct Entrant {
    name: &'static str,
    work: Work,
    /// How often the work is done in a round.
    times: u64,
    figures: Vec<f64>,
}

impl Entrant {
    /// Finds out how often the work fits into a round, which warms it up as well.
    fn new(name: &'static str, mut work: Work, plan: &Plan) -> Self {
        // The first time may create threads, which would pass for what the work takes.
        work(1);
        let mut times = 1;
        loop {
            let took = || {
                let start = Instant::now();
                work(times);
                start.elapsed()
            };
            let least = brief(took, plan.round / 2).as_secs_f64().max(1e-9);
            let share = plan.round.as_secs_f64() / least;
            // Nothing at all, a figure that is known, fits in for ever.
            if share < 2.0 || times >= OFTEN {
                let share = share.min(2.0);
                let times = ((times as f64 * share) as u64).max(1);
                return Entrant { name, work, times, figures: Vec::new() };
            }
            times = (times as f64 * share.min(10.0)) as u64;
        }
    }

    fn play(&mut self) {
        self.figures.push((self.work)(self.times));
    }

    fn result(self) -> (&'static str, f64) {
        (self.name, median(self.figures))
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
    use crate::row::ROW;

    fn row(against: Against) -> Row {
        Row {
            name: "Z1",
            against,
            target: Some(1.1),
            contenders: || {
                let names = ["wg", "slow", "fast"];
                let figures = [2.0, 4.0, 1.0];
                let pairs = names.into_iter().zip(figures);
                pairs.map(|(name, figure)| Contender::new(name, move |_| figure)).collect()
            },
            ..ROW
        }
    }

    fn outcome(row: &Row) -> Outcome<'_> {
        let plan = Plan {
            round: Duration::ZERO,
            row: Duration::ZERO,
            rounds: 2,
            least: 2,
            is_quick: true,
        };
        measure(row, &plan)
    }

    fn measured(row: &Row) -> Measured<'_> {
        outcome(row).ok().expect("it has contenders")
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
    fn rounds_together_have_the_work_done_equally_often() {
        // Each says how often it was asked to; one of them is slow.
        let contenders = || {
            let slow = |times| {
                let start = Instant::now();
                while start.elapsed() < Duration::from_micros(50) * times as u32 {}
                times as f64
            };
            vec![Contender::ours(|times| times as f64), Contender::new("slow", slow)]
        };
        let row = Row { rounds: Rounds::Together, contenders, ..row(Against::BestPeer) };
        let plan = Plan { round: Duration::from_micros(200), rounds: 3, ..Plan::QUICK };
        let plan = Plan { row: Duration::ZERO, ..plan };
        let measured = measure(&row, &plan).ok().expect("it has contenders");
        assert_eq!(measured.ratio, 1.0);
    }

    #[test]
    fn what_was_interrupted_is_tried_again_and_the_least_counts() {
        let least = |times: &[u64]| {
            let mut tries = times.iter().map(|&millis| Duration::from_millis(millis));
            let least = brief(
                || tries.next().expect("it is not tried that often"),
                Duration::from_millis(5),
            );
            (least.as_millis(), tries.len())
        };
        assert_eq!(least(&[5, 1]), (5, 1), "it was not interrupted");
        assert_eq!(least(&[20, 3, 1]), (3, 1));
        assert_eq!(least(&[20, 30, 3]), (3, 0));
        assert_eq!(least(&[20, 19, 21]), (19, 0), "it takes long");
    }

    #[test]
    fn a_peer_that_is_absent_is_named_and_the_others_are_measured() {
        let contenders = || {
            let (ours, there) = (Contender::fixed("wg", 1.0), Contender::fixed("there", 2.0));
            vec![ours, Contender::absent("away", "not here"), there]
        };
        let row = Row { contenders, ..row(Against::BestPeer) };
        let measured = measured(&row);
        assert_eq!((measured.best, measured.ratio), ("there", 0.5));
        assert_eq!(measured.absent, [Absent { name: "away", why: "not here".into() }]);
        let row = Row { against: Against::Peer("away"), ..row };
        assert_eq!(outcome(&row).err().expect("there is nobody to compare with").absent.len(), 1);
    }

    #[test]
    fn a_row_without_our_side_or_without_peers_is_not_measured() {
        let only_peers = || vec![Contender::absent("wg", ""), Contender::fixed("x", 1.0)];
        let only_ours = || vec![Contender::fixed("wg", 1.0)];
        for contenders in [Vec::new, only_peers, only_ours] {
            let row = Row { contenders, ..row(Against::BestPeer) };
            assert!(outcome(&row).is_err());
        }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
