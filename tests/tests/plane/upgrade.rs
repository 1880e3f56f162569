//! A release is upgraded while a campaign runs: nothing is written again, nothing is lost, and the experiment goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use api::{AdCampaign, AdCampaignStatus, AdModel, AdTable, AdTableSpec, AdVariant, AdVariantSpec};
use cluster::{ControlPlaneConfig, Controllers};
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource as _, ResourceExt};
use serde_json::json;
use stage::{Kubectl, programs};
use tokio::process::{Child, Command};

use crate::gateway::GatewayProcess;
use crate::server::{Server, until};
use crate::visitors::Visitors;

/// The chart of commit 447c018, before edits, guardrails, schedules, budgets and evidence, as `helm package` has it. It lies here
/// since a clone need not have the history; the first release will take its place.
const BEFORE: &str = "tests/manifests/before/broadside.tgz";

/// The path of the operator of that chart, where somebody has built it in a work tree of that commit. Without it ours takes both
/// parts, and begins under the definitions and rights of before.
const OPERATOR_BEFORE: &str = "BROADSIDE_TEST_OPERATOR_BEFORE";

const SYSTEM: &str = "broadside-system";

const MODEL: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdModel
metadata: {name: handbill, namespace: default}
spec:
  source: {image: {reference: 'broadside.local/handbill:dev'}}
";

const CAMPAIGN: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {name: trail, namespace: default}
spec:
  brief: {product: Aero Trail 3}
  generation: {model: handbill, seed: 7}
  placements:
    - name: hero
      format: WebBanner
      delivery: {gateway: {}}
      control: {headline: Meet the Aero Trail 3, button: Shop now}
      challengers:
        - {headline: Your trail is waiting, button: Shop now}
      variants: 2
      metric: {name: product-view, kind: Binary, window: 1s}
      policy: {minimumPerVariant: 5}
      round: {minimum: 2s, growth: 30%}
";

const WRITTEN: [&str; 2] = ["Made for the weekend", "Run where it is quiet"];

/// Enough that several rounds open, and too few to decide.
const PEOPLE: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_goes_on_while_its_release_is_upgraded() -> anyhow::Result<()> {
    let config = ControlPlaneConfig { controllers: Controllers::Off, ..ControlPlaneConfig::default() };
    let release = Release { server: Server::bare(config).await?, folder: tempfile::tempdir()? };
    release.upgrade_to(&programs::repository().join(BEFORE)).await?;
    let client = release.server.client().await?;
    let campaign = Campaign(client);
    let gateway = GatewayProcess::start("all", &release.server.kubeconfig()).await?;
    let visitors = Visitors::at(&gateway);

    let operator = release.operator(&operator_before()?, &gateway).await?;
    campaign.apply().await?;
    campaign.is_written(&release).await?;
    visit(&visitors, 0).await?;
    until("the second round", async || Ok(campaign.kept().await?.rounds() > 1)).await?;
    drop(operator);
    let before = campaign.kept().await?;

    release.upgrade_to(&programs::repository().join("charts/broadside")).await?;
    let _operator = release.operator(&programs::ours("operator")?, &gateway).await?;
    visit(&visitors, PEOPLE).await?;
    let goes_on = async || Ok(campaign.kept().await?.samples() > before.samples());
    until("a pass of the operator that is there now", goes_on).await?;
    campaign.kept().await?.continues(&before)
}

fn operator_before() -> anyhow::Result<PathBuf> {
    std::env::var_os(OPERATOR_BEFORE)
        .map_or_else(|| programs::ours("operator"), |program| Ok(PathBuf::from(program)))
}

async fn visit(visitors: &Visitors<'_>, first: usize) -> anyhow::Result<()> {
    for person in first..first + PEOPLE {
        visitors.visit(person, "product-view", |_| person.is_multiple_of(10)).await?;
    }
    Ok(())
}

/// A release on a server without nodes: no pod of it runs, so its operator is a process of this machine.
struct Release {
    server: Server,
    folder: tempfile::TempDir,
}

impl Release {
    async fn upgrade_to(&self, chart: &Path) -> anyhow::Result<()> {
        let helm = Kubectl::new(cluster::tools::helm().await?, self.server.kubeconfig());
        let how = format!("--install --namespace {SYSTEM} --create-namespace");
        helm.run(&format!("upgrade broadside {} {how}", chart.display())).await.map(drop)
    }

    fn kubeconfig_of(&self, account: &str) -> anyhow::Result<PathBuf> {
        self.server.kubeconfig_of(&format!("system:serviceaccount:{account}"), self.folder.path())
    }

    async fn client_of(&self, account: &str) -> anyhow::Result<Client> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig_of(account)?)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// The operator with the rights of its account. It ends with this value.
    async fn operator(&self, program: &Path, gateway: &GatewayProcess) -> anyhow::Result<Child> {
        let mut command = Command::new(program);
        command.args(["--listen=127.0.0.1:0", "--worker-image=broadside.local/worker:dev"]);
        command.args(["--figures-interval=1s", "--ledger-url", &gateway.url, "--key-namespace", SYSTEM]);
        command.env("KUBECONFIG", self.kubeconfig_of(&format!("{SYSTEM}:broadside-operator"))?);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).spawn();
        child.with_context(|| format!("starting {}", program.display()))
    }
}

