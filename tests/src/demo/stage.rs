//! Where the demonstration runs.

use std::path::PathBuf;

use anyhow::Context;
use cluster::{Lifetime, Name, Places, Running};
use tempfile::TempDir;
use tokio::process::Child;

use super::Clock;
use crate::images::Registry;
use crate::installation::Release;
use crate::{Installation, Kubectl, Options};

/// The cluster's name: another `make demo` replaces it, `make demo-down` removes it.
const CLUSTER: &str = "demo";

/// A cluster with Broadside on it, and how to reach it.
pub(super) struct Stage {
    pub(super) kubectl: Kubectl,
    pub(super) broadside: Kubectl,
    /// Where applications ask.
    pub(super) gateway: String,
    /// Where applications report.
    pub(super) ledger: String,
    /// From where the nodes have our images.
    pub(super) registry: Registry,
    /// A folder that goes with the demonstration.
    pub(super) folder: PathBuf,
    /// What a shell needs to reach it, before its search path.
    pub(super) environment: String,
    /// How all of it is removed.
    pub(super) removal: String,
    /// Forwarded ports and the files of this run, which end with this value.
    pub(super) _held: Option<([Child; 2], TempDir)>,
}

impl Stage {
    /// A cluster of its own; the one of an earlier demonstration, or what an interrupted one left, makes room.
    pub(super) async fn own(clock: Clock) -> anyhow::Result<Self> {
        clock.say("starting a real Kubernetes: etcd, API server, scheduler, kubelet, containers");
        let name = Name::new(CLUSTER).context("the demonstration's name")?;
        if let Ok(earlier) = Running::find(&Places::from_env(), &name) {
            clock.say("removing the cluster of an earlier demonstration");
            earlier.down()?;
        }
        let progress = clock.progress();
        let options =
            Options { name: Some(name), lifetime: Lifetime::Detached, progress, release: Release::default() };
        let Installation { cluster, kubectl, broadside, gateway, ledger, .. } =
            Installation::start(options).await?;
        let kubeconfig = cluster.kubeconfig();
        Ok(Self {
            kubectl,
            broadside,
            gateway,
            ledger,
            registry: Registry::default(),
            folder: kubeconfig.parent().context("the cluster's folder")?.to_owned(),
            environment: format!("KUBECONFIG={} ", kubeconfig.display()),
            removal: "make demo-down removes all of it.".to_owned(),
            _held: None,
        })
    }
}
