//! From values to pixels, and the lines that say so.

use super::drawing::{Drawing, Place, Stroke, Words};

/// Where values lie on one side of a frame.
#[derive(Clone, Copy)]
pub(crate) struct Axis {
    /// The values at both ends.
    values: (f64, f64),
    /// The pixels at both ends.
    pixels: (f64, f64),
    /// What makes distances alike.
    spacing: Spacing,
}

#[derive(Clone, Copy)]
enum Spacing {
    Even,
    Logarithmic,
}

impl Axis {
    pub(crate) fn even(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Self { values, pixels, spacing: Spacing::Even }
    }

    pub(crate) fn logarithmic(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Self { values, pixels, spacing: Spacing::Logarithmic }
    }

    /// The pixel of a value; of one outside, that of the nearer end.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let spaced = |value: f64| match self.spacing {
            Spacing::Even => value,
            Spacing::Logarithmic => value.ln(),
        };
        let (from, to) = (spaced(self.values.0), spaced(self.values.1));
        let part = ((spaced(value) - from) / (to - from)).clamp(0.0, 1.0);
        self.pixels.0 + part * (self.pixels.1 - self.pixels.0)
    }
}

/// An axis to the right and one upwards.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) x: Axis,
    pub(crate) y: Axis,
}

impl Frame {
    pub(crate) fn at(&self, x: f64, y: f64) -> Place {
        (self.x.at(x), self.y.at(y))
    }

    /// A line upwards and a label below for each of `ticks`, and a name under them.
    pub(crate) fn label_x(&self, drawing: &mut Drawing, ticks: &[(f64, String)], name: &str) {
        let (bottom, top) = self.y.pixels;
        for (value, label) in ticks {
            let x = self.x.at(*value);
            drawing.line((x, bottom), (x, top), Stroke::GRID);
            drawing.words((x, bottom + 17.0), label, Words::CENTERED);
        }
        let middle = 0.5 * (self.x.pixels.0 + self.x.pixels.1);
        drawing.words((middle, bottom + 37.0), name, Words::CENTERED);
    }

    /// A line to the right and a label before it for each of `ticks`, and a name over them.
    pub(crate) fn label_y(&self, drawing: &mut Drawing, ticks: &[(f64, String)], name: &str) {
        let (left, right) = self.x.pixels;
        for (value, label) in ticks {
            let y = self.y.at(*value);
            drawing.line((left, y), (right, y), Stroke::GRID);
            drawing.words((left - 8.0, y + 4.5), label, Words::BEFORE);
        }
        drawing.words((16.0, self.y.pixels.1 - 14.0), name, Words::PLAIN);
    }
}

/// Labels in percent.
pub(crate) fn in_percent(ticks: &[f64]) -> Vec<(f64, String)> {
    ticks.iter().map(|&tick| (tick, format!("{tick} %"))).collect()
}

/// Labels in percent with a sign.
pub(crate) fn as_lift(ticks: &[f64]) -> Vec<(f64, String)> {
    let sign = |tick: f64| if tick > 0.0 { "+" } else { "" };
    ticks.iter().map(|&tick| (tick, format!("{}{tick} %", sign(tick)).replace('-', "−"))).collect()
}

/// A whole number in groups of three digits.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let first = digits.len() % 3;
    let groups =
        digits.as_bytes()[first..].chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let first = (first > 0).then(|| digits[..first].to_owned());
    first.into_iter().chain(groups).collect::<Vec<String>>().join(" ")
}
