//! Clusters that run, found by their names.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::guard::{self, Traces};
use crate::layout::Layout;
use crate::{Error, Name, Places, cgroups};

/// A cluster with a folder, whoever started it.
#[derive(Clone, Debug)]
pub struct Running {
    name: Name,
    layout: Layout,
    node: Option<NodeFacts>,
}

/// What is known about a cluster's node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeFacts {
    pub(crate) address: Ipv4Addr,
    pub(crate) snapshotter: String,
}

/// The file of [`NodeFacts`] in the cluster's folder.
pub(crate) const NODE_FACTS: &str = "node.json";

/// The file that says that the cluster's start has come to its end.
const READY: &str = "run/ready";

/// How a cluster is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It has started.
    Ready,
    /// It is being started.
    Starting,
    /// Nothing of it runs; its folder is still there.
    Dead,
}

impl State {
    /// The state in one word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Starting => "Starting",
            Self::Dead => "Dead",
        }
    }
}

impl Running {
    /// The cluster of that name. Errs when there is none, dead or alive.
    pub fn find(places: &Places, name: &Name) -> Result<Self, Error> {
        let layout = Layout::new(places.state.join(name.as_str()));
        if !layout.root().is_dir() {
            return Err(Error::Unknown(name.to_string()));
        }
        let node = fs::read(layout.path(NODE_FACTS)).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Ok(Self { name: name.clone(), layout, node })
    }

    /// All clusters of this user, by name, the dead whose folders are still there among them.
    pub fn all(places: &Places) -> Vec<Self> {
        let entries = fs::read_dir(&places.state).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| Name::new(entry.file_name().to_str()?).ok());
        let mut all: Vec<_> = names.filter_map(|name| Self::find(places, &name).ok()).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// Its name.
    pub const fn name(&self) -> &Name {
        &self.name
    }

    /// How it is.
    pub fn state(&self) -> State {
        match self.is_alive() {
            true if self.layout.path(READY).exists() => State::Ready,
            true => State::Starting,
            false => State::Dead,
        }
    }

    fn is_alive(&self) -> bool {
        guard::processes(self.layout.root()).is_ok_and(|found| !found.is_empty())
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.path("admin.kubeconfig")
    }

    /// The folder with the logs of its parts.
    pub fn logs(&self) -> PathBuf {
        self.layout.path("log")
    }

    /// The node's address, which the host reaches; `None` for a control plane alone.
    pub fn node_address(&self) -> Option<Ipv4Addr> {
        self.node.as_ref().map(|node| node.address)
    }

    /// Makes the images of an OCI or Docker archive known to the node. Pods then name them with
    /// `imagePullPolicy: Never` or `IfNotPresent`.
    pub async fn load_image(&self, archive: &Path) -> Result<(), Error> {
        let node = self.node.as_ref().ok_or_else(|| Error::NoNode(self.name.to_string()))?;
        let first = self.first_process().ok_or_else(|| Error::Unknown(self.name.to_string()))?;
        let refused = |message: String| Error::Image { path: archive.to_owned(), message };
        let input = File::open(archive).map_err(|error| refused(error.to_string()))?;
        let output = Command::new("nsenter")
            .args(["--target", &first.to_string(), "--mount", "--net", "--pid", "--"])
            .args([
                "ctr",
                "--namespace",
                "k8s.io",
                "images",
                "import",
                "--snapshotter",
                &node.snapshotter,
                "-",
            ])
            .stdin(input)
            .output()
            .await?;
        if output.status.success() {
            return Ok(());
        }
        Err(refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }

    /// Ends it and removes every trace. Ends what is left of a dead one, too.
    pub fn down(&self) -> Result<(), Error> {
        let name = self.name.to_string();
        self.traces().and_then(|traces| guard::end(&traces)).map_err(|source| Error::Down { name, source })
    }

    /// Makes the folder of a new cluster. What a dead one of that name left behind is removed first.
    pub(crate) fn claim(places: &Places, name: &Name) -> Result<Self, Error> {
        let layout = Layout::new(places.state.join(name.as_str()));
        let new = Self { name: name.clone(), layout, node: None };
        if new.is_alive() {
            return Err(Error::Exists(name.to_string()));
        }
        new.down()?;
        new.layout.create()?;
        Ok(new)
    }

    /// Removes what a start has made that failed before there was a guard to see to it.
    pub(crate) fn discard(&self) {
        // The error that led here matters more than one of this; what is left, the next start of the name removes.
        let _ = self.down();
    }

    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What must be removed when it has ended.
    pub(crate) fn traces(&self) -> io::Result<Traces> {
        Ok(Traces { state: self.layout.root().to_owned(), cgroups: cgroups::folders(&self.name)? })
    }

    /// Records what is known of the node, for ourselves and for whoever finds the cluster by its name.
    pub(crate) fn set_node(&mut self, node: NodeFacts) -> Result<(), Error> {
        let text = serde_json::to_string(&node).expect("an address and a word are JSON");
        self.layout.write(NODE_FACTS, &text)?;
        self.node = Some(node);
        Ok(())
    }

    /// Records that its start has come to its end.
    pub(crate) fn set_ready(&self) -> Result<(), Error> {
        Ok(self.layout.write(READY, "")?)
    }

    /// The first process of the cluster's namespaces, as the host numbers it.
    pub(crate) fn first_process(&self) -> Option<nix::unistd::Pid> {
        guard::processes(self.layout.root()).ok()?.into_iter().find(|pid| is_first(&pid.to_string()))
    }
}

/// Whether a process is the first of a PID namespace below ours: the kernel lists its numbers from ours inward.
fn is_first(pid: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    numbers.is_some_and(|numbers| {
        let numbers: Vec<_> = numbers.split_whitespace().collect();
        numbers.len() > 1 && numbers.last() == Some(&"1")
    })
}
