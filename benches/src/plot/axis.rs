//! From figures to places on the paper.

/// One direction of a picture.
pub(super) struct Axis {
    scale: Scale,
    /// The least and the greatest figure that is shown.
    least: f64,
    most: f64,
    /// Where these two are.
    from: f64,
    to: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    /// From zero on.
    Even,
    /// By factors of ten.
    Tenfold,
}

/// Up to this ratio figures are compared from zero on.
const NARROW: f64 = 8.0;

impl Axis {
    /// An axis that has room for all figures, between two places.
    pub(super) fn over(figures: impl IntoIterator<Item = f64>, from: f64, to: f64) -> Self {
        let figures = figures.into_iter().filter(|figure| figure.is_finite());
        let (least, most) = figures.fold((f64::INFINITY, 0.0_f64), |(least, most), figure| {
            (least.min(figure), most.max(figure))
        });
        let most = if most > 0.0 { most } else { 1.0 };
        if least <= 0.0 || most / least < NARROW || !least.is_finite() {
            let step = step(most);
            let most = (most / step).ceil() * step;
            return Axis { scale: Scale::Even, least: 0.0, most, from, to };
        }
        Axis {
            scale: Scale::Tenfold,
            least: largest_below(least),
            most: smallest_above(most),
            from,
            to,
        }
    }

    pub(super) fn place(&self, figure: f64) -> f64 {
        let share = match self.scale {
            Scale::Even => figure / self.most,
            Scale::Tenfold => {
                let figure = figure.max(self.least);
                (figure / self.least).ln() / (self.most / self.least).ln()
            }
        };
        self.from + share * (self.to - self.from)
    }

    /// The figures at which a line is drawn.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Even => {
                let step = step(self.most);
                let count = (self.most / step).round() as u64;
                (0..=count).map(|number| number as f64 * step).collect()
            }
            Scale::Tenfold => {
                let decades = (self.most / self.least).log10();
                let parts: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
                let first = self.least.log10().floor() as i32;
                let last = self.most.log10().ceil() as i32;
                let all = (first..=last)
                    .flat_map(|power| parts.iter().map(move |part| part * 10_f64.powi(power)));
                // A little room, as no power of ten below one is exact.
                let (least, most) = (self.least * 0.999, self.most * 1.001);
                all.filter(|figure| (least..=most).contains(figure)).collect()
            }
        }
    }
}

/// A round distance of which four to ten make `most`.
fn step(most: f64) -> f64 {
    let power = 10_f64.powf(most.log10().floor());
    match most / power {
        ..2.0 => power / 4.0,
        ..5.0 => power / 2.0,
        _ => power,
    }
}

/// The parts of a decade at which an axis may begin and end.
const PARTS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

fn largest_below(figure: f64) -> f64 {
    let power = 10_f64.powf(figure.log10().floor());
    let below = PARTS.iter().rev().map(|part| part * power).find(|at| *at <= figure * 1.000_001);
    below.unwrap_or(power)
}

fn smallest_above(figure: f64) -> f64 {
    let power = 10_f64.powf(figure.log10().floor());
    let above = PARTS.iter().map(|part| part * power).find(|at| *at >= figure * 0.999_999);
    above.unwrap_or(power * 10.0)
}

/// A figure at an axis: large powers of ten as such.
pub(super) fn tick(figure: f64) -> String {
    const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    if figure < 10_000.0 {
        // As many places as it has, at most three.
        let text = format!("{figure:.3}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let power = figure.log10().floor();
    let factor = (figure / 10_f64.powf(power) * 100.0).round() / 100.0;
    let raised: String = format!("{power}")
        .chars()
        .filter_map(|c| c.to_digit(10))
        .map(|d| RAISED[d as usize])
        .collect();
    if factor == 1.0 { format!("10{raised}") } else { format!("{factor}·10{raised}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(axis: &Axis) -> Vec<String> {
        axis.ticks().into_iter().map(tick).collect()
    }

    #[test]
    fn a_wide_axis_goes_by_tens() {
        let axis = Axis::over([1.0, 1e7], 0.0, 70.0);
        assert_eq!(all(&axis), ["1", "10", "100", "1000", "10⁴", "10⁵", "10⁶", "10⁷"]);
        assert!((axis.place(1_000.0) - 30.0).abs() < 1e-9);
        // Less than there is room for is at the edge.
        assert_eq!(axis.place(0.0), 0.0);
    }

    #[test]
    fn an_axis_over_a_decade_or_two_has_lines_between() {
        assert_eq!(
            all(&Axis::over([17.0, 430.0], 0.0, 1.0)),
            ["10", "20", "50", "100", "200", "500"]
        );
    }

    #[test]
    fn figures_that_are_near_each_other_are_shown_from_zero() {
        let axis = Axis::over([2_900.0, 3_100.0], 100.0, 0.0);
        assert_eq!(all(&axis), ["0", "500", "1000", "1500", "2000", "2500", "3000", "3500"]);
        assert_eq!((axis.place(0.0), axis.place(3_500.0)), (100.0, 0.0));
    }

    #[test]
    fn an_axis_of_nothing_has_ticks() {
        assert_eq!(all(&Axis::over([], 0.0, 1.0)), ["0", "0.25", "0.5", "0.75", "1"]);
        assert_eq!(all(&Axis::over([0.0], 0.0, 1.0)).len(), 5);
    }

    #[test]
    fn ticks_are_short() {
        assert_eq!((tick(0.05), tick(20_000.0)), ("0.05".into(), "2·10⁴".into()));
    }
}
