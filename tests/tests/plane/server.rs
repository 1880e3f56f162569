//! An API server of one test's own, with our definitions.

use std::path::PathBuf;

use cluster::{ControlPlane, ControlPlaneConfig, Controllers};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Config};

/// It ends with this value.
pub(crate) struct Server(ControlPlane);

impl Server {
    /// A server that serves our definitions, and nothing that acts on objects.
    pub(crate) async fn start() -> anyhow::Result<Self> {
        // Whoever installed one before was a test of ours.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let config = ControlPlaneConfig { controllers: Controllers::Off, ..ControlPlaneConfig::default() };
        let server = Self(ControlPlane::start(config).await?);
        define(&server.client().await?).await?;
        Ok(server)
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
