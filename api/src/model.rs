//! `AdModel`: a model as the platform team offers it. Marketers name it and configure no GPU.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Toleration;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// A model as the platform team offers it: where it lies, what it needs, what it costs.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "broadside.dev",
    version = "v1alpha1",
    kind = "AdModel",
    plural = "admodels",
    shortname = "adm",
    category = "broadside",
    namespaced,
    derive = "PartialEq",
    doc = "A model as the platform team offers it: source, resources, tolerations, price.",
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("metadata.name must be at most 63 characters, as campaigns name it")
        .reason(Reason::FieldValueInvalid),
    printcolumn(name = "Image", type_ = "string", json_path = ".spec.source.image.reference"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AdModelSpec {
    /// Where the model lies.
    pub source: ModelSource,
    /// What the worker's container asks for and may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<ModelResources>,
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::short_strings")]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints that the worker's pod tolerates.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub tolerations: Option<Vec<Toleration>>,
    /// What a GPU hour costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
}

/// Where the model lies; exactly one place.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSource {
    /// A container image that holds the model and a copier.
    pub image: ImageSource,
}

/// A model in a container image: files in `/model`, and a static program `/copy` that copies them to the folder that
/// is its argument. An init container runs it, so every cluster can use it, whatever volumes it knows.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageSource {
    /// The image, with a tag or digest.
    #[schemars(length(min = 1, max = 512))]
    pub reference: String,
    /// When it is pulled: `Always`, `IfNotPresent` or `Never`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<PullPolicy>,
}

/// When an image is pulled.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PullPolicy {
    /// At each start.
    Always,
    /// When the node lacks it.
    IfNotPresent,
    /// Never: the node must have it.
    Never,
}

/// What the worker's container asks for and may use.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelResources {
    /// What it asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 16))]
    pub requests: Option<BTreeMap<String, Quantity>>,
    /// What it may use; GPUs stand here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 16))]
    pub limits: Option<BTreeMap<String, Quantity>>,
}

/// What the model's hardware costs.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Price {
    /// An amount and a currency, such as `2.10 USD`.
    #[schemars(length(max = 24), regex(pattern = r"^[0-9]{1,7}(\.[0-9]{1,4})? [A-Z]{3}$"))]
    pub per_gpu_hour: String,
}
