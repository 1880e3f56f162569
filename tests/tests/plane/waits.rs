//! Who waits as kstatus says, as Helm and Flux do, waits until a campaign is served, and is told where it can't be.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, Scope};
use kube::Api;
use operator::clock::SystemClock;
use operator::controller::run;
use operator::leader::Leadership;
use stage::Kubectl;

use crate::banner;
use crate::gateway::GatewayProcess;
use crate::passes::reviewed;
use crate::server::Server;

/// A chart of one campaign, whose headline and suspension are values.
fn chart(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir(folder.join("templates"))?;
    std::fs::write(folder.join("Chart.yaml"), "{apiVersion: v2, name: shop, version: 0.1.0}")?;
    std::fs::write(folder.join("values.yaml"), "{headline: Your trail is waiting, suspend: false}")?;
    let mut campaign = banner::campaign("{{ .Release.Name }}", &["{{ .Values.headline }}"], "1m");
    campaign["spec"]["suspend"] = "SUSPEND".into();
    let template = campaign.to_string().replace("\"SUSPEND\"", "{{ .Values.suspend }}");
    Ok(std::fs::write(folder.join("templates/campaign.yaml"), template)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn helm_waits_until_a_campaign_is_served_and_fails_where_it_is_stalled() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let gateway = GatewayProcess::start("all", &server.kubeconfig()).await?;
    let folder = tempfile::tempdir()?;
    chart(folder.path())?;
    let helm = Kubectl::new(cluster::tools::helm().await?, server.kubeconfig());
    let upgrade = async |release: &str, how: &str| {
        let chart = folder.path().display();
        helm.run(&format!("upgrade --install {release} {chart} --namespace default --wait {how}")).await
    };
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    let observed = async || {
        let campaign = campaigns.get("trail").await?;
        let observed = campaign.status.and_then(|status| status.observed_generation);
        anyhow::Ok((campaign.metadata.generation, observed))
    };

    let early = upgrade("trail", "--timeout 5s").await.err();
    let early = early.context("helm returned before an operator had seen the campaign")?;
    ensure!(format!("{early:#}").contains("InProgress"), "{early:#}");

    let context = reviewed(client, &gateway.url, Arc::new(SystemClock), Leadership::alone(), None)?;
    let operator = tokio::spawn(async move { run(context, &Scope::All, std::future::pending()).await });
    upgrade("trail", "--timeout 60s").await?;
    ensure!(observed().await? == (Some(1), Some(1)));
    upgrade("trail", "--timeout 60s --set suspend=true").await?;
    ensure!(observed().await? == (Some(2), Some(2)));

    let long = "x".repeat(200);
    let stalled = upgrade("stalled", &format!("--timeout 10s --set headline={long}")).await.err();
    let stalled = stalled.context("helm took a stalled campaign for a good one")?;
    ensure!(format!("{stalled:#}").contains("Failed"), "{stalled:#}");
    operator.abort();
    Ok(())
}
