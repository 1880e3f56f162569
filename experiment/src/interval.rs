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
//! MOVER-R (Donner & Zou 2012, eq. 9), both in the form for means that may be correlated.
//!
//! Where every cell has the sums of a covariate x that was known before the exposure, S becomes S − β(Σx − N x̄) with x̄ the
//! mean over all arms of the cell and β the slope within cells and arms (Deng, Xu, Kohavi & Walker 2013, section 3; in terms
//! of scores, a better prediction in the augmented estimator). What x explains of an arm's own subjects drops out, and what
//! it explains of the n subjects of the cell, who are no more than a sample themselves, comes in:
//!
//! ```text
//! w²N(φμ − μ²)   becomes   w²N(φμ − μ²)(1 − ρ² + ρ²N/n)
//! ```
//!
//! The second part is the same luck in both arms, so their means correlate by Σ w w₀ N N₀ ρ²/n over the root of both sums;
//! of the variance of their difference 1 − ρ² is left. `docs/design/verdicts.md` derives both, and says where they stop
//! being right.

use std::borrow::Cow;
use std::collections::BTreeMap;

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

    /// Arm minus control by MOVER, from the intervals of both, whose estimates have so much `correlation` (Zou & Donner
    /// 2008, eq. 8).
    pub(crate) fn difference(arm: &Self, control: &Self, correlation: f64) -> Self {
        let estimate = arm.estimate - control.estimate;
        // √(p² + q² − 2rpq), in a form that can't fall below 0.
        let apart = |p: f64, q: f64| (p - q).hypot((2.0 * (1.0 - correlation) * p * q).max(0.0).sqrt());
        let below = apart(arm.estimate - arm.low, control.high - control.estimate);
        let above = apart(arm.high - arm.estimate, control.estimate - control.low);
        Self { estimate, low: estimate - below, high: estimate + above }
    }

    /// Arm over control, minus one, by MOVER-R: the ratios R at which "arm minus R times control" has a MOVER limit of 0.
    /// The limits are written so that nothing cancels and nothing is divided by zero while the control has a reward; without
    /// one there is no upper limit.
    pub(crate) fn lift(arm: &Self, control: &Self, correlation: f64) -> Self {
        let (a, low, high) = (arm.estimate, arm.low, arm.high);
        let (b, control_low, control_high) = (control.estimate, control.low, control.high);
        // With p = a − own, q = b − other and m = ab − r|pq| they solve R²(b² − q²) − 2Rm + (a² − p²) = 0, in which
        // a² − p² = own(2a − own). This is m and √(m² − own(2a − own) · other(2b − other)).
        let middle_and_root = |own: f64, other: f64| {
            let (p, q) = (a - own, b - other);
            let shared = correlation * (p * q).abs();
            let square = a * a * q * q + p * p * other * (2.0 * b - other) - shared * (2.0 * a * b - shared);
            (a * b - shared, square.max(0.0).sqrt())
        };
        let (middle, root) = middle_and_root(low, control_high);
        let lower = low * (2.0 * a - low) / (middle + root);
        let (middle, root) = middle_and_root(high, control_low);
        let upper = (middle + root) / (control_low * (2.0 * b - control_low));
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
    /// Adds what an arm has in a cell; of the variance a covariate leaves what is the arm's own and what is the cell's.
    fn add(&mut self, weight: f64, cell: &Cell, arm: usize, adjustment: &Adjustment) {
        let n = as_f64(cell.totals()[arm].exposures);
        self.exposures += weight * n;
        self.rewards += weight * (cell.totals()[arm].rewards - adjustment.expected(cell, arm));
        self.variance += weight * weight * n * adjustment.residual(cell, arm);
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
    let cells = adjustable(cells);
    let totals: Vec<Totals> = (0..design.arms().len()).map(|arm| sum(&cells, arm)).collect();
    let spread = Spread::new(design.metric().kind, &totals).adjusted(&cells);
    Effect::new(&cells, arm, &spread, deviations(design))
}

/// The cells as intervals are made of them: where there is a covariate, those of equal shares as one, so that it does not
/// matter whether they were merged before. Without one everything here is a sum over cells anyway.
pub(crate) fn adjustable(cells: &[Cell]) -> Cow<'_, [Cell]> {
    let exposed = || cells.iter().filter(|cell| exposures(cell) > 0.0);
    if exposed().next().is_none() || !exposed().all(Cell::has_covariate) {
        return Cow::Borrowed(cells);
    }
    let mut by_shares: BTreeMap<(usize, Vec<u32>), Cell> = BTreeMap::new();
    for cell in exposed() {
        let shares = cell.allocation().shares().iter().map(|share| share.get()).collect();
        let join = |joined: &mut Cell| *joined = joined.joined(cell);
        by_shares.entry((cell.segment(), shares)).and_modify(join).or_insert_with(|| cell.clone());
    }
    Cow::Owned(by_shares.into_values().collect())
}

