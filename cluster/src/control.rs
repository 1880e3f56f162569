//! The control plane as programs: what etcd, the API server, the controllers and the scheduler are told.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde_json::json;

use crate::certificates::{Authority, Identity, Subject, signing_keys};
use crate::kubeconfig::kubeconfig;
use crate::layout::Layout;
use crate::process::Process;

/// Addresses of a control plane.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints {
    /// Where clients reach the API server.
    pub(crate) address: Ipv4Addr,
    /// Its port.
    pub(crate) port: u16,
    /// etcd's port, on loopback.
    pub(crate) etcd_port: u16,
    /// Where services get their addresses, as `address/bits`.
    pub(crate) services: String,
    /// The first of them: the `kubernetes` service.
    pub(crate) first_service: Ipv4Addr,
}

/// Users with a kubeconfig of their own, as (file, user, group). The API server's own roles know them by these names.
const USERS: [(&str, &str, Option<&str>); 3] = [
    ("admin", "broadside-admin", Some("system:masters")),
    ("controller-manager", "system:kube-controller-manager", None),
    ("scheduler", "system:kube-scheduler", None),
];

impl Endpoints {
    /// The API server's URL.
    pub(crate) fn server(&self) -> String {
        format!("https://{}:{}", self.address, self.port)
    }

    /// Every name under which a client may know the API server.
    fn hosts(&self) -> Vec<String> {
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
        let full = "kubernetes.default.svc.cluster.local";
        let addresses =
            [Ipv4Addr::LOCALHOST, self.address, self.first_service].map(|address| address.to_string());
        names.into_iter().chain([full]).map(Into::into).chain(addresses).collect()
    }
}

/// Writes the keys and kubeconfigs of a control plane, and returns the administrator's identity.
pub(crate) fn write_identities(
    layout: &Layout,
    authority: &Authority,
    name: &str,
    endpoints: &Endpoints,
) -> Result<Identity, crate::Error> {
    layout.write("pki/ca.crt", &authority.pem())?;
    let (private, public) = signing_keys()?;
    layout.write("pki/service-accounts.key", &private)?;
    layout.write("pki/service-accounts.pub", &public)?;
    layout.write_identity("apiserver", &authority.server("kube-apiserver", &endpoints.hosts())?)?;
    let loopback = ["localhost".into(), Ipv4Addr::LOCALHOST.to_string()];
    layout.write_identity("etcd", &authority.server("etcd", &loopback)?)?;
    let masters = Subject { user: "kube-apiserver-kubelet-client", group: Some("system:masters") };
    layout.write_identity("kubelet-client", &authority.client(masters)?)?;
    for (file, user, group) in USERS {
        write_user(layout, authority, (name, &endpoints.server()), file, Subject { user, group })?;
    }
    Ok(authority.client(Subject { user: "broadside-cluster", group: Some("system:masters") })?)
}

/// Writes the kubeconfig `FILE.kubeconfig` of one user; `target` is the cluster's name and the API server's URL.
pub(crate) fn write_user(
    layout: &Layout,
    authority: &Authority,
    target: (&str, &str),
    file: &str,
    subject: Subject<'_>,
) -> Result<(), crate::Error> {
    let identity = authority.client(subject)?;
    let text = kubeconfig(target.0, target.1, &authority.pem(), &identity);
    Ok(layout.write(&format!("{file}.kubeconfig"), &text)?)
}

/// etcd, on loopback, for clients with a certificate of ours.
pub(crate) fn etcd(program: PathBuf, layout: &Layout, endpoints: &Endpoints) -> Process {
    let client = format!("https://127.0.0.1:{}", endpoints.etcd_port);
    // There is no other member, so nobody needs to know which port the system chose.
    let peer = "https://127.0.0.1:0".to_owned();
    let (certificate, key) = (layout.certificate("etcd"), layout.key("etcd"));
    let flags = [
        ("name", "etcd".into()),
        ("data-dir", layout.word("etcd")),
        ("listen-client-urls", client.clone()),
        ("advertise-client-urls", client),
        ("listen-peer-urls", peer.clone()),
        ("initial-advertise-peer-urls", peer.clone()),
        ("initial-cluster", format!("etcd={peer}")),
        ("cert-file", certificate.clone()),
        ("key-file", key.clone()),
        ("trusted-ca-file", layout.certificate("ca")),
        ("client-cert-auth", "true".into()),
        ("peer-cert-file", certificate),
        ("peer-key-file", key),
        ("peer-trusted-ca-file", layout.certificate("ca")),
        ("peer-client-cert-auth", "true".into()),
        // A cluster that ends with its owner needs to survive no power cut.
        ("unsafe-no-fsync", "true".into()),
        ("log-level", "warn".into()),
    ];
    Process::new("etcd", program, &flags)
}

/// The API server, as far as a control plane with and without a node agree.
fn apiserver(program: PathBuf, layout: &Layout, endpoints: &Endpoints) -> Process {
    let flags = [
        ("etcd-servers", format!("https://127.0.0.1:{}", endpoints.etcd_port)),
        ("etcd-cafile", layout.certificate("ca")),
        ("etcd-certfile", layout.certificate("etcd")),
        ("etcd-keyfile", layout.key("etcd")),
        ("secure-port", endpoints.port.to_string()),
        ("tls-cert-file", layout.certificate("apiserver")),
        ("tls-private-key-file", layout.key("apiserver")),
        ("client-ca-file", layout.certificate("ca")),
        ("service-account-issuer", "https://kubernetes.default.svc".into()),
        ("service-account-key-file", layout.word("pki/service-accounts.pub")),
        ("service-account-signing-key-file", layout.key("service-accounts")),
        ("service-cluster-ip-range", endpoints.services.clone()),
        ("authorization-mode", "Node,RBAC".into()),
        ("allow-privileged", "true".into()),
        ("kubelet-client-certificate", layout.certificate("kubelet-client")),
        ("kubelet-client-key", layout.key("kubelet-client")),
        ("kubelet-certificate-authority", layout.certificate("ca")),
        ("kubelet-preferred-address-types", "InternalIP".into()),
    ];
    Process::new("kube-apiserver", program, &flags)
}

