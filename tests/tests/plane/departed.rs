//! A pod that says what it took and is gone before anybody asks for it: the operator's own watches and passes on a real API server,
//! whose Jobs nobody runs.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdModel, GenerationStatus, Scope};
use jiff::Timestamp;
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
    // One is looked at while it runs, and the other one never.
    comes(&pods, &job, "first").await?;
    let known = |generation: GenerationStatus| generation.spending.unwrap_or_default().pods;
    until("a pod", async || Ok(generation().await?.is_some_and(|it| known(it).contains_key("first"))))
        .await?;
    ends(&pods, "first", 40).await?;
    comes(&pods, &job, "second").await?;
    ends(&pods, "second", 2).await?;
    let tokens = |generation| known(generation).values().map(|taken| taken.tokens).sum::<i64>();
    until("their tokens", async || Ok(generation().await?.is_some_and(|it| tokens(it) == 42))).await?;
    let spending = generation().await?.and_then(|it| it.spending).context("what it took")?;
    ensure!(spending.gone.is_empty() && spending.pods.len() == 2, "{spending:?}");
    operator.abort();
    Ok(())
}

/// A pod of the Job.
async fn comes(pods: &Api<Pod>, job: &str, name: &str) -> anyhow::Result<()> {
    let labels = json!({
        "batch.kubernetes.io/job-name": job, api::name::CAMPAIGN_LABEL: "trail",
        api::name::MANAGED_BY_LABEL: api::name::MANAGED_BY,
    });
    let pod = json!({
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "worker", "image": "worker"}]},
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    let status = json!({"status": {"phase": "Running", "startTime": Timestamp::now()}});
    pods.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

/// It says what it took and goes, both between two looks.
async fn ends(pods: &Api<Pod>, name: &str, tokens: u64) -> anyhow::Result<()> {
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
