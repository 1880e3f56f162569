//! What brings a worker its model, for each place where one may lie.
//!
//! | Source | How | What the worker is told |
//! | --- | --- | --- |
//! | `image` | an init container copies it out of the image, or the image is a volume | a folder |
//! | `pvc` | the claim is mounted, for reading alone | a folder |
//! | `huggingFace` | an init container fetches it onto a volume | a link to the folder |
//! | `endpoint` | nothing: the model is elsewhere; address and key are mounted | the folder of both |

use api::{EndpointSource, HuggingFaceSource, ImageSource, PullPolicy, PvcSource, SecretReference};
use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, ImageVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource, SecretProjection, Volume, VolumeMount, VolumeProjection,
};

use super::{MODEL, ModelImages, REPORT, WorkerImage, container_security, mount};
use crate::model::Source;

/// What a pod has besides its worker, and what the worker is given.
pub(super) struct Supply {
    /// Brings the model before the worker begins.
    pub(super) init: Option<Container>,
    /// Where it lies.
    pub(super) volumes: Vec<Volume>,
    /// The same in the worker's container.
    pub(super) mounts: Vec<VolumeMount>,
    /// What the worker is told.
    pub(super) arguments: Vec<String>,
}

const MODEL_FOLDER: &str = "/var/lib/broadside/model";
const CACHE_FOLDER: &str = "/var/lib/broadside/cache";
const ENDPOINT_FOLDER: &str = "/var/lib/broadside/endpoint";
const HUB_FOLDER: &str = "/var/lib/broadside/hub";
/// Where a model's image has its files; `broadside model pack` puts them there.
const INSIDE_IMAGE: &str = "/model";

/// What brings the worker a model that lies at `source`, and with it the adapter in a folder of its files.
pub(super) fn supply(source: &Source, adapter: Option<&str>, worker: &WorkerImage) -> Supply {
    match (source, worker.model_images) {
        (Source::Image(image), ModelImages::Copied) => copied(image),
        (Source::Image(image), ModelImages::Mounted) => mounted(image),
        (Source::Pvc(pvc), _) => claimed(pvc),
        (Source::HuggingFace(repository), _) => fetched(repository, adapter, worker),
        (Source::Endpoint(endpoint), _) => elsewhere(endpoint),
    }
}

fn copied(image: &ImageSource) -> Supply {
    let ImageSource { reference, pull_policy } = image;
    let init = Container {
        name: MODEL.to_owned(),
        image: Some(reference.clone()),
        image_pull_policy: pull_policy.map(word),
        command: Some(["/copy", INSIDE_IMAGE, MODEL_FOLDER].map(str::to_owned).to_vec()),
        volume_mounts: Some(vec![mount(MODEL, MODEL_FOLDER)]),
        security_context: Some(container_security()),
        ..Container::default()
    };
    Supply {
        init: Some(init),
        volumes: vec![empty(MODEL)],
        mounts: vec![reading(MODEL, MODEL_FOLDER)],
        arguments: vec![format!("--model={MODEL_FOLDER}")],
    }
}

fn mounted(image: &ImageSource) -> Supply {
    let ImageSource { reference, pull_policy } = image;
    let source = ImageVolumeSource { reference: Some(reference.clone()), pull_policy: pull_policy.map(word) };
    Supply {
        init: None,
        volumes: vec![Volume { name: MODEL.to_owned(), image: Some(source), ..Volume::default() }],
        mounts: vec![reading(MODEL, MODEL_FOLDER)],
        // The volume is the whole image. A sub-path would want a newer containerd than the volume does.
        arguments: vec![format!("--model={MODEL_FOLDER}{INSIDE_IMAGE}")],
    }
}

fn claimed(pvc: &PvcSource) -> Supply {
    let PvcSource { claim_name, path } = pvc;
    let claim = PersistentVolumeClaimVolumeSource { claim_name: claim_name.clone(), read_only: Some(true) };
    Supply {
        init: None,
        volumes: vec![Volume {
            name: MODEL.to_owned(),
            persistent_volume_claim: Some(claim),
            ..Volume::default()
        }],
        mounts: vec![VolumeMount { sub_path: path.clone(), ..reading(MODEL, MODEL_FOLDER) }],
        arguments: vec![format!("--model={MODEL_FOLDER}")],
    }
}

/// The fetched model lies in a folder named by its commit, which only the fetcher knows; so it leaves a link on a second
/// volume. Both are mounted in both containers at the same places.
fn fetched(repository: &HuggingFaceSource, adapter: Option<&str>, worker: &WorkerImage) -> Supply {
    let link = format!("{MODEL_FOLDER}/current");
    let hub = repository.secret_ref.as_ref().map(hub_volume);
    let secrets = hub.as_ref().map(|_| reading("hub", HUB_FOLDER));
    let places = [mount("cache", CACHE_FOLDER), mount(MODEL, MODEL_FOLDER)];
    let init = Container {
        name: MODEL.to_owned(),
        image: Some(worker.reference.clone()),
        image_pull_policy: worker.pull_policy.clone(),
        args: Some(fetch_arguments(repository, adapter, &link)),
        volume_mounts: Some(places.into_iter().chain(secrets).collect()),
        security_context: Some(container_security()),
        ..Container::default()
    };
    Supply {
        init: Some(init),
        volumes: [cache(repository), empty(MODEL)].into_iter().chain(hub).collect(),
        mounts: vec![reading("cache", CACHE_FOLDER), reading(MODEL, MODEL_FOLDER)],
        arguments: vec![format!("--model={link}")],
    }
}

