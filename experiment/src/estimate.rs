//! All that is known about the arms, from totals.

use crate::anytime::{self, AtLeast, Ratio, holm};
use crate::belief::{self, Believed};
use crate::design::Design;
use crate::health::SampleRatio;
use crate::interval::{self, Effect, Interval, Spread};
use crate::metric::Direction;
use crate::totals::{Cell, Fault, Totals, sum};

/// What is known about every arm that was ever part of the experiment. Only [`estimate`] makes one, so its parts belong
/// together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// The question that is answered.
    pub design: Design,
    /// By arm; arm 0 is the control.
    pub arms: Vec<ArmEstimate>,
    /// The candidate of the highest P(best); of equals the one of the better mean, then the lower index.
    pub leader: usize,
    /// Whether the counts fit the shares.
    pub sample_ratio: SampleRatio,
}

/// What is known about one arm.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ArmEstimate {
    /// Exposures, over all cells.
    pub exposures: u64,
    /// Their rewards.
    pub rewards: f64,
    /// Whether the arm may still be served and win; the control always may.
    pub candidate: bool,
    /// Whether the arm ever had a share.
    pub served: bool,
    /// The mean reward of an exposure, with limits for one planned look, as its contrast with the control weighs the time.
    pub mean: Interval,
    /// The posterior chance that this is the best of the candidates, 0 to 1; 0 when it is none. For display. It is not
    /// protected against looking often and must never decide (half of all experiments without any difference pass 95 %
    /// at some time).
    pub p_best: f64,
    /// How much worse the mean is expected to be than that of the best candidate, in units of the metric.
    pub expected_loss: f64,
    /// The expected loss as a fraction of the arm's own posterior mean.
    pub relative_loss: f64,
    /// The comparison with the control; `None` for the control.
    pub against_control: Option<AgainstControl>,
}

/// What is known about an arm against the control.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AgainstControl {
    /// Arm minus control, with limits for one planned look.
    pub difference: Interval,
    /// Arm over control, minus one, with limits for one planned look: 0.1 is 10 % more.
    pub lift: Interval,
    /// The confidence sequence of the lift: it covers the lift at all times at once with at least the confidence asked.
    /// It answers for all variants that the same data had to choose from, so it lies on one side of 0 exactly when this
    /// arm is shown to be better (or worse) among them.
    pub lift_anytime: Limits,
    /// The lift, shrunken towards 0 by what is typical, within the any-time limits: what is reported at the moment of a
    /// decision is else too high, since one stops because it is.
    pub lift_shrunken: f64,
    /// The natural logarithm of the current e-value against equal means; 0 is no evidence, ln 20 ≈ 3.0 refutes at 5 % for
    /// one arm that was alone in question. A logarithm, since e-values overflow.
    pub log_e_value: f64,
    /// The any-time p-value min(1, 1/E) of equal means, both sides, for this arm alone.
    pub p_anytime: f64,
    /// Holm's adjusted any-time p-value of "not better than the control", over all arms of its generation that were ever
    /// served.
    pub adjusted_p_value: f64,
    /// The level that the adjusted p-value has to reach.
    pub level: f64,
    /// What `log_e_value` has to reach, among all arms of its generation.
    pub log_threshold: f64,
    /// Whether the arm is shown to be better than the control.
    pub better: bool,
    /// The natural logarithm of the e-value against "better by at least the worthwhile lift", if one was named.
    pub log_e_not_worthwhile: Option<f64>,
    /// The time that all of this describes; `None` while the two were never exposed side by side.
    pub period: Option<Period>,
}

/// The cells that a comparison rests on: those in which the arm and the control both had a share, and anybody was exposed.
/// Where a difference wanders, an interval is about its average from the first to the last of them, and says nothing about
/// what came before or will come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The index of the first one among the cells that were estimated.
    pub first: usize,
    /// The index of the last one.
    pub last: usize,
}

impl Period {
    fn new(cells: &[Cell], arm: usize) -> Option<Self> {
        let compares = |cell: &Cell| {
            let is_exposed = [0, arm].iter().any(|&arm| cell.totals()[arm].exposures > 0);
            is_exposed && cell.share(0) > 0.0 && cell.share(arm) > 0.0
        };
        Some(Self { first: cells.iter().position(compares)?, last: cells.iter().rposition(compares)? })
    }
}

/// Limits without an estimate between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// At least −1 for a lift, which means that the data give no lower limit.
    pub low: f64,
    /// Infinite when the data give no upper limit, as without rewards of the control.
    pub high: f64,
}

impl Limits {
    /// What lies between the limits and is nearest to `lift`.
    fn nearest(&self, lift: f64) -> f64 {
        lift.max(self.low).min(self.high)
    }

    /// Whether all lifts between the limits are for the worse.
    pub(crate) fn is_worse(&self, direction: Direction) -> bool {
        match direction {
            Direction::Maximize => self.high < 0.0,
            Direction::Minimize => self.low > 0.0,
        }
    }
}

