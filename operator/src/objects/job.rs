//! The Job that writes variants: the worker, and what brings it its models.

mod supply;

use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EnvVar, EnvVarSource, PodSecurityContext, PodSpec,
    PodTemplateSpec, ResourceFieldSelector, ResourceRequirements, SeccompProfile, SecurityContext, Volume,
    VolumeMount,
};
use kube::api::ObjectMeta;

use api::ModelWeights;

use super::spread::spread;
use super::{brief, labels, metadata};
use crate::campaign::{Campaign, Generation};
use crate::model::{Embedder, Model, QUEUE_LABEL};
use supply::{Files, Role, Supply};

/// The worker's image, as the chart gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerImage {
    /// The image, with a tag or digest.
    pub reference: String,
    /// When it is pulled; Kubernetes' own rule where it is empty.
    pub pull_policy: Option<String>,
    /// How a model comes out of its image.
    pub model_images: ModelImages,
}

/// How a model comes out of its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelImages {
    /// An init container copies it; every cluster can.
    Copied,
    /// The image is mounted as a volume, which nodes have to support.
    Mounted,
}

/// The worker's name in its pod; the pod's termination message is read from here.
pub const WORKER: &str = "worker";

/// The name of the init container that brings the model, where there is one; it may leave a termination message too.
pub const MODEL: &str = "model";

/// The same of the model that tells what copy means.
pub const EMBEDDER: &str = "embedder";

/// What a worker is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Models {
    /// The one that writes. The pod is where it has to be, with what it needs.
    pub writer: Model,
    /// The one that tells what copy means.
    pub embedder: Option<Embedder>,
}

/// Exit statuses that a second try would not change; the worker's documentation names them. That of a container that was
/// killed is none of them: it may have used too much memory, and somebody may have deleted its pod.
const FINAL_EXIT_STATUSES: [i32; 2] = [2, 3];

/// The same of what brings the model. It writes nothing, so nothing can fall short.
const FINAL_EXIT_STATUSES_OF_MODEL: [i32; 1] = [2];

/// A pod that is lost is replaced this often.
const PODS_LOST_AT_MOST: i32 = 6;

/// A finished Job stays for people to look at. Its outcome is in the campaign's status by then.
const FINISHED_JOB_SECONDS: i32 = 24 * 3600;

/// The Job that generates the campaign's variants with `models`.
pub fn job(campaign: &Campaign, generation: &Generation, models: &Models, image: &WorkerImage) -> Job {
    let Models { writer, embedder } = models;
    let adapter = writer.adapter.as_deref();
    let writer_files = Files { role: Role::Writer, source: &writer.source, adapter };
    let embedder_files =
        embedder.iter().map(|it| Files { role: Role::Embedder, source: &it.source, adapter: None });
    let files: Vec<Files<'_>> = std::iter::once(writer_files).chain(embedder_files).collect();
    let supply = supply::supplies(&files, image);
    let spec = JobSpec {
        backoff_limit: Some(PODS_LOST_AT_MOST),
        pod_failure_policy: Some(failure_policy(&supply)),
        pod_replacement_policy: Some("Failed".to_owned()),
        ttl_seconds_after_finished: Some(FINISHED_JOB_SECONDS),
        template: PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: Some(labels(campaign)), ..ObjectMeta::default() }),
            spec: Some(pod(campaign, writer, image, supply)),
        },
        ..JobSpec::default()
    };
    let spec = spread(spec, generation.pods);
    let mut metadata = metadata(campaign, generation.job.clone());
    let queue = writer.queue.iter().map(|queue| (QUEUE_LABEL.to_owned(), queue.clone()));
    metadata.labels.get_or_insert_default().extend(queue);
    Job { metadata, spec: Some(spec), status: None }
}

/// On a Job while we have it suspended: one that is suspended without it waits for somebody else, such as a queue.
pub(crate) const SUSPENDED_BY_US: &str = "broadside.dev/suspended";

/// What stands there while we have it suspended.
pub(crate) const SUSPENDED: &str = "true";

/// What stands there once another has resumed it against that, so that it is not suspended against them again.
pub(crate) const RESUMED: &str = "resumed";

/// A Job that may run for no longer ends as soon as it is looked at, or resumed where it is suspended, and a queue takes it for
/// ended too.
pub(crate) const NO_MORE_SECONDS: i64 = 1;

