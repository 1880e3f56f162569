//! What the layouts for Argo CD and Flux refer to is there, and the chart takes the values that they give it.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use stage::programs;
use tokio::process::Command;

/// The objects of a file of `examples/gitops`.
fn objects(file: &str) -> anyhow::Result<Vec<Value>> {
    let text = std::fs::read_to_string(programs::repository().join("examples/gitops").join(file))?;
    text.split("\n---\n").map(|document| Ok(serde_saphyr::from_str(document)?)).collect()
}

fn text<'a>(object: &'a Value, pointer: &str) -> anyhow::Result<&'a str> {
    object.pointer(pointer).and_then(Value::as_str).with_context(|| format!("{pointer} of {object}"))
}

/// A folder of this repository by its path from the top.
fn is_there(path: &str) -> anyhow::Result<()> {
    ensure!(programs::repository().join(path).is_dir(), "there is no folder {path}");
    Ok(())
}

/// The chart with these values; each of the three programs comes from where they say.
async fn renders(path: &str, values: &Value) -> anyhow::Result<()> {
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), values.to_string())?;
    let chart = programs::repository().join(path);
    let mut helm = Command::new(cluster::tools::helm().await?);
    let output =
        helm.args(["template", "broadside"]).arg(chart).arg("--values").arg(file.path()).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rendered = String::from_utf8(output.stdout)?;
    for program in ["operator", "gateway", "worker"] {
        let image = format!("registry.example/{program}:0.1.0");
        ensure!(rendered.contains(&image), "{image} is nowhere");
    }
    Ok(())
}

#[tokio::test]
async fn argo_cd_finds_the_chart_and_the_campaigns() -> anyhow::Result<()> {
    let applications = objects("argo-cd/applications.yaml")?;
    let [broadside, campaigns] = applications.as_slice() else { anyhow::bail!("two applications") };
    let chart = text(broadside, "/spec/source/path")?;
    renders(chart, &broadside["spec"]["source"]["helm"]["valuesObject"]).await?;
    is_there(text(campaigns, "/spec/source/path")?)
}

#[tokio::test]
async fn flux_finds_the_chart_and_then_the_campaigns() -> anyhow::Result<()> {
    let all = objects("flux/kustomizations.yaml")?;
    let [source, broadside, campaigns] = all.as_slice() else { anyhow::bail!("a source and two after it") };
    for kustomization in [broadside, campaigns] {
        is_there(text(kustomization, "/spec/path")?)?;
        ensure!(text(kustomization, "/spec/sourceRef/name")? == text(source, "/metadata/name")?);
    }
    ensure!(text(campaigns, "/spec/dependsOn/0/name")? == text(broadside, "/metadata/name")?);
    let release = Path::new(text(broadside, "/spec/path")?).join("release.yaml");
    let release = objects(release.strip_prefix("./examples/gitops")?.to_str().context("a path")?)?;
    let release = release.last().context("a release")?;
    let from = &release["spec"]["chart"]["spec"];
    ensure!(from["sourceRef"]["name"] == source["metadata"]["name"]);
    ensure!(from["sourceRef"]["namespace"] == source["metadata"]["namespace"]);
    renders(text(from, "/chart")?, &release["spec"]["values"]).await
}
