//! What a worker may lose while it writes: its key, its node, its pod. It goes on with the variants that exist, by one Job, and
//! writes none twice.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use serde_json::json;
use stage::Installation;

use crate::engine::Engine;
use crate::support::{self, Campaign, in_namespace, installation};
use crate::{MINUTES, Result};

const PLACEMENTS: [&str; 2] = ["hero", "side"];

/// The places among what was asked for of the variants that a model wrote for a placement.
async fn written(stage: &Installation, namespace: &str, placement: &str) -> anyhow::Result<Vec<String>> {
    let of_placement = format!("-l broadside.dev/placement={placement}");
    let index = "{.items[?(@.spec.origin==\"Generated\")].spec.provenance.index}";
    let line = format!("-n {namespace} get advariants {of_placement} -o jsonpath={index}");
    Ok(stage.kubectl.run(&line).await?.split_whitespace().map(str::to_owned).collect())
}

/// Each variant that was asked for is there once, and one Job wrote them all.
async fn is_whole(stage: &Installation, namespace: &str, asked: usize) -> Result {
    for placement in PLACEMENTS {
        let indices = written(stage, namespace, placement).await?;
        let distinct: BTreeSet<&String> = indices.iter().collect();
        ensure!((indices.len(), distinct.len()) == (asked, asked), "{placement}: {indices:?}");
    }
    let jobs = stage.kubectl.run(&format!("-n {namespace} get jobs -o name")).await?;
    ensure!(jobs.lines().count() == 1, "one Job: {jobs}");
    Ok(())
}

async fn names(stage: &Installation, namespace: &str) -> anyhow::Result<BTreeSet<String>> {
    let line = format!(
        "-n {namespace} get advariants -o jsonpath={{.items[?(@.spec.origin==\"Generated\")].metadata.name}}"
    );
    Ok(stage.kubectl.run(&line).await?.split_whitespace().map(str::to_owned).collect())
}

fn secret(key: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Secret
metadata: {{name: engine}}
type: broadside.dev/model-endpoint
stringData: {{broadside-endpoint-url: 'http://engine.rotated.svc:8000', broadside-endpoint-key: {key}}}
"
    )
}

const OLD: &str = "the-key-of-yesterday";
const NEW: &str = "the-key-of-today";

#[tokio::test]
async fn a_key_that_is_rotated_while_a_worker_writes_is_the_next_pods() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "rotated").await?;
    // Three drafts of the first placement, and one of the second.
    let engine = Engine::start(stage, OLD, 4).await?;
    let model = "
apiVersion: broadside.dev/v1alpha1
kind: AdModel
metadata: {name: handbill}
spec: {source: {endpoint: {secretRef: {name: engine}, model: any, concurrency: 1}}}
";
    let objects = [&engine.service("engine"), &secret(OLD), model].join("---\n");
    stage.kubectl.feed("-n rotated apply -f -", &objects).await?;
    let campaign = Campaign { namespace: "rotated", name: "rotated", placement: "hero" };
    campaign.apply(stage, &support::placed(&support::generated("rotated", 2), &PLACEMENTS)?).await?;

    // Some is written, and the old key is revoked before the new one is known in the cluster.
    let hero = "-n rotated get advariants -l broadside.dev/placement=hero -o jsonpath={.items[?(@.spec.origin==\"Generated\")].metadata.name}";
    stage.kubectl.until(hero, 2 * MINUTES, |names| names.split_whitespace().count() == 2).await?;
    let before = names(stage, "rotated").await?;
    engine.change_key(NEW);
    stage.kubectl.feed("-n rotated apply -f -", &secret(NEW)).await?;

    campaign.get(stage, ".status.generation.outcome", 5 * MINUTES, |it| it == "Complete").await?;
    is_whole(stage, "rotated", 2).await?;
    ensure!(names(stage, "rotated").await?.is_superset(&before), "what was written stays");
    let (served, refused) = engine.seen();
    ensure!(refused > 0 && served.first().is_some_and(|key| key == OLD), "{served:?}, refused: {refused}");
    ensure!(served.last().is_some_and(|key| key == NEW), "the next pod has the new key: {served:?}");
    let pods = stage.kubectl.run("-n rotated get pods -l broadside.dev/campaign=rotated -o name").await?;
    ensure!(pods.lines().count() == 2, "the old pod and the next: {pods}");
    let logs = stage.kubectl.run("-n rotated logs -l broadside.dev/campaign=rotated --tail=-1").await?;
    let status = stage.kubectl.run("-n rotated get adcampaign rotated -o yaml").await?;
    ensure!([OLD, NEW].iter().all(|key| !logs.contains(key) && !status.contains(key)), "{logs}\n{status}");
    Ok(())
}

