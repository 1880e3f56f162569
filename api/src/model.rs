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
    validation = Rule::new("!(has(self.spec.adapter) && has(self.spec.source.endpoint))")
        .message("an adapter is merged by the worker, and an endpoint has its own name for a model with one: remove adapter, and name that in endpoint.model")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.adapter"),
    validation = Rule::new("!(has(self.spec.adapter) && has(self.spec.source.huggingFace) && has(self.spec.source.huggingFace.file))")
        .message("an adapter is merged into safetensors and not into a GGUF file: remove adapter, or huggingFace.file")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.adapter"),
    validation = Rule::new("!(has(self.spec.weights) && has(self.spec.source.endpoint))")
        .message("an endpoint keeps its weights as it likes: remove weights")
        .reason(Reason::FieldValueInvalid)
        .field_path(".spec.weights"),
    printcolumn(name = "Source", type_ = "string", json_path = ".spec.source['image','pvc','huggingFace','endpoint']['reference','claimName','repo','model']", description = "The image, the claim, the repository, or the endpoint's name of the model"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AdModelSpec {
    /// Where the model lies.
    pub source: ModelSource,
    /// A LoRA adapter that the worker merges into the model, such as a brand's own voice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<ModelAdapter>,
    /// In which form the worker keeps the weights on CPUs: `AsStored`, unless set, or `Q8`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<ModelWeights>,
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
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.image), has(self.pvc), has(self.huggingFace), has(self.endpoint)].filter(is, is).size() == 1")
        .message("name exactly one of image, pvc, huggingFace and endpoint: add one, or remove the others")
        .reason(Reason::FieldValueInvalid)
)]
pub struct ModelSource {
    /// A container image that holds the model and a copier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageSource>,
    /// A folder of a volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pvc: Option<PvcSource>,
    /// A repository of Hugging Face, or of a mirror.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hugging_face: Option<HuggingFaceSource>,
    /// An engine elsewhere that speaks OpenAI's API, such as vLLM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointSource>,
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

/// A model on a volume: a folder in the layout of Hugging Face, or one that holds one GGUF file and its `tokenizer.json`.
/// The worker reads it and can't write there.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PvcSource {
    /// The PersistentVolumeClaim of this namespace.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub claim_name: String,
    /// The model's folder below the volume's root, such as `qwen/q8`; the root itself, unless set. No part of it may
    /// begin with a dot.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$")
    )]
    pub path: Option<String>,
}

/// A model in a repository of Hugging Face. An init container fetches it, checks each file, and goes on where it was cut
/// off; what is complete is not fetched again.
///
/// A token is never told to an address that does not stand in the same Secret, so a mirror that wants one is named in
/// the Secret.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!(has(self.mirror) && has(self.secretRef))")
        .message("name a mirror or a Secret, not both: a mirror that wants a token stands in the Secret, under broadside-hub-url")
        .reason(Reason::FieldValueInvalid)
)]
pub struct HuggingFaceSource {
    /// The repository, such as `Qwen/Qwen3-8B`.
    #[schemars(
        length(min = 1, max = 200),
        regex(pattern = r"^([A-Za-z0-9_][A-Za-z0-9._-]*/)?[A-Za-z0-9_][A-Za-z0-9._-]*$")
    )]
    pub repo: String,
    /// A commit, which always gives the same copy; or a branch or tag, whose meaning may change.
    #[schemars(
        length(min = 1, max = 200),
        regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$")
    )]
    pub revision: String,
    /// The one GGUF file that is fetched in place of safetensors, where a repository holds several.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 6, max = 255),
        regex(pattern = r"^([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.gguf$")
    )]
    pub file: Option<String>,
    /// The address of a mirror that asks for no token, such as `https://models.example`; huggingface.co, unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 1024), regex(pattern = r"^https?://[^\s?#@]+$"))]
    pub mirror: Option<String>,
    /// A Secret of type `broadside.dev/model-hub`: `broadside-hub-token`, and where they are wanted `broadside-hub-url` and
    /// `broadside-hub-ca.crt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretReference>,
    /// The volume that keeps what was fetched. Without it, every pod fetches the model anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<ModelCache>,
}

/// A volume that keeps what was fetched. Any number of pods and models may share it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelCache {
    /// The PersistentVolumeClaim of this namespace.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub claim_name: String,
}

/// A model behind OpenAI's API.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EndpointSource {
    /// A Secret of type `broadside.dev/model-endpoint`: `broadside-endpoint-url`, `broadside-endpoint-key`, and where it is
    /// wanted `broadside-endpoint-ca.crt`. Address and key stand together, so that neither can be sent where it does not belong.
    pub secret_ref: SecretReference,
    /// The model's name at the endpoint.
    #[schemars(length(min = 1, max = 200), regex(pattern = r"^[^\s]+$"))]
    pub model: String,
    /// The most requests that a worker has under way; what the worker thinks best, unless set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 256))]
    pub concurrency: Option<u16>,
}

/// A LoRA adapter as peft saves it, among the model's own files.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelAdapter {
    /// Its folder below the model's, such as `brands/acme`, with `adapter_config.json` and `adapter_model.safetensors`. No
    /// part of it may begin with a dot.
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$")
    )]
    pub path: String,
}

/// In which form weights are kept on CPUs.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelWeights {
    /// As the files have them; floats of 16 bits become 32-bit ones.
    AsStored,
    /// Floats rounded to 8 bits in groups of 32 while they are read, as GGML's `Q8_0`: a quarter of the memory, and quicker.
    Q8,
}

/// A Secret of this namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
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
