//! The node as programs: containerd, the kubelet, kube-proxy and CoreDNS, with the files that they read.
//!
//! A node has namespaces of its own, so that every program keeps its usual ports and folders, whatever else runs on
//! the machine. All paths here are as the node sees them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Name;
use crate::certificates::{Authority, Subject};
use crate::control::{Endpoints, write_user};
use crate::layout::Layout;
use crate::network::Range;
use crate::process::Process;

/// The cluster's folder, as the node sees it.
pub(crate) const INSIDE: &str = "/run/broadside";

/// The image of the container that holds a pod's namespaces: our own executable, see [`crate::inside::pause`].
pub(crate) const PAUSE: &str = "broadside.local/pause:1";

/// Where containerd listens; it comes into being when containerd is ready.
pub(crate) const CONTAINERD: &str = "/run/containerd/containerd.sock";

/// The file that says that the node is registered. kube-proxy ends when it starts before.
pub(crate) const REGISTERED: &str = "run/registered";

/// What a node's files are made from.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) name: Name,
    pub(crate) range: Range,
    /// How containerd unpacks images: `overlayfs`, or `native` where an overlay cannot lie on another.
    pub(crate) snapshotter: &'static str,
    /// The folder of the CNI plugins.
    pub(crate) plugins: PathBuf,
}

impl Node {
    /// The addresses of its control plane.
    pub(crate) fn endpoints(&self) -> Endpoints {
        Endpoints {
            address: self.range.node(),
            port: 6443,
            etcd_port: 2379,
            services: self.range.services(),
            first_service: self.range.first_service(),
        }
    }

    /// Writes everything that the programs of the node read.
    pub(crate) fn write(&self, layout: &Layout, authority: &Authority) -> Result<(), crate::Error> {
        self.write_identities(layout, authority)?;
        std::fs::create_dir_all(layout.path("cni"))?;
        layout.write("cni/10-broadside.conflist", &self.cni().to_string())?;
        layout.write("containerd.toml", &self.containerd())?;
        layout.write("kubelet.json", &self.kubelet().to_string())?;
        layout.write("kube-proxy.json", &self.kube_proxy().to_string())?;
        layout.write("Corefile", &self.corefile())?;
        Ok(layout.write("resolv.conf", &format!("nameserver {}\n", self.range.node()))?)
    }

    fn write_identities(&self, layout: &Layout, authority: &Authority) -> Result<(), crate::Error> {
        let server = self.endpoints().server();
        let target = (self.name.as_str(), server.as_str());
        let user = format!("system:node:{}", self.name);
        let node = Subject { user: &user, group: Some("system:nodes") };
        layout.write_identity("node", &authority.client(node)?)?;
        let address = self.range.node().to_string();
        layout.write_identity("kubelet", &authority.server(&user, &[address])?)?;
        write_user(layout, authority, target, "kubelet", node)?;
        for (file, user) in [("kube-proxy", "system:kube-proxy"), ("dns", DNS_USER)] {
            write_user(layout, authority, target, file, Subject { user, group: None })?;
        }
        Ok(())
    }

