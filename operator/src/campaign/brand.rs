//! `spec.rules`, `spec.variables` and the ConfigMap of a brand → what copy is judged by.

use std::collections::BTreeMap;

use api::{AdCampaign, TableException, TableRules};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use rules::{Brand, BrandRules, Exception, Format, Formats, Variable, Variables};

use super::{Campaign, Faults, Placement};

/// Where a campaign names its brand.
pub(super) const FIELD: &str = "spec.rules.brand";

/// What the copy of a campaign is judged by.
#[derive(Clone, Debug, Default)]
pub struct Judges {
    /// The formats that its placements may name.
    pub formats: Formats,
    /// The words, names and variables of brand and campaign.
    pub brand: BrandRules,
}

/// What the copy of a campaign is judged by, as far as it can be used.
pub fn judges(object: &AdCampaign, brand: Option<&ConfigMap>) -> Judges {
    Faults::default().read_judges(object, brand)
}

/// The files of a brand's ConfigMap.
pub(super) fn files(config: &ConfigMap) -> BTreeMap<String, String> {
    config.data.clone().unwrap_or_default()
}

impl Faults {
    /// Where a part can't be used copy is judged without it, so that its other faults are told as well.
    pub(super) fn read_judges(&mut self, object: &AdCampaign, config: Option<&ConfigMap>) -> Judges {
        let brand = self.read_brand(object, config);
        let words = object.spec.rules.clone().unwrap_or_default();
        let rules = self.keep("spec.rules", brand.rules(&words.forbidden, &words.required));
        Judges {
            formats: brand.formats().clone(),
            brand: rules.unwrap_or_default().with_variables(self.read_variables(object)),
        }
    }

    fn read_brand(&mut self, object: &AdCampaign, config: Option<&ConfigMap>) -> Brand {
        let Some(name) = object.spec.brand() else { return Brand::default() };
        let Some(config) = config else {
            let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
            let problem = format!(
                "there is no ConfigMap {name} in namespace {namespace}: apply it, or name another one"
            );
            self.add(FIELD, problem);
            return Brand::default();
        };
        Brand::parse(&files(config)).unwrap_or_else(|errors| {
            errors.into_iter().for_each(|error| self.add(FIELD, format!("ConfigMap {name}, {error}")));
            Brand::default()
        })
    }

    fn read_variables(&mut self, object: &AdCampaign) -> Variables {
        let declared = object.spec.variables.iter().flatten().enumerate();
        let good = declared.filter_map(|(index, api::Variable { name, maximum_length, fallback })| {
            let field = format!("spec.variables[{index}]");
            self.keep(field, Variable::new(name, *maximum_length, fallback))
        });
        let good = good.collect();
        self.keep("spec.variables", Variables::new(good)).unwrap_or_default()
    }

    /// Whether the brand is at fault: then a format that is not known may be the brand's.
    pub(super) fn blames_brand(&self) -> bool {
        self.0.iter().any(|fault| fault.field == FIELD)
    }
}

impl Campaign {
    /// What a gateway has to know to judge the copy of a placement; nothing where a format of ours says it all.
    pub(crate) fn table_rules(&self, placement: &Placement) -> Option<TableRules> {
        let rules = TableRules {
            variables: some(self.brand.variables().iter().map(variable)),
            exceptions: some(self.brand.exceptions().iter().map(exception)),
            format: is_of_brand(&placement.format).then(|| placement.format.file().to_owned()),
        };
        (rules != TableRules::default()).then_some(rules)
    }
}

fn is_of_brand(format: &Format) -> bool {
    rules::format(format.name()).is_none()
}

fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

fn variable(variable: &Variable) -> api::Variable {
    api::Variable {
        name: variable.name().to_owned(),
        maximum_length: u32::try_from(variable.maximum_length()).expect("a maximum is at most 100"),
        fallback: variable.fallback().to_owned(),
    }
}

fn exception(exception: &Exception) -> TableException {
    TableException {
        text: exception.text.clone(),
        rules: exception.rules.iter().map(|rule| rule.name().to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::brief::{FILE, brief};

    fn object(rules: &str) -> AdCampaign {
        let yaml = format!(
            "{{apiVersion: broadside.dev/v1alpha1, kind: AdCampaign, metadata: {{name: trail, namespace: shop, uid: u}}, \
             spec: {{brief: {{product: Aero}}, rules: {rules}, generation: {{model: handbill}}, placements: [{{name: hero, \
             format: WebBanner, delivery: {{gateway: {{}}}}, control: {{headline: Aero, button: Go}}, variants: 1, \
             metric: {{name: view, kind: Binary, window: 30m}}}}]}}}}"
        );
        serde_saphyr::from_str(&yaml).expect("a campaign")
    }

    fn config(words: &str) -> ConfigMap {
        let data = BTreeMap::from([("brand.yaml".to_owned(), words.to_owned())]);
        ConfigMap { data: Some(data), ..ConfigMap::default() }
    }

    fn job(object: &AdCampaign, words: &str) -> String {
        let campaign = Campaign::read(object, Some(&config(words))).expect("a good campaign");
        campaign.generation.expect("variants are asked for").job
    }

    #[test]
    fn another_brand_is_another_job_until_one_has_begun() {
        let mut object = object("{brand: acme}");
        let first = job(&object, "forbidden: [cheap]");
        assert_ne!(first, job(&object, "forbidden: [free]"));
        let begun = api::GenerationStatus {
            job: first.clone(),
            outcome: api::GenerationOutcome::Running,
            asked: 1,
            delivered: 0,
            message: None,
            failure: None,
            spending: None,
            tokens: None,
            seconds: None,
            tokens_per_second: None,
            gpu_seconds: None,
            cost: None,
            cost_per_variant: None,
        };
        object.status = Some(api::AdCampaignStatus { generation: Some(begun), ..Default::default() });
        assert_eq!(first, job(&object, "forbidden: [free]"));
    }

    #[test]
    fn a_config_map_that_is_not_named_is_nobodys() {
        let object = object("{forbidden: [cheap]}");
        let without = Campaign::try_from(&object).expect("a good campaign");
        assert_eq!(without.generation.expect("variants are asked for").job, job(&object, "forbidden: [' ']"));
    }

    #[test]
    fn the_worker_finds_the_brand_behind_the_campaign() {
        let object = object("{brand: acme}");
        let campaign = Campaign::read(&object, Some(&config("required: [Aero]"))).expect("a good campaign");
        let data = brief(&campaign, &object, &api::TokensTaken::new()).data.expect("a file");
        let (first, second) = data[FILE].split_once("\n---\n").expect("two documents");
        let read: AdCampaign = serde_saphyr::from_str(first).expect("a campaign");
        assert_eq!(read.spec, object.spec);
        let read: ConfigMap = serde_saphyr::from_str(second).expect("a ConfigMap");
        assert_eq!((read.name_any(), read.data), ("acme".to_owned(), config("required: [Aero]").data));
    }
}
