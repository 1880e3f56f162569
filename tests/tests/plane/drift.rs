//! What was applied stays as it was applied: nothing that the operator says of a campaign looks like a change of it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, Scope};
use kube::Api;
use kube::api::ListParams;
use operator::clock::SystemClock;
use operator::controller::run;
use operator::leader::Leadership;
use stage::Kubectl;

use crate::chart;
use crate::gateway::GatewayProcess;
use crate::passes::reviewed;
use crate::server::Server;

/// It ends by itself within seconds.
const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: NAME, namespace: default}
spec:
  suspend: SUSPEND
  brief: {product: Aero Trail 3}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      challengers:
        - {headline: HEADLINE, button: Shop now}
      metric: {name: product-view, kind: Binary, window: 1s}
      stopping: {maximumDuration: 2s}
";

const SHORT: &str = "Your trail is waiting";
const LONG: &str = "Your trail has been waiting for you since the spring of the year before last";

/// Campaigns by name: whether it is suspended, its headline, and the states that it comes to.
const CAMPAIGNS: [(&str, &str, &str, &[&str]); 3] = [
    (
        "trail",
        "false",
        SHORT,
        &[
            "condition=Ready",
            "condition=Decided",
            "jsonpath={.status.conditions[?(@.type==\"Decided\")].reason}=Inconclusive",
        ],
    ),
    ("suspended", "true", SHORT, &["jsonpath={.status.phase}=Suspended"]),
    ("stalled", "false", LONG, &["condition=Stalled"]),
];

/// In both ways in which people and GitOps controllers apply.
#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_is_as_it_was_applied_in_every_state() -> anyhow::Result<()> {
    let (client, server) = ("--server-side=false", "--server-side=true");
    let (by_client, by_server) = tokio::join!(stays(client), stays(server));
    by_client.context(client)?;
    by_server.context(server)
}

async fn stays(way: &str) -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let gateway = GatewayProcess::start("all", &server.kubeconfig()).await?;
    let kubectl = Kubectl::new(cluster::tools::kubectl().await?, server.kubeconfig());
    let folder = tempfile::tempdir()?;
    for (name, suspend, headline, _) in CAMPAIGNS {
        let campaign = CAMPAIGN.replace("NAME", name).replace("SUSPEND", suspend);
        std::fs::write(
            folder.path().join(name).with_extension("yaml"),
            campaign.replace("HEADLINE", headline),
        )?;
    }
    kubectl.run(&format!("apply {way} -f {}", folder.path().display())).await?;
    is_as_applied(&kubectl, way, folder.path()).await.context("before the operator has seen it")?;

    let context = reviewed(client.clone(), &gateway.url, Arc::new(SystemClock), Leadership::alone(), None)?;
    let operator = tokio::spawn(async move { run(context, &Scope::All, std::future::pending()).await });
    for (name, _, _, states) in CAMPAIGNS {
        for state in states {
            kubectl.run(&format!("wait adcampaign/{name} --timeout=60s --for={state}")).await?;
            is_as_applied(&kubectl, way, &folder.path().join(name).with_extension("yaml"))
                .await
                .with_context(|| format!("{name}, once {state}"))?;
        }
    }
    for campaign in Api::<AdCampaign>::namespaced(client, "default").list(&ListParams::default()).await? {
        ensure!(campaign.metadata.generation == Some(1), "{:?}", campaign.metadata);
    }
    operator.abort();
    Ok(())
}

/// So no GitOps controller has to be told of differences to ignore.
#[tokio::test]
async fn the_chart_is_as_it_was_applied() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let kubectl = Kubectl::new(cluster::tools::kubectl().await?, server.kubeconfig());
    let folder = tempfile::tempdir()?;
    for (number, object) in chart::rendered(&[]).await?.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.json")), serde_json::to_vec(object)?)?;
    }
    let way = "--server-side=true";
    kubectl.run(&format!("apply {way} --force-conflicts -f {}", folder.path().display())).await?;
    is_as_applied(&kubectl, way, folder.path()).await
}

/// What `kubectl diff` finds between files and the objects that were made of them: nothing.
async fn is_as_applied(kubectl: &Kubectl, way: &str, files: &Path) -> anyhow::Result<()> {
    let output = kubectl.command(["diff", way, "-f"]).arg(files).output().await?;
    let found = [output.stdout, output.stderr].concat();
    ensure!(output.status.code() == Some(0), "it drifts: {}", String::from_utf8_lossy(&found));
    Ok(())
}
