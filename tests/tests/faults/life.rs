//! One campaign from its manifest to its verdict, as people and a worker bring it on, and all that it leaves.

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdModel, AdReview, AdTable, AdVariant, GenerationOutcome, Phase, Slots, VariantState};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, ServiceAccount};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::world::{World, until};

pub(crate) const NAME: &str = "trail";

/// When every life begins.
pub(crate) const BEGINS: Timestamp = Timestamp::constant(1_772_366_400, 0);

/// Longer than the experiment may last.
const LONG: SignedDuration = SignedDuration::from_hours(24 * 40);

const CONTROL: &str = "Meet the Aero Trail 3";
const CHALLENGER: &str = "Your trail is waiting";
const WRITTEN: [&str; 2] = ["Made for the weekend", "Run where it is quiet"];

/// A campaign of that name, of which people have to approve all that is tested.
pub(crate) fn campaign(name: &str) -> Value {
    json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign", "metadata": {"name": name},
        "spec": {
            "brief": {"product": "Aero Trail 3"}, "approval": "Manual", "generation": {"model": "handbill"},
            "placements": [{
                "name": "hero", "format": "WebBanner", "delivery": {"gateway": {}},
                "control": slots(CONTROL), "challengers": [slots(CHALLENGER)], "variants": 2,
                "metric": {"name": "product-view", "kind": "Binary", "window": "1s"},
                "round": {"minimum": "4s"},
            }],
        },
    })
}

/// The same, of people's copy alone, which is served at once.
pub(crate) fn of_people(name: &str) -> Value {
    let mut campaign = campaign(name);
    let spec = campaign["spec"].as_object_mut().expect("it is one");
    spec.retain(|field, _| !matches!(field.as_str(), "approval" | "generation"));
    spec["placements"][0]["variants"] = json!(0);
    campaign
}

pub(crate) fn slots(headline: &str) -> Slots {
    [("headline", headline), ("button", "Shop now")].map(|(slot, text)| (slot.into(), text.into())).into()
}

/// The name of a variant of the campaign, by its headline.
pub(crate) fn variant(headline: &str) -> String {
    api::name::variant(NAME, "hero", &slots(headline))
}

/// A whole life, and what it left. Each step ends once the operator has said what it made of it.
pub(crate) async fn live(world: &World) -> anyhow::Result<String> {
    world.clock.set(BEGINS);
    begin(world).await?;
    write(world).await?;
    let tables = served(world).await?;
    ensure!(tables == [variant(CONTROL)], "served before anybody approved it: {tables:?}");
    let [one, another] = WRITTEN;
    say(world, "approval", "Approve", &[CHALLENGER, one, another]).await?;
    until("the experiment", async || Ok(served(world).await?.len() == 4 && told(world).await?)).await?;
    say(world, "recall", "Reject", &[one]).await?;
    until("the recall", async || Ok(is_rejected(world, one).await? && told(world).await?)).await?;
    ensure!(!served(world).await?.contains(&variant(one)), "it was rejected");
    world.clock.jump(LONG);
    world.nudge(NAME).await?;
    until("the verdict", async || Ok(phase(world).await? == Some(Phase::Decided))).await?;
    // A pass that began with what was so a moment before may have the last word on a variant, until the next one.
    until("the control alone", async || Ok(share(world, CONTROL).await?.as_deref() == Some("100%"))).await?;
    left(world).await
}

/// Model and campaign, until a worker is asked.
pub(crate) async fn begin(world: &World) -> anyhow::Result<()> {
    apply(world).await?;
    asked(world).await
}

pub(crate) async fn apply(world: &World) -> anyhow::Result<()> {
    let model = json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdModel", "metadata": {"name": "handbill"},
        "spec": {"source": {"image": {"reference": "broadside.local/handbill:dev"}}},
    });
    world.create::<AdModel>(&model).await?;
    world.create::<AdCampaign>(&campaign(NAME)).await.map(drop)
}

pub(crate) async fn asked(world: &World) -> anyhow::Result<()> {
    let asked =
        async || Ok(!world.list::<Job>().await?.is_empty() && phase(world).await? == Some(Phase::Generating));
    until("the Job", asked).await
}

/// What the worker does: its variants, one after the other, and the end of its Job; until people are asked.
pub(crate) async fn write(world: &World) -> anyhow::Result<()> {
    for (headline, index) in WRITTEN.iter().zip(0..) {
        deliver(world, headline, index).await?;
    }
    end_job(world).await?;
    until("the outcome", async || {
        let status = world.objects::<AdCampaign>().get(NAME).await?.status.unwrap_or_default();
        let complete = status.generation.is_some_and(|it| it.outcome == GenerationOutcome::Complete);
        Ok(complete && status.phase == Some(Phase::Reviewing))
    })
    .await
}

pub(crate) async fn deliver(world: &World, headline: &str, index: u32) -> anyhow::Result<AdVariant> {
    let owner = world.objects::<AdCampaign>().get(NAME).await?.controller_owner_ref(&());
    let variant = json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdVariant",
        "metadata": {"name": variant(headline), "ownerReferences": [owner.context("an owner")?]},
        "spec": {
            "campaign": NAME, "placement": "hero", "origin": "Generated", "slots": slots(headline),
            "provenance": {
                "modelDigest": "0".repeat(64), "promptDigest": "0".repeat(64), "rulesVersion": "1",
                "engineVersion": "1", "seed": 1, "index": index, "attempt": 0,
            },
        },
    });
    world.create(&variant).await
}

