//! What was begun before status could tell of it: the operator was killed in between, and its campaign changed before the next one
//! came.

use std::sync::Arc;

use anyhow::ensure;
use api::{AdCampaign, Phase};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::fault::{Fate, Faults};
use crate::life::{NAME, apply, phase};
use crate::world::{World, none, until};

/// A process that is killed once its Job is there.
fn killed_after_the_job(killed: &Arc<Notify>) -> Faults {
    let killed = Arc::clone(killed);
    Arc::new(move |request| match request.method() == http::Method::POST {
        true if request.uri().path().ends_with("/jobs") => Fate::Last(Arc::clone(&killed)),
        _ => Fate::Passes,
    })
}

/// The one Job of a campaign of which status says nothing; the spec is changed then, before another operator comes.
async fn changed_in_between(world: &World, spec: Value) -> anyhow::Result<String> {
    world.clear().await?;
    let killed = Arc::new(Notify::new());
    let operator = world.operator(killed_after_the_job(&killed)).await?;
    apply(world).await?;
    killed.notified().await;
    drop(operator);
    let campaign = world.objects::<AdCampaign>().get(NAME).await?;
    ensure!(campaign.status.is_none_or(|it| it.generation.is_none()), "status tells of the Job already");
    let jobs = world.list::<Job>().await?;
    ensure!(jobs.len() == 1, "{} Jobs", jobs.len());
    let change = Patch::Merge(json!({"spec": spec}));
    world.objects::<AdCampaign>().patch(NAME, &PatchParams::default(), &change).await?;
    Ok(jobs[0].name_any())
}

/// The Jobs that go on.
async fn go_on(world: &World) -> anyhow::Result<Vec<String>> {
    let goes_on = |job: &Job| job.spec.as_ref().is_none_or(|spec| spec.active_deadline_seconds != Some(1));
    Ok(world.list::<Job>().await?.iter().filter(|job| goes_on(job)).map(ResourceExt::name_any).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_which_status_does_not_tell_is_ended_with_its_campaign() -> anyhow::Result<()> {
    let world = World::start().await?;
    changed_in_between(&world, json!({"schedule": {"endsAt": "2026-03-01T11:59:59Z"}})).await?;
    let _operator = world.operator(none()).await?;
    until("the end", async || Ok(phase(&world).await? == Some(Phase::Decided))).await?;
    until("the end of the Job", async || Ok(go_on(&world).await?.is_empty())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_which_status_does_not_tell_is_ended_when_another_is_asked_for() -> anyhow::Result<()> {
    let world = World::start().await?;
    let first = changed_in_between(&world, json!({"generation": {"seed": 2}})).await?;
    let _operator = world.operator(none()).await?;
    until("the other Job alone", async || {
        let jobs = go_on(&world).await?;
        Ok(jobs.len() == 1 && jobs[0] != first)
    })
    .await?;
    until("the new Job's status", async || Ok(phase(&world).await? == Some(Phase::Generating))).await
}
