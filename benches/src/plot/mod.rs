//! Curves as a picture: SVG, which a browser shows by itself, in its light or its dark colours.

mod axis;

use std::fmt::Write;

use self::axis::{Axis, tick};
use crate::growth::Grown;
use crate::report::show;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 420.0;

/// Where the curves are: left, right, top, bottom.
const FRAME: [f64; 4] = [72.0, 700.0, 84.0, 364.0];

/// A colour for each curve, on a light ground and on a dark one; that can be told apart by those as
/// well who see fewer. Markers differ, too.
const COLOURS: [(&str, &str); 4] = [
    ("#1f6fc4", "#6cb2ff"),
    ("#b8500b", "#f0994f"),
    ("#1a7f4b", "#5cc98f"),
    ("#8a3fa8", "#cf93e6"),
];

/// Returns the picture.
pub(crate) fn svg(grown: &Grown) -> String {
    let sizes = grown.sizes();
    let figures = grown.curves.iter().flat_map(|curve| &curve.points);
    let figures: Vec<f64> = figures.map(|&(_, figure)| figure).collect();
    let [left, right, top, bottom] = FRAME;
    let x = Axis::over(sizes.iter().map(|&size| size as f64), left, right);
    let y = Axis::over(figures, bottom, top);

    let mut svg = head(grown);
    let growth = grown.growth;
    for at in x.ticks() {
        let place = x.place(at);
        line(&mut svg, "grid", [place, top, place, bottom]);
        text(&mut svg, "middle", place, bottom + 20.0, &tick(at));
    }
    for at in y.ticks() {
        let place = y.place(at);
        line(&mut svg, "grid", [left, place, right, place]);
        text(&mut svg, "end", left - 8.0, place + 4.0, &tick(at));
    }
    line(&mut svg, "axis", [left, bottom, right, bottom]);
    text(&mut svg, "middle", f64::midpoint(left, right), HEIGHT - 14.0, growth.x);
    text(&mut svg, "start", 14.0, top - 12.0, growth.y);
    legend(&mut svg, grown);
    for (number, curve) in grown.curves.iter().enumerate() {
        let places = curve.points.iter().map(|&(size, at)| (x.place(size as f64), y.place(at)));
        let places: Vec<_> = places.collect();
        let path: Vec<_> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let colour = number % COLOURS.len();
        add(
            &mut svg,
            format_args!("<polyline class=\"curve c{colour}\" points=\"{}\"/>", path.join(" ")),
        );
        for (&(across, up), (size, figure)) in places.iter().zip(&curve.points) {
            let says = format!("{}: {} at {size}", curve.name, show(*figure));
            marker(&mut svg, number, across, up, &says);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The beginning: colours, ground and title.
fn head(grown: &Grown) -> String {
    let mut svg = String::new();
    let title = escaped(grown.growth.title);
    add(
        &mut svg,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{title}\">"
        ),
    );
    let (mut light, mut dark) = (String::new(), String::new());
    for (number, (on_light, on_dark)) in COLOURS.iter().enumerate() {
        add(&mut light, format_args!(".c{number} {{ stroke: {on_light}; fill: {on_light}; }}"));
        add(&mut dark, format_args!(".c{number} {{ stroke: {on_dark}; fill: {on_dark}; }}"));
    }
    add(
        &mut svg,
        format_args!(
            "<style>\n\
             text {{ font: 13px system-ui, sans-serif; fill: #30343a; }}\n\
             .title {{ font-size: 15px; font-weight: 600; }}\n\
             .ground {{ fill: #ffffff; stroke: #d5d8dc; }}\n\
             .grid {{ stroke: #e4e6e9; }}\n\
             .axis {{ stroke: #8a9099; }}\n\
             .curve {{ stroke-width: 2; fill: none !important; }}\n\
             {light}\
             @media (prefers-color-scheme: dark) {{\n\
             text {{ fill: #d9dce1; }}\n\
             .ground {{ fill: #1b1d21; stroke: #3a3e45; }}\n\
             .grid {{ stroke: #2d3036; }}\n\
             .axis {{ stroke: #7c828c; }}\n\
             {dark}}}\n\
             </style>"
        ),
    );
    let (width, height) = (WIDTH - 1.0, HEIGHT - 1.0);
    add(
        &mut svg,
        format_args!(
            "<rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{width}\" height=\"{height}\" \
             rx=\"6\"/>"
        ),
    );
    add(&mut svg, format_args!("<text class=\"title\" x=\"14\" y=\"26\">{title}</text>"));
    svg
}

/// Who is who, in one line below the title.
fn legend(svg: &mut String, grown: &Grown) {
    let mut across = 22.0;
    for (number, curve) in grown.curves.iter().enumerate() {
        marker(svg, number, across, 46.0, curve.name);
        text(svg, "start", across + 12.0, 50.5, curve.name);
        // About as wide as the letters are.
        across += 36.0 + 7.2 * curve.name.chars().count() as f64;
    }
}

/// A point of a curve; each has a shape of its own.
fn marker(svg: &mut String, number: usize, x: f64, y: f64, says: &str) {
    let colour = number % COLOURS.len();
    let shape = match number % 4 {
        0 => format!("<circle class=\"c{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\">"),
        1 => {
            let (x, y) = (x - 4.0, y - 4.0);
            format!("<rect class=\"c{colour}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"8\" height=\"8\">")
        }
        2 => format!("<path class=\"c{colour}\" d=\"M{x:.1} {:.1} l5 9 h-10 z\">", y - 5.5),
        _ => format!(
            "<path class=\"c{colour}\" d=\"M{x:.1} {:.1} l5.5 5.5 l-5.5 5.5 l-5.5 -5.5 z\">",
            y - 5.5
        ),
    };
    let end = match number % 4 {
        0 => "circle",
        1 => "rect",
        _ => "path",
    };
    add(svg, format_args!("{shape}<title>{}</title></{end}>", escaped(says)));
}

fn line(svg: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    add(
        svg,
        format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ),
    );
}

fn text(svg: &mut String, anchor: &str, x: f64, y: f64, says: &str) {
    let says = escaped(says);
    let place = format_args!("x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"").to_string();
    add(svg, format_args!("<text {place}>{says}</text>"));
}

fn add(svg: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(svg, "{line}");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::growth::{Curve, GROWTH, Growth};

    static GROWING: Growth = Growth { title: "Time & <more>", x: "tasks", ..GROWTH };

    fn picture(curves: Vec<Curve>) -> String {
        svg(&Grown { growth: &GROWING, curves })
    }

    /// Whether every element that begins ends, in the right order.
    fn is_well_formed(svg: &str) -> bool {
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or_default()) {
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
            if tag.starts_with('/') {
                if open.pop() != Some(name) {
                    return false;
                }
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        open.is_empty()
    }

    #[test]
    fn a_picture_has_a_point_for_each_figure_and_a_name_for_each_curve() {
        let ours = Curve { name: "ours", points: vec![(1, 400.0), (1_000, 60.0)] };
        let peer = Curve { name: "a peer", points: vec![(1_000, 90.0)] };
        let svg = picture(vec![ours, peer]);
        assert!(is_well_formed(&svg), "{svg}");
        assert!(svg.contains("Time &amp; &lt;more>"));
        // The points, and one in the legend.
        assert_eq!(svg.matches("<circle").count(), 3);
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert!(svg.contains("<title>ours: 60.00 at 1000</title>"));
        assert!(svg.contains("prefers-color-scheme: dark"));
    }

    #[test]
    fn a_picture_of_nothing_is_still_a_picture() {
        assert!(is_well_formed(&picture(Vec::new())));
        let one = Curve { name: "zero", points: vec![(1, 0.0)] };
        let svg = picture(vec![one]);
        assert!(is_well_formed(&svg) && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
