//! The any-time test of one arm against the control for values, such as revenue.
//!
//! Take a ratio θ₀ of the means that is to be refuted, divide the arm's rewards by it, and let m be any level. In a cell
//! where the arm has share π of what both share,
//!
//! ```text
//! D = Σ_cells (1 − π) Σ_arm (y/θ₀ − m) − π Σ_control (y − m)
//! ```
//!
//! has mean zero under θ₀ after every exposure, whatever the shares and whatever moves both arms. If the rewards did not
//! depend on the arm, their variance given the rewards would be V = Σ π(1 − π) Σ_both (y − m)², in which no arm's own
//! spread stands alone; where the spreads differ, what was realized, Σ (1 − π)² Σ_arm (y/θ₀ − m)² + π² Σ_control (y − m)²,
//! can be larger, so the larger of the two is taken. With λ normal around 0 with standard deviation s (Robbins 1970)
//!
//! ```text
//! E(θ₀) = (1 + s²V)^(−½) exp(s²D²/(2(1 + s²V)))
//! ```
//!
//! is an e-process for large samples. A tilt λ moves a mean by the factor 1 + λ(φ − m), φ = Σy²/Σy, which turns standard
//! deviations of log ratios into those of λ. Nothing is said before either arm has rewards worth [`BURN_IN`] equal ones.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use super::{DENSITIES, Pair, TYPICAL};
use crate::totals::{Totals, as_f64};

/// The rewards that each arm needs before anything is said, as (Σ y)²/Σ y², which counts equal rewards one by one and
/// unequal ones for less. Without it the normal approximation is a false one in the first rounds.
const BURN_IN: f64 = 30.0;

/// The largest log ratio of means that is looked at; of a ratio beyond a factor of 148 it is only said that it lies there.
const FARTHEST: f64 = 5.0;

/// The evidence about the ratio of two means.
#[derive(Clone, Debug)]
pub(crate) struct ValueRatio {
    pairs: Vec<Pair>,
    one: Totals,
    other: Totals,
}

/// D, V and the scale of λ at one ratio.
#[derive(Clone, Copy, Debug)]
struct Score {
    difference: f64,
    variance: f64,
    /// φ − m
    scale: f64,
}

impl ValueRatio {
    /// The evidence of `pairs`.
    pub(super) fn new(pairs: Vec<Pair>) -> Self {
        let sum =
            |of: fn(&Pair) -> Totals| pairs.iter().map(of).fold(Totals::default(), |sum, next| sum + next);
        let (one, other) = (sum(|pair| pair.one), sum(|pair| pair.other));
        Self { pairs, one, other }
    }

    /// ln E against equal means; 0 before the burn-in has passed.
    pub(super) fn log_e_value(&self) -> f64 {
        if self.is_burnt_in() { self.at(0.0).log_e_value() } else { 0.0 }
    }

    /// Whether the arm's mean is the larger one.
    pub(super) fn is_above(&self) -> bool {
        self.at(0.0).difference > 0.0
    }

    /// The log ratios of which ln E is below `log_threshold`; infinite where nothing up to [`FARTHEST`] is refuted, and where
    /// the data themselves lie beyond.
    pub(super) fn log_ratio_limits(&self, log_threshold: f64) -> (f64, f64) {
        if !self.is_burnt_in() {
            return (f64::NEG_INFINITY, f64::INFINITY);
        }
        let refuted = |log_ratio: f64| self.at(log_ratio).log_e_value() >= log_threshold;
        let estimate = self.log_ratio();
        let limit = |far: f64| {
            if self.is_beyond(far) || !refuted(far) {
                far.signum() * f64::INFINITY
            } else {
                bisect(far, estimate, refuted)
            }
        };
        (limit(-FARTHEST), limit(FARTHEST))
    }

    /// The mean log ratio after the data, from the prior of typical lifts and a normal likelihood of variance
    /// V/(dD/d ln θ)². Of data beyond [`FARTHEST`], what they would say there.
    pub(super) fn mean_log_ratio(&self) -> f64 {
        if !self.is_burnt_in() {
            return 0.0;
        }
        let (estimate, step) = (self.log_ratio(), 1e-4);
        let slope =
            (self.at(estimate + step).difference - self.at(estimate - step).difference) / (2.0 * step);
        let variance = self.at(estimate).variance / (slope * slope);
        // Each part of the prior has its own posterior, which counts as much as the part foresaw the estimate.
        let parts = TYPICAL.map(|(deviation, part): (f64, f64)| {
            let (prior, total) = (deviation * deviation, deviation * deviation + variance);
            (part * (-0.5 * estimate * estimate / total).exp() / total.sqrt(), estimate * prior / total)
        });
        let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
        let mean = parts.iter().map(|(weight, mean)| weight * mean).sum::<f64>() / total;
        // Far beyond the border D does not move any more, and has no slope to divide by.
        if mean.is_finite() { mean } else { estimate }
    }

    /// ln E against "the log ratio is at least `border`", from half normal densities of λ below 0 of ½, 1 and 2 times what
    /// a log ratio of `scale` needs.
    pub(super) fn log_e_below(&self, border: f64, scale: f64) -> f64 {
        if !self.is_burnt_in() {
            return 0.0;
        }
        let score = self.at(border);
        if score.is_degenerate() {
            return 0.0;
        }
        let parts = [0.5, 1.0, 2.0].map(|part| {
            let root = (1.0 + score.variance * (part * scale / score.scale).powi(2)).sqrt();
            let z = part * scale / score.scale * score.difference / root;
            log_half_normal(z) - root.ln()
        });
        log_mean(parts.map(|part| (1.0 / 3.0, part)))
    }

