//! What a run of the worker came to: the termination message of its container.
//!
//! The operator reads it from the pod's termination message, which Kubernetes cuts at 4096 bytes; a cut report could
//! not be read at all, so a report keeps itself below.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::GenerationFailure;

/// The most bytes of a report; Kubernetes keeps 4096 of a container's termination message.
pub const LARGEST: usize = 4000;
/// The most bytes of a message in it.
const LARGEST_MESSAGE: usize = 1000;

/// How a run ended. Each has an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// Every variant that was asked for is there. Exit code 0.
    Complete,
    /// Something failed that may go well another time, such as a write. Exit code 1.
    Failed,
    /// Flags, campaign or model cannot be used; the same inputs fail again. Exit code 2, as for unknown flags.
    Misconfigured,
    /// The model did not write enough copy that holds. The same inputs give the same shortfall. Exit code 3.
    Shortfall,
}

impl Outcome {
    /// The process's exit code.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Failed => 1,
            Self::Misconfigured => 2,
            Self::Shortfall => 3,
        }
    }

    /// How much of the writing an end like this takes away, for the end of several.
    fn severity(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::Shortfall => 1,
            Self::Failed => 2,
            Self::Misconfigured => 3,
        }
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// Why, and what to do, where it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why it failed, where that is one of the known ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<GenerationFailure>,
    /// What the writing took, where it had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// SHA-256 of the model's weights, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_digest: Option<String>,
    /// Each placement that asked for variants.
    #[serde(default)]
    pub placements: Vec<PlacementReport>,
}

/// What writing took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Effort {
    /// Tokens that the model wrote, those of refused copy included.
    pub tokens: u64,
    /// Milliseconds by the clock on the wall, without loading the model.
    pub milliseconds: u64,
}

impl Effort {
    /// Tokens for each second, rounded; none where no time has passed.
    #[must_use]
    pub fn tokens_per_second(self) -> Option<u64> {
        let (tokens, milliseconds) = (u128::from(self.tokens), u128::from(self.milliseconds));
        let rate = (1_000 * tokens + milliseconds / 2).checked_div(milliseconds)?;
        u64::try_from(rate).ok()
    }
}

impl std::iter::Sum for Effort {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            tokens: sum.tokens.saturating_add(one.tokens),
            milliseconds: sum.milliseconds.saturating_add(one.milliseconds),
        })
    }
}

/// What was written for one placement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacementReport {
    /// The placement's name.
    pub name: String,
    /// Variants that it asks for.
    pub asked: u32,
    /// Variants that an earlier run had delivered.
    pub existing: u32,
    /// Variants that this run delivered.
    pub delivered: u32,
    /// Pieces of copy that this run wrote, delivered or not.
    pub written: u32,
    /// Pieces of copy that were refused, by what they broke. One piece may break several rules.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<String, u32>,
}

impl PlacementReport {
    /// Variants that are still missing.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.asked.saturating_sub(self.existing + self.delivered)
    }
}

impl Report {
    /// The report of a run that wrote all it could.
    #[must_use]
    pub fn of_run(model_digest: &str, effort: Effort, placements: Vec<PlacementReport>) -> Self {
        let missing: u32 = placements.iter().map(PlacementReport::missing).sum();
        let outcome = if missing == 0 { Outcome::Complete } else { Outcome::Shortfall };
        let message = (missing > 0).then(|| shortfall(missing, &placements));
        let (model_digest, effort) = (Some(model_digest.to_owned()), Some(effort));
        Self { outcome, message, failure: None, effort, model_digest, placements }
    }

    /// The same of a run that found no room for more tokens: what is missing is missing for want of them.
    #[must_use]
    pub fn out_of_tokens(self, most: u64) -> Self {
        if self.outcome != Outcome::Shortfall {
            return self;
        }
        let written = self.effort.map_or(0, |effort| effort.tokens);
        let message = format!(
            "{written} of the {most} tokens are written that generation.budget.tokens leaves to the worker"
        );
        Self { failure: Some(GenerationFailure::BudgetSpent), message: Some(message), ..self }
    }

