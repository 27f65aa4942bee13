//! Lines in a frame, as SVG: all that the report draws.

use std::fmt::Write;

use super::figure::number;

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 260.0;
/// Left, right, top, bottom: room for the labels.
const MARGINS: [f64; 4] = [64.0, 16.0, 16.0, 44.0];
/// Colours that are told apart by those who see colours differently (Okabe and Ito).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const TICKS: usize = 5;

/// How an axis runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Evenly, from zero.
    Linear,
    /// By powers.
    Logarithmic,
}

/// A plot.
#[derive(Debug)]
pub struct Plot {
    /// What stands under it.
    pub x: &'static str,
    /// What stands beside it.
    pub y: &'static str,
    /// How the horizontal axis runs.
    pub x_scale: Scale,
    /// Each line with its name.
    pub lines: Vec<(String, Vec<(f64, f64)>)>,
}

struct Axis {
    scale: Scale,
    least: f64,
    greatest: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn new(scale: Scale, values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let greatest = values.clone().fold(0.0, f64::max).max(1e-9);
        let least = match scale {
            Scale::Linear => 0.0,
            Scale::Logarithmic => values.filter(|value| *value > 0.0).fold(greatest, f64::min),
        };
        Self { scale, least, greatest, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let part = match self.scale {
            Scale::Linear => (value - self.least) / (self.greatest - self.least).max(1e-12),
            Scale::Logarithmic => {
                (value.max(self.least) / self.least).ln() / (self.greatest / self.least).ln().max(1e-12)
            }
        };
        self.from + part * (self.to - self.from)
    }

    #[expect(clippy::cast_precision_loss, reason = "there are five ticks")]
    fn ticks(&self) -> Vec<f64> {
        let part = |tick: usize| tick as f64 / (TICKS - 1) as f64;
        (0..TICKS)
            .map(|tick| match self.scale {
                Scale::Linear => self.least + part(tick) * (self.greatest - self.least),
                Scale::Logarithmic => self.least * (self.greatest / self.least).powf(part(tick)),
            })
            .collect()
    }
}

impl Plot {
    /// The plot as an `svg` element.
    pub fn svg(&self) -> String {
        let [left, right, top, bottom] = MARGINS;
        let points = || self.lines.iter().flat_map(|(_, points)| points);
        let x = Axis::new(self.x_scale, points().map(|(x, _)| *x), left, WIDTH - right);
        let y = Axis::new(Scale::Linear, points().map(|(_, y)| *y), HEIGHT - bottom, top);
        let mut svg =
            format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{} over {}\">", self.y, self.x);
        // Writing to a String cannot fail.
        for value in y.ticks() {
            let at = y.place(value);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{left}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - right,
                left - 6.0,
                at + 4.0,
                number(value)
            );
        }
        for value in x.ticks() {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                x.place(value),
                HEIGHT - bottom + 16.0,
                number(value)
            );
        }
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\
             <text transform=\"translate(12 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
            f64::midpoint(left, WIDTH - right),
            HEIGHT - 8.0,
            self.x,
            f64::midpoint(top, HEIGHT - bottom),
            self.y
        );
        for ((_, points), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let path: Vec<String> =
                points.iter().map(|(at, value)| format!("{:.1},{:.1}", x.place(*at), y.place(*value))).collect();
            let _ = write!(svg, "<polyline stroke=\"{colour}\" points=\"{}\"/>", path.join(" "));
            if points.len() <= 16 {
                for (at, value) in points {
                    let _ = write!(
                        svg,
                        "<circle r=\"3\" fill=\"{colour}\" cx=\"{:.1}\" cy=\"{:.1}\"/>",
                        x.place(*at),
                        y.place(*value)
                    );
                }
            }
        }
        svg.push_str("</svg>");
        svg
    }

    /// The names of the lines in their colours, as HTML.
    pub fn legend(&self) -> String {
        let names = self.lines.iter().zip(COLOURS.iter().cycle()).map(|((name, _), colour)| {
            format!("<span class=\"key\"><i style=\"background:{colour}\"></i>{}</span>", super::report::escape(name))
        });
        names.collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let lines = vec![("a".to_owned(), vec![(1.0, 0.0), (100.0, 10.0)])];
        let plot = Plot { x: "x", y: "y", x_scale: Scale::Logarithmic, lines };
        assert!(plot.svg().contains("points=\"64.0,216.0 504.0,16.0\""), "{}", plot.svg());
    }
}
