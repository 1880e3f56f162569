//! The any-time test of one arm against the control: an e-process for the ratio of their rates.
//!
//! Given that one of the two arms was rewarded in a cell where they had shares e and e₀, the chance that it was the arm
//! is πθ/(πθ+1−π) with π = e/(e+e₀) and θ the ratio of the rates: the rate that both share, and its trend, drop out.
//! With S rewards of the arm and T of both in a cell, the conditional log likelihood is
//!
//! ```text
//! ℓ(θ) = Σ_cells S ln θ − T ln(πθ + 1 − π),     ℓ(1) = 0
//! ```
//!
//! and E(θ₀) = Σⱼ wⱼ exp(ℓ(θⱼ) − ℓ(θ₀)), for fixed weights that sum to one, has mean at most one under θ₀ at every time
//! at which one may choose to look (Ville 1939; Robbins 1970; Lindon & Malek 2022 for the conditional form). The
//! derivation and its limits are in `docs/design/verdicts.md`.

use std::sync::LazyLock;

use super::curve::{Curve, Share, WIDEST};
use super::mixture::{Likelihoods, Mixture, normalized};
use super::{DENSITIES, TYPICAL};

/// The largest log ratio that is looked at for a limit. Beyond e⁴⁰ the ratio of two rates is called infinite.
const FARTHEST: f64 = 40.0;

/// Counts of two arms, cell by cell, under known shares: rewards of an arm and the control, or decisions for an arm and
/// for all others.
#[derive(Clone, Debug)]
pub(crate) struct RateRatio {
    splits: Vec<Split>,
    curve: Curve,
    likelihoods: Likelihoods,
    log_mixture: f64,
}

/// Counts of one cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    /// π, the arm's share of what both share, above 0 and below 1.
    pub(crate) share: f64,
    /// S
    pub(crate) arm: f64,
    /// T
    pub(crate) both: f64,
}

impl Split {
    /// What the cell adds to the slope of ℓ at θ = 1.
    pub(crate) fn slope_at_one(&self) -> f64 {
        self.arm - self.both * self.share
    }
}

impl RateRatio {
    /// The evidence of `splits`.
    pub(crate) fn new(splits: Vec<Split>) -> Self {
        let mut curve = Curve::ZERO;
        for split in &splits {
            curve.add(&Share::new(split.share), split.arm, split.both);
        }
        let mixture = &GRID.mixture;
        let likelihoods = mixture.likelihoods(&curve);
        let log_mixture = mixture.log_mean(&likelihoods);
        Self { splits, curve, likelihoods, log_mixture }
    }

    /// ln E(1), the evidence against equal rates. 0 without rewards.
    pub(crate) fn log_e_value(&self) -> f64 {
        self.log_mixture
    }

    /// The mean of ln θ after the data, from the prior of typical lifts: shrunken towards no difference.
    pub(crate) fn mean_log_ratio(&self) -> f64 {
        let Grid { mixture, shrinking } = &*GRID;
        mixture.posterior_mean(&self.likelihoods, shrinking)
    }

    /// The slope of ℓ at θ = 1: above 0 where the likelihood is largest at a ratio above 1.
    pub(crate) fn slope_at_one(&self) -> f64 {
        self.splits.iter().map(Split::slope_at_one).sum()
    }

    /// ln E against "the log ratio is at least `null`", from a mixture on the ratios below.
    pub(crate) fn log_e_below(&self, null: &Mixture) -> f64 {
        null.log_mean(&null.likelihoods(&self.curve)) - self.at(null.border).0
    }

    /// The confidence sequence {ln θ₀ : ln E(θ₀) < `log_threshold`}, an interval because ℓ is concave; infinite where the
    /// arm or the control has no reward to bound it.
    pub(crate) fn log_ratio_limits(&self, log_threshold: f64) -> (f64, f64) {
        let target = self.log_mixture - log_threshold;
        let series = self.curve.series();
        let places = GRID.mixture.places();
        let (first, last) = self.likelihoods.above(target).unwrap_or((0, places.len() - 1));
        let within = |place: usize| reach(|place| series.at(place), places[place], target);
        let low = if first > 0 { within(first - 1) } else { self.reach_beyond(-FARTHEST, target) };
        let high =
            if last + 1 < places.len() { within(last + 1) } else { self.reach_beyond(FARTHEST, target) };
        (low, high)
    }

