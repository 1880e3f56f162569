//! What an estimate allows one to say.

use crate::estimate::{AgainstControl, ArmEstimate, Estimate, Limits};
use crate::health::SampleRatio;

/// What may be said.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// `arm` is better than the control, and hardly worse than the best arm.
    Winner {
        /// The arm's index; never 0.
        arm: usize,
        /// What shows it.
        evidence: Evidence,
    },
    /// Every variant that was ever served is worse than the control.
    ControlWins,
    /// No variant that was ever served improves on the control by the worthwhile lift.
    NoWorthwhileDifference {
        /// That lift.
        worthwhile_lift: f64,
        /// The natural logarithm of the smallest e-value that refutes it.
        log_e_value: f64,
    },
    /// Time or budget is up, and nothing was shown.
    Inconclusive {
        /// Who leads; may be the control.
        leader: usize,
        /// What the leader lacked.
        missing: Vec<Missing>,
    },
    /// The counts can't be trusted, so nothing is said.
    Unhealthy(Problem),
    /// Nothing yet.
    Collecting {
        /// Who leads at present; may be the control.
        leader: usize,
        /// What the leader still lacks; never empty, in the order of [`Missing`].
        missing: Vec<Missing>,
    },
}

/// Why counts can't be trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Problem {
    /// Nothing was counted.
    NoData,
    /// The counts do not fit the shares.
    SampleRatio(SampleRatio),
}

/// Whether there is time, and budget, to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remaining {
    /// There is.
    Some,
    /// There is not.
    Nothing,
}

/// What showed that a winner is one. Only [`judge`] makes it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Evidence {
    /// Exposures of the winner.
    pub exposures: u64,
    /// Rewards of the winner.
    pub rewards: f64,
    /// Exposures of the control.
    pub control_exposures: u64,
    /// Rewards of the control.
    pub control_rewards: f64,
    /// The natural logarithm of the e-value against equal means.
    pub log_e_value: f64,
    /// Holm's adjusted any-time p-value of "not better than the control".
    pub adjusted_p_value: f64,
    /// The level that it had to reach.
    pub level: f64,
    /// The expected loss, as a fraction of the winner's mean.
    pub relative_loss: f64,
    /// The loss that was accepted.
    pub maximum_loss: f64,
    /// The posterior chance that the winner is the best arm. Shown, not used.
    pub p_best: f64,
    /// The confidence sequence of the lift.
    pub lift_anytime: Limits,
    /// The lift, shrunken towards 0.
    pub lift_shrunken: f64,
}

/// A condition of a winner that the leader does not meet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Missing {
    /// No variant leads.
    ControlLeads {
        /// The control's posterior chance of being the best.
        p_best: f64,
    },
    /// The leader is not yet shown to be better than the control.
    BetterThanControl {
        /// Holm's adjusted any-time p-value at present.
        adjusted_p_value: f64,
        /// The level that it must reach.
        level: f64,
    },
    /// Another arm may well be better than the leader.
    SmallLoss {
        /// The leader's expected loss at present, as a fraction of its mean.
        relative_loss: f64,
        /// The loss that is accepted.
        maximum_loss: f64,
    },
}

/// The only road to a verdict.
///
/// The leader wins if it is a variant, is shown to be better than the control over all looks, arms and generations, and is
/// expected to lose little against the best arm. The chance that it ever names an arm that is not better than the
/// control is at most 1 − confidence, if the ratio of the means is constant and the variants of a generation start
/// together. Which of several better arms wins is a matter of the expected loss, without such a promise.
///
/// Where every variant that was ever served is refuted to be worth having, the experiment ends without a winner; the
/// chance that it ever does although one of them is worth having is at most 1 − confidence, without a correction for
/// several, since all must be refuted at once (Berger 1982). Where all are shown to be worse, the control wins.
///
/// A verdict is about the totals at hand and may fade with later ones; whoever acts on one keeps it together with its
/// evidence.
#[must_use]
pub fn judge(estimate: &Estimate, remaining: Remaining) -> Verdict {
    if let Some(problem) = problem(estimate) {
        return Verdict::Unhealthy(problem);
    }
    let leader = &estimate.arms[estimate.leader];
    let missing = missing(leader, estimate.design.stopping().maximum_loss());
    if let (Some(evidence), true) = (evidence(estimate, leader), missing.is_empty()) {
        return Verdict::Winner { arm: estimate.leader, evidence };
    }
    match (nothing_worth_having(estimate), remaining) {
        (Some(verdict), _) => verdict,
        (None, Remaining::Nothing) => Verdict::Inconclusive { leader: estimate.leader, missing },
        (None, Remaining::Some) => Verdict::Collecting { leader: estimate.leader, missing },
    }
}

fn problem(estimate: &Estimate) -> Option<Problem> {
    if estimate.arms.iter().all(|arm| arm.exposures == 0) {
        return Some(Problem::NoData);
    }
    (!estimate.sample_ratio.ok).then_some(Problem::SampleRatio(estimate.sample_ratio))
}

fn missing(leader: &ArmEstimate, maximum_loss: f64) -> Vec<Missing> {
    let better = match leader.against_control {
        None => Some(Missing::ControlLeads { p_best: leader.p_best }),
        Some(AgainstControl { better: true, .. }) => None,
        Some(AgainstControl { adjusted_p_value, level, .. }) => {
            Some(Missing::BetterThanControl { adjusted_p_value, level })
        }
    };
    let relative_loss = leader.relative_loss;
    let loss = (relative_loss > maximum_loss).then_some(Missing::SmallLoss { relative_loss, maximum_loss });
    better.into_iter().chain(loss).collect()
}

/// `None` for the control, which has nothing to be compared with.
fn evidence(estimate: &Estimate, leader: &ArmEstimate) -> Option<Evidence> {
    let control = &estimate.arms[0];
    leader.against_control.as_ref().map(|against| Evidence {
        exposures: leader.exposures,
        rewards: leader.rewards,
        control_exposures: control.exposures,
        control_rewards: control.rewards,
        log_e_value: against.log_e_value,
        adjusted_p_value: against.adjusted_p_value,
        level: against.level,
        relative_loss: leader.relative_loss,
        maximum_loss: estimate.design.stopping().maximum_loss(),
        p_best: leader.p_best,
        lift_anytime: against.lift_anytime,
        lift_shrunken: against.lift_shrunken,
    })
}

/// The end without a winner, when every variant that was served is shown to be worse, or not worth having.
fn nothing_worth_having(estimate: &Estimate) -> Option<Verdict> {
    let served = estimate.arms.iter().filter(|arm| arm.served);
    let variants: Vec<&AgainstControl> = served.filter_map(|arm| arm.against_control.as_ref()).collect();
    if variants.is_empty() {
        return None;
    }
    let direction = estimate.design.metric().direction;
    if variants.iter().all(|against| against.lift_anytime.is_worse(direction)) {
        return Some(Verdict::ControlWins);
    }
    let worthwhile_lift = estimate.design.stopping().worthwhile_lift()?;
    let refuting = variants.iter().filter_map(|against| against.log_e_not_worthwhile);
    let log_e_value = refuting.fold(f64::INFINITY, f64::min);
    let refuted = log_e_value.is_finite() && log_e_value >= -estimate.design.stopping().alpha().ln();
    refuted.then_some(Verdict::NoWorthwhileDifference { worthwhile_lift, log_e_value })
}
