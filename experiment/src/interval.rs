//! Fixed-look intervals that stay right although a bandit chose the shares.
//!
//! For an arm and the control, over the cells where both had a share, the weights
//!
//! ```text
//! g = √(e e₀/(e + e₀)),   w = g/e for the arm,   w₀ = g/e₀ for the control
//! ```
//!
//! make both arms weigh time alike (the expected weight of a cell is g times its exposures for either), so whatever
//! moves both arms, such as a sale, cancels in their comparison; and they damp the noise of small shares by a square
//! root. Each arm's limits solve the score equation
//!
//! ```text
//! (Σ w(S − Nμ))² = z² Σ w²N (φμ − μ²)
//! ```
//!
//! a quadratic in μ, with φ = 1 for 0/1 rewards. At constant shares this is Wilson's interval. For values φ is the
//! larger of Σy²/Σy of the arm and of all arms: Var y = φμ − μ² without the arm's own spread in it, so that an arm of few
//! and small rewards can't shrink its own interval. Differences follow by MOVER (Newcombe 1998, method 10), lifts by
//! MOVER-R (Donner & Zou 2012, eq. 9).
//!
//! Where every cell has the sums of a covariate x that was known before the exposure, S becomes S − β(Σx − N x̄) with x̄ the
//! mean over all arms of the cell and β the slope within cells and arms, and the variance shrinks by 1 − ρ² (Deng, Xu,
//! Kohavi & Walker 2013, section 3; in terms of scores, a better prediction in the augmented estimator).
//! `docs/design/verdicts.md` derives the weights and says where they stop being right.

use crate::design::Design;
use crate::metric::Kind;
use crate::numeric::normal;
use crate::totals::{Cell, Totals, as_f64, sum};

/// An estimate with limits that hold at one planned look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper limit; infinite where there is none.
    pub high: f64,
}

impl Interval {
    /// What is known of a mean without a weighed exposure.
    fn unknown(phi: f64) -> Self {
        Self { estimate: f64::NAN, low: 0.0, high: phi }
    }

    /// Arm minus control by MOVER, from the intervals of both.
    pub(crate) fn difference(arm: &Self, control: &Self) -> Self {
        let estimate = arm.estimate - control.estimate;
        let below = (arm.estimate - arm.low).hypot(control.high - control.estimate);
        let above = (arm.high - arm.estimate).hypot(control.estimate - control.low);
        Self { estimate, low: estimate - below, high: estimate + above }
    }

    /// Arm over control, minus one, by MOVER-R. The limits are written so that nothing cancels and nothing is divided by
    /// zero while the control has a reward; without one there is no upper limit.
    pub(crate) fn lift(arm: &Self, control: &Self) -> Self {
        let (a, low, high) = (arm.estimate, arm.low, arm.high);
        let (b, control_low, control_high) = (control.estimate, control.low, control.high);
        // √((ab)² − own(2a − own) · other(2b − other)), with own(2a − own) = a² − (a − own)².
        let root = |own: f64, other: f64| {
            let (p, q) = (a - own, b - other);
            (a * a * q * q + p * p * other * (2.0 * b - other)).max(0.0).sqrt()
        };
        let lower = low * (2.0 * a - low) / (a * b + root(low, control_high));
        let upper = (a * b + root(high, control_low)) / (control_low * (2.0 * b - control_low));
        let or = |ratio: f64, otherwise: f64| if ratio.is_nan() { otherwise } else { ratio - 1.0 };
        Self { estimate: a / b - 1.0, low: or(lower, -1.0), high: or(upper, f64::INFINITY) }
    }
}

/// The weighted sums of one arm of a contrast.
#[derive(Clone, Copy, Debug, Default)]
struct Weighted {
    /// Σ w N
    exposures: f64,
    /// Σ w S
    rewards: f64,
    /// Σ w² N
    variance: f64,
}

