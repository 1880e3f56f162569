//! A cluster with a node: real containers, addresses and names. Needs root.
//!
//! The tests share one cluster, which ends with this process; the last ones start another and look at what it leaves.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

mod support;

use std::io::Read;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use cluster::{Cluster, Config, Image};
use support::Kubectl;
use tokio::sync::OnceCell;

/// What a namespace that enforces the restricted pod security standard asks of a pod.
const RESTRICTED: &str = r#"
    securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}"#;

const IMAGE: &str = "broadside.local/probe:1";

/// A pod to run commands in. Ports below 1024 are for root.
const IDLE: &[&str] = &["serve", "9000", "idle"];

async fn shared() -> &'static Cluster {
    static SHARED: OnceCell<Cluster> = OnceCell::const_new();
    SHARED
        .get_or_init(async || {
            let cluster = start(1).await;
            load_probe(&cluster).await;
            cluster
        })
        .await
}

async fn start(gpus: u32) -> Cluster {
    untouched();
    Cluster::start(Config { gpus, ..Config::default() })
        .await
        .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)))
}

/// Loads an image of the example program, which cargo puts beside this test's folder.
async fn load_probe(cluster: &Cluster) {
    let profile = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned();
    let probe = profile.join("examples/probe");
    assert!(
        probe.exists(),
        "run `cargo build -p broadside-cluster --examples` first: `--test node` alone builds none"
    );
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("probe.tar");
    let image = Image {
        reference: IMAGE.into(),
        entrypoint: vec!["/probe".into()],
        user: "65532".into(),
        files: vec![(probe, "/probe".into())],
    };
    image.write(&archive).unwrap();
    cluster.load_image(&archive).await.unwrap();
}

/// A pod that runs the example program with `words`, in a namespace that allows restricted pods alone.
fn pod(namespace: &str, name: &str, words: &[&str]) -> String {
    format!(
        r#"apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {name}}}}}
spec:
    restartPolicy: Never{RESTRICTED}
    containers:
    - name: probe
      image: {IMAGE}
      imagePullPolicy: Never
      args: {words:?}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {{drop: [ALL]}}
"#
    )
}

async fn restricted_namespace(cluster: &Cluster, name: &str) -> Kubectl {
    let kubectl = Kubectl::new(cluster.kubeconfig()).await;
    kubectl.says(&format!("create namespace {name}"));
    kubectl.says(&format!("label namespace {name} pod-security.kubernetes.io/enforce=restricted"));
    kubectl.eventually(&format!("-n {name} get serviceaccount default -o name"), "serviceaccount/default");
    kubectl
}

fn phase(namespace: &str, pod: &str) -> String {
    format!("-n {namespace} get pod {pod} -o jsonpath={{.status.phase}}")
}

#[tokio::test]
async fn a_restricted_pod_runs_and_its_log_can_be_read() {
    let kubectl = restricted_namespace(shared().await, "restricted").await;
    kubectl.apply(&pod("restricted", "hello", &["say", "hello from a pod"]));
    kubectl.eventually(&phase("restricted", "hello"), "Succeeded");
    assert_eq!(kubectl.says("-n restricted logs hello"), "hello from a pod\n");
}

#[tokio::test]
async fn services_answer_by_name_in_pods_and_by_address_on_the_host() {
    let cluster = shared().await;
    let kubectl = restricted_namespace(cluster, "services").await;
    kubectl.apply(&pod("services", "server", &["serve", "8080", "welcome"]));
    kubectl.eventually(&phase("services", "server"), "Running");
    kubectl.says("-n services expose pod server --port=80 --target-port=8080 --type=NodePort");

    kubectl.apply(&pod("services", "idle", IDLE));
    kubectl.eventually(&phase("services", "idle"), "Running");
    for name in ["server", "server.services", "server.services.svc.cluster.local"] {
        kubectl.eventually(&format!("-n services exec idle -- /probe hear {name}:80"), "welcome");
    }
    // A pod reaches itself through its own service, too; its bare name would be that of its own host.
    kubectl.eventually("-n services exec server -- /probe hear server.services:80", "welcome");

    let field =
        |field: &str| kubectl.says(&format!("-n services get service server -o jsonpath={{{field}}}"));
    let pod_address = kubectl.says("-n services get pod server -o jsonpath={.status.podIP}");
    let node_port = field(".spec.ports[0].nodePort");
    for address in [
        format!("{}:80", field(".spec.clusterIP")),
        format!("{}:{node_port}", cluster.node_address()),
        format!("{pod_address}:8080"),
    ] {
        assert_eq!(hear(&address), "welcome", "{address}");
    }
}

