//! `POST /v1/decide`: which copy does this person see?

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Slots, Variable};

/// The question.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DecideRequest {
    /// The campaign's namespace.
    pub namespace: String,
    /// The campaign's name.
    pub campaign: String,
    /// The placement, where one is asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// Several placements of the campaign, in place of one: the answer is then a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16))]
    pub placements: Option<Vec<String>>,
    /// The person or device, as the application knows it, in 512 bytes at most. It is hashed at once and kept nowhere.
    #[schemars(length(min = 1, max = 512))]
    pub subject: String,
    /// The segment; where the campaign names none it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The variants that the caller can show. Left out, all. Where it lacks one that has a share, the answer is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 25))]
    pub eligible: Option<Vec<String>>,
    /// What the person allows. Left out, measuring is allowed.
    #[serde(default)]
    pub consent: Consent,
}

/// What the person allows.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consent {
    /// False: the control is shown, no token is given, and nothing is stored.
    pub measurement: bool,
}

impl Default for Consent {
    fn default() -> Self {
        Self { measurement: true }
    }
}

/// The answer. It is always one that a page can show.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecideResponse {
    /// Why this answer was given.
    pub reason: DecideReason,
    /// The variant, unless we know none: then the caller shows its own default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Its texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<Slots>,
    /// The variables that its texts refer to, as `{first_name}`. The caller fills them in: with a value that is one line
    /// and within the maximum, or else with the fallback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variables: Option<Vec<Variable>>,
    /// What exposure and reward must carry. Given only where the decision counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The probability with which this variant was drawn, in parts per million.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub probability: Option<u32>,
    /// The round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round: Option<u32>,
    /// Until when the answer may be kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub expires_at: Option<Timestamp>,
}

/// The answers for several placements, in the order in which they were asked about.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecideAllResponse {
    /// One for each placement.
    pub decisions: Vec<PlacedDecision>,
}

/// The answer for one of several placements.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedDecision {
    /// The placement.
    pub placement: String,
    /// Its answer.
    #[serde(flatten)]
    pub answer: DecideResponse,
}

/// Why an answer was given. All but `Assigned` stay out of the totals.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DecideReason {
    /// Drawn by the round's probabilities.
    Assigned,
    /// The person does not allow measuring: the control.
    NoConsent,
    /// The caller can't show all that has a share: drawn among what it can show, or else the control, or else the
    /// caller's default.
    Subset,
    /// The campaign names segments, and the request named none or another: the control.
    UnknownSegment,
    /// No table is known for this campaign: the caller's default.
    UnknownCampaign,
    /// The table has no such placement: the caller's default.
    UnknownPlacement,
}
