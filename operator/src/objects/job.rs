//! The Job that writes variants: an init container copies the model out of its image, the worker writes beside it.

use api::{AdModel, AdModelSpec};
use k8s_openapi::api::batch::v1::{
    Job, JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule,
};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    PodSecurityContext, PodSpec, PodTemplateSpec, ResourceFieldSelector, ResourceRequirements,
    SeccompProfile, SecurityContext, Volume, VolumeMount,
};
use kube::api::ObjectMeta;

use super::spread::spread;
use super::{brief, labels, metadata};
use crate::campaign::{Campaign, Generation};

/// The worker's image, as the chart gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerImage {
    /// The image, with a tag or digest.
    pub reference: String,
    /// When it is pulled; Kubernetes' own rule where it is empty.
    pub pull_policy: Option<String>,
}

/// The worker's name in its pod; the pod's termination message is read from here.
pub const WORKER: &str = "worker";

/// Exit statuses that a second try would not change; the worker's documentation names them. The last is that of a
/// container that was killed, for its memory where its pod was not disrupted: a Job's limits never grow.
const FINAL_EXIT_STATUSES: [i32; 3] = [2, 3, 137];

/// A pod that is lost is replaced this often.
const PODS_LOST_AT_MOST: i32 = 6;

/// A finished Job stays for people to look at. Its outcome is in the campaign's status by then.
const FINISHED_JOB_SECONDS: i32 = 24 * 3600;

/// The Job that generates the campaign's variants with `model`.
pub fn job(campaign: &Campaign, generation: &Generation, model: &AdModel, image: &WorkerImage) -> Job {
    let spec = JobSpec {
        backoff_limit: Some(PODS_LOST_AT_MOST),
        pod_failure_policy: Some(failure_policy()),
        pod_replacement_policy: Some("Failed".to_owned()),
        ttl_seconds_after_finished: Some(FINISHED_JOB_SECONDS),
        template: PodTemplateSpec {
            metadata: Some(ObjectMeta { labels: Some(labels(campaign)), ..ObjectMeta::default() }),
            spec: Some(pod(campaign, &model.spec, image)),
        },
        ..JobSpec::default()
    };
    let spec = spread(spec, generation.pods);
    Job { metadata: metadata(campaign, generation.job.clone()), spec: Some(spec), status: None }
}

fn failure_policy() -> PodFailurePolicy {
    let disruption = PodFailurePolicyRule {
        action: "Ignore".to_owned(),
        on_pod_conditions: Some(vec![PodFailurePolicyOnPodConditionsPattern {
            type_: "DisruptionTarget".to_owned(),
            status: "True".to_owned(),
        }]),
        ..PodFailurePolicyRule::default()
    };
    let final_exit = PodFailurePolicyRule {
        action: "FailJob".to_owned(),
        on_exit_codes: Some(PodFailurePolicyOnExitCodesRequirement {
            container_name: Some(WORKER.to_owned()),
            operator: "In".to_owned(),
            values: FINAL_EXIT_STATUSES.to_vec(),
        }),
        ..PodFailurePolicyRule::default()
    };
    PodFailurePolicy { rules: vec![disruption, final_exit] }
}

fn pod(campaign: &Campaign, model: &AdModelSpec, image: &WorkerImage) -> PodSpec {
    let AdModelSpec { source, resources: _, node_selector, tolerations, price: _ } = model;
    PodSpec {
        service_account_name: Some(api::name::worker_account(&campaign.name)),
        automount_service_account_token: Some(true),
        restart_policy: Some("Never".to_owned()),
        security_context: Some(pod_security()),
        init_containers: Some(vec![Container {
            name: "model".to_owned(),
            image: Some(source.image.reference.clone()),
            image_pull_policy: source.image.pull_policy.map(|policy| format!("{policy:?}")),
            command: Some(vec!["/copy".to_owned(), "/model".to_owned(), MODEL_FOLDER.to_owned()]),
            volume_mounts: Some(vec![mount("model", MODEL_FOLDER)]),
            security_context: Some(container_security()),
            ..Container::default()
        }]),
        containers: vec![worker(model, image)],
        volumes: Some(volumes(campaign)),
        node_selector: node_selector.clone(),
        tolerations: tolerations.clone(),
        ..PodSpec::default()
    }
}

const MODEL_FOLDER: &str = "/var/lib/broadside/model";
const BRIEF_FOLDER: &str = "/etc/broadside";
/// What is written here is the container's termination message.
const REPORT: &str = "/dev/termination-log";

fn worker(model: &AdModelSpec, image: &WorkerImage) -> Container {
    let arguments = [
        "generate".to_owned(),
        format!("--campaign={BRIEF_FOLDER}/{}", brief::FILE),
        format!("--model={MODEL_FOLDER}"),
        "--cluster".to_owned(),
        format!("--report={REPORT}"),
    ];
    Container {
        name: WORKER.to_owned(),
        image: Some(image.reference.clone()),
        image_pull_policy: image.pull_policy.clone(),
        args: Some(arguments.to_vec()),
        env: Some(vec![threads()]),
        resources: model.resources.as_ref().map(resources),
        volume_mounts: Some(vec![
            VolumeMount { read_only: Some(true), ..mount("model", MODEL_FOLDER) },
            VolumeMount { read_only: Some(true), ..mount("brief", BRIEF_FOLDER) },
        ]),
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

fn resources(resources: &api::ModelResources) -> ResourceRequirements {
    let api::ModelResources { requests, limits } = resources;
    ResourceRequirements { requests: requests.clone(), limits: limits.clone(), claims: None }
}

fn volumes(campaign: &Campaign) -> Vec<Volume> {
    let model = Volume {
        name: "model".to_owned(),
        empty_dir: Some(EmptyDirVolumeSource::default()),
        ..Volume::default()
    };
    let brief = Volume {
        name: "brief".to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: api::name::brief_config(&campaign.name),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    vec![model, brief]
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
