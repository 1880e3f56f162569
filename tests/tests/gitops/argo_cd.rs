//! The example for Argo CD by Argo CD itself, from a real git server, on a real cluster. Needs root.
//!
//! It is compiled from source, too long for each `make test`. So `make test-argo-cd` builds it and demands this test; without it
//! the test says on the terminal that it did not run. Its programs run on this machine, since they need git and Helm beside them.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use stage::installation::{Prepared, Release};
use stage::{Options, terminal};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::repository::{CAMPAIGN, Campaigns, NEW_NAME, NEXT, REPLICAS, Repository, TO_ONE_REPLICA, ours};

/// A machine that compiles at the same time takes its time.
const MINUTES: Duration = Duration::from_secs(60);

const APPLICATIONS: &str = "examples/gitops/argo-cd/applications.yaml";

#[tokio::test]
async fn argo_cd_installs_the_chart_and_shows_how_campaigns_are() -> anyhow::Result<()> {
    let Some(folder) = std::env::var_os("BROADSIDE_TEST_ARGO_CD").map(PathBuf::from) else {
        terminal::say("NOT RUN: the example for Argo CD by itself: make test-argo-cd builds and runs it");
        return Ok(());
    };
    let shop = Shop::with_argo_cd(&folder).await?;
    shop.is("broadside", "Synced Healthy").await?;
    shop.is("campaigns", "Synced Healthy").await?;
    shop.shows("trail", "Healthy Collecting").await?;

    // What somebody changes by hand is changed back; what the operator writes was no difference.
    shop.kubectl(TO_ONE_REPLICA).await?;
    shop.stage.kubectl.until(REPLICAS, 3 * MINUTES, |replicas| replicas == "2").await?;

    // What an experiment is about stays: a commit that changes it is told what to do, and its revert heals it.
    let Campaigns { running, changed, stalled, next } = Campaigns::of(&shop.repository)?;
    shop.follow(CAMPAIGN, Some(&changed)).await?;
    let said = "-n argocd get application campaigns -o jsonpath={.status.operationState}";
    shop.stage.kubectl.until(said, 3 * MINUTES, |said| said.contains(NEW_NAME)).await?;
    shop.follow(CAMPAIGN, Some(&running)).await?;
    shop.is("campaigns", "Synced Healthy").await?;

    // What a person has to mend is said where the team looks, and the commit that mends it heals it.
    shop.follow(NEXT, Some(&stalled)).await?;
    shop.shows("next", "Degraded InvalidSpec").await?;
    shop.is("campaigns", "Synced Degraded").await?;
    shop.follow(NEXT, Some(&next)).await?;
    shop.shows("next", "Healthy Collecting").await?;

    shop.follow(CAMPAIGN, Some(&running.replace("spec:\n", "spec:\n  suspend: true\n"))).await?;
    shop.shows("trail", "Suspended").await?;
    shop.is("campaigns", "Synced Suspended").await?;
    shop.follow(CAMPAIGN, Some(&running)).await?;
    shop.is("campaigns", "Synced Healthy").await?;

    // A file that goes takes no campaign with it, and Argo CD says so until somebody deletes it.
    shop.follow(NEXT, None).await?;
    shop.is("campaigns", "OutOfSync Healthy").await?;
    shop.kubectl("-n shop delete adcampaign next").await?;
    shop.is("campaigns", "Synced Healthy").await
}

/// A cluster that Argo CD brings what a repository has.
struct Shop {
    stage: Prepared,
    repository: Repository,
    /// Where the programs write what they log.
    logs: TempDir,
    _programs: Vec<Child>,
}

impl Shop {
    /// Argo CD, whose program and definitions are in a folder, with our health check, and the example's objects.
    async fn with_argo_cd(folder: &Path) -> anyhow::Result<Self> {
        let stage = Prepared::start(&Options::of_test(Release::default())).await?;
        let definitions = folder.join("crds");
        stage.kubectl.run(&format!("apply --server-side -f {}", definitions.display())).await?;
        // Those of Argo CD have no conditions at first, at which `wait` gives up.
        let established = "wait --for=condition=Established crd --all --timeout=60s";
        stage.kubectl.until(established, MINUTES, |_| true).await?;
        stage.kubectl.feed("apply -f -", include_str!("argo-cd/settings.yaml")).await?;
        let repository = Repository::serve(&stage).await?;
        let health = repository.read("examples/gitops/argo-cd/health.yaml")?;
        stage.kubectl.feed("-n argocd patch configmap argocd-cm --patch-file /dev/stdin", &health).await?;
        let logs = tempfile::tempdir()?;
        let programs = start(folder, &stage, logs.path())?;
        let shop = Self { stage, repository, logs, _programs: programs };
        let layout = ours(&shop.repository.with_its_url(APPLICATIONS)?);
        shop.repository.commit(APPLICATIONS, Some(&layout)).await?;
        shop.stage.kubectl.feed("apply -f -", &layout).await?;
        Ok(shop)
    }

