//! What may not change is refused by the definitions themselves, whoever asks: no operator runs here.

use anyhow::Context;
use api::{AdCampaign, AdTable, AdVariant};
use kube::api::{Patch, PatchParams};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::server::Server;

/// Applies objects as the strongest can: server-side, and by force.
struct Objects<K>(Api<K>);

impl<K> Objects<K>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Serialize
        + std::fmt::Debug,
{
    async fn of(server: &Server) -> anyhow::Result<Self> {
        Ok(Self(Api::namespaced(server.client().await?, "default")))
    }

    /// What is said against it; nothing where it is taken.
    async fn refusal(&self, object: &Value) -> anyhow::Result<Option<String>> {
        let name = object["metadata"]["name"].as_str().context("a name")?;
        match self.0.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await {
            Ok(_) => Ok(None),
            Err(kube::Error::Api(status)) => Ok(Some(status.message.clone())),
            Err(error) => Err(error.into()),
        }
    }

    async fn check(&self, sentence: &str, object: &Value, expected: Option<&str>) -> anyhow::Result<()> {
        let refusal = self.refusal(object).await?;
        match (&refusal, expected) {
            (None, None) => Ok(()),
            (Some(said), Some(part)) if said.contains(part) => Ok(()),
            _ => anyhow::bail!("{sentence}: expected {expected:?}, the server said {refusal:?}"),
        }
    }
}

const UID: &str = "2f1c9a52-3b1e-4a3c-9a41-5d0b6f3f7c11";

fn table(number: i64, share: u32) -> Value {
    json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdTable", "metadata": {"name": UID},
        "spec": {"number": number, "campaign": {"name": "trail", "uid": UID}, "placements": [{
            "name": "hero", "format": "WebBanner", "seed": 1,
            "metric": {"name": "product-view", "kind": "Binary", "windowSeconds": 60},
            "variants": [
                {"name": "one", "digest": "0".repeat(64), "slots": {"headline": "One"}},
                {"name": "two", "digest": "1".repeat(64), "slots": {"headline": "Two"}},
            ],
            "rounds": [{"number": 1, "openedAt": "2026-03-01T12:00:00Z", "maturedExposures": 0,
                "allocations": [{"segments": ["all"], "shares": [share, 1_000_000 - share]}]}],
        }]},
    })
}

#[tokio::test]
async fn a_tables_number_never_falls_and_another_table_has_another_number() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let tables: Objects<AdTable> = Objects::of(&server).await?;
    tables.check("the first", &table(5, 500_000), None).await?;
    tables.check("the same again", &table(5, 500_000), None).await?;
    tables.check("the next", &table(6, 400_000), None).await?;
    tables.check("a lower number", &table(5, 500_000), Some("number")).await?;
    tables.check("the same number with other shares", &table(6, 300_000), Some("number")).await?;
    tables.check("a jump", &table(60, 300_000), None).await
}

fn campaign(headline: &str, suspend: bool) -> Value {
    json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdCampaign", "metadata": {"name": "trail"},
        "spec": {"suspend": suspend, "brief": {"product": "Aero Trail 3"}, "placements": [{
            "name": "hero", "format": "WebBanner", "delivery": {"gateway": {}},
            "control": {"headline": headline, "button": "Go"}, "challengers": [{"headline": "Run", "button": "Go"}],
            "metric": {"name": "product-view", "kind": "Binary", "window": "1m"},
        }]},
    })
}

/// The status of a campaign whose experiment has begun.
fn begun() -> Value {
    let variant =
        |name: &str| json!({"name": name, "origin": "Control", "share": "50%", "exposures": 0, "rewards": 0});
    json!({"status": {"placements": [{
        "name": "hero", "seed": 1, "control": "one", "samples": 0, "variants": [variant("one"), variant("two")],
        "round": {"number": 1, "openedAt": "2026-03-01T12:00:00Z", "shares": "even"},
    }]}})
}

