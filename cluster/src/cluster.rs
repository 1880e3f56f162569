//! A cluster with a node: starts it, and stands for it while it runs.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;

use crate::api::Api;
use crate::binaries::Binary;
use crate::certificates::Authority;
use crate::fetch::Fetch;
use crate::guard::{Guard, Lifetime};
use crate::image::Image;
use crate::inside::{PLAN, Plan, program};
use crate::layout::Layout;
use crate::node::{self, CONTAINERD, INSIDE, Node, PAUSE, REGISTERED};
use crate::objects::{VOLUMES, objects, volume_folder};
use crate::running::{Form, NodeFacts, Running};
use crate::wait::{Wait, has_default_account};
use crate::{Error, Name, Places, Progress, cgroups, control, link, needs};

/// How a cluster is started.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its name, and that of its node; by default one that no other has.
    pub name: Name,
    /// How many `nvidia.com/gpu` the node offers. No device is behind them: they are for scheduling.
    pub gpus: u32,
    /// Users whose requests the API server writes down, with how it answered: see [`Cluster::audit_log`].
    pub audited: Vec<String>,
    /// When it ends.
    pub lifetime: Lifetime,
    /// Where binaries come from and files go.
    pub places: Places,
    /// Where lines about long work go.
    pub progress: Progress,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            name: Name::unique(),
            gpus: 0,
            audited: Vec::new(),
            lifetime: Lifetime::default(),
            places: Places::from_env(),
            progress: Progress::default(),
        }
    }
}

/// A running cluster with one node. Up to thirty-one can run on a machine at once.
///
/// The host reaches the API server, node ports, services and pods at their own addresses. Pods reach each other and
/// services, and nothing outside.
#[derive(Debug)]
pub struct Cluster {
    guard: Guard,
    running: Running,
    address: Ipv4Addr,
}

/// A start takes under fifteen seconds on an idle machine; on one that compiles at the same time it has taken a minute.
const PATIENCE: Duration = Duration::from_secs(180);

/// The name of our own executable in the node.
const OURSELVES: &str = "broadside-cluster";

impl Cluster {
    /// Starts a cluster and returns when its node is ready: pods run, names of services resolve, GPUs are offered.
    ///
    /// Needs root. Errs, before anything is fetched, when the machine lacks what it cannot install; then when a binary
    /// cannot be had, when the name is in use, or when a part is not ready within three minutes. What was started by
    /// then is ended.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let plugins = needs::node(&config.progress).await?;
        let programs = programs(&config).await?;
        let start = launch(&config, plugins, programs);
        config.progress.during("starting the cluster", start).await
    }

    /// The administrator's kubeconfig, a file that lives as long as the cluster.
    pub fn kubeconfig(&self) -> PathBuf {
        self.running.kubeconfig()
    }

    /// The node's address, which the host reaches, for node ports.
    pub const fn node_address(&self) -> Ipv4Addr {
        self.address
    }

    /// The folder with the logs of its parts.
    pub fn logs(&self) -> PathBuf {
        self.running.logs()
    }

    /// The API server's audit log: a line of JSON for each request of the users of [`Config::audited`].
    pub fn audit_log(&self) -> PathBuf {
        self.running.layout().path(control::AUDIT_LOG)
    }

    /// Makes the images of an OCI or Docker archive known to the node. Pods then name them with
    /// `imagePullPolicy: Never` or `IfNotPresent`.
    pub async fn load_image(&self, archive: &Path) -> Result<(), Error> {
        self.running.load_image(archive).await
    }

    /// Ends it and returns when no process, mount, interface, cgroup or file of it is left. Dropping it does the same,
    /// but says no error.
    pub fn stop(mut self) -> Result<(), Error> {
        let name = self.running.name().to_string();
        self.guard.stop().map_err(|source| Error::Down { name, source })
    }
}

