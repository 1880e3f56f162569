//! Of several operators one acts, by a Lease of a real API server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdTable, AdVariant};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use operator::controller::reconcile;
use operator::error::chain;
use operator::leader::{Candidate, Timing, fenced};
use operator::metrics::Metrics;

use crate::quiet::{HandClock, campaign, led};
use crate::server::Server;

const QUICK: Timing = Timing {
    duration: Duration::from_secs(3),
    deadline: Duration::from_secs(2),
    retry: Duration::from_millis(200),
};

fn candidate(client: &Client, identity: &str) -> Candidate {
    Candidate::new(client.clone(), "default", "operator", identity, QUICK)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_and_another_follows_once_it_stands_still_or_gives_way() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let mut first = candidate(&client, "first").lead().await;
    let leads = first.leadership();
    let second = tokio::spawn(candidate(&client, "second").lead());
    let keeps = tokio::spawn(async move { first.keep().await });
    tokio::time::sleep(2 * QUICK.duration).await;
    ensure!(leads.holds() && !second.is_finished(), "who renews it leads on");

    // As a process that is stopped, or whose network is gone.
    keeps.abort();
    let second = tokio::time::timeout(3 * QUICK.duration, second).await.context("nobody follows")??;
    ensure!(!leads.holds(), "two lead at once");
    ensure!(second.leadership().holds());

    let third = tokio::spawn(candidate(&client, "third").lead());
    tokio::time::sleep(5 * QUICK.retry).await;
    ensure!(!third.is_finished());
    second.release().await?;
    tokio::time::timeout(QUICK.duration / 2, third)
        .await
        .context("it was given back, and nobody took it")??;
    let lease: Lease = Api::namespaced(client, "default").get("operator").await?;
    let spec = lease.spec.context("a spec")?;
    let found = (spec.holder_identity.as_deref(), spec.lease_transitions);
    ensure!(found == (Some("third"), Some(2)), "{found:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leads_no_more_writes_nothing() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    campaigns.create(&PostParams::default(), &campaign()?).await?;
    let leader = candidate(&client, "stale").lead().await;
    let (clock, leadership) = (Arc::new(HandClock::new()), leader.leadership());
    // No ledger is asked before there is a table.
    let context = led(client.clone(), "http://127.0.0.1:9", clock, leadership.clone())?;
    let pass =
        async || anyhow::Ok(reconcile(Arc::new(campaigns.get("quiet").await?), Arc::clone(&context)).await?);
    while leadership.holds() {
        tokio::time::sleep(QUICK.retry).await;
    }
    pass().await?;
    let variants: Api<AdVariant> = Api::namespaced(client.clone(), "default");
    let tables: Api<AdTable> = Api::namespaced(client.clone(), "default");
    let written = async || {
        let all = ListParams::default();
        anyhow::Ok((variants.list(&all).await?.items.len(), tables.list(&all).await?.items.len()))
    };
    let phase = async || anyhow::Ok(campaigns.get("quiet").await?.status.and_then(|status| status.phase));
    ensure!(written().await? == (0, 0) && phase().await?.is_none());

    // Wherever it was in the midst of: it reads, and nothing that it writes leaves it.
    let fenced = fenced(server.config().await?, leadership, &Metrics::new())?;
    let campaigns_of_stale: Api<AdCampaign> = Api::namespaced(fenced, "default");
    campaigns_of_stale.get("quiet").await?;
    let refused = campaigns_of_stale.delete("quiet", &DeleteParams::default()).await;
    let refused = refused.err().context("a stale leader deleted a campaign")?;
    ensure!(chain(&refused).contains("another process leads"), "{refused:?}");

    // The same pass of one who leads again.
    let again = candidate(&client, "again").lead().await;
    let context = led(client.clone(), "http://127.0.0.1:9", Arc::new(HandClock::new()), again.leadership())?;
    reconcile(Arc::new(campaigns.get("quiet").await?), context).await?;
    ensure!(written().await? == (2, 1) && phase().await?.is_some());
    Ok(())
}
