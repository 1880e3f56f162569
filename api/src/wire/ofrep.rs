//! OFREP, the protocol by which OpenFeature's SDKs ask a server for the values of flags.
//!
//! A flag is a placement of a campaign; its key is `namespace.campaign.placement`. Its value is the variant's texts, by
//! slot. Source of the protocol: <https://openfeature.dev/docs/reference/other-technologies/ofrep/openapi/>, 0.3.0.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decide::{Consent, DecideReason, Traffic};

/// What is sent for one flag, and for all.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvaluationRequest {
    /// For whom.
    #[serde(default)]
    pub context: EvaluationContext,
}

/// For whom a flag is evaluated. What else an application puts into its context is left alone and kept nowhere.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EvaluationContext {
    /// The person or device, in 512 bytes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub targeting_key: Option<String>,
    /// The segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segment: Option<String>,
    /// The variants that the caller can show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 25))]
    pub eligible: Option<Vec<String>>,
    /// What the person allows.
    #[serde(default)]
    pub consent: Consent,
    /// Who comes: `Visitor`, `Staff`, `Test` or `Bot`. What is no such word is an application's own, and left alone.
    #[serde(default, deserialize_with = "readable")]
    #[schemars(with = "serde_json::Value")]
    pub traffic: Traffic,
    /// The user agent of the person's browser, where a server asks.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "serde_json::Value")]
    pub user_agent: Option<String>,
    /// The variant that a reviewer wants to see. What is no text is an application's own, and left alone.
    #[serde(default, deserialize_with = "readable", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "serde_json::Value")]
    pub preview: Option<String>,
    /// The namespace whose flags are evaluated where all are asked for; without it, those of every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Contexts hold what applications like, under names that may be ours too.
fn readable<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + serde::de::DeserializeOwned,
    D: serde::Deserializer<'de>,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Why a flag has its value, in OpenFeature's words.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FlagReason {
    /// Drawn by shares.
    Split,
    /// Nothing was drawn: the control, what a reviewer asked for, or the application's default.
    Default,
}

impl From<DecideReason> for FlagReason {
    fn from(reason: DecideReason) -> Self {
        match reason {
            DecideReason::Assigned | DecideReason::Subset => Self::Split,
            DecideReason::Preview
            | DecideReason::Staff
            | DecideReason::Test
            | DecideReason::Bot
            | DecideReason::Holdout
            | DecideReason::Excluded
            | DecideReason::NoConsent
            | DecideReason::UnknownSegment
            | DecideReason::UnknownCampaign
            | DecideReason::UnknownPlacement => Self::Default,
        }
    }
}

/// Why a flag has no value, in OpenFeature's words.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FlagErrorCode {
    /// The body is no JSON.
    ParseError,
    /// The context tells nobody.
    TargetingKeyMissing,
    /// Something in the context is of another kind, or too long.
    InvalidContext,
    /// No table knows the flag.
    FlagNotFound,
    /// Anything else.
    General,
}

/// What is answered where there is no value.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlagFailure {
    /// The flag; absent where all were asked for, or where it is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Why, for programs.
    pub error_code: FlagErrorCode,
    /// Why, and what to change, for people.
    pub error_details: String,
}
