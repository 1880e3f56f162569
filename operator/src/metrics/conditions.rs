//! How many campaigns stand how: counted when Prometheus asks, of what the loop keeps.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::AdCampaign;
use api::condition::{Reason, Type};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::runtime::reflector::Store;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use crate::plan::State;

/// The campaigns of the watches; none in a process that does not lead, so that each is counted once.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions(Arc<Mutex<Vec<Store<AdCampaign>>>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    condition: String,
    status: String,
    reason: String,
}

/// A campaign that a person has to mend. There are few at a time, and whoever is woken needs to know which.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stalled {
    /// Prometheus calls the namespace of the pod that it asks `namespace`.
    campaign_namespace: String,
    campaign: String,
    reason: String,
}

impl Stalled {
    fn of(campaign: &AdCampaign) -> Option<Self> {
        let conditions = campaign.status.iter().flat_map(|status| &status.conditions);
        let told = conditions.filter_map(Labels::of).find(Labels::is_stalled)?;
        let (campaign_namespace, campaign) = (campaign.namespace()?, campaign.name_any());
        Some(Self { campaign_namespace, campaign, reason: told.reason })
    }
}

impl Labels {
    fn is_stalled(&self) -> bool {
        self.condition == Type::Stalled.to_string() && self.status == format!("{:?}", State::True)
    }

    /// Words of ours alone, so that there is an end of them; what another version wrote is left out.
    fn of(condition: &Condition) -> Option<Self> {
        let Condition { type_, status, reason, .. } = condition;
        let (type_, status) = (word::<Type>(type_)?, word::<State>(status)?);
        Some(Self {
            condition: type_.to_string(),
            status: format!("{status:?}"),
            reason: word::<Reason>(reason)?.to_string(),
        })
    }
}

fn word<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    let text: serde::de::value::StrDeserializer<'a, Error> = text.into_deserializer();
    T::deserialize(text).ok()
}

impl Conditions {
    /// Counts the campaigns of a watch too, from now on.
    pub(super) fn add(&self, campaigns: Store<AdCampaign>) {
        self.stores().push(campaigns);
    }

    fn stores(&self) -> MutexGuard<'_, Vec<Store<AdCampaign>>> {
        // Whoever panicked left a whole list.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self) -> Family<Labels, Gauge> {
        let counted = Family::<Labels, Gauge>::default();
        for campaign in self.stores().iter().flat_map(Store::state) {
            let conditions = campaign.status.iter().flat_map(|status| &status.conditions);
            for labels in conditions.filter_map(Labels::of) {
                counted.get_or_create(&labels).inc();
            }
        }
        counted
    }

    fn stalled(&self) -> Family<Stalled, Gauge> {
        let stalled = Family::<Stalled, Gauge>::default();
        for campaign in self.stores().iter().flat_map(Store::state) {
            if let Some(labels) = Stalled::of(&campaign) {
                stalled.get_or_create(&labels).set(1);
            }
        }
        stalled
    }
}

impl Collector for Conditions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (counted, help) = (self.counted(), "Campaigns, by what each of their conditions says");
        let kind = prometheus_client::metrics::MetricType::Gauge;
        counted.encode(encoder.encode_descriptor("campaign_conditions", help, None, kind)?)?;
        let (stalled, help) = (self.stalled(), "1 for each campaign that a person has to mend");
        stalled.encode(encoder.encode_descriptor("campaign_stalled", help, None, kind)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kube::runtime::reflector;
    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::super::Metrics;
    use super::*;

    fn campaign(name: &str, reason: &str) -> AdCampaign {
        serde_json::from_value(json!({
            "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"brief": {"product": "Aero"}, "placements": []},
            "status": {"conditions": [{
                "type": "Stalled", "status": "True", "reason": reason, "message": "",
                "lastTransitionTime": "2026-03-01T12:00:00Z",
            }]},
        }))
        .expect("a campaign")
    }

    #[test]
    fn campaigns_are_counted_by_what_their_conditions_say() {
        let (store, mut writer) = reflector::store();
        let metrics = Metrics::new();
        metrics.tell_of(store);
        let mut check = |event: Event<AdCampaign>, counted: &[&str], stalled: &[&str]| {
            writer.apply_watcher_event(&event);
            let text = metrics.text();
            let told = |name: &str| {
                let ends = text.lines().filter_map(|line| line.strip_prefix(name)).map(ToOwned::to_owned);
                ends.collect::<BTreeSet<String>>()
            };
            let expected = |ends: &[&str]| ends.iter().map(|&end| end.to_owned()).collect::<BTreeSet<_>>();
            let name = "broadside_operator_campaign_conditions{condition=\"Stalled\",status=\"True\",reason=";
            assert_eq!(told(name), expected(counted), "{event:?}");
            let name = "broadside_operator_campaign_stalled{campaign_namespace=\"shop\",campaign=";
            assert_eq!(told(name), expected(stalled), "{event:?}");
        };
        let (a, b) = (r#""a",reason="InvalidSpec"} 1"#, r#""b",reason="InvalidSpec"} 1"#);
        check(Event::Apply(campaign("a", "InvalidSpec")), &[r#""InvalidSpec"} 1"#], &[a]);
        check(Event::Apply(campaign("b", "InvalidSpec")), &[r#""InvalidSpec"} 2"#], &[a, b]);
        let both = [r#""InvalidSpec"} 1"#, r#""ModelNotFound"} 1"#];
        let a = r#""a",reason="ModelNotFound"} 1"#;
        check(Event::Apply(campaign("a", "ModelNotFound")), &both, &[a, b]);
        check(Event::Apply(campaign("c", "AWordOfLater")), &both, &[a, b]);
        check(Event::Delete(campaign("b", "InvalidSpec")), &[r#""ModelNotFound"} 1"#], &[a]);
    }
}
