//! The answer of `replay`, under the names that people gave. `docs/replay.md` describes its fields.

use experiment::replay::{LeftOut, Replay, Value, Weights};
use serde::Serialize;

use super::super::answer::{Figure, IntervalAnswer};
use super::scoring::Scoring;
use super::words::{self, Unit};

/// What another policy would have brought.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplayAnswer {
    /// How many lines the estimates rest on.
    pub lines: u64,
    /// One minus the chance that limits miss the truth.
    pub confidence: f64,
    /// Whether every reward is 0 or 1.
    pub binary: bool,
    /// What the log's own policy brought: the mean reward of a line.
    pub logged: IntervalAnswer,
    /// What the other policy would have brought.
    pub estimates: EstimatesAnswer,
    /// How much of the log it makes use of.
    pub weights: WeightsAnswer,
    /// Rounds that say nothing about it.
    pub left_out: Vec<LeftOutAnswer>,
    /// Reasons not to trust the limits.
    pub warnings: Vec<WarningAnswer>,
    /// What it comes to, in a sentence for people.
    pub sentence: String,
}

/// The same by four estimators.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EstimatesAnswer {
    /// The one to report.
    pub doubly_robust: EstimateAnswer,
    /// Weighed rewards over weights.
    pub self_normalized: EstimateAnswer,
    /// Weighed rewards over lines.
    pub inverse_propensity: EstimateAnswer,
    /// Mean rewards by segment, context and variant.
    pub direct: EstimateAnswer,
}

/// One estimator's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EstimateAnswer {
    /// The mean reward of a line.
    pub mean: IntervalAnswer,
    /// Its standard error.
    pub standard_error: Figure,
    /// The mean minus what was logged, on the same lines.
    pub difference: IntervalAnswer,
}

/// How lines are weighed: by the policy's chance of what was shown, over the log's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WeightsAnswer {
    /// As many lines of equal weight would say as much.
    pub effective_lines: Figure,
    /// As many rewarded lines of equal weight and reward would say as much.
    pub effective_rewards: Figure,
    /// The largest.
    pub largest: Figure,
    /// Their mean, which is 1 but for chance where the log's chances are right.
    pub mean: IntervalAnswer,
}

/// A round that says nothing about the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutAnswer {
    /// Its number.
    pub round: u64,
    /// How many lines it has.
    pub lines: u64,
    /// A variant that had no chance there, and that the policy would show.
    pub variant: String,
}

/// A reason not to trust the limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WarningAnswer {
    /// Which one.
    pub kind: WarningWord,
    /// The same in words.
    pub message: String,
}

/// Reasons not to trust the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum WarningWord {
    /// The weights' mean is not 1.
    WeightsOff,
    /// The policy makes use of few lines.
    FewLines,
    /// The estimate rests on few rewards.
    FewRewards,
    /// Few subjects have all lines.
    FewSubjects,
    /// Lines without a subject count as people of their own.
    NoSubject,
    /// A part of the log says nothing about the policy.
    LeftOut,
}

impl ReplayAnswer {
    /// How its means read.
    pub(super) fn unit(&self) -> Unit {
        if self.binary { Unit::Rate } else { Unit::Amount }
    }

    /// What was found of the lines of `scoring`.
    pub(super) fn new(scoring: &Scoring, found: &Replay, confidence: f64) -> Self {
        Self {
            lines: found.rows,
            confidence,
            binary: scoring.facts.unit == Unit::Rate,
            logged: found.logged.into(),
            estimates: EstimatesAnswer {
                doubly_robust: found.doubly_robust.into(),
                self_normalized: found.self_normalized.into(),
                inverse_propensity: found.inverse_propensity.into(),
                direct: found.direct.into(),
            },
            weights: found.weights.into(),
            left_out: found.left_out.iter().map(|left| left_out(scoring, left)).collect(),
            warnings: words::warnings(scoring, found),
            sentence: words::sentence(scoring.facts.unit, found),
        }
    }
}

fn left_out(scoring: &Scoring, left: &LeftOut) -> LeftOutAnswer {
    let variant = scoring.variant(left).to_owned();
    LeftOutAnswer { round: scoring.round(left), lines: left.rows, variant }
}

impl From<Value> for EstimateAnswer {
    fn from(Value { value, standard_error, difference }: Value) -> Self {
        Self { mean: value.into(), standard_error: Figure(standard_error), difference: difference.into() }
    }
}

impl From<Weights> for WeightsAnswer {
    fn from(
        Weights { effective_rows, effective_rewards, largest, mean, standard_error: _ }: Weights,
    ) -> Self {
        Self {
            effective_lines: Figure(effective_rows),
            effective_rewards: Figure(effective_rewards),
            largest: Figure(largest),
            mean: mean.into(),
        }
    }
}