impl Weighted {
    /// Adds what an arm has in a cell; a covariate leaves `residual` of the variance.
    fn add(&mut self, weight: f64, cell: &Cell, arm: usize, adjustment: &Adjustment) {
        let n = as_f64(cell.totals()[arm].exposures);
        self.exposures += weight * n;
        self.rewards += weight * (cell.totals()[arm].rewards - adjustment.expected(cell, arm));
        self.variance += weight * weight * n * adjustment.residual;
    }

    /// The two roots of the score equation, and the weighted mean between them.
    fn interval(&self, phi: f64, z: f64) -> Interval {
        if self.exposures <= 0.0 {
            return Interval::unknown(phi);
        }
        // A covariate can predict a little more than there was.
        let (a, b, v) = (self.rewards.max(0.0), self.exposures, z * z * self.variance);
        let middle = 2.0 * a * b + v * phi;
        let root = (v * (4.0 * a * (b * phi - a) + v * phi * phi)).max(0.0).sqrt();
        Interval {
            estimate: a / b,
            // Both forms of the root, each where it does not cancel.
            low: 2.0 * a * a / (middle + root),
            high: (middle + root) / (2.0 * (b * b + v)),
        }
    }
}

/// An arm against the control, both weighed alike, at one planned look.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Effect {
    /// The arm's mean.
    pub arm: Interval,
    /// The control's mean over the same time.
    pub control: Interval,
    /// Arm minus control.
    pub difference: Interval,
    /// Arm over control, minus one.
    pub lift: Interval,
}

/// The effect of `arm` alone: what [`crate::estimate()`] says of it, at a fraction of the cost.
///
/// Cells that do not belong to the design are a mistake of the caller, and refused by [`crate::estimate()`] only.
#[must_use]
pub fn effect(cells: &[Cell], arm: usize, design: &Design) -> Effect {
    let totals: Vec<Totals> = (0..design.arms().len()).map(|arm| sum(cells, arm)).collect();
    let spread = Spread::new(design.metric().kind, &totals).adjusted(cells);
    Effect::new(cells, arm, &spread, deviations(design))
}

/// How many standard deviations the design's confidence is, on both sides.
pub(crate) fn deviations(design: &Design) -> f64 {
    -normal::quantile(0.5 * design.stopping().alpha())
}

impl Effect {
    /// The effect of `arm` against arm 0 over `cells`, at `z` standard deviations.
    pub(crate) fn new(cells: &[Cell], arm: usize, spread: &Spread, z: f64) -> Self {
        let (mut of_arm, mut of_control) = (Weighted::default(), Weighted::default());
        for cell in cells {
            let (share, control) = (cell.share(arm), cell.share(0));
            let weight = (share * control / (share + control)).sqrt();
            if weight > 0.0 {
                of_arm.add(weight / share, cell, arm, &spread.adjustment);
                of_control.add(weight / control, cell, 0, &spread.adjustment);
            }
        }
        let (arm, control) = (of_arm.interval(spread.phi(arm), z), of_control.interval(spread.phi(0), z));
        Self {
            arm,
            control,
            difference: Interval::difference(&arm, &control),
            lift: Interval::lift(&arm, &control),
        }
    }
}

/// The control alone, each cell by 1/√share as where its share never changes.
pub(crate) fn control(cells: &[Cell], spread: &Spread, z: f64) -> Interval {
    let mut sums = Weighted::default();
    for cell in cells.iter().filter(|cell| cell.share(0) > 0.0) {
        sums.add(cell.share(0).sqrt().recip(), cell, 0, &spread.adjustment);
    }
    sums.interval(spread.phi(0), z)
}

/// How much rewards vary: by φμ − μ², of which a covariate explains a part.
#[derive(Clone, Debug)]
pub(crate) struct Spread {
    by_arm: Vec<f64>,
    adjustment: Adjustment,
}