/// How many standard deviations the design's confidence is, on both sides.
pub(crate) fn deviations(design: &Design) -> f64 {
    -normal::quantile(0.5 * design.stopping().alpha())
}

impl Effect {
    /// The effect of `arm` against arm 0 over `cells`, at `z` standard deviations.
    pub(crate) fn new(cells: &[Cell], arm: usize, spread: &Spread, z: f64) -> Self {
        let (mut of_arm, mut of_control, mut shared) = (Weighted::default(), Weighted::default(), 0.0);
        for cell in cells {
            let (share, control) = (cell.share(arm), cell.share(0));
            let weight = (share * control / (share + control)).sqrt();
            if weight > 0.0 {
                of_arm.add(weight / share, cell, arm, &spread.adjustment);
                of_control.add(weight / control, cell, 0, &spread.adjustment);
                shared += weight * weight / (share * control) * spread.adjustment.shared(cell, arm);
            }
        }
        let both = (of_arm.variance * of_control.variance).sqrt();
        let correlation = if both > 0.0 { (shared / both).min(1.0) } else { 0.0 };
        let (arm, control) = (of_arm.interval(spread.phi(arm), z), of_control.interval(spread.phi(0), z));
        Self {
            arm,
            control,
            difference: Interval::difference(&arm, &control, correlation),
            lift: Interval::lift(&arm, &control, correlation),
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
    /// ρ², below 1
    explained: f64,
}

impl Adjustment {
    const NONE: Self = Self { slope: 0.0, explained: 0.0 };

    /// From deviations within each arm of each cell, so that no effect of an arm or of shares is taken for the covariate's.
    /// Nothing where a cell in which somebody was exposed does not have it: what is adjusted in one and not in another does
    /// not compare.
    fn new(cells: &[Cell]) -> Self {
        let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
        for cell in cells.iter().filter(|cell| exposures(cell) > 0.0) {
            let Some(covariates) = cell.covariates() else { return Self::NONE };
            for (x, y) in covariates.iter().zip(cell.totals()).filter(|(_, y)| y.exposures > 0) {
                let n = as_f64(y.exposures);
                xx += x.squares - x.sum * x.sum / n;
                xy += x.products - x.sum * y.rewards / n;
                yy += y.squared_rewards - y.rewards * y.rewards / n;
            }
        }
        let explained = xy * xy / (xx * yy);
        if xx > 0.0 && yy > 0.0 && explained < 1.0 { Self { slope: xy / xx, explained } } else { Self::NONE }
    }

    /// The rewards that the arm's subjects bring beyond those of the cell's average, β(Σx − N x̄).
    fn expected(&self, cell: &Cell, arm: usize) -> f64 {
        let (Some(covariates), all) = (cell.covariates(), exposures(cell)) else { return 0.0 };
        if all > 0.0 {
            let mean = covariates.iter().map(|x| x.sum).sum::<f64>() / all;
            self.slope * (covariates[arm].sum - as_f64(cell.totals()[arm].exposures) * mean)
        } else {
            0.0
        }
    }

    /// What is left of the variance of the arm's sum, 1 − ρ² + ρ²N/n.
    fn residual(&self, cell: &Cell, arm: usize) -> f64 {
        let all = exposures(cell);
        let part = if all > 0.0 { as_f64(cell.totals()[arm].exposures) / all } else { 1.0 };
        1.0 - self.explained + self.explained * part
    }

    /// The covariance of the sums of the arm and the control, N N₀ ρ²/n, in units of the variance of one reward.
    fn shared(&self, cell: &Cell, arm: usize) -> f64 {
        let of = |arm: usize| as_f64(cell.totals()[arm].exposures);
        let all = exposures(cell);
        if all > 0.0 { self.explained * of(arm) * of(0) / all } else { 0.0 }
    }
}

/// Of all arms of a cell.
fn exposures(cell: &Cell) -> f64 {
    as_f64(cell.totals().iter().map(|totals| totals.exposures).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Allocation, Covariate, Metric, PartsPerMillion, Standing, Stopping};

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

    /// People who earn what they earned before, x, and something new of `noise` times its spread; those of the arm earn
    /// `times` as much.
    #[derive(Clone, Copy)]
    struct People {
        exposures: u32,
        noise: f64,
        times: f64,
    }

    impl People {
        /// Two rounds, by seed: an even one, and one that gives four fifths to the arm that did better.
        fn cells(self, seed: u64) -> Vec<Cell> {
            use rand::SeedableRng;
            let mut random = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(seed);
            let first = self.round(&mut random, 500_000);
            let mean = |arm: usize| first.totals()[arm].rewards / as_f64(first.totals()[arm].exposures);
            let share = if mean(1) > mean(0) { 800_000 } else { 200_000 };
            let second = self.round(&mut random, share);
            vec![first, second]
        }

        fn round(self, random: &mut impl rand::Rng, share: u32) -> Cell {
            use rand::RngExt;
            let (mut totals, mut covariates) = ([Totals::default(); 2], [Covariate::default(); 2]);
            for _ in 0..self.exposures {
                let arm = usize::from(random.random_range(0..1_000_000) < share);
                let (x, new): (f64, f64) = (random.random(), random.random());
                let y = (x + self.noise * new) * if arm == 1 { self.times } else { 1.0 };
                let (sums, history) = (&mut totals[arm], &mut covariates[arm]);
                *sums = *sums + Totals { exposures: 1, rewards: y, squared_rewards: y * y };
                (history.sum, history.squares, history.products) =
                    (history.sum + x, history.squares + x * x, history.products + x * y);
            }
            let shares = [1_000_000 - share, share].map(|parts| PartsPerMillion::new(parts).unwrap());
            let cell = Cell::new(Allocation::try_from(shares.to_vec()).unwrap(), totals.to_vec()).unwrap();
            cell.with_covariates(covariates.to_vec()).unwrap()
        }

        /// Without and with what they earned before, and the control alone.
        fn effects(self, seed: u64) -> (Effect, Effect, Interval) {
            let cells = self.cells(seed);
            let totals = [sum(&cells, 0), sum(&cells, 1)];
            let spread = Spread::new(Kind::Value { cap: None }, &totals);
            let without = Effect::new(&cells, 1, &spread, Z95);
            let spread = spread.adjusted(&cells);
            (without, Effect::new(&cells, 1, &spread, Z95), control(&cells, &spread, Z95))
        }

        fn control_mean(self) -> f64 {
            0.5 * (1.0 + self.noise)
        }
    }

    const WORLDS: u64 = 1_000;

    /// Covered in percent.
    fn coverage(
        effects: &[(Effect, Effect, Interval)],
        of: impl Fn(&Effect, &Interval) -> (Interval, f64),
    ) -> f64 {
        let covered = effects.iter().filter(|(_, effect, alone)| {
            let (interval, truth) = of(effect, alone);
            interval.low <= truth && truth <= interval.high
        });
        100.0 * covered.count() as f64 / effects.len() as f64
    }

    #[test]
    fn a_covariate_narrows_the_interval_and_keeps_every_coverage() {
        // What is explained is a half, or 94 %; and an arm that earns twice as much.
        for (noise, times) in [(1.0, 1.0), (0.25, 1.0), (0.25, 2.0), (0.25, 0.7)] {
            let people = People { exposures: 400, noise, times };
            let effects: Vec<_> = (1..=WORLDS).map(|seed| people.effects(seed)).collect();
            let control = people.control_mean();
            let found = [
                coverage(&effects, |effect, _| (effect.arm, times * control)),
                coverage(&effects, |effect, _| (effect.control, control)),
                coverage(&effects, |_, alone| (*alone, control)),
                coverage(&effects, |effect, _| (effect.difference, (times - 1.0) * control)),
                coverage(&effects, |effect, _| (effect.lift, times - 1.0)),
            ];
            // Of a thousand worlds one standard error is 0.7. The larger φ of two arms is too large for one of them.
            let most = if times == 1.0 { 97.5 } else { 100.0 };
            assert!(
                found.iter().all(|covered| (92.5..=most).contains(covered)),
                "{noise}, {times}: {found:?}"
            );
        }
    }

    #[test]
    fn of_the_width_of_a_difference_a_covariate_leaves_what_it_does_not_explain() {
        let width = |interval: Interval| interval.high - interval.low;
        for (noise, left) in [(1.0, 0.5_f64), (0.25, 1.0 / 17.0)] {
            let people = People { exposures: 2_000, noise, times: 1.0 };
            let effects: Vec<_> = (1..=50).map(|seed| people.effects(seed)).collect();
            let of = |part: fn(&Effect) -> Interval| {
                effects.iter().map(|(without, with, _)| width(part(with)) / width(part(without))).sum::<f64>()
                    / 50.0
            };
            let (difference, mean) = (of(|effect| effect.difference), of(|effect| effect.control));
            assert!(
                (difference - left.sqrt()).abs() < 0.02,
                "{difference} of the width, not {}",
                left.sqrt()
            );
            // A mean is about all people, of whom those that came are a sample.
            assert!(mean > difference && mean < 1.0, "{mean}");
        }
    }

    #[test]
    fn a_round_that_has_just_begun_takes_no_covariate_away() {
        let people = People { exposures: 1_000, noise: 0.25, times: 1.0 };
        let cells = people.cells(1);
        let begun = Cell::new(cells[1].allocation().clone(), vec![Totals::default(); 2]).unwrap();
        let totals = [sum(&cells, 0), sum(&cells, 1)];
        let spread = Spread::new(Kind::Value { cap: None }, &totals);
        let with = |cells: &[Cell]| Effect::new(cells, 1, &spread.clone().adjusted(cells), Z95);
        let later: Vec<Cell> = cells.iter().cloned().chain([begun]).collect();
        assert_eq!(with(&cells), with(&later));
    }

    #[test]
    fn merging_cells_of_equal_shares_changes_nothing_with_a_covariate_either() {
        let people = People { exposures: 500, noise: 0.5, times: 1.2 };
        let cells: Vec<Cell> = [people.cells(1), people.cells(2)].concat();
        let merged = [cells[0].joined(&cells[2]), cells[1].clone(), cells[3].clone()];
        let metric = Metric { kind: Kind::Value { cap: None }, ..Metric::CLICKS };
        let stopping = Stopping::new(0.95, 0.01).unwrap();
        let design = Design::new(metric, stopping, vec![Standing::FIRST; 2]).unwrap();
        let (one, other) = (super::effect(&cells, 1, &design), super::effect(&merged, 1, &design));
        for (one, other) in [(one.arm, other.arm), (one.difference, other.difference), (one.lift, other.lift)]
        {
            assert!((one.low - other.low).abs() < 1e-12 && (one.high - other.high).abs() < 1e-12);
        }
        assert!(one.lift.estimate > 0.0 && Adjustment::new(&merged).explained > 0.5);
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
