//! The form that `estimate` and `allocate` read: a contract. The comments of fields are their descriptions in
//! `docs/schemas/estimate-input.json`.

use api::{Duration, Percent, PolicyType};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::number::{Count, Fields, Named, Sum};

/// Totals of an experiment: what `broadside estimate` and `broadside allocate` read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "EstimateInput")]
pub(super) struct Document {
    /// What was counted.
    pub(super) metric: Fields<Metric>,
    /// The variant that all others are compared with. At least one allocation names it.
    #[schemars(length(min = 1, max = 100))]
    pub(super) control: String,
    /// One minus the chance of naming a winner that is no better than the control, however often one looks: at least
    /// 50%, less than 100%. Default: 95%.
    #[serde(default = "confidence")]
    #[schemars(schema_with = "percent")]
    pub(super) confidence: Percent,
    /// The loss, relative to the leader's own mean, that one accepts for choosing it too early: above 0%, at most 100%.
    /// Default: 1%.
    #[serde(default = "maximum_loss")]
    #[schemars(schema_with = "percent")]
    pub(super) maximum_loss: Percent,
    /// The smallest lift that is worth having, 0.1% to 70%. Once every variant is shown to bring less, the verdict is
    /// `NoWorthwhileDifference`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_percent")]
    pub(super) worthwhile_lift: Option<Percent>,
    /// Exposures that each variant gets before `allocate` moves shares, where `policy` names no other number. An
    /// estimate does not depend on it. Default: 100.
    #[serde(default = "minimum_per_variant")]
    pub(super) minimum_per_variant: Count,
    /// How long the experiment has run, such as `3d12h`. Default: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_duration")]
    pub(super) elapsed: Option<Duration>,
    /// How long it may run, such as `28d`. Once `elapsed` is as long, the verdict is `Inconclusive` where it would be
    /// `Collecting`. Default: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_duration")]
    pub(super) maximum_duration: Option<Duration>,
    /// What is special about some variants, by name. A variant that only stands here was never served, and gets a share
    /// from `allocate`. Default: nothing.
    #[serde(default)]
    pub(super) variants: Named<Fields<Flags>>,
    /// How `allocate` divides traffic. An estimate does not depend on it. Default: all of its defaults.
    #[serde(default)]
    pub(super) policy: Fields<Policy>,
    /// The rounds, each with other shares than the one before it, in any order.
    #[schemars(length(min = 1))]
    pub(super) rounds: Vec<Fields<Round>>,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Metric {
    /// What people call it, such as `click`. Sentences name it.
    #[schemars(length(min = 1, max = 100))]
    pub(super) name: String,
    /// What one exposure can be worth. Default: Binary.
    #[serde(default)]
    pub(super) kind: Kind,
    /// Which way is better. Default: Maximize.
    #[serde(default)]
    pub(super) direction: Direction,
    /// For values: the most that one exposure counts for, above 0. It must not change while the experiment runs.
    /// Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cap: Option<Sum>,
    /// How long after an exposure a reward still counts, such as `30m`. Only shown. Default: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_duration")]
    pub(super) window: Option<Duration>,
}

/// What one exposure can be worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Kind {
    /// 0 or 1: it happened or it did not.
    #[default]
    Binary,
    /// Any value of 0 or more, such as revenue.
    Value,
}

/// Which way is better.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Direction {
    /// More is better.
    #[default]
    Maximize,
    /// Less is better.
    Minimize,
}

/// What is special about a variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Flags {
    /// How often the variants had been replaced when this one came, from 1. Default: 1.
    #[serde(default = "first_generation")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub(super) generation: Count,
    /// Whether it is served no more. Retired variants stay in the document: leaving out what was looked at before would
    /// make false winners. Default: false.
    #[serde(default)]
    pub(super) retired: bool,
}

/// How traffic is divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Policy {
    /// The bandit. Default: Thompson.
    #[serde(rename = "type", default)]
    pub(super) kind: PolicyType,
    /// The share that every variant keeps. Default: 1%.
    #[serde(default = "floor")]
    #[schemars(schema_with = "percent")]
    pub(super) floor: Percent,
    /// The control's fixed share, or `none`: the control competes as a variant does. Default: 20%.
    #[serde(default = "control_share")]
    #[schemars(schema_with = "percent_or_none")]
    pub(super) control_share: String,
    /// Exposures that each variant gets before shares move. Default: the document's `minimumPerVariant`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) minimum_per_variant: Option<Count>,
    /// An exposure counts half as much after so many more of all variants: for times in which the best variant changes.
    /// Default: all count alike.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) look_back: Option<Count>,
}

/// A period in which shares did not change. It has either `allocation` and `totals`, or `segments`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["allocation", "totals"] }, { "required": ["segments"] }]))]
pub(super) struct Round {
    /// Its number; later rounds have higher ones.
    pub(super) number: Count,
    /// The share of each variant in parts per million, which sum to 1000000. A variant that is left out had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_shares")]
    pub(super) allocation: Option<Named<Count>>,
    /// What was counted of each variant. One that is left out was not exposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) totals: Option<Named<Fields<Totals>>>,
    /// The same for each segment, by name, where shares differ by segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) segments: Option<Named<Fields<Segment>>>,
}

/// A round in one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Segment {
    /// The share of each variant in parts per million, which sum to 1000000. A variant that is left out had none.
    #[schemars(schema_with = "shares")]
    pub(super) allocation: Named<Count>,
    /// What was counted of each variant. One that is left out was not exposed.
    pub(super) totals: Named<Fields<Totals>>,
}

/// The sums of one variant over exposures whose window has passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Totals {
    /// How many subjects were exposed, each counted once.
    pub(super) n: Count,
    /// The sum of their rewards: a decimal in quotes, or a number. Of a 0/1 metric: how many were rewarded.
    pub(super) sum: Sum,
    /// The sum of the squares of their rewards. Of a 0/1 metric: the same as `sum`.
    pub(super) sum_squares: Sum,
    /// How often the variant was chosen; the exposures are those that were really shown. All variants of a round have
    /// it, or none. Default: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decisions: Option<Count>,
}

/// The defaults are those of a campaign, so that a document and a campaign that say nothing ask the same.
fn confidence() -> Percent {
    api::Stopping::default().confidence
}

fn maximum_loss() -> Percent {
    api::Stopping::default().maximum_loss
}

fn minimum_per_variant() -> Count {
    Count::new(api::Policy::default().minimum_per_variant)
}

fn first_generation() -> Count {
    Count::new(1)
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

fn shares(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "additionalProperties": { "type": "integer", "minimum": 0, "maximum": 1_000_000 },
    })
}

fn optional_shares(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = shares(generator);
    schema.insert("type".to_owned(), json!(["object", "null"]));
    schema
}

fn percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": Percent::PATTERN })
}

fn optional_percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "pattern": Percent::PATTERN })
}

fn percent_or_none(_: &mut SchemaGenerator) -> Schema {
    let percent = Percent::PATTERN.trim_start_matches('^').trim_end_matches('$');
    json_schema!({ "type": "string", "pattern": format!("^(none|{percent})$") })
}

fn optional_duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "minLength": 2, "pattern": Duration::PATTERN })
}
