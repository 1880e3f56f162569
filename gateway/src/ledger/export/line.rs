//! What is told about an exposure, whatever the format.

use jiff::Timestamp;
use serde::Serialize;

use crate::ledger::Millis;

/// One exposure that was counted. `docs/gateway.md` describes the fields; a line of JSON has them under these names, and
/// a Parquet file has a column for each.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Line<'e> {
    pub(super) campaign: &'e str,
    pub(super) placement: &'e str,
    pub(super) seed: i64,
    pub(super) segment: &'e str,
    pub(super) round: u32,
    pub(super) variant: &'e str,
    pub(super) probability: f64,
    pub(super) subject: String,
    pub(super) decided_at: Timestamp,
    pub(super) exposed_at: Timestamp,
    pub(super) reward: f64,
}

pub(super) fn moment(at: Millis) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::MIN)
}