    /// A limit that may lie outside the places of the mixture, or nowhere.
    fn reach_beyond(&self, far: f64, target: f64) -> f64 {
        if self.at(far).0 > target {
            far.signum() * f64::INFINITY
        } else {
            reach(|place| self.at(place), far, target)
        }
    }

    /// ℓ and dℓ/d ln θ.
    fn at(&self, log_ratio: f64) -> (f64, f64) {
        let (ratio, excess) = (log_ratio.exp(), log_ratio.exp_m1());
        self.splits.iter().fold((0.0, 0.0), |(value, slope), split| {
            let Split { share, arm, both } = split;
            let expected = both * share * ratio / (1.0 + share * excess);
            (value + arm * log_ratio - both * (share * excess).ln_1p(), slope + arm - expected)
        })
    }
}

/// ln E(1) alone of a curve of counts.
pub(crate) fn log_e_value(curve: &Curve) -> f64 {
    GRID.mixture.log_mean(&GRID.mixture.likelihoods(curve))
}

/// ln E alone against "the log ratio is at least `null`" of a curve of counts.
pub(crate) fn log_e_below(curve: &Curve, null: &Mixture) -> f64 {
    null.log_mean(&null.likelihoods(curve)) - curve.series().at(null.border).0
}

/// Newton's method from outside: tangents lie above a concave function, so no step passes the place where it reaches
/// `target`, and the steps can end anywhere without leaving an interval too narrow.
fn reach(at: impl Fn(f64) -> (f64, f64), outside: f64, target: f64) -> f64 {
    let mut place = outside;
    for _ in 0..100 {
        let (value, slope) = at(place);
        let step = (target - value) / slope;
        place += step;
        if step.abs() <= 1e-12 * place.abs().max(1.0) {
            break;
        }
    }
    place
}

/// Points on each side of the null.
const SIDE: i32 = 200;

/// The finest spacing of log ratios, at the null. An even grid as coarse as 0.02 can't reject a true +1 % however much
/// data there is, since no point of it fits better than the null does.
const FINEST: f64 = 0.0005;

struct Grid {
    mixture: Mixture,
    /// The weights of the prior that lifts are shrunken with, at the same points.
    shrinking: Vec<f64>,
}

/// 401 log ratios in ±ln 4, spaced as sinh, weighted by a mixture of four normal densities.
static GRID: LazyLock<Grid> = LazyLock::new(|| {
    // WIDEST · sinh(rate·i)/sinh(rate·SIDE) has its finest step `FINEST` at i = 1.
    let steps = f64::from(SIDE);
    let rate = bisect(1e-3, 1.0, |rate| WIDEST * rate.sinh() / (rate * steps).sinh() > FINEST);
    let scale = WIDEST / (rate * steps).sinh();
    let indices: Vec<f64> = (-SIDE..=SIDE).map(f64::from).collect();
    let places: Vec<f64> = indices.iter().map(|index| scale * (rate * index).sinh()).collect();
    let spacings: Vec<f64> = indices.iter().map(|index| scale * rate * (rate * index).cosh()).collect();
    let weights = |densities: &[(f64, f64)]| -> Vec<f64> {
        places.iter().zip(&spacings).map(|(&place, spacing)| spacing * density(densities, place)).collect()
    };
    let (alternatives, typical) = (weights(&DENSITIES), weights(&TYPICAL));
    Grid { mixture: Mixture::new(0.0, places, alternatives), shrinking: normalized(typical) }
});

fn density(densities: &[(f64, f64)], log_ratio: f64) -> f64 {
    let normal = |deviation: f64| (-0.5 * (log_ratio / deviation).powi(2)).exp() / deviation;
    densities.iter().map(|&(deviation, part)| part * normal(deviation)).sum()
}

