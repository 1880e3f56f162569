//! What may be said at every look: e-processes of each arm against the control.
//!
//! | Module | What |
//! | --- | --- |
//! | `rates` | the ratio of two rates, exactly |
//! | `values` | the ratio of two means, for large samples |
//! | `holm` | several arms at once |
//! | `mixture`, `curve` | alternatives with weights, and how their likelihoods are found quickly |
//!
//! Everything here is in the direction of improvement: a log ratio above 0 means that the arm is better than the control,
//! whichever way the metric counts.

pub(crate) mod curve;
pub(crate) mod holm;
mod mixture;
pub(crate) mod rates;
pub(crate) mod values;

use crate::metric::{Direction, Kind, Metric};
use crate::totals::{Cell, Totals};
use curve::Curve;
use mixture::Mixture;
use rates::{RateRatio, Split};
use values::ValueRatio;

/// The standard deviations of a log ratio, and how much each counts: small effects are common, large ones are found soon
/// anyway.
const DENSITIES: [(f64, f64); 4] = [(0.02, 0.1), (0.1, 0.3), (0.2, 0.3), (0.4, 0.3)];

/// What lifts are shrunken with: two of three changes of copy move a mean by less than a tenth, and a few by a lot. The
/// second part keeps those few from being told too small; with the first alone a lift of +100 % reads as +30 %.
const TYPICAL: [(f64, f64); 2] = [(0.1, 0.99), (0.5, 0.01)];

/// One arm and the control in one cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    /// The first one's share of what both share, above 0 and below 1.
    share: f64,
    one: Totals,
    other: Totals,
}

/// The logarithm of the two-sided e-value at which the one-sided p-value 1/(2E − 1) of "not better" is `level` over
/// `multiplicity`, the hypotheses that it answers for.
pub(crate) fn log_threshold(level: f64, multiplicity: f64) -> f64 {
    (0.5 * (1.0 + multiplicity / level)).ln()
}

/// The one-sided p-value 1/(2E − 1) of data that lie above.
pub(crate) fn one_sided(log_e_value: f64) -> f64 {
    let twice = 2.0 * log_e_value.exp() - 1.0;
    if twice > 1.0 { 1.0 / twice } else { 1.0 }
}

/// The evidence about one arm against the control.
#[derive(Clone, Debug)]
pub(crate) enum Ratio {
    Rates(RateRatio),
    Values(ValueRatio),
}

impl Ratio {
    /// The evidence of `cells` about `arm` against arm 0.
    pub(crate) fn new(cells: &[Cell], arm: usize, metric: Metric) -> Self {
        let pairs: Vec<Pair> =
            cells.iter().filter_map(|cell| Pair::new(cell, arm, metric.direction)).collect();
        match metric.kind {
            Kind::Binary => Self::Rates(RateRatio::new(pairs.iter().filter_map(Pair::split).collect())),
            Kind::Value { .. } => Self::Values(ValueRatio::new(pairs)),
        }
    }

    /// ln E against no difference; 0 without data.
    pub(crate) fn log_e_value(&self) -> f64 {
        match self {
            Self::Rates(ratio) => ratio.log_e_value(),
            Self::Values(ratio) => ratio.log_e_value(),
        }
    }

    /// Whether the data are on the side of improvement.
    pub(crate) fn is_above(&self) -> bool {
        match self {
            Self::Rates(ratio) => ratio.slope_at_one() > 0.0,
            Self::Values(ratio) => ratio.is_above(),
        }
    }

    /// The log ratios that are not refuted at an e-value of exp(`log_threshold`).
    pub(crate) fn log_ratio_limits(&self, log_threshold: f64) -> (f64, f64) {
        match self {
            Self::Rates(ratio) => ratio.log_ratio_limits(log_threshold),
            Self::Values(ratio) => ratio.log_ratio_limits(log_threshold),
        }
    }

    /// The mean log ratio, shrunken towards 0.
    pub(crate) fn mean_log_ratio(&self) -> f64 {
        match self {
            Self::Rates(ratio) => ratio.mean_log_ratio(),
            Self::Values(ratio) => ratio.mean_log_ratio(),
        }
    }
}

/// The claim that the log ratio is at least `border`, which data below it refute.
#[derive(Clone, Debug)]
pub(crate) struct AtLeast {
    border: f64,
    scale: f64,
    mixture: Mixture,
}

impl AtLeast {
    /// With alternatives of about `scale` below the border, which is within ± ln 4.
    pub(crate) fn new(border: f64, scale: f64) -> Self {
        Self { border, scale, mixture: Mixture::below(border, scale) }
    }

    /// The claim that an arm improves on the control by at least `lift`. No difference at all, which is as far away as the
    /// border, is where its alternatives are sharpest.
    pub(crate) fn worthwhile(lift: f64, direction: Direction) -> Self {
        let border = match direction {
            Direction::Maximize => lift.ln_1p(),
            Direction::Minimize => -(-lift).ln_1p(),
        };
        Self::new(border, border)
    }

    /// ln E against the claim.
    pub(crate) fn log_e_value(&self, ratio: &Ratio) -> f64 {
        match ratio {
            Ratio::Rates(ratio) => ratio.log_e_below(&self.mixture),
            Ratio::Values(ratio) => ratio.log_e_below(self.border, self.scale),
        }
    }

    /// The same of rates whose counts are a curve.
    pub(crate) fn log_e_value_of(&self, curve: &Curve) -> f64 {
        rates::log_e_below(curve, &self.mixture)
    }

    /// The log ratio from which on the claim holds.
    pub(crate) fn border(&self) -> f64 {
        self.border
    }
}

impl Pair {
    /// Nothing where one of the two had no share: it could not have been drawn.
    pub(crate) fn new(cell: &Cell, arm: usize, direction: Direction) -> Option<Self> {
        let (one, other) = match direction {
            Direction::Maximize => (arm, 0),
            Direction::Minimize => (0, arm),
        };
        let (mine, rest) = (cell.share(one), cell.share(other));
        (mine > 0.0 && rest > 0.0).then(|| Self {
            share: mine / (mine + rest),
            one: cell.totals()[one],
            other: cell.totals()[other],
        })
    }

    /// Nothing where neither was rewarded.
    pub(crate) fn split(&self) -> Option<Split> {
        let both = self.one.rewards + self.other.rewards;
        (both > 0.0).then_some(Split { share: self.share, arm: self.one.rewards, both })
    }
}
