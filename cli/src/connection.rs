//! How the cluster is reached: the flags that kubectl has, under kubectl's names.

use std::path::PathBuf;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

/// Where the cluster is, and which namespace is meant.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Connection {
    /// The namespace. Without it, the one of the kubeconfig's context.
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The kubeconfig file. Without it, $KUBECONFIG, then ~/.kube/config, then the pod's own account.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig. Without it, the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

/// Why the cluster can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kubeconfig that was named can't be used.
    #[error("the kubeconfig can't be used: check --kubeconfig and --context")]
    Kubeconfig(#[source] kube::config::KubeconfigError),
    /// There is no kubeconfig at all.
    #[error("no cluster is configured: name a kubeconfig with --kubeconfig or KUBECONFIG")]
    NotConfigured(#[source] Box<kube::config::InferConfigError>),
    /// The configuration holds something that no client can be made of.
    #[error("no client can be made from the kubeconfig: check its certificates and its address")]
    Client(#[source] Box<kube::Error>),
}

/// A client and the namespace that is meant.
pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) namespace: String,
}

impl Connection {
    pub(crate) async fn connect(&self) -> Result<Connected, Error> {
        let config = self.config().await?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let client = Client::try_from(config).map_err(|error| Error::Client(Box::new(error)))?;
        Ok(Connected { client, namespace })
    }

    async fn config(&self) -> Result<Config, Error> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        match (&self.kubeconfig, &self.context) {
            (None, None) => Config::infer().await.map_err(|error| Error::NotConfigured(Box::new(error))),
            (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(Error::Kubeconfig),
            (Some(file), _) => {
                let kubeconfig = Kubeconfig::read_from(file).map_err(Error::Kubeconfig)?;
                Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(Error::Kubeconfig)
            }
        }
    }
}
