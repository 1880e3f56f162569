//! The placements as one numbered table.

use api::{AdTable, AdTableSpec, TableCampaign, TablePlacement};

use crate::campaign::Campaign;
use crate::objects;

/// The number of the table that serves `rows`: it grows by one with each change, and goes on from the `known` one where
/// somebody deleted the table.
pub(super) fn number(served: Option<&AdTable>, known: Option<i64>, rows: &[TablePlacement]) -> i64 {
    match served {
        Some(table) if table.spec.placements == rows => table.spec.number,
        Some(table) => table.spec.number + 1,
        None => known.map_or(1, |known| known + 1),
    }
}

/// The table of that number, or nothing when that is what is served.
pub(super) fn next(
    campaign: &Campaign,
    served: Option<&AdTable>,
    number: i64,
    rows: Vec<TablePlacement>,
) -> Option<AdTable> {
    if served.is_some_and(|table| table.spec.number == number) {
        return None;
    }
    let whose = TableCampaign { name: campaign.name.clone(), uid: campaign.uid.clone() };
    Some(AdTable {
        metadata: objects::metadata(campaign, campaign.uid.clone()),
        spec: AdTableSpec { number, campaign: whose, placements: rows },
    })
}
