//! What brings a worker its models, for each place where one may lie.
//!
//! | Source | How | What the worker is told |
//! | --- | --- | --- |
//! | `image` | an init container copies it out of the image, or the image is a volume | a folder |
//! | `pvc` | the claim is mounted, for reading alone | a folder |
//! | `huggingFace` | an init container fetches it onto a volume | a link to the folder |
//! | `endpoint` | nothing: the model is elsewhere; address and key are mounted | the folder of both |
//!
//! What is made for a model has the name of its role before it, so that two models stand in one pod.

use api::model_secret::{SecretEntry, endpoint, hub};
use api::{EndpointSource, HuggingFaceSource, ImageSource, PullPolicy, PvcSource, SecretReference};
use k8s_openapi::api::core::v1::{
    Container, EmptyDirVolumeSource, ImageVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource, SecretProjection, Volume, VolumeMount, VolumeProjection,
};

use super::{EMBEDDER, MODEL, ModelImages, REPORT, WorkerImage, container_security, mount};
use crate::model::Source;

/// What a pod has besides its worker, and what the worker is given.
#[derive(Default)]
pub(super) struct Supply {
    /// Bring the models before the worker begins, one after the other.
    pub(super) init: Vec<Container>,
    /// Where they lie.
    pub(super) volumes: Vec<Volume>,
    /// The same in the worker's container.
    pub(super) mounts: Vec<VolumeMount>,
    /// What the worker is told.
    pub(super) arguments: Vec<String>,
}

/// What a worker has a model for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It writes.
    Writer,
    /// It tells what copy means.
    Embedder,
}

/// Below it lie all volumes of models, each under its name.
const FOLDER: &str = "/var/lib/broadside";

impl Role {
    /// The name of the model's volume, of the container that brings it, and of the worker's flag for it.
    fn name(self) -> &'static str {
        match self {
            Self::Writer => MODEL,
            Self::Embedder => EMBEDDER,
        }
    }

    /// The name of a volume that stands beside the model's.
    fn beside(self, what: &str) -> String {
        match self {
            Self::Writer => what.to_owned(),
            Self::Embedder => format!("{EMBEDDER}-{what}"),
        }
    }

    /// Where the model's volume is mounted.
    fn folder(self) -> String {
        folder(self.name())
    }

    fn argument(self, path: &str) -> String {
        format!("--{}={path}", self.name())
    }
}

fn folder(volume: &str) -> String {
    format!("{FOLDER}/{volume}")
}

/// Where a model's image has its files; `broadside model pack` puts them there.
const INSIDE_IMAGE: &str = "/model";

/// The files of a model: what it is for, where it lies, and the adapter in a folder of it.
pub(super) struct Files<'a> {
    pub(super) role: Role,
    pub(super) source: &'a Source,
    pub(super) adapter: Option<&'a str>,
}

/// What brings the worker all its models.
pub(super) fn supplies(models: &[Files<'_>], worker: &WorkerImage) -> Supply {
    let supplies = models.iter().map(|files| supply(files, worker));
    supplies.fold(Supply::default(), Supply::and)
}

impl Supply {
    /// Both. A claim that both have is one volume: a pod that has a claim twice never starts (kubernetes/kubernetes#82526,
    /// #132921).
    fn and(mut self, mut other: Self) -> Self {
        for volume in std::mem::take(&mut other.volumes) {
            match self.volumes.iter_mut().find(|known| is_same_claim(known, &volume)) {
                Some(known) => {
                    open_for_writing(known, &volume);
                    other.rename(&volume.name, &known.name);
                }
                None => self.volumes.push(volume),
            }
        }
        self.init.extend(other.init);
        self.mounts.extend(other.mounts);
        self.arguments.extend(other.arguments);
        self
    }

    /// Has mounts of one volume lead to another.
    fn rename(&mut self, from: &str, to: &str) {
        let of_init = self.init.iter_mut().flat_map(|container| container.volume_mounts.iter_mut().flatten());
        for mount in of_init.chain(&mut self.mounts).filter(|mount| mount.name == from) {
            to.clone_into(&mut mount.name);
        }
    }
}

fn is_same_claim(one: &Volume, other: &Volume) -> bool {
    let claim = |volume: &Volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.clone());
    claim(one).is_some() && claim(one) == claim(other)
}

