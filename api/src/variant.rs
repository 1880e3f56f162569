//! `AdVariant`: one piece of copy, immutable, named from its content.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Percent, Slots, schema};

/// One piece of copy of one placement. Its spec never changes: an edit is another variant.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "broadside.dev",
    version = "v1alpha1",
    kind = "AdVariant",
    plural = "advariants",
    shortname = "adv",
    category = "broadside",
    namespaced,
    status = "AdVariantStatus",
    derive = "PartialEq",
    selectable = ".spec.campaign",
    doc = "One piece of copy: immutable, named from its content, made by a campaign's worker or by the operator for what people wrote.",
    validation = Rule::new("self.metadata.name.startsWith(self.spec.campaign + '-' + self.spec.placement + '-')")
        .message("metadata.name must be <campaign>-<placement>-<digest of the copy>")
        .reason(Reason::FieldValueInvalid),
    validation = Rule::new("self.spec == oldSelf.spec")
        .message("a variant's spec never changes: an edit is another variant")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec"),
    validation = Rule::new("has(self.spec.edit) == (self.spec.origin == 'Edited')")
        .message("edit names whose edit a variant of the origin Edited is, and no other has one")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.edit"),
    printcolumn(name = "Campaign", type_ = "string", json_path = ".spec.campaign"),
    printcolumn(name = "Placement", type_ = "string", json_path = ".spec.placement"),
    printcolumn(name = "Origin", type_ = "string", json_path = ".spec.origin"),
    printcolumn(name = "Text", type_ = "string", json_path = ".spec.slots['headline','subject']"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Share", type_ = "string", json_path = ".status.share"),
    printcolumn(name = "Score", type_ = "string", json_path = ".spec.appraisal.score", priority = 1),
    printcolumn(name = "Claims", type_ = "string", json_path = ".spec.appraisal.claims", priority = 1),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AdVariantSpec {
    /// The campaign that this copy belongs to.
    #[schemars(length(min = 1, max = 36))]
    pub campaign: String,
    /// The placement that this copy is written for.
    #[schemars(length(min = 1, max = 16))]
    pub placement: String,
    /// Who wrote it.
    pub origin: Origin,
    /// The texts, by slot.
    #[schemars(schema_with = "schema::slots")]
    pub slots: Slots,
    /// Whose edit it is, for edited copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<VariantEdit>,
    /// What made it, for generated copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// How the worker judged it, for generated copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub appraisal: Option<Appraisal>,
}

/// Who wrote a variant.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Origin {
    /// People: the copy that everything is compared with.
    Control,
    /// People.
    Challenger,
    /// The worker's model.
    Generated,
    /// A reviewer, who changed the texts of another one.
    Edited,
}

/// Whose edit a variant is.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VariantEdit {
    /// The variant whose place it takes.
    #[schemars(length(min = 1, max = 63))]
    pub of: String,
    /// The reviewer.
    #[schemars(length(min = 1, max = 320))]
    pub by: String,
}

/// What made a generated variant, so that it can be made again.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// SHA-256 of the model's weights; of an engine elsewhere `endpoint:` and the model's name there.
    // As long as that with the longest name that an AdModel takes.
    #[schemars(length(max = 209))]
    pub model_digest: String,
    /// SHA-256 of the files of the adapter that was merged into the model; nothing where there was none, or an engine
    /// elsewhere wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub adapter_digest: Option<String>,
    /// SHA-256 of the prompt.
    #[schemars(length(max = 80))]
    pub prompt_digest: String,
    /// The version of formats and rules that it passed.
    #[schemars(length(max = 40))]
    pub rules_version: String,
    /// The worker's version.
    #[schemars(length(max = 40))]
    pub engine_version: String,
    /// The campaign's seed.
    pub seed: i64,
    /// Which of the placement's variants this is, from 0.
    #[schemars(range(min = 0, max = 65_535))]
    pub index: u32,
    /// How often copy for this place was refused before, by a rule or as a near-duplicate.
    #[schemars(range(min = 0, max = 65_535))]
    pub attempt: u32,
    /// In which form the weights were kept, such as `as-stored` or `q8`; nothing where an engine elsewhere wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40))]
    pub quantization: Option<String>,
    /// How tokens were drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawing: Option<Drawing>,
    /// Digests of people's copy for the placement, which it was to differ from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 80)))]
    pub siblings: Vec<String>,
}

/// How tokens were drawn. Numbers are decimal, and as exact as they were in use.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drawing {
    /// What divided the logits.
    #[schemars(length(max = 24))]
    pub temperature: String,
    /// The most tokens to draw from; 0 for all.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub top_k: u32,
    /// The share of probability that was kept.
    #[schemars(length(max = 24))]
    pub top_p: String,
    /// Tokens less likely than this share of the likeliest were left out.
    #[schemars(length(max = 24))]
    pub min_p: String,
    /// What divided the logits of tokens that came before.
    #[schemars(length(max = 24))]
    pub repetition_penalty: String,
    /// What was taken from the logits of tokens with which a sibling went on.
    #[schemars(length(max = 24))]
    pub sibling_penalty: String,
}

/// How the worker judged a generated variant before anybody saw it. It orders drafts and never enters a verdict.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Appraisal {
    /// The weighted mean of the parts, from 0 to 1.
    #[schemars(length(max = 8))]
    pub score: String,
    /// How surely the model wrote it: the geometric mean of its tokens' probabilities.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub fluency: Option<String>,
    /// How little the rules had to force: one minus the mean share that was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub freedom: Option<String>,
    /// How much of what the model was told the copy says.
    #[schemars(length(max = 8))]
    pub cover: String,
    /// How few of its texts go beyond a recommended limit or against a soft rule.
    #[schemars(length(max = 8))]
    pub fit: String,
    /// Superlatives and names that the brief does not hold: a person should look at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 120)))]
    pub claims: Vec<String>,
    /// SHA-256 of the weights of the embedder by which drafts that say the same were left out; nothing where there was
    /// none. It bears on which drafts were taken, and not on what they hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub embedder: Option<String>,
}

/// What the operator says of a variant; moved when a round opens.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdVariantStatus {
    /// Whether it is served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<VariantState>,
    /// Its share of the round in force, of the first segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<Percent>,
    /// Why it is not served.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

/// Whether a variant is served.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VariantState {
    /// It waits until the experiment begins, or came when it had begun.
    Waiting,
    /// It is in the table.
    Served,
    /// It waits for a person's word.
    InReview,
    /// Somebody rejected it, and it is not served; `reason` tells who.
    Rejected,
    /// A guardrail shows that it does harm, and it is not served until somebody approves it; `reason` has the numbers.
    Harmful,
    /// It breaks a rule and is never served; `reason` names it.
    Refused,
    /// It is beyond what was asked.
    Surplus,
}
