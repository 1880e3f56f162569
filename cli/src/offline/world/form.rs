//! The form that `broadside simulate --world` reads: a contract. The comments of fields are their descriptions in
//! `docs/schemas/world.json`.

use api::Percent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::document::{
    Metric, Policy, confidence, first_generation, maximum_loss, optional_percent, percent,
};
use super::super::number::{Count, Fields, Named, Sum};

/// A world, and the experiment that is made in it: what `broadside simulate --world` reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "World")]
pub(in crate::offline) struct World {
    /// Draws all chance: the same world and seed give the same course. Default: 1.
    #[serde(default = "one")]
    pub(super) seed: Count,
    /// What is counted, as in the totals of `estimate`.
    pub(super) metric: Fields<Metric>,
    /// The variant that all others are compared with, one of `variants`.
    #[schemars(length(min = 1, max = 100))]
    pub(super) control: String,
    /// As in the totals of `estimate`. Default: 95%.
    #[serde(default = "confidence")]
    #[schemars(schema_with = "percent")]
    pub(super) confidence: Percent,
    /// As in the totals of `estimate`. Default: 1%.
    #[serde(default = "maximum_loss")]
    #[schemars(schema_with = "percent")]
    pub(super) maximum_loss: Percent,
    /// As in the totals of `estimate`. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_percent")]
    pub(super) worthwhile_lift: Option<Percent>,
    /// How traffic is divided, as in the totals of `estimate`. Default: all of its defaults.
    #[serde(default)]
    pub(super) policy: Fields<Policy>,
    /// How people respond to each variant, by its name.
    pub(super) variants: Named<Fields<Truth>>,
    /// Groups of people, by name, whose shares sum to 100%. Default: everybody is alike.
    #[serde(default)]
    pub(super) segments: Named<Fields<Group>>,
    /// What moves the rates of all variants alike; several are multiplied. Default: nothing.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub(super) trends: Vec<Fields<Trend>>,
    /// How long it goes, and how many people come. Default: 100 rounds of 1000.
    #[serde(default)]
    pub(super) rounds: Fields<Rounds>,
    /// How many rounds pass until the rewards of a round are known. Default: 0.
    #[serde(default = "zero")]
    pub(super) delay: Count,
    /// People who come back. Default: everybody comes once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) people: Option<Fields<People>>,
}

/// How people respond to one variant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Truth {
    /// The part of the people shown it who act, such as `2%`.
    #[schemars(schema_with = "percent")]
    pub(super) rate: Percent,
    /// That part in the second half of the rounds. Default: `rate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_percent")]
    pub(super) later_rate: Option<Percent>,
    /// For values: what those who act are worth. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) worth: Option<Fields<Worth>>,
    /// How often the variants had been replaced when this one came, from 1. Default: 1.
    #[serde(default = "first_generation")]
    #[schemars(range(min = 1, max = 4_294_967_295_u32))]
    pub(super) generation: Count,
    /// The first round in which it is served. Not of the control. Default: 1.
    #[serde(default = "one")]
    pub(super) from_round: Count,
    /// The last round in which it is served. Not of the control. Default: the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until_round: Option<Count>,
}

/// What those who act are worth: a log-normal distribution.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Worth {
    /// Its mean, above 0.
    pub(super) mean: Sum,
    /// Its standard deviation. Default: 0, so that all are worth the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) deviation: Option<Sum>,
}

/// A group of people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Group {
    /// Its part of everybody.
    #[schemars(schema_with = "percent")]
    pub(super) share: Percent,
    /// The rates of its people, by variant. Default: those of `variants`.
    #[serde(default)]
    pub(super) rates: Named<Percent>,
    /// As in the totals of `estimate`, for `LinearThompson`. Default: none.
    #[serde(default)]
    #[schemars(length(max = 256))]
    pub(super) features: Vec<f64>,
}

/// What moves the rates of all variants alike: exactly one of the three.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct Trend {
    /// From what they are in the first round, evenly, to another level in the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) linear: Option<Fields<Linear>>,
    /// Up and down, as by day and night.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) wave: Option<Fields<Wave>>,
    /// Another level for some time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sale: Option<Fields<Sale>>,
}

/// An even change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Linear {
    /// What rates are in the last round, of what they were in the first: `200%` doubles them.
    #[schemars(schema_with = "percent")]
    pub(super) to: Percent,
}

/// A wave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Wave {
    /// How far it goes up and down, at most 100%.
    #[schemars(schema_with = "percent")]
    pub(super) amplitude: Percent,
    /// Rounds from crest to crest, at least 2.
    pub(super) rounds: Count,
}

/// Another level for some time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Sale {
    /// The part of the rounds that has passed when it begins.
    #[schemars(schema_with = "percent")]
    pub(super) from: Percent,
    /// The part of the rounds that has passed when it ends. Default: 100%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_percent")]
    pub(super) until: Option<Percent>,
    /// What rates are multiplied by: `250%` makes them two and a half times as high.
    #[schemars(schema_with = "percent")]
    pub(super) factor: Percent,
}

/// How long it goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rounds {
    /// How many rounds. Default: 100.
    #[serde(default = "hundred")]
    pub(super) number: Count,
    /// How many people are shown something in the first. Default: 1000.
    #[serde(default = "thousand")]
    pub(super) exposures: Count,
    /// How many more in each next one. Default: 0%.
    #[serde(default = "nothing")]
    #[schemars(schema_with = "percent")]
    pub(super) growth: Percent,
}

/// People who come back; few of them are keen, and most are not. Their visits make the exposures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct People {
    /// How many there are.
    pub(super) number: Count,
    /// The chance that one comes in a round.
    #[schemars(schema_with = "percent")]
    pub(super) visits: Percent,
    /// How those are counted who came before. Default: OncePerSeed.
    #[serde(default)]
    pub(super) counted: Counted,
    /// After how many rounds all are dealt anew. Default: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reseeded_every: Option<Count>,
}

/// How people are counted who came before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum Counted {
    /// Once until they are dealt anew, as Broadside counts.
    #[default]
    OncePerSeed,
    /// In every round again, under the variant that they had: what is estimated of that is wrong.
    EveryRound,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { number: hundred(), exposures: thousand(), growth: nothing() }
    }
}

fn zero() -> Count {
    Count::new(0)
}

fn one() -> Count {
    Count::new(1)
}

fn hundred() -> Count {
    Count::new(100)
}

fn thousand() -> Count {
    Count::new(1000)
}

fn nothing() -> Percent {
    Percent::from_parts_per_million(0)
}
