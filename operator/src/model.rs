//! `AdModel` → `Model`: where a model lies and what its worker needs, read once. What comes out is never checked again.

use std::collections::BTreeMap;

use api::model_files::is_plain;
use api::{
    AdModel, AdModelSpec, EndpointSource, HuggingFaceSource, ImageSource, ModelAdapter, ModelResources,
    ModelSource, ModelWeights, PvcSource,
};
use k8s_openapi::api::core::v1::Toleration;
use kube::ResourceExt;

use crate::campaign::Fault;

/// A model that a worker can be given.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Where it lies.
    pub source: Source,
    /// The folder of its adapter below its own.
    pub adapter: Option<String>,
    /// In which form its weights are kept.
    pub weights: ModelWeights,
    /// What the worker's container asks for and may use.
    pub resources: Option<ModelResources>,
    /// Labels that a node must have.
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints that the worker's pod tolerates.
    pub tolerations: Option<Vec<Toleration>>,
    /// The queue in which its Jobs wait for their turn.
    pub queue: Option<String>,
}

/// On an `AdModel` and on its Jobs: the queue of [Kueue](https://kueue.sigs.k8s.io) in which these wait.
pub const QUEUE_LABEL: &str = "kueue.x-k8s.io/queue-name";

/// Where a model lies: one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// In a container image.
    Image(ImageSource),
    /// On a volume.
    Pvc(PvcSource),
    /// In a repository of Hugging Face.
    HuggingFace(HuggingFaceSource),
    /// Behind OpenAI's API.
    Endpoint(EndpointSource),
}

impl TryFrom<&AdModel> for Model {
    type Error = Fault;

    fn try_from(object: &AdModel) -> Result<Self, Fault> {
        let AdModelSpec { source, adapter, weights, resources, node_selector, tolerations, price: _ } =
            object.spec.clone();
        let source = Source::try_from(source)?;
        let device = resources.as_ref().and_then(device);
        match (&source, &device) {
            (Source::Endpoint(_), _) => check_endpoint(adapter.as_ref(), weights, device.as_deref())?,
            (_, Some(device)) if weights == Some(ModelWeights::Q8) => Err(fault(
                "spec.weights",
                format!(
                    "is for CPUs, and spec.resources asks for {device}, which keeps 16-bit floats: remove one"
                ),
            ))?,
            _ => {}
        }
        let adapter = adapter.map(|adapter| adapter_folder(adapter, &source)).transpose()?;
        let weights = weights.unwrap_or(ModelWeights::AsStored);
        let queue = object.labels().get(QUEUE_LABEL).cloned();
        Ok(Self { source, adapter, weights, resources, node_selector, tolerations, queue })
    }
}

/// What is for a model in the pod says nothing to an engine elsewhere.
fn check_endpoint(
    adapter: Option<&ModelAdapter>,
    weights: Option<ModelWeights>,
    device: Option<&str>,
) -> Result<(), Fault> {
    if let Some(device) = device {
        let problem = format!("asks for {device}, which would stand idle beside an endpoint: remove it");
        return Err(fault("spec.resources", problem));
    }
    if adapter.is_some() {
        let problem = "is merged by the worker, and an endpoint has its own name for a model with one: remove it, and name that in spec.source.endpoint.model";
        return Err(fault("spec.adapter", problem));
    }
    match weights {
        Some(_) => Err(fault("spec.weights", "says nothing to an endpoint, which keeps its own: remove it")),
        None => Ok(()),
    }
}

/// The definition refuses these too; an object on a server that was made before it is told the same.
fn adapter_folder(adapter: ModelAdapter, source: &Source) -> Result<String, Fault> {
    let ModelAdapter { path } = adapter;
    if !path.split('/').all(is_plain) {
        return Err(fault(
            "spec.adapter.path",
            "leads out of the model's folder: write a folder below it, such as brands/acme",
        ));
    }
    match source {
        Source::HuggingFace(HuggingFaceSource { file: Some(_), .. }) => Err(fault(
            "spec.adapter",
            "is merged into safetensors and not into a GGUF file: remove it, or spec.source.huggingFace.file",
        )),
        _ => Ok(path),
    }
}

/// A model that embeds sentences. Where its files lie is all that counts: it runs in the container of the model that
/// writes, with what that has.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedder {
    /// Where it lies; never an endpoint.
    pub source: Source,
}

impl TryFrom<&AdModel> for Embedder {
    type Error = Fault;

    fn try_from(object: &AdModel) -> Result<Self, Fault> {
        let source = Source::try_from(object.spec.source.clone())?;
        match &source {
            Source::Endpoint(_) => Err(fault(
                "spec.source.endpoint",
                "is no source of an embedder, which the worker reads itself: give it image, pvc or huggingFace, or name another model in spec.generation.embedder.model",
            )),
            Source::HuggingFace(HuggingFaceSource { file: Some(_), .. }) => Err(fault(
                "spec.source.huggingFace.file",
                "names a GGUF file, and embedders are read from safetensors: leave it out",
            )),
            _ => Ok(Self { source }),
        }
    }
}

impl TryFrom<ModelSource> for Source {
    type Error = Fault;

    /// The definition refuses none and several too; an object on a server that was made before it is told the same.
    fn try_from(source: ModelSource) -> Result<Self, Fault> {
        let ModelSource { image, pvc, hugging_face, endpoint } = source;
        let named = [
            image.map(Self::Image),
            pvc.map(Self::Pvc),
            hugging_face.map(Self::HuggingFace),
            endpoint.map(Self::Endpoint),
        ];
        let mut named = named.into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(source), None) => source.checked(),
            (None, _) => {
                Err(fault("spec.source", "is empty: name one of image, pvc, huggingFace and endpoint"))
            }
            (Some(_), Some(_)) => Err(fault(
                "spec.source",
                "names several places: keep one of image, pvc, huggingFace and endpoint",
            )),
        }
    }
}

