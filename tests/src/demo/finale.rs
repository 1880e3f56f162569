//! The end: who won, how sure and why, what GitOps reads, and whether it is true.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

use super::stage::Stage;

/// Tells the end.
///
/// # Errors
/// When the campaign or the simulation's truth can't be read.
pub(super) async fn tell(stage: &Stage, truth: &Path, took: Duration) -> anyhow::Result<()> {
    let campaign = stage.kubectl.run("-n shop get adcampaign cart-and-hero -o json").await?;
    let campaign: Value = serde_json::from_str(&campaign).context("reading the campaign")?;
    let truth: Value = serde_json::from_str(&std::fs::read_to_string(truth)?).context("reading the truth")?;
    let results = stage.broadside.run("results -n shop cart-and-hero").await?;
    let handed_on = stage.kubectl.run("-n shop get configmap adc-cart-and-hero-winner -o yaml").await?;
    let verdict = &campaign["status"]["placements"][0]["verdict"];
    let winner = verdict["winner"].as_str();
    println!("\n{results}");
    println!("What GitOps reads (kubectl -n shop get configmap adc-cart-and-hero-winner -o yaml):\n");
    println!("{}", data(&handed_on));
    println!("{}", compare(winner, truth["best"].as_str().unwrap_or_default()));
    println!("The demonstration took {} s after the builds.\n", took.as_secs());
    make_plugin(stage.broadside.program());
    println!("{}", next_steps(stage));
    Ok(())
}

/// The data of the ConfigMap, without what the API server adds around it.
fn data(yaml: &str) -> String {
    let lines = yaml
        .lines()
        .skip_while(|line| !line.starts_with("data:"))
        .take_while(|line| !line.starts_with("kind:"));
    lines.filter(|line| !line.starts_with("apiVersion:")).map(|line| format!("    {line}\n")).collect()
}

fn compare(winner: Option<&str>, best: &str) -> String {
    match winner {
        Some(winner) if winner == best => {
            format!("The simulation had made {best} the best: the verdict is right.")
        }
        Some(winner) => {
            format!("The simulation had made {best} the best, and {winner} was named: a wrong verdict.")
        }
        None => format!("The simulation had made {best} the best; no winner was named."),
    }
}

/// As kubectl looks for its plugins: by their names, in the search path.
fn make_plugin(broadside: &Path) {
    let link = broadside.with_file_name("kubectl-broadside");
    // A link that was there before is as good.
    let _ = std::os::unix::fs::symlink(broadside, link);
}

/// With the programs that the demonstration used, since a fresh machine has none in its search path.
fn next_steps(stage: &Stage) -> String {
    let folder =
        |program: &Path| program.parent().map(|folder| folder.display().to_string()).unwrap_or_default();
    format!(
        "Three commands to try next, after
    export {}PATH=$PATH:{}:{}

    kubectl -n shop get advariants                        each piece of copy, who wrote it, its share
    kubectl -n shop describe adcampaign cart-and-hero     every condition, round and event
    kubectl broadside results -n shop cart-and-hero       this table again; the winner goes on being measured

{}",
        stage.environment,
        folder(stage.kubectl.program()),
        folder(stage.broadside.program()),
        stage.removal,
    )
}
