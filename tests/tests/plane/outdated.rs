//! What a pass found is of yesterday once somebody else has written meanwhile: it overwrites nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdTable};
use kube::api::{Patch, PatchParams, PostParams};
use kube::client::ClientBuilder;
use kube::{Api, Client, ResourceExt};
use operator::controller::reconcile;
use operator::error::Error;
use operator::leader::Leadership;
use serde_json::json;
use tokio::runtime::Handle;
use tower::ServiceBuilder;

use crate::quiet::{HandClock, campaign, led};
use crate::server::Server;

/// A client that lets another write the table first, once, when a pass is about to.
async fn overtaken(server: &Server, uid: String) -> anyhow::Result<Client> {
    let tables: Api<AdTable> = Api::namespaced(server.client().await?, "default");
    let (runtime, waits) = (Handle::current(), Arc::new(AtomicBool::new(true)));
    let layer = ServiceBuilder::new()
        .map_request(move |request: http::Request<kube::client::Body>| {
            let is_table =
                request.uri().path().contains("/adtables/") && request.method() == http::Method::PATCH;
            if is_table && waits.swap(false, Ordering::Relaxed) {
                let other = json!({ "spec": { "number": 7 } });
                let params = PatchParams::default();
                let patch = Patch::Merge(&other);
                let write = tables.patch(&uid, &params, &patch);
                tokio::task::block_in_place(|| runtime.block_on(write)).expect("the other writes");
            }
            request
        })
        .into_inner();
    Ok(ClientBuilder::try_from(server.config().await?)?.with_layer(&layer).build())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_written_meanwhile_is_not_overwritten() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let client = server.client().await?;
    let campaigns: Api<AdCampaign> = Api::namespaced(client.clone(), "default");
    let tables: Api<AdTable> = Api::namespaced(client.clone(), "default");
    let campaign = campaigns.create(&PostParams::default(), &campaign()?).await?;
    let uid = campaign.uid().context("a UID")?;
    // No ledger answers, and the experiment goes on without.
    let pass = async |client: Client| {
        let clock = Arc::new(HandClock::new());
        let context = led(client, "http://127.0.0.1:9", clock, Leadership::alone())?;
        match reconcile(Arc::new(campaigns.get("quiet").await?), context).await {
            Ok(_) | Err(Error::Outdated) => {}
            Err(error) => return Err(error.into()),
        }
        let told = campaigns.get("quiet").await?.status.and_then(|status| status.table_number);
        anyhow::Ok((tables.get(&uid).await?.spec.number, told))
    };
    let first = pass(client.clone()).await?;
    ensure!(first == (1, Some(1)), "{first:?}");

    let suspended = json!({ "spec": { "suspend": true } });
    campaigns.patch("quiet", &PatchParams::default(), &Patch::Merge(&suspended)).await?;
    let overtaken = pass(overtaken(&server, uid.clone()).await?).await?;
    ensure!(overtaken == (7, Some(1)), "the other's table stays, and nothing is told: {overtaken:?}");

    let next = pass(client).await?;
    ensure!(next == (8, Some(8)), "{next:?}");
    Ok(())
}
