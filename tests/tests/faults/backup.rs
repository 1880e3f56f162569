//! etcd is put back to an older backup, while the ledger has counted on.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use api::wire::totals::TotalsResponse;
use api::{AdCampaign, AdTable, Phase};
use cluster::Part;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::gateway::GatewayProcess;
use crate::life::{NAME, of_people, phase};
use crate::world::{World, none, until};

/// More than chance would let fall on one arm.
const PEOPLE: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn people_are_drawn_anew_where_more_was_counted_than_a_restored_table_knows() -> anyhow::Result<()> {
    let mut world = World::start().await?;
    let operator = world.operator(none()).await?;
    let gateway = GatewayProcess::start("all", &world.server.kubeconfig()).await?;
    world.create::<AdCampaign>(&of_people(NAME)).await?;
    until("the experiment", async || Ok(phase(&world).await? == Some(Phase::Running))).await?;
    let backup = tempfile::tempdir()?;
    back_up(&mut world, backup.path()).await?;

    // Two rounds that the backup does not know, in the second of which people are counted.
    let known = round(&world).await?;
    suspend(&world, true, known + 1).await?;
    suspend(&world, false, known + 2).await?;
    until("the round in decisions", async || {
        Ok(decide(&gateway, "alice").await?["round"] == json!(known + 2))
    })
    .await?;
    for person in 0..PEOPLE {
        expose(&world, &gateway, &format!("before-{person}")).await?;
    }
    until("the sums", async || Ok(counted(&world).await?.1 == PEOPLE as u64)).await?;
    let (seed, newest) = (counted(&world).await?.0, table(&world).await?.spec.number);

    drop((operator, gateway));
    restore(&mut world, backup.path()).await?;
    ensure!(table(&world).await?.spec.number < newest, "the backup is not older");
    let _operator = world.operator(none()).await?;
    until("a table above all that there were", async || {
        let spec = table(&world).await?.spec;
        Ok(spec.number > newest && spec.placements[0].seed > seed)
    })
    .await?;
    let gateway = GatewayProcess::start("all", &world.server.kubeconfig()).await?;
    let served = round(&world).await?;
    ensure!(served > known + 2, "round {served} was there before, with other shares");
    until("the new draw", async || Ok(decide(&gateway, "alice").await?["round"] == json!(served))).await?;
    expose(&world, &gateway, "after").await
}

/// The copy is one of a store that nobody writes to.
async fn back_up(world: &mut World, to: &Path) -> anyhow::Result<()> {
    away(world).await?;
    copy(&world.server.0.data(), to)?;
    back(world).await
}

async fn restore(world: &mut World, from: &Path) -> anyhow::Result<()> {
    away(world).await?;
    let data = world.server.0.data();
    std::fs::remove_dir_all(&data)?;
    std::fs::create_dir(&data)?;
    copy(from, &data)?;
    back(world).await
}

async fn away(world: &World) -> anyhow::Result<()> {
    world.server.0.kill(Part::ApiServer).await?;
    Ok(world.server.0.kill(Part::Etcd).await?)
}

async fn back(world: &mut World) -> anyhow::Result<()> {
    world.server.0.start_again(Part::Etcd).await?;
    Ok(world.server.0.start_again(Part::ApiServer).await?)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let status = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status()?;
    ensure!(status.success(), "cp: {status}");
    Ok(())
}

async fn suspend(world: &World, suspend: bool, opens: u64) -> anyhow::Result<()> {
    let patch = Patch::Merge(json!({"spec": {"suspend": suspend}}));
    world.objects::<AdCampaign>().patch(NAME, &PatchParams::default(), &patch).await?;
    until("the table's round", async || Ok(round(world).await? == opens)).await
}

async fn table(world: &World) -> anyhow::Result<AdTable> {
    world.list::<AdTable>().await?.pop().context("a table")
}

/// The number of the round in force.
async fn round(world: &World) -> anyhow::Result<u64> {
    let rounds = &table(world).await?.spec.placements[0].rounds;
    Ok(rounds.last().context("a round")?.number.into())
}

async fn decide(gateway: &GatewayProcess, subject: &str) -> anyhow::Result<Value> {
    let question = json!({"namespace": "default", "campaign": NAME, "placement": "hero", "subject": subject});
    post(gateway, "/v1/decide", &question).await
}

async fn expose(world: &World, gateway: &GatewayProcess, subject: &str) -> anyhow::Result<()> {
    let token = decide(gateway, subject).await?["token"].take();
    let events = json!({"events": [{"id": "1", "token": token, "type": "exposure"}]});
    let answer = post(&world.ledger, "/v1/events", &events).await?;
    ensure!(answer["outcomes"][0]["outcome"] == json!("accepted"), "{answer}");
    Ok(())
}

async fn post(gateway: &GatewayProcess, path: &str, body: &Value) -> anyhow::Result<Value> {
    let request = reqwest::Client::new().post(format!("{}{path}", gateway.url)).json(body);
    Ok(request.send().await?.json().await?)
}

/// The newest seed under which people were counted, and how many.
async fn counted(world: &World) -> anyhow::Result<(i64, u64)> {
    let uid = world.objects::<AdCampaign>().get(NAME).await?.uid().context("a UID")?;
    let url = format!("{}/v1/totals?campaign={uid}", world.ledger.url);
    let totals: TotalsResponse = reqwest::get(url).await?.json().await?;
    let newest = totals.placements.iter().max_by_key(|it| it.seed).context("nothing is counted")?;
    Ok((newest.seed, newest.cells.iter().map(|cell| cell.exposures).sum()))
}
