//! What the operator says of a campaign. Written once at the end of every pass, and only when something but time
//! changed.
//!
//! Results are decimal strings: no floating-point number crosses the API.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Origin, Percent, Spending};

/// Where a campaign stands.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdCampaignStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// One word for people. Programs read the conditions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Answers to the questions that users ask; see `condition` for each type and reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// What the columns of `kubectl get` show: the first undecided placement, else the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,
    /// What became of the variants that a model was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationStatus>,
    /// The number of the table that is served. It never falls, though the table be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub table_number: Option<i64>,
    /// Each placement's experiment.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 4))]
    pub placements: Vec<PlacementStatus>,
}

/// Where a campaign stands, in one word.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Something must be mended by a person; the `Stalled` condition names it.
    Stalled,
    /// The model writes; the control is served.
    Generating,
    /// Variants wait for a person's word; the control is served.
    Reviewing,
    /// Everything is ready for `schedule.startsAt`; the control is served.
    Scheduled,
    /// Traffic is split and counted.
    Running,
    /// The same, while everybody sees the control.
    DryRun,
    /// People suspended it; the control is served.
    Suspended,
    /// Every placement has ended.
    Decided,
}

/// What the columns of `kubectl get` show.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// The placement's leader, and `+N` when there are N more placements.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub leader: Option<String>,
    /// The leader's any-time lift interval, such as `+4%..+31%`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub lift: Option<String>,
    /// The probability that the leader is the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub probability_best: Option<String>,
    /// Matured exposures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<i64>,
    /// The verdict, or `Collecting`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub verdict: Option<String>,
    /// The reason of the condition that matters most now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
}

/// What became of the variants that a model was asked for.
///
/// It is recorded here before the Job may be deleted, so finished work is never repeated.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GenerationStatus {
    /// The Job, named from the inputs.
    #[schemars(length(max = 63))]
    pub job: String,
    /// How it stands.
    pub outcome: GenerationOutcome,
    /// Variants asked for, over all placements.
    pub asked: i64,
    /// Variants that exist and pass the rules.
    pub delivered: i64,
    /// Why the Job failed, where that is one of the known ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<GenerationFailure>,
    /// What is known of the cause, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// What the Job took so far, while it has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spending: Option<Spending>,
    /// Tokens that the model wrote, those of refused copy and of pods that failed included. This and all below is said once,
    /// when the Job has ended, and only of what is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<i64>,
    /// Seconds of writing, those of all workers added, without loading the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// Tokens for each second of a worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<i64>,
    /// Seconds for which GPUs were held, from a pod's start to its end, those of lost pods included, times their number. While
    /// the Job runs, whole minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu_seconds: Option<i64>,
    /// What these cost at the model's price, such as `0.0467 USD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub cost: Option<String>,
    /// The same for each of the delivered variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub cost_per_variant: Option<String>,
}

/// Ways in which a Job fails that the platform team can mend.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GenerationFailure {
    /// The worker was killed because it used more memory than its limit, or than its node had.
    OutOfMemory,
    /// The model's configuration, tokenizer, weights or adapter are not where they should be, or may not be read.
    ModelFilesMissing,
    /// The model is of a family that the engine does not know.
    ModelFamilyUnknown,
    /// A file of the model ends too early, is not what its name says, or belongs to another model.
    ModelFilesDamaged,
    /// The embedder's files are missing or damaged, or it is no model that can be read as one.
    EmbedderUnfit,
    /// It took as much as the campaign allows.
    BudgetSpent,
}

/// How a generation stands.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GenerationOutcome {
    /// The Job is there and has not ended.
    Running,
    /// All that was asked for exists.
    Complete,
    /// The model could not write as many as asked within the rules, or not before the campaign was decided; the experiment goes on
    /// with what there is.
    Shortfall,
    /// The Job failed; the experiment goes on with people's copy.
    Failed,
}

