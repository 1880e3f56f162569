//! Somebody deletes or edits what the operator made.

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdTable, AdVariant, Phase, VariantState};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::life::{NAME, asked, begin, of_people, phase, served, variant, write};
use crate::world::{World, none, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_by_hand_is_made_again_once() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _operator = world.operator(none()).await?;
    begin(&world).await?;
    let job = world.list::<Job>().await?.remove(0);
    world.objects::<Job>().delete(&job.name_any(), &DeleteParams::background()).await?;
    until("another Job", async || {
        let jobs = world.list::<Job>().await?;
        Ok(jobs.len() == 1 && jobs[0].name_any() == job.name_any() && jobs[0].uid() != job.uid())
    })
    .await?;
    asked(&world).await?;
    write(&world).await?;

    // Its outcome is on record, so its work is not done again.
    world.objects::<Job>().delete(&job.name_any(), &DeleteParams::background()).await?;
    let control = variant("Meet the Aero Trail 3");
    let variants = world.objects::<AdVariant>();
    let before = variants.get(&control).await?;
    variants.delete(&control, &DeleteParams::default()).await?;
    until("the control", async || {
        let again = variants.get(&control).await?;
        let served = again.status.is_some_and(|it| it.state == Some(VariantState::Served));
        Ok(served && again.metadata.uid != before.metadata.uid && again.spec == before.spec)
    })
    .await?;
    ensure!(world.list::<Job>().await?.is_empty(), "finished work was begun again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_table_comes_back_above_its_number_and_with_another_draw() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _operator = world.operator(none()).await?;
    world.create::<AdCampaign>(&of_people(NAME)).await?;
    until("the experiment", async || Ok(phase(&world).await? == Some(Phase::Running))).await?;
    let before = world.list::<AdTable>().await?.remove(0);
    world.objects::<AdTable>().delete(&before.name_any(), &DeleteParams::default()).await?;
    until("the table", async || {
        let table = world.objects::<AdTable>().get(&before.name_any()).await?;
        let (row, was) = (&table.spec.placements[0], &before.spec.placements[0]);
        Ok(table.spec.number > before.spec.number && row.seed > was.seed && row.variants == was.variants)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_edited_by_hand_is_put_right() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _operator = world.operator(none()).await?;
    begin(&world).await?;
    write(&world).await?;
    let (by_hand, force) = (PatchParams::default(), PatchParams::apply("somebody").force());

    // A state that the operator did not give.
    let challenger = variant("Your trail is waiting");
    let variants = world.objects::<AdVariant>();
    let said = Patch::Merge(json!({"status": {"state": "Served"}}));
    variants.patch_status(&challenger, &by_hand, &said).await?;
    until("its state", async || {
        let status = variants.get(&challenger).await?.status.context("a status")?;
        Ok(status.state == Some(VariantState::InReview))
    })
    .await?;

    // An arm that nobody approved, with all of the traffic.
    let mut table = world.list::<AdTable>().await?.remove(0);
    table.spec.number += 1;
    let row = &mut table.spec.placements[0];
    row.variants.push(row.in_review.remove(0));
    row.rounds[0].allocations[0].shares = vec![0, 1_000_000];
    let written = json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdTable",
        "metadata": {"name": table.name_any()}, "spec": table.spec,
    });
    world.objects::<AdTable>().patch(&table.name_any(), &force, &Patch::Apply(&written)).await?;
    let control = [variant("Meet the Aero Trail 3")];
    until("the control alone", async || Ok(served(&world).await? == control)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_finds_what_it_was_given_though_somebody_deleted_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _operator = world.operator(none()).await?;
    begin(&world).await?;
    let (briefs, brief) = (world.objects::<ConfigMap>(), api::name::brief_config(NAME));
    let before = briefs.get(&brief).await?;
    briefs.delete(&brief, &DeleteParams::default()).await?;
    world.nudge(NAME).await?;
    until("the brief", async || Ok(briefs.get(&brief).await?.data == before.data)).await
}