fn hear(address: &str) -> String {
    let mut text = String::new();
    TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[tokio::test]
async fn names_that_do_not_exist_are_denied_at_once() {
    let kubectl = restricted_namespace(shared().await, "names").await;
    kubectl.apply(&pod("names", "idle", IDLE));
    kubectl.eventually(&phase("names", "idle"), "Running");
    let start = Instant::now();
    let output = kubectl.run("-n names exec idle -- /probe reach example.com:80");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(errors.contains("failed to lookup address"), "{errors}");
    // A resolver that hears nothing asks again after five seconds.
    assert!(start.elapsed() < Duration::from_secs(5), "took {:?}", start.elapsed());
}

#[tokio::test]
async fn pods_reach_the_api_server_through_its_service() {
    let kubectl = restricted_namespace(shared().await, "api").await;
    kubectl.apply(&pod("api", "idle", IDLE));
    kubectl.eventually(&phase("api", "idle"), "Running");
    kubectl.eventually("-n api exec idle -- /probe reach kubernetes.default:443", "reached");
}

#[tokio::test]
async fn the_scheduler_gives_out_the_gpus_that_the_node_offers() {
    let kubectl = restricted_namespace(shared().await, "gpus").await;
    let gpu = "      resources: {limits: {nvidia.com/gpu: 1}}\n";
    kubectl.apply(&(pod("gpus", "first", IDLE) + gpu));
    kubectl.eventually(&phase("gpus", "first"), "Running");
    kubectl.apply(&(pod("gpus", "second", &["say", "my turn"]) + gpu));
    let message =
        "-n gpus get pod second -o jsonpath={.status.conditions[?(@.type==\"PodScheduled\")].reason}";
    kubectl.eventually(message, "Unschedulable");
    assert_eq!(kubectl.says(&phase("gpus", "second")), "Pending");
    kubectl.says("-n gpus delete pod first --grace-period=1");
    kubectl.eventually(&phase("gpus", "second"), "Succeeded");
}

#[tokio::test]
async fn a_claimed_volume_can_be_written_by_a_user_who_is_not_root() {
    let kubectl = restricted_namespace(shared().await, "volumes").await;
    kubectl.apply(
        r#"apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: volumes}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"#,
    );
    let mounted = pod("volumes", "writer", &["write", "/data/file", "kept"])
        + "      volumeMounts: [{name: data, mountPath: /data}]\n    volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]\n";
    kubectl.apply(&mounted);
    kubectl.eventually(&phase("volumes", "writer"), "Succeeded");
    assert_eq!(kubectl.says("-n volumes logs writer"), "kept\n");
}

#[tokio::test]
async fn a_second_cluster_runs_beside_the_first_and_leaves_nothing() {
    let first = shared().await;
    let before = Traces::of_machine();
    let second = start(0).await;
    assert_ne!(first.node_address(), second.node_address());
    load_probe(&second).await;
    let kubectl = restricted_namespace(&second, "traces").await;
    kubectl.apply(&pod("traces", "idle", IDLE));
    kubectl.eventually(&phase("traces", "idle"), "Running");
    let folder = second.kubeconfig().parent().unwrap().to_owned();
    assert_ne!(Traces::of(&folder), Traces::default(), "the test sees no traces of a cluster that runs");

    second.stop().unwrap();
    assert_eq!(Traces::of(&folder), Traces::default());
    assert_eq!(Traces::of_machine(), before);
    assert_eq!(Machine::now(), *untouched());
    // The first is none the worse.
    assert!(Kubectl::new(first.kubeconfig()).await.says("get nodes").contains(" Ready "));
}

#[tokio::test]
async fn a_killed_kubelet_comes_back_with_its_gpus_and_a_killed_first_process_ends_all() {
    let cluster = start(2).await;
    let folder = cluster.kubeconfig().parent().unwrap().to_owned();
    let kubectl = Kubectl::new(cluster.kubeconfig()).await;
    let kubelet = |line: &str| line.contains("/kubelet\0");
    let old = kill(&folder, kubelet);
    eventually(&folder, |traces| {
        traces.processes.iter().any(|line| kubelet(line) && !line.starts_with(&old))
    });
    // The new kubelet has reported once its lease or its node has been renewed; GPUs must be there then and after.
    std::thread::sleep(Duration::from_secs(3));
    kubectl.eventually("get nodes -o jsonpath={.items[0].status.allocatable.nvidia\\.com/gpu}", "2");

    kill(&folder, is_first);
    eventually(&folder, |traces| *traces == Traces::default());
}

/// Kills the first process of a cluster whose line fulfils `which`; returns its number.
fn kill(folder: &Path, which: impl Fn(&str) -> bool) -> String {
    let line = Traces::of(folder).processes.into_iter().find(|line| which(line)).unwrap();
    let pid = line.split(' ').next().unwrap().to_owned();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().unwrap().success());
    pid
}