async fn end_job(world: &World) -> anyhow::Result<()> {
    let jobs = world.list::<Job>().await?;
    ensure!(jobs.len() == 1, "{} Jobs", jobs.len());
    let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": BEGINS});
    let status = json!({"status": {
        "startTime": BEGINS, "completionTime": BEGINS, "succeeded": 1,
        "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
    }});
    let name = jobs[0].name_any();
    world.objects::<Job>().patch_status(&name, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

/// A person's word.
async fn say(world: &World, name: &str, decision: &str, headlines: &[&str]) -> anyhow::Result<()> {
    world.policy_in_force().await;
    let campaign = world.objects::<AdCampaign>().get(NAME).await?;
    let read = |headline: &&str| json!({"name": variant(headline), "digest": api::name::copy_digest(&slots(headline))});
    let review = json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdReview", "metadata": {"name": name},
        "spec": {
            "campaign": {"name": NAME, "uid": campaign.uid()}, "decision": decision, "reviewer": "alice",
            "variants": headlines.iter().map(read).collect::<Vec<_>>(),
        },
    });
    world.create::<AdReview>(&review).await.map(drop)
}

pub(crate) async fn phase(world: &World) -> anyhow::Result<Option<Phase>> {
    Ok(world.objects::<AdCampaign>().get(NAME).await?.status.and_then(|status| status.phase))
}

/// What a variant says of its share.
async fn share(world: &World, headline: &str) -> anyhow::Result<Option<String>> {
    let status = world.objects::<AdVariant>().get(&variant(headline)).await?.status;
    Ok(status.and_then(|status| status.share).map(|share| share.0))
}

async fn is_rejected(world: &World, headline: &str) -> anyhow::Result<bool> {
    let status = world.objects::<AdVariant>().get(&variant(headline)).await?.status.unwrap_or_default();
    Ok(status.state == Some(VariantState::Rejected))
}

/// Whether the status tells of the table that is there: it is the last that a pass writes.
async fn told(world: &World) -> anyhow::Result<bool> {
    let status = world.objects::<AdCampaign>().get(NAME).await?.status.unwrap_or_default();
    let tables = world.list::<AdTable>().await?;
    Ok(tables.iter().any(|table| status.table_number == Some(table.spec.number)))
}

/// The variants with a share in the rounds that are in force.
pub(crate) async fn served(world: &World) -> anyhow::Result<Vec<String>> {
    let tables = world.list::<AdTable>().await?;
    let rows = tables.iter().flat_map(|table| &table.spec.placements);
    let served = rows.filter_map(|row| Some((row, row.rounds.last()?))).flat_map(|(row, round)| {
        let arms = row.variants.iter().enumerate().filter(|(arm, _)| round.gives(*arm));
        arms.map(|(_, variant)| variant.name.clone())
    });
    Ok(served.collect())
}

/// All that there is of the campaign, but for what two lives can't have in common: its UID, what was made from it, how
/// many tables it took, as two changes may come in one, and the last millionths of shares, as numbers may be there or not.
pub(crate) async fn left(world: &World) -> anyhow::Result<String> {
    let mut campaign = world.objects::<AdCampaign>().get(NAME).await?;
    let mut tables = world.list::<AdTable>().await?;
    let told = campaign.status.as_mut().and_then(|status| status.table_number.take());
    for table in &mut tables {
        ensure!(told == Some(table.spec.number), "status tells of table {told:?}: {:?}", table.spec);
        table.spec.number = 0;
        let rounds = table.spec.placements.iter_mut().flat_map(|row| &mut row.rounds);
        let allocations = rounds.flat_map(|round| &mut round.allocations);
        allocations.flat_map(|it| &mut it.shares).for_each(|share| *share = (*share + 500) / 1000);
    }
    let variants = world.list::<AdVariant>().await?;
    let configs = world.list::<ConfigMap>().await?;
    let left = json!({
        "variants": variants.iter().map(|it| json!([it.name_any(), it.spec, it.status])).collect::<Vec<_>>(),
        "jobs": names(&world.list::<Job>().await?),
        "tables": tables.iter().map(|it| json!(it.spec)).collect::<Vec<_>>(),
        "configs": names(&configs),
        "accounts": names(&world.list::<ServiceAccount>().await?),
        "bindings": names(&world.list::<RoleBinding>().await?),
        "reviews": world.list::<AdReview>().await?.iter().map(|it| json!([it.name_any(), it.status])).collect::<Vec<_>>(),
        "status": campaign.status,
    });
    let mut text = serde_json::to_string_pretty(&left)?.replace(&campaign.uid().context("a UID")?, "UID");
    if let Some(generation) = campaign.status.as_ref().and_then(|status| status.generation.as_ref()) {
        text = text.replace(&generation.job, "JOB");
    }
    let placements = campaign.status.into_iter().flat_map(|status| status.placements);
    let evidence = placements.filter_map(|placement| placement.verdict?.evidence);
    Ok(evidence.fold(text, |text, digest| text.replace(&digest, "DIGEST").replace(&digest[..16], "DIGEST")))
}

fn names<K: Resource>(objects: &[K]) -> Vec<String> {
    objects.iter().map(ResourceExt::name_any).collect()
}

/// The lines in which two lives differ; nothing where they are the same.
pub(crate) fn difference(expected: &str, found: &str) -> Option<String> {
    let missing = expected.lines().filter(|line| !found.contains(line)).map(|line| format!("- {line}"));
    let added = found.lines().filter(|line| !expected.contains(line)).map(|line| format!("+ {line}"));
    let lines: Vec<String> = missing.chain(added).collect();
    (expected != found).then(|| lines.join("\n"))
}
