//! The API server and its tables go wrong or away: decisions and events go on.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use api::AdTable;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams, PostParams};
use serde_json::{Value, json};

use crate::gateway::GatewayProcess;
use crate::server::Server;

pub(crate) const UID: &str = "2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11";

pub(crate) fn table() -> anyhow::Result<AdTable> {
    let slots =
        api::Slots::from([("headline", "Meet it"), ("button", "Go")].map(|(k, v)| (k.into(), v.into())));
    let variant = json!({"name": "control", "digest": api::name::copy_digest(&slots), "slots": slots});
    let round = json!({
        "number": 1, "openedAt": "2026-03-01T12:00:00Z", "maturedExposures": 0,
        "allocations": [{"segments": ["all"], "shares": [1_000_000]}],
    });
    let placement = json!({
        "name": "hero", "format": "WebBanner", "seed": 1, "variants": [variant], "rounds": [round],
        "metric": {"name": "product-view", "kind": "Binary", "windowSeconds": 60},
    });
    Ok(serde_json::from_value(json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdTable", "metadata": {"name": UID, "namespace": "default"},
        "spec": {"number": 1, "campaign": {"name": "trail", "uid": UID}, "placements": [placement]},
    }))?)
}

/// The reason of a decision, and its token.
async fn decide(gateway: &GatewayProcess, subject: &str) -> anyhow::Result<(String, Value)> {
    let question =
        json!({"namespace": "default", "campaign": "trail", "placement": "hero", "subject": subject});
    let answer = post(gateway, "/v1/decide", &question).await?;
    Ok((answer["reason"].as_str().unwrap_or_default().to_owned(), answer["token"].clone()))
}

pub(crate) async fn post(gateway: &GatewayProcess, path: &str, body: &Value) -> anyhow::Result<Value> {
    let request = reqwest::Client::new().post(format!("{}{path}", gateway.url)).json(body);
    Ok(request.send().await?.json().await?)
}

/// Waits until the table is served.
async fn assigned(gateway: &GatewayProcess) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while decide(gateway, "alice").await?.0 != "Assigned" {
        ensure!(tokio::time::Instant::now() < deadline, "the table was not served");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_and_events_go_on_without_the_api_server() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let tables: Api<AdTable> = Api::namespaced(server.client().await?, "default");
    tables.create(&PostParams::default(), &table()?).await?;
    let gateway = GatewayProcess::start("all", &server.kubeconfig()).await?;
    assigned(&gateway).await?;
    drop(server);
    // Longer than a watch takes to notice, and to try again a few times.
    for second in 0..5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (reason, token) = decide(&gateway, &second.to_string()).await?;
        ensure!(reason == "Assigned", "after {second} s: {reason}");
        let events = json!({"events": [{"id": "1", "token": token, "type": "exposure"}]});
        let answer = post(&gateway, "/v1/events", &events).await?;
        ensure!(answer["outcomes"][0]["outcome"] == json!("accepted"), "{answer}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_refused_is_told_on_its_campaign_and_the_one_before_stays() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let tables: Api<AdTable> = Api::namespaced(client.clone(), "default");
    let mut table = tables.create(&PostParams::default(), &table()?).await?;
    let gateway = GatewayProcess::start("all", &server.kubeconfig()).await?;
    assigned(&gateway).await?;
    let another_text = "Nobody approved this".to_owned();
    table.spec.placements[0].variants[0].slots.insert("headline".to_owned(), another_text);
    table.spec.number = 2;
    tables.replace(UID, &PostParams::default(), &table).await?;

    let events: Api<Event> = Api::namespaced(client, "default");
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    let told = loop {
        let refused = events.list(&ListParams::default().fields("reason=TableRefused")).await?;
        if let Some(event) = refused.items.into_iter().next() {
            break event;
        }
        ensure!(tokio::time::Instant::now() < deadline, "no event was published");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let campaign = told.regarding.context("it is about something")?;
    let named = (campaign.kind.as_deref(), campaign.name.as_deref(), campaign.uid.as_deref());
    ensure!(named == (Some("AdCampaign"), Some("trail"), Some(UID)), "{named:?}");
    let note = told.note.context("it says why")?;
    ensure!(note.contains("the one before stays") && note.contains("the digest is not"), "{note}");
    ensure!(!note.contains("Nobody approved"), "no copy is repeated: {note}");
    let question =
        json!({"namespace": "default", "campaign": "trail", "placement": "hero", "subject": "bob"});
    let answer = post(&gateway, "/v1/decide", &question).await?;
    ensure!(answer["slots"]["headline"] == json!("Meet it"), "{answer}");
    Ok(())
}
