//! The record of a verdict that is long, from its compression to a verdict that is reached again.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::AdCampaign;
use api::record::{MOST_BYTES_AS_TEXT, StoredRecord};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use operator::controller::reconcile;
use serde_json::{Value, json};
use stage::programs;
use tokio::process::Command;

use crate::gateway::GatewayProcess;
use crate::quiet::{HandClock, context};
use crate::server::Server;

const KEY: &str = "hero.evidence.json";

fn find(config: &ConfigMap, key: &str) -> anyhow::Result<Option<String>> {
    Ok(StoredRecord::all(config, key).next().map(|kept| kept.text()).transpose()?)
}

/// Nine long answers of customer service.
fn campaign() -> serde_json::Result<AdCampaign> {
    let answer = |number: usize| json!({"answer": format!("{number} days are left. ").repeat(116).trim()});
    serde_json::from_value(json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign",
        "metadata": {"name": "answers", "namespace": "default"},
        "spec": {
            "brief": {"product": "Aero Trail 3"},
            "placements": [{
                "name": "hero", "format": "ServiceMacro", "delivery": {"gateway": {}},
                "control": answer(1), "challengers": (2..=9).map(answer).collect::<Vec<_>>(),
                "promotion": {"file": "answers.json", "at": "refund"},
                "metric": {"name": "solved", "kind": "Binary", "window": "1m"},
            }],
        },
    }))
}

#[tokio::test]
async fn a_long_record_is_compressed_and_its_verdict_reached_again() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let ledger = GatewayProcess::start("ledger", &server.kubeconfig()).await?;
    let (client, clock) = (server.client().await?, Arc::new(HandClock::new()));
    let shared = context(client.clone(), &ledger.url, Arc::clone(&clock))?;
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    campaigns.create(&PostParams::default(), &campaign()?).await?;
    let passes = async |count: usize| {
        for _ in 0..count {
            clock.advance();
            reconcile(Arc::new(campaigns.get("answers").await?), Arc::clone(&shared)).await?;
        }
        anyhow::Ok(())
    };
    passes(3).await?;
    clock.jump(SignedDuration::from_hours(24 * 60));
    passes(4).await?;

    let configs: Api<ConfigMap> = Api::namespaced(client, "default");
    let all = configs.list(&ListParams::default()).await?.items;
    let named = |part: &str| {
        let is_meant = |it: &&ConfigMap| it.metadata.name.as_ref().is_some_and(|name| name.contains(part));
        all.iter().find(is_meant).with_context(|| format!("no ConfigMap {part}: {all:?}"))
    };
    let (first, winner) = (named("answers-evidence")?, named("answers-winner")?);
    let record = find(first, "evidence.json")?.context("a record")?;
    ensure!(record.len() > MOST_BYTES_AS_TEXT && first.data.is_none(), "it is not long: {record}");
    ensure!(find(winner, KEY)?.as_ref() == Some(&record), "another one is handed on");
    let mut file = serde_json::to_value(winner)?;
    is_reached_again(&file).await?;
    file["data"][KEY] = json!("what somebody else wrote beside it");
    is_reached_again(&file).await?;
    is_promoted(&server.kubeconfig()).await?;

    let taken_out = json!({"binaryData": {format!("{KEY}.gz"): null}});
    configs.patch("adc-answers-winner", &PatchParams::default(), &Patch::Merge(taken_out)).await?;
    ensure!(find(&configs.get("adc-answers-winner").await?, KEY)?.is_none(), "somebody took it out");
    passes(1).await?;
    ensure!(find(&configs.get("adc-answers-winner").await?, KEY)? == Some(record), "it is not put back");
    Ok(())
}

/// The control is what nobody beat.
async fn is_promoted(kubeconfig: &Path) -> anyhow::Result<()> {
    let tree = tempfile::tempdir()?;
    let file = tree.path().join("answers.json");
    std::fs::write(&file, "{\"refund\": {\"answer\": \"\"}}\n")?;
    let mut promote = Command::new(programs::ours("broadside")?);
    promote.args(["promote", "--if-decided", "-n", "default", "answers", "--into"]).arg(tree.path());
    let said = promote.env("KUBECONFIG", kubeconfig).output().await?;
    ensure!(said.status.success(), "{}", String::from_utf8(said.stderr)?);
    ensure!(std::fs::read_to_string(&file)?.contains("1 days are left."), "it is not promoted");
    Ok(())
}

async fn is_reached_again(winner: &Value) -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), winner.to_string())?;
    let said = Command::new(programs::ours("broadside")?).arg("verify").arg(file.path()).output().await?;
    let (out, error) = (String::from_utf8(said.stdout)?, String::from_utf8(said.stderr)?);
    ensure!(said.status.success() && out.contains("the same verdict"), "{out}{error}");
    Ok(())
}
