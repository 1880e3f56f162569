//! Whether a verdict is worth to be asked for: most looks of most experiments show nothing, and an estimate of all arms is
//! dear.
//!
//! Each question is a condition without which [`crate::judge()`] sees no end, cheap ones first. That none of them passes an
//! end over is tested against the verdict at every look.

use crate::anytime::curve::{Curve, Share};
use crate::anytime::rates::Split;
use crate::anytime::{AtLeast, Pair, holm, log_threshold, one_sided, rates};
use crate::design::Design;
use crate::estimate;
use crate::totals::Cell;

/// How far the evidence may lie above what a normal approximation says of it: with few rewards that is not exact.
const SLACK: f64 = 1.5;

/// The evidence about all arms.
pub(super) struct Evidence {
    design: Design,
    variants: Vec<Variant>,
    worthwhile: Option<AtLeast>,
}

/// That about one variant.
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
        let direction = self.design.metric().direction;
        for (index, variant) in self.variants.iter_mut().enumerate() {
            if let Some(split) = Pair::new(cell, index + 1, direction).and_then(|pair| pair.split()) {
                variant.add(&split);
            }
        }
    }

    /// Whether the verdict may be an end.
    pub(super) fn may_end(&self, cells: impl Fn() -> Vec<Cell>) -> bool {
        let better = self.better();
        (better.contains(&true) && self.may_win(&better, &cells()))
            || self.variants.iter().all(|variant| variant.is_below(self.enough()))
            || self.is_nothing_worthwhile()
    }

    /// What the evidence about a variant has to reach at least: among several it may be more.
    fn enough(&self) -> f64 {
        log_threshold(self.design.stopping().level(1), 1.0)
    }

    /// Which variants are shown to be better than the control, as [`crate::estimate()`] says it.
    fn better(&self) -> Vec<bool> {
        let level = self.design.stopping().level(1);
        let p_values: Vec<f64> = self.variants.iter().map(|variant| variant.p_value(self.enough())).collect();
        let steps = holm::steps(&p_values, level);
        steps.iter().map(|step| step.adjusted <= level).collect()
    }

    /// Whether the leader is one of those that are better, and loses little.
    fn may_win(&self, better: &[bool], cells: &[Cell]) -> bool {
        let (leader, relative_loss) = estimate::leader(cells, &self.design);
        leader > 0 && better[leader - 1] && relative_loss <= self.design.stopping().maximum_loss()
    }

    fn is_nothing_worthwhile(&self) -> bool {
        let Some(claim) = &self.worthwhile else { return false };
        let enough = -self.design.stopping().alpha().ln();
        self.variants.iter().all(|variant| {
            variant.worthwhile.may_be_below(enough) && claim.log_e_value_of(&variant.curve) >= enough
        })
    }
}

impl Variant {
    fn add(&mut self, split: &Split) {
        self.curve.add(&Share::new(split.share), split.arm, split.both);
        self.even.add(split);
        self.worthwhile.add(split);
    }

    /// Of "not better than the control"; 1 where it can't be small enough for any verdict.
    fn p_value(&self, enough: f64) -> f64 {
        if self.even.may_be_above(enough) { one_sided(rates::log_e_value(&self.curve)) } else { 1.0 }
    }

    fn is_below(&self, enough: f64) -> bool {
        self.even.may_be_below(enough) && rates::log_e_value(&self.curve) >= enough
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
