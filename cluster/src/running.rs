//! Clusters that run, found by their names.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use crate::guard::{self, Traces};
use crate::layout::Layout;
use crate::{Error, Name, Places, cgroups, link};

/// A cluster with a folder, whoever started it.
#[derive(Clone, Debug)]
pub struct Running {
    name: Name,
    layout: Layout,
    form: Form,
    node: Option<NodeFacts>,
}

/// The two forms of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Without a node. All that it leaves lies in its folder.
    ControlPlane,
    /// With a node, whose pods have cgroups.
    Node,
}

/// The file that says that a cluster has a node, written before any trace of one is made.
const WITH_NODE: &str = "run/node";

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
        let form = if layout.path(WITH_NODE).exists() { Form::Node } else { Form::ControlPlane };
        Ok(Self { name: name.clone(), layout, form, node })
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
        self.unplug();
        let name = self.name.to_string();
        self.traces().and_then(|traces| guard::end(&traces)).map_err(|source| Error::Down { name, source })
    }

    /// Removes the host's end of a living cluster's cable. The kernel would keep it for minutes where connections break
    /// off: they linger in the namespace, and hold it. A dead cluster's range may be another's by now.
    fn unplug(&self) {
        let lives = self.first_process().is_some();
        if let Some(node) = self.node.as_ref().filter(|_| lives) {
            link::remove(node.address);
        }
    }

    /// Makes the folder of a new cluster and calls `run`, which runs its guard. What a dead cluster of that name left
    /// behind is removed first, and what was made here is removed where `run` fails.
    ///
    /// Of several that launch one name at once, one does and the others err with [`Error::Exists`]: a lock is held from
    /// before the look at who has the name until there is a guard, by which everybody sees that it is taken.
    pub(crate) async fn launch<T>(
        places: &Places,
        name: &Name,
        form: Form,
        run: impl FnOnce(&Self) -> Result<T, Error>,
    ) -> Result<(Self, T), Error> {
        let _lock = lock(places.state.clone()).await?;
        let new = Self::claim(places, name, form)?;
        // The error that leads to its end matters more than one of that; what is left, the next start removes.
        let ran = run(&new).inspect_err(|_| drop(new.down()))?;
        Ok((new, ran))
    }

    fn claim(places: &Places, name: &Name, form: Form) -> Result<Self, Error> {
        let layout = Layout::new(places.state.join(name.as_str()));
        let new = Self { name: name.clone(), layout, form, node: None };
        if new.is_alive() {
            return Err(Error::Exists(name.to_string()));
        }
        // A dead one may have had another form, and cgroups may be there without a folder that says so.
        Self::find(places, name).map_or(Ok(()), |dead| dead.down())?;
        new.down()?;
        new.layout.create()?;
        if form == Form::Node {
            new.layout.write(WITH_NODE, "")?;
        }
        Ok(new)
    }

    pub(crate) const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What must be removed when it has ended. The cgroups of its name may be another's where it has no node: that of
    /// root's cluster with the same name.
    pub(crate) fn traces(&self) -> io::Result<Traces> {
        let cgroups = match self.form {
            Form::Node => cgroups::folders(&self.name)?,
            Form::ControlPlane => Vec::new(),
        };
        Ok(Traces { state: self.layout.root().to_owned(), cgroups })
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

/// Holds off other programs that would launch a cluster. It is the folder itself that is locked, so that no file is
/// left for it, and the kernel lets go when we end, however we end.
async fn lock(folder: PathBuf) -> io::Result<File> {
    let blocking = tokio::task::spawn_blocking(move || {
        fs::create_dir_all(&folder)?;
        let folder = File::open(&folder)?;
        folder.lock()?;
        Ok(folder)
    });
    blocking.await.expect("locking a folder does not panic")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::Guard;

    fn places(state: &Path) -> Places {
        Places { binaries: None, cache: PathBuf::new(), state: state.into(), executable: None }
    }

    fn sleeper(new: &Running) -> Result<Guard, Error> {
        let command = ["sleep", "300"].map(String::from);
        Ok(Guard::spawn(new.traces()?, &new.layout().path("log/guard.log"), &command)?)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 8)]
    async fn of_many_launches_of_one_name_one_wins_and_keeps_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::unique();
        let launches: Vec<_> = std::iter::repeat_n((places(folder.path()), name.clone()), 8)
            .map(|(places, name)| {
                tokio::spawn(
                    async move { Running::launch(&places, &name, Form::ControlPlane, sleeper).await },
                )
            })
            .collect();
        let mut won = Vec::new();
        for launch in launches {
            match launch.await.unwrap() {
                Ok(cluster) => won.push(cluster),
                Err(error) => assert!(matches!(error, Error::Exists(_)), "{error:?}"),
            }
        }
        let [(running, guard)] = &mut won[..] else { panic!("{} have launched it", won.len()) };
        assert!(guard.is_running() && running.logs().join("guard.log").exists());
    }

    #[tokio::test]
    async fn a_launch_that_fails_leaves_nothing_and_a_later_one_works() {
        let folder = tempfile::tempdir().unwrap();
        let (places, name) = (places(folder.path()), Name::unique());
        let refuse = |_: &Running| Err::<Guard, _>(Error::NoExecutable);
        Running::launch(&places, &name, Form::ControlPlane, refuse).await.unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        Running::launch(&places, &name, Form::ControlPlane, sleeper).await.unwrap();
    }

    #[test]
    fn cgroups_are_traces_of_a_node_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (places, name) = (places(folder.path()), Name::unique());
        let has_cgroups =
            |form| !Running::claim(&places, &name, form).unwrap().traces().unwrap().cgroups.is_empty();
        assert!(!has_cgroups(Form::ControlPlane));
        // Without a hierarchy there is nothing that a node could leave.
        let expected = !cgroups::folders(&name).unwrap().is_empty();
        assert_eq!(has_cgroups(Form::Node), expected);
        let found = Running::find(&places, &name).unwrap();
        assert_eq!(!found.traces().unwrap().cgroups.is_empty(), expected, "what was made is not found again");
    }
}
