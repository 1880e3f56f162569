//! The children of a campaign: one file each, every one a pure function from what is planned to an object.

pub mod brief;
pub mod evidence;
pub mod job;
mod spread;
pub mod variant;
pub mod winner;
pub mod worker_account;

use std::collections::BTreeMap;

use kube::api::ObjectMeta;

use crate::campaign::Campaign;

/// The metadata of a child: owned by the campaign, so that it goes when the campaign goes.
pub(crate) fn metadata(campaign: &Campaign, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(campaign.namespace.clone()),
        labels: Some(labels(campaign)),
        owner_references: Some(vec![campaign.owner.clone()]),
        ..ObjectMeta::default()
    }
}

/// The labels of every child.
pub(crate) fn labels(campaign: &Campaign) -> BTreeMap<String, String> {
    BTreeMap::from([
        (api::name::MANAGED_BY_LABEL.to_owned(), api::name::MANAGED_BY.to_owned()),
        (api::name::CAMPAIGN_LABEL.to_owned(), campaign.name.clone()),
    ])
}
