//! `AdReview`: one person's word on variants. Written by people, and by nobody for them.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CampaignIdentity, Slots, schema};

/// What one person says of some variants of a campaign, once. Its spec never changes: whoever thinks otherwise later writes
/// another one.
///
/// Of several reviews of a variant the last counts. An admission policy of the chart sees to it that `reviewer` is who asks,
/// and that they may approve this campaign.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "broadside.dev",
    version = "v1alpha1",
    kind = "AdReview",
    plural = "adreviews",
    shortname = "adr",
    category = "broadside",
    namespaced,
    status = "AdReviewStatus",
    derive = "PartialEq",
    selectable = ".spec.campaign.name",
    doc = "One person's word on variants of a campaign: it approves them, or keeps them from being served.",
    validation = Rule::new("self.spec == oldSelf.spec")
        .message("a review never changes: write another one, the last counts")
        .reason(Reason::FieldValueForbidden)
        .field_path(".spec"),
    validation = Rule::new("(self.spec.decision == 'Edit') == has(self.spec.texts)")
        .message("texts are what an Edit shows in place of a variant's, and go with no other decision")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.texts"),
    validation = Rule::new("self.spec.decision != 'Edit' || self.spec.variants.size() == 1")
        .message("an Edit is of one variant: write one for each")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.variants"),
    printcolumn(name = "Campaign", type_ = "string", json_path = ".spec.campaign.name"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "Reviewer", type_ = "string", json_path = ".spec.reviewer"),
    printcolumn(name = "For", type_ = "string", json_path = ".spec.onBehalfOf.person", priority = 1),
    printcolumn(name = "State", type_ = "string", json_path = ".status.state"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".spec.reason", priority = 1),
    printcolumn(name = "Told", type_ = "string", json_path = ".status.message", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AdReviewSpec {
    /// The campaign. The UID keeps a word on it from being taken for one on a namesake that is made later.
    pub campaign: CampaignIdentity,
    /// The variants that were read, each with the digest of its texts.
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(min = 1, max = 64))]
    pub variants: Vec<ReviewedVariant>,
    /// What is said of them.
    pub decision: Decision,
    /// What is shown in place of an edited variant: all of its texts, by slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::slots")]
    pub texts: Option<Slots>,
    /// Who says it: the user that creates the review, as the API server knows them.
    #[schemars(length(min = 1, max = 320))]
    pub reviewer: String,
    /// Whose word it is, where that is another's: a pipeline's account writes what somebody said in Git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Represented>,
    /// Why, for whoever reads it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 500))]
    pub reason: Option<String>,
}

/// A variant as somebody read it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReviewedVariant {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The digest of its texts, as the table has it: a word on other texts is none on these.
    #[schemars(length(min = 64, max = 64), regex(pattern = "^[0-9a-f]*$"))]
    pub digest: String,
}

/// Whom a pipeline writes for. The chart's admission policy asks for the right to represent that person.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Represented {
    /// The person, by the name that they have as a reviewer.
    #[schemars(length(min = 1, max = 320))]
    pub person: String,
    /// The commit with which they said it.
    #[schemars(length(min = 7, max = 64), regex(pattern = "^[0-9a-f]*$"))]
    pub commit: String,
}

/// What a review says.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Decision {
    /// They may be served.
    Approve,
    /// They must not be served; where they are, they are taken out at once.
    Reject,
    /// Other texts are served in place of it: those are approved, and it is rejected. Where an experiment goes on, the new
    /// variant joins it.
    Edit,
}

impl AdReviewSpec {
    /// The person whose word it is: of two reviews of the same person one counts where two people have to agree.
    pub fn person(&self) -> &str {
        self.on_behalf_of.as_ref().map_or(&self.reviewer, |represented| &represented.person)
    }
}

/// What the operator says of a review.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdReviewStatus {
    /// Whether it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<ReviewState>,
    /// Why not, or what of it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
}

/// Whether a review counts.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReviewState {
    /// It does, and goes on doing so: who wrote it was checked when it came.
    Honored,
    /// Nobody checked who wrote it when it came, or it is of another campaign, or an edit whose texts can't be served.
    NotHonored,
}
