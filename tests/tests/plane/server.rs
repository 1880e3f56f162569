//! An API server of one test's own, with our definitions.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use cluster::{ControlPlane, ControlPlaneConfig, Controllers};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config};

/// The version as which servers serve whose test asks for none: `make test-versions` has plane and faults run on each.
const VERSION: &str = "BROADSIDE_TEST_KUBERNETES";

const EMULATED: &str = "emulated-version";

/// It ends with this value.
pub(crate) struct Server(pub(crate) ControlPlane);

impl Server {
    /// A server that serves our definitions, and nothing that acts on objects.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::with(Controllers::Off).await
    }

    /// The same, with or without the controllers of Kubernetes.
    pub(crate) async fn with(controllers: Controllers) -> anyhow::Result<Self> {
        Self::start_as(ControlPlaneConfig { controllers, ..ControlPlaneConfig::default() }).await
    }

    /// The same with a configuration of its own.
    pub(crate) async fn start_as(config: ControlPlaneConfig) -> anyhow::Result<Self> {
        let server = Self::bare(config).await?;
        define(&server.client().await?).await?;
        Ok(server)
    }

    /// A server that knows nothing of ours.
    pub(crate) async fn bare(mut config: ControlPlaneConfig) -> anyhow::Result<Self> {
        // Whoever installed one before was a test of ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let is_wanted = config.api_server.iter().any(|(flag, _)| flag == EMULATED);
        if let Some(version) = std::env::var(VERSION).ok().filter(|_| !is_wanted) {
            config.api_server.push((EMULATED.to_owned(), version));
        }
        Ok(Self(ControlPlane::start(config).await?))
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.0.kubeconfig()
    }

    pub(crate) async fn config(&self) -> anyhow::Result<Config> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig())?;
        Ok(Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?)
    }

    pub(crate) async fn client(&self) -> anyhow::Result<Client> {
        Ok(Client::try_from(self.config().await?)?)
    }

    /// A client of another user, who may do what RBAC lets them do.
    pub(crate) async fn client_of(&self, user: &str) -> anyhow::Result<Client> {
        let mut config = self.config().await?;
        config.auth_info.impersonate = Some(user.to_owned());
        Ok(Client::try_from(config)?)
    }

    /// A kubeconfig of another user, in that folder, which speaks as from a pod.
    pub(crate) fn kubeconfig_of(&self, user: &str, folder: &Path) -> anyhow::Result<PathBuf> {
        let mut config = Kubeconfig::read_from(self.kubeconfig())?;
        for named in &mut config.auth_infos {
            let user_info = named.auth_info.get_or_insert_default();
            user_info.impersonate = Some(user.to_owned());
            let pod = ("authentication.kubernetes.io/pod-name".to_owned(), vec!["pod".to_owned()]);
            user_info.impersonate_user_extra = Some(HashMap::from([pod]));
        }
        // A colon would part two files in KUBECONFIG.
        let path = folder.join(user.replace(':', "-"));
        std::fs::write(&path, serde_json::to_string(&config)?)?;
        Ok(path)
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, is: impl AsyncFn() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    while !is().await? {
        ensure!(tokio::time::Instant::now() < deadline, "{what} did not come");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn define(client: &Client) -> anyhow::Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    for definition in api::definitions() {
        let name = definition.metadata.name.clone().unwrap_or_default();
        definitions.patch(&name, &PatchParams::apply("test"), &Patch::Apply(&definition)).await?;
        await_condition(definitions.clone(), &name, kube::runtime::conditions::is_crd_established()).await?;
    }
    Ok(())
}
