//! What is served is what people approved, each in their own name: the chart's admission policy on a real API server, the
//! operator's loop, and the command line as its users run it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdReview, AdTable, AdVariant, ReviewState, Scope};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicyBinding;
use kube::api::{DeleteParams, ListParams, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use operator::controller::run;
use operator::leader::Leadership;
use serde_json::{Value, json};
use stage::programs;
use tokio::process::Command;
use tokio::sync::oneshot;

use crate::banner;
use crate::chart;
use crate::passes::reviewed;
use crate::quiet::HandClock;
use crate::server::Server;

fn campaign() -> serde_json::Result<AdCampaign> {
    let mut campaign = banner::campaign("trail", &["Your trail is waiting", "Made for the weekend"], "1m");
    campaign["spec"]["approval"] = json!("Manual");
    serde_json::from_value(campaign)
}

/// The account of a pipeline, and a commit.
const PIPELINE: &str = "system:serviceaccount:ci:promoter";
const COMMIT: &str = "4f2c1d9e0b7a8c6d5e4f3a2b1c0d9e8f7a6b5c4d";

const POLICY: &str = "broadside-reviews.broadside.dev";

/// A cluster with the chart's policy and rights of reviews, and an operator that acts.
struct Stage {
    server: Server,
    client: Client,
    folder: tempfile::TempDir,
    _operator: oneshot::Sender<()>,
    _ledger: TcpListener,
}

impl Stage {
    async fn set() -> anyhow::Result<Self> {
        let server = Server::start().await?;
        let client = server.client().await?;
        let clock = Arc::new(HandClock::new());
        let (operator, ends) = oneshot::channel();
        let policy = Some(POLICY.to_owned());
        // A ledger that takes every question and answers none: what people say waits for no numbers.
        let ledger = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", ledger.local_addr()?);
        let context = reviewed(client.clone(), &url, clock, Leadership::alone(), policy)?;
        tokio::spawn(async move { run(context, &Scope::All, async { drop(ends.await) }).await });
        Ok(Self { server, client, folder: tempfile::tempdir()?, _operator: operator, _ledger: ledger })
    }

    /// What the chart says of who may review.
    async fn install(&self) -> anyhow::Result<()> {
        for object in chart::rendered_of(&["admission/reviews.yaml", "approver-role.yaml"], &[]).await? {
            chart::apply(&self.client, &object, &PatchParams::apply("test")).await?;
        }
        Ok(())
    }

    async fn apply(&self, object: &Value) -> anyhow::Result<()> {
        let object = serde_json::from_value(object.clone())?;
        chart::apply(&self.client, &object, &PatchParams::apply("test")).await
    }

    /// Lets a person do in the namespace what the role says.
    async fn grant(&self, person: &str, role: &str) -> anyhow::Result<()> {
        self.grant_as(&person.replace(':', "-"), person, role).await
    }

    async fn grant_as(&self, name: &str, person: &str, role: &str) -> anyhow::Result<()> {
        self.apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": name, "namespace": "default"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role.split('/').next(), "name": role.split('/').nth(1)},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": person}],
        }))
        .await
    }

    /// A kubeconfig of that person.
    fn kubeconfig(&self, person: &str) -> anyhow::Result<PathBuf> {
        self.server.kubeconfig_of(person, self.folder.path())
    }

    /// What the command says to that person.
    async fn broadside(&self, person: &str, arguments: &[&str]) -> anyhow::Result<Said> {
        let mut command = Command::new(programs::ours("broadside")?);
        command.args(arguments).args(["--namespace", "default"]).env("KUBECONFIG", self.kubeconfig(person)?);
        let Output { status, stdout, stderr } = command.output().await?;
        let (out, err) = (String::from_utf8(stdout)?, String::from_utf8(stderr)?);
        Ok(if status.success() { Said::Done(out) } else { Said::Refused(err) })
    }

    /// The name of the variant with this headline.
    async fn variant(&self, headline: &str) -> anyhow::Result<String> {
        let variants: Api<AdVariant> = Api::namespaced(self.client.clone(), "default");
        let all = variants.list(&ListParams::default()).await?.items;
        let is_meant = |variant: &&AdVariant| variant.spec.slots["headline"] == headline;
        Ok(all.iter().find(is_meant).context(headline.to_owned())?.name_any())
    }

    async fn campaign(&self) -> anyhow::Result<AdCampaign> {
        let campaigns: Api<AdCampaign> = Api::namespaced(self.client.clone(), "default");
        Ok(campaigns.get("trail").await?)
    }

    /// Which variants have a share, beside the control.
    async fn served(&self) -> anyhow::Result<Vec<String>> {
        let tables: Api<AdTable> = Api::namespaced(self.client.clone(), "default");
        let table = tables.get(&self.campaign().await?.uid().context("a UID")?).await?;
        let row = &table.spec.placements[0];
        let shares = &row.rounds.last().context("a round")?.allocations[0].shares;
        let variants = row.variants.iter().zip(shares).skip(1).filter(|(_, share)| **share > 0);
        Ok(variants.map(|(variant, _)| variant.name.clone()).collect())
    }

    async fn until(&self, what: &str, is: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        let all = async {
            // What is not there yet is no fault.
            while !is().await.unwrap_or(false) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(40), all).await;
        let status = self.campaign().await.map(|campaign| campaign.status);
        waited.with_context(|| format!("{what} did not come: {status:?}"))
    }

    async fn is_in_phase(&self, phase: &str) -> anyhow::Result<bool> {
        let now = self.campaign().await?.status.and_then(|status| status.phase);
        Ok(now.is_some_and(|now| format!("{now:?}") == phase))
    }
}