fn fetch_arguments(repository: &HuggingFaceSource, adapter: Option<&str>, link: &str) -> Vec<String> {
    let HuggingFaceSource { repo, revision, file, mirror, secret_ref, cache: _ } = repository;
    let optional = [
        file.as_ref().map(|file| format!("--file={file}")),
        adapter.map(|adapter| format!("--adapter={adapter}")),
        mirror.as_ref().map(|mirror| format!("--mirror={mirror}")),
        secret_ref.as_ref().map(|_| format!("--secret={HUB_FOLDER}")),
    ];
    let mut arguments = vec![
        "fetch".to_owned(),
        format!("--repo={repo}"),
        format!("--revision={revision}"),
        format!("--into={CACHE_FOLDER}"),
        format!("--link={link}"),
    ];
    arguments.extend(optional.into_iter().flatten());
    arguments.push(format!("--report={REPORT}"));
    arguments
}

fn cache(repository: &HuggingFaceSource) -> Volume {
    let claim = repository.cache.as_ref().map(|cache| PersistentVolumeClaimVolumeSource {
        claim_name: cache.claim_name.clone(),
        read_only: None,
    });
    match claim {
        Some(claim) => {
            Volume { name: "cache".to_owned(), persistent_volume_claim: Some(claim), ..Volume::default() }
        }
        None => empty("cache"),
    }
}

fn elsewhere(endpoint: &EndpointSource) -> Supply {
    let EndpointSource { secret_ref, model, concurrency } = endpoint;
    let mut arguments = vec![format!("--endpoint={ENDPOINT_FOLDER}"), format!("--endpoint-model={model}")];
    arguments.extend(concurrency.map(|concurrency| format!("--endpoint-concurrency={concurrency}")));
    Supply {
        init: None,
        volumes: vec![endpoint_volume(secret_ref)],
        mounts: vec![reading("endpoint", ENDPOINT_FOLDER)],
        arguments,
    }
}

/// The kubelet mounts any Secret of a name, whatever its type, and we read none. So these keys are the type that counts:
/// no Secret that was made for something else has them, and a pod whose Secret lacks one does not start.
fn endpoint_volume(secret: &SecretReference) -> Volume {
    let needed = [("broadside-endpoint-url", "url"), ("broadside-endpoint-key", "key")];
    projected(
        "endpoint",
        secret,
        &[(&needed, Presence::Needed), (&[("broadside-endpoint-ca.crt", "ca.crt")], Presence::Optional)],
    )
}

fn hub_volume(secret: &SecretReference) -> Volume {
    let token = [("broadside-hub-token", "token")];
    let url = [("broadside-hub-url", "url")];
    let ca = [("broadside-hub-ca.crt", "ca.crt")];
    projected(
        "hub",
        secret,
        &[(&token, Presence::Needed), (&url, Presence::Optional), (&ca, Presence::Optional)],
    )
}

/// Whether a pod waits for a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Needed,
    Optional,
}

/// Keys of a Secret, and the files that they become.
type Keys<'a> = &'a [(&'a str, &'a str)];

/// `optional` holds for all keys of a source, so each kind of key has its own.
fn projected(name: &str, secret: &SecretReference, parts: &[(Keys<'_>, Presence)]) -> Volume {
    let projection = |(keys, presence): &(Keys<'_>, Presence)| VolumeProjection {
        secret: Some(SecretProjection {
            name: secret.name.clone(),
            items: Some(keys.iter().map(|(key, path)| item(key, path)).collect()),
            optional: (*presence == Presence::Optional).then_some(true),
        }),
        ..VolumeProjection::default()
    };
    let source = ProjectedVolumeSource {
        default_mode: Some(READABLE_BY_THE_GROUP),
        sources: Some(parts.iter().map(projection).collect()),
    };
    Volume { name: name.to_owned(), projected: Some(source), ..Volume::default() }
}

/// The files are root's; the pod's group may read them.
const READABLE_BY_THE_GROUP: i32 = 0o440;

fn item(key: &str, path: &str) -> KeyToPath {
    KeyToPath { key: key.to_owned(), path: path.to_owned(), mode: None }
}

fn empty(name: &str) -> Volume {
    Volume { name: name.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

fn reading(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { read_only: Some(true), ..mount(volume, path) }
}

fn word(policy: PullPolicy) -> String {
    format!("{policy:?}")
}
