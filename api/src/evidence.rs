//! What a verdict rests on, so that anybody can reach it again without a cluster.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Harm, Origin, Provenance, Safety, Slots, VerdictStatus};

/// The record of one placement's verdict: the totals of that moment, and the copy that they are about.
///
/// Written when the verdict is reached, before it is stored, and never afterwards. `docs/gitops.md` describes the form.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// `Evidence`, so that nobody takes another file for one.
    pub kind: EvidenceKind,
    /// The campaign.
    pub campaign: EvidenceCampaign,
    /// The placement.
    pub placement: String,
    /// Its format.
    pub format: String,
    /// The seed of the assignment that was counted.
    pub seed: i64,
    /// Whether everybody saw the control, whatever was drawn: then the texts of every variant are its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
    /// The verdict, without its own `evidence`.
    pub verdict: VerdictStatus,
    /// The copy, the control first.
    pub variants: Vec<EvidenceVariant>,
    /// What was counted, in the form that `broadside estimate` reads.
    pub totals: Value,
}

/// What the file is.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EvidenceKind {
    /// The form that is described here.
    Evidence,
}

/// The campaign of a verdict.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceCampaign {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID: a namesake that is made later is another campaign.
    pub uid: String,
}

/// A variant that was compared.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceVariant {
    /// Its name, which is made from campaign, placement and texts.
    pub name: String,
    /// The digest of its texts.
    pub digest: String,
    /// Its texts, by slot.
    pub slots: Slots,
    /// In a dry run: the digest of the variant's own copy, which nobody saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<String>,
    /// Who wrote it.
    pub origin: Origin,
    /// What made it, for generated copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// What guardrails had shown of it by then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub harms: Vec<Harm>,
    /// How strong the evidence about it was; nothing of the control, and in records of before it was written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e_values: Option<EValues>,
    /// The same of its harm, for each guardrail whose sums could be trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<GuardrailEValues>,
}

/// The evidence about a variant at the look that decided: natural logarithms of e-values, in decimals.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EValues {
    /// Against "it is as good as the control".
    pub log_e: String,
    /// What that had to reach, among all variants of its generation.
    pub log_threshold: String,
    /// Against "it is better by the worthwhile lift", where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_e_not_worthwhile: Option<String>,
}

/// The evidence about a variant's harm, by one guardrail.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardrailEValues {
    /// The guardrail's metric.
    pub metric: String,
    /// What could be said.
    pub safety: Safety,
    /// Against "within the limit".
    pub log_e_harm: String,
    /// Against "at the limit or beyond".
    pub log_e_safe: String,
}

impl Evidence {
    /// As it is stored: JSON in one line, with its fields in their alphabetical order, so that the same record is the same
    /// bytes.
    ///
    /// # Panics
    /// Never: it is plain data.
    pub fn to_text(&self) -> String {
        let mut json = serde_json::to_value(self).expect("evidence is plain data");
        json.sort_all_objects();
        json.to_string() + "\n"
    }
}