impl Spread {
    /// 1 for 0/1 metrics; for values the larger of the arm's and the pooled Σy²/Σy, or the cap before any reward.
    pub(crate) fn new(kind: Kind, totals: &[Totals]) -> Self {
        let adjustment = Adjustment::NONE;
        let Kind::Value { cap } = kind else { return Self { by_arm: vec![1.0; totals.len()], adjustment } };
        let all = totals.iter().fold(Totals::default(), |sum, &totals| sum + totals);
        let ratio = |totals: &Totals| totals.squared_rewards / totals.rewards;
        let pooled = if all.rewards > 0.0 { ratio(&all) } else { cap.unwrap_or(f64::INFINITY) };
        // NaN, of an arm without rewards, loses against the pooled one.
        Self { by_arm: totals.iter().map(|totals| ratio(totals).max(pooled)).collect(), adjustment }
    }

    /// The same with what a covariate of `cells` explains.
    pub(crate) fn adjusted(self, cells: &[Cell]) -> Self {
        Self { adjustment: Adjustment::new(cells), ..self }
    }

    /// φ of `arm`.
    pub(crate) fn phi(&self, arm: usize) -> f64 {
        self.by_arm[arm]
    }
}

/// What a covariate explains.
#[derive(Clone, Copy, Debug)]
struct Adjustment {
    /// β
    slope: f64,
    /// 1 − ρ²
    residual: f64,
}

impl Adjustment {
    const NONE: Self = Self { slope: 0.0, residual: 1.0 };

    /// From deviations within each arm of each cell, so that no effect of an arm or of time is taken for the covariate's.
    /// Nothing where a cell does not have it: what is adjusted in one and not in another does not compare.
    fn new(cells: &[Cell]) -> Self {
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for cell in cells {
            let Some(covariates) = cell.covariates() else { return Self::NONE };
            for (x, y) in covariates.iter().zip(cell.totals()).filter(|(_, y)| y.exposures > 0) {
                let n = as_f64(y.exposures);
                xx += x.squares - x.sum * x.sum / n;
                xy += x.products - x.sum * y.rewards / n;
                yy += y.squared_rewards - y.rewards * y.rewards / n;
            }
        }
        let explained = xy * xy / (xx * yy);
        if xx > 0.0 && yy > 0.0 && explained < 1.0 {
            Self { slope: xy / xx, residual: 1.0 - explained }
        } else {
            Self::NONE
        }
    }

    /// The rewards that the arm's subjects bring beyond those of the cell's average, β(Σx − N x̄).
    fn expected(&self, cell: &Cell, arm: usize) -> f64 {
        let Some(covariates) = cell.covariates() else { return 0.0 };
        let exposures = as_f64(cell.totals().iter().map(|totals| totals.exposures).sum());
        let mean = covariates.iter().map(|x| x.sum).sum::<f64>() / exposures;
        if exposures > 0.0 {
            self.slope * (covariates[arm].sum - as_f64(cell.totals()[arm].exposures) * mean)
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, Covariate};

    const Z95: f64 = 1.959_963_984_540_054;

    fn effect(arm: Totals, control: Totals, kind: Kind) -> Effect {
        let cell = Cell::new(Allocation::even(2).unwrap(), vec![control, arm]).unwrap();
        let spread = Spread::new(kind, cell.totals());
        Effect::new(&[cell], 1, &spread, Z95)
    }

    /// 240 of 10 000 against 200 of 10 000: Wilson, Newcombe and MOVER-R as statsmodels computes them.
    #[test]
    fn at_equal_shares_these_are_the_textbook_intervals() {
        let Effect { arm, difference, lift, .. } =
            effect(Totals::binary(10_000, 240), Totals::binary(10_000, 200), Kind::Binary);
        let near =
            |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-5, "{found} {expected}");
        near(arm.low, 0.021_178_1);
        near(arm.high, 0.027_187_5);
        near(difference.low, -0.000_070_762_6);
        near(difference.high, 0.008_091_54);
        near(1.0 + lift.low, 0.996_800);
        near(1.0 + lift.high, 1.444_382);
        near(lift.estimate, 0.2);
    }

