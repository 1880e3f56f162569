//! The form that `estimate` and `allocate` read: a contract. The comments of fields are their descriptions in
//! `docs/schemas/estimate-input.json`.

mod policy;
mod rounds;

use api::{Direction, Duration, Percent};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::number::{Count, Fields, Named, Sum};
pub(super) use policy::{Policy, PolicyType};
pub(super) use rounds::{Covariate, Round, Totals, Watched};

/// Totals of an experiment: what `broadside estimate` and `broadside allocate` read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "EstimateInput")]
pub(super) struct Document {
    /// What was counted.
    pub(super) metric: Fields<Metric>,
    /// Who chose what people saw. Default: Randomized.
    #[serde(default)]
    pub(super) basis: Basis,
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
    /// How many exposures of all variants together the experiment was planned for: the one look at which the limits of
    /// `mean`, `difference` and `lift` hold. Once so many are counted, the verdict is `Inconclusive` where it would be
    /// `Collecting`. Default: no plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) planned_exposures: Option<Count>,
    /// What must not get worse. A variant that is shown to harm is served no more, and can't win. Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub(super) guardrails: Vec<Fields<Guardrail>>,
    /// What is special about some variants, by name. A variant that only stands here was never served, and gets a share
    /// from `allocate`. Default: nothing.
    #[serde(default)]
    pub(super) variants: Named<Fields<Flags>>,
    /// What is known about segments, by name, where rounds tell segments apart. One that only stands here had no round yet,
    /// and gets shares from `allocate`. Default: nothing.
    #[serde(default)]
    pub(super) segments: Named<Fields<SegmentFacts>>,
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

/// Who chose what people saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Basis {
    /// Each exposure was drawn at random by the shares of its round and segment.
    #[default]
    Randomized,
    /// A network that split traffic by known shares and then showed each variant to whom it liked. Each round is a day.
    AsDelivered,
    /// Nobody knows. Rounds need no `allocation`.
    NotRandomized,
}

impl Basis {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Randomized => "Randomized",
            Self::AsDelivered => "AsDelivered",
            Self::NotRandomized => "NotRandomized",
        }
    }
}

/// A metric of which more is worse, and how much it may rise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Guardrail {
    /// What is watched; each name once.
    pub(super) metric: Fields<WatchedMetric>,
    /// The most that a variant may have more of it than the control, 1% to 200%, such as `50%`.
    #[schemars(schema_with = "percent")]
    pub(super) maximum_increase: Percent,
}

/// What is watched for harm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WatchedMetric {
    /// What people call it, such as `bounce`.
    #[schemars(length(min = 1, max = 100))]
    pub(super) name: String,
    /// What one exposure can cost. Default: Binary.
    #[serde(default)]
    pub(super) kind: Kind,
    /// For values: the most that one exposure counts for, above 0. Default: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cap: Option<Sum>,
    /// How long after an exposure it still counts, such as `30m`. Default: unknown.
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

/// What is known about a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SegmentFacts {
    /// Numbers from -1000 to 1000 that tell how alike segments are, for `LinearThompson`: as many for each segment, of which
    /// one is 1 for all of them. Default: none.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub(super) features: Vec<f64>,
}

/// The defaults are those of a campaign, so that a document and a campaign that say nothing ask the same.
pub(super) fn confidence() -> Percent {
    api::Stopping::default().confidence
}

pub(super) fn maximum_loss() -> Percent {
    api::Stopping::default().maximum_loss
}

pub(super) fn minimum_per_variant() -> Count {
    Count::new(api::Policy::default().minimum_per_variant)
}

pub(super) fn first_generation() -> Count {
    Count::new(1)
}

pub(super) fn percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": Percent::PATTERN })
}

pub(super) fn optional_percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "pattern": Percent::PATTERN })
}

fn optional_duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": ["string", "null"], "minLength": 2, "pattern": Duration::PATTERN })
}