    /// Point-to-point links rather than a bridge: every packet between pods is routed, so that kube-proxy sees the
    /// answers of services too. A bridge needs the kernel module `br_netfilter` for that.
    fn cni(&self) -> Value {
        json!({
            "cniVersion": "0.4.0",
            "name": "broadside",
            "plugins": [{
                "type": "ptp",
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": self.range.pods()}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            }],
        })
    }

    fn containerd(&self) -> String {
        let (snapshotter, plugins) = (self.snapshotter, self.plugins.display());
        format!(
            r#"version = 2

# Else it makes folders below the machine's own /opt.
[plugins."io.containerd.internal.v1.opt"]
path = "/run/containerd/opt"

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
# Where the machine lacks CAP_SYS_RESOURCE, every sandbox would die over its OOM score.
restrict_oom_score_adj = true

[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{INSIDE}/cni"
"#
        )
    }

    fn kubelet(&self) -> Value {
        let layout = Layout::new(INSIDE);
        json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "address": self.range.node(),
            "authentication": {
                "anonymous": {"enabled": false},
                "webhook": {"enabled": true},
                "x509": {"clientCAFile": layout.certificate("ca")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": layout.certificate("kubelet"),
            "tlsPrivateKeyFile": layout.key("kubelet"),
            "clusterDomain": "cluster.local",
            "clusterDNS": [self.range.dns()],
            "resolvConf": layout.word("resolv.conf"),
            "containerRuntimeEndpoint": format!("unix://{CONTAINERD}"),
            "volumePluginDir": layout.volume_plugins(),
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": crate::cgroups::root(&self.name),
            // Machines that mount version 1 alone still run pods well.
            "failCgroupV1": false,
            "failSwapOn": false,
            "makeIPTablesUtilChains": false,
            // The disk belongs to the machine and is often nearly full: evicting our pods would not free it.
            "evictionHard": {"memory.available": "20Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
            // Images come from no registry: one that is thrown away is lost.
            "imageGCHighThresholdPercent": 100,
            "imageMaximumGCAge": "0s",
            // The default lowers our own score, which needs a right that some machines lack.
            "oomScoreAdj": 0,
        })
    }

    fn kube_proxy(&self) -> Value {
        json!({
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "nftables",
            "clientConnection": {"kubeconfig": Layout::new(INSIDE).kubeconfig("kube-proxy")},
            "hostnameOverride": self.name.as_str(),
            "clusterCIDR": self.range.pods(),
            // These limits belong to the whole machine: not ours to set.
            "conntrack": {
                "maxPerCore": 0,
                "min": 0,
                "tcpEstablishedTimeout": "0s",
                "tcpCloseWaitTimeout": "0s",
            },
            "oomScoreAdj": 0,
        })
    }

    /// Names outside the cluster do not exist here: an answer at once is better than a timeout.
    fn corefile(&self) -> String {
        let address = self.range.node();
        format!(
            "cluster.local:53 in-addr.arpa:53 ip6.arpa:53 {{
    bind {address}
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {INSIDE}/dns.kubeconfig
        ttl 5
    }}
    cache 5
}}
.:53 {{
    bind {address}
    errors
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"
        )
    }
}

/// The user that CoreDNS is to the API server.
pub(crate) const DNS_USER: &str = "system:coredns";

/// containerd, with its folders in their usual places.
pub(crate) fn containerd(program: &Path) -> Process {
    Process::new("containerd", program.into(), &[("config", Layout::new(INSIDE).word("containerd.toml"))])
}

/// The kubelet; it gives up where containerd does not answer yet.
pub(crate) fn kubelet(program: PathBuf, node: &Node) -> Process {
    let layout = Layout::new(INSIDE);
    let flags = [
        ("config", layout.word("kubelet.json")),
        ("kubeconfig", layout.kubeconfig("kubelet")),
        ("hostname-override", node.name.to_string()),
        ("node-ip", node.range.node().to_string()),
    ];
    Process::new("kubelet", program, &flags).after(CONTAINERD)
}

/// kube-proxy.
pub(crate) fn kube_proxy(program: PathBuf) -> Process {
    let layout = Layout::new(INSIDE);
    Process::new("kube-proxy", program, &[("config", layout.word("kube-proxy.json"))])
        .after(layout.path(REGISTERED))
}

/// CoreDNS as a process of the node, not as a pod: names resolve before the first pod runs, and no eviction, image or
/// scheduling fault of a test takes them away.
pub(crate) fn coredns(program: PathBuf) -> Process {
    Process::new("coredns", program, &[("conf", Layout::new(INSIDE).word("Corefile"))])
}

/// The process that keeps the node offering GPUs.
pub(crate) fn gpus(program: PathBuf, node: &Node, count: u32) -> Process {
    let flags = [
        ("server", node.endpoints().server()),
        ("node", node.name.to_string()),
        ("count", count.to_string()),
        ("keys", Layout::new(INSIDE).word("pki")),
    ];
    let mut process = Process::new("gpus", program, &flags);
    process.arguments.insert(0, "offer-gpus".into());
    process
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node() -> Node {
        Node {
            name: Name::new("test").unwrap(),
            range: Range::all().next().unwrap(),
            snapshotter: "overlayfs",
            plugins: "/usr/lib/cni".into(),
        }
    }

    #[test]
    fn pods_ask_the_dns_service_and_never_the_machine() {
        assert_eq!(node().kubelet()["clusterDNS"], json!(["198.18.4.10"]));
        assert!(node().corefile().contains("bind 198.18.0.2"));
    }

    #[test]
    fn two_nodes_share_no_cgroup() {
        assert_eq!(node().kubelet()["cgroupRoot"], "/broadside-test");
    }

    #[test]
    fn the_kubelet_looks_for_volume_plugins_in_the_clusters_folder() {
        assert_eq!(node().kubelet()["volumePluginDir"], "/run/broadside/volume-plugins");
    }

    #[test]
    fn containerd_keeps_to_its_own_folders() {
        let text = node().containerd();
        assert!(
            text.contains(r#"snapshotter = "overlayfs""#) && text.contains(r#"bin_dir = "/usr/lib/cni""#)
        );
        assert!(text.contains(r#"path = "/run/containerd/opt""#));
    }

    #[test]
    fn the_proxy_waits_for_the_node_and_the_kubelet_for_containerd() {
        assert_eq!(kube_proxy("p".into()).after.unwrap(), Path::new("/run/broadside/run/registered"));
        assert_eq!(kubelet("k".into(), &node()).after.unwrap(), Path::new(CONTAINERD));
    }
}