    #[test]
    fn few_or_no_rewards_leave_limits_and_no_nonsense() {
        let lift = |arm, control| {
            effect(Totals::binary(1000, arm), Totals::binary(1000, control), Kind::Binary).lift
        };
        for (arm, control) in [(0, 0), (0, 5), (5, 0), (1, 1), (3, 1), (1000, 1000), (1000, 0)] {
            let Interval { low, high, .. } = lift(arm, control);
            assert!(low >= -1.0 && low <= high && !high.is_nan(), "{arm} {control}: {low} {high}");
            assert_eq!(high.is_infinite(), control == 0, "{arm} {control}: {high}");
        }
        // Where the control's upper limit is twice its estimate the published form divides by zero.
        assert!(lift(9, 3).low < 0.0 && lift(9, 3).high > 2.0);
    }

    /// Two thousand subjects in two arms, by seed: what they earned before predicts half of the variance of what they earn.
    fn with_history(seed: u64) -> (Effect, Effect) {
        use rand::{RngExt, SeedableRng};
        let mut random = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(seed);
        let (mut totals, mut covariates) = ([Totals::default(); 2], [Covariate::default(); 2]);
        for _ in 0..2_000 {
            let arm = usize::from(random.random::<bool>());
            let (x, noise): (f64, f64) = (random.random(), random.random());
            let y = x + noise;
            let (sums, history) = (&mut totals[arm], &mut covariates[arm]);
            *sums = *sums + Totals { exposures: 1, rewards: y, squared_rewards: y * y };
            (history.sum, history.squares, history.products) =
                (history.sum + x, history.squares + x * x, history.products + x * y);
        }
        let cell = Cell::new(Allocation::even(2).unwrap(), totals.to_vec()).unwrap();
        let spread = Spread::new(Kind::Value { cap: None }, cell.totals());
        let without = Effect::new(std::slice::from_ref(&cell), 1, &spread, Z95);
        let cells = [cell.with_covariates(covariates.to_vec()).unwrap()];
        (without, Effect::new(&cells, 1, &spread.adjusted(&cells), Z95))
    }

    #[test]
    fn a_covariate_narrows_the_interval_and_keeps_its_coverage() {
        let effects: Vec<(Effect, Effect)> = (1..=300).map(with_history).collect();
        let width = |effect: &Effect| effect.difference.high - effect.difference.low;
        let narrower: f64 =
            effects.iter().map(|(without, with)| width(with) / width(without)).sum::<f64>() / 300.0;
        assert!((narrower - 0.5_f64.sqrt()).abs() < 0.02, "{narrower} of the width, where √½ is due");
        let covered = effects
            .iter()
            .filter(|(_, with)| with.difference.low <= 0.0 && 0.0 <= with.difference.high)
            .count();
        // 95 % of 300 is 285; four standard errors are 15.
        assert!((270..=300).contains(&covered), "{covered} of 300");
    }

    #[test]
    fn a_scale_of_values_changes_nothing_but_the_scale() {
        let of = |scale: f64| {
            let value = |sum: f64, squares: f64| Totals {
                exposures: 1000,
                rewards: scale * sum,
                squared_rewards: scale * scale * squares,
            };
            effect(value(3000.0, 90_000.0), value(2500.0, 70_000.0), Kind::Value { cap: None })
        };
        let (one, hundred) = (of(1.0), of(100.0));
        assert!((hundred.arm.low / one.arm.low - 100.0).abs() < 1e-9);
        let lifts = [one.lift, hundred.lift];
        assert!((lifts[0].low - lifts[1].low).abs() < 1e-12 && (lifts[0].high - lifts[1].high).abs() < 1e-12);
    }
}
