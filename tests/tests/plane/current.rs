//! The demonstration on a cluster of somebody's own says what is in its way, and what to do about it.

use std::path::Path;

use anyhow::{Context as _, ensure};
use cluster::ControlPlaneConfig;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use stage::programs;
use tokio::process::Command;

use crate::server::{Server, until};

/// What `make demo CLUSTER=current` says at its end.
async fn demo(kubeconfig: &Path) -> anyhow::Result<String> {
    let mut demo = Command::new(programs::ours("demo")?);
    let ended = demo.args(["--cluster", "current"]).env("KUBECONFIG", kubeconfig).kill_on_drop(true).output();
    let ended = ended.await?;
    ensure!(!ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    Ok(String::from_utf8(ended.stderr)?)
}

/// No node is here: this test says what a kubelet without our images does.
async fn no_image_is_there(server: &Server) -> anyhow::Result<()> {
    let pods: Api<Pod> = Api::namespaced(server.client().await?, "broadside-system");
    let all = async || anyhow::Ok(pods.list(&ListParams::default()).await?.items);
    until("a pod", async || Ok(!all().await?.is_empty())).await?;
    let pod = all().await?.pop().context("a pod")?.name_any();
    let waiting = json!({"reason": "ErrImageNeverPull", "message": "Container image \"broadside.local/gateway:dev\" is not present"});
    let container = json!({
        "name": "gateway", "image": "broadside.local/gateway:dev", "imageID": "", "ready": false, "restartCount": 0,
        "state": {"waiting": waiting},
    });
    let status = json!({"status": {"containerStatuses": [container]}});
    pods.patch_status(&pod, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_the_way_of_the_demonstration_is_said_with_its_remedy() -> anyhow::Result<()> {
    let server = Server::bare(ControlPlaneConfig::default()).await?;
    let kubeconfig = server.kubeconfig();
    let (said, patched) = tokio::join!(demo(&kubeconfig), no_image_is_there(&server));
    patched?;
    let said = said?;
    ensure!(
        said.contains(
            "Container image \"broadside.local/gateway:dev\" is not present: have it loaded (LOAD="
        ),
        "{said}"
    );

    let said = demo(&kubeconfig).await?;
    ensure!(
        said.contains("the cluster has namespace/broadside-system and customresourcedefinition"),
        "{said}"
    );
    ensure!(said.contains("choose another cluster"), "{said}");

    let folder = tempfile::tempdir()?;
    let gone = folder.path().join("kubeconfig");
    std::fs::copy(&kubeconfig, &gone)?;
    drop(server);
    let said = demo(&gone).await?;
    ensure!(said.contains("does not answer: start it, or choose another context"), "{said}");
    let said = demo(&folder.path().join("none")).await?;
    ensure!(said.contains("kubectl has no current context: choose one"), "{said}");
    Ok(())
}
