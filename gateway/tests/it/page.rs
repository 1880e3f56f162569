//! The examples of `docs/applications.md`, run as they stand there, against a gateway.

use std::path::Path;
use std::process::{Command, Output};

use api::wire::totals::TotalsResponse;

use crate::applications::python;
use crate::clients::{beside_packages, has_packages};
use crate::process::{self, Process};
use crate::redirect::browser;
use crate::samples::SAMPLE;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/applications.md"));

/// The first example in that language behind that heading.
pub(crate) fn example(heading: &str, language: &str) -> String {
    let (_, section) = PAGE.split_once(&format!("\n## {heading}\n")).unwrap();
    let (_, rest) = section.split_once(&format!("```{language}\n")).unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    assert!(example.lines().count() <= 13, "the page promises ten lines, give or take an import");
    example.to_owned()
}

/// The same, with the address of a gateway in place of the page's.
fn example_for(gateway: &Process, heading: &str, language: &str) -> String {
    example(heading, language).replace("localhost:8080", &gateway.address)
}

/// What an example says, among it a headline.
async fn run(mut command: Command) -> String {
    let output: Output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Run further"), "{said}");
    said
}

/// One was exposed and rewarded by the example.
async fn counts(gateway: &Process, command: Command) {
    let said = run(command).await;
    let totals = gateway.get(&format!("/v1/totals?campaign={}", SAMPLE.uid)).await.unwrap();
    let totals: TotalsResponse = serde_json::from_slice(&totals.bytes().await.unwrap()).unwrap();
    assert_eq!(totals.placements[0].pending_exposures, 1, "one exposure was told: {said}");
    let metrics = gateway.get("/metrics").await.unwrap().text().await.unwrap();
    assert!(metrics.contains("broadside_events_total{outcome=\"accepted\"} 2"), "{metrics}");
}

async fn gateway(folder: &Path) -> Process {
    Process::start("all", folder).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_with_curl_counts() {
    let folder = process::folder(SAMPLE);
    let gateway = gateway(folder.path()).await;
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &example_for(&gateway, "With curl", "sh")]);
    counts(&gateway, command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_in_python_counts() {
    let Some(python) = python() else { return };
    let folder = process::folder(SAMPLE);
    let gateway = gateway(folder.path()).await;
    let mut command = Command::new(python);
    command.args(["-c", &example_for(&gateway, "In Python, with OpenFeature", "python")]);
    counts(&gateway, command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_in_javascript_counts() {
    if !has_packages() {
        return;
    }
    let folder = process::folder(SAMPLE);
    let gateway = gateway(folder.path()).await;
    let example = example_for(&gateway, "In JavaScript, with OpenFeature", "js");
    let example = example.replace("@broadside/openfeature/server", "./server.js");
    let (script, _beside) = beside_packages("example.mjs", &example);
    let mut command = Command::new("node");
    command.arg(script);
    counts(&gateway, command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_mail_of_the_example_leads_to_the_landing_page() {
    let Some(python) = python() else { return };
    let folder = process::folder(SAMPLE);
    let gateway = gateway(folder.path()).await;
    let mut command = Command::new(python);
    command.args(["-c", &example_for(&gateway, "In a mail", "python")]);
    let said = run(command).await;
    assert!(said.contains("'outcome': 'accepted'"), "{said}");
    let (_, link) = said.split_once("href=\"").unwrap();
    let (link, _) = link.split_once('"').unwrap();
    let browser = browser();
    let answer = browser.get(link).send().await.unwrap();
    assert_eq!(answer.status(), reqwest::StatusCode::FOUND);
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(location.starts_with("https://shop.example/trail?ref=ad&broadside=v1."), "{location}");
}
