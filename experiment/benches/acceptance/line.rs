//! A figure with its error, the naive method's, and what was asked.

use std::fmt;

/// One measured figure.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) what: String,
    pub(crate) figure: f64,
    /// One standard error of the simulation.
    pub(crate) error: f64,
    /// What the naive method gives in the same worlds.
    pub(crate) naive: Option<f64>,
    pub(crate) bound: Bound,
}

/// What a figure must keep.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
    Within(f64, f64),
    /// Nothing was asked; the figure is told beside others.
    Told,
}

impl Line {
    /// A share of worlds, in percent.
    pub(crate) fn share(what: impl Into<String>, hits: &[bool], bound: Bound) -> Self {
        let (figure, error) = percent(hits);
        Self { what: what.into(), figure, error, naive: None, bound }
    }

    /// A median over worlds, with the error of its distribution-free confidence limits.
    pub(crate) fn median(what: impl Into<String>, values: &[f64], bound: Bound) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let n = sorted.len();
        let at = |place: f64| sorted[(place.max(0.0) as usize).min(n - 1)];
        let half = 0.5 * (n as f64).sqrt();
        let middle = 0.5 * n as f64;
        let error = 0.5 * (at(middle + half) - at(middle - half));
        Self { what: what.into(), figure: at(middle), error, naive: None, bound }
    }

    /// A mean over worlds.
    pub(crate) fn mean(what: impl Into<String>, values: &[f64], bound: Bound) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self { what: what.into(), figure: mean, error: (variance / n).sqrt(), naive: None, bound }
    }

    pub(crate) fn beside(self, naive: f64) -> Self {
        Self { naive: Some(naive), ..self }
    }

    pub(crate) fn holds(&self) -> bool {
        self.holds_within(0.0)
    }

    /// Whether the figure keeps its bound, give or take so many standard errors.
    pub(crate) fn holds_within(&self, errors: f64) -> bool {
        let slack = errors * self.error;
        match self.bound {
            Bound::AtLeast(least) => self.figure >= least - slack,
            Bound::AtMost(most) => self.figure <= most + slack,
            Bound::Within(least, most) => (least - slack..=most + slack).contains(&self.figure),
            Bound::Told => true,
        }
    }
}

/// The share that is true, in percent, and its standard error (of at least one world, so that none is not certainty).
pub(crate) fn percent(hits: &[bool]) -> (f64, f64) {
    let n = hits.len() as f64;
    let p = hits.iter().filter(|&&hit| hit).count() as f64 / n;
    (100.0 * p, 100.0 * (p * (1.0 - p) / n).sqrt().max(0.5 / n))
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, figure, error, naive, bound } = self;
        let digits = if figure.abs() >= 1000.0 { 0 } else { 2 };
        write!(f, "   {what:<63} {figure:>9.digits$} {error:>8.digits$}")?;
        match naive {
            Some(naive) => write!(f, " {naive:>9.digits$}")?,
            None => write!(f, " {:>9}", "")?,
        }
        match bound {
            Bound::AtLeast(least) => write!(f, "   ≥ {}", short(*least))?,
            Bound::AtMost(most) => write!(f, "   ≤ {}", short(*most))?,
            Bound::Within(least, most) => write!(f, "   {} to {}", short(*least), short(*most))?,
            Bound::Told => {}
        }
        f.write_str(if self.holds() { "" } else { "   MISSED" })
    }
}

/// A bound with two digits after the point, if it needs them.
fn short(bound: f64) -> f64 {
    (100.0 * bound).round() / 100.0
}
