//! One installation for all tests, and campaigns on it.

pub(crate) mod refused;

use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Deserialize;
use stage::installation::Release;
use stage::{Installation, Options};
use tokio::sync::OnceCell;

/// The one installation.
pub(crate) async fn installation() -> anyhow::Result<&'static Installation> {
    static SHARED: OnceCell<Installation> = OnceCell::const_new();
    SHARED.get_or_try_init(async || Installation::start(Options::of_test(Release::default())).await).await
}

/// A namespace that takes restricted pods alone, with the model in it.
pub(crate) async fn in_namespace(stage: &Installation, name: &str) -> anyhow::Result<()> {
    stage.kubectl.run(&format!("create namespace {name}")).await?;
    let enforce = "pod-security.kubernetes.io/enforce=restricted";
    stage.kubectl.run(&format!("label namespace {name} {enforce}")).await?;
    stage.kubectl.feed(&format!("-n {name} apply -f -"), MODEL).await.map(drop)
}

const MODEL: &str = "
apiVersion: broadside.dev/v1alpha1
kind: AdModel
metadata: {name: handbill}
spec:
  source: {image: {reference: 'broadside.local/handbill:dev', pullPolicy: Never}}
  resources: {limits: {nvidia.com/gpu: 1}}
";

/// The model on a fiftieth of a processor, for tests that must meet its worker while it writes: on a whole one it
/// writes a campaign in a tenth of a second.
pub(crate) async fn slow_down(stage: &Installation, namespace: &str) -> anyhow::Result<()> {
    let slow = MODEL.replace("limits: {", "limits: {cpu: 20m, ");
    stage.kubectl.feed(&format!("-n {namespace} apply -f -"), &slow).await.map(drop)
}

/// The model on a node that is not there, for tests whose worker must not end.
pub(crate) async fn keep_waiting(stage: &Installation, namespace: &str) -> anyhow::Result<()> {
    let waits = format!("{MODEL}  nodeSelector: {{example.com/is: nowhere}}\n");
    stage.kubectl.feed(&format!("-n {namespace} apply -f -"), &waits).await.map(drop)
}

/// A campaign of people's copy, with a clock of seconds.
pub(crate) fn people_only(name: &str, maximum_duration: &str) -> String {
    format!(
        "
apiVersion: broadside.dev/v1alpha1
kind: AdCampaign
metadata: {{name: {name}}}
spec:
  brief: {{product: Aero Trail 3}}
  placements:
    - name: hero
      format: WebBanner
      delivery: {{gateway: {{}}}}
      control: {{headline: Meet the Aero Trail 3, button: Shop now}}
      challengers:
        - {{headline: Your trail is waiting, button: Shop now}}
        - {{headline: 240 g for the weekend, button: Shop now}}
      metric: {{name: product-view, kind: Binary, window: 5s}}
      policy: {{minimumPerVariant: 50}}
      round: {{minimum: 4s, growth: 30%}}
      stopping: {{maximumDuration: {maximum_duration}}}
"
    )
}

/// A campaign that asks the model for `variants`.
pub(crate) fn generated(name: &str, variants: u32) -> String {
    let placements = "  generation: {model: handbill, seed: 7}\n  placements:";
    people_only(name, "1h")
        .replace("  placements:", placements)
        .replace("      metric:", &format!("      variants: {variants}\n      metric:"))
        .replace(
            "brief: {product: Aero Trail 3}",
            "brief: {product: Aero Trail 3, offer: {text: free returns for 60 days}, facts: [weighs 240 g, upper from recycled yarn]}",
        )
}

/// The same campaign with its placement under several names.
pub(crate) fn placed(manifest: &str, names: &[&str]) -> anyhow::Result<String> {
    let (head, hero) = manifest.split_once("    - name: hero").context("a placement")?;
    let placement = |name: &&str| format!("    - name: {name}{hero}");
    Ok(head.to_owned() + &names.iter().map(placement).collect::<String>())
}

/// A variant, as a worker would create it.
pub(crate) fn variant(campaign: &str, headline: &str) -> String {
    let slots = api::Slots::from([
        ("button".to_owned(), "Go".to_owned()),
        ("headline".to_owned(), headline.to_owned()),
    ]);
    let name = api::name::variant(campaign, "hero", &slots);
    format!(
        "
apiVersion: broadside.dev/v1alpha1
kind: AdVariant
metadata: {{name: {name}}}
spec: {{campaign: {campaign}, placement: hero, origin: Generated, slots: {{button: Go, headline: {headline}}}}}
"
    )
}

