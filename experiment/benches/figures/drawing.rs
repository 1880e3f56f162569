//! Lines, areas, marks and words as SVG.
//!
//! The ground is white, since an image does not learn whether the page around it is dark. The colors are those of Okabe
//! and Ito, which color-blind people tell apart, and no color is alone in saying something: marks and dashes differ too.

use std::fmt::Write as _;

/// Our methods.
pub(crate) const OURS: &str = "#0072b2";
/// The ordinary interval.
pub(crate) const ORDINARY: &str = "#d55e00";
/// Words, and whatever is neither ours nor ordinary.
pub(crate) const INK: &str = "#222222";
/// What stands behind.
pub(crate) const FAINT: &str = "#d0d0d0";

const WIDTH: f64 = 760.0;
const TITLE: f64 = 16.0;

/// From the left and from the top, in pixels.
pub(crate) type Place = (f64, f64);

/// A picture with a title, and what it shows in words.
pub(crate) struct Drawing {
    height: f64,
    title: String,
    told: String,
    body: String,
}

/// How a line is drawn.
#[derive(Clone, Copy)]
pub(crate) struct Stroke {
    pub(crate) color: &'static str,
    pub(crate) width: f64,
    pub(crate) dashed: bool,
}

/// How words are written.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    pub(crate) color: &'static str,
    pub(crate) anchor: Anchor,
    pub(crate) bold: bool,
}

/// Which part of the words is at the place.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// The shape of a point.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    Disk,
    Square,
}

impl Stroke {
    pub(crate) const GRID: Self = Self { color: FAINT, width: 1.0, dashed: false };

    pub(crate) const fn solid(color: &'static str, width: f64) -> Self {
        Self { color, width, dashed: false }
    }

    pub(crate) const fn dashed(color: &'static str, width: f64) -> Self {
        Self { color, width, dashed: true }
    }
}

impl Words {
    pub(crate) const PLAIN: Self = Self { color: INK, anchor: Anchor::Start, bold: false };
    pub(crate) const CENTERED: Self = Self { anchor: Anchor::Middle, ..Self::PLAIN };
    pub(crate) const HEADING: Self = Self { bold: true, ..Self::PLAIN };
    pub(crate) const BEFORE: Self = Self { anchor: Anchor::End, ..Self::PLAIN };

    /// Of a line or a mark in `color`.
    pub(crate) const fn naming(color: &'static str) -> Self {
        Self { color, anchor: Anchor::Start, bold: true }
    }
}

impl Drawing {
    /// A white ground with a title of one or two lines.
    pub(crate) fn new(height: f64, title: &[&str]) -> Self {
        let mut drawing = Self { height, title: title.join(" "), told: String::new(), body: String::new() };
        for (line, words) in title.iter().enumerate() {
            let (y, words) = (26.0 + 21.0 * line as f64, escaped(words));
            drawing.add(&format!(
                r#"<text x="16" y="{}" font-size="{TITLE}" font-weight="bold" fill="{INK}">{words}</text>"#,
                tenths(y)
            ));
        }
        drawing
    }

    /// Tells in words what is drawn, for those who can't see it and for those who quote it.
    pub(crate) fn tell(&mut self, sentence: &str) {
        if !self.told.is_empty() {
            self.told.push(' ');
        }
        self.told.push_str(sentence);
    }

    /// What was told.
    pub(crate) fn told(&self) -> &str {
        &self.told
    }

    pub(crate) fn words(&mut self, (x, y): Place, words: &str, style: Words) {
        let Words { color, anchor, bold } = style;
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if bold { r#" font-weight="bold""# } else { "" };
        let (x, y, words) = (tenths(x), tenths(y), escaped(words));
        self.add(&format!(
            r#"<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{color}"{weight}>{words}</text>"#
        ));
    }

    pub(crate) fn line(&mut self, from: Place, to: Place, stroke: Stroke) {
        self.path(&[from, to], stroke);
    }

    pub(crate) fn path(&mut self, places: &[Place], stroke: Stroke) {
        let Stroke { color, width, dashed } = stroke;
        let dashes = if dashed { r#" stroke-dasharray="6 4""# } else { "" };
        let points = points(places);
        self.add(&format!(
            r#"<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}"{dashes}/>"#
        ));
    }

    /// What lies between an upper and a lower border, both from left to right.
    pub(crate) fn between(&mut self, upper: &[Place], lower: &[Place], color: &str, opacity: f64) {
        let outline: Vec<Place> = upper.iter().chain(lower.iter().rev()).copied().collect();
        let points = points(&outline);
        self.add(&format!(r#"<polygon points="{points}" fill="{color}" fill-opacity="{opacity}"/>"#));
    }

    pub(crate) fn mark(&mut self, (x, y): Place, mark: Mark, color: &str) {
        let element = match mark {
            Mark::Disk => {
                format!(r#"<circle cx="{}" cy="{}" r="4.5" fill="{color}"/>"#, tenths(x), tenths(y))
            }
            Mark::Square => format!(
                r##"<rect x="{}" y="{}" width="8" height="8" fill="#ffffff" stroke="{color}" stroke-width="2"/>"##,
                tenths(x - 4.0),
                tenths(y - 4.0)
            ),
        };
        self.add(&element);
    }

    /// The file.
    pub(crate) fn svg(&self) -> String {
        let Self { height, title, told, body } = self;
        let (title, told) = (escaped(title), escaped(told));
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title told" font-family="system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12.5">
<title id="title">{title}</title>
<desc id="told">{told}</desc>
<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>
{body}</svg>
"##
        )
    }

    fn add(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

fn points(places: &[Place]) -> String {
    places.iter().fold(String::new(), |mut points, &(x, y)| {
        let gap = if points.is_empty() { "" } else { " " };
        write!(points, "{gap}{},{}", tenths(x), tenths(y)).expect("a string takes everything");
        points
    })
}

/// To a tenth of a pixel, so that the last digits of a sum do not change a file.
fn tenths(place: f64) -> f64 {
    // Adding zero turns −0 into 0.
    (10.0 * place).round() / 10.0 + 0.0
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
