//! The `AdVariant` of copy that people wrote.

use api::{AdVariant, AdVariantSpec, Origin};

use super::metadata;
use crate::campaign::{Campaign, Copy, Placement};

/// The variant of `copy`.
pub fn variant(campaign: &Campaign, placement: &Placement, copy: &Copy, origin: Origin) -> AdVariant {
    let mut metadata = metadata(campaign, copy.name.clone());
    metadata
        .labels
        .get_or_insert_default()
        .insert(api::name::PLACEMENT_LABEL.to_owned(), placement.name.clone());
    let spec = AdVariantSpec {
        campaign: campaign.name.clone(),
        placement: placement.name.clone(),
        origin,
        slots: copy.slots.clone(),
        provenance: None,
        appraisal: None,
    };
    AdVariant { metadata, spec, status: None }
}
