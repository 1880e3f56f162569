//! A real single-node Kubernetes for demonstrations and tests.
//!
//! ```text
//! host ──veth── network, mount and PID namespaces of one cluster
//!   │             ├─ broadside-cluster (PID 1: starts, restarts, reaps)
//!   │             ├─ etcd, kube-apiserver, kube-controller-manager, kube-scheduler
//!   │             ├─ containerd, kubelet, kube-proxy, coredns
//!   │             └─ pods
//!   └─ guard (ends and removes all of it when its owner is gone)
//! ```
//!
//! [`ControlPlane`] is the small form: etcd, API server and controllers on loopback, without root, for tests that need
//! the API alone.
//!
//! The crate knows nothing of what runs on its clusters. It needs Linux and prints nothing. Of the environment it reads
//! what [`Places::from_env`] lists; `PATH`, to find programs of others; and, to download, the usual proxy variables.

mod api;
mod binaries;
mod certificates;
mod cgroups;
mod cluster;
mod control;
mod error;
mod fetch;
mod guard;
mod hex;
mod image;
pub mod inside;
mod kubeconfig;
mod layout;
mod link;
mod name;
mod needs;
mod network;
mod node;
mod objects;
mod places;
mod plane;
mod process;
mod progress;
mod running;
pub mod tools;
mod wait;

pub use api::Error as ApiError;
pub use binaries::{Binary, Component};
pub use cluster::{Cluster, Config};
pub use error::Error;
pub use fetch::{Error as FetchError, Fetch};
pub use guard::Lifetime;
pub use image::Image;
pub use name::Name;
pub use needs::Error as NeedsError;
pub use places::Places;
pub use plane::{ControlPlane, ControlPlaneConfig, Controllers, Part};
pub use progress::Progress;
pub use running::{Running, State};

pub(crate) use hex::hex;
