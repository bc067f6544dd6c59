//! How cost grows: the same work at one size after the other, as curves.

use crate::machine;
use crate::measure::{self, Plan};
use crate::row::{Contender, Rounds};

/// One picture: a few curves over the same sizes.
pub(crate) struct Growth {
    /// The picture's name, without its ending.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What grows, and what it costs.
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    pub(crate) sizes: &'static [u64],
    /// Where a quick run stops.
    pub(crate) quick: u64,
    /// How much memory one unit of size takes at most, in bytes: larger sizes than there is memory
    /// for are left out.
    pub(crate) bytes: u64,
    pub(crate) rounds: Rounds,
    pub(crate) contenders: fn(u64) -> Vec<Contender>,
}

/// A growth of the common kind: nanoseconds, of work that keeps little.
pub(crate) const GROWTH: Growth = Growth {
    name: "",
    title: "",
    x: "",
    y: "ns",
    sizes: &[],
    quick: 0,
    bytes: 0,
    rounds: Rounds::Many,
    contenders: |_| Vec::new(),
};

/// What came of it.
pub(crate) struct Grown {
    pub(crate) growth: &'static Growth,
    pub(crate) curves: Vec<Curve>,
}

/// Figures of one contender, by size. Sizes at which it could not be had are not there.
#[derive(Debug, PartialEq)]
pub(crate) struct Curve {
    pub(crate) name: &'static str,
    pub(crate) points: Vec<(u64, f64)>,
}

impl Grown {
    /// The sizes at which somebody was measured.
    pub(crate) fn sizes(&self) -> Vec<u64> {
        let points = self.curves.iter().flat_map(|curve| &curve.points);
        let mut sizes: Vec<_> = points.map(|&(size, _)| size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }
}

impl Curve {
    pub(crate) fn at(&self, size: u64) -> Option<f64> {
        let point = self.points.iter().find(|(at, _)| *at == size);
        point.map(|&(_, figure)| figure)
    }
}

/// Measures all sizes, the small ones first.
pub(crate) fn measure(growth: &'static Growth, is_quick: bool) -> Grown {
    let plan = if is_quick { Plan::QUICK } else { Plan::POINT };
    let mut curves: Vec<Curve> = Vec::new();
    for &size in growth.sizes.iter().filter(|&&size| fits(growth, size, is_quick)) {
        for (name, figure) in measure::figures((growth.contenders)(size), growth.rounds, &plan) {
            let curve = curves.iter_mut().find(|curve| curve.name == name);
            match curve {
                Some(curve) => curve.points.push((size, figure)),
                None => curves.push(Curve { name, points: vec![(size, figure)] }),
            }
        }
    }
    Grown { growth, curves }
}

fn fits(growth: &Growth, size: u64, is_quick: bool) -> bool {
    let available = machine::available_memory().map_or(u64::MAX, |kb| kb.saturating_mul(1024));
    let wanted = size.saturating_mul(growth.bytes);
    (!is_quick || size <= growth.quick) && wanted <= available / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    static SQUARES: Growth = Growth {
        name: "squares",
        sizes: &[1, 2, 3],
        quick: 2,
        rounds: Rounds::Once(1, 1),
        contenders: |size| {
            let square = Contender::fixed("square", (size * size) as f64);
            let odd = if size % 2 == 1 {
                Contender::fixed("odd", size as f64)
            } else {
                Contender::absent("odd", "it is even")
            };
            vec![square, odd]
        },
        ..GROWTH
    };

    #[test]
    fn a_curve_has_a_point_for_each_size_at_which_it_could_be_had() {
        let grown = measure(&SQUARES, false);
        assert_eq!(grown.sizes(), [1, 2, 3]);
        let [squares, odd] = &grown.curves[..] else { panic!("two contenders are two curves") };
        assert_eq!(squares.points, [(1, 1.0), (2, 4.0), (3, 9.0)]);
        assert_eq!(odd, &Curve { name: "odd", points: vec![(1, 1.0), (3, 3.0)] });
        assert_eq!((odd.at(3), odd.at(2)), (Some(3.0), None));
    }

    #[test]
    fn a_quick_run_stops_early_and_no_run_takes_more_memory_than_there_is() {
        assert_eq!(measure(&SQUARES, true).sizes(), [1, 2]);
        let huge = Growth { bytes: u64::MAX / 2, ..SQUARES };
        assert!(!fits(&huge, 3, false));
    }
}