/// The API server of a node: reachable from pods through the `kubernetes` service.
pub(crate) fn node_apiserver(program: PathBuf, layout: &Layout, endpoints: &Endpoints) -> Process {
    let address = endpoints.address.to_string();
    let more = [("bind-address", "0.0.0.0".into()), ("advertise-address", address)];
    extended(apiserver(program, layout, endpoints), &more)
}

/// The API server of a control plane without a node, on loopback. Its `kubernetes` service has no endpoints: the
/// server refuses to advertise a loopback address.
pub(crate) fn loopback_apiserver(program: PathBuf, layout: &Layout, endpoints: &Endpoints) -> Process {
    let address = endpoints.address.to_string();
    let more = [
        ("bind-address", address.clone()),
        ("advertise-address", address),
        ("endpoint-reconciler-type", "none".into()),
    ];
    extended(apiserver(program, layout, endpoints), &more)
}

/// Without controllers nobody makes the `default` service accounts, which pods would wait for in vain.
pub(crate) fn without_service_accounts(apiserver: Process) -> Process {
    extended(apiserver, &[("disable-admission-plugins", "ServiceAccount".into())])
}

/// Where the API server is told whose requests it writes down, and where it does.
const AUDIT_POLICY: &str = "audit-policy.json";
pub(crate) const AUDIT_LOG: &str = "log/audit.log";

/// Writes the policy by which each request of these users is written down, without what was sent and answered.
pub(crate) fn write_audit_policy(layout: &Layout, users: &[String]) -> std::io::Result<()> {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "users": users}],
    });
    layout.write(AUDIT_POLICY, &policy.to_string())
}

/// The API server, which writes down what that policy says.
pub(crate) fn audited(apiserver: Process, layout: &Layout) -> Process {
    let flags =
        [("audit-policy-file", layout.word(AUDIT_POLICY)), ("audit-log-path", layout.word(AUDIT_LOG))];
    extended(apiserver, &flags)
}

/// The controllers of the built-in kinds.
pub(crate) fn controller_manager(program: PathBuf, layout: &Layout) -> Process {
    let kubeconfig = layout.kubeconfig("controller-manager");
    let flags = [
        ("kubeconfig", kubeconfig.clone()),
        ("authentication-kubeconfig", kubeconfig.clone()),
        ("authorization-kubeconfig", kubeconfig),
        ("service-account-private-key-file", layout.key("service-accounts")),
        ("root-ca-file", layout.certificate("ca")),
        ("flex-volume-plugin-dir", layout.volume_plugins()),
        ("use-service-account-credentials", "true".into()),
        ("leader-elect", "false".into()),
        // Nobody reads its metrics, and several control planes may share one loopback.
        ("secure-port", "0".into()),
    ];
    Process::new("kube-controller-manager", program, &flags)
}

/// The scheduler.
pub(crate) fn scheduler(program: PathBuf, layout: &Layout) -> Process {
    let kubeconfig = layout.kubeconfig("scheduler");
    let flags = [
        ("kubeconfig", kubeconfig.clone()),
        ("authentication-kubeconfig", kubeconfig.clone()),
        ("authorization-kubeconfig", kubeconfig),
        ("leader-elect", "false".into()),
        ("secure-port", "0".into()),
    ];
    Process::new("kube-scheduler", program, &flags)
}

/// The program with what somebody else wants it to be told: the last word of a flag counts.
pub(crate) fn with_flags(process: Process, flags: &[(String, String)]) -> Process {
    let flags: Vec<_> = flags.iter().map(|(flag, value)| (flag.as_str(), value.clone())).collect();
    extended(process, &flags)
}

fn extended(mut process: Process, flags: &[(&str, String)]) -> Process {
    process.arguments.extend(flags.iter().map(|(flag, value)| format!("--{flag}={value}")));
    process
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints() -> Endpoints {
        Endpoints {
            address: Ipv4Addr::LOCALHOST,
            port: 6443,
            etcd_port: 2379,
            services: "198.18.4.0/22".into(),
            first_service: Ipv4Addr::new(198, 18, 4, 1),
        }
    }

    #[test]
    fn a_loopback_apiserver_does_not_advertise_itself() {
        let process = loopback_apiserver("kube-apiserver".into(), &Layout::new("/s"), &endpoints());
        for flag in ["--endpoint-reconciler-type=none", "--bind-address=127.0.0.1", "--secure-port=6443"] {
            assert!(process.arguments.iter().any(|argument| argument == flag), "lacks {flag}");
        }
    }

    #[test]
    fn the_apiserver_is_known_by_every_name_that_a_pod_may_use() {
        let hosts = endpoints().hosts();
        for host in ["kubernetes.default.svc", "198.18.4.1", "127.0.0.1"] {
            assert!(hosts.iter().any(|known| known == host), "lacks {host}");
        }
    }

    #[test]
    fn etcd_asks_every_client_for_a_certificate() {
        let process = etcd("etcd".into(), &Layout::new("/s"), &endpoints());
        for flag in ["--client-cert-auth=true", "--peer-client-cert-auth=true"] {
            assert!(process.arguments.iter().any(|argument| argument == flag), "lacks {flag}");
        }
        assert!(!process.arguments.iter().any(|argument| argument.contains("http://")));
    }
}
