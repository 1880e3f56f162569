//! The example for Flux by its real controllers, from a real git server, on a real cluster. Needs root.
//!
//! The controllers are compiled from source, too long for each `make test`. So `make test-flux` builds them and demands this test;
//! without them the test says on the terminal that it did not run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use stage::installation::{Prepared, Release};
use stage::{Options, images, terminal};

use crate::repository::{CAMPAIGN, Campaigns, NEW_NAME, NEXT, REPLICAS, Repository, TO_ONE_REPLICA, ours};

/// A machine that compiles at the same time takes its time.
const MINUTES: Duration = Duration::from_secs(60);

/// The controllers that the example needs, in the order in which they need each other.
const CONTROLLERS: [&str; 3] = ["source-controller", "kustomize-controller", "helm-controller"];

/// The example's release.
const RELEASE: &str = "examples/gitops/flux/broadside/release.yaml";

#[tokio::test]
async fn flux_installs_the_chart_serves_campaigns_and_follows_commits() -> anyhow::Result<()> {
    let Some(folder) = std::env::var_os("BROADSIDE_TEST_FLUX").map(PathBuf::from) else {
        terminal::say(
            "NOT RUN: the example for Flux by its controllers: make test-flux builds and runs them",
        );
        return Ok(());
    };
    let shop = Shop::with_flux(&folder).await?;
    shop.is_ready("kustomization/broadside", "True").await?;
    shop.is_ready("kustomization/campaigns", "True").await?;
    ensure!(shop.phase("trail").await? == "Running", "a campaign is ready once it is served");

    // What the operator writes is no drift to Flux, and what somebody changes by hand is.
    shop.reconcile("-n broadside-system", "helmrelease/broadside").await?;
    ensure!(shop.drifts().await?.is_empty(), "{}", shop.drifts().await?);
    shop.kubectl(TO_ONE_REPLICA).await?;
    shop.reconcile("-n broadside-system", "helmrelease/broadside").await?;
    shop.stage.kubectl.until(REPLICAS, MINUTES, |replicas| replicas == "2").await?;
    ensure!(!shop.drifts().await?.is_empty(), "Flux says so, where it is one");

    // What an experiment is about stays: a commit that changes it is told what to do, and its revert heals it.
    let Campaigns { running, changed, stalled, next } = Campaigns::of(&shop.repository)?;
    let said = shop.says(CAMPAIGN, Some(&changed), "False").await?;
    ensure!(said.contains(NEW_NAME), "{said}");
    shop.says(CAMPAIGN, Some(&running), "True").await?;

    // One that waits for somebody is named, until another commit mends it.
    let said = shop.says(NEXT, Some(&stalled), "False").await?;
    ensure!(said.contains("AdCampaign/shop/next status: 'Failed'"), "{said}");
    shop.says(NEXT, Some(&next), "True").await?;
    ensure!(shop.phase("next").await? == "Running", "both campaigns are served");

    // A file that goes takes no campaign with it.
    shop.says(NEXT, None, "True").await?;
    ensure!(shop.phase("next").await? == "Running", "it stays until somebody deletes it");
    Ok(())
}

/// A cluster that Flux brings what a repository has.
struct Shop {
    stage: Prepared,
    repository: Repository,
}

impl Shop {
    /// Flux, whose programs and definitions are in a folder, and the example's objects.
    async fn with_flux(folder: &Path) -> anyhow::Result<Self> {
        let images = CONTROLLERS.map(|name| {
            let inside = format!("/{name}");
            images::image(name, vec![inside.clone()], vec![(folder.join(name), inside)])
        });
        let release = Release { images: images.into(), ..Release::default() };
        let stage = Prepared::start(&Options::of_test(release)).await?;
        let repository = Repository::serve(&stage).await?;
        repository.commit(RELEASE, Some(&ours(&repository.read(RELEASE)?))).await?;
        let shop = Self { stage, repository };
        shop.kubectl(&format!("apply --server-side -f {}", folder.join("crds").display())).await?;
        shop.kubectl("wait --for=condition=Established crd --all --timeout=60s").await?;
        shop.stage.kubectl.feed("apply -f -", include_str!("flux/controllers.yaml")).await?;
        shop.kubectl("-n flux-system wait --for=condition=Ready pod --all --timeout=180s").await?;
        let layout = shop.repository.with_its_url("examples/gitops/flux/kustomizations.yaml")?;
        shop.stage.kubectl.feed("apply -f -", &layout).await?;
        Ok(shop)
    }

    async fn kubectl(&self, line: &str) -> anyhow::Result<String> {
        self.stage.kubectl.run(line).await
    }

    async fn phase(&self, campaign: &str) -> anyhow::Result<String> {
        self.kubectl(&format!("-n shop get adcampaign {campaign} -o jsonpath={{.status.phase}}")).await
    }

    /// What an object of Flux says with this state of its readiness for the commit of now, once that is so.
    async fn is_ready(&self, object: &str, status: &str) -> anyhow::Result<String> {
        let condition = |field: &str| format!(".status.conditions[?(@.type==\"Ready\")].{field}");
        let line = format!(
            "-n flux-system get {object} -o jsonpath={{{}}}|{{.status.lastAttemptedRevision}}|{{{}}}",
            condition("status"),
            condition("message")
        );
        let revision = "-n flux-system get gitrepository broadside -o jsonpath={.status.artifact.revision}";
        let revision =
            self.stage.kubectl.until(revision, 3 * MINUTES, |revision| !revision.is_empty()).await?;
        let wanted = format!("{status}|{revision}|");
        self.stage.kubectl.until(&line, 10 * MINUTES, |said| said.starts_with(&wanted)).await
    }

    /// What Flux says of the campaigns with this state, once a file has that text and Flux has looked at it, as
    /// `flux reconcile --with-source` has it.
    async fn says(&self, file: &str, text: Option<&str>, status: &str) -> anyhow::Result<String> {
        self.repository.commit(file, text).await?;
        for object in ["gitrepository/broadside", "kustomization/campaigns"] {
            self.reconcile("-n flux-system", object).await?;
        }
        self.is_ready("kustomization/campaigns", status).await
    }

    /// Has Flux look at an object now, and waits until it has.
    async fn reconcile(&self, namespace: &str, object: &str) -> anyhow::Result<()> {
        let asked = jiff::Timestamp::now().to_string();
        let annotation = format!("reconcile.fluxcd.io/requestedAt={asked}");
        self.kubectl(&format!("{namespace} annotate --overwrite {object} {annotation}")).await?;
        let handled = format!("{namespace} get {object} -o jsonpath={{.status.lastHandledReconcileAt}}");
        self.stage.kubectl.until(&handled, 6 * MINUTES, |handled| handled == asked).await.map(drop)
    }

    /// Where Flux found something else than it had applied.
    async fn drifts(&self) -> anyhow::Result<String> {
        self.kubectl("-n broadside-system get events --field-selector=reason=DriftDetected -o name").await
    }
}
