//! What was counted, and under which shares.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::number::{Count, Fields, Moment, Named, Sum};

/// A period in which shares did not change. It has either `allocation` and `totals`, or `segments`; with the basis
/// `NotRandomized`, `totals` alone will do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("anyOf" = [{ "required": ["totals"] }, { "required": ["segments"] }]))]
pub(in crate::offline) struct Round {
    /// Its number; later rounds have higher ones.
    pub(in crate::offline) number: Count,
    /// Whether it goes on: then `allocate` keeps its shares. Only of the last one. Default: false.
    #[serde(default)]
    pub(in crate::offline) open: bool,
    /// The share of each variant in parts per million, which sum to 1000000. A variant that is left out had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "optional_shares")]
    pub(in crate::offline) allocation: Option<Named<Count>>,
    /// What was counted of each variant. One that is left out was not exposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) totals: Option<Named<Fields<Totals>>>,
    /// The same for each segment, by name, where shares differ by segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) segments: Option<Named<Fields<Segment>>>,
}

/// A round in one segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::offline) struct Segment {
    /// The share of each variant in parts per million, which sum to 1000000. A variant that is left out had none.
    #[schemars(schema_with = "shares")]
    pub(in crate::offline) allocation: Named<Count>,
    /// What was counted of each variant. One that is left out was not exposed.
    pub(in crate::offline) totals: Named<Fields<Totals>>,
}

impl Round {
    /// The round before anybody came, in which all have about the same share.
    pub(in crate::offline) fn empty(
        names: impl Iterator<Item = String> + Clone,
        segments: impl Iterator<Item = String>,
    ) -> Self {
        let number = names.clone().count() as u32;
        let share = |index: u32| 1_000_000 / number + u32::from(index < 1_000_000 % number);
        let allocation: Named<Count> =
            (0..).zip(names).map(|(index, name)| (name, Count::new(share(index)))).collect();
        let segment = Segment { allocation: allocation.clone(), totals: Named::default() };
        let segments: Named<Fields<Segment>> = segments.map(|name| (name, Fields(segment.clone()))).collect();
        let of_all = segments.is_empty().then_some((allocation, Named::default()));
        let (allocation, totals) = of_all.unzip();
        Self {
            number: Count::new(1),
            open: false,
            allocation,
            totals,
            segments: (!segments.is_empty()).then_some(segments),
        }
    }
}

/// The sums of one variant over exposures whose window has passed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::offline) struct Totals {
    /// How many subjects were exposed, each counted once.
    pub(in crate::offline) n: Count,
    /// The sum of their rewards: a decimal in quotes, or a number. Of a 0/1 metric: how many were rewarded.
    pub(in crate::offline) sum: Sum,
    /// The sum of the squares of their rewards. Of a 0/1 metric the same as `sum`, which is the default there; of others it is
    /// required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) sum_squares: Option<Sum>,
    /// How often the variant was chosen; the exposures are those that were really shown. All variants of a round have
    /// it, or none. Default: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) decisions: Option<Count>,
    /// Sums of something that was known of these people before they were exposed, such as how often they bought: what goes
    /// along with the reward narrows the limits of one planned look. All variants of a round have it, or none. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) covariate: Option<Fields<Covariate>>,
    /// What was counted of guardrails, by the name of their metric: of all variants of a round, or of none. Default: nothing.
    #[serde(default)]
    pub(in crate::offline) guardrails: Named<Fields<Watched>>,
}

/// Sums of what was known before, over the exposures of the totals.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::offline) struct Covariate {
    /// The sum of it; may be below 0.
    pub(in crate::offline) sum: Moment,
    /// The sum of its squares.
    pub(in crate::offline) sum_squares: Sum,
    /// The sum of its products with the rewards; may be below 0.
    pub(in crate::offline) sum_products: Moment,
}

/// The sums of a guardrail's metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::offline) struct Watched {
    /// How many subjects were exposed, where the guardrail's window differs from the metric's. Default: the variant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) n: Option<Count>,
    /// As of the metric.
    pub(in crate::offline) sum: Sum,
    /// As of the metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::offline) sum_squares: Option<Sum>,
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
