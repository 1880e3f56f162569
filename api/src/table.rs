//! `AdTable`: what is served for one campaign. Written by the operator, read by the gateway.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::{LandingPage, MetricKind, Slots, TableExclusion, TableHoldout, Variable, schema};

/// What is served for one campaign: texts and allocations, numbered. Named by the campaign's UID.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "broadside.dev",
    version = "v1alpha1",
    kind = "AdTable",
    plural = "adtables",
    shortname = "adt",
    category = "broadside",
    namespaced,
    derive = "PartialEq",
    doc = "What is served for one campaign: texts and allocations of its rounds. Only the operator writes it.",
    validation = Rule::new("self.metadata.name == self.spec.campaign.uid")
        .message("a table is named by its campaign's UID")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("self.spec.number > oldSelf.spec.number || self.spec == oldSelf.spec")
        .message("a table's number never falls, and its content changes only with a higher number")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec.number"),
    printcolumn(name = "Campaign", type_ = "string", json_path = ".spec.campaign.name"),
    printcolumn(name = "Number", type_ = "integer", json_path = ".spec.number"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AdTableSpec {
    /// Grows with each change.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_i64))]
    pub number: i64,
    /// Whose table it is.
    pub campaign: CampaignIdentity,
    /// Whose the people are, where campaigns of a group share them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exclusion: Option<TableExclusion>,
    /// Who is kept out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holdout: Option<TableHoldout>,
    /// Where the redirect leads, for every decision of the campaign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub landing_page: Option<LandingPage>,
    /// Whether everybody is shown the control, whatever is drawn: then no other texts stand here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// What is served, by placement.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 4))]
    pub placements: Vec<TablePlacement>,
}

/// A campaign, by both of its names.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CampaignIdentity {
    /// Its name, which applications use.
    #[schemars(length(min = 1, max = 36))]
    pub name: String,
    /// Its UID, which everything that outlives an object uses.
    #[schemars(length(min = 1, max = 64))]
    pub uid: String,
}

/// One placement of a table.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TablePlacement {
    /// Its name.
    #[schemars(length(min = 1, max = 16))]
    pub name: String,
    /// Its format, whose hard limits the gateway checks once more.
    #[schemars(length(min = 1, max = 40))]
    pub format: String,
    /// What its copy is judged by beside its format, as it was when the row began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<TableRules>,
    /// Keys the assignment: another seed draws everybody anew.
    #[schemars(range(min = 1, max = 9_007_199_254_740_991_i64))]
    pub seed: i64,
    /// What the ledger counts.
    pub metric: TableMetric,
    /// What the ledger counts beside it, to be watched for harm. Their names differ from each other and from the metric's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 4))]
    pub guardrails: Vec<TableMetric>,
    /// What may be served. The first is the control; a variant keeps its place for ever.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 25))]
    pub variants: Vec<TableVariant>,
    /// What waits for a person's word. A preview shows it and nothing else does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 24))]
    pub in_review: Vec<TableVariant>,
    /// The allocations, oldest first; the last is in force. Estimates need the past ones.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["number".into()]))]
    #[schemars(length(min = 1, max = 60))]
    pub rounds: Vec<TableRound>,
}

/// What a campaign adds to the rules of a format, as far as the gateway has to know it.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableRules {
    /// The variables that copy may refer to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 8))]
    pub variables: Option<Vec<Variable>>,
    /// The names that rules of style let pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    pub exceptions: Option<Vec<TableException>>,
    /// The file of the format, where it is the brand's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub format: Option<String>,
}

/// A name, and the rules of style that are not for it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableException {
    /// The name.
    #[schemars(length(min = 1, max = 80))]
    pub text: String,
    /// The names of the rules.
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 40)))]
    pub rules: Vec<String>,
}

/// The metric as the ledger needs it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableMetric {
    /// The name that rewards carry.
    #[schemars(length(min = 1, max = 40))]
    pub name: String,
    /// What a reward looks like.
    pub kind: MetricKind,
    /// For values: the most that one exposure counts for, in millionths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000_000_000_i64))]
    pub cap_millionths: Option<i64>,
    /// How long after an exposure a reward counts.
    #[schemars(range(min = 1, max = 31_622_400))]
    pub window_seconds: u32,
}

/// One piece of copy in a table.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableVariant {
    /// The variant's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The digest of its copy.
    #[schemars(length(min = 64, max = 64))]
    pub digest: String,
    /// Its texts, by slot.
    #[schemars(schema_with = "schema::slots")]
    pub slots: Slots,
    /// In a dry run: the digest of the variant's own copy, in place of which the control's stands here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 64, max = 64))]
    pub stands_for: Option<String>,
    /// Whether its approval was taken back, or it does harm: it has no share and keeps its place, and not even a preview shows
    /// it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withdrawn: bool,
    /// How often variants had been edited when it came, from 1: a verdict holds over all of them.
    #[serde(default = "first_generation", skip_serializing_if = "is_first")]
    #[schemars(range(min = 1, max = 25))]
    pub generation: u32,
    /// The variant of which it is an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub edit_of: Option<String>,
    /// What guardrails have shown of it, each once. It stays, though later numbers be kinder, until somebody approves the
    /// variant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["metric".into()]))]
    #[schemars(length(max = 4))]
    pub harms: Vec<Harm>,
}

fn first_generation() -> u32 {
    1
}

fn is_first(generation: &u32) -> bool {
    *generation == 1
}

/// That a variant does harm.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Harm {
    /// The guardrail's metric.
    #[schemars(length(min = 1, max = 40))]
    pub metric: String,
    /// When it was shown.
    pub shown_at: Time,
    /// By which numbers, in words.
    #[schemars(length(max = 512))]
    pub sentence: String,
}

/// A numbered period in which shares do not change.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableRound {
    /// Its number, from 1.
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub number: u32,
    /// When it was opened.
    pub opened_at: Time,
    /// Matured exposures of the placement when it was opened: what the next round's growth is measured from.
    pub matured_exposures: i64,
    /// The shares. Segments with equal shares stand in one entry.
    #[schemars(length(min = 1, max = 8))]
    pub allocations: Vec<SegmentAllocation>,
}

impl TableRound {
    /// Whether the arm has a share in any segment.
    pub fn gives(&self, arm: usize) -> bool {
        self.allocations.iter().any(|it| it.shares.get(arm).is_some_and(|&share| share > 0))
    }
}

/// The shares of some segments.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SegmentAllocation {
    /// The segments; `all` where the campaign names none.
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 32)))]
    pub segments: Vec<String>,
    /// Parts per million, in the order of the placement's variants; variants beyond its end have none. They sum to
    /// one million. A list and not names, so that sixty rounds of twenty variants stay small.
    #[schemars(length(min = 1, max = 25), inner(range(min = 0, max = 1_000_000)))]
    pub shares: Vec<u32>,
}
