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

use crate::totals::Cell;

/// The largest log ratio that is looked at for a limit. Beyond e⁴⁰ the ratio of two rates is called infinite.
const FARTHEST: f64 = 40.0;

/// One arm against the control: the rewards of each cell in which both could be drawn.
#[derive(Clone, Debug)]
pub(crate) struct RateRatio {
    splits: Vec<Split>,
    /// ln Σⱼ wⱼ exp ℓ(θⱼ), which is ln E(1).
    log_mixture: f64,
    mean_log_ratio: f64,
}

/// Rewards of one cell.
#[derive(Clone, Copy, Debug)]
struct Split {
    /// π, the arm's share of the pair's share.
    share: f64,
    arm: f64,
    both: f64,
}

impl RateRatio {
    /// The evidence of `cells` about `arm` against arm 0.
    pub(crate) fn new(cells: &[Cell], arm: usize) -> Self {
        let splits: Vec<Split> = cells.iter().filter_map(|cell| Split::new(cell, arm)).collect();
        let prior = &*PRIOR;
        let logs: Vec<f64> =
            prior.iter().map(|point| point.log_weight + log_likelihood(&splits, point)).collect();
        let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = logs.iter().map(|log| (log - largest).exp());
        let (total, moment) = weights.zip(prior).fold((0.0, 0.0), |(total, moment), (weight, point)| {
            (total + weight, moment + weight * point.log_ratio)
        });
        Self { splits, log_mixture: largest + f64::ln(total), mean_log_ratio: moment / total }
    }

    /// ln E(1), the evidence against equal rates. 0 without rewards.
    pub(crate) fn log_e_value(&self) -> f64 {
        self.log_mixture
    }

    /// The mean of ln θ after the data, with the mixture as prior: shrunken towards no difference.
    pub(crate) fn mean_log_ratio(&self) -> f64 {
        self.mean_log_ratio
    }

    /// Whether the likelihood is largest at a ratio above 1.
    pub(crate) fn is_above(&self) -> bool {
        self.slope(0.0) > 0.0
    }

    /// The confidence sequence {ln θ₀ : E(θ₀) < 1/α}, an interval because ℓ is concave; infinite where the arm or the
    /// control has no reward to bound it.
    pub(crate) fn log_ratio_limits(&self, alpha: f64) -> (f64, f64) {
        let inside = |log_ratio: f64| self.at(log_ratio) > self.log_mixture + alpha.ln();
        let mode = bisect(-FARTHEST, FARTHEST, |log_ratio| self.slope(log_ratio) > 0.0);
        let lower =
            if inside(-FARTHEST) { f64::NEG_INFINITY } else { bisect(-FARTHEST, mode, |x| !inside(x)) };
        let upper = if inside(FARTHEST) { f64::INFINITY } else { bisect(mode, FARTHEST, inside) };
        (lower, upper)
    }

    fn at(&self, log_ratio: f64) -> f64 {
        log_likelihood(&self.splits, &Point::new(log_ratio, 0.0))
    }

    /// dℓ/d ln θ.
    fn slope(&self, log_ratio: f64) -> f64 {
        let ratio = log_ratio.exp();
        let expected =
            |split: &Split| split.both * split.share * ratio / (split.share * ratio + 1.0 - split.share);
        self.splits.iter().map(|split| split.arm - expected(split)).sum()
    }
}

impl Split {
    /// Nothing where one of the two had no share (it could not have been drawn) or where neither was rewarded.
    fn new(cell: &Cell, arm: usize) -> Option<Self> {
        let share = |arm: usize| cell.allocation().shares()[arm].fraction();
        let reward = |arm: usize| cell.totals()[arm].rewards;
        let (both, served) = (reward(arm) + reward(0), share(arm) > 0.0 && share(0) > 0.0);
        (served && both > 0.0).then(|| Self {
            share: share(arm) / (share(arm) + share(0)),
            arm: reward(arm),
            both,
        })
    }
}

fn log_likelihood(splits: &[Split], point: &Point) -> f64 {
    let of = |split: &Split| split.arm * point.log_ratio - split.both * (split.share * point.excess).ln_1p();
    splits.iter().map(of).sum()
}

/// Where `holds` stops to hold, if it does so once between `low` and `high`.
fn bisect(low: f64, high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    // Forty halvings of eighty leave less than 10⁻¹⁰.
    let (low, high) = (0..40).fold((low, high), |(low, high), _| {
        let middle = 0.5 * (low + high);
        if holds(middle) { (middle, high) } else { (low, middle) }
    });
    0.5 * (low + high)
}

/// A ratio of the mixture.
#[derive(Clone, Copy, Debug)]
struct Point {
    log_ratio: f64,
    /// θ − 1.
    excess: f64,
    log_weight: f64,
}

impl Point {
    fn new(log_ratio: f64, log_weight: f64) -> Self {
        Self { log_ratio, excess: log_ratio.exp_m1(), log_weight }
    }
}

/// Points on each side of the null.
const SIDE: i32 = 200;