/// Where `holds` stops to hold, if it does so once between `low` and `high`.
fn bisect(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (low, high) = (0..60).fold((low, high), |(low, high), _| {
        let middle = 0.5 * (low + high);
        if holds(middle) { (middle, high) } else { (low, middle) }
    });
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(splits: &[(f64, f64, f64)]) -> RateRatio {
        let split = |&(share, arm, control)| Split { share, arm, both: arm + control };
        RateRatio::new(splits.iter().map(split).collect())
    }

    #[test]
    fn the_mixture_is_a_distribution_on_the_grid_that_it_promises() {
        let places: Vec<f64> = GRID.mixture.places().to_vec();
        assert_eq!(places.len(), 401);
        assert!((places[400] - 4_f64.ln()).abs() < 1e-12);
        assert!((places[201] - places[200] - FINEST).abs() < 1e-12);
        assert!((GRID.shrinking.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(ratio(&[]).log_e_value().abs() < 1e-12);
    }

    #[test]
    fn one_reward_more_changes_the_evidence_by_a_fair_bet() {
        // Under θ = 1 the next reward is the arm's with chance π: the mean of the next E is the present E, exactly.
        for (share, arm, control) in
            [(0.5, 0.0, 0.0), (0.01, 3.0, 90.0), (0.99, 500.0, 2.0), (0.3, 4000.0, 9000.0)]
        {
            let e_value = |arm, control| ratio(&[(share, arm, control)]).log_e_value();
            let now = e_value(arm, control);
            let next = share * (e_value(arm + 1.0, control) - now).exp()
                + (1.0 - share) * (e_value(arm, control + 1.0) - now).exp();
            assert!((next - 1.0).abs() < 1e-9, "{share} {arm} {control}: {next}");
        }
    }

    #[test]
    fn without_rewards_nothing_is_known() {
        let nothing = ratio(&[]);
        assert!(nothing.log_e_value().abs() < 1e-12);
        assert!(nothing.mean_log_ratio().abs() < 1e-12);
        assert_eq!(nothing.log_ratio_limits(3.0), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn merging_cells_of_equal_shares_changes_nothing() {
        let apart = ratio(&[(0.3, 40.0, 70.0), (0.3, 25.0, 61.0), (0.8, 90.0, 13.0)]);
        let merged = ratio(&[(0.8, 90.0, 13.0), (0.3, 65.0, 131.0)]);
        assert!((apart.log_e_value() - merged.log_e_value()).abs() < 1e-12);
    }

    #[test]
    fn a_small_effect_is_found_when_there_is_enough_data() {
        // +1 % at 10⁷ rewards; an independent computation on the same design says ln E = 119 on this grid.
        let log_e_value = ratio(&[(0.5, 5_024_876.0, 4_975_124.0)]).log_e_value();
        assert!((115.0..125.0).contains(&log_e_value), "{log_e_value}");
    }

    #[test]
    fn an_arm_without_a_reward_has_no_lower_limit() {
        let (lower, upper) = ratio(&[(0.5, 0.0, 200.0)]).log_ratio_limits(3.0);
        assert!(lower.is_infinite() && upper < 0.0);
        let (lower, upper) = ratio(&[(0.5, 200.0, 0.0)]).log_ratio_limits(3.0);
        assert!(lower > 0.0 && upper.is_infinite());
    }

    #[test]
    fn limits_are_where_the_evidence_reaches_the_threshold() {
        for splits in
            [vec![(0.5, 30.0, 20.0)], vec![(0.01, 3.0, 700.0), (0.9, 800.0, 60.0)], vec![(0.2, 1e6, 4e6)]]
        {
            let ratio = ratio(&splits);
            let (lower, upper) = ratio.log_ratio_limits(3.0);
            for limit in [lower, upper] {
                let log_e_value = ratio.log_e_value() - ratio.at(limit).0;
                assert!((log_e_value - 3.0).abs() < 1e-6, "{splits:?}: {limit} has {log_e_value}");
            }
        }
    }

    #[test]
    fn the_one_sided_mixture_is_fair_at_its_border_and_below_one_beyond() {
        // One reward, and the chance of each outcome under a ratio that is as large as the border, or larger.
        let null = Mixture::below(0.1_f64.ln_1p(), 0.1_f64.ln_1p());
        let mean = |theta: f64| {
            let chance = 0.3 * theta / (0.3 * theta + 0.7);
            chance * ratio(&[(0.3, 1.0, 0.0)]).log_e_below(&null).exp()
                + (1.0 - chance) * ratio(&[(0.3, 0.0, 1.0)]).log_e_below(&null).exp()
        };
        assert!((mean(1.1) - 1.0).abs() < 1e-12);
        assert!(mean(1.2) < 1.0 && mean(2.0) < mean(1.2) && mean(1.0) > 1.0);
    }
}
