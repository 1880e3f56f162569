//! `AdModel` → `Model`: where a model lies and what its worker needs, read once. What comes out is never checked again.

use std::collections::BTreeMap;

use api::{
    AdModel, AdModelSpec, EndpointSource, HuggingFaceSource, ImageSource, ModelResources, ModelSource,
    PvcSource,
};
use k8s_openapi::api::core::v1::Toleration;

use crate::campaign::Fault;

/// A model that a worker can be given.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Where it lies.
    pub source: Source,
    /// What the worker's container asks for and may use.
    pub resources: Option<ModelResources>,
    /// Labels that a node must have.
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints that the worker's pod tolerates.
    pub tolerations: Option<Vec<Toleration>>,
}

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
        let AdModelSpec { source, resources, node_selector, tolerations, price: _ } = object.spec.clone();
        let source = Source::try_from(source)?;
        if let (Source::Endpoint(_), Some(device)) = (&source, resources.as_ref().and_then(device)) {
            return Err(fault(
                "spec.resources",
                format!("asks for {device}, which would stand idle beside an endpoint: remove it"),
            ));
        }
        Ok(Self { source, resources, node_selector, tolerations })
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
    fn an_endpoint_asks_for_no_device() {
        let endpoint = "source: {endpoint: {model: qwen, secretRef: {name: vllm}}}";
        read(&format!("{endpoint}, resources: {{limits: {{memory: 1Gi}}}}")).expect("memory is no device");
        let said = read(&format!("{endpoint}, resources: {{limits: {{nvidia.com/gpu: 1}}}}"));
        assert!(said.expect_err("a GPU").contains("spec.resources: asks for nvidia.com/gpu"));
    }
}
