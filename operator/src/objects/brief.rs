//! The ConfigMap that the worker reads: the campaign itself, and behind it the brand that it names, so that the worker
//! has one way of reading, with a cluster or without.

use std::collections::BTreeMap;

use api::{AdCampaign, TOKENS_TAKEN, TokensTaken};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ObjectMeta;

use super::metadata;
use crate::campaign::Campaign;

/// The file's name in the ConfigMap and in the worker's container.
pub const FILE: &str = "campaign.yaml";

/// The ConfigMap with the campaign's brief, rules and placements, and with the tokens that pods before took of its budget.
pub fn brief(campaign: &Campaign, object: &AdCampaign, taken: &TokensTaken) -> ConfigMap {
    let annotation = || (TOKENS_TAKEN.to_owned(), serde_json::to_string(taken).expect("numbers by number"));
    let stripped = AdCampaign {
        metadata: ObjectMeta {
            name: Some(campaign.name.clone()),
            namespace: Some(campaign.namespace.clone()),
            uid: Some(campaign.uid.clone()),
            annotations: (!taken.is_empty()).then(|| BTreeMap::from([annotation()])),
            ..ObjectMeta::default()
        },
        spec: object.spec.clone(),
        status: None,
    };
    let mut yaml = serde_saphyr::to_string(&stripped).expect("a campaign is plain data");
    if let Some(brand) = brand(campaign, object) {
        yaml.push_str("---\n");
        yaml.push_str(&serde_saphyr::to_string(&brand).expect("a ConfigMap is plain data"));
    }
    ConfigMap {
        metadata: metadata(campaign, api::name::brief_config(&campaign.name)),
        data: Some(BTreeMap::from([(FILE.to_owned(), yaml)])),
        ..ConfigMap::default()
    }
}

/// The brand as this campaign was judged by it.
fn brand(campaign: &Campaign, object: &AdCampaign) -> Option<ConfigMap> {
    Some(ConfigMap {
        metadata: ObjectMeta { name: Some(object.spec.brand()?.to_owned()), ..ObjectMeta::default() },
        data: Some(campaign.brand_files.clone()?),
        ..ConfigMap::default()
    })
}