#[derive(Debug)]
enum Said {
    Done(String),
    Refused(String),
}

impl Said {
    fn done(self) -> anyhow::Result<String> {
        match self {
            Self::Done(said) => Ok(said),
            Self::Refused(why) => anyhow::bail!("it was refused: {why}"),
        }
    }

    fn refused(self, part: &str) -> anyhow::Result<()> {
        match self {
            Self::Refused(why) if why.contains(part) => Ok(()),
            other => anyhow::bail!("expected a refusal with {part:?}, found {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_what_people_approved_each_in_their_own_name() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    stage.install().await?;
    stage.grant("alice", "ClusterRole/broadside-approver").await?;
    // May write reviews, and approve another campaign alone.
    stage
        .apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "other", "namespace": "default"},
            "rules": [
                {"apiGroups": ["broadside.dev"], "resources": ["adcampaigns"], "verbs": ["approve"], "resourceNames": ["other"]},
                {"apiGroups": ["broadside.dev"], "resources": ["adcampaigns", "advariants", "adreviews"], "verbs": ["get", "list", "create", "delete"]},
            ],
        }))
        .await?;
    stage.grant("bob", "Role/other").await?;
    let campaigns: Api<AdCampaign> = Api::namespaced(stage.client.clone(), "default");
    campaigns.create(&PostParams::default(), &campaign()?).await?;
    stage.until("the review", async || stage.is_in_phase("Reviewing").await).await?;
    let (trail, weekend) =
        (stage.variant("Your trail is waiting").await?, stage.variant("Made for the weekend").await?);
    let shown = async || {
        let shown = stage.broadside("alice", &["review", "trail"]).await?.done()?;
        Ok(shown.contains("2 of 3 variants wait for a word (one person approves)"))
    };
    stage.until("what waits", shown).await?;

    // A policy that was just made may be unknown to some server: what comes too early does not count, and says so.
    let too_early = stage.broadside("alice", &["approve", "trail", &trail]).await?;
    too_early.refused("nobody checked who wrote it")?;
    ensure!(stage.served().await?.is_empty());
    stage
        .until("the policy in force", async || {
            Ok(matches!(stage.broadside("alice", &["approve", "trail", &trail]).await?, Said::Done(_)))
        })
        .await?;
    ensure!(stage.served().await?.is_empty(), "another still waits");

    stage
        .broadside("bob", &["approve", "trail", &weekend])
        .await?
        .refused("bob may not approve campaign trail")?;
    let forged = forged(&stage, &weekend).await?;
    ensure!(forged.contains("spec.reviewer is alice, and you are bob"), "{forged}");
    let taken_away = taken_away(&stage).await?;
    ensure!(taken_away.contains("bob may not approve campaign trail"), "{taken_away}");
    let said =
        stage.broadside("alice", &["approve", "trail", "--all", "--reason", "reads well"]).await?.done()?;
    ensure!(said.starts_with(&format!("alice approves {weekend} (adreview trail-")), "{said}");
    stage.until("the experiment", async || stage.is_in_phase("Running").await).await?;
    ensure!(stage.served().await?.len() == 2);

    let digits = weekend.rsplit('-').next().context("digits")?;
    let recalled =
        stage.broadside("alice", &["recall", "trail", digits, "--reason", "it rains"]).await?.done()?;
    ensure!(recalled.contains("out of the table after"), "{recalled}");
    ensure!(stage.served().await? == std::slice::from_ref(&trail));
    stage.broadside("alice", &["approve", "trail", "--all"]).await?.refused("nothing waits for a word")?;

    let edited = edited(&stage, &trail).await?;
    through_a_spreadsheet(&stage, &edited).await?;
    for_others(&stage, &edited).await?;
    without_the_policy(&stage, &edited).await
}