    fn is_burnt_in(&self) -> bool {
        let equal_rewards = |totals: &Totals| totals.rewards * totals.rewards / totals.squared_rewards;
        equal_rewards(&self.one) >= BURN_IN && equal_rewards(&self.other) >= BURN_IN
    }

    /// Whether D is 0 only farther out than `far`, one of ±[`FARTHEST`].
    fn is_beyond(&self, far: f64) -> bool {
        far * self.at(far).difference > 0.0
    }

    /// The log ratio at which D, which falls, is 0; ±[`FARTHEST`] where that is farther out.
    fn log_ratio(&self) -> f64 {
        bisect(-FARTHEST, FARTHEST, |log_ratio| self.at(log_ratio).difference > 0.0)
    }

    fn at(&self, log_ratio: f64) -> Score {
        let scale = (-log_ratio).exp();
        let scaled = |totals: &Totals| Totals {
            exposures: totals.exposures,
            rewards: totals.rewards * scale,
            squared_rewards: totals.squared_rewards * scale * scale,
        };
        let both = scaled(&self.one) + self.other;
        let level = both.rewards / as_f64(both.exposures);
        let (mut difference, mut null, mut realized) = (0.0, 0.0, 0.0);
        for Pair { share, one, other } in &self.pairs {
            let (one, other) = (around(&scaled(one), level), around(other, level));
            difference += (1.0 - share) * one.sum - share * other.sum;
            null += share * (1.0 - share) * (one.squares + other.squares);
            realized += (1.0 - share).powi(2) * one.squares + share.powi(2) * other.squares;
        }
        Score {
            difference,
            variance: null.max(realized),
            scale: clear(both.squared_rewards / both.rewards, level),
        }
    }
}

impl Score {
    /// Whether rewards do not vary: then there is nothing to judge a difference by.
    fn is_degenerate(&self) -> bool {
        !(self.scale > 0.0
            && self.variance > 1e-18 * self.difference * self.difference
            && self.variance > 0.0)
    }

    fn log_e_value(&self) -> f64 {
        if self.is_degenerate() {
            return 0.0;
        }
        log_mean(DENSITIES.map(|(deviation, part)| {
            let spread = (deviation / self.scale).powi(2);
            let root = 1.0 + spread * self.variance;
            (part, spread * self.difference.powi(2) / (2.0 * root) - 0.5 * root.ln())
        }))
    }
}

/// ln(2Φ(−z) exp(z²/2)): what the half of a normal density below 0 makes of evidence z above it.
fn log_half_normal(z: f64) -> f64 {
    // Mills' ratio (DLMF 7.12.1), where Φ itself underflows.
    if z > 25.0 {
        (2.0 / PI).sqrt().ln() - z.ln() + (3.0 / z.powi(4) - 1.0 / z.powi(2)).ln_1p()
    } else {
        libm::erfc(z * FRAC_1_SQRT_2).ln() + 0.5 * z * z
    }
}

/// `large` − `small`, or 0 where that is but rounding.
fn clear(large: f64, small: f64) -> f64 {
    let difference = large - small;
    if difference > 1e-9 * large { difference } else { 0.0 }
}

/// Sums around a level.
struct Centered {
    sum: f64,
    squares: f64,
}

fn around(totals: &Totals, level: f64) -> Centered {
    let n = as_f64(totals.exposures);
    Centered {
        sum: totals.rewards - level * n,
        squares: (totals.squared_rewards - 2.0 * level * totals.rewards + level * level * n).max(0.0),
    }
}

/// ln Σ weight · exp(term)
fn log_mean<const N: usize>(terms: [(f64, f64); N]) -> f64 {
    let largest = terms.iter().fold(f64::NEG_INFINITY, |largest, (_, term)| largest.max(*term));
    largest + terms.iter().map(|(weight, term)| weight * (term - largest).exp()).sum::<f64>().ln()
}

/// Where `holds` changes between `from` and `to`, if it holds at `from` and does so once; `to` where it never does.
fn bisect(from: f64, to: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let (from, _) = (0..44).fold((from, to), |(from, to), _| {
        let middle = 0.5 * (from + to);
        if holds(middle) { (middle, to) } else { (from, middle) }
    });
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An even split of which the arm has `times` the control's rewards, each of a few cents, with some spread.
    fn ratio(times: f64) -> ValueRatio {
        let totals = |mean: f64| Totals {
            exposures: 100_000,
            rewards: 100_000.0 * mean,
            squared_rewards: 100_000.0 * 2.0 * mean * mean,
        };
        ValueRatio::new(vec![Pair { share: 0.5, one: totals(0.05 * times), other: totals(0.05) }])
    }

    #[test]
    fn of_a_ratio_beyond_the_farthest_only_the_side_is_said() {
        let check = |times: f64| {
            let ratio = ratio(times);
            let (low, high) = ratio.log_ratio_limits(3.0);
            assert!(low <= times.ln() && times.ln() <= high, "{times}: {low} to {high}");
            // What is shrunken may be moved into the interval, and not out of the search.
            assert!(ratio.mean_log_ratio().abs() <= FARTHEST, "{times}: {}", ratio.mean_log_ratio());
            (low, high)
        };
        for times in [0.01, 0.5, 1.0, 2.0, 100.0] {
            let (low, high) = check(times);
            assert!(low.is_finite() && high.is_finite(), "{times}: {low} to {high}");
        }
        for times in [150.0, 400.0, 1e6, 1e50] {
            let (low, high) = check(times);
            assert!(low > 4.5 && high.is_infinite(), "{times}: {low} to {high}");
            let (low, high) = check(1.0 / times);
            assert!(low.is_infinite() && high < -4.5, "1/{times}: {low} to {high}");
        }
    }
}