#[tokio::test]
async fn a_campaign_may_be_mended_until_it_begins_and_only_suspended_or_ended_afterwards()
-> anyhow::Result<()> {
    let server = Server::start().await?;
    let campaigns: Objects<AdCampaign> = Objects::of(&server).await?;
    campaigns.check("the first", &campaign("Meet it", false), None).await?;
    campaigns.check("mended before it begins", &campaign("Meet it now", false), None).await?;
    let mut dry = campaign("Meet it now", false);
    dry["spec"]["dryRun"] = true.into();
    let stays = Some("a launch never becomes one");
    campaigns.check("a launch becomes a dry run before it begins", &dry, stays).await?;
    dry["metadata"]["name"] = "dry".into();
    campaigns.check("a dry run", &dry, None).await?;
    dry["spec"]["dryRun"] = false.into();
    campaigns.check("a dry run becomes a launch before it begins", &dry, stays).await?;
    dry["spec"].as_object_mut().context("a spec")?.remove("dryRun");
    campaigns.check("the same by leaving it out", &dry, stays).await?;
    campaigns.0.patch_status("trail", &PatchParams::default(), &Patch::Merge(&begun())).await?;
    campaigns.check("suspended", &campaign("Meet it now", true), None).await?;
    campaigns.check("resumed", &campaign("Meet it now", false), None).await?;
    let frozen = Some("only suspend and schedule may change");
    campaigns.check("other copy", &campaign("Meet it", false), frozen).await?;
    let changed = |field: &str, value: Value| {
        let mut changed = campaign("Meet it now", false);
        changed["spec"][field] = value;
        changed
    };
    let variables = json!([{"name": "first_name", "maximumLength": 9, "fallback": "you"}]);
    campaigns.check("a variable", &changed("variables", variables), frozen).await?;
    let part = json!({"group": "checkout", "share": "50%"});
    campaigns.check("other people", &changed("exclusion", part.clone()), frozen).await?;
    campaigns.check("a holdout", &changed("holdout", part), frozen).await?;
    let reviewed = |headline: &str, approval: &str| {
        let mut campaign = campaign(headline, false);
        (campaign["metadata"]["name"], campaign["spec"]["approval"]) = ("reviewed".into(), approval.into());
        campaign
    };
    let waits = json!({"status": {"placements": [{
        "name": "hero", "seed": 1, "control": "one", "samples": 0, "variants": [],
        "round": {"number": 1, "openedAt": "2026-03-01T12:00:00Z", "shares": "the control alone"},
    }]}});
    campaigns.check("a review", &reviewed("Meet it", "Manual"), None).await?;
    campaigns.check("mended before it begins", &reviewed("Meet it now", "Manual"), None).await?;
    campaigns.0.patch_status("reviewed", &PatchParams::default(), &Patch::Merge(&waits)).await?;
    campaigns.check("other copy under review", &reviewed("Meet it", "Manual"), frozen).await?;
    campaigns.check("the review taken away", &reviewed("Meet it now", "Automatic"), frozen).await?;
    campaigns.check("a brand", &changed("rules", json!({"brand": "acme"})), frozen).await?;
    let ends = |at: &str| changed("schedule", json!({"startsAt": "2026-03-01T12:00:00Z", "endsAt": at}));
    let earlier = Some("endsAt must be later");
    campaigns.check("an end before the start", &ends("2026-03-01T13:00:00+02:00"), earlier).await?;
    campaigns.check("an end", &ends("2026-03-08T12:00:00Z"), None).await?;
    campaigns.check("a later one", &ends("2026-03-09T12:00:00Z"), None).await?;
    let decided = json!({"status": {"conditions": [{
        "type": "Decided", "status": "True", "reason": "Winner", "message": "", "lastTransitionTime": "2026-03-09T12:00:00Z",
    }]}});
    campaigns.0.patch_status("trail", &PatchParams::default(), &Patch::Merge(&decided)).await?;
    let reopened = Some("does not reopen");
    campaigns.check("longer after the end", &ends("2026-03-10T12:00:00Z"), reopened).await?;
    campaigns.check("no end after the end", &campaign("Meet it now", false), reopened).await?;
    let mut suspended = ends("2026-03-09T12:00:00Z");
    suspended["spec"]["suspend"] = true.into();
    campaigns.check("suspended after the end", &suspended, None).await
}

/// What a piece of copy of the largest format needs, and no more than an object should hold.
#[tokio::test]
async fn copy_has_room_for_thirty_two_texts() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let campaigns: Objects<AdCampaign> = Objects::of(&server).await?;
    let campaign = |slots: usize| {
        let mut campaign = campaign("Meet it", false);
        let texts: api::Slots =
            (1..=slots).map(|number| (format!("headline{number}"), "Run".to_owned())).collect();
        campaign["spec"]["placements"][0]["control"] = json!(texts);
        campaign
    };
    campaigns.check("thirty-two", &campaign(32), None).await?;
    campaigns.check("one more", &campaign(33), Some("at most 32")).await
}

#[tokio::test]
async fn a_variant_never_changes() -> anyhow::Result<()> {
    let server = Server::start().await?;
    let variants: Objects<AdVariant> = Objects::of(&server).await?;
    let slots = api::Slots::from([("headline".to_owned(), "Meet it".to_owned())]);
    let name = api::name::variant("trail", "hero", &slots);
    let variant = |headline: &str| {
        json!({
            "apiVersion": "broadside.dev/v1alpha1", "kind": "AdVariant", "metadata": {"name": name},
            "spec": {"campaign": "trail", "placement": "hero", "origin": "Challenger", "slots": {"headline": headline}},
        })
    };
    variants.check("the first", &variant("Meet it"), None).await?;
    variants.check("the same again", &variant("Meet it"), None).await?;
    variants.check("other words", &variant("Buy it"), Some("never changes")).await
}
