//! `GET /v1/totals?campaign=UID`: the ledger's sums, for the operator.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The sums of one campaign over exposures whose window has passed.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TotalsResponse {
    /// The campaign's UID.
    pub campaign: String,
    /// The moment that the sums are exact for.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub as_of: Timestamp,
    /// The sums, by placement.
    pub placements: Vec<PlacementTotals>,
}

/// The sums of one placement under one seed.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacementTotals {
    /// The placement.
    pub name: String,
    /// The seed of its assignment.
    pub seed: i64,
    /// Exposures whose window has not passed yet.
    pub pending_exposures: u64,
    /// One entry for each cell and variant that has any.
    pub cells: Vec<CellTotals>,
    /// The sums of each metric that is watched for harm, by its name, where it has any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guardrails: Vec<GuardrailTotals>,
}

/// The sums of a metric that is watched for harm, over exposures of the placement: those since the table named the metric. Each
/// stands in the cell in which it stands there, and from its metric's own window on.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardrailTotals {
    /// The metric.
    pub metric: String,
    /// Exposures whose window has not passed yet. It is the metric's own window.
    pub pending_exposures: u64,
    /// One entry for each cell and variant that has any. Decisions and unconfirmed clicks stand in the placement's own cells.
    pub cells: Vec<CellTotals>,
}

/// The sums of one variant in one cell.
#[derive(JsonSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CellTotals {
    /// The round.
    pub round: u32,
    /// The segment.
    pub segment: String,
    /// The variant.
    pub variant: String,
    /// The people for whom it was chosen, each once: those of the matured exposures, and those who have not seen it. Given
    /// only where decisions of the placement were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decisions: Option<u64>,
    /// Matured exposures: n.
    pub exposures: u64,
    /// The sum of their rewards: Σy.
    pub rewards: f64,
    /// The sum of their rewards' squares: Σy².
    pub squared_rewards: f64,
    /// What was known about the people before, where any exposure told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covariate: Option<CovariateTotals>,
    /// What came after it was counted.
    #[serde(default, skip_serializing_if = "LateTotals::is_nothing")]
    pub late: LateTotals,
    /// How many people's links were followed, by themselves or by what scans links for them: counted once for each, at once,
    /// and in no other sum.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unconfirmed_clicks: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// The sums of what was known about people before they were exposed.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CovariateTotals {
    /// Of how many of the exposures it was told. The sums are of use where that is all of them.
    pub exposures: u64,
    /// Σx.
    pub sum: f64,
    /// Σx².
    pub squares: f64,
    /// Σxy, with the rewards y.
    pub products: f64,
}

/// What the sums would have more of, had everything come in time. They are never changed by it: what was decided on them
/// stays true.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LateTotals {
    /// How many of the exposures have rewards that came late.
    pub exposures: u64,
    /// By how much Σy would be larger.
    pub rewards: f64,
    /// By how much Σy² would be larger.
    pub squared_rewards: f64,
}

impl LateTotals {
    fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