/// A volume is read-only if all that it stands for are; each mount says for itself whether it is.
fn open_for_writing(volume: &mut Volume, other: &Volume) {
    let read_only = other.persistent_volume_claim.as_ref().and_then(|claim| claim.read_only);
    if let Some(claim) = &mut volume.persistent_volume_claim {
        claim.read_only = claim.read_only.and(read_only);
    }
}

/// What brings the worker a model, and its adapter with it.
fn supply(files: &Files<'_>, worker: &WorkerImage) -> Supply {
    let Files { role, source, adapter } = *files;
    match (source, worker.model_images) {
        (Source::Image(image), ModelImages::Copied) => copied(role, image),
        (Source::Image(image), ModelImages::Mounted) => mounted(role, image),
        (Source::Pvc(pvc), _) => claimed(role, pvc),
        (Source::HuggingFace(repository), _) => fetched(role, repository, adapter, worker),
        (Source::Endpoint(endpoint), _) => elsewhere(endpoint),
    }
}

fn copied(role: Role, image: &ImageSource) -> Supply {
    let ImageSource { reference, pull_policy } = image;
    let (name, folder) = (role.name(), role.folder());
    let init = Container {
        name: name.to_owned(),
        image: Some(reference.clone()),
        image_pull_policy: pull_policy.map(word),
        command: Some(["/copy", INSIDE_IMAGE, &folder].map(str::to_owned).to_vec()),
        volume_mounts: Some(vec![mount(name, &folder)]),
        security_context: Some(container_security()),
        ..Container::default()
    };
    Supply {
        init: vec![init],
        volumes: vec![empty(name)],
        mounts: vec![reading(name, &folder)],
        arguments: vec![role.argument(&folder)],
    }
}

fn mounted(role: Role, image: &ImageSource) -> Supply {
    let ImageSource { reference, pull_policy } = image;
    let (name, folder) = (role.name(), role.folder());
    let source = ImageVolumeSource { reference: Some(reference.clone()), pull_policy: pull_policy.map(word) };
    Supply {
        init: Vec::new(),
        volumes: vec![Volume { name: name.to_owned(), image: Some(source), ..Volume::default() }],
        mounts: vec![reading(name, &folder)],
        // The volume is the whole image. A sub-path would want a newer containerd than the volume does.
        arguments: vec![role.argument(&format!("{folder}{INSIDE_IMAGE}"))],
    }
}

fn claimed(role: Role, pvc: &PvcSource) -> Supply {
    let PvcSource { claim_name, path } = pvc;
    let (name, folder) = (role.name(), role.folder());
    let claim = PersistentVolumeClaimVolumeSource { claim_name: claim_name.clone(), read_only: Some(true) };
    Supply {
        init: Vec::new(),
        volumes: vec![Volume {
            name: name.to_owned(),
            persistent_volume_claim: Some(claim),
            ..Volume::default()
        }],
        mounts: vec![VolumeMount { sub_path: path.clone(), ..reading(name, &folder) }],
        arguments: vec![role.argument(&folder)],
    }
}

/// The fetched model lies in a folder named by its commit, which only the fetcher knows; so it leaves a link on a second
/// volume. Both are mounted in both containers at the same places.
fn fetched(
    role: Role,
    repository: &HuggingFaceSource,
    adapter: Option<&str>,
    worker: &WorkerImage,
) -> Supply {
    let (name, place, cache_name, hub_name) =
        (role.name(), role.folder(), role.beside("cache"), role.beside("hub"));
    let (link, cache_place, hub_place) = (format!("{place}/current"), folder(&cache_name), folder(&hub_name));
    let hub = repository.secret_ref.as_ref().map(|secret| hub_volume(&hub_name, secret));
    let secrets = hub.as_ref().map(|_| reading(&hub_name, &hub_place));
    let places = [mount(&cache_name, &cache_place), mount(name, &place)];
    let init = Container {
        name: name.to_owned(),
        image: Some(worker.reference.clone()),
        image_pull_policy: worker.pull_policy.clone(),
        args: Some(fetch_arguments(repository, adapter, [&cache_place, &link, &hub_place])),
        volume_mounts: Some(places.into_iter().chain(secrets).collect()),
        security_context: Some(container_security()),
        ..Container::default()
    };
    Supply {
        init: vec![init],
        volumes: [cache(&cache_name, repository), empty(name)].into_iter().chain(hub).collect(),
        mounts: vec![reading(&cache_name, &cache_place), reading(name, &place)],
        arguments: vec![role.argument(&link)],
    }
}

