//! Where the chart gives rights, and what of it is cluster-scoped.

use std::collections::BTreeSet;

use anyhow::Context;
use k8s_openapi::api::rbac::v1::{PolicyRule, RoleRef, Subject};
use kube::core::ObjectMeta;
use serde::Deserialize;

use super::{Result, helm, said};

/// A role or a binding, of the cluster or of a namespace.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    kind: String,
    metadata: ObjectMeta,
    #[serde(default)]
    rules: Vec<PolicyRule>,
    role_ref: Option<RoleRef>,
    #[serde(default)]
    subjects: Vec<Subject>,
}

impl Object {
    /// The kind, the name and, where it names one, the namespace.
    fn title(&self) -> String {
        let ObjectMeta { name, namespace, .. } = &self.metadata;
        let place = namespace.as_ref().map_or_else(String::new, |namespace| format!(" in {namespace}"));
        format!("{} {}{place}", self.kind, name.as_deref().unwrap_or_default())
    }
}

async fn objects(values: &str) -> anyhow::Result<Vec<Object>> {
    let output = helm(&["template", "--set", values]).await?;
    assert!(output.status.success(), "{values}: {}", said(&output));
    let chart = said(&output);
    let documents = chart.split("\n---\n").filter(|document| document.contains("\nkind: "));
    documents.map(|document| serde_saphyr::from_str(document).with_context(|| document.to_owned())).collect()
}

/// Everything on that brings objects of its own.
const EVERYTHING: &str = "gateway.ingress.enabled=true,gateway.ingress.hosts[0].host=copy.example,\
    gateway.httpRoute.enabled=true,gateway.httpRoute.parentRefs[0].name=public,networkPolicy.enabled=true,\
    monitoring.podMonitor.enabled=true,monitoring.prometheusRule.enabled=true,monitoring.dashboard.enabled=true";

/// The kinds of ours that have no namespace.
const CLUSTER_SCOPED: [&str; 5] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

#[tokio::test]
async fn two_teams_install_what_one_does_each_its_own_part() -> Result {
    for scope in ["", ",scope.namespaces={shop,blog}"] {
        let titles = async |objects_of: &str| {
            let all = objects(&format!("{EVERYTHING}{scope},scope.objects={objects_of}")).await?;
            anyhow::Ok(all.iter().map(Object::title).collect::<BTreeSet<String>>())
        };
        let is_of_cluster = |title: &String| CLUSTER_SCOPED.contains(&title.split(' ').next().unwrap_or(""));
        let (all, of_cluster, others) =
            (titles("All").await?, titles("ClusterScoped").await?, titles("Namespaced").await?);
        assert!(!of_cluster.is_empty() && of_cluster.iter().all(is_of_cluster), "{of_cluster:?}");
        assert!(!others.is_empty() && !others.iter().any(is_of_cluster), "{others:?}");
        assert_eq!(all, of_cluster.union(&others).cloned().collect());
    }
    Ok(())
}

/// The roles that are bound to an account of ours, by title, each with where it holds.
fn bound(objects: &[Object], account: &str) -> BTreeSet<String> {
    let of_account = |object: &&Object| object.subjects.iter().any(|subject| subject.name == account);
    let bindings = objects.iter().filter(of_account);
    let bound = bindings.filter_map(|binding| {
        let role = binding.role_ref.as_ref()?;
        let of_cluster = binding.kind == "ClusterRoleBinding";
        let place = binding.metadata.namespace.as_deref().unwrap_or("the release's namespace");
        let place = if of_cluster { "the cluster" } else { place };
        Some(format!("{} {} in {place}", role.kind, role.name))
    });
    bound.collect()
}

#[tokio::test]
async fn rights_hold_where_campaigns_are() -> Result {
    for (scope, account, expected) in [
        (
            "",
            "operator",
            vec![
                "ClusterRole broadside-campaigns in the cluster",
                "ClusterRole broadside-operator in the cluster",
                "Role broadside-operator in the release's namespace",
            ],
        ),
        ("", "gateway", vec!["ClusterRole broadside-tables in the cluster"]),
        (
            "",
            "ledger",
            vec![
                "ClusterRole broadside-ledger-reviews in the cluster",
                "ClusterRole broadside-tables in the cluster",
            ],
        ),
        (
            ",scope.namespaces={shop,blog}",
            "operator",
            vec![
                "ClusterRole broadside-operator in the cluster",
                "Role broadside-campaigns in blog",
                "Role broadside-campaigns in shop",
                "Role broadside-operator in the release's namespace",
            ],
        ),
        (
            ",scope.namespaces={shop,blog}",
            "gateway",
            vec!["Role broadside-tables in blog", "Role broadside-tables in shop"],
        ),
        (
            ",scope.namespaces={shop,blog}",
            "ledger",
            vec![
                "ClusterRole broadside-ledger-reviews in the cluster",
                "Role broadside-tables in blog",
                "Role broadside-tables in shop",
            ],
        ),
    ] {
        let all = objects(&format!("scope.objects=All{scope}")).await?;
        let found = bound(&all, &format!("broadside-{account}"));
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{scope} {account}");
    }
    Ok(())
}

#[tokio::test]
async fn a_role_says_the_same_in_a_namespace_as_in_the_cluster() -> Result {
    let of_cluster = objects("scope.objects=All").await?;
    let scoped = objects("scope.namespaces={shop}").await?;
    for role in ["broadside-campaigns", "broadside-tables"] {
        let rules = |objects: &[Object], kind: &str| {
            let is_meant =
                |object: &&Object| object.kind == kind && object.metadata.name.as_deref() == Some(role);
            objects.iter().find(is_meant).map(|object| object.rules.clone())
        };
        let in_cluster = rules(&of_cluster, "ClusterRole").context("a ClusterRole")?;
        assert!(!in_cluster.is_empty());
        assert_eq!(rules(&scoped, "Role").context("a Role")?, in_cluster);
        assert!(rules(&scoped, "ClusterRole").is_none() && rules(&of_cluster, "Role").is_none());
    }
    Ok(())
}

#[tokio::test]
async fn operator_gateway_and_ledger_are_told_where_to_look() -> Result {
    let everywhere = said(&helm(&["template"]).await?);
    assert!(
        !everywhere.contains("--watch-namespace") && !everywhere.contains("- --namespace="),
        "{everywhere}"
    );
    let scoped = said(&helm(&["template", "--set", "scope.namespaces={shop,blog}"]).await?);
    for (line, times) in [("- --watch-namespace=shop,blog\n", 1), ("- --namespace=shop,blog\n", 2)] {
        assert_eq!(scoped.matches(line).count(), times, "{line}: {scoped}");
    }
    Ok(())
}
