//! Brands: the ConfigMaps that campaigns name, from the same file or from one beside it.

use api::AdCampaign;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;

use super::document::{self, Document};
use super::{Finding, Report};

/// The ConfigMaps that a campaign may name.
#[derive(Clone, Debug, Default)]
pub struct Brands(Vec<ConfigMap>);

impl Brands {
    /// These, and before them the ConfigMaps of a YAML text; what is none is passed over.
    #[must_use]
    pub fn and(&self, text: &str) -> Self {
        let found = documents(text).map(|(_, config)| config);
        Self(found.chain(self.0.iter().cloned()).collect())
    }

    /// The ConfigMap that a campaign names. A namespace that is left out is any: it is given when a file is applied.
    pub(super) fn of(&self, campaign: &AdCampaign) -> Option<&ConfigMap> {
        let name = campaign.spec.brand()?;
        let is_near = |config: &ConfigMap| match (config.namespace(), campaign.namespace()) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.0.iter().find(|config| config.name_any() == name && is_near(config))
    }
}

/// What there is to say about each ConfigMap of `text`, as a brand.
pub(super) fn check(text: &str) -> Vec<Report> {
    let report = |(line, config): (usize, ConfigMap)| {
        let files = config.data.clone().unwrap_or_default();
        let errors = rules::Brand::parse(&files).err().unwrap_or_default();
        let findings = errors.into_iter().map(|error| Finding::error(error.file, error.problem)).collect();
        Report { line, title: format!("ConfigMap {}", config.name_any()), findings }
    };
    documents(text).map(report).collect()
}

fn documents(text: &str) -> impl Iterator<Item = (usize, ConfigMap)> {
    let config = |(line, text): (usize, &str)| match document::read(text) {
        Ok(Document::Foreign(object)) if object["kind"] == "ConfigMap" => {
            Some((line, serde_json::from_value(object).ok()?))
        }
        _ => None,
    };
    document::split(text).into_iter().filter_map(config)
}
