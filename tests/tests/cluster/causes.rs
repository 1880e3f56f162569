//! What keeps a model from writing, each provoked on the real cluster: the condition, the event and the column that tell it,
//! and that the campaign goes on once it is cured.
//!
//! Each file of `tests/manifests/causes/` is one, with the model of a namespace of its own, whose name is the file's. Its first
//! lines say how it is told.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::join_all;
use stage::Installation;
use stage::programs::repository;

use crate::{MINUTES, Result, support};

/// A cause, and how it is told.
struct Cause {
    namespace: String,
    manifest: String,
    /// Asked until the policy or quota is in force, and what is answered then.
    in_force: Option<(String, String)>,
    /// The reason of `VariantsReady`, and the column.
    reason: String,
    event: String,
    /// What condition and event say, among other things.
    says: Vec<String>,
    cure: Option<String>,
}

/// A pod that is refused is tried again within a minute, and a file that is missing is no reason to wait for another.
const PATIENCE: Duration = Duration::from_secs(240);

fn causes() -> anyhow::Result<Vec<Cause>> {
    let files = std::fs::read_dir(repository().join("tests/manifests/causes"))?;
    let mut files = files.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    files.sort();
    files.iter().map(|file| read(file).with_context(|| file.display().to_string())).collect()
}

fn read(file: &Path) -> anyhow::Result<Cause> {
    let manifest = std::fs::read_to_string(file)?;
    let namespace = file.file_stem().context("a name")?.to_string_lossy().into_owned();
    let header = |key: &str| -> Vec<String> {
        let values = manifest.lines().filter_map(|line| line.strip_prefix(&format!("# {key}: ")));
        values.map(|value| value.replace("NAMESPACE", &namespace)).collect()
    };
    let one = |key: &str| header(key).pop().with_context(|| format!("no line '# {key}:'"));
    let split = |probe: String| {
        let (line, answer) = probe.split_once(" => ").context("a line and its answer")?;
        anyhow::Ok((line.to_owned(), answer.to_owned()))
    };
    let says = header("says");
    ensure!(!says.is_empty(), "no line '# says:'");
    Ok(Cause {
        in_force: one("in force").ok().map(split).transpose()?,
        reason: one("reason")?,
        event: one("event")?,
        cure: one("cure").ok(),
        says,
        namespace,
        manifest,
    })
}

impl Cause {
    async fn check(&self, stage: &Installation) -> Result {
        let Self { namespace, .. } = self;
        stage.kubectl.run(&format!("create namespace {namespace}")).await?;
        stage.kubectl.feed(&format!("-n {namespace} apply -f -"), &self.manifest).await?;
        self.comes_in_force(stage).await?;
        stage.kubectl.feed(&format!("-n {namespace} apply -f -"), &support::generated("trail", 1)).await?;
        let condition =
            "jsonpath={.status.conditions[?(@.type==\"VariantsReady\")]['status','reason','message']}";
        let condition = format!("-n {namespace} get adcampaign trail -o {condition}");
        let begins = format!("False {} ", self.reason);
        let told = stage.kubectl.until(&condition, PATIENCE, |told| told.starts_with(&begins)).await?;
        self.is_said(&told)?;
        self.is_said(&self.warning(stage).await?)?;
        let wide = stage.kubectl.run(&format!("-n {namespace} get adcampaign trail -o wide")).await?;
        ensure!(column(&wide, "REASON") == Some(&self.reason), "another reason in\n{wide}");
        self.is_cured(stage).await
    }

    /// What was just written binds the API server within seconds.
    async fn comes_in_force(&self, stage: &Installation) -> Result {
        let Some((line, answer)) = &self.in_force else { return Ok(()) };
        let deadline = tokio::time::Instant::now() + MINUTES;
        loop {
            let said = stage.kubectl.run(line).await.unwrap_or_else(|error| error.to_string());
            if said.contains(answer) {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < deadline, "{line}: {said}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// What `kubectl describe adc` shows of it.
    async fn warning(&self, stage: &Installation) -> anyhow::Result<String> {
        let Self { namespace, event, .. } = self;
        let line = format!(
            "-n {namespace} get events -o jsonpath={{.items[*].message}} --field-selector \
             involvedObject.kind=AdCampaign,involvedObject.name=trail,type=Warning,reason={event}"
        );
        stage.kubectl.until(&line, MINUTES, |told| !told.is_empty()).await
    }

    fn is_said(&self, text: &str) -> Result {
        for says in &self.says {
            ensure!(text.contains(says), "nothing is said of {says:?}: {text}");
        }
        Ok(())
    }

    async fn is_cured(&self, stage: &Installation) -> Result {
        let (Some(cure), Self { namespace, .. }) = (&self.cure, self) else { return Ok(()) };
        let job = format!("-n {namespace} get jobs -o jsonpath={{.items[*].metadata.name}}");
        let job = stage.kubectl.run(&job).await?;
        stage.kubectl.run(&cure.replace("JOB", &job)).await?;
        let outcome =
            format!("-n {namespace} get adcampaign trail -o jsonpath={{.status.generation.outcome}}");
        stage.kubectl.until(&outcome, PATIENCE, |outcome| outcome == "Complete").await.map(drop)
    }
}

/// What a table of one row has under a title: columns begin where their titles do.
fn column<'t>(table: &'t str, title: &str) -> Option<&'t str> {
    let (titles, row) = table.split_once('\n')?;
    row.get(titles.find(title)?..)?.split_whitespace().next()
}

#[tokio::test]
async fn what_keeps_a_model_from_writing_is_told_and_can_be_cured() -> Result {
    let stage = support::installation().await?;
    let causes = causes()?;
    ensure!(causes.len() >= 10, "causes are missing");
    let checks = join_all(causes.iter().map(|cause| cause.check(stage))).await;
    let faults = causes.iter().zip(checks).filter_map(|(cause, check)| Some((cause, check.err()?)));
    let faults: Vec<String> =
        faults.map(|(cause, fault)| format!("{}: {fault:#}", cause.namespace)).collect();
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}
