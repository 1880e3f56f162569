//! The `AdVariant` of copy that people wrote, in the spec or by an edit.

use api::{AdVariant, AdVariantSpec, Origin, VariantEdit};

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
        edit: None,
        provenance: None,
        appraisal: None,
    };
    AdVariant { metadata, spec, status: None }
}

/// The variant of copy that somebody edited.
pub fn edited(campaign: &Campaign, placement: &Placement, copy: &Copy, edit: VariantEdit) -> AdVariant {
    let mut variant = variant(campaign, placement, copy, Origin::Edited);
    variant.spec.edit = Some(edit);
    variant
}
