//! Where models come from, and how many pods write.

use anyhow::{Context, ensure};
use stage::Installation;
use stage::programs::repository;

use crate::support::{self, Campaign, in_namespace, installation};
use crate::{MINUTES, Result};

/// How many variants there are that a model wrote.
async fn written(stage: &Installation, namespace: &str) -> anyhow::Result<usize> {
    let names = format!(
        "-n {namespace} get advariants -o jsonpath={{.items[?(@.spec.origin==\"Generated\")].metadata.name}}"
    );
    Ok(stage.kubectl.run(&names).await?.split_whitespace().count())
}

#[tokio::test]
async fn a_model_on_a_volume_writes() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "volume").await?;
    let folder = repository().join("models");
    let folder = folder.to_str().context("a path in UTF-8")?;
    let manifest = format!(
        "
apiVersion: v1
kind: PersistentVolume
metadata: {{name: models}}
spec:
  capacity: {{storage: 1Gi}}
  accessModes: [ReadOnlyMany]
  storageClassName: by-hand
  hostPath: {{path: {folder}, type: Directory}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: models}}
spec:
  accessModes: [ReadOnlyMany]
  storageClassName: by-hand
  volumeName: models
  resources: {{requests: {{storage: 1Gi}}}}
---
apiVersion: broadside.dev/v1alpha1
kind: AdModel
metadata: {{name: handbill}}
spec: {{source: {{pvc: {{claimName: models, path: handbill}}}}}}
"
    );
    stage.kubectl.feed("-n volume apply -f -", &manifest).await?;
    let campaign = Campaign { namespace: "volume", name: "volume", placement: "hero" };
    campaign.apply(stage, &support::generated("volume", 2)).await?;
    campaign.get(stage, ".status.generation.outcome", 4 * MINUTES, |outcome| outcome == "Complete").await?;
    ensure!(written(stage, "volume").await? == 2);
    Ok(())
}

#[tokio::test]
async fn placements_that_several_pods_share_are_each_written_once() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "spread").await?;
    let manifest = support::generated("spread", 3).replace("seed: 7", "seed: 7, parallelism: 2");
    let manifest = support::placed(&manifest, &["hero", "side", "foot"])?;
    let campaign = Campaign { namespace: "spread", name: "spread", placement: "hero" };
    campaign.apply(stage, &manifest).await?;
    campaign.get(stage, ".status.generation.outcome", 4 * MINUTES, |outcome| outcome == "Complete").await?;
    let job = stage.kubectl.run("-n spread get jobs -o jsonpath={.items[0].status.completedIndexes}").await?;
    ensure!(job == "0,1", "two pods, each with an index: {job}");
    ensure!(written(stage, "spread").await? == 9);
    Ok(())
}

#[tokio::test]
async fn an_endpoints_secret_reaches_the_worker_and_what_is_no_endpoint_is_told() -> Result {
    let stage = installation().await?;
    in_namespace(stage, "endpoint").await?;
    // The gateway answers at this address, and is no engine.
    let manifest = "
apiVersion: v1
kind: Secret
metadata: {name: engine}
type: broadside.dev/model-endpoint
stringData:
  broadside-endpoint-url: http://broadside-gateway.broadside-system.svc:8080
  broadside-endpoint-key: never-to-be-seen
---
apiVersion: broadside.dev/v1alpha1
kind: AdModel
metadata: {name: handbill}
spec: {source: {endpoint: {secretRef: {name: engine}, model: any}}}
";
    stage.kubectl.feed("-n endpoint apply -f -", manifest).await?;
    let campaign = Campaign { namespace: "endpoint", name: "endpoint", placement: "hero" };
    campaign.apply(stage, &support::generated("endpoint", 1)).await?;
    campaign.get(stage, ".status.generation.outcome", 4 * MINUTES, |outcome| outcome == "Failed").await?;
    let condition = ".status.conditions[?(@.type==\"VariantsReady\")]";
    let message = campaign.get(stage, &format!("{condition}.message"), MINUTES, |_| true).await?;
    ensure!(message.contains("broadside-gateway.broadside-system.svc"), "the address is told: {message}");
    let log = stage.kubectl.run("-n endpoint logs -l broadside.dev/campaign=endpoint --tail=-1").await?;
    ensure!(!log.contains("never-to-be-seen") && !message.contains("never-to-be-seen"), "{log}\n{message}");
    Ok(())
}
