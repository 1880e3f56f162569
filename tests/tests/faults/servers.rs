//! The API server or its store is away while campaigns begin.

use std::time::Duration;

use anyhow::ensure;
use api::{AdCampaign, AdTable, AdVariant, Phase};
use cluster::Part;
use kube::ResourceExt;

use crate::life::of_people;
use crate::world::{World, none, until};

/// As many as keep an operator busy while it happens.
const CAMPAIGNS: usize = 80;

/// With this variable etcd is away for a minute, which is longer than any request waits; else for a few seconds.
const ALL: &str = "BROADSIDE_TEST_FAULTS";

async fn begin(world: &World, numbers: std::ops::Range<usize>) -> anyhow::Result<()> {
    for number in numbers {
        world.create::<AdCampaign>(&of_people(&format!("trail-{number}"))).await?;
    }
    Ok(())
}

/// Whether each campaign has what it should have, once, and says so.
async fn all_run(world: &World) -> anyhow::Result<bool> {
    let campaigns = world.list::<AdCampaign>().await?;
    let tables = world.list::<AdTable>().await?;
    let variants = world.list::<AdVariant>().await?;
    Ok(campaigns.len() == CAMPAIGNS
        && tables.len() == CAMPAIGNS
        && variants.len() == 2 * CAMPAIGNS
        && campaigns.iter().all(|campaign| is_running(campaign, &tables)))
}

fn is_running(campaign: &AdCampaign, tables: &[AdTable]) -> bool {
    let Some(status) = &campaign.status else { return false };
    let table = tables.iter().find(|table| Some(table.name_any()) == campaign.uid());
    let ready = status.conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True");
    let reconciles = status.conditions.iter().any(|it| it.type_ == "Reconciling" && it.status == "True");
    ready
        && !reconciles
        && status.phase == Some(Phase::Running)
        && table.is_some_and(|table| status.table_number == Some(table.spec.number))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_restarted_under_load_loses_no_campaign() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let _operator = world.operator(none()).await?;
    begin(&world, 0..CAMPAIGNS / 2).await?;
    world.server.0.kill(Part::ApiServer).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    world.server.0.start_again(Part::ApiServer).await?;
    begin(&world, CAMPAIGNS / 2..CAMPAIGNS).await?;
    until("all campaigns run", async || all_run(&world).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etcd_that_was_away_is_missed_by_nobody_once_it_is_back() -> anyhow::Result<()> {
    let world = World::start().await?;
    begin(&world, 0..CAMPAIGNS).await?;
    // All at once, so that it is in the midst of them.
    let _operator = world.operator(none()).await?;
    until("some run", async || Ok(!world.list::<AdTable>().await?.is_empty())).await?;
    let begun = world.list::<AdTable>().await?.len();
    world.server.0.pause(Part::Etcd)?;
    let seconds = if std::env::var_os(ALL).is_some() { 60 } else { 8 };
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    world.server.0.resume(Part::Etcd)?;
    ensure!(begun < CAMPAIGNS, "all were there before it was away, so the rest shows nothing");
    until("all campaigns run", async || all_run(&world).await).await
}