/// Why totals allow no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EstimateError {
    /// Without a cell nothing is asked.
    #[error("an estimate needs at least one cell; an experiment without data is one cell of zeros")]
    NoCells,
    /// A cell of another experiment, or of a time without the later arms filled in.
    #[error(
        "cell {cell} has {found} arms and the design {expected}; fill in arms that were not served with share 0"
    )]
    Arms {
        /// The cell's index.
        cell: usize,
        /// Its arms.
        found: usize,
        /// The arms of the design.
        expected: usize,
    },
    /// Sums that the metric can't have.
    #[error("arm {arm} of cell {cell} has {fault}")]
    Totals {
        /// The cell's index.
        cell: usize,
        /// The arm's index.
        arm: usize,
        /// What is wrong.
        fault: Fault,
    },
}

/// Estimates all arms of `cells`, which may come in any order and lose nothing when those of equal shares are merged.
///
/// Everything is summed cell by cell, so it stays right when shares differ by round or segment, and when something moves
/// all arms alike.
///
/// # Errors
/// When there is no cell, when a cell's arms are not those of the design, or when totals are impossible for its metric.
pub fn estimate(cells: &[Cell], design: &Design) -> Result<Estimate, EstimateError> {
    check(cells, design)?;
    let arms = design.arms().len();
    let totals: Vec<Totals> = (0..arms).map(|arm| sum(cells, arm)).collect();
    let adjustable = interval::adjustable(cells);
    let spread = Spread::new(design.metric().kind, &totals).adjusted(&adjustable);
    let planned = Planned { cells: &adjustable, spread: &spread, z: interval::deviations(design) };
    let beliefs = Beliefs::new(cells, design, &spread);
    let comparisons = compare(cells, design, &planned);
    let estimates = (0..arms).map(|arm| {
        let (mean, against_control) = match arm.checked_sub(1) {
            None => (interval::control(planned.cells, &spread, planned.z), None),
            Some(variant) => {
                let (effect, against) = &comparisons[variant];
                (effect.arm, Some(*against))
            }
        };
        let expected_loss = beliefs.expected_loss(arm, design.metric().direction);
        ArmEstimate {
            exposures: totals[arm].exposures,
            rewards: totals[arm].rewards,
            candidate: design.is_candidate(arm),
            served: is_served(cells, arm),
            mean,
            p_best: beliefs.p_best[arm],
            expected_loss,
            relative_loss: expected_loss / beliefs.means[arm],
            against_control,
        }
    });
    let estimates: Vec<ArmEstimate> = estimates.collect();
    let leader = beliefs.leader(design);
    Ok(Estimate { design: design.clone(), arms: estimates, leader, sample_ratio: SampleRatio::new(cells) })
}

/// P(best) by arm, alone: what [`estimate`] says of it, at a fraction of the cost.
///
/// Cells that do not belong to the design are a mistake of the caller, and refused by [`estimate`] only.
#[must_use]
pub fn p_best(cells: &[Cell], design: &Design) -> Vec<f64> {
    let totals: Vec<Totals> = (0..design.arms().len()).map(|arm| sum(cells, arm)).collect();
    Beliefs::new(cells, design, &Spread::new(design.metric().kind, &totals)).p_best
}

/// Who leads, and the expected loss as a fraction of the leader's own mean: what [`estimate`] says of both.
pub(crate) fn leader(cells: &[Cell], design: &Design) -> (usize, f64) {
    let totals: Vec<Totals> = (0..design.arms().len()).map(|arm| sum(cells, arm)).collect();
    let spread = Spread::new(design.metric().kind, &totals).adjusted(&interval::adjustable(cells));
    let beliefs = Beliefs::new(cells, design, &spread);
    let leader = beliefs.leader(design);
    (leader, beliefs.expected_loss(leader, design.metric().direction) / beliefs.means[leader])
}

pub(crate) fn check(cells: &[Cell], design: &Design) -> Result<(), EstimateError> {
    let expected = design.arms().len();
    if cells.is_empty() {
        return Err(EstimateError::NoCells);
    }
    for (index, cell) in cells.iter().enumerate() {
        if cell.arms() != expected {
            return Err(EstimateError::Arms { cell: index, found: cell.arms(), expected });
        }
        for (arm, totals) in cell.totals().iter().enumerate() {
            if let Some(fault) = totals.fault(design.metric().kind) {
                return Err(EstimateError::Totals { cell: index, arm, fault });
            }
        }
    }
    Ok(())
}

/// Which arm is the best, as far as one can believe, whatever moved all of them.
struct Beliefs {
    means: Vec<f64>,
    p_best: Vec<f64>,
    expected_best: f64,
}

impl Beliefs {
    fn new(cells: &[Cell], design: &Design, spread: &Spread) -> Self {
        let arms = design.arms().len();
        let candidates: Vec<usize> = (0..arms).filter(|&arm| design.is_candidate(arm)).collect();
        let samples = belief::samples(cells, &candidates);
        let phi: Vec<f64> = candidates.iter().map(|&arm| spread.phi(arm)).collect();
        let believed = Believed::new(design.metric(), &samples, &phi);
        let (mut means, mut p_best) = (vec![f64::NAN; arms], vec![0.0; arms]);
        for (index, &arm) in candidates.iter().enumerate() {
            (means[arm], p_best[arm]) = (believed.means[index], believed.best.p_best[index]);
        }
        Self { means, p_best, expected_best: believed.best.expected_best }
    }