/// The experiment of one placement.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacementStatus {
    /// The placement.
    #[schemars(length(max = 16))]
    pub name: String,
    /// The seed of the assignment in force.
    pub seed: i64,
    /// The control's variant.
    #[schemars(length(max = 63))]
    pub control: String,
    /// The variant that leads, once there is data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub leader: Option<String>,
    /// The round in force.
    pub round: RoundStatus,
    /// Matured exposures over all variants.
    pub samples: i64,
    /// How many more it takes, at the present shares, until the leader is expected to be shown better than the control, if
    /// its shrunken lift is the truth. Absent where it is shown, where the control leads, and where it would take for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still_needed: Option<i64>,
    /// How many days that takes at the traffic since the experiment began, rounded up. Absent with `stillNeeded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i64>,
    /// What each reward cost that the leader has brought and the control would not have. Absent unless the leader is a
    /// model's whose cost is known, more of the metric is better, and the lift is above zero at every look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_extra_reward: Option<CostStatus>,
    /// When the figures were taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures_at: Option<Time>,
    /// Each variant's figures, the control first.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 25))]
    pub variants: Vec<VariantFigures>,
    /// How the experiment ended. Once written it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<VerdictStatus>,
}

/// The round in force.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoundStatus {
    /// Its number.
    pub number: i64,
    /// When it was opened.
    pub opened_at: Time,
    /// Why its shares are as they are.
    #[schemars(length(max = 256))]
    pub shares: String,
    /// What the next round, or the verdict, waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub waits_for: Option<String>,
}

/// One variant's figures.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantFigures {
    /// The variant.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Who wrote it.
    pub origin: Origin,
    /// Its share of the round in force, of the first segment.
    pub share: Percent,
    /// Matured exposures.
    pub exposures: i64,
    /// Those that were rewarded.
    pub rewards: i64,
    /// The probability that it is the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub probability_best: Option<String>,
    /// Its lift over the control.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lift: Option<LiftStatus>,
    /// What is known of its harm, by guardrail.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["metric".into()]))]
    #[schemars(length(max = 4))]
    pub guardrails: Vec<GuardrailFigures>,
}

/// What is known of a variant's harm by one guardrail.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardrailFigures {
    /// The guardrail's metric.
    #[schemars(length(max = 40))]
    pub metric: String,
    /// What may be said, at every look.
    pub safety: Safety,
    /// By how much the metric is above the control's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub increase: Option<LiftStatus>,
    /// How many more exposures of all variants would show one that does no harm to be safe; absent where that is shown, and
    /// where it would take for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub still_needed: Option<i64>,
}

/// What may be said of a variant's harm.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Safety {
    /// The metric rose by more than is allowed.
    Harmful,
    /// It did not.
    Safe,
    /// Neither is shown.
    NotYetShownSafe,
}

/// A lift over the control.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiftStatus {
    /// The shrunken estimate, such as `+12.3%`.
    #[schemars(length(max = 16))]
    pub shrunken: String,
    /// The lower end of the interval that holds at every look.
    #[schemars(length(max = 16))]
    pub lower: String,
    /// Its upper end.
    #[schemars(length(max = 16))]
    pub upper: String,
}

/// What writing the variants of a placement cost for each extra reward; of a metric of values, for each extra one of value.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CostStatus {
    /// By the shrunken lift, such as `0.0012 USD`.
    #[schemars(length(max = 32))]
    pub shrunken: String,
    /// By the upper end of the lift that holds at every look: it is not less.
    #[schemars(length(max = 32))]
    pub lower: String,
    /// By its lower end: it is not more.
    #[schemars(length(max = 32))]
    pub upper: String,
}

/// How an experiment ended, with the figures that it ended on.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerdictStatus {
    /// The end.
    pub reason: VerdictReason,
    /// The winner, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub winner: Option<String>,
    /// The variant that is served from then on: the winner, the leader of that moment, or the control; after a dry run the
    /// control.
    #[schemars(length(max = 63))]
    pub served: String,
    /// When it was reached.
    pub at: Time,
    /// One sentence for a marketer: what, how sure, on what.
    #[schemars(length(max = 1024))]
    pub sentence: String,
    /// The matured exposures that it rests on: the winner's and the control's, or all where there is no winner.
    pub samples: i64,
    /// The any-time p-value of the winner against the control, after Holm's correction over all variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 24))]
    pub p_value: Option<String>,
    /// The winner's lift.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lift: Option<LiftStatus>,
    /// What choosing it may cost, relative to its rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub expected_loss: Option<String>,
    /// SHA-256 of the record of what it rests on, in the ConfigMap `adc-<campaign>-evidence-<its first sixteen digits>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub evidence: Option<String>,
}

/// The ends of an experiment.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VerdictReason {
    /// One variant is better than the control, and choosing it costs no more than was allowed.
    Winner,
    /// Every variant is worse than the control.
    ControlWins,
    /// No variant improves on the control by as much as was called worthwhile.
    NoWorthwhileDifference,
    /// The time was up before the numbers allowed a verdict.
    Inconclusive,
}