/// A pipeline writes for alice, whom it may represent, and for nobody else.
async fn for_others(stage: &Stage, variant: &str) -> anyhow::Result<()> {
    stage.grant(PIPELINE, "ClusterRole/broadside-approver").await?;
    let approve = async |person: &str| {
        let word = ["approve", "trail", variant, "--on-behalf-of", person, "--commit", COMMIT];
        stage.broadside(PIPELINE, &word).await
    };
    approve("alice").await?.refused("may not write reviews for alice: ask for the verb represent")?;
    stage
        .apply(&json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "for-alice", "namespace": "default"},
            "rules": [{
                "apiGroups": ["broadside.dev"], "resources": ["reviewers"], "verbs": ["represent"], "resourceNames": ["alice"],
            }],
        }))
        .await?;
    stage.grant_as("for-alice", PIPELINE, "Role/for-alice").await?;
    approve("bob").await?.refused("may not write reviews for bob")?;
    let unknown = ["approve", "trail", variant, "--on-behalf-of", "alice", "--commit", "main"];
    stage.broadside(PIPELINE, &unknown).await?.refused("git rev-parse HEAD")?;
    stage.until("the right", async || Ok(matches!(approve("alice").await?, Said::Done(_)))).await?;
    stage.until("what alice approved", async || Ok(stage.served().await? == [variant])).await?;
    let said = stage
        .broadside(PIPELINE, &["reject", "trail", variant, "--on-behalf-of", "alice", "--commit", COMMIT])
        .await?
        .done()?;
    ensure!(
        said.starts_with(&format!("alice, by {PIPELINE} with commit {COMMIT}, rejects {variant}")),
        "{said}"
    );
    stage.until("what alice rejected", async || Ok(stage.served().await?.is_empty())).await
}

/// One word more, while the experiment goes on. The name of what is served then.
async fn edited(stage: &Stage, variant: &str) -> anyhow::Result<String> {
    let long = format!("headline=Your trail is {} waiting", "long ".repeat(12).trim());
    let refused = stage.broadside("alice", &["edit", "trail", variant, &long]).await?;
    refused.refused("shorten it by")?;
    let text = "headline=Your trail is waiting now";
    stage.broadside("bob", &["edit", "trail", variant, text]).await?.refused("bob may not approve")?;
    ensure!(stage.served().await? == [variant.to_owned()]);
    let said = stage.broadside("alice", &["edit", "trail", variant, text]).await?.done()?;
    ensure!(said.starts_with(&format!("alice edits {variant}")), "{said}");
    let is_served = async || {
        let edited = stage.variant("Your trail is waiting now").await?;
        Ok(stage.served().await? == [edited])
    };
    stage.until("what was edited", is_served).await?;
    stage.variant("Your trail is waiting now").await
}

