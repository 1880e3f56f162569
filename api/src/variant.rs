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
    printcolumn(name = "Campaign", type_ = "string", json_path = ".spec.campaign"),
    printcolumn(name = "Placement", type_ = "string", json_path = ".spec.placement"),
    printcolumn(name = "Origin", type_ = "string", json_path = ".spec.origin"),
    printcolumn(name = "Text", type_ = "string", json_path = ".spec.slots['headline','subject']"),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Share", type_ = "string", json_path = ".status.share"),
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
    /// What made it, for generated copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
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
}

/// What made a generated variant, so that it can be made again.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// SHA-256 of the model's weights.
    #[schemars(length(max = 80))]
    pub model_digest: String,
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
    /// Why it is refused.
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
    /// It breaks a rule and is never served; `reason` names it.
    Refused,
    /// It is beyond what was asked.
    Surplus,
}