fn failure_policy(supply: &Supply) -> PodFailurePolicy {
    let disruption = PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
        }]),
        ..PodFailurePolicyRule::default()
    };
    let worker = final_exit(WORKER, &FINAL_EXIT_STATUSES);
    // A rule that names a container which the pod lacks is refused with the whole Job.
    let models = supply.init.iter().map(|init| final_exit(&init.name, &FINAL_EXIT_STATUSES_OF_MODEL));
    PodFailurePolicy { rules: [disruption, worker].into_iter().chain(models).collect() }
}

fn final_exit(container: &str, statuses: &[i32]) -> PodFailurePolicyRule {
    PodFailurePolicyRule {
        action: "FailJob".to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(container.to_owned()),
            operator: "In".to_owned(),
            values: statuses.to_vec(),
        }),
        ..PodFailurePolicyRule::default()
    }
}

fn pod(campaign: &Campaign, writer: &Model, image: &WorkerImage, supply: Supply) -> PodSpec {
    let Model { source: _, adapter, weights, resources, node_selector, tolerations, queue: _ } = writer;
    let Supply { init, volumes, mounts, mut arguments } = supply;
    arguments.extend(adapter.as_ref().map(|path| format!("--adapter={path}")));
    arguments.extend((*weights == ModelWeights::Q8).then(|| "--weights=q8".to_owned()));
    PodSpec {
        service_account_name: Some(api::name::worker_account(&campaign.name)),
        automount_service_account_token: Some(true),
        restart_policy: Some("Never".to_owned()),
        security_context: Some(pod_security()),
        init_containers: (!init.is_empty()).then_some(init),
        containers: vec![worker(resources.as_ref(), image, mounts, arguments)],
        volumes: Some(volumes.into_iter().chain([brief_volume(campaign)]).collect()),
        node_selector: node_selector.clone(),
        tolerations: tolerations.clone(),
        ..PodSpec::default()
    }
}

const BRIEF_FOLDER: &str = "/etc/broadside";
/// What is written here is the container's termination message.
const REPORT: &str = "/dev/termination-log";

fn worker(
    resources: Option<&api::ModelResources>,
    image: &WorkerImage,
    mounts: Vec<VolumeMount>,
    of_models: Vec<String>,
) -> Container {
    let mut arguments = vec!["generate".to_owned(), format!("--campaign={BRIEF_FOLDER}/{}", brief::FILE)];
    arguments.extend(of_models);
    arguments.extend(["--cluster".to_owned(), format!("--report={REPORT}")]);
    let brief = VolumeMount { read_only: Some(true), ..mount("brief", BRIEF_FOLDER) };
    Container {
        name: WORKER.to_owned(),
        image: Some(image.reference.clone()),
        image_pull_policy: image.pull_policy.clone(),
        args: Some(arguments),
        env: Some(vec![threads()]),
        resources: resources.map(requirements),
        volume_mounts: Some(mounts.into_iter().chain([brief]).collect()),
        security_context: Some(container_security()),
        ..Container::default()
    }
}

/// As many threads as the CPU limit allows, or as the node has: more would wait for each other.
fn threads() -> EnvVar {
    let limit =
        ResourceFieldSelector { resource: "limits.cpu".to_owned(), ..ResourceFieldSelector::default() };
    EnvVar {
        name: "BROADSIDE_THREADS".to_owned(),
        value_from: Some(EnvVarSource { resource_field_ref: Some(limit), ..EnvVarSource::default() }),
        ..EnvVar::default()
    }
}

fn requirements(resources: &api::ModelResources) -> ResourceRequirements {
    let api::ModelResources { requests, limits } = resources;
    ResourceRequirements { requests: requests.clone(), limits: limits.clone(), claims: None }
}

fn brief_volume(campaign: &Campaign) -> Volume {
    Volume {
        name: "brief".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: api::name::brief_config(&campaign.name),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { name: volume.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

/// Any user but root; the images of ours and of models run as this one.
const USER: i64 = 65_532;

/// What the restricted Pod Security standard asks of a pod.
fn pod_security() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(USER),
        run_as_group: Some(USER),
        fs_group: Some(USER),
        // A cache of models holds much, and is ours already but for the first time.
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

/// What the restricted Pod Security standard asks of a container, and a read-only root.
fn container_security() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
        ..SecurityContext::default()
    }
}