/// The host's paths of all programs that the plan runs, by name.
async fn programs(config: &Config) -> Result<BTreeMap<String, PathBuf>, Error> {
    let ourselves = config.places.find_executable().ok_or(Error::NoExecutable)?;
    let wanted = [
        Binary::Etcd,
        Binary::KubeApiserver,
        Binary::KubeControllerManager,
        Binary::KubeScheduler,
        Binary::Kubelet,
        Binary::KubeProxy,
        Binary::Coredns,
    ];
    let paths = Fetch::new(config.places.clone(), config.progress.clone()).binaries(&wanted).await?;
    let named = wanted.iter().map(|binary| binary.name().to_owned()).zip(paths);
    Ok(named.chain([(OURSELVES.to_owned(), ourselves)]).collect())
}

async fn launch(
    config: &Config,
    plugins: PathBuf,
    programs: BTreeMap<String, PathBuf>,
) -> Result<Cluster, Error> {
    let ourselves = programs[OURSELVES].clone();
    let (mut running, mut guard) =
        Running::launch(&config.places, &config.name, Form::Node, |new| unshare(new, &ourselves)).await?;
    let layout = running.layout().clone();
    let first = first_process(&layout, &running, &mut guard).await?;
    let snapshotter = snapshotter(layout.root())?;
    let node = Node { name: config.name.clone(), range: link::join(first)?, snapshotter, plugins };
    let api = write(&layout, &node)?;
    control::write_audit_policy(&layout, &config.audited)?;
    running.set_node(NodeFacts { address: node.range.node(), snapshotter: snapshotter.into() })?;
    let plan = Plan { processes: processes(&node, config), programs };
    layout.write(PLAN, &serde_json::to_string(&plan).expect("a plan is JSON"))?;
    let mut cluster = Cluster { guard, running, address: node.range.node() };
    let start = Start { api: &api, node: &node, config, ourselves: &ourselves };
    cluster.wait(&start).await?;
    cluster.running.set_ready()?;
    cluster.guard.release(config.lifetime)?;
    Ok(cluster)
}

/// Runs our executable as the first process of new namespaces.
fn unshare(running: &Running, ourselves: &Path) -> Result<Guard, Error> {
    let traces = running.traces()?;
    cgroups::create(&traces.cgroups)?;
    let words = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let paths = [ourselves, Path::new("init"), running.layout().root()];
    let command: Vec<String> =
        words.into_iter().map(Into::into).chain(paths.map(|path| path.display().to_string())).collect();
    Ok(Guard::spawn(traces, &running.layout().path("log/guard.log"), &command)?)
}

async fn first_process(
    layout: &Layout,
    running: &Running,
    guard: &mut Guard,
) -> Result<nix::unistd::Pid, Error> {
    let mut wait = Wait::new(layout, guard, PATIENCE);
    wait.until("guard", async || running.first_process().is_some()).await?;
    running
        .first_process()
        .ok_or_else(|| Error::Ended { name: "guard".into(), log: layout.log_tail("guard") })
}

/// Writes keys and settings, and returns a client for the server that will use them.
fn write(layout: &Layout, node: &Node) -> Result<Api, Error> {
    use std::os::unix::fs::PermissionsExt;
    let authority = Authority::new()?;
    let endpoints = node.endpoints();
    let admin = control::write_identities(layout, &authority, node.name.as_str(), &endpoints)?;
    node.write(layout, &authority)?;
    for number in 0..VOLUMES {
        let folder = layout.path(&volume_folder(number));
        std::fs::create_dir_all(&folder)?;
        // Pods run as any user, and not all of them state an `fsGroup`.
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777))?;
    }
    Ok(Api::new(&endpoints.server(), &authority.pem(), &admin)?)
}

/// Everything that runs on the node, in the order in which it is started.
fn processes(node: &Node, config: &Config) -> Vec<crate::process::Process> {
    let layout = Layout::new(INSIDE);
    let endpoints = node.endpoints();
    let path = |binary: Binary| program(binary.name());
    let apiserver = control::node_apiserver(path(Binary::KubeApiserver), &layout, &endpoints);
    let is_audited = !config.audited.is_empty();
    let mut all = vec![
        control::etcd(path(Binary::Etcd), &layout, &endpoints),
        if is_audited { control::audited(apiserver, &layout) } else { apiserver },
        node::containerd(Path::new("containerd")),
        control::controller_manager(path(Binary::KubeControllerManager), &layout),
        control::scheduler(path(Binary::KubeScheduler), &layout),
        node::kubelet(path(Binary::Kubelet), node),
        node::kube_proxy(path(Binary::KubeProxy)),
        node::coredns(path(Binary::Coredns)),
    ];
    if config.gpus > 0 {
        all.push(node::gpus(program(OURSELVES), node, config.gpus));
    }
    all
}

