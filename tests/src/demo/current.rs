//! The demonstration on the cluster that kubectl speaks to: kind, k3d, a real one.
//!
//! It makes two namespaces that were not there, and touches nothing else but what the chart has for the whole cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use cluster::Image;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::stage::Stage;
use super::{Clock, SHOP};
use crate::images::{self, Registry};
use crate::installation::{self, NAMESPACE, RELEASE, Release};
use crate::{Kubectl, programs};

/// The cluster that kubectl speaks to, and how our images come to it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Current {
    /// The kubeconfig whose current context is taken; kubectl's own, unless set.
    #[arg(long, env = "KUBECONFIG", value_name = "FILE", hide_env_values = true)]
    kubeconfig: Option<PathBuf>,
    /// From where its nodes pull our images, such as registry.example/team. Without it they are loaded into the nodes.
    #[arg(long, env = "BROADSIDE_DEMO_REGISTRY", value_name = "NAME")]
    registry: Option<String>,
    /// What loads or pushes an image, run by a shell for each: {archive} is its file, {image} its name. Without it they are
    /// there already.
    #[arg(long, env = "BROADSIDE_DEMO_LOAD", value_name = "COMMAND")]
    load: Option<String>,
}

/// What removes all that the demonstration made.
const REMOVAL: &str = "
    helm uninstall broadside --namespace broadside-system
    kubectl delete namespace broadside-system shop
    kubectl delete crd -l app.kubernetes.io/part-of=broadside";

impl Current {
    /// Installs the chart there.
    pub(super) async fn stage(&self, clock: Clock) -> anyhow::Result<Stage> {
        let folder = tempfile::tempdir().context("making a folder")?;
        let kubectl = cluster::tools::kubectl().await?;
        let kubeconfig = self.taken(&kubectl, folder.path(), clock).await?;
        let kubectl = Kubectl::new(kubectl, kubeconfig.clone());
        is_free(&kubectl).await?;
        let registry = self.registry.as_deref().map_or_else(Registry::default, Registry::pulled);
        self.load(&registry, folder.path(), clock).await?;

        clock.say("installing charts/broadside with Helm");
        let helm = Kubectl::new(cluster::tools::helm().await?, kubeconfig.clone());
        let release = Release::default();
        tokio::select! {
            installed = installation::install(&kubectl, &helm, &release, &registry) => installed?,
            missing = missing_image(&kubectl, NAMESPACE) => return Err(missing),
        }
        let (gateway, first) = forward(&kubectl, "gateway").await?;
        let (ledger, second) = forward(&kubectl, "ledger").await?;
        Ok(Stage {
            broadside: Kubectl::new(programs::ours("broadside")?, kubeconfig),
            kubectl,
            gateway,
            ledger,
            registry,
            folder: folder.path().to_owned(),
            environment: String::new(),
            removal: format!("This removes all of it:\n{REMOVAL}"),
            _held: Some(([first, second], folder)),
        })
    }

    /// A kubeconfig of the current context alone, so that it stays the same whatever somebody chooses meanwhile.
    async fn taken(&self, kubectl: &Path, folder: &Path, clock: Clock) -> anyhow::Result<PathBuf> {
        let home = || std::env::home_dir().unwrap_or_default().join(".kube/config");
        let theirs = Kubectl::new(kubectl.to_owned(), self.kubeconfig.clone().unwrap_or_else(home));
        let context = theirs.run("config current-context").await.context(
            "kubectl has no current context: choose one (kubectl config use-context), or leave CLUSTER out for a cluster of its own",
        )?;
        let context = context.trim();
        let file = folder.join("kubeconfig");
        std::fs::write(&file, theirs.run("config view --raw --flatten --minify").await?)?;
        let taken = Kubectl::new(kubectl.to_owned(), file.clone());
        taken.run("get --raw /readyz --request-timeout 10s").await.with_context(|| {
            format!("the cluster of context {context} does not answer: start it, or choose another context (kubectl config use-context)")
        })?;
        clock.say(&format!("this is the cluster of context {context}"));
        Ok(file)
    }

    async fn load(&self, registry: &Registry, folder: &Path, clock: Clock) -> anyhow::Result<()> {
        let Some(command) = &self.load else { return Ok(()) };
        for image in images::all()? {
            let image = Image { reference: registry.rename(&image.reference), ..image };
            clock.say(&format!("loading {}", image.reference));
            let archive = folder.join("image.tar");
            let line = command.replace("{archive}", &archive.display().to_string());
            let line = line.replace("{image}", &image.reference);
            let writes = archive.clone();
            tokio::task::spawn_blocking(move || image.write(&writes)).await??;
            let status = Command::new("sh").args(["-c", &line]).kill_on_drop(true).status().await?;
            ensure!(status.success(), "LOAD failed ({status}): {line}");
            std::fs::remove_file(&archive)?;
        }
        Ok(())
    }
}

/// Nothing of somebody else's is where the demonstration puts its own.
async fn is_free(kubectl: &Kubectl) -> anyhow::Result<()> {
    let makes = format!("namespace/{NAMESPACE} namespace/{SHOP} crd/adcampaigns.broadside.dev");
    let there = kubectl.run(&format!("get {makes} --ignore-not-found -o name")).await?;
    let there: Vec<&str> = there.split_whitespace().collect();
    ensure!(
        there.is_empty(),
        "the cluster has {} already, which the demonstration would make: choose another cluster, or, where it is of an earlier \
         demonstration, remove it first (docs/cluster.md, \"On another cluster\")",
        there.join(" and ")
    );
    Ok(())
}

/// Returns once a pod can't start for want of an image; why, and what to do.
pub(super) async fn missing_image(kubectl: &Kubectl, namespace: &str) -> anyhow::Error {
    let waiting = "jsonpath={range ..state.waiting}{.reason}={.message}{\"\\n\"}{end}";
    loop {
        let waiting = kubectl.run_all(["-n", namespace, "get", "pods", "-o", waiting]).await;
        let waiting = waiting.unwrap_or_default();
        let reasons = ["ErrImageNeverPull=", "ImagePullBackOff=", "InvalidImageName="];
        if let Some(missing) =
            waiting.lines().find(|line| reasons.iter().any(|reason| line.starts_with(reason)))
        {
            return anyhow::anyhow!(
                "{missing}: have it loaded (LOAD='kind load image-archive {{archive}}'), or push it and name its registry \
                 (REGISTRY=registry.example/team); docs/cluster.md says more under \"On another cluster\". Before the next try, remove what there is:\n{REMOVAL}"
            );
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// A port of this machine behind which a part of the release answers, for as long as the process lives.
async fn forward(kubectl: &Kubectl, part: &str) -> anyhow::Result<(String, Child)> {
    let service = format!("{RELEASE}-{part}");
    let port = kubectl
        .run(&format!("-n {NAMESPACE} get service {service} -o jsonpath={{.spec.ports[0].port}}"))
        .await?;
    let line = format!("-n {NAMESPACE} port-forward service/{service} :{port} --address 127.0.0.1");
    let mut command = kubectl.command(line.split_whitespace());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().context("starting kubectl")?;
    let mut said = BufReader::new(child.stdout.take().context("a pipe was asked for")?).lines();
    let first = said.next_line().await?.with_context(|| format!("kubectl {line} ended"))?;
    let Some(address) = first.strip_prefix("Forwarding from ").and_then(|rest| rest.split(' ').next()) else {
        bail!("kubectl {line}: {first}");
    };
    // It must never wait for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
    Ok((format!("http://{address}"), child))
}
