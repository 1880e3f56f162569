//! All that is known about the arms, from totals.

use crate::best::Best;
use crate::holm;
use crate::posterior::Posterior;
use crate::rate_ratio::RateRatio;
use crate::stopping::Stopping;
use crate::totals::{Cell, Totals};

/// What is known about every arm that was ever part of the experiment. Only [`estimate`] and [`estimate_among`] make
/// one, so its parts belong together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// By arm; arm 0 is the control.
    pub arms: Vec<ArmEstimate>,
    /// The candidate of the highest P(best); of equals the one of the higher posterior mean, then the lower index.
    pub leader: usize,
}

/// What is known about one arm.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ArmEstimate {
    /// Exposures, over all cells.
    pub exposures: u64,
    /// How many of them were rewarded.
    pub rewards: f64,
    /// Whether the arm may still be served and win; the control always may.
    pub candidate: bool,
    /// The mean of the rate's posterior, from a uniform prior: (rewards + 1)/(exposures + 2).
    pub posterior_mean: f64,
    /// The posterior chance that this is the best of the candidates, 0 to 1; 0 when it is none. For display and for
    /// allocation. It is not protected against looking often and must never decide (half of all experiments without
    /// any difference pass 95 % at some time).
    pub p_best: f64,
    /// How much lower the rate is expected to be than that of the best candidate, `E[max θ] − E[θ]`, as a difference
    /// of rates.
    pub expected_loss: f64,
    /// The comparison with the control; `None` for the control.
    pub against_control: Option<AgainstControl>,
}

impl ArmEstimate {
    /// The expected loss as a fraction of the arm's own posterior mean.
    #[must_use]
    pub fn relative_loss(&self) -> f64 {
        self.expected_loss / self.posterior_mean
    }
}

/// What is known about the ratio of an arm's rate to the control's, valid at every time at which one chooses to look,
/// for every allocation and every trend that both arms share.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AgainstControl {
    /// The natural logarithm of the current e-value against equal rates; 0 is no evidence, ln 20 ≈ 3.0 refutes at 5 %
    /// one arm that was alone in question. A logarithm, since e-values overflow.
    pub log_e_value: f64,
    /// The any-time p-value min(1, 1/E) of equal rates, both sides, for this arm alone.
    pub p_value: f64,
    /// Holm's adjusted p-value of "not better than the control", over all arms that were ever served.
    pub adjusted_p_value: f64,
    /// Whether the arm is shown to be better than the control, at [`Stopping::level`] of the adjusted p-value.
    pub better: bool,
    /// The confidence sequence of the lift at [`Stopping::confidence`], for this arm alone. It covers the lift at all
    /// times at once with at least that chance.
    pub lift: LiftInterval,
    /// The lift with the mixture of the test as prior, shrunken towards 0: exp(E[ln θ]) − 1, within −75 % and +300 %.
    /// For display: what is reported at the moment of a decision is else too high.
    pub shrunken_lift: f64,
}

/// Limits of a lift, that is of rate/rate of control − 1: 0.1 is 10 % more.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct LiftInterval {
    /// At least −1, which means that the data give no lower limit.
    pub lower: f64,
    /// Infinite when the data give no upper limit, as without rewards of the control.
    pub upper: f64,
}

/// Which arms may still be served and win. Arms that may not stay in the estimate: leaving out what was looked at
/// before would make false winners.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    retired: Vec<usize>,
}

impl Candidates {
    /// Every arm.
    #[must_use]
    pub fn all() -> Self {
        Self { retired: Vec::new() }
    }

    /// Every arm but these, such as recalled ones. The control stays a candidate even if it is named here: there is
    /// always something to serve.
    #[must_use]
    pub fn without(retired: &[usize]) -> Self {
        Self { retired: retired.to_vec() }
    }

    fn holds(&self, arm: usize) -> bool {
        arm == 0 || !self.retired.contains(&arm)
    }
}

/// Why totals allow no estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EstimateError {
    /// Without a cell it is unknown how many arms there are.
    #[error("an estimate needs at least one cell; an experiment without data is one cell of zeros")]
    NoCells,
    /// Cells of different experiments, or of different times without the later arms filled in.
    #[error(
        "cell {cell} has {found} arms and the first one has {expected}; fill in arms that were not served with share 0"
    )]
    Arms {
        /// The cell's index.
        cell: usize,
        /// Its arms.
        found: usize,
        /// The arms of the first cell.
        expected: usize,
    },
    /// Rewards other than 0 and 1.
    #[error("arm {arm} of cell {cell} does not have the totals of a 0/1 metric")]
    NotBinary {
        /// The cell's index.
        cell: usize,
        /// The arm's index.
        arm: usize,
    },
}

/// Estimates all arms of `cells` with every arm as a candidate. See [`estimate_among`].
///
/// # Errors
/// As [`estimate_among`].
pub fn estimate(cells: &[Cell], stopping: &Stopping) -> Result<Estimate, EstimateError> {
    estimate_among(cells, &Candidates::all(), stopping)
}

