//! What was typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A real single-node Kubernetes for demonstrations and tests.
#[derive(Debug, Parser)]
#[command(name = "broadside-cluster", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a cluster and return when its node is ready; where it runs already, return at once
    Up(Up),
    /// End a cluster and remove everything of it
    Down(Target),
    /// List clusters
    Status,
    /// Print the path of a cluster's kubeconfig
    Kubeconfig(Target),
    /// Make the images of an OCI or Docker archive known to a cluster's node
    LoadImage(LoadImage),
    /// Get every program of a cluster now: from the cache, the official releases, or a build with Go
    Fetch,
    /// Print the path of a tool of the cluster's version, fetching it first if need be
    Tool {
        /// Which tool
        tool: Tool,
    },
    /// Be the first process of a node's namespaces
    #[command(hide = true)]
    Init {
        /// The cluster's folder
        state: PathBuf,
    },
    /// Hold a pod's namespaces
    #[command(hide = true)]
    Pause,
    /// Keep a node offering GPUs
    #[command(hide = true)]
    OfferGpus(OfferGpus),
}

#[derive(Debug, Args)]
pub(crate) struct Target {
    /// The cluster's name
    #[arg(long, default_value = "broadside", env = "BROADSIDE_CLUSTER_NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) target: Target,
    /// How many nvidia.com/gpu the node offers; no device is behind them
    #[arg(long, default_value_t = 0, env = "BROADSIDE_CLUSTER_GPUS")]
    pub(crate) gpus: u32,
    /// Start etcd, API server and controllers alone: needs no root, runs no pods
    #[arg(long, conflicts_with = "gpus", env = "BROADSIDE_CLUSTER_CONTROL_PLANE_ONLY")]
    pub(crate) control_plane_only: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LoadImage {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The archive
    pub(crate) archive: PathBuf,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum Tool {
    /// The command line of Kubernetes
    Kubectl,
    /// Installs charts
    Helm,
}

#[derive(Debug, Args)]
pub(crate) struct OfferGpus {
    /// The API server's URL
    #[arg(long)]
    pub(crate) server: String,
    /// The node's name
    #[arg(long)]
    pub(crate) node: String,
    /// How many
    #[arg(long)]
    pub(crate) count: u32,
    /// The folder of the node's keys
    #[arg(long)]
    pub(crate) keys: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
