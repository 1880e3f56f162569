//! What the chart renders, on an API server.

use anyhow::{Context as _, ensure};
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, Client, ResourceExt};
use stage::programs;
use tokio::process::Command;

/// The objects that the chart renders with further arguments of `helm template`, for a release in the namespace `default`.
pub(crate) async fn rendered(arguments: &[&str]) -> anyhow::Result<Vec<DynamicObject>> {
    let mut helm = Command::new(cluster::tools::helm().await?);
    helm.args(["template", "broadside"]).arg(programs::repository().join("charts/broadside")).args(arguments);
    let rendered = helm.output().await?;
    ensure!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    let chart = String::from_utf8(rendered.stdout)?;
    let documents = chart.split("\n---\n").filter(|document| document.contains("\nkind: "));
    // As Helm reads them, where 0440 is octal.
    let octal = || serde_saphyr::options! { legacy_octal_numbers: true };
    let read = |document| serde_saphyr::from_str_with_options(document, octal());
    documents.map(|document| read(document).with_context(|| document.to_owned())).collect()
}

/// The same of some templates alone.
pub(crate) async fn rendered_of(
    templates: &[&str],
    arguments: &[&str],
) -> anyhow::Result<Vec<DynamicObject>> {
    let shown = templates.iter().map(|template| format!("--show-only=templates/{template}"));
    let shown: Vec<String> = shown.collect();
    rendered(&shown.iter().map(String::as_str).chain(arguments.iter().copied()).collect::<Vec<_>>()).await
}

/// Applies an object, in the namespace `default` unless it names another.
pub(crate) async fn apply(
    client: &Client,
    object: &DynamicObject,
    params: &PatchParams,
) -> anyhow::Result<()> {
    let types = object.types.clone().context("a kind")?;
    let (resource, capabilities) = pinned_kind(client, &(&types).try_into()?).await?;
    let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
    let objects: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => Api::namespaced_with(client.clone(), namespace, &resource),
    };
    let applied = objects.patch(&object.name_any(), params, &Patch::Apply(object)).await;
    applied.map(drop).with_context(|| format!("{} {}", types.kind, object.name_any()))
}