/// Estimates all arms of `cells`, which may come in any order and lose nothing when those of equal shares are merged.
///
/// The comparison with the control is made cell by cell, so it stays right when shares or rates differ by round or
/// segment. Posteriors are of the sums over cells: they assume that an arm's rate stays as it is.
///
/// # Errors
/// When there is no cell, when cells differ in their arms, or when totals are not those of a 0/1 metric.
pub fn estimate_among(
    cells: &[Cell],
    candidates: &Candidates,
    stopping: &Stopping,
) -> Result<Estimate, EstimateError> {
    let arms = check(cells)?;
    let totals: Vec<Totals> = (0..arms).map(|arm| sum(cells, arm)).collect();
    let beliefs = Beliefs::new(&totals, candidates);
    let comparisons = compare(cells, arms, stopping);
    let estimates = comparisons.into_iter().enumerate().map(|(arm, against_control)| ArmEstimate {
        exposures: totals[arm].exposures,
        rewards: totals[arm].rewards,
        candidate: candidates.holds(arm),
        posterior_mean: beliefs.means[arm],
        p_best: beliefs.p_best[arm],
        expected_loss: (beliefs.expected_maximum - beliefs.means[arm]).max(0.0),
        against_control,
    });
    let arms: Vec<ArmEstimate> = estimates.collect();
    let leader = leader(&arms);
    Ok(Estimate { arms, leader })
}

fn check(cells: &[Cell]) -> Result<usize, EstimateError> {
    let expected = cells.first().ok_or(EstimateError::NoCells)?.arms();
    for (index, cell) in cells.iter().enumerate() {
        if cell.arms() != expected {
            return Err(EstimateError::Arms { cell: index, found: cell.arms(), expected });
        }
        if let Some(arm) = cell.totals().iter().position(|totals| !totals.is_binary()) {
            return Err(EstimateError::NotBinary { cell: index, arm });
        }
    }
    Ok(expected)
}

fn sum(cells: &[Cell], arm: usize) -> Totals {
    cells.iter().map(|cell| cell.totals()[arm]).fold(Totals::default(), |sum, totals| sum + totals)
}

/// The posteriors' part of an estimate.
struct Beliefs {
    means: Vec<f64>,
    p_best: Vec<f64>,
    expected_maximum: f64,
}

impl Beliefs {
    fn new(totals: &[Totals], candidates: &Candidates) -> Self {
        let posteriors: Vec<Posterior> = totals.iter().map(Posterior::new).collect();
        let serving: Vec<usize> = (0..totals.len()).filter(|&arm| candidates.holds(arm)).collect();
        let best = Best::of(&serving.iter().map(|&arm| posteriors[arm]).collect::<Vec<_>>());
        let mut p_best = vec![0.0; totals.len()];
        for (&arm, chance) in serving.iter().zip(best.p_best) {
            p_best[arm] = chance;
        }
        let means = posteriors.iter().map(Posterior::mean).collect();
        Self { means, p_best, expected_maximum: best.expected_maximum }
    }
}

/// Compares every arm with the control; `None` for the control.
fn compare(cells: &[Cell], arms: usize, stopping: &Stopping) -> Vec<Option<AgainstControl>> {
    let ratios: Vec<RateRatio> = (1..arms).map(|arm| RateRatio::new(cells, arm)).collect();
    let adjusted = adjusted_p_values(cells, &ratios);
    let comparisons = ratios.iter().zip(adjusted).map(|(ratio, adjusted_p_value)| {
        let (lower, upper) = ratio.log_ratio_limits(1.0 - stopping.confidence());
        AgainstControl {
            log_e_value: ratio.log_e_value(),
            p_value: p_value(ratio),
            adjusted_p_value,
            better: adjusted_p_value <= stopping.level(),
            lift: LiftInterval { lower: lower.exp_m1(), upper: upper.exp_m1() },
            shrunken_lift: ratio.mean_log_ratio().exp_m1(),
        }
    });
    std::iter::once(None).chain(comparisons.map(Some)).collect()
}

/// Holm over the arms that were ever served, on the one-sided p-values of "not better than the control". An arm that
/// was never served was not looked at; it counts as 1.
fn adjusted_p_values(cells: &[Cell], ratios: &[RateRatio]) -> Vec<f64> {
    let served = |arm: usize| cells.iter().any(|cell| cell.allocation().shares()[arm].get() > 0);
    let family: Vec<usize> = (0..ratios.len()).filter(|&index| served(index + 1)).collect();
    // θ ≤ 1 is refuted at the smallest E(θ₀) over θ₀ ≤ 1. ℓ is concave: that is E(1) if ℓ rises at 1, else at most 1.
    let one_sided = |ratio: &RateRatio| if ratio.is_above() { p_value(ratio) } else { 1.0 };
    let p_values: Vec<f64> = family.iter().map(|&index| one_sided(&ratios[index])).collect();
    let mut adjusted = vec![1.0; ratios.len()];
    for (&index, p_value) in family.iter().zip(holm::adjusted(&p_values)) {
        adjusted[index] = p_value;
    }
    adjusted
}

fn p_value(ratio: &RateRatio) -> f64 {
    (-ratio.log_e_value()).exp().min(1.0)
}

fn leader(arms: &[ArmEstimate]) -> usize {
    let rank = |arm: &ArmEstimate| (arm.p_best, arm.posterior_mean);
    let candidates = (0..arms.len()).filter(|&arm| arms[arm].candidate);
    candidates
        .reduce(|best, arm| if rank(&arms[arm]) > rank(&arms[best]) { arm } else { best })
        .expect("the control is a candidate")
}
