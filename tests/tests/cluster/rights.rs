//! What the operator was allowed and what it asked for, by the audit log of a real cluster on which all tests run.

use std::collections::BTreeSet;

use anyhow::{Context, ensure};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::Value;
use stage::Installation;
use stage::installation::OPERATOR;
use stage::rights::{Asked, Right, asked, granted};

use crate::support::{self, Campaign, in_namespace, installation};
use crate::{MINUTES, Result};

/// What the release gives to the operator's account.
async fn all_granted(stage: &Installation) -> anyhow::Result<BTreeSet<Right>> {
    let mut all = BTreeSet::new();
    for role in [
        "clusterrole broadside-campaigns",
        "clusterrole broadside-operator",
        "-n broadside-system role broadside-operator",
    ] {
        let role: Value = serde_json::from_str(&stage.kubectl.run(&format!("get {role} -o json")).await?)?;
        all.extend(granted(&serde_json::from_value::<Vec<PolicyRule>>(role["rules"].clone())?));
    }
    Ok(all)
}

fn so_far(stage: &Installation) -> anyhow::Result<Asked> {
    let log = std::fs::read_to_string(stage.cluster.audit_log()).context("reading the audit log")?;
    asked(&log, OPERATOR)
}

/// A campaign that others approve, written by a model, of a brand, and stopped for a while: it needs every right.
async fn live(stage: &Installation) -> Result {
    in_namespace(stage, "granted").await?;
    support::slow_down(stage, "granted").await?;
    stage
        .kubectl
        .run("-n granted create configmap brand --from-literal=brand.yaml={\"forbidden\":[\"cheap\"]}")
        .await?;
    let campaign = Campaign { namespace: "granted", name: "granted", placement: "hero" };
    let manifest = support::placed(&support::generated("granted", 8), &["hero", "side"])?;
    let manifest =
        manifest.replace("  generation:", "  rules: {brand: brand}\n  approval: Manual\n  generation:");
    campaign.apply(stage, &manifest).await?;
    // Status tells of a Job before there is one.
    stage.kubectl.until("-n granted get jobs -o name", MINUTES, |job| !job.is_empty()).await?;
    for suspend in ["true", "false"] {
        let patch = format!("{{\"spec\":{{\"suspend\":{suspend}}}}}");
        let line = ["-n", "granted", "patch", "adcampaign", "granted", "--type=merge", "--patch", &patch];
        stage.kubectl.run_all(line).await?;
        let suspended = "-n granted get jobs -o jsonpath={.items[0].spec.suspend}";
        stage.kubectl.until(suspended, MINUTES, |now| now == suspend).await?;
    }
    let people_s = "jsonpath={.items[?(@.spec.slots.headline==\"Your trail is waiting\")].metadata.name}";
    let names = stage.kubectl.run_all(["-n", "granted", "get", "advariants", "-o", people_s]).await?;
    let name = names.split_whitespace().next().context("a variant of people's")?;
    stage.broadside.run(&format!("approve granted --namespace granted {name}")).await?;
    // One that somebody took away is asked for, and made anew.
    stage.kubectl.run("-n granted delete adtables --all").await.map(drop)
}

#[tokio::test]
async fn the_operator_has_the_rights_that_it_uses_and_no_other() -> Result {
    let stage = installation().await?;
    live(stage).await?;
    let granted = all_granted(stage).await?;
    let deadline = tokio::time::Instant::now() + MINUTES;
    let unused = loop {
        let used = so_far(stage)?.used;
        let unused: Vec<String> = granted.difference(&used).map(ToString::to_string).collect();
        if unused.is_empty() || tokio::time::Instant::now() > deadline {
            break unused;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    };
    ensure!(unused.is_empty(), "granted by the chart, and never used: {unused:?}");
    let refused = so_far(stage)?.refused;
    ensure!(refused.is_empty(), "used, and not granted by the chart: {refused:?}");
    Ok(())
}
