//! Somebody else's test: schemathesis asks a real process all that `docs/schemas/openapi.json` allows, and much that it
//! does not, and holds every answer to it.
//!
//! `make test-api` installs it; without it a test says on the terminal that it did not run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::applications::{cached, note};
use crate::auth::SHOP;
use crate::process::{self, Process};
use crate::samples::SAMPLE;

/// The document lets pages leave the subject out, as this process does.
const VISITORS: [&str; 2] = ["--visitor-cookie", "visitor"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_is_as_the_document_says() {
    let Some(program) = program() else { return };
    let folder = process::folder(SAMPLE);
    let gateway = Process::start_with("all", folder.path(), &VISITORS).await;
    holds(&gateway, command(&program, &gateway.address, folder.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn and_so_it_is_where_applications_have_keys() {
    let Some(program) = program() else { return };
    let folder = process::folder(SAMPLE);
    std::fs::create_dir(folder.path().join("api-keys")).unwrap();
    std::fs::write(folder.path().join("api-keys/shop.web"), SHOP).unwrap();
    let keys = folder.path().join("api-keys");
    let arguments = [&["--api-keys", keys.to_str().unwrap()], &VISITORS[..]].concat();
    let gateway = Process::start_with("all", folder.path(), &arguments).await;
    let mut command = command(&program, &gateway.address, folder.path());
    let key = format!("Bearer {SHOP}");
    command.env("AUTHORIZATION", &key).args(["--header", &format!("Authorization:{key}")]);
    holds(&gateway, command).await;
}

fn program() -> Option<PathBuf> {
    let program = cached("api/venv/bin/schemathesis");
    if program.is_none() {
        note("NOT RUN: the gateway against its OpenAPI document: make test-api installs schemathesis\n");
    }
    program
}

fn command(program: &Path, address: &str, folder: &Path) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/schemathesis");
    let document = here.join("../../../../docs/schemas/openapi.json");
    let mut command = Command::new(program);
    // What it writes goes where the process's data are.
    command.current_dir(folder).env("PYTHONPATH", &here).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("SCHEMATHESIS_HOOKS", "hooks");
    command.arg("--config-file").arg(here.join("schemathesis.toml"));
    command.arg("run").arg(document).args(["--url", &format!("http://{address}"), "--no-color"]);
    command.args(["--header", "Sec-Fetch-Site:same-site"]);
    command
}

async fn holds(gateway: &Process, mut command: Command) {
    let output: Output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let metrics = gateway.get("/metrics").await.unwrap().text().await.unwrap();
    for counted in [r#"decisions_total{reason="Assigned"}"#, r#"events_total{outcome="accepted"}"#] {
        let count = metrics.lines().find_map(|line| line.strip_prefix("broadside_")?.strip_prefix(counted));
        assert!(count.is_some_and(|count| count != " 0"), "it asked about nothing that there is: {metrics}");
    }
    let sums = said.lines().filter(|line| line.contains("generated"));
    sums.for_each(|line| note(&format!("schemathesis: {}\n", line.trim())));
}
