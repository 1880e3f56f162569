//! The operator's clock jumps.

use anyhow::ensure;
use api::{AdCampaign, AdVariant, Phase};
use jiff::SignedDuration;
use kube::api::DeleteParams;

use crate::life::{NAME, left, of_people, phase, variant};
use crate::world::{World, none, until};

const A_YEAR: SignedDuration = SignedDuration::from_hours(24 * 365);

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_changes_nothing_and_a_verdict_outlives_it() -> anyhow::Result<()> {
    let world = World::start().await?;
    let _operator = world.operator(none()).await?;
    world.create::<AdCampaign>(&of_people(NAME)).await?;
    until("the experiment", async || Ok(phase(&world).await? == Some(Phase::Running))).await?;
    let running = looked(&world).await?;
    world.clock.jump(-A_YEAR);
    let found = looked(&world).await?;
    ensure!(found == running, "{found}");

    // It can't know that a year has not passed: the experiment ends by its longest time.
    world.clock.jump(2 * A_YEAR);
    world.nudge(NAME).await?;
    until("the verdict", async || Ok(phase(&world).await? == Some(Phase::Decided))).await?;
    let decided = looked(&world).await?;
    world.clock.jump(-A_YEAR);
    let found = looked(&world).await?;
    ensure!(found == decided, "Decided never reopens: {found}");
    Ok(())
}

/// All that is there once the operator has made a pass, which shows by a variant that it makes again.
async fn looked(world: &World) -> anyhow::Result<String> {
    let (variants, challenger) = (world.objects::<AdVariant>(), variant("Your trail is waiting"));
    variants.delete(&challenger, &DeleteParams::default()).await?;
    until("the variant", async || Ok(variants.get(&challenger).await?.status.is_some())).await?;
    left(world).await
}
