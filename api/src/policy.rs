//! `AdPolicy`: what the platform team holds campaigns to, in all namespaces or in some.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Budget, Duration, MetricKind, Percent, schema};

/// What campaigns are held to when they are applied. Several policies hold together.
///
/// An admission policy of the chart refuses a campaign that asks for less; nothing of a policy is filled in, so that a campaign
/// says itself how it is tested. What runs already goes on.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "broadside.dev",
    version = "v1alpha1",
    kind = "AdPolicy",
    plural = "adpolicies",
    shortname = "adp",
    category = "broadside",
    derive = "PartialEq",
    doc = "What the platform team holds campaigns to: approval, models, budgets, shares, guardrails.",
    validation = Rule::new("has(self.spec.minimumApproval) || has(self.spec.generation) || has(self.spec.placements)")
        .message("a policy asks for something: write minimumApproval, generation or placements")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec"),
    printcolumn(name = "Approval", type_ = "string", json_path = ".spec.minimumApproval"),
    printcolumn(name = "Floor", type_ = "string", json_path = ".spec.placements.minimumFloor"),
    printcolumn(name = "Control", type_ = "string", json_path = ".spec.placements.minimumControlShare"),
    printcolumn(name = "Guardrails", type_ = "string", json_path = ".spec.placements.guardrails[*].metric"),
    printcolumn(name = "Models", type_ = "string", json_path = ".spec.generation.models", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AdPolicySpec {
    /// The namespaces whose campaigns it holds, by their labels; all, unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<NamespaceSelector>,
    /// How many people have to agree at least before copy is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_approval: Option<MinimumApproval>,
    /// What campaigns with a model are held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<GenerationPolicy>,
    /// What every placement is held to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placements: Option<PlacementPolicy>,
}

/// Namespaces by their labels: those to which all of it applies, as with selectors of Kubernetes.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels with their values. Each namespace has its name as `kubernetes.io/metadata.name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::short_strings")]
    pub match_labels: Option<BTreeMap<String, String>>,
    /// What is said of labels otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub match_expressions: Option<Vec<LabelRequirement>>,
}

/// What is said of one label.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)")
        .message("In and NotIn name values, and Exists and DoesNotExist name none")
        .reason(Reason::FieldValueInvalid)
        .field_path(".values")
)]
pub struct LabelRequirement {
    /// The label.
    #[schemars(length(min = 1, max = 316))]
    pub key: String,
    /// What is said of it.
    pub operator: LabelOperator,
    /// The values that it has one of, or none of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), inner(length(max = 63)))]
    pub values: Option<Vec<String>>,
}

/// What may be said of a label.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LabelOperator {
    /// It is there, with one of the values.
    In,
    /// It is not there, or with another value.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// How many people have to agree at least.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MinimumApproval {
    /// One.
    Manual,
    /// Two.
    FourEyes,
}

/// What campaigns with a model are held to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.models) || has(self.maximumBudget)")
        .message("write models or maximumBudget, or leave generation out")
        .reason(Reason::FieldValueInvalid)
)]
pub struct GenerationPolicy {
    /// The models that may write and embed, by the names of their `AdModel`s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 63)))]
    pub models: Option<Vec<String>>,
    /// Bounds that each campaign has to set for itself, at most so high.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_budget: Option<Budget>,
}

/// What every placement is held to.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.minimumFloor) || has(self.minimumControlShare) || has(self.maximumExposures) || has(self.guardrails)")
        .message("write minimumFloor, minimumControlShare, maximumExposures or guardrails, or leave placements out")
        .reason(Reason::FieldValueInvalid)
)]
pub struct PlacementPolicy {
    /// The least `policy.floor`. Where the type is `Even`, no floor binds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_floor: Option<Percent>,
    /// The least `policy.controlShare`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_control_share: Option<Percent>,
    /// The most `stopping.maximumExposures`, which each placement has to set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 100, max = 1_000_000_000))]
    pub maximum_exposures: Option<u32>,
    /// Guardrails that each placement has to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["metric".into()]))]
    #[schemars(length(min = 1, max = 4))]
    pub guardrails: Option<Vec<RequiredGuardrail>>,
}

/// A guardrail that each placement has to have.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RequiredGuardrail {
    /// The name of its metric.
    #[schemars(length(min = 1, max = 40), regex(pattern = r"^[a-z]([-a-z0-9]*[a-z0-9])?$"))]
    pub metric: String,
    /// The most that its `maximumIncrease` may be.
    pub maximum_increase: Percent,
    /// The kind that its metric has to have; any, unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<MetricKind>,
    /// The least `window` of its metric: one of a second would see no harm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_window: Option<Duration>,
}
