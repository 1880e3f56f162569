//! From people's events to a variant that is out: a real gateway and ledger, and the operator.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdTable, AdVariant, Scope, VariantState};
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use operator::clock::SystemClock;
use operator::controller::run;
use operator::leader::Leadership;
use serde_json::json;

use crate::banner;
use crate::gateway::GatewayProcess;
use crate::passes::reviewed;
use crate::server::{Server, until};
use crate::visitors::Visitors;

fn campaign() -> serde_json::Result<AdCampaign> {
    let campaign = banner::campaign("trail", &["Your trail is waiting", "Made for the weekend"], "1s");
    let bounce =
        json!({"metric": {"name": "bounce", "kind": "Binary", "window": "1s"}, "maximumIncrease": "50%"});
    serde_json::from_value(banner::with(campaign, "guardrails", json!([bounce])))
}

/// Enough to show that somebody leaves nine times as often, and as many as are asked within seconds.
const PEOPLE: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn who_drives_people_away_is_out_and_the_rest_goes_on() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let gateway = GatewayProcess::start("all", &server.kubeconfig()).await?;
    let context = reviewed(client.clone(), &gateway.url, Arc::new(SystemClock), Leadership::alone(), None)?;
    let operator = tokio::spawn(async move { run(context, &Scope::All, std::future::pending()).await });
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    campaigns.create(&PostParams::default(), &campaign()?).await?;
    let visitors = Visitors::at(&gateway);
    until("the experiment", async || Ok(visitors.decide("nobody").await?["token"].is_string())).await?;

    let variants: Api<AdVariant> = Api::namespaced(client.clone(), "default");
    let all = variants.list(&ListParams::default()).await?.items;
    let harmful = all.iter().find(|it| it.spec.slots["headline"] == "Your trail is waiting");
    let harmful = harmful.context("a challenger")?.name_any();
    for person in 0..PEOPLE {
        // One in ten leaves, and nine in ten where it is that one.
        let leaves = |variant: &str| person.is_multiple_of(10) != (variant == harmful);
        visitors.visit(person, "bounce", leaves).await?;
    }

    let state = async || anyhow::Ok(variants.get(&harmful).await?.status.unwrap_or_default());
    until("harm", async || Ok(state().await?.state == Some(VariantState::Harmful))).await?;
    let reason = state().await?.reason.context("a reason")?;
    ensure!(reason.starts_with("bounce rose by about"), "{reason}");
    let tables: Api<AdTable> = Api::namespaced(client, "default");
    let table = tables.list(&ListParams::default()).await?.items.pop().context("a table")?;
    let row = &table.spec.placements[0];
    let round = row.rounds.last().context("a round")?;
    let shares: Vec<(&str, bool)> =
        row.variants.iter().enumerate().map(|(arm, it)| (it.name.as_str(), round.gives(arm))).collect();
    ensure!(shares.iter().all(|(name, gives)| *gives != (*name == harmful)), "{shares:?}");
    operator.abort();
    Ok(())
}
