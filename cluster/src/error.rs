//! Why a cluster did not start, or did not end.

use std::io;
use std::path::PathBuf;

use crate::{api, fetch, needs};

/// Why a cluster did not start, or did not end. Each message ends with what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// This machine lacks something.
    #[error(transparent)]
    Needs(#[from] needs::Error),
    /// A binary could not be had.
    #[error(transparent)]
    Fetch(#[from] fetch::Error),
    /// The name is no DNS label, or too long for what is named after it.
    #[error(
        "`{0}` is no name for a cluster: use 1 to 20 characters of a-z, 0-9 and `-`, with a letter first"
    )]
    Name(String),
    /// A cluster of this name runs already.
    #[error("a cluster named `{0}` runs already: `broadside-cluster down --name {0}` ends it")]
    Exists(String),
    /// There is no cluster of this name.
    #[error("no cluster named `{0}` runs: `broadside-cluster up --name {0}` starts one")]
    Unknown(String),
    /// The cluster has no node.
    #[error(
        "the cluster `{0}` is a control plane alone and runs no pods: start one without --control-plane-only"
    )]
    NoNode(String),
    /// A part of the cluster ended while the cluster started.
    #[error(
        "{name} ended; the end of its log:\n{log}\nIf this is no matter of the machine, report it with the log"
    )]
    Ended {
        /// Which part.
        name: String,
        /// Its last lines.
        log: String,
    },
    /// The cluster did not become ready in time.
    #[error(
        "{what} did not become ready within {seconds} s; the end of its log:\n{log}\nA busy machine may need a second try"
    )]
    NotReady {
        /// Which part.
        what: String,
        /// How long we waited.
        seconds: u64,
        /// Its last lines.
        log: String,
    },
    /// The API server refused what a start asks of it.
    #[error("the API server refused a part of the cluster's setup; take it down and start it again")]
    Api(#[from] api::Error),
    /// A certificate could not be made.
    #[error("a certificate could not be made; this is a fault of broadside-cluster, please report it")]
    Certificate(#[from] rcgen::Error),
    /// A command of the system failed.
    #[error("`{command}` failed: {message}; `broadside-cluster down` removes what is left, then try again")]
    Command {
        /// What was run.
        command: String,
        /// What it said.
        message: String,
    },
    /// There is no free address range.
    #[error("all {0} address ranges for clusters are taken: end one, `broadside-cluster status` lists them")]
    NoRange(u8),
    /// The `broadside-cluster` executable was not found.
    #[error(
        "the executable `broadside-cluster` is not beside this program: build it with \
         `cargo build -p broadside-cluster`, or name it in BROADSIDE_CLUSTER_EXECUTABLE"
    )]
    NoExecutable,
    /// An image archive could not be loaded.
    #[error("the image archive {path} could not be loaded: {message}; it must be an OCI or Docker archive")]
    Image {
        /// The archive.
        path: PathBuf,
        /// What containerd said.
        message: String,
    },
    /// A cluster could not be ended.
    #[error("the cluster `{name}` could not be ended; end what `ps` still shows of it, then try again")]
    Down {
        /// Its name.
        name: String,
        /// What went wrong.
        source: io::Error,
    },
    /// A file could not be read or written.
    #[error("a file of the cluster could not be read or written; is the disk full, or not yours?")]
    Io(#[from] io::Error),
}
