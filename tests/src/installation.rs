//! A cluster with Broadside on it, put there as a user would.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cluster::{Cluster, Config, Image, Lifetime, Name, Progress};

use crate::images::{self, Registry};
use crate::{Kubectl, programs, terminal};

/// The namespace and the name of the release.
pub const NAMESPACE: &str = "broadside-system";
pub(crate) const RELEASE: &str = "broadside";

/// The operator's account, whose requests are written down.
pub const OPERATOR: &str = "system:serviceaccount:broadside-system:broadside-operator";

/// How Broadside is installed.
#[derive(Clone, Debug)]
pub struct Options {
    /// The cluster's name; one that no other has, unless given.
    pub name: Option<Name>,
    /// Whether the cluster outlives this process.
    pub lifetime: Lifetime,
    /// Where lines about long work go.
    pub progress: Progress,
    /// What differs from the chart's own.
    pub release: Release,
}

impl Options {
    /// Of a test: a cluster of its own that ends with this process, and long work is told on the terminal.
    #[must_use]
    pub fn of_test(release: Release) -> Self {
        let progress = Progress::new(terminal::say);
        Self { name: None, lifetime: Lifetime::Owned, progress, release }
    }
}

/// How a release differs from what the chart has of itself.
#[derive(Clone, Debug, Default)]
pub struct Release {
    /// Images that its surroundings need.
    pub images: Vec<Image>,
    /// Objects that are there before it, in its namespace unless they name another.
    pub objects: String,
    /// Values, as `--set` takes them.
    pub values: Vec<String>,
}

/// A cluster with Broadside on it.
#[derive(Debug)]
pub struct Installation {
    /// The cluster.
    pub cluster: Cluster,
    /// kubectl.
    pub kubectl: Kubectl,
    /// Helm.
    pub helm: Kubectl,
    /// Our command.
    pub broadside: Kubectl,
    /// Where applications ask.
    pub gateway: String,
    /// Where applications report.
    pub ledger: String,
}

/// A cluster whose node has our images, for whoever installs Broadside in a way of their own.
#[derive(Debug)]
pub struct Prepared {
    /// The cluster.
    pub cluster: Cluster,
    /// kubectl.
    pub kubectl: Kubectl,
    /// Helm.
    pub helm: Kubectl,
}

impl Prepared {
    /// Starts a cluster whose node offers one GPU, and loads our images and those that the release's surroundings need.
    ///
    /// # Errors
    /// When the machine can't run a cluster, or a program of ours was not built.
    pub async fn start(options: &Options) -> anyhow::Result<Self> {
        let Options { name, lifetime, progress, release } = options.clone();
        // Whatever is missing is said, or got, before anything is started.
        let images = [images::all()?, release.images].concat();
        programs::fetch(&progress).await?;
        let audited = vec![OPERATOR.to_owned()];
        let config = Config { gpus: 1, audited, lifetime, progress: progress.clone(), ..Config::default() };
        let config = Config { name: name.unwrap_or_else(Name::unique), ..config };
        let cluster = Cluster::start(config).await?;
        progress.during("loading our images into its node", load(&cluster, &images)).await?;
        let kubeconfig = cluster.kubeconfig();
        let kubectl = Kubectl::new(cluster::tools::kubectl().await?, kubeconfig.clone());
        let helm = Kubectl::new(cluster::tools::helm().await?, kubeconfig);
        Ok(Self { cluster, kubectl, helm })
    }
}

impl Installation {
    /// Starts a cluster whose node offers one GPU, loads our images and installs the chart.
    ///
    /// # Errors
    /// When the machine can't run a cluster, a program of ours was not built, or the chart does not become ready.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Prepared { cluster, kubectl, helm } = Prepared::start(&options).await?;
        let Options { name: _, lifetime: _, progress, release } = options;
        let registry = Registry::default();
        let installed = install(&kubectl, &helm, &release, &registry);
        progress.during("installing charts/broadside with Helm", installed).await?;
        let broadside = Kubectl::new(programs::ours("broadside")?, cluster.kubeconfig());
        let gateway = service(&kubectl, "gateway").await?;
        let ledger = service(&kubectl, "ledger").await?;
        Ok(Self { cluster, kubectl, helm, broadside, gateway, ledger })
    }
}

impl Installation {
    /// What the release's own test says, from a pod inside of the cluster.
    ///
    /// # Errors
    /// When a check fails.
    pub async fn test(&self) -> anyhow::Result<String> {
        self.helm.run(&format!("test {RELEASE} --namespace {NAMESPACE} --logs --timeout 2m")).await
    }
}

async fn load(cluster: &Cluster, images: &[Image]) -> anyhow::Result<()> {
    for image in images {
        let archive = archive(cluster);
        let writing = image.clone();
        let target = archive.clone();
        tokio::task::spawn_blocking(move || writing.write(&target)).await??;
        let loaded =
            cluster.load_image(&archive).await.with_context(|| format!("loading {}", image.reference));
        std::fs::remove_file(&archive).context("removing an archive")?;
        loaded?;
    }
    Ok(())
}

/// Beside the cluster's kubeconfig, so that an interrupted start leaves nothing elsewhere.
fn archive(cluster: &Cluster) -> PathBuf {
    let kubeconfig = cluster.kubeconfig();
    kubeconfig.parent().unwrap_or(Path::new("/tmp")).join("image.tar")
}

/// Installs the chart in a namespace that is not there yet.
pub(crate) async fn install(
    kubectl: &Kubectl,
    helm: &Kubectl,
    release: &Release,
    registry: &Registry,
) -> anyhow::Result<()> {
    kubectl.run(&format!("create namespace {NAMESPACE}")).await?;
    let enforce = "pod-security.kubernetes.io/enforce=restricted";
    kubectl.run(&format!("label namespace {NAMESPACE} {enforce}")).await?;
    if !release.objects.is_empty() {
        kubectl.feed(&format!("-n {NAMESPACE} apply -f -"), &release.objects).await?;
    }
    let chart = programs::repository().join("charts/broadside").display().to_string();
    let line = ["install", RELEASE, &chart, "--namespace", NAMESPACE, "--wait", "--timeout", "3m"];
    let fast = ["--set-string".to_owned(), "operator.figuresInterval=1s".to_owned()];
    let values = release.values.iter().flat_map(|value| ["--set".to_owned(), value.clone()]);
    let arguments = line.into_iter().map(str::to_owned).chain(registry.values()).chain(fast).chain(values);
    match helm.run_all(arguments).await {
        Ok(_) => Ok(()),
        Err(error) => Err(error.context(format!("installing the chart\n{}", pods(kubectl).await))),
    }
}

/// How our pods are, and the end of what each said: why a chart did not become ready.
async fn pods(kubectl: &Kubectl) -> String {
    let table = kubectl.run(&format!("-n {NAMESPACE} get pods")).await.unwrap_or_default();
    let logs = format!("-n {NAMESPACE} logs --prefix --tail=3 -l app.kubernetes.io/part-of=broadside");
    format!("{table}{}", kubectl.run(&logs).await.unwrap_or_default())
}

async fn service(kubectl: &Kubectl, part: &str) -> anyhow::Result<String> {
    let port = "{.spec.ports[0].appProtocol}://{.spec.clusterIP}:{.spec.ports[0].port}";
    kubectl.run(&format!("-n {NAMESPACE} get service {RELEASE}-{part} -o jsonpath={port}")).await
}