/// `native` where the folder lies on an overlay, as in a container: the kernel lays no overlay on another.
fn snapshotter(folder: &Path) -> Result<&'static str, Error> {
    let kind = nix::sys::statfs::statfs(folder).map_err(std::io::Error::from)?.filesystem_type();
    Ok(if kind == nix::sys::statfs::OVERLAYFS_SUPER_MAGIC { "native" } else { "overlayfs" })
}

/// What waiting for a start needs to know.
struct Start<'a> {
    api: &'a Api,
    node: &'a Node,
    config: &'a Config,
    ourselves: &'a Path,
}

impl Cluster {
    async fn wait(&mut self, start: &Start<'_>) -> Result<(), Error> {
        let layout = self.running.layout().clone();
        let running = self.running.clone();
        let (api, node) = (start.api, start.node);
        let mut wait = Wait::new(&layout, &mut self.guard, PATIENCE);
        wait.until("containerd", async || has_containerd(&running)).await?;
        load_pause(&running, start.ourselves).await?;
        wait.until("kube-apiserver", async || api.is_ready().await).await?;
        for (path, object) in objects(node) {
            wait.until_done("kube-apiserver", async || api.apply(&path, &object).await).await?;
        }
        wait.until("kubelet", async || read_node(api, node).await.is_some()).await?;
        layout.write(REGISTERED, "")?;
        wait.until("kubelet", async || read_node(api, node).await.is_some_and(|node| is_ready(&node)))
            .await?;
        wait.until("kube-controller-manager", async || has_default_account(api).await).await?;
        wait.until("gpus", async || offers(api, node, start.config.gpus).await).await?;
        wait.until("kube-proxy", async || resolves(node).await).await
    }
}

fn has_containerd(running: &Running) -> bool {
    running
        .first_process()
        .is_some_and(|first| Path::new(&format!("/proc/{first}/root{CONTAINERD}")).exists())
}

/// Loads the image that every pod needs: our own executable, which is fully static.
async fn load_pause(running: &Running, ourselves: &Path) -> Result<(), Error> {
    let image = Image {
        reference: PAUSE.into(),
        entrypoint: vec!["/broadside-cluster".into(), "pause".into()],
        user: "65535".into(),
        files: vec![(ourselves.to_owned(), "/broadside-cluster".into())],
    };
    let archive = running.layout().path("pause.tar");
    image.write(&archive)?;
    running.load_image(&archive).await?;
    Ok(std::fs::remove_file(&archive)?)
}

async fn read_node(api: &Api, node: &Node) -> Option<Value> {
    api.get(&format!("/api/v1/nodes/{}", node.name)).await.ok().flatten()
}

/// Whether the scheduler may place pods: the node says so, and nothing keeps them off any more.
fn is_ready(node: &Value) -> bool {
    let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
    let ready =
        conditions.filter(|condition| condition["type"] == "Ready").any(|ready| ready["status"] == "True");
    ready && node["spec"]["taints"].as_array().is_none_or(Vec::is_empty)
}

async fn offers(api: &Api, node: &Node, gpus: u32) -> bool {
    gpus == 0 || read_node(api, node).await.is_some_and(|node| crate::inside::offered(&node) == Some(gpus))
}

/// Whether the DNS service answers from here: it does once routes, kube-proxy and CoreDNS all work.
async fn resolves(node: &Node) -> bool {
    let connect = TcpStream::connect((node.range.dns(), 53));
    matches!(tokio::time::timeout(Duration::from_secs(1), connect).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_is_ready_when_it_says_so_and_nothing_keeps_pods_off() {
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let taint = json!([{"key": "node.kubernetes.io/not-ready"}]);
        assert!(is_ready(&json!({"status": {"conditions": ready}, "spec": {}})));
        assert!(!is_ready(&json!({"status": {"conditions": ready}, "spec": {"taints": taint}})));
        assert!(!is_ready(
            &json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}, "spec": {}})
        ));
        assert!(!is_ready(&json!({})));
    }
}
