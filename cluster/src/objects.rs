//! The few objects that every cluster has from its start: names for services, and volumes.

use serde_json::{Value, json};

use crate::node::{DNS_USER, INSIDE, Node};

/// Enough for the stateful parts of what one machine runs; each is claimed once in a cluster's life.
pub(crate) const VOLUMES: u32 = 8;

/// Where volume `number` lies in the cluster's folder.
pub(crate) fn volume_folder(number: u32) -> String {
    format!("volumes/{number}")
}

/// Every object and the path where the API server has it.
pub(crate) fn objects(node: &Node) -> Vec<(String, Value)> {
    let mut all = dns(node);
    all.push(storage_class());
    all.extend((0..VOLUMES).map(|number| volume(node, number)));
    all
}

/// The rights that CoreDNS needs, and the service that leads to it: without a selector, since it is no pod.
fn dns(node: &Node) -> Vec<(String, Value)> {
    let rbac = "/apis/rbac.authorization.k8s.io/v1";
    let port = |protocol: &str| json!({"name": format!("dns-{}", protocol.to_lowercase()), "port": 53, "protocol": protocol});
    let ports = [port("UDP"), port("TCP")];
    vec![
        (
            format!("{rbac}/clusterroles/{DNS_USER}"),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRole",
                "metadata": {"name": DNS_USER},
                "rules": [
                    {"apiGroups": [""], "resources": ["services", "namespaces"], "verbs": ["list", "watch"]},
                    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
                ],
            }),
        ),
        (
            format!("{rbac}/clusterrolebindings/{DNS_USER}"),
            json!({
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {"name": DNS_USER},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": DNS_USER},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": DNS_USER}],
            }),
        ),
        (
            "/api/v1/namespaces/kube-system/services/kube-dns".into(),
            json!({
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "kube-dns", "namespace": "kube-system"},
                "spec": {"clusterIP": node.range.dns(), "ports": ports},
            }),
        ),
        (
            "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns".into(),
            json!({
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": "kube-dns",
                    "namespace": "kube-system",
                    "labels": {"kubernetes.io/service-name": "kube-dns"},
                },
                "addressType": "IPv4",
                "endpoints": [{"addresses": [node.range.node()]}],
                "ports": ports,
            }),
        ),
    ]
}

/// The default class: folders of the node, which heed a pod's `fsGroup`, unlike host paths.
fn storage_class() -> (String, Value) {
    let object = json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    });
    ("/apis/storage.k8s.io/v1/storageclasses/local".into(), object)
}

fn volume(node: &Node, number: u32) -> (String, Value) {
    let name = format!("local-{number}");
    let here = json!({"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name.as_str()]});
    let object = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "local",
            "local": {"path": format!("{INSIDE}/{}", volume_folder(number))},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    });
    (format!("/api/v1/persistentvolumes/{name}"), object)
}
