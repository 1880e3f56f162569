//! A pod that says what it took and is gone before anybody asks for it: the operator's own watches and passes on a real API server,
//! whose Jobs nobody runs.

use std::sync::Arc;

use anyhow::Context as _;
use api::{AdCampaign, AdModel, GenerationStatus, Scope};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use operator::clock::SystemClock;
use operator::controller::run;
use operator::leader::Leadership;
use serde_json::json;

use crate::banner;
use crate::passes::reviewed;
use crate::server::{Server, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_a_pod_said_before_it_was_taken_away_is_known() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let context =
        reviewed(client.clone(), "http://127.0.0.1:9", Arc::new(SystemClock), Leadership::alone(), None)?;
    let operator = tokio::spawn(async move { run(context, &Scope::All, std::future::pending()).await });
    let models: Api<AdModel> = Api::namespaced(client.clone(), "default");
    let image = json!({"image": {"reference": "broadside.local/handbill:dev"}});
    let model = json!({"metadata": {"name": "handbill"}, "spec": {"source": image}});
    models.create(&PostParams::default(), &serde_json::from_value(model)?).await?;
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    let mut campaign = banner::with(banner::campaign("trail", &[], "1m"), "variants", 2.into());
    campaign["spec"]["generation"] = json!({"model": "handbill"});
    campaigns.create(&PostParams::default(), &serde_json::from_value(campaign)?).await?;
    let generation = async || {
        let status = campaigns.get("trail").await?.status.unwrap_or_default();
        anyhow::Ok(status.generation)
    };
    until("a Job", async || Ok(generation().await?.is_some())).await?;

    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    let job = generation().await?.context("a Job")?.job;
    for (name, tokens) in [("first", 40), ("second", 2)] {
        passes_away(&pods, &job, name, tokens).await?;
    }
    let tokens = |generation: GenerationStatus| {
        let pods = generation.spending.map(|spending| spending.pods).unwrap_or_default();
        pods.values().map(|taken| taken.tokens).sum::<i64>()
    };
    until("its tokens", async || Ok(generation().await?.is_some_and(|it| tokens(it) == 42))).await?;
    operator.abort();
    Ok(())
}

/// Makes a pod of a Job, which says what it took and goes, all between two looks.
async fn passes_away(pods: &Api<Pod>, job: &str, name: &str, tokens: u64) -> anyhow::Result<()> {
    let labels = json!({
        "batch.kubernetes.io/job-name": job, api::name::CAMPAIGN_LABEL: "trail",
        api::name::MANAGED_BY_LABEL: api::name::MANAGED_BY,
    });
    let pod = json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "worker", "image": "worker"}]},
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    let report = json!({"outcome": "Failed", "effort": {"tokens": tokens, "milliseconds": 900}});
    let ended = json!({"terminated": {"exitCode": 143, "message": report.to_string()}});
    let worker = json!({
        "name": "worker", "image": "worker", "imageID": "", "ready": false, "restartCount": 0, "state": ended,
    });
    let status = json!({"status": {"phase": "Failed", "containerStatuses": [worker]}});
    pods.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
    pods.delete(name, &DeleteParams::default().grace_period(0)).await?;
    Ok(())
}
