//! What `kubectl` shows of a campaign in each state of its life, as docs/adcampaign.md prints it: the operator's own passes on a
//! real API server, whose Jobs nobody runs, with a clock that the test moves and a ledger that says what the test counts.
//!
//! Ages alone are written by the test, by its clock. After a change: `UPDATE=1 cargo test --workspace --test plane transcripts`,
//! then read the difference.

mod stage;

use std::path::Path;

use anyhow::{Context as _, ensure};
use jiff::SignedDuration;
use serde_json::{Value, json};
use stage::Stage;

const REFRESH: &str = "UPDATE=1 cargo test --workspace --test plane transcripts";

const PAGE: &str = "docs/adcampaign.md";

/// The example of the page.
fn spec() -> Value {
    json!({
        "brief": {"product": "Aero Trail 3"},
        "placements": [{
            "name": "hero", "format": "WebBanner", "delivery": {"gateway": {}},
            "control": {"headline": "Meet the Aero Trail 3", "button": "Shop now"},
            "challengers": [{"headline": "240 g, made for the weekend", "button": "Shop now"}],
            "metric": {"name": "product-view", "kind": "Binary", "window": "30m"},
        }],
    })
}

fn with(field: &str, value: Value) -> Value {
    let mut spec = spec();
    spec[field] = value;
    spec
}

const TABLE: &str = "kubectl get adc -n shop";
const WIDE: &str = "kubectl get adc -n shop -o wide";
const SUSPEND: &str = "kubectl patch adc trail -n shop --type=merge -p '{\"spec\":{\"suspend\":true}}'";

fn message(condition: &str) -> String {
    format!(
        "kubectl get adc trail -n shop -o jsonpath='{{.status.conditions[?(@.type==\"{condition}\")].message}}'"
    )
}

async fn generating(stage: &Stage) -> anyhow::Result<String> {
    let mut spec = with("generation", json!({"model": "handbill"}));
    spec["placements"][0]["variants"] = json!(4);
    let mut act = stage.begin("Generating", &spec).await?;
    act.show(TABLE).await?;
    act.unscheduled().await?;
    act.show(WIDE).await?;
    act.show(&message("VariantsReady")).await?;
    Ok(act.shown)
}

async fn reviewing(stage: &Stage) -> anyhow::Result<String> {
    let mut act = stage.begin("Reviewing", &with("approval", json!("Manual"))).await?;
    act.show(WIDE).await?;
    act.show(&message("Approved")).await?;
    Ok(act.shown)
}

async fn scheduled(stage: &Stage) -> anyhow::Result<String> {
    let days = json!({"startsAt": "2026-12-01T08:00:00Z", "endsAt": "2026-12-20T08:00:00Z"});
    let mut act = stage.begin("Scheduled", &with("schedule", days)).await?;
    act.show(WIDE).await?;
    act.show(&message("Decided")).await?;
    Ok(act.shown)
}

async fn running(stage: &Stage) -> anyhow::Result<String> {
    let mut act = stage.begin("Running", &spec()).await?;
    stage.clock.jump(SignedDuration::from_hours(26));
    act.count(&[(400, 16), (1_600, 83)]).await?;
    act.show(TABLE).await?;
    stage.clock.jump(SignedDuration::from_hours(24));
    stage.count(None);
    act.passes(2).await?;
    act.show(WIDE).await?;
    Ok(act.shown)
}

async fn dry_run(stage: &Stage) -> anyhow::Result<String> {
    let mut act = stage.begin("DryRun", &with("dryRun", json!(true))).await?;
    stage.clock.jump(SignedDuration::from_hours(26));
    act.count(&[(400, 17), (1_600, 63)]).await?;
    act.show(TABLE).await?;
    act.show(&message("Ready")).await?;
    Ok(act.shown)
}

async fn suspended(stage: &Stage) -> anyhow::Result<String> {
    let mut act = stage.begin("Suspended", &spec()).await?;
    stage.clock.jump(SignedDuration::from_hours(26));
    act.count(&[(400, 16), (1_600, 83)]).await?;
    act.show(SUSPEND).await?;
    act.passes(2).await?;
    act.show(WIDE).await?;
    Ok(act.shown)
}

async fn decided(stage: &Stage) -> anyhow::Result<String> {
    let mut act = stage.begin("Decided", &spec()).await?;
    stage.clock.jump(SignedDuration::from_hours(24 * 6));
    act.count(&[(8_000, 320), (32_000, 1_600)]).await?;
    act.show(TABLE).await?;
    act.show(&message("Decided")).await?;
    Ok(act.shown)
}

async fn stalled(stage: &Stage) -> anyhow::Result<String> {
    let mut spec = spec();
    spec["placements"][0]["control"]["headline"] =
        json!("Meet the Aero Trail 3, the light and quiet shoe for long weekends on trails");
    let mut act = stage.begin("Stalled", &spec).await?;
    act.show(WIDE).await?;
    act.show(&message("Stalled")).await?;
    Ok(act.shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_what_kubectl_shows_in_each_state() -> anyhow::Result<()> {
    let stage = Stage::set().await?;
    let shown = [
        ("Generating", generating(&stage).await?),
        ("Reviewing", reviewing(&stage).await?),
        ("Scheduled", scheduled(&stage).await?),
        ("Running", running(&stage).await?),
        ("Dry run", dry_run(&stage).await?),
        ("Suspended", suspended(&stage).await?),
        ("Decided", decided(&stage).await?),
        ("Stalled", stalled(&stage).await?),
    ];
    let file = ::stage::programs::repository().join(PAGE);
    let page = std::fs::read_to_string(&file)?;
    let filled = shown.iter().try_fold(page.clone(), |page, (state, shown)| fill(&page, state, shown))?;
    compare(&file, &page, &filled)
}

/// The page with what was shown between the marks of a state.
fn fill(page: &str, state: &str, shown: &str) -> anyhow::Result<String> {
    let begin = format!("<!-- Generated: {state}. Refresh with: {REFRESH} -->\n");
    let end = format!("<!-- End of {state}. -->\n");
    let (before, rest) = page.split_once(&begin).with_context(|| format!("{PAGE} has no {begin}"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("{PAGE} has no {end}"))?;
    Ok(format!("{before}{begin}\n```console\n{shown}```\n\n{end}{after}"))
}

fn compare(file: &Path, page: &str, filled: &str) -> anyhow::Result<()> {
    if std::env::var_os("UPDATE").is_some() {
        return Ok(std::fs::write(file, filled)?);
    }
    let other: Vec<&str> = filled.lines().filter(|line| !page.contains(line)).collect();
    ensure!(
        page == filled,
        "{PAGE} shows something else than kubectl, which shows:\n{}\nRefresh with: {REFRESH}",
        other.join("\n")
    );
    Ok(())
}
