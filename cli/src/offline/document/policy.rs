//! How `allocate` divides traffic.

use api::Percent;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::super::number::Count;
use super::percent;

/// How traffic is divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::offline) struct Policy {
    /// The bandit. Default: Thompson.
    #[serde(rename = "type", default)]
    pub(in crate::offline) kind: PolicyType,
    /// The share that every variant keeps. Default: 1%.
    #[serde(default = "floor")]
    #[schemars(schema_with = "percent")]
    pub(in crate::offline) floor: Percent,
    /// The control's fixed share, or `none`: the control competes as a variant does. Default: 20%.
    #[serde(default = "control_share")]
    #[schemars(schema_with = "percent_or_none")]
    pub(in crate::offline) control_share: String,
    /// Exposures that each variant gets before shares move. Default: the document's `minimumPerVariant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) minimum_per_variant: Option<Count>,
    /// An exposure counts half as much after so many more of all variants: for times in which the best variant changes.
    /// Default: all count alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) look_back: Option<Count>,
}

/// The bandit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(in crate::offline) enum PolicyType {
    /// Shares follow the chance of being the best.
    #[default]
    Thompson,
    /// Half of the traffic tests the closest rivals of what is best so far.
    TopTwo,
    /// All have the same share.
    Even,
    /// Shares follow the chance of being the best in each segment, where a segment learns from those whose `features` are
    /// like its own.
    LinearThompson,
}

fn floor() -> Percent {
    api::Policy::default().floor
}

fn control_share() -> String {
    api::Policy::default().control_share.0
}

impl Default for Policy {
    fn default() -> Self {
        let minimum_per_variant = None;
        Self {
            kind: PolicyType::default(),
            floor: floor(),
            control_share: control_share(),
            minimum_per_variant,
            look_back: None,
        }
    }
}

fn percent_or_none(_: &mut SchemaGenerator) -> Schema {
    let percent = Percent::PATTERN.trim_start_matches('^').trim_end_matches('$');
    json_schema!({ "type": "string", "pattern": format!("^(none|{percent})$") })
}
