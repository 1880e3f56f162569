//! A line of the table.

use std::fmt;

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// A figure beside its bound.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) figure: f64,
    /// What the figure was made of, in the row's own unit.
    pub(crate) ours: f64,
    pub(crate) peer: f64,
    pub(crate) bound: Bound,
}

impl Line {
    pub(crate) fn holds(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.figure >= least,
            Bound::AtMost(most) => self.figure <= most,
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, figure, ours, peer, bound } = self;
        write!(f, "   {what:<63} {figure:>8.2} {ours:>9.1} {peer:>9.1}   ")?;
        match bound {
            Bound::AtLeast(least) => write!(f, "≥ {least}")?,
            Bound::AtMost(most) => write!(f, "≤ {most}")?,
        }
        if self.holds() { Ok(()) } else { f.write_str("   MISSED") }
    }
}

/// The middle one.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
