//! Whether a verdict is worth to be asked for: most looks of most experiments show nothing, and an estimate of all arms is
//! dear.
//!
//! Each question is a condition without which [`crate::judge()`] sees no end, cheap ones first. That none of them passes an
//! end over is tested against the verdict at every look. Evidence about values is cheap to ask for as it is.

use crate::anytime::curve::{Curve, Share};
use crate::anytime::rates::Split;
use crate::anytime::{AtLeast, Pair, Ratio, holm, log_threshold, one_sided, rates};
use crate::design::Design;
use crate::estimate;
use crate::metric::Kind;
use crate::totals::Cell;

/// How far the evidence may lie above what a normal approximation says of it: with few rewards that is not exact.
const SLACK: f64 = 1.5;

/// The evidence about all arms.
pub(super) struct Evidence {
    design: Design,
    /// Of rates; of values it is asked at each look.
    variants: Vec<Variant>,
    worthwhile: Option<AtLeast>,
}

/// What is asked of the evidence about one variant.
trait Shown {
    /// The p-value of "not better than the control"; 1 where it can't be small enough for any verdict.
    fn p_value(&self, enough: f64) -> f64;
    /// Whether it may be shown to be worse.
    fn is_below(&self, enough: f64) -> bool;
    /// Whether it refutes `claim`.
    fn refutes(&self, claim: &AtLeast, enough: f64) -> bool;
}

/// That about the rate of one variant.
struct Variant {
    curve: Curve,
    /// Against equal rates.
    even: Score,
    /// Against the worthwhile lift.
    worthwhile: Score,
}

impl Evidence {
    /// Before the first exposure.
    pub(super) fn new(design: &Design) -> Self {
        let direction = design.metric().direction;
        let lift = design.stopping().worthwhile_lift();
        let worthwhile = lift.map(|lift| AtLeast::worthwhile(lift, direction));
        let border = worthwhile.as_ref().map_or(0.0, AtLeast::border);
        let variant = |_| Variant { curve: Curve::ZERO, even: Score::at(0.0), worthwhile: Score::at(border) };
        Self {
            design: design.clone(),
            variants: design.arms()[1..].iter().map(variant).collect(),
            worthwhile,
        }
    }

    /// Adds what was counted.
    pub(super) fn add(&mut self, cell: &Cell) {
        if self.design.metric().kind != Kind::Binary {
            return;
        }
        let direction = self.design.metric().direction;
        for (index, variant) in self.variants.iter_mut().enumerate() {
            if let Some(split) = Pair::new(cell, index + 1, direction).and_then(|pair| pair.split()) {
                variant.add(&split);
            }
        }
    }

    /// Whether the verdict may be an end.
    pub(super) fn may_end(&self, cells: impl Fn() -> Vec<Cell>) -> bool {
        match self.design.metric().kind {
            Kind::Binary => self.is_end(&self.variants, cells),
            Kind::Value { .. } => {
                let cells = cells();
                let variants = 1..self.design.arms().len();
                let ratio = |arm| Ratio::new(&cells, arm, self.design.metric());
                self.is_end(&variants.map(ratio).collect::<Vec<_>>(), || cells.clone())
            }
        }
    }

    fn is_end<S: Shown>(&self, variants: &[S], cells: impl Fn() -> Vec<Cell>) -> bool {
        let better = self.better(variants);
        (better.contains(&true) && self.may_win(&better, &cells()))
            || variants.iter().all(|variant| variant.is_below(self.enough()))
            || self.is_nothing_worthwhile(variants)
    }

    /// What the evidence about a variant has to reach at least: among several it may be more.
    fn enough(&self) -> f64 {
        log_threshold(self.design.stopping().level(1), 1.0)
    }

    /// Which variants are shown to be better than the control, as [`crate::estimate()`] says it.
    fn better<S: Shown>(&self, variants: &[S]) -> Vec<bool> {
        let level = self.design.stopping().level(1);
        let p_values: Vec<f64> = variants.iter().map(|variant| variant.p_value(self.enough())).collect();
        let steps = holm::steps(&p_values, level);
        steps.iter().map(|step| step.adjusted <= level).collect()
    }

    /// Whether the leader is one of those that are better, and loses little.
    fn may_win(&self, better: &[bool], cells: &[Cell]) -> bool {
        let (leader, relative_loss) = estimate::leader(cells, &self.design);
        leader > 0 && better[leader - 1] && relative_loss <= self.design.stopping().maximum_loss()
    }

    fn is_nothing_worthwhile<S: Shown>(&self, variants: &[S]) -> bool {
        let Some(claim) = &self.worthwhile else { return false };
        let enough = -self.design.stopping().alpha().ln();
        variants.iter().all(|variant| variant.refutes(claim, enough))
    }
}

impl Variant {
    fn add(&mut self, split: &Split) {
        self.curve.add(&Share::new(split.share), split.arm, split.both);
        self.even.add(split);
        self.worthwhile.add(split);
    }
}

impl Shown for Variant {
    fn p_value(&self, enough: f64) -> f64 {
        if self.even.may_be_above(enough) { one_sided(rates::log_e_value(&self.curve)) } else { 1.0 }
    }

    fn is_below(&self, enough: f64) -> bool {
        self.even.may_be_below(enough) && rates::log_e_value(&self.curve) >= enough
    }

    fn refutes(&self, claim: &AtLeast, enough: f64) -> bool {
        self.worthwhile.may_be_below(enough) && claim.log_e_value_of(&self.curve) >= enough
    }
}

impl Shown for Ratio {
    fn p_value(&self, _enough: f64) -> f64 {
        if self.is_above() { one_sided(self.log_e_value()) } else { 1.0 }
    }

    fn is_below(&self, enough: f64) -> bool {
        !self.is_above() && self.log_e_value() >= enough
    }

    fn refutes(&self, claim: &AtLeast, enough: f64) -> bool {
        claim.log_e_value(self) >= enough
    }
}

/// The slope of the log likelihood at a log ratio, and its information there: the square of the one over twice the other is
/// about the most that it rises above its value there (Rao 1948).
struct Score {
    ratio: f64,
    slope: f64,
    information: f64,
}

impl Score {
    fn at(log_ratio: f64) -> Self {
        Self { ratio: log_ratio.exp(), slope: 0.0, information: 0.0 }
    }

    fn add(&mut self, split: &Split) {
        let chance = split.share * self.ratio / (1.0 + split.share * (self.ratio - 1.0));
        self.slope += split.arm - split.both * chance;
        self.information += split.both * chance * (1.0 - chance);
    }

    fn may_be_above(&self, enough: f64) -> bool {
        self.slope > 0.0 && self.reaches(enough)
    }

    fn may_be_below(&self, enough: f64) -> bool {
        self.slope < 0.0 && self.reaches(enough)
    }

    fn reaches(&self, enough: f64) -> bool {
        SLACK * self.slope * self.slope >= 2.0 * enough * self.information
    }
}