/// A node that no kubelet is behind, which none but the pods of this test tolerate.
const AWAY: &str = "
apiVersion: v1
kind: Node
metadata: {name: away, labels: {example.dev/role: evicted}}
spec: {taints: [{key: example.dev/away, effect: NoSchedule}]}
";

async fn node_that_goes_away(stage: &Installation) -> Result {
    stage.kubectl.feed("create -f -", AWAY).await?;
    let ready = json!({"status": {
        "capacity": {"cpu": "4", "memory": "8Gi", "pods": "10"},
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"},
        "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
            "lastHeartbeatTime": jiff::Timestamp::now(), "lastTransitionTime": jiff::Timestamp::now()}],
    }});
    let patch = format!("--patch={ready}");
    stage.kubectl.run_all(["patch", "node", "away", "--subresource=status", &patch]).await.map(drop)
}

#[tokio::test]
async fn a_worker_that_loses_its_node_and_is_evicted_goes_on_with_what_exists() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "evicted").await?;
    node_that_goes_away(stage).await?;
    let model = "
apiVersion: broadside.dev/v1alpha1
kind: AdModel
metadata: {name: handbill}
spec:
  source: {image: {reference: 'broadside.local/handbill:dev', pullPolicy: Never}}
  resources: {limits: {cpu: 20m}}
  nodeSelector: {example.dev/role: evicted}
  tolerations: [{key: example.dev/away, operator: Exists}]
";
    stage.kubectl.feed("-n evicted apply -f -", model).await?;
    let campaign = Campaign { namespace: "evicted", name: "evicted", placement: "hero" };
    campaign.apply(stage, &support::placed(&support::generated("evicted", 8), &PLACEMENTS)?).await?;

    // Its first pod stands on a node that is gone before anything runs on it.
    let pods = "-n evicted get pods -l broadside.dev/campaign=evicted -o";
    let on_node = format!("{pods} jsonpath={{.items[*].spec.nodeName}}");
    stage.kubectl.until(&on_node, MINUTES, |node| node == "away").await?;
    stage.kubectl.run("delete node away").await?;
    let node = stage.kubectl.run("get nodes -o jsonpath={.items[0].metadata.name}").await?;
    stage.kubectl.run(&format!("label node {node} example.dev/role=evicted")).await?;

    // The next one is evicted in the midst of writing.
    let some = async || anyhow::Ok(!written(stage, "evicted", "hero").await?.is_empty());
    let deadline = tokio::time::Instant::now() + 5 * MINUTES;
    while !some().await? {
        ensure!(tokio::time::Instant::now() < deadline, "nothing is written on another node");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let before = names(stage, "evicted").await?;
    let running = format!("{pods} jsonpath={{.items[?(@.status.phase==\"Running\")].metadata.name}}");
    let pod = stage.kubectl.run(&running).await?;
    let pod = pod.split_whitespace().next().context("a pod that writes")?.to_owned();
    let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": "evicted"}});
    let path = format!("/api/v1/namespaces/evicted/pods/{pod}/eviction");
    stage.kubectl.feed(&format!("create --raw {path} -f -"), &eviction.to_string()).await?;

    campaign.get(stage, ".status.generation.outcome", 5 * MINUTES, |it| it == "Complete").await?;
    is_whole(stage, "evicted", 8).await?;
    ensure!(before.len() < 16, "it was evicted after it had written all");
    ensure!(names(stage, "evicted").await?.is_superset(&before), "what was written stays");
    stage.kubectl.run(&format!("label node {node} example.dev/role-")).await.map(drop)
}
