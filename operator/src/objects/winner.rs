//! The ConfigMap that GitOps reads: each placement's winner, its text and the evidence.

use std::collections::BTreeMap;

use api::record::{MOST_BYTES_KEPT, StoredRecord};
use api::{Slots, VerdictStatus};
use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata;
use crate::campaign::{Campaign, Mode};

/// What is handed on of one placement.
pub struct Ended<'a> {
    /// The placement.
    pub placement: &'a str,
    /// How it ended.
    pub verdict: &'a VerdictStatus,
    /// The copy that is served from now on, by the variant's name: the control where that of the verdict was withdrawn, or the
    /// offer is over.
    pub served: (&'a str, &'a Slots),
    /// Why that is not the copy of the verdict.
    pub gone: Option<Gone>,
    /// The record of what the verdict rests on, where it is still there.
    pub evidence: Option<&'a StoredRecord>,
}

/// Why what a verdict names is handed on no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its approval was taken back, or it does harm.
    Withdrawn,
    /// It promises what is over.
    Expired,
}

/// The ConfigMap with what every placement ended with: `<placement>.json` holds all of it for programs,
/// `<placement>.<slot>` each text alone, and `<placement>.evidence.json` what the verdict rests on, or the same compressed.
pub fn winner(campaign: &Campaign, ended: &[Ended<'_>]) -> ConfigMap {
    let metadata = metadata(campaign, api::name::winner_config(&campaign.name));
    let mut config = ConfigMap { metadata, ..ConfigMap::default() };
    let mut size = 0;
    for Ended { placement, verdict, served: (variant, slots), gone, evidence } in ended {
        let mut json = serde_json::json!({ "variant": variant, "slots": slots, "verdict": verdict });
        if campaign.mode == Mode::DryRun {
            json["dryRun"] = true.into();
        }
        if let Some(gone) = gone.filter(|_| *variant != verdict.served) {
            let key = if gone == Gone::Expired { "expired" } else { "withdrawn" };
            json[key] = verdict.served.as_str().into();
        }
        json.sort_all_objects();
        let json = serde_json::to_string_pretty(&json).expect("a verdict is plain data");
        let data = config.data.get_or_insert_default();
        data.insert(format!("{placement}.json"), json);
        data.extend(slots.iter().map(|(slot, text)| (format!("{placement}.{slot}"), text.clone())));
        // Together they have to find room in one object; each has its own besides.
        let fits = |record: &&StoredRecord| size + record.bytes() <= MOST_BYTES_KEPT;
        if let Some(record) = evidence.filter(fits) {
            size += record.bytes();
            record.clone().put(&mut config, &format!("{placement}.{}", super::evidence::KEY));
        }
    }
    config
}

/// Whether a ConfigMap holds all that is wanted of it. What others added does not matter.
pub(crate) fn holds(live: &ConfigMap, wanted: &ConfigMap) -> bool {
    fn has<V: PartialEq>(live: &Option<BTreeMap<String, V>>, wanted: &Option<BTreeMap<String, V>>) -> bool {
        let live = |key| live.as_ref().and_then(|live| live.get(key));
        wanted.iter().flatten().all(|(key, wanted)| live(key) == Some(wanted))
    }
    has(&live.data, &wanted.data)
        && has(&live.binary_data, &wanted.binary_data)
        && has(&live.metadata.labels, &wanted.metadata.labels)
        && live.metadata.owner_references == wanted.metadata.owner_references
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::api::ObjectMeta;
    use serde_json::{Value, json};

    #[test]
    fn what_others_added_is_no_difference_and_what_they_changed_is() {
        let config = |data: Value, labels: Value| -> ConfigMap {
            let owner = json!({ "apiVersion": "v1", "kind": "AdCampaign", "name": "sale", "uid": "u" });
            let config =
                json!({ "data": data, "metadata": { "labels": labels, "ownerReferences": [owner] } });
            serde_json::from_value(config).expect("a ConfigMap")
        };
        let wanted = config(json!({ "a": "1" }), json!({ "x": "y" }));
        let check = |live: ConfigMap, expected| assert_eq!(holds(&live, &wanted), expected, "{live:?}");
        check(wanted.clone(), true);
        check(config(json!({ "a": "1", "b": "2" }), json!({ "x": "y", "z": "" })), true);
        check(config(json!({ "a": "2" }), json!({ "x": "y" })), false);
        check(config(json!({}), json!({ "x": "y" })), false);
        check(config(json!({ "a": "1" }), json!({})), false);
        check(ConfigMap { metadata: ObjectMeta::default(), ..wanted.clone() }, false);
        check(ConfigMap::default(), false);
    }
}
