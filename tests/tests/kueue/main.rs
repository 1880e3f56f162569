//! Jobs in a queue of a real Kueue, on a real cluster. Needs root.
//!
//! Kueue is compiled from source, too long for each `make test`. So `make test-kueue` builds it and demands this test; without it
//! the test says on the terminal that it did not run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use stage::installation::Release;
use stage::{Installation, Options, images, terminal};

/// A machine that compiles at the same time takes its time.
const MINUTES: Duration = Duration::from_secs(60);

/// Each line of `kubectl` is in the namespace of the queue.
struct Shop {
    stage: Installation,
}

#[tokio::test]
async fn jobs_wait_go_on_and_end_in_a_queue_and_keep_to_their_budgets() -> anyhow::Result<()> {
    let Some(folder) = std::env::var_os("BROADSIDE_TEST_KUEUE").map(PathBuf::from) else {
        terminal::say("NOT RUN: Jobs in a queue of Kueue: make test-kueue builds and runs it");
        return Ok(());
    };
    let shop = Shop { stage: with_kueue(&folder).await? };
    // Who stands first in a queue has to be there before the other comes.
    let first = shop.campaign("first", "90s").await?;
    shop.until(&states("Admitted"), |admitted| admitted == "True").await?;
    let second = shop.campaign("second", "120s").await?;
    shop.is(second, MESSAGE, |message| message.contains("waits for its turn in queue gpus")).await?;

    // What its budget ends has ended for the queue too, and makes room.
    shop.is(first, REASON, |reason| reason == "BudgetSpent").await?;
    shop.is(second, SINCE, |since| !since.is_empty()).await?;
    shop.until(&states("Finished"), |finished| finished == "True").await?;

    // A turn that is taken away gives no budget back.
    let before = shop.is(second, EARLIER, |_| true).await?.parse().unwrap_or(0);
    tokio::time::sleep(Duration::from_secs(5)).await;
    shop.turn(second, "false").await?;
    let is_more = |seconds: &str| seconds.parse::<u32>().is_ok_and(|seconds| seconds >= before + 5);
    let ran = shop.is(second, EARLIER, is_more).await?;
    shop.turn(second, "true").await?;
    shop.is(second, SINCE, |since| !since.is_empty()).await?;
    ensure!(shop.is(second, EARLIER, |_| true).await? == ran, "it goes on from the {ran} seconds before");

    // Kueue resumes what it has admitted, whoever suspends it; then the budget binds.
    shop.run("patch adcampaign second --type=merge --patch {\"spec\":{\"suspend\":true}}").await?;
    shop.is(second, ".status.phase", |phase| phase == "Suspended").await?;
    shop.is(second, REASON, |reason| reason == "BudgetSpent").await?;
    shop.until(&states("Finished"), |finished| finished == "True True").await
}

const REASON: &str = ".status.conditions[?(@.type==\"VariantsReady\")].reason";
const MESSAGE: &str = ".status.conditions[?(@.type==\"VariantsReady\")].message";
const SINCE: &str = ".status.generation.spending.startedAt";
const EARLIER: &str = ".status.generation.spending.earlierSeconds";

/// What all workloads of Kueue say of themselves, as far as they say it.
fn states(condition: &str) -> String {
    format!("get workloads -o jsonpath={{.items[*].status.conditions[?(@.type==\"{condition}\")].status}}")
}

impl Shop {
    async fn run(&self, line: &str) -> anyhow::Result<String> {
        self.stage.kubectl.run(&format!("-n shop {line}")).await
    }

    async fn until(&self, line: &str, is: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        self.stage.kubectl.until(&format!("-n shop {line}"), 3 * MINUTES, is).await.map(drop)
    }

    async fn campaign(&self, name: &'static str, budget: &str) -> anyhow::Result<&'static str> {
        let campaign = include_str!("campaign.yaml").replace("NAME", name).replace("BUDGET", budget);
        self.stage.kubectl.feed("-n shop apply -f -", &campaign).await?;
        self.is(name, ".status.generation.job", |job| !job.is_empty()).await?;
        Ok(name)
    }

    /// What a campaign says in a place, once that is so.
    async fn is(&self, campaign: &str, place: &str, is: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let line = format!("-n shop get adcampaign {campaign} -o jsonpath={{{place}}}");
        self.stage.kubectl.until(&line, 3 * MINUTES, is).await
    }

    /// Gives a campaign's Job its turn, or takes it away, as preemption does.
    async fn turn(&self, campaign: &str, active: &str) -> anyhow::Result<()> {
        let workloads = self.run("get workloads -o name").await?;
        let of_campaign = |name: &&str| name.contains(&format!("job-adc-{campaign}-"));
        let workload = workloads.lines().find(of_campaign).context("a workload")?;
        self.run(&format!("patch {workload} --type=merge --patch {{\"spec\":{{\"active\":{active}}}}}"))
            .await
            .map(drop)
    }
}

/// A cluster with Broadside and Kueue, whose program and definitions are in a folder.
async fn with_kueue(folder: &Path) -> anyhow::Result<Installation> {
    let program = (folder.join("kueue"), "/kueue".to_owned());
    let image = images::image("kueue", vec!["/kueue".to_owned()], vec![program]);
    let release = Release { images: vec![image], ..Release::default() };
    let stage = Installation::start(Options::of_test(release)).await?;
    let definitions = folder.join("crds");
    stage.kubectl.run(&format!("apply --server-side -f {}", definitions.display())).await?;
    stage.kubectl.run("wait --for=condition=Established crd --all --timeout=60s").await?;
    stage.kubectl.feed("apply -f -", include_str!("kueue.yaml")).await?;
    stage.kubectl.feed("apply -f -", &certificate()?).await?;
    stage.kubectl.run("-n kueue-system wait --for=condition=Ready pod/kueue --timeout=180s").await?;
    stage.kubectl.feed("apply -f -", include_str!("queue.yaml")).await?;
    Ok(stage)
}

/// Kueue starts with a certificate alone, though nobody asks its webhooks here.
fn certificate() -> anyhow::Result<String> {
    let key = rcgen::KeyPair::generate()?;
    let certificate = rcgen::CertificateParams::new(vec!["kueue".to_owned()])?.self_signed(&key)?;
    let secret = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": "kueue", "namespace": "kueue-system" },
        "stringData": { "tls.crt": certificate.pem(), "tls.key": key.serialize_pem() },
    });
    Ok(secret.to_string())
}