impl Source {
    fn checked(self) -> Result<Self, Fault> {
        match &self {
            Self::HuggingFace(HuggingFaceSource { mirror: Some(_), secret_ref: Some(_), .. }) => Err(fault(
                "spec.source.huggingFace",
                "names a mirror and a Secret: a mirror that wants a token stands in the Secret, under broadside-hub-url",
            )),
            _ => Ok(self),
        }
    }
}

/// A device that is asked for. Kubernetes' own resources have no vendor before a slash.
fn device(resources: &ModelResources) -> Option<String> {
    let ModelResources { requests, limits } = resources;
    requests.iter().chain(limits).flat_map(BTreeMap::keys).find(|name| name.contains('/')).cloned()
}

fn fault(field: &str, problem: impl Into<String>) -> Fault {
    Fault { field: field.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &str) -> Result<Model, String> {
        let text = format!(
            "{{apiVersion: broadside.dev/v1alpha1, kind: AdModel, metadata: {{name: m}}, spec: {{{spec}}}}}"
        );
        let object: AdModel = serde_saphyr::from_str(&text).expect("an AdModel");
        Model::try_from(&object).map_err(|fault| fault.to_string())
    }

    #[test]
    fn a_model_lies_in_exactly_one_place() {
        for source in [
            "image: {reference: 'a:1'}",
            "pvc: {claimName: models}",
            "huggingFace: {repo: Qwen/Qwen3-8B, revision: main}",
            "endpoint: {model: qwen, secretRef: {name: vllm}}",
        ] {
            read(&format!("source: {{{source}}}")).expect(source);
        }
        let check = |source: &str, says: &str| {
            let said = read(source).expect_err(source);
            assert!(said.contains(says), "{source}: {said}");
        };
        check("source: {}", "spec.source: is empty: name one of");
        check("source: {image: {reference: 'a:1'}, pvc: {claimName: m}}", "keep one of");
        check(
            "source: {huggingFace: {repo: a/b, revision: main, mirror: 'https://m', secretRef: {name: hub}}}",
            "broadside-hub-url",
        );
    }

    #[test]
    fn an_embedder_lies_in_files_that_can_be_read() {
        let read = |source: &str| {
            let text = format!(
                "{{apiVersion: broadside.dev/v1alpha1, kind: AdModel, metadata: {{name: m}}, spec: {{source: {{{source}}}}}}}"
            );
            Embedder::try_from(&serde_saphyr::from_str::<AdModel>(&text).expect("an AdModel"))
        };
        for source in [
            "image: {reference: 'a:1'}",
            "pvc: {claimName: models}",
            "huggingFace: {repo: intfloat/multilingual-e5-small, revision: main}",
        ] {
            read(source).expect(source);
        }
        let check = |source: &str, says: &str| {
            let said = read(source).expect_err(source).to_string();
            assert!(said.contains(says), "{source}: {said}");
        };
        check("endpoint: {model: e5, secretRef: {name: vllm}}", "spec.source.endpoint: is no source of an");
        check(
            "huggingFace: {repo: a/b, revision: main, file: e5.gguf}",
            "huggingFace.file: names a GGUF file",
        );
        check("", "spec.source: is empty");
    }

    #[test]
    fn an_adapter_lies_in_a_folder_of_the_models_own_files() {
        let image = "source: {image: {reference: 'a:1'}}";
        let model = read(&format!("{image}, adapter: {{path: brands/acme}}, weights: Q8")).expect("a model");
        assert_eq!((model.adapter.as_deref(), model.weights), (Some("brands/acme"), ModelWeights::Q8));
        let check = |spec: &str, says: &str| {
            let said = read(spec).expect_err(spec);
            assert!(said.contains(says), "{spec}: {said}");
        };
        for path in ["../acme", "/acme", "brands/../../acme", "''", "brands/"] {
            check(&format!("{image}, adapter: {{path: {path}}}"), "spec.adapter.path: leads out of");
        }
        let repository = "huggingFace: {repo: a/b, revision: main, file: a.gguf}";
        check(
            &format!("source: {{{repository}}}, adapter: {{path: acme}}"),
            "spec.adapter: is merged into safetensors",
        );
        let endpoint = "source: {endpoint: {model: qwen, secretRef: {name: vllm}}}";
        check(&format!("{endpoint}, adapter: {{path: acme}}"), "spec.adapter: is merged by the worker");
    }

    #[test]
    fn weights_are_rounded_where_it_says_something() {
        let check = |spec: &str| read(spec).expect_err(spec);
        let endpoint = "source: {endpoint: {model: qwen, secretRef: {name: vllm}}}";
        assert!(check(&format!("{endpoint}, weights: AsStored")).contains("spec.weights: says nothing"));
        let gpu = "source: {pvc: {claimName: m}}, resources: {limits: {nvidia.com/gpu: 1}}";
        read(&format!("{gpu}, weights: AsStored")).expect("it is so anyway");
        assert!(check(&format!("{gpu}, weights: Q8")).contains("spec.weights: is for CPUs"));
    }

    #[test]
    fn an_endpoint_asks_for_no_device() {
        let endpoint = "source: {endpoint: {model: qwen, secretRef: {name: vllm}}}";
        read(&format!("{endpoint}, resources: {{limits: {{memory: 1Gi}}}}")).expect("memory is no device");
        let said = read(&format!("{endpoint}, resources: {{limits: {{nvidia.com/gpu: 1}}}}"));
        assert!(said.expect_err("a GPU").contains("spec.resources: asks for nvidia.com/gpu"));
    }
}