/// Reviews as bob may change them.
async fn reviews_of_bob(stage: &Stage) -> anyhow::Result<Api<AdReview>> {
    Ok(Api::namespaced(stage.server.client_of("bob").await?, "default"))
}

/// What the API server says to bob, who takes a word of alice away.
async fn taken_away(stage: &Stage) -> anyhow::Result<String> {
    let reviews = reviews_of_bob(stage).await?;
    let name = reviews.list(&ListParams::default()).await?.items.first().context("a review")?.name_any();
    match reviews.delete(&name, &DeleteParams::default()).await {
        Err(kube::Error::Api(status)) => Ok(status.message.clone()),
        other => anyhow::bail!("bob took it away: {other:?}"),
    }
}

/// What the API server says to bob, who writes in alice's name.
async fn forged(stage: &Stage, variant: &str) -> anyhow::Result<String> {
    let reviews = reviews_of_bob(stage).await?;
    let review: AdReview = serde_json::from_value(json!({
        "apiVersion": "broadside.dev/v1alpha1", "kind": "AdReview", "metadata": {"name": "forged"},
        "spec": {
            "campaign": {"name": "trail", "uid": stage.campaign().await?.uid()},
            "variants": [{"name": variant, "digest": "0".repeat(64)}], "decision": "Approve", "reviewer": "alice",
        },
    }))?;
    match reviews.create(&PostParams::default(), &review).await {
        Err(kube::Error::Api(status)) => Ok(status.message.clone()),
        other => anyhow::bail!("bob wrote as alice: {other:?}"),
    }
}

/// Out, with a decision in, and one of the texts changed by mistake.
async fn through_a_spreadsheet(stage: &Stage, variant: &str) -> anyhow::Result<()> {
    let sheet = stage.broadside("alice", &["review", "trail", "--output", "csv"]).await?.done()?;
    let decided: Vec<String> = sheet
        .lines()
        .map(|line| match line.strip_suffix(",\"\",\"\"").filter(|_| line.contains(variant)) {
            Some(line) => format!("{line},reject,too long"),
            None => line.to_owned(),
        })
        .collect();
    let file = stage.folder.path().join("round.csv");
    let from = file.to_str().context("a path")?.to_owned();
    std::fs::write(&file, decided.join("\n").replace("Your trail is waiting", "Your trail waits"))?;
    let edited = stage.broadside("alice", &["review", "trail", "--from", &from]).await?;
    edited.refused("headline was changed in the file")?;
    std::fs::write(&file, decided.join("\n"))?;
    let said = stage.broadside("alice", &["review", "trail", "--from", &from]).await?.done()?;
    ensure!(said.starts_with(&format!("alice rejects {variant}")), "{said}");
    stage.until("the end of all copy", async || stage.is_in_phase("Stalled").await).await?;
    ensure!(stage.served().await?.is_empty());
    Ok(())
}

/// What was honored goes on being so, and what comes now is not.
async fn without_the_policy(stage: &Stage, variant: &str) -> anyhow::Result<()> {
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(stage.client.clone());
    bindings.delete(POLICY, &DeleteParams::default()).await?;
    let said = stage.broadside("alice", &["approve", "trail", variant]).await?;
    said.refused("nobody checked who wrote it")?;
    let reviews: Api<AdReview> = Api::namespaced(stage.client.clone(), "default");
    let all = reviews.list(&ListParams::default()).await?.items;
    let honored = |review: &&AdReview| {
        review.status.as_ref().and_then(|status| status.state) == Some(ReviewState::Honored)
    };
    ensure!(all.iter().filter(honored).count() == 7, "{all:?}");
    let unknown = async || {
        let status = stage.campaign().await?.status.context("a status")?;
        let approved = status.conditions.iter().find(|condition| condition.type_ == "Approved");
        let approved = approved.context("a condition")?;
        Ok(approved.status == "Unknown" && approved.reason == "PolicyMissing")
    };
    stage.until("Approved=Unknown", unknown).await
}