    async fn kubectl(&self, line: &str) -> anyhow::Result<String> {
        self.stage.kubectl.run(line).await
    }

    /// How an application is, once it is so.
    async fn is(&self, application: &str, state: &str) -> anyhow::Result<()> {
        let line = format!(
            "-n argocd get application {application} -o jsonpath={{.status.sync.status}}|{{.status.health.status}}"
        );
        let wanted = state.replace(' ', "|");
        let is = self.stage.kubectl.until(&line, 10 * MINUTES, |said| said == wanted).await;
        is.with_context(|| self.logged()).map(drop)
    }

    /// What is shown of a campaign, up to its first word, once that is so.
    async fn shows(&self, campaign: &str, health: &str) -> anyhow::Result<()> {
        let of = format!(".status.resources[?(@.name==\"{campaign}\")].health");
        let line =
            format!("-n argocd get application campaigns -o jsonpath={{{of}.status}}|{{{of}.message}}");
        let wanted = health.replace(' ', "|");
        let shows = self.stage.kubectl.until(&line, 3 * MINUTES, |said| said.starts_with(&wanted)).await;
        shows.with_context(|| self.logged()).map(drop)
    }

    /// Commits a file and has Argo CD look at the repository now, as its button does.
    async fn follow(&self, file: &str, text: Option<&str>) -> anyhow::Result<()> {
        self.repository.commit(file, text).await?;
        let refresh = "argocd.argoproj.io/refresh=normal";
        self.kubectl(&format!("-n argocd annotate --overwrite application campaigns {refresh}")).await?;
        Ok(())
    }

    /// The end of what each program logged.
    fn logged(&self) -> String {
        let log = |name: &str| std::fs::read_to_string(self.logs.path().join(name)).unwrap_or_default();
        let end = |log: String| log.lines().rev().take(10).collect::<Vec<_>>().join("\n");
        [SERVER, CONTROLLER].map(|name| format!("{name}, the last first:\n{}", end(log(name)))).join("\n")
    }
}

/// The programs that Argo CD's is by its name.
const SERVER: &str = "argocd-repo-server";
const CONTROLLER: &str = "argocd-application-controller";

/// Starts Argo CD's cache, its server of manifests and its controller.
fn start(folder: &Path, stage: &Prepared, home: &Path) -> anyhow::Result<Vec<Child>> {
    let [cache, manifests, metrics, other_metrics] =
        [port()?, port()?, port()?, port()?].map(|it| it.to_string());
    let of_argo_cd = |name: &str| -> anyhow::Result<Command> {
        let mut program = quiet(folder.join("argocd"), &home.join(name))?;
        let tools = stage.helm.program().parent().context("a folder")?.display();
        program.env("ARGOCD_BINARY_NAME", name).env("KUBECONFIG", stage.cluster.kubeconfig());
        // The cluster that it speaks of as its own is that of the file.
        program.env("ARGOCD_FAKE_IN_CLUSTER", "true");
        program.env("PATH", format!("{tools}:{}", std::env::var("PATH")?)).env("HOME", home);
        program.args(["--redis", &format!("127.0.0.1:{cache}")]);
        Ok(program)
    };
    let mut server = of_argo_cd(SERVER)?;
    server.env("ARGOCD_GPG_ENABLED", "false").args(["--address=127.0.0.1", "--disable-tls"]);
    server.args(["--port", &manifests, "--metrics-port", &metrics]);
    let mut controller = of_argo_cd(CONTROLLER)?;
    controller.args(["--namespace=argocd", "--persist-resource-health", "--repo-server-plaintext"]);
    controller.args(["--repo-server", &format!("127.0.0.1:{manifests}"), "--metrics-port", &other_metrics]);
    let mut redis = quiet(folder.join("cache"), &home.join("cache"))?;
    redis.arg(format!("127.0.0.1:{cache}"));
    [redis, server, controller].into_iter().map(|mut it| Ok(it.spawn()?)).collect()
}

/// A program that ends with its value and writes into a file.
fn quiet(program: PathBuf, log: &Path) -> anyhow::Result<Command> {
    ensure!(program.exists(), "{} was not built", program.display());
    let log = std::fs::File::create(log)?;
    // Who ends this test at once ends it too.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).kill_on_drop(true);
    Ok(command)
}

fn port() -> std::io::Result<u16> {
    TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?.local_addr().map(|it| it.port())
}
