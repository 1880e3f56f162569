//! The Job of each kind of model, as it is applied.
//!
//! Each folder of `jobs/` is a sentence: `model.yaml` is the `AdModel` that writes, `embedder.yaml` the one that embeds,
//! where there is one, and `expected.yaml` what their pod is.
//! After a change: `UPDATE=1 cargo test -p broadside-operator --test jobs`, then read the difference.

use std::path::Path;

use api::{AdCampaign, AdModel};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::{Container, PodSpec};
use kube::ResourceExt;
use operator::Campaign;
use operator::model::{Embedder, Model};
use operator::objects::job::{ModelImages, Models, WorkerImage, job};

const REFRESH: &str = "UPDATE=1 cargo test -p broadside-operator --test jobs";

const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: trail, namespace: shop, uid: 00000000-0000-4000-8000-000000000001}
spec:
  brief: {product: Aero Trail 3}
  generation: {model: handbill}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet it, button: Shop now}
      variants: 3
      metric: {name: view, kind: Binary, window: 30m}
";

fn cases() -> Vec<(String, Job)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/jobs");
    let entries = std::fs::read_dir(folder).expect("cases").map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<_> = entries.map(|path| (path.display().to_string(), made(&path))).collect();
    cases.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(cases.len() >= 12, "cases are missing");
    cases
}

fn made(folder: &Path) -> Job {
    let text = std::fs::read_to_string(folder.join("model.yaml")).expect("model.yaml");
    let object: AdModel = serde_saphyr::from_str(&text).expect("an AdModel");
    let writer = Model::try_from(&object).expect("a model that can be used");
    let embedder = std::fs::read_to_string(folder.join("embedder.yaml")).ok().map(|text| {
        let object: AdModel = serde_saphyr::from_str(&text).expect("an AdModel");
        Embedder::try_from(&object).expect("an embedder that can be used")
    });
    let campaign: AdCampaign = serde_saphyr::from_str(CAMPAIGN).expect("a campaign");
    let campaign = Campaign::try_from(&campaign).expect("a campaign that can be carried out");
    let generation = campaign.generation.clone().expect("a model is asked");
    let is_mounted = object.annotations().get("test/images").is_some_and(|word| word == "Mounted");
    let image = WorkerImage {
        reference: "broadside/worker:1".to_owned(),
        pull_policy: Some("IfNotPresent".to_owned()),
        model_images: if is_mounted { ModelImages::Mounted } else { ModelImages::Copied },
    };
    job(&campaign, &generation, &Models { writer, embedder }, &image)
}

fn spec(job: &Job) -> &JobSpec {
    job.spec.as_ref().expect("a spec")
}

fn pod(job: &Job) -> &PodSpec {
    spec(job).template.spec.as_ref().expect("a pod")
}

fn containers(pod: &PodSpec) -> impl Iterator<Item = &Container> {
    pod.init_containers.iter().flatten().chain(&pod.containers)
}

#[test]
fn every_source_has_its_pod() {
    let mut faults = Vec::new();
    for (folder, job) in cases() {
        let told = serde_saphyr::to_string(&(pod(&job), &spec(&job).pod_failure_policy)).expect("plain data");
        let file = Path::new(&folder).join("expected.yaml");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&file, &told).expect("cases are writable");
        }
        if std::fs::read_to_string(&file).unwrap_or_default() != told {
            faults.push(format!("{folder} is otherwise:\n{told}"));
        }
    }
    assert!(faults.is_empty(), "{}\nRefresh with: {REFRESH}", faults.join("\n"));
}

/// What the restricted Pod Security standard asks, read from its text and not from our code.
#[test]
fn every_pod_is_restricted() {
    for (folder, job) in cases() {
        let pod = pod(&job);
        let json = serde_json::to_value(pod).expect("plain data");
        assert_eq!(json["securityContext"]["runAsNonRoot"], true, "{folder}");
        assert_eq!(json["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{folder}");
        for container in containers(pod) {
            let json = serde_json::to_value(container).expect("plain data");
            let security = &json["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{folder}");
            assert_eq!(security["capabilities"], serde_json::json!({"drop": ["ALL"]}), "{folder}");
        }
        let allowed = ["configMap", "emptyDir", "persistentVolumeClaim", "projected", "image", "name"];
        for volume in json["volumes"].as_array().expect("volumes") {
            let kinds = volume.as_object().expect("a volume").keys();
            assert!(kinds.clone().all(|kind| allowed.contains(&kind.as_str())), "{folder}: {volume}");
        }
    }
}

/// The API server refuses a Job that mounts what its pod lacks, or whose policy names a container that is not there.
#[test]
fn every_name_is_that_of_something_in_the_pod() {
    for (folder, job) in cases() {
        let pod = pod(&job);
        let volumes: Vec<&str> = pod.volumes.iter().flatten().map(|volume| volume.name.as_str()).collect();
        let names: Vec<&str> = containers(pod).map(|container| container.name.as_str()).collect();
        for mount in containers(pod).flat_map(|container| container.volume_mounts.iter().flatten()) {
            assert!(volumes.contains(&mount.name.as_str()), "{folder}: {}", mount.name);
        }
        let policy = spec(&job).pod_failure_policy.as_ref().expect("a policy");
        let named: Vec<&str> = policy
            .rules
            .iter()
            .filter_map(|rule| rule.on_exit_codes.as_ref()?.container_name.as_deref())
            .collect();
        let mut sorted = [names, named.clone()];
        sorted.iter_mut().for_each(|names| names.sort_unstable());
        assert_eq!(sorted[0], sorted[1], "{folder}: each container has its rule");
    }
}

/// Only what brings the model, and for an endpoint the worker, sees a Secret; and no key but those that are named.
#[test]
fn secrets_are_seen_by_those_who_need_them() {
    for (folder, job) in cases() {
        let pod = pod(&job);
        let projected = pod.volumes.iter().flatten().filter_map(|volume| volume.projected.as_ref());
        for source in projected.flat_map(|volume| volume.sources.iter().flatten()) {
            let secret = source.secret.as_ref().expect("only Secrets are projected");
            let keys = secret.items.as_ref().expect("named keys");
            assert!(keys.iter().all(|item| item.key.starts_with("broadside-")), "{folder}");
        }
        let worker = pod.containers.first().expect("the worker");
        let mounts = worker.volume_mounts.iter().flatten();
        assert!(
            mounts.clone().all(|mount| !mount.name.ends_with("hub")),
            "{folder}: the token is none of the worker's"
        );
        assert!(
            mounts.clone().all(|mount| mount.read_only == Some(true)),
            "{folder}: the worker writes nowhere"
        );
    }
}