fn fetch_arguments(
    repository: &HuggingFaceSource,
    adapter: Option<&str>,
    [into, link, hub]: [&str; 3],
) -> Vec<String> {
    let HuggingFaceSource { repo, revision, file, mirror, secret_ref, cache: _ } = repository;
    let optional = [
        file.as_ref().map(|file| format!("--file={file}")),
        adapter.map(|adapter| format!("--adapter={adapter}")),
        mirror.as_ref().map(|mirror| format!("--mirror={mirror}")),
        secret_ref.as_ref().map(|_| format!("--secret={hub}")),
    ];
    let mut arguments = vec![
        "fetch".to_owned(),
        format!("--repo={repo}"),
        format!("--revision={revision}"),
        format!("--into={into}"),
        format!("--link={link}"),
    ];
    arguments.extend(optional.into_iter().flatten());
    arguments.push(format!("--report={REPORT}"));
    arguments
}

fn cache(name: &str, repository: &HuggingFaceSource) -> Volume {
    let claim = repository.cache.as_ref().map(|cache| PersistentVolumeClaimVolumeSource {
        claim_name: cache.claim_name.clone(),
        read_only: None,
    });
    match claim {
        Some(claim) => {
            Volume { name: name.to_owned(), persistent_volume_claim: Some(claim), ..Volume::default() }
        }
        None => empty(name),
    }
}

/// Only a model that writes is asked elsewhere.
fn elsewhere(endpoint: &EndpointSource) -> Supply {
    const ENDPOINT: &str = "endpoint";
    let EndpointSource { secret_ref, model, concurrency } = endpoint;
    let place = folder(ENDPOINT);
    let mut arguments = vec![format!("--endpoint={place}"), format!("--endpoint-model={model}")];
    arguments.extend(concurrency.map(|concurrency| format!("--endpoint-concurrency={concurrency}")));
    Supply {
        init: Vec::new(),
        volumes: vec![endpoint_volume(ENDPOINT, secret_ref)],
        mounts: vec![reading(ENDPOINT, &place)],
        arguments,
    }
}

/// The kubelet mounts any Secret of a name, whatever its type, and we read none. So these keys are the type that counts:
/// no Secret that was made for something else has them, and a pod whose Secret lacks one does not start.
fn endpoint_volume(name: &str, secret: &SecretReference) -> Volume {
    let needed = [endpoint::URL, endpoint::KEY];
    projected(name, secret, &[(&needed, Presence::Needed), (&[endpoint::CA], Presence::Optional)])
}

fn hub_volume(name: &str, secret: &SecretReference) -> Volume {
    projected(
        name,
        secret,
        &[
            (&[hub::TOKEN], Presence::Needed),
            (&[hub::URL], Presence::Optional),
            (&[hub::CA], Presence::Optional),
        ],
    )
}

/// Whether a pod waits for a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Needed,
    Optional,
}

/// `optional` holds for all entries of a source, so each kind has its own.
fn projected(name: &str, secret: &SecretReference, parts: &[(&[SecretEntry], Presence)]) -> Volume {
    let projection = |(entries, presence): &(&[SecretEntry], Presence)| VolumeProjection {
        secret: Some(SecretProjection {
            name: secret.name.clone(),
            items: Some(entries.iter().map(item).collect()),
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

fn item(SecretEntry { key, file }: &SecretEntry) -> KeyToPath {
    KeyToPath { key: (*key).to_owned(), path: (*file).to_owned(), mode: None }
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