    /// The report of a run that ended early.
    #[must_use]
    pub fn of_failure(outcome: Outcome, failure: Option<GenerationFailure>, message: &str) -> Self {
        let mut end = message.len().min(LARGEST_MESSAGE);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let message = Some(message[..end].to_owned());
        Self { outcome, message, failure, effort: None, model_digest: None, placements: Vec::new() }
    }

    /// The report of a run that was told to end. Why, whoever told it knows.
    #[must_use]
    pub fn of_interruption(effort: Effort) -> Self {
        let (outcome, effort) = (Outcome::Failed, Some(effort));
        Self { outcome, message: None, failure: None, effort, model_digest: None, placements: Vec::new() }
    }

    /// The report of several workers that each wrote for some of the placements; none if there is none.
    ///
    /// The worst end is the end of all, with the words of those that ended so.
    #[must_use]
    pub fn of_all(reports: Vec<Self>) -> Option<Self> {
        let worst = reports.iter().map(|it| it.outcome).max_by_key(|outcome| outcome.severity())?;
        let ended_so = || reports.iter().filter(|it| it.outcome == worst);
        let (failure, model_digest) =
            (ended_so().find_map(|it| it.failure), reports.iter().find_map(|it| it.model_digest.clone()));
        let missing = reports.iter().flat_map(|it| &it.placements).map(PlacementReport::missing).sum();
        let told: BTreeSet<&str> = ended_so().filter_map(|it| it.message.as_deref()).collect();
        let told = (!told.is_empty()).then(|| told.into_iter().collect::<Vec<_>>().join("; "));
        // A report that was too large has no placements: then its own words are all there is.
        let counted = worst == Outcome::Shortfall
            && failure.is_none()
            && reports.iter().all(|it| !it.placements.is_empty());
        let efforts: Vec<Effort> = reports.iter().filter_map(|it| it.effort).collect();
        let effort = (!efforts.is_empty()).then(|| efforts.into_iter().sum());
        let placements: Vec<_> = reports.into_iter().flat_map(|it| it.placements).collect();
        let message = if counted { Some(shortfall(missing, &placements)) } else { told };
        Some(Self { outcome: worst, message, failure, effort, model_digest, placements })
    }

    /// The report as JSON of at most [`LARGEST`] bytes. Where it would be larger, first the counts by rule are left
    /// out, then the placements: how a run ended is always said.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut report = self.clone();
        let mut text = report.json();
        if text.len() > LARGEST {
            report.placements.iter_mut().for_each(|placement| placement.rejected.clear());
            text = report.json();
        }
        if text.len() > LARGEST {
            report.placements.clear();
            text = report.json();
        }
        text
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("a report is text and numbers, which JSON can hold")
    }
}

