//! A dry run end to end: a real gateway and ledger, and the operator.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdTable, Phase, Scope, VerdictReason};
use cli::gitops::{Record, records, recount};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ListParams, PostParams};
use operator::clock::SystemClock;
use operator::controller::run;
use operator::leader::Leadership;
use serde_json::json;
use stage::programs;
use tokio::process::Command;

use crate::banner;
use crate::gateway::GatewayProcess;
use crate::passes::reviewed;
use crate::server::{Server, until};
use crate::visitors::Visitors;

/// One that names a place for what wins.
fn campaign() -> serde_json::Result<AdCampaign> {
    let campaign = banner::campaign("trail", &["Your trail is waiting"], "1s");
    let mut campaign = banner::with(campaign, "promotion", json!({"file": "home.yaml", "at": "hero"}));
    campaign["spec"]["dryRun"] = true.into();
    serde_json::from_value(campaign)
}

const PEOPLE: usize = 300;

/// The application is wired wrong, and reports what people do where the variant was drawn alone: so it "wins".
#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_the_control_and_a_winner_is_a_false_alarm() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let gateway = GatewayProcess::start("all", &server.kubeconfig()).await?;
    let context = reviewed(client.clone(), &gateway.url, Arc::new(SystemClock), Leadership::alone(), None)?;
    let operator = tokio::spawn(async move { run(context, &Scope::All, std::future::pending()).await });
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    campaigns.create(&PostParams::default(), &campaign()?).await?;
    let visitors = Visitors::at(&gateway);
    until("the experiment", async || Ok(visitors.decide("nobody").await?["token"].is_string())).await?;
    let status = async || anyhow::Ok(campaigns.get("trail").await?.status.unwrap_or_default());
    until("a dry run", async || Ok(status().await?.phase == Some(Phase::DryRun))).await?;

    let shown = json!({"headline": "Meet the Aero Trail 3", "button": "Shop now"});
    let control = status().await?.placements[0].control.clone();
    let mut drawn = 0;
    for person in 0..PEOPLE {
        let decision = visitors.decide(&format!("visitor-{person}")).await?;
        ensure!(decision["slots"] == shown && decision["dryRun"] == true, "{decision}");
        drawn += usize::from(decision["variant"] != control.as_str());
        let acts = |variant: &str| variant != control || person.is_multiple_of(20);
        visitors.visit(person, "product-view", acts).await?;
    }
    ensure!((PEOPLE / 2..PEOPLE).contains(&drawn), "{drawn} were drawn for the challenger");

    let configs: Api<ConfigMap> = Api::namespaced(client.clone(), "default");
    until("a winner's ConfigMap", async || Ok(configs.get_opt("adc-trail-winner").await?.is_some())).await?;
    let status = status().await?;
    let verdict = status.placements[0].verdict.as_ref().context("a verdict")?;
    ensure!(verdict.reason == VerdictReason::Winner && verdict.served == control, "{verdict:?}");
    ensure!(verdict.sentence.starts_with("a false alarm"), "{}", verdict.sentence);
    until("its end", async || {
        let status = campaigns.get("trail").await?.status.unwrap_or_default();
        Ok(status.conditions.iter().any(|it| it.type_ == "Decided" && it.reason == "DryRun"))
    })
    .await?;
    let config = configs.get("adc-trail-winner").await?;
    let data = config.data.as_ref().context("data")?;
    ensure!(data["hero.headline"] == "Meet the Aero Trail 3", "{data:?}");
    let config = json!({"kind": "ConfigMap", "data": data}).to_string();
    let found = records(config.as_bytes())?.into_iter().collect::<Result<Vec<Record>, _>>()?;
    ensure!(recount(&found[0]).differences.is_empty(), "{:?}", recount(&found[0]));
    let tables: Api<AdTable> = Api::namespaced(client, "default");
    let table = serde_json::to_string(&tables.list(&ListParams::default()).await?.items)?;
    ensure!(!table.contains("Your trail is waiting"), "{table}");
    let mut promote = Command::new(programs::ours("broadside")?);
    promote
        .args(["promote", "--if-decided", "-n", "default", "trail"])
        .env("KUBECONFIG", server.kubeconfig());
    let refused = promote.output().await?;
    let said = String::from_utf8(refused.stderr)?;
    ensure!(refused.status.code() == Some(4) && said.contains("trail is a dry run"), "{said}");
    operator.abort();
    Ok(())
}
