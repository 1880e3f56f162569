//! What a replay comes to, in words.

use experiment::Interval;
use experiment::replay::Replay;

use super::super::figures::{amount, grouped, rate};
use super::answer::{WarningAnswer, WarningWord};
use super::scoring::{Facts, Scoring};
use crate::text::plural;

/// What rewards are, and so how they read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Every reward is 0 or 1: means are rates, and differ by percentage points.
    Rate,
    /// Rewards are values.
    Amount,
}

impl Unit {
    /// A mean reward.
    pub(super) fn mean(self, mean: f64) -> String {
        match (mean, self) {
            (endless, _) if endless.is_infinite() => "∞".to_owned(),
            (below, _) if below < 0.0 => format!("-{}", self.mean(-below)),
            (mean, Self::Rate) => rate(mean),
            (mean, Self::Amount) => amount(mean),
        }
    }

    /// A difference of means, with its sign.
    pub(super) fn difference(self, difference: f64) -> String {
        let size = self.size(difference);
        // What is rounded to nothing has no sign.
        let is_zero = size.bytes().all(|byte| byte == b'0' || byte == b'.');
        let sign = if is_zero {
            ""
        } else if difference < 0.0 {
            "-"
        } else {
            "+"
        };
        format!("{sign}{size}")
    }

    /// How large a difference is.
    fn size(self, difference: f64) -> String {
        match (difference.abs(), self) {
            (endless, _) if endless.is_infinite() => "∞".to_owned(),
            (size, Self::Rate) => format!("{:.2}", 100.0 * size),
            (size, Self::Amount) => amount(size),
        }
    }
}

/// `1 line`, `12 000 lines`.
pub(super) fn counted(lines: u64) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{} lines", grouped(lines)) }
}

/// What may be said of the policy.
pub(super) fn sentence(unit: Unit, found: &Replay) -> String {
    let Interval { low, high, .. } = found.doubly_robust.difference;
    let points = if unit == Unit::Rate { " points" } else { "" };
    let [policy, logged] =
        [found.doubly_robust.value.estimate, found.logged.estimate].map(|mean| unit.mean(mean));
    let [smaller, larger] = [low, high].map(|limit| unit.size(limit));
    if low.is_infinite() || high.is_infinite() {
        "Nothing can be said: too few of the lines that the policy would have shown had a reward.".to_owned()
    } else if low > 0.0 {
        format!(
            "The policy would have brought more: {policy} a line instead of {logged}, more by {smaller} to {larger}{points}."
        )
    } else if high < 0.0 {
        format!(
            "The policy would have brought less: {policy} a line instead of {logged}, less by {larger} to {smaller}{points}."
        )
    } else {
        format!(
            "No difference is shown: {policy} a line instead of {logged}, from {smaller}{points} less to {larger}{points} more."
        )
    }
}

/// Reasons not to trust the limits, the gravest first.
pub(super) fn warnings(scoring: &Scoring, found: &Replay) -> Vec<WarningAnswer> {
    let warnings = [
        weights_off(found),
        few_lines(found),
        few_rewards(found),
        few_subjects(scoring, found),
        left_out(found),
        no_subject(scoring.facts),
    ];
    let warning = |(kind, message)| WarningAnswer { kind, message };
    warnings.into_iter().flatten().map(warning).collect()
}

type Warning = Option<(WarningWord, String)>;

/// One log in ten thousand has weights that are off by as much by chance.
const DEVIATIONS: f64 = 4.0;

fn weights_off(found: &Replay) -> Warning {
    let weights = found.weights;
    let distance = (weights.mean.estimate - 1.0).abs();
    let is_off = distance > DEVIATIONS * weights.standard_error && distance > 1e-6;
    is_off.then(|| {
        let mean = weights.mean.estimate;
        let message = format!(
            "The weights' mean is {mean:.3} and should be 1: the log's probabilities are not those that variants were drawn with, or a variant that the policy shows had no chance. Do not trust any of the estimates."
        );
        (WarningWord::WeightsOff, message)
    })
}

/// Below it single lines move the estimate.
const FEW_LINES: f64 = 100.0;

fn few_lines(found: &Replay) -> Warning {
    let lines = found.weights.effective_rows;
    (lines < FEW_LINES).then(|| {
        let message = format!(
            "It is as if {} were the policy's own: too few for limits to be right.",
            counted(lines.round() as u64)
        );
        (WarningWord::FewLines, message)
    })
}

/// Below it limits are rough: `experiment/tests/replay.rs` has how often they hold.
const FEW_REWARDS: f64 = 10.0;

fn few_rewards(found: &Replay) -> Warning {
    let rewards = found.weights.effective_rewards;
    (rewards < FEW_REWARDS).then(|| {
        let message = format!(
            "The estimate rests on the rewards of about {}: limits are rough below {FEW_REWARDS}.",
            counted(rewards.round() as u64)
        );
        (WarningWord::FewRewards, message)
    })
}

/// Below it a standard error is itself known to no more than a fifth.
const FEW_GROUPS: usize = 20;

fn few_subjects(scoring: &Scoring, found: &Replay) -> Warning {
    (found.groups < FEW_GROUPS && scoring.facts.without_subject == 0).then(|| {
        let message = format!(
            "All lines are of some {}: what these few people do says little about others.",
            plural(found.groups, "subject")
        );
        (WarningWord::FewSubjects, message)
    })
}

fn left_out(found: &Replay) -> Warning {
    let (rounds, lines) = (found.left_out.len(), found.left_out.iter().map(|left| left.rows).sum::<u64>());
    (rounds > 0).then(|| {
        let message = format!(
            "{}, {}: a variant that the policy shows had no chance there. The estimate is of the other rounds, and so is what was logged.",
            plural(rounds, "round"),
            counted(lines)
        );
        (WarningWord::LeftOut, message)
    })
}

fn no_subject(facts: Facts) -> Warning {
    (facts.without_subject > 0).then(|| {
        let message = format!(
            "{} without a subject, each of which counts as somebody else: where people come back, limits are too narrow.",
            counted(facts.without_subject)
        );
        (WarningWord::NoSubject, message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_the_unit_of_the_rewards() {
        let (rate, amount) = (Unit::Rate, Unit::Amount);
        assert_eq!([0.0512, -0.001, f64::INFINITY].map(|mean| rate.mean(mean)), ["5.12%", "-0.10%", "∞"]);
        assert_eq!([41.5, 0.0].map(|mean| amount.mean(mean)), ["41.50", "0"]);
        assert_eq!(
            [0.0078, -0.0078, f64::NEG_INFINITY].map(|difference| rate.difference(difference)),
            ["+0.78", "-0.78", "-∞"]
        );
        assert_eq!(amount.difference(-1.5), "-1.50");
        assert_eq!([-1e-9, 0.0].map(|difference| rate.difference(difference)), ["0.00", "0.00"]);
    }
}
