//! What an estimate allows one to say.

use crate::estimate::{ArmEstimate, Estimate, LiftInterval};
use crate::stopping::Stopping;

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
    /// Nothing yet.
    Collecting {
        /// Who leads at present; may be the control.
        leader: usize,
        /// What the leader still lacks; never empty, in the order of [`Missing`].
        missing: Vec<Missing>,
    },
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
    /// The natural logarithm of the e-value against equal rates.
    pub log_e_value: f64,
    /// Holm's adjusted any-time p-value of "not better than the control".
    pub adjusted_p_value: f64,
    /// The level that it had to reach.
    pub level: f64,
    /// The expected loss, as a fraction of the winner's rate.
    pub relative_loss: f64,
    /// The loss that was accepted.
    pub maximum_loss: f64,
    /// The posterior chance that the winner is the best arm. Shown, not used.
    pub p_best: f64,
    /// The confidence sequence of the lift.
    pub lift: LiftInterval,
    /// The lift, shrunken towards 0.
    pub shrunken_lift: f64,
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
        /// The leader's expected loss at present, as a fraction of its rate.
        relative_loss: f64,
        /// The loss that is accepted.
        maximum_loss: f64,
    },
}

/// The only road to a verdict: the leader wins if it is a variant, is shown to be better than the control over all
/// looks, arms and generations, and is expected to lose little against the best arm.
///
/// The chance that it ever names an arm that is not better than the control is at most 1 − confidence, if the ratio of
/// the rates is constant and all variants of a generation start together. Which of several better arms wins is a matter
/// of the expected loss, without such a promise.
///
/// A verdict is about the totals at hand and may fade with later ones; whoever acts on a winner keeps it together with
/// its evidence.
#[must_use]
pub fn judge(estimate: &Estimate, stopping: &Stopping) -> Verdict {
    let leader = &estimate.arms[estimate.leader];
    let missing = missing(leader, stopping);
    match evidence(leader, &estimate.arms[0], stopping) {
        Some(evidence) if missing.is_empty() => Verdict::Winner { arm: estimate.leader, evidence },
        _ => Verdict::Collecting { leader: estimate.leader, missing },
    }
}

fn missing(leader: &ArmEstimate, stopping: &Stopping) -> Vec<Missing> {
    let better = match &leader.against_control {
        None => Some(Missing::ControlLeads { p_best: leader.p_best }),
        Some(against) => {
            (against.adjusted_p_value > stopping.level()).then_some(Missing::BetterThanControl {
                adjusted_p_value: against.adjusted_p_value,
                level: stopping.level(),
            })
        }
    };
    let (relative_loss, maximum_loss) = (leader.relative_loss(), stopping.maximum_loss());
    let loss = (relative_loss > maximum_loss).then_some(Missing::SmallLoss { relative_loss, maximum_loss });
    better.into_iter().chain(loss).collect()
}

/// `None` for the control, which has nothing to be compared with.
fn evidence(leader: &ArmEstimate, control: &ArmEstimate, stopping: &Stopping) -> Option<Evidence> {
    leader.against_control.as_ref().map(|against| Evidence {
        exposures: leader.exposures,
        rewards: leader.rewards,
        control_exposures: control.exposures,
        control_rewards: control.rewards,
        log_e_value: against.log_e_value,
        adjusted_p_value: against.adjusted_p_value,
        level: stopping.level(),
        relative_loss: leader.relative_loss(),
        maximum_loss: stopping.maximum_loss(),
        p_best: leader.p_best,
        lift: against.lift,
        shrunken_lift: against.shrunken_lift,
    })
}