/// Why copy is missing, with the commonest reason and what helps against it.
fn shortfall(missing: u32, placements: &[PlacementReport]) -> String {
    let mut counts = BTreeMap::<&str, u64>::new();
    for (rule, count) in placements.iter().flat_map(|placement| &placement.rejected) {
        *counts.entry(rule).or_default() += u64::from(*count);
    }
    let commonest = counts.into_iter().max_by_key(|(_, count)| *count);
    let reason =
        commonest.map_or_else(String::new, |(rule, count)| format!(", most often by {rule} ({count} times)"));
    format!(
        "{missing} variants are missing: the model's copy was refused{reason}. \
         Ask for fewer variants, shorten the brief or its required words, or offer a larger model"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const EFFORT: Effort = Effort { tokens: u64::MAX, milliseconds: u64::MAX };

    fn placement(name: &str, rules: usize) -> PlacementReport {
        PlacementReport {
            name: name.into(),
            asked: 16,
            existing: 2,
            delivered: 3,
            written: u32::MAX,
            rejected: (0..rules).map(|rule| (format!("ARuleWithALongName{rule}"), u32::MAX)).collect(),
        }
    }

    #[test]
    fn a_report_comes_back_as_it_was() {
        let report = Report::of_run("ab", EFFORT, vec![placement("hero", 2)]);
        assert_eq!(serde_json::from_str::<Report>(&report.to_json()).expect("readable"), report);
    }

    #[test]
    fn a_report_fits_into_a_termination_message_whatever_happened() {
        for (placements, rules) in [(4, 15), (4, 200), (200, 0)] {
            let report =
                Report::of_run("ab", EFFORT, (0..placements).map(|_| placement("hero", rules)).collect());
            let text = report.to_json();
            assert!(text.len() <= LARGEST, "{placements} placements, {rules} rules: {} bytes", text.len());
            let read: Report = serde_json::from_str(&text).expect("readable");
            assert_eq!((read.outcome, read.message), (report.outcome, report.message));
        }
        let failure = Report::of_failure(
            Outcome::Failed,
            Some(GenerationFailure::ModelFilesDamaged),
            &"é".repeat(9000),
        );
        assert!(failure.to_json().len() <= LARGEST);
    }

    #[test]
    fn four_placements_with_every_rule_broken_keep_their_counts() {
        let report =
            Report::of_run("ab", EFFORT, (0..4).map(|_| placement("sixteen-letters-", 15)).collect());
        assert_eq!(serde_json::from_str::<Report>(&report.to_json()).expect("readable"), report);
    }

    #[test]
    fn a_shortfall_names_the_commonest_reason_and_what_helps() {
        let mut short = placement("hero", 0);
        short.rejected = BTreeMap::from([("TooLong".to_owned(), 9), ("NearDuplicate".to_owned(), 2)]);
        let report = Report::of_run("ab", EFFORT, vec![short]);
        assert_eq!(report.outcome, Outcome::Shortfall);
        let message = report.message.expect("a message");
        assert!(message.starts_with(
            "11 variants are missing: the model's copy was refused, most often by TooLong (9 times)."
        ));
    }

    #[test]
    fn a_rate_is_rounded_and_there_is_none_without_time() {
        let rate = |tokens, milliseconds| Effort { tokens, milliseconds }.tokens_per_second();
        assert_eq!([rate(1_000, 2_000), rate(1, 3_000), rate(2, 3_000)], [Some(500), Some(0), Some(1)]);
        assert_eq!([rate(7, 0), rate(u64::MAX, u64::MAX), rate(u64::MAX, 1)], [None, Some(1_000), None]);
    }

    #[test]
    fn the_report_of_several_workers_ends_as_the_worst_and_adds_what_they_wrote() {
        let effort = Effort { tokens: 100, milliseconds: 2_000 };
        let whole = |name: &str| PlacementReport { delivered: 14, ..placement(name, 0) };
        let complete = Report::of_run("ab", effort, vec![whole("hero")]);
        let short = Report::of_run("ab", effort, vec![placement("side", 1)]);
        let failed = Report::of_failure(Outcome::Failed, None, "the disk is away");
        let all = |reports: &[&Report]| Report::of_all(reports.iter().copied().cloned().collect());
        assert_eq!(all(&[]), None);
        assert_eq!(all(&[&short]), Some(short.clone()), "one is itself");

        let both = all(&[&complete, &short]).expect("a report");
        assert_eq!((both.outcome, both.placements.len()), (Outcome::Shortfall, 2));
        assert_eq!(both.effort, Some(Effort { tokens: 200, milliseconds: 4_000 }));
        assert!(both.message.expect("a message").starts_with("11 variants are missing"));

        let three = all(&[&complete, &short, &failed]).expect("a report");
        assert_eq!((three.outcome, three.message.as_deref()), (Outcome::Failed, Some("the disk is away")));
    }
}
