//! The programs of a cluster: which there are, their versions, and where each comes from.

/// A program that this crate can fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    KubeApiserver,
    /// The controllers of the built-in kinds.
    KubeControllerManager,
    /// Places pods on the node.
    KubeScheduler,
    /// Runs pods on the node.
    Kubelet,
    /// Makes service addresses work.
    KubeProxy,
    /// The command line of Kubernetes.
    Kubectl,
    /// Answers names of services.
    Coredns,
    /// Installs charts.
    Helm,
}

/// What is released and versioned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Everything from `k8s.io/kubernetes`.
    Kubernetes,
    /// etcd.
    Etcd,
    /// CoreDNS.
    Coredns,
    /// Helm.
    Helm,
}

/// A Go module that builds binaries: its `go.mod` and `go.sum`, carried inside this library so that it can build
/// wherever it is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Module {
    /// Content of `go.mod`.
    pub(crate) definition: &'static str,
    /// Content of `go.sum`.
    pub(crate) sums: &'static str,
}

impl Binary {
    /// All of them, in the order in which a cluster wants them.
    pub const ALL: [Self; 9] = [
        Self::Etcd,
        Self::KubeApiserver,
        Self::KubeControllerManager,
        Self::KubeScheduler,
        Self::Kubelet,
        Self::KubeProxy,
        Self::Kubectl,
        Self::Coredns,
        Self::Helm,
    ];

    /// The file name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::KubeApiserver => "kube-apiserver",
            Self::KubeControllerManager => "kube-controller-manager",
            Self::KubeScheduler => "kube-scheduler",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::Kubectl => "kubectl",
            Self::Coredns => "coredns",
            Self::Helm => "helm",
        }
    }

    /// What it is released with.
    pub const fn component(self) -> Component {
        match self {
            Self::Etcd => Component::Etcd,
            Self::Coredns => Component::Coredns,
            Self::Helm => Component::Helm,
            Self::KubeApiserver
            | Self::KubeControllerManager
            | Self::KubeScheduler
            | Self::Kubelet
            | Self::KubeProxy
            | Self::Kubectl => Component::Kubernetes,
        }
    }

    /// The Go package of its `main`.
    pub(crate) fn package(self) -> String {
        match self.component() {
            Component::Kubernetes => format!("k8s.io/kubernetes/cmd/{}", self.name()),
            Component::Etcd => "go.etcd.io/etcd/server/v3".into(),
            Component::Coredns => "github.com/coredns/coredns".into(),
            Component::Helm => "helm.sh/helm/v4/cmd/helm".into(),
        }
    }
}

impl Component {
    /// The release that this crate runs, with its leading `v`.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Kubernetes => "v1.37.2",
            Self::Etcd => "v3.7.3",
            Self::Coredns => "v1.15.0",
            Self::Helm => "v4.3.1",
        }
    }

    /// The folder of this release in the cache, such as `etcd-v3.7.3`.
    pub fn folder(self) -> String {
        let name = match self {
            Self::Kubernetes => "kubernetes",
            Self::Etcd => "etcd",
            Self::Coredns => "coredns",
            Self::Helm => "helm",
        };
        format!("{name}-{}", self.version())
    }

    /// The Go module that builds it. etcd shares Kubernetes' module, whose dependencies agree with it.
    pub(crate) const fn module(self) -> Module {
        match self {
            Self::Kubernetes | Self::Etcd => Module {
                definition: include_str!("../tools/kubernetes/go.mod"),
                sums: include_str!("../tools/kubernetes/go.sum"),
            },
            Self::Coredns => Module {
                definition: include_str!("../tools/coredns/go.mod"),
                sums: include_str!("../tools/coredns/go.sum"),
            },
            Self::Helm => Module {
                definition: include_str!("../tools/helm/go.mod"),
                sums: include_str!("../tools/helm/go.sum"),
            },
        }
    }

    /// Linker flags: no symbol tables, and for Kubernetes the version, without which `kubectl version` and every
    /// version check fail.
    pub(crate) fn linker_flags(self) -> String {
        match self {
            Self::Kubernetes => {
                format!("-s -w -X k8s.io/component-base/version.gitVersion={}", self.version())
            }
            Self::Etcd | Self::Coredns | Self::Helm => "-s -w".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_pin_the_versions_that_are_named_here() {
        for (component, module) in [
            (Component::Kubernetes, "k8s.io/kubernetes"),
            (Component::Etcd, "go.etcd.io/etcd/server/v3"),
            (Component::Helm, "helm.sh/helm/v4"),
        ] {
            let line = format!("\t{module} {}", component.version());
            assert!(component.module().definition.contains(&line), "go.mod lacks {line:?}");
        }
        // CoreDNS numbers its Go module as it numbers its releases.
        let coredns = Component::Coredns;
        assert!(coredns.module().definition.contains(&format!("coredns/coredns {}", coredns.version())));
    }

    #[test]
    fn every_binary_is_a_tool_of_its_module() {
        for binary in Binary::ALL {
            let definition = binary.component().module().definition;
            assert!(definition.contains(&binary.package()), "{} is no tool", binary.name());
        }
    }
}
