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
    /// Matured exposures: n.
    pub exposures: u64,
    /// The sum of their rewards: Σy.
    pub rewards: f64,
    /// The sum of their rewards' squares: Σy².
    pub squared_rewards: f64,
}
