//! What was typed, and what it means.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use api::{Namespace, Scope};
use clap::Parser;

use crate::ledger::Addresses;
use crate::objects::job::{ModelImages, WorkerImage};
use crate::plan::Settings;

/// Reconciles AdCampaigns.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "BROADSIDE_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,

    /// Address of the ledger, such as http://broadside-ledger:8081; where several share a stream, those of all parts, in the
    /// order of their numbers, with commas between them.
    #[arg(long, env = "BROADSIDE_LEDGER_URL", value_name = "URL,..")]
    ledger_url: Addresses,

    /// Certificates of the authorities that the ledger's is of, in PEM; with an address of https.
    #[arg(long, env = "BROADSIDE_LEDGER_CA", value_name = "FILE")]
    ledger_ca: Option<PathBuf>,

    /// The token that the ledger is shown, of this process's account for the audience broadside-ledger.
    #[arg(long, env = "BROADSIDE_LEDGER_TOKEN", value_name = "FILE")]
    ledger_token: Option<PathBuf>,

    /// Image of the worker, with a tag or digest.
    #[arg(long, env = "BROADSIDE_WORKER_IMAGE")]
    worker_image: String,

    /// When the worker's image is pulled: Always, IfNotPresent or Never.
    #[arg(long, env = "BROADSIDE_WORKER_PULL_POLICY", value_parser = ["Always", "IfNotPresent", "Never"])]
    worker_pull_policy: Option<String>,

    /// Mounts the images of models as volumes, in place of copying models out of them; Kubernetes 1.35 and a runtime that
    /// has image volumes.
    #[arg(long, env = "BROADSIDE_WORKER_IMAGE_VOLUMES")]
    worker_image_volumes: bool,

    /// Secret that signs tokens; it is made if it is absent.
    #[arg(long, env = "BROADSIDE_KEY_SECRET", default_value = "broadside-key")]
    key_secret: String,

    /// Namespace of that Secret, and of the Lease.
    #[arg(long, env = "BROADSIDE_KEY_NAMESPACE")]
    key_namespace: String,

    /// The Lease by which one of several processes leads, and the others wait; without one this process is alone.
    #[arg(long, env = "BROADSIDE_LEASE", value_name = "NAME", requires = "identity")]
    lease: Option<String>,

    /// What this process is called there, such as its pod's name: no other is called so.
    #[arg(long, env = "BROADSIDE_IDENTITY", value_name = "NAME", requires = "lease")]
    identity: Option<String>,

    /// The admission policy of reviews, and its binding: what comes while they are not there does not count. Without a name
    /// no review does.
    #[arg(long, env = "BROADSIDE_REVIEW_POLICY", value_name = "NAME")]
    review_policy: Option<String>,

    /// The namespaces whose campaigns are carried out, with commas between them, or again for each; those of the whole
    /// cluster, unless one is named.
    #[arg(long, env = "BROADSIDE_WATCH_NAMESPACE", value_name = "NAME,..", value_delimiter = ',')]
    watch_namespace: Vec<Namespace>,

    /// What is logged: a level, or directives such as `info,operator=debug`.
    #[arg(long, env = "BROADSIDE_LOG", default_value = "info")]
    pub log: String,

    /// Figures in a campaign's status move at most this often between rounds, such as 1m.
    #[arg(long, env = "BROADSIDE_FIGURES_INTERVAL", default_value = "1m", value_parser = duration)]
    figures_interval: Duration,
}

/// The same, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the endpoints.
    pub listen: SocketAddr,
    /// The ledger, or that of each part.
    pub ledger_url: Addresses,
    /// The authorities of its certificate.
    pub ledger_ca: Option<PathBuf>,
    /// The file of the token that it is shown.
    pub ledger_token: Option<PathBuf>,
    /// The Secret that signs tokens: namespace and name.
    pub key: (String, String),
    /// The Lease and this process's name there, where there are several.
    pub lease: Option<(String, String)>,
    /// The admission policy of reviews.
    pub review_policy: Option<String>,
    /// The namespaces whose campaigns are carried out.
    pub scope: Scope,
    /// What plans depend on.
    pub settings: Settings,
}

fn duration(text: &str) -> Result<Duration, api::DurationError> {
    api::Duration(text.to_owned()).seconds().map(Duration::from_secs)
}

impl From<Args> for Config {
    fn from(args: Args) -> Self {
        let Args {
            log: _,
            listen,
            ledger_url,
            ledger_ca,
            ledger_token,
            worker_image,
            worker_pull_policy,
            worker_image_volumes,
            key_secret,
            key_namespace,
            lease,
            identity,
            review_policy,
            watch_namespace,
            figures_interval,
        } = args;
        let model_images = if worker_image_volumes { ModelImages::Mounted } else { ModelImages::Copied };
        let worker = WorkerImage { reference: worker_image, pull_policy: worker_pull_policy, model_images };
        Self {
            listen,
            ledger_url,
            ledger_ca,
            ledger_token,
            key: (key_namespace, key_secret),
            lease: lease.zip(identity),
            review_policy,
            scope: watch_namespace.into(),
            settings: Settings { worker, figures_interval },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn scope(arguments: &[&str]) -> Result<Scope, String> {
        let needed =
            ["--ledger-url=http://ledger:8081", "--worker-image=worker:1", "--key-namespace=broadside"];
        let line = ["operator"].iter().chain(&needed).chain(arguments);
        let args = Args::try_parse_from(line).map_err(|error| error.to_string())?;
        Ok(Config::from(args).scope)
    }

    #[test]
    fn what_is_watched_is_named_once_or_again_and_is_all_where_nothing_is() {
        Args::command().debug_assert();
        assert_eq!(scope(&[]), Ok(Scope::All));
        let two = scope(&["--watch-namespace=shop,blog"]);
        assert_eq!(two, scope(&["--watch-namespace=blog", "--watch-namespace=shop"]));
        let names = |scope: Scope| scope.watches().len();
        assert_eq!(two.map(names), Ok(2));
        for odd in ["Shop", "shop,", "shop blog"] {
            let refused = scope(&["--watch-namespace", odd]).expect_err(odd);
            let told = refused.contains("--watch-namespace") && refused.contains("names no namespace: write");
            assert!(told, "{refused}");
        }
    }
}
