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
    /// The person or device, as the application knows it, in 512 bytes at most. It is hashed at once and kept nowhere. A
    /// page may leave it out where the gateway names visitors by a cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub subject: Option<String>,
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
    /// Who comes. Left out, a visitor, unless the user agent says that it is a crawler.
    #[serde(default)]
    pub traffic: Traffic,
    /// The user agent of the person's browser, where a server asks: a browser that asks itself sends it anyway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The variant that a reviewer wants to see. The answer is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<String>,
}

/// Who comes. Visitors alone are counted; all others see the control.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traffic {
    /// Somebody whom the copy is for.
    #[default]
    Visitor,
    /// Somebody who works on it.
    Staff,
    /// Nobody: a test, or a page that is not open to the public.
    Test,
    /// A program.
    Bot,
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
    /// Whether the campaign is a dry run: the texts are the control's, whatever variant was drawn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
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
    /// A reviewer asked to see it: the variant that was named, or the control where the placement has none of that name.
    Preview,
    /// Somebody who works on the copy: the control.
    Staff,
    /// A test, or a page that is not public: the control.
    Test,
    /// A program, as the caller or its user agent says: the control.
    Bot,
    /// The person is kept out of this group of campaigns: the control.
    Holdout,
    /// The person belongs to another campaign of the group, or to none: the control.
    Excluded,
    /// The campaign names segments, and the request named none or another: the control.
    UnknownSegment,
    /// No table is known for this campaign: the caller's default.
    UnknownCampaign,
    /// The table has no such placement: the caller's default.
    UnknownPlacement,
}

impl DecideReason {
    /// Every reason, the usual one first.
    pub const ALL: [Self; 12] = [
        Self::Assigned,
        Self::NoConsent,
        Self::Subset,
        Self::Preview,
        Self::Staff,
        Self::Test,
        Self::Bot,
        Self::Holdout,
        Self::Excluded,
        Self::UnknownSegment,
        Self::UnknownCampaign,
        Self::UnknownPlacement,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_reasons_is_whole() {
        let schema = serde_json::to_value(schemars::schema_for!(DecideReason)).expect("a schema");
        let described = schema["oneOf"].as_array().expect("each has its words");
        let listed: Vec<_> = DecideReason::ALL.iter().map(|reason| serde_json::json!(reason)).collect();
        assert_eq!(described.len(), listed.len());
        assert!(described.iter().all(|one| listed.contains(&one["const"])), "{described:?}");
    }
}