fn eventually(folder: &Path, holds: impl Fn(&Traces) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds(&Traces::of(folder)) {
        assert!(Instant::now() < deadline, "{:?}", Traces::of(folder));
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether a line of [`processes`] is our executable as the first process, and not what started it.
fn is_first(line: &str) -> bool {
    let mut words = line.split([' ', '\0']).skip(1);
    words.next().is_some_and(|program| program.ends_with("/broadside-cluster"))
        && words.next() == Some("init")
}

/// What a cluster could leave behind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Traces {
    processes: Vec<String>,
    mounts: Vec<String>,
    cgroups: Vec<PathBuf>,
    links: Vec<String>,
    files: Vec<PathBuf>,
}

impl Traces {
    /// All of one cluster, by its folder.
    fn of(folder: &Path) -> Self {
        let (path, name) = (folder.display().to_string(), folder.file_name().unwrap().to_str().unwrap());
        Self {
            processes: processes(&path),
            mounts: lines("/proc/self/mounts", &path),
            cgroups: cgroups()
                .into_iter()
                .filter(|cgroup| cgroup.ends_with(format!("broadside-{name}")))
                .collect(),
            links: Vec::new(),
            files: folder.exists().then(|| folder.to_owned()).into_iter().collect(),
        }
    }

    /// What every cluster of this machine shares with the machine.
    fn of_machine() -> Self {
        Self {
            processes: Vec::new(),
            mounts: lines("/proc/self/mounts", ""),
            cgroups: cgroups().into_iter().filter(|cgroup| !is_of_other_tests(cgroup)).collect(),
            links: lines("/proc/net/dev", "broadside0"),
            files: [
                "/run/netns",
                "/run/containerd",
                "/var/lib/kubelet",
                "/var/lib/cni",
                "/var/log/pods",
                "/opt/containerd",
            ]
            .map(PathBuf::from)
            .into_iter()
            .filter(|path| path.exists())
            .collect(),
        }
    }
}

/// What of the whole machine a kubelet and its controllers usually change.
#[derive(Debug, PartialEq, Eq)]
struct Machine {
    settings: Vec<(&'static str, Option<String>)>,
    has_plugins: bool,
}

impl Machine {
    fn now() -> Self {
        let settings = [
            "vm/overcommit_memory",
            "vm/panic_on_oom",
            "kernel/panic",
            "kernel/panic_on_oops",
            "kernel/keys/root_maxkeys",
            "kernel/keys/root_maxbytes",
        ];
        let read = |setting| std::fs::read_to_string(Path::new("/proc/sys").join(setting)).ok();
        Self {
            settings: settings.map(|setting| (setting, read(setting))).into(),
            has_plugins: Path::new("/usr/libexec/kubernetes").exists(),
        }
    }
}

/// The machine as it was before the first cluster of this process.
fn untouched() -> &'static Machine {
    static UNTOUCHED: OnceLock<Machine> = OnceLock::new();
    UNTOUCHED.get_or_init(Machine::now)
}

/// Other tests of this file may be running clusters of their own at the same time.
fn is_of_other_tests(cgroup: &Path) -> bool {
    cgroup.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"broadside-"))
}

/// `PID COMMAND` of every process whose environment or command names `path`.
fn processes(path: &str) -> Vec<String> {
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let found = pids.filter_map(|entry| {
        let read = |file: &str| std::fs::read(entry.path().join(file)).ok();
        let (environment, command) = (read("environ")?, read("cmdline")?);
        let names = |text: &[u8]| String::from_utf8_lossy(text).contains(path);
        let line = format!("{} {}", entry.file_name().display(), String::from_utf8_lossy(&command));
        (names(&environment) || names(&command)).then_some(line)
    });
    found.collect()
}

fn lines(file: &str, word: &str) -> Vec<String> {
    std::fs::read_to_string(file).unwrap().lines().filter(|line| line.contains(word)).map(word_of).collect()
}

/// The part of a line that does not change by itself, as counters do.
fn word_of(line: &str) -> String {
    line.split_whitespace().take(2).filter(|word| word.parse::<u64>().is_err()).collect::<Vec<_>>().join(" ")
}

fn cgroups() -> Vec<PathBuf> {
    let output = Command::new("find").args(["/sys/fs/cgroup", "-type", "d"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}
