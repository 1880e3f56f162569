//! The placements as one numbered table.

use api::{AdTable, AdTableSpec, TableCampaign, TablePlacement};

use crate::campaign::Campaign;
use crate::objects;

/// The table that serves `rows`, or nothing when that is what is served. Its number grows by one with each change.
pub(super) fn next(
    campaign: &Campaign,
    served: Option<&AdTable>,
    rows: Vec<TablePlacement>,
) -> Option<AdTable> {
    let number = match served {
        Some(table) if table.spec.placements == rows => return None,
        Some(table) => table.spec.number + 1,
        None => 1,
    };
    let whose = TableCampaign { name: campaign.name.clone(), uid: campaign.uid.clone() };
    Some(AdTable {
        metadata: objects::metadata(campaign, campaign.uid.clone()),
        spec: AdTableSpec { number, campaign: whose, placements: rows },
    })
}