/// A campaign on the cluster.
pub(crate) struct Campaign {
    pub(crate) namespace: &'static str,
    pub(crate) name: &'static str,
    pub(crate) placement: &'static str,
}

/// The people who are simulated.
#[derive(Clone, Copy, Debug)]
pub(crate) enum World {
    /// Variants differ, as the seed has it.
    Seeded(u64),
    /// All variants are as good as the control.
    Null(u64),
}

/// What the simulation knows and the experiment does not.
#[derive(Debug, Deserialize)]
pub(crate) struct Truth {
    /// The variant that is better than all others; none in a world without differences.
    pub(crate) best: Option<String>,
}

impl Campaign {
    pub(crate) async fn apply(&self, stage: &Installation, manifest: &str) -> anyhow::Result<()> {
        stage.kubectl.feed(&format!("-n {} apply -f -", self.namespace), manifest).await.map(drop)
    }

    pub(crate) async fn wait(
        &self,
        stage: &Installation,
        condition: &str,
        patience: Duration,
    ) -> anyhow::Result<()> {
        let Self { namespace, name, .. } = self;
        let seconds = patience.as_secs();
        let line =
            format!("-n {namespace} wait --for=condition={condition} adcampaign/{name} --timeout={seconds}s");
        stage.kubectl.run(&line).await.map(drop)
    }

    /// A field, once it is as it should be.
    pub(crate) async fn get(
        &self,
        stage: &Installation,
        field: &str,
        patience: Duration,
        accept: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let Self { namespace, name, .. } = self;
        let line = format!("-n {namespace} get adcampaign {name} -o jsonpath={{{field}}}");
        let got = stage.kubectl.until(&line, patience, accept).await;
        match got {
            Ok(value) => Ok(value),
            Err(error) => {
                let status =
                    stage.kubectl.run(&format!("-n {namespace} get adcampaign {name} -o yaml")).await;
                Err(error.context(status.unwrap_or_default()))
            }
        }
    }

    pub(crate) async fn simulate(
        &self,
        stage: &Installation,
        world: World,
        how: &str,
    ) -> anyhow::Result<Truth> {
        let Self { namespace, name, placement } = self;
        let file = std::env::temp_dir().join(format!("broadside-truth-{}-{name}.json", std::process::id()));
        let (gateway, ledger) = (&stage.gateway, &stage.ledger);
        let who = match world {
            World::Seeded(seed) => format!("--seed {seed}"),
            World::Null(seed) => format!("--seed {seed} --truth null"),
        };
        let line = format!(
            "simulate --gateway {gateway} --ledger {ledger} -n {namespace} --campaign {name} --placement {placement} \
             --people-per-second 400 {who} {how} --truth-file {}",
            file.display()
        );
        stage.broadside.run(&line).await?;
        let truth = std::fs::read_to_string(&file).context("reading what the simulation knows")?;
        std::fs::remove_file(&file)?;
        serde_json::from_str(&truth).context("reading what the simulation knows")
    }
}

/// What must never fall while a campaign lives.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) round: u64,
    pub(crate) samples: u64,
    pub(crate) table: u64,
}

impl Progress {
    pub(crate) async fn read(stage: &Installation, campaign: &Campaign) -> anyhow::Result<Self> {
        let Campaign { namespace, name, .. } = campaign;
        let line = format!(
            "-n {namespace} get adcampaign {name} -o jsonpath={{.status.placements[0].round.number}}/{{.status.placements[0].samples}}"
        );
        let text = stage.kubectl.run(&line).await?;
        let (round, samples) = text.split_once('/').context("two figures")?;
        let table = stage
            .kubectl
            .run(&format!("-n {namespace} get adtables -o jsonpath={{.items[0].spec.number}}"))
            .await?;
        ensure!(!round.is_empty(), "status has no round any more");
        Ok(Self { round: round.parse()?, samples: samples.parse()?, table: table.parse()? })
    }

    pub(crate) fn is_not_before(&self, other: &Self) -> bool {
        self.round >= other.round && self.samples >= other.samples && self.table >= other.table
    }
}