    /// NaN for an arm that is no candidate.
    fn expected_loss(&self, arm: usize, direction: Direction) -> f64 {
        let loss = direction.sign() * (self.expected_best - self.means[arm]);
        if loss < 0.0 { 0.0 } else { loss }
    }

    fn leader(&self, design: &Design) -> usize {
        let rank = |arm: usize| (self.p_best[arm], design.metric().direction.sign() * self.means[arm]);
        let candidates = (0..self.means.len()).filter(|&arm| design.is_candidate(arm));
        candidates
            .reduce(|best, arm| if rank(arm) > rank(best) { arm } else { best })
            .expect("the control is a candidate")
    }
}

/// What intervals for one planned look are made of.
struct Planned<'a> {
    cells: &'a [Cell],
    spread: &'a Spread,
    z: f64,
}

/// Compares every arm but the control with it.
fn compare(cells: &[Cell], design: &Design, planned: &Planned) -> Vec<(Effect, AgainstControl)> {
    let ratios: Vec<Ratio> =
        (1..design.arms().len()).map(|arm| Ratio::new(cells, arm, design.metric())).collect();
    let tests = tests(cells, design, &ratios);
    let direction = design.metric().direction;
    let worthwhile = design.stopping().worthwhile_lift().map(|lift| AtLeast::worthwhile(lift, direction));
    let compared = ratios.iter().zip(tests).enumerate().map(|(index, (ratio, test))| {
        let effect = Effect::new(planned.cells, index + 1, planned.spread, planned.z);
        let log_e_value = ratio.log_e_value();
        let lift_anytime = limits(ratio, test.log_threshold(), direction);
        let against = AgainstControl {
            difference: effect.difference,
            lift: effect.lift,
            lift_anytime,
            lift_shrunken: lift_anytime.nearest((direction.sign() * ratio.mean_log_ratio()).exp_m1()),
            log_e_value,
            p_anytime: (-log_e_value).exp().min(1.0),
            adjusted_p_value: test.step.adjusted,
            level: test.level,
            log_threshold: test.log_threshold(),
            better: ratio.is_above() && log_e_value >= test.log_threshold(),
            log_e_not_worthwhile: worthwhile.as_ref().map(|worthwhile| worthwhile.log_e_value(ratio)),
            period: Period::new(cells, index + 1),
        };
        (effect, against)
    });
    compared.collect()
}

fn limits(ratio: &Ratio, log_threshold: f64, direction: Direction) -> Limits {
    let (low, high) = ratio.log_ratio_limits(log_threshold);
    match direction {
        Direction::Maximize => Limits { low: low.exp_m1(), high: high.exp_m1() },
        Direction::Minimize => Limits { low: (-high).exp_m1(), high: (-low).exp_m1() },
    }
}

/// What one arm's e-value has to reach.
#[derive(Clone, Copy, Debug)]
struct Test {
    step: holm::Step,
    level: f64,
}

impl Test {
    /// The logarithm of the two-sided e-value at which the one-sided p-value of [`one_sided`] is just small enough.
    fn log_threshold(&self) -> f64 {
        anytime::log_threshold(self.level, self.step.multiplicity)
    }
}

/// Holm within each generation, over its arms that were ever served. An arm that was never served was not looked at: it
/// is tested alone, and has no data to be rejected with.
fn tests(cells: &[Cell], design: &Design, ratios: &[Ratio]) -> Vec<Test> {
    let alone = holm::Step { adjusted: 1.0, multiplicity: 1.0 };
    let level = |arm: usize| design.stopping().level(design.arms()[arm].generation);
    let mut tests: Vec<Test> =
        (1..=ratios.len()).map(|arm| Test { step: alone, level: level(arm) }).collect();
    for generation in design.generations() {
        let family: Vec<usize> = (1..=ratios.len())
            .filter(|&arm| design.arms()[arm].generation == generation && is_served(cells, arm))
            .collect();
        let p_values: Vec<f64> = family.iter().map(|&arm| one_sided(&ratios[arm - 1])).collect();
        let steps = holm::steps(&p_values, design.stopping().level(generation));
        for (&arm, step) in family.iter().zip(steps) {
            tests[arm - 1].step = step;
        }
    }
    tests
}

/// The any-time p-value of "not better than the control", 1/(2E − 1) where the data are above and else 1: the half of E's
/// weights that lies on the side of improvement is an e-process of its own, worth at least 2E − 1 there, since the
/// other half is below 1 by concavity (`docs/design/verdicts.md`).
fn one_sided(ratio: &Ratio) -> f64 {
    if !ratio.is_above() {
        return 1.0;
    }
    anytime::one_sided(ratio.log_e_value())
}

pub(crate) fn is_served(cells: &[Cell], arm: usize) -> bool {
    cells.iter().any(|cell| cell.share(arm) > 0.0)
}