/// The finest spacing of log ratios, at the null. An even grid as coarse as 0.02 can't reject a true +1 % however much
/// data there is, since no point of it fits better than the null does.
const FINEST: f64 = 0.0005;

/// Standard deviations of ln θ and how much each counts: small effects are common, large ones are found soon anyway.
const DENSITIES: [(f64, f64); 4] = [(0.02, 0.1), (0.1, 0.3), (0.2, 0.3), (0.4, 0.3)];

/// 401 log ratios in ±ln 4, spaced as sinh, weighted by a mixture of four normal densities; the weights sum to one,
/// which is what makes E an e-process.
static PRIOR: LazyLock<Vec<Point>> = LazyLock::new(|| {
    let widest = 4_f64.ln();
    // widest · sinh(rate·i)/sinh(rate·SIDE) has its finest step `FINEST` at i = 1.
    let steps = f64::from(SIDE);
    let rate = bisect(1e-3, 1.0, |rate| widest * rate.sinh() / (rate * steps).sinh() > FINEST);
    let scale = widest / (rate * steps).sinh();
    let weight = |index: f64| scale * rate * (rate * index).cosh() * density(scale * (rate * index).sinh());
    let indices = || (-SIDE..=SIDE).map(f64::from);
    let total: f64 = indices().map(weight).sum();
    indices().map(|index| Point::new(scale * (rate * index).sinh(), (weight(index) / total).ln())).collect()
});

fn density(log_ratio: f64) -> f64 {
    let normal = |deviation: f64| (-0.5 * (log_ratio / deviation).powi(2)).exp() / deviation;
    DENSITIES.iter().map(|&(deviation, part)| part * normal(deviation)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, PartsPerMillion, Totals};

    fn cell(share: u32, arm: u64, control: u64) -> Cell {
        let shares = [1_000_000 - share, share].map(|parts| PartsPerMillion::new(parts).unwrap());
        let totals = [control, arm].map(|rewarded| Totals::binary(1_000_000_000, rewarded));
        Cell::new(Allocation::try_from(shares.to_vec()).unwrap(), totals.to_vec()).unwrap()
    }

    #[test]
    fn the_mixture_is_a_distribution_on_the_grid_that_it_promises() {
        let sum: f64 = PRIOR.iter().map(|point| point.log_weight.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-12);
        assert_eq!(PRIOR.len(), 401);
        assert!((PRIOR[400].log_ratio - 4_f64.ln()).abs() < 1e-12);
        assert!((PRIOR[201].log_ratio - PRIOR[200].log_ratio - FINEST).abs() < 1e-12);
    }

    #[test]
    fn one_reward_more_changes_the_evidence_by_a_fair_bet() {
        // Under θ = 1 the next reward is the arm's with chance π: the mean of the next E is the present E, exactly.
        for (share, arm, control) in
            [(500_000, 0, 0), (10_000, 3, 90), (990_000, 500, 2), (300_000, 4000, 9000)]
        {
            let e_value = |arm, control| RateRatio::new(&[cell(share, arm, control)], 1).log_e_value();
            let now = e_value(arm, control);
            let chance = f64::from(share) / 1e6;
            let next = chance * (e_value(arm + 1, control) - now).exp()
                + (1.0 - chance) * (e_value(arm, control + 1) - now).exp();
            assert!((next - 1.0).abs() < 1e-9, "{share} {arm} {control}: {next}");
        }
    }

    #[test]
    fn without_rewards_nothing_is_known() {
        let nothing = RateRatio::new(&[], 1);
        assert!(nothing.log_e_value().abs() < 1e-12);
        assert!(nothing.mean_log_ratio().abs() < 1e-12);
        assert_eq!(nothing.log_ratio_limits(0.05), (f64::NEG_INFINITY, f64::INFINITY));
    }

    #[test]
    fn merging_cells_of_equal_shares_changes_nothing() {
        let apart = RateRatio::new(&[cell(300_000, 40, 70), cell(300_000, 25, 61), cell(800_000, 90, 13)], 1);
        let merged = RateRatio::new(&[cell(800_000, 90, 13), cell(300_000, 65, 131)], 1);
        assert!((apart.log_e_value() - merged.log_e_value()).abs() < 1e-12);
    }

    #[test]
    fn a_small_effect_is_found_when_there_is_enough_data() {
        // +1 % at 10⁷ rewards; facts measured on the same design say ln E = 119 on this grid.
        let log_e_value = RateRatio::new(&[cell(500_000, 5_024_876, 4_975_124)], 1).log_e_value();
        assert!((115.0..125.0).contains(&log_e_value), "{log_e_value}");
    }

    #[test]
    fn an_arm_without_a_reward_has_no_lower_limit() {
        let (lower, upper) = RateRatio::new(&[cell(500_000, 0, 200)], 1).log_ratio_limits(0.05);
        assert!(lower.is_infinite() && upper < 0.0);
        let (lower, upper) = RateRatio::new(&[cell(500_000, 200, 0)], 1).log_ratio_limits(0.05);
        assert!(lower > 0.0 && upper.is_infinite());
    }
}
