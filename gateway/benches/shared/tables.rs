//! Tables as large shops have them.

use api::{AdTable, SegmentAllocation, TablePlacement};

use crate::samples::{SAMPLE, Sample, variant};

/// Ten variants that are equally likely.
pub(crate) const TEN: [u32; 10] = [100_000; 10];

/// The table of a campaign by its number: the first is the sample's. Its placements have as many variants as there are shares.
pub(crate) fn table(campaign: usize, number: i64, placements: usize, shares: &[u32]) -> AdTable {
    let uid = format!("2f1c9a52-3b1e-4a3c-9a41-{campaign:012}");
    let mut table = Sample { uid: &uid, number, allocations: &[], ..SAMPLE }.object();
    table.spec.campaign.name = name(campaign);
    let mut placement = table.spec.placements.remove(0);
    placement.variants = (0..shares.len()).map(|it| variant(&format!("v{it}"))).collect();
    placement.rounds[0].allocations =
        vec![SegmentAllocation { segments: vec!["all".to_owned()], shares: shares.to_vec() }];
    table.spec.placements = (0..placements)
        .map(|index| {
            let name = if index == 0 { "hero".to_owned() } else { format!("place-{index}") };
            TablePlacement { name, ..placement.clone() }
        })
        .collect();
    table
}

/// A campaign's name by its number.
pub(crate) fn name(campaign: usize) -> String {
    if campaign == 0 { SAMPLE_NAME.to_owned() } else { format!("campaign-{campaign}") }
}

/// The name of the sample's campaign.
const SAMPLE_NAME: &str = "cart-and-hero";
