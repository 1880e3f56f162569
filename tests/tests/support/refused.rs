//! Bad manifests, each a file that says how it is refused.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use stage::{Installation, programs};

/// One bad manifest.
pub(crate) struct Refused {
    /// The sentence that it proves.
    pub(crate) name: String,
    by: By,
    says: Vec<String>,
    manifest: String,
}

#[derive(Clone, Copy)]
enum By {
    /// The API server: schema, CEL, or the admission policy.
    Api,
    /// The operator, as the condition `Stalled`.
    Operator,
}

/// All of them.
pub(crate) fn cases() -> anyhow::Result<Vec<Refused>> {
    let folder = programs::repository().join("tests/manifests/refused");
    let mut files: Vec<_> =
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.sort();
    files.iter().map(|file| read(file).with_context(|| file.display().to_string())).collect()
}

fn read(file: &std::path::Path) -> anyhow::Result<Refused> {
    let manifest = std::fs::read_to_string(file)?;
    let header = |key: &str| -> Vec<String> {
        manifest
            .lines()
            .filter_map(|line| line.strip_prefix(key))
            .map(|value| value.trim().to_owned())
            .collect()
    };
    let by = match header("# refused by:").first().map(String::as_str) {
        Some("api") => By::Api,
        Some("operator") => By::Operator,
        other => bail!("the first line must be '# refused by: api' or 'operator', and is {other:?}"),
    };
    let says = header("# says:");
    ensure!(!says.is_empty(), "no line '# says:'");
    let name = file.file_stem().map(|name| name.to_string_lossy().replace('-', " ")).unwrap_or_default();
    Ok(Refused { name, by, says, manifest })
}

impl Refused {
    /// Applies it and looks at what is said.
    pub(crate) async fn check(&self, stage: &Installation, namespace: &str) -> anyhow::Result<()> {
        let applied =
            stage.kubectl.feed(&format!("-n {namespace} apply --validate=strict -f -"), &self.manifest).await;
        let said = match (self.by, applied) {
            (By::Api, Err(refusal)) => refusal.to_string(),
            (By::Api, Ok(_)) => bail!("the API server took it"),
            (By::Operator, Err(refusal)) => bail!("the API server refused it already: {refusal}"),
            (By::Operator, Ok(applied)) => self.stalled(stage, namespace, &applied).await?,
        };
        for says in &self.says {
            ensure!(said.contains(says), "nothing is said of {says:?}: {said}");
        }
        Ok(())
    }

    async fn stalled(&self, stage: &Installation, namespace: &str, applied: &str) -> anyhow::Result<String> {
        let campaigns = applied.lines().find(|line| line.starts_with("adcampaign"));
        let object =
            campaigns.and_then(|line| line.split_whitespace().next()).context("no campaign was applied")?;
        let condition = "jsonpath={.status.conditions[?(@.type==\"Stalled\")]}";
        let line = format!("-n {namespace} get {object} -o {condition}");
        let said =
            stage.kubectl.until(&line, Duration::from_secs(30), |stalled| stalled.contains("\"True\"")).await;
        stage.kubectl.run(&format!("-n {namespace} delete {object}")).await?;
        said
    }
}
