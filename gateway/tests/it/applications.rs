//! Applications that know nothing of us: SDKs of OpenFeature and of CloudEvents as clients.
//!
//! `make test` installs them where there is a Python; without it a test says on the terminal that it did not run.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use api::wire::event::Outcome;
use serde_json::{Value, json};

use crate::process::{self, Process};
use crate::samples::SAMPLE;
use crate::world::exposure;

/// The Python that `make test` prepares.
pub(crate) fn python() -> Option<PathBuf> {
    installed("venv/bin/python", "the gateway with SDKs as its clients")
}

/// What `make test` has installed there, or else a note of what does not run.
pub(crate) fn installed(path: &str, what: &str) -> Option<PathBuf> {
    let installed = cached(&format!("applications/{path}"));
    if installed.is_none() {
        not_run(what);
    }
    installed
}

/// What the Makefile has put there, in its cache.
pub(crate) fn cached(path: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|it| !it.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("broadside").join(path)).filter(|path| path.exists())
}

/// Says on the terminal what does not run.
pub(crate) fn not_run(what: &str) {
    note(&format!("NOT RUN: {what}: make applications installs them\n"));
}

/// Says something on the terminal, past the capture of the test harness, which would hide it.
pub(crate) fn note(text: &str) {
    std::io::stderr().write_all(text.as_bytes()).unwrap();
}

/// What the application gets for each of the contexts.
fn evaluate(python: PathBuf, address: &str, contexts: &[Value]) -> Vec<Value> {
    run(python, "evaluate.py", &[&format!("http://{address}")], contexts)
}

/// The lines that a script prints, each JSON.
fn run(python: PathBuf, script: &str, arguments: &[&str], contexts: &[Value]) -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/applications/");
    let mut command = Command::new(python);
    command.arg(format!("{folder}{script}")).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    for context in contexts {
        writeln!(input, "{context}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_gets_copy_through_the_sdk_and_its_token_counts() {
    let Some(python) = python() else { return };
    let folder = process::folder(SAMPLE);
    let decide = Process::start("decide", folder.path()).await;
    let flag = "shop.cart-and-hero.hero";
    let contexts = [
        json!([flag, "alice", {"country": "CH"}]),
        json!([flag, "alice", {"consent": {"measurement": false}}]),
        json!([flag, null, {}]),
        json!([flag, "alice", {"segment": 7}]),
        json!(["shop.cart-and-hero.other", "alice", {}]),
    ];
    let address = decide.address.clone();
    let answers = tokio::task::spawn_blocking(move || evaluate(python, &address, &contexts)).await.unwrap();
    let [drawn, control, nobody, odd, unknown] = answers.as_slice() else { panic!("{answers:?}") };

    assert_eq!((&drawn["reason"], &drawn["error"]), (&json!("SPLIT"), &Value::Null));
    assert!(drawn["value"]["headline"].as_str().unwrap().starts_with("Run further"), "{drawn}");
    assert_eq!((&control["reason"], &control["variant"]), (&json!("DEFAULT"), &json!("control")));
    let default = json!({"headline": "Our own default"});
    for (answer, code) in
        [(nobody, "TARGETING_KEY_MISSING"), (odd, "INVALID_CONTEXT"), (unknown, "FLAG_NOT_FOUND")]
    {
        assert_eq!((&answer["error"], &answer["value"]), (&json!(code), &default));
    }
    let ledger = Process::start("ledger", folder.path()).await;
    let token = drawn["metadata"]["token"].as_str().unwrap();
    assert_eq!(ledger.send(&[exposure("1", token)]).await.unwrap(), [Outcome::Accepted]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cloudevents_are_taken_in_each_of_their_forms_and_count_once() {
    let Some(python) = python() else { return };
    let folder = process::folder(SAMPLE);
    let decide = Process::start("decide", folder.path()).await;
    let ledger = Process::start("ledger", folder.path()).await;
    let token = decide.token("alice").await;
    let address = format!("http://{}", ledger.address);
    let answers =
        tokio::task::spawn_blocking(move || run(python, "send.py", &[&address, &token, "product-view"], &[]));
    let answers = answers.await.unwrap();
    let outcomes: Vec<Vec<&str>> = answers.iter().map(outcomes).collect();
    let (accepted, duplicate) = (vec!["accepted"], vec!["duplicate"]);
    let batch = vec!["duplicate", "duplicate", "invalid"];
    assert_eq!(outcomes, [accepted.clone(), duplicate.clone(), accepted, duplicate, batch]);
    assert!(answers.iter().all(|answer| answer["status"] == json!(202)), "{answers:?}");
    assert_eq!(answers[0]["body"]["outcomes"][0]["id"], json!("1 \"é\""));
}

fn outcomes(answer: &Value) -> Vec<&str> {
    let outcomes = answer["body"]["outcomes"].as_array().unwrap();
    outcomes.iter().map(|outcome| outcome["outcome"].as_str().unwrap()).collect()
}
