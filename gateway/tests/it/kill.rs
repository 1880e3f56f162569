//! A ledger that is killed while events are posted: what it acknowledged is there afterwards, once.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use api::wire::event::{EventsResponse, Outcome};
use api::wire::token::Claims;
use api::wire::totals::TotalsResponse;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::samples::{SAMPLE, Sample, key};
use crate::world::{exposure, reward};

/// A ledger in its own process, over a folder that outlives it.
struct Process {
    child: Child,
    address: String,
    client: reqwest::Client,
}

impl Process {
    /// Starts it and waits until it is ready, which it says in its log.
    async fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_gateway"))
            .args(["ledger", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .arg("--data")
            .arg(folder.join("data"))
            .arg("--tables")
            .arg(folder.join("tables"))
            .arg("--key-file")
            .arg(folder.join("key"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let address = tokio::task::spawn_blocking(move || address(log)).await.unwrap();
        let process = Self { child, address, client: reqwest::Client::new() };
        while process.get("/readyz").await.is_none_or(|response| !response.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    async fn get(&self, path: &str) -> Option<reqwest::Response> {
        self.client.get(format!("http://{}{path}", self.address)).send().await.ok()
    }

    /// The outcomes, or nothing when the process is gone.
    async fn send(&self, events: &[Value]) -> Option<Vec<Outcome>> {
        send(&self.client, &self.address, events).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before; that is what some tests are about.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads the log until it tells the address, and goes on reading so that the process never waits for us.
fn address(log: impl BufRead + Send + 'static) -> String {
    let mut lines = log.lines().map(|line| line.expect("the log is text"));
    let listening = lines.find_map(|line| {
        let line: Value = serde_json::from_str(&line).ok()?;
        Some(line["fields"]["address"].as_str()?.to_owned())
    });
    std::thread::spawn(move || lines.for_each(drop));
    listening.expect("the process says where it listens before it ends")
}

async fn send(client: &reqwest::Client, address: &str, events: &[Value]) -> Option<Vec<Outcome>> {
    let request =
        client.post(format!("http://{address}/v1/events")).body(json!({"events": events}).to_string());
    let response = request.send().await.ok()?;
    let answer: EventsResponse = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
    Some(answer.outcomes.into_iter().map(|outcome| outcome.outcome).collect())
}

/// An exposure and its reward, of a subject of that number.
fn pair(subject: usize) -> [Value; 2] {
    let claims = Claims {
        campaign: SAMPLE.uid.into(),
        placement: "hero".into(),
        seed: 1,
        segment: "all".into(),
        round: 1,
        variant: "warm".into(),
        probability: 500_000,
        decided_at: Timestamp::now().as_second(),
        subject: key().subject(SAMPLE.uid, &subject.to_string()),
    };
    let token = key().sign(&claims);
    [exposure("shown", &token), reward("acted", &token)]
}

/// Posts pairs, each once, until the process is gone; the subjects whose pairs were acknowledged.
async fn post_until_gone(address: String, subjects: std::ops::Range<usize>) -> BTreeSet<usize> {
    let (client, mut acknowledged) = (reqwest::Client::new(), BTreeSet::new());
    for subject in subjects {
        match send(&client, &address, &pair(subject)).await {
            Some(outcomes) => {
                assert_eq!(outcomes, [Outcome::Accepted; 2]);
                acknowledged.insert(subject);
            }
            None => break,
        }
    }
    acknowledged
}

fn folder() -> tempfile::TempDir {
    // Whoever installed one before was a test of ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tables")).unwrap();
    let table = Sample { window_seconds: 100_000, ..SAMPLE }.object();
    std::fs::write(folder.path().join("tables/table.json"), serde_json::to_vec(&table).unwrap()).unwrap();
    std::fs::write(folder.path().join("key"), [7; 32]).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_and_counts_once() {
    const WRITERS: usize = 4;
    let (folder, mut acknowledged) = (folder(), BTreeSet::new());
    for life in 0..3 {
        let mut process = Process::start(folder.path()).await;
        let first = |writer| (life * WRITERS + writer) * 1_000_000;
        let post =
            |writer| tokio::spawn(post_until_gone(process.address.clone(), first(writer)..first(writer + 1)));
        let writers: Vec<_> = (0..WRITERS).map(post).collect();
        tokio::time::sleep(Duration::from_millis(400)).await;
        process.child.kill().unwrap();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
    }
    assert!(acknowledged.len() > 50, "only {} were acknowledged: the test shows little", acknowledged.len());
    let process = Process::start(folder.path()).await;
    for &subject in &acknowledged {
        assert_eq!(process.send(&pair(subject)).await.unwrap(), [Outcome::Duplicate; 2], "subject {subject}");
    }
    let totals = process.get(&format!("/v1/totals?campaign={}", SAMPLE.uid)).await.unwrap();
    let totals: TotalsResponse = serde_json::from_slice(&totals.bytes().await.unwrap()).unwrap();
    let pending = usize::try_from(totals.placements[0].pending_exposures).unwrap();
    // What was on disk but not yet acknowledged when a process was killed: at most one pair of each writer.
    assert!(
        (acknowledged.len()..=acknowledged.len() + 3 * WRITERS).contains(&pending),
        "{pending} are pending"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_told_to_end_answers_what_is_open_and_ends_well() {
    let folder = folder();
    let mut process = Process::start(folder.path()).await;
    let writer = tokio::spawn(post_until_gone(process.address.clone(), 0..1_000_000));
    tokio::time::sleep(Duration::from_millis(200)).await;
    let told = Command::new("kill").args(["-TERM", &process.child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ended = tokio::task::spawn_blocking(move || process.child.wait().unwrap().code()).await.unwrap();
    assert_eq!(ended, Some(0));
    let acknowledged = writer.await.unwrap();
    let process = Process::start(folder.path()).await;
    for &subject in &acknowledged {
        assert_eq!(process.send(&pair(subject)).await.unwrap(), [Outcome::Duplicate; 2], "subject {subject}");
    }
    assert!(!acknowledged.is_empty());
}
