//! The operator is killed between what it does and the status that tells of it, and the campaign changes before the next one comes.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, Phase};
use http::{Method, Request};
use jiff::SignedDuration;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::fault::{Fate, Faults};
use crate::life::{BEGINS, NAME, apply, of_people, phase, served};
use crate::world::{World, none, until};

/// A process that is killed once a request of that kind was carried out.
fn killed_after(is_last: fn(&Request<Body>) -> bool, killed: &Arc<Notify>) -> Faults {
    let killed = Arc::clone(killed);
    Arc::new(move |request| match is_last(request) {
        true => Fate::Last(Arc::clone(&killed)),
        false => Fate::Passes,
    })
}

fn makes_a_job(request: &Request<Body>) -> bool {
    request.method() == Method::POST && request.uri().path().ends_with("/jobs")
}

fn is_rehearsed(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.contains("dryRun=All"))
}

/// An operator begins with what was applied, and is killed after that request.
async fn killed(
    world: &World,
    is_last: fn(&Request<Body>) -> bool,
    campaign: Option<Value>,
) -> anyhow::Result<()> {
    world.clock.set(BEGINS);
    let killed = Arc::new(Notify::new());
    let _operator = world.operator(killed_after(is_last, &killed)).await?;
    match campaign {
        Some(campaign) => drop(world.create::<AdCampaign>(&campaign).await?),
        None => apply(world).await?,
    }
    let is_killed = tokio::time::timeout(Duration::from_secs(60), killed.notified()).await;
    is_killed.context("there was no such request")
}

async fn change(world: &World, spec: Value) -> Result<AdCampaign, kube::Error> {
    let change = Patch::Merge(json!({"spec": spec}));
    world.objects::<AdCampaign>().patch(NAME, &PatchParams::default(), &change).await
}

fn days_that_are_over() -> Value {
    json!({"schedule": {"endsAt": BEGINS - SignedDuration::from_secs(1)}})
}

async fn is_decided(world: &World) -> anyhow::Result<bool> {
    Ok(phase(world).await? == Some(Phase::Decided))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_asked_about_alone_leaves_the_spec_to_people() -> anyhow::Result<()> {
    let world = World::start().await?;
    killed(&world, |request| makes_a_job(request) && is_rehearsed(request), None).await?;
    ensure!(world.list::<Job>().await?.is_empty(), "it was made");
    change(&world, json!({"generation": {"seed": 2}})).await?;
    let _operator = world.operator(none()).await?;
    until("the Job", async || Ok(phase(&world).await? == Some(Phase::Generating))).await?;
    until("the one Job", async || Ok(world.list::<Job>().await?.len() == 1)).await?;
    let told = world.objects::<AdCampaign>().get(NAME).await?.status.and_then(|status| status.generation);
    let jobs = world.list::<Job>().await?;
    ensure!(told.is_some_and(|told| told.job == jobs[0].name_any()), "status tells of another than {jobs:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_there_is_told_and_binds_the_spec_and_ends_with_its_campaign() -> anyhow::Result<()> {
    let world = World::start().await?;
    killed(&world, |request| makes_a_job(request) && !is_rehearsed(request), None).await?;
    ensure!(world.list::<Job>().await?.len() == 1, "it was not made");
    let refused = change(&world, json!({"generation": {"seed": 2}})).await;
    ensure!(matches!(&refused, Err(kube::Error::Api(status)) if status.is_invalid()), "{refused:?}");
    change(&world, days_that_are_over()).await?;
    let _operator = world.operator(none()).await?;
    until("the end", async || is_decided(&world).await).await?;
    until("the end of the Job", async || {
        let jobs = world.list::<Job>().await?;
        Ok(jobs.len() == 1 && jobs[0].spec.as_ref().is_some_and(|it| it.active_deadline_seconds == Some(1)))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_of_which_status_does_not_tell_ends_when_its_days_are_over() -> anyhow::Result<()> {
    let world = World::start().await?;
    let publishes = |request: &Request<Body>| request.uri().path().contains("/adtables/");
    killed(&world, publishes, Some(of_people(NAME))).await?;
    let told = world.objects::<AdCampaign>().get(NAME).await?.status.unwrap_or_default();
    ensure!(told.placements.is_empty() && served(&world).await?.len() == 2, "status tells of it: {told:?}");
    change(&world, days_that_are_over()).await?;
    let _operator = world.operator(none()).await?;
    until("the end", async || is_decided(&world).await).await?;
    until("the control alone", async || Ok(served(&world).await?.len() == 1)).await
}