/// The one campaign, on behalf of whoever looks on.
struct Campaign(Client);

impl Campaign {
    fn of<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>,
    {
        Api::namespaced(self.0.clone(), "default")
    }

    async fn apply(&self) -> anyhow::Result<()> {
        self.of::<AdModel>().create(&PostParams::default(), &serde_saphyr::from_str(MODEL)?).await?;
        self.of::<AdCampaign>().create(&PostParams::default(), &serde_saphyr::from_str(CAMPAIGN)?).await?;
        Ok(())
    }

    /// What a worker does: it writes, as the account that the operator has made for it, and its Job ends.
    async fn is_written(&self, release: &Release) -> anyhow::Result<()> {
        until("the Job", async || Ok(!self.all::<Job>().await?.is_empty())).await?;
        let owner = self.of::<AdCampaign>().get("trail").await?.controller_owner_ref(&()).context("a UID")?;
        let worker = release.client_of("default:adc-trail-worker").await?;
        let variants: Api<AdVariant> = Api::namespaced(worker, "default");
        for (headline, index) in WRITTEN.iter().zip(0..) {
            let slots = api::Slots::from(
                [("headline", *headline), ("button", "Shop now")]
                    .map(|(slot, text)| (slot.into(), text.into())),
            );
            let variant = serde_json::from_value(json!({
                "metadata": {"name": api::name::variant("trail", "hero", &slots), "ownerReferences": [owner]},
                "spec": {
                    "campaign": "trail", "placement": "hero", "origin": "Generated", "slots": slots,
                    "provenance": {
                        "modelDigest": "0".repeat(64), "promptDigest": "0".repeat(64), "rulesVersion": "1",
                        "engineVersion": "1", "seed": 1, "index": index, "attempt": 0,
                    },
                },
            }))?;
            variants.create(&PostParams::default(), &variant).await?;
        }
        let now = jiff::Timestamp::now();
        let condition = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": now});
        let ended = json!({"status": {
            "startTime": now, "completionTime": now, "succeeded": 1,
            "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
        }});
        let job = self.all::<Job>().await?.pop().context("a Job")?.name_any();
        self.of::<Job>().patch_status(&job, &PatchParams::default(), &Patch::Merge(ended)).await?;
        until("four variants", async || Ok(self.kept().await?.table.placements[0].variants.len() == 4)).await
    }

    async fn all<K>(&self) -> anyhow::Result<Vec<K>>
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
    {
        Ok(self.of::<K>().list(&ListParams::default()).await?.items)
    }

    async fn kept(&self) -> anyhow::Result<Kept> {
        let campaign = self.of::<AdCampaign>().get("trail").await?;
        let variants = self.all::<AdVariant>().await?.into_iter();
        let jobs = self.all::<Job>().await?.into_iter();
        let table = self.all::<AdTable>().await?.pop().context("a table")?;
        Ok(Kept {
            variants: variants.map(|it| (it.name_any(), (it.uid(), it.spec))).collect(),
            jobs: jobs.map(|it| (it.name_any(), it.uid())).collect(),
            table: table.spec,
            generation: campaign.metadata.generation,
            status: campaign.status.context("a status")?,
        })
    }
}

/// What an upgrade has to keep.
#[derive(Debug)]
struct Kept {
    variants: BTreeMap<String, (Option<String>, AdVariantSpec)>,
    jobs: BTreeMap<String, Option<String>>,
    table: AdTableSpec,
    generation: Option<i64>,
    status: AdCampaignStatus,
}

impl Kept {
    fn rounds(&self) -> usize {
        self.table.placements[0].rounds.len()
    }

    fn samples(&self) -> i64 {
        self.status.placements[0].samples
    }

    fn is_true(&self) -> impl Iterator<Item = &str> {
        self.status.conditions.iter().filter(|it| it.status == "True").map(|it| it.type_.as_str())
    }

    fn continues(&self, before: &Self) -> anyhow::Result<()> {
        ensure!(self.variants == before.variants, "{:?}\n{:?}", before.variants, self.variants);
        ensure!(self.jobs == before.jobs, "{:?}\n{:?}", before.jobs, self.jobs);
        ensure!(self.generation == before.generation);
        ensure!(self.table.number >= before.table.number && self.table.campaign == before.table.campaign);
        let (row, was) = (&self.table.placements[0], &before.table.placements[0]);
        ensure!(
            row.seed == was.seed && row.rounds.starts_with(&was.rounds),
            "{:?}\n{:?}",
            was.rounds,
            row.rounds
        );
        let lost = before.is_true().find(|is| !self.is_true().any(|now| now == *is));
        ensure!(lost.is_none(), "{lost:?} is true no more: {:?}", self.status.conditions);
        Ok(())
    }
}
