//! A role in a process of its own, over a folder that outlives it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::wire::event::{EventsResponse, Outcome};
use serde_json::{Value, json};

use crate::samples::Sample;
use crate::world::question;

pub(crate) struct Process {
    pub(crate) child: Child,
    pub(crate) address: String,
    scheme: &'static str,
    client: reqwest::Client,
    log: Arc<Mutex<String>>,
}

impl Process {
    /// Starts it and waits until it is ready; it says in its log where it listens.
    pub(crate) async fn start(role: &str, folder: &Path) -> Self {
        Self::start_with(role, folder, &[]).await
    }

    /// As [`Process::start`], with further arguments.
    pub(crate) async fn start_with(role: &str, folder: &Path, arguments: &[&str]) -> Self {
        Self::started(role, folder, arguments, ("http", reqwest::Client::new())).await
    }

    /// As [`Process::start_with`], with arguments by which it speaks TLS, and a client that trusts it.
    pub(crate) async fn start_over_tls(
        role: &str,
        folder: &Path,
        arguments: &[&str],
        client: reqwest::Client,
    ) -> Self {
        Self::started(role, folder, arguments, ("https", client)).await
    }

    async fn started(
        role: &str,
        folder: &Path,
        arguments: &[&str],
        (scheme, client): (&'static str, reqwest::Client),
    ) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
        command.args([role, "--listen", "127.0.0.1:0", "--log-format", "json"]).args(arguments);
        command.arg("--tables").arg(folder.join("tables")).arg("--key-file").arg(folder.join("key"));
        if role != "decide" {
            command.arg("--data").arg(folder.join("data"));
        }
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let (address, log) = tokio::task::spawn_blocking(move || address(log)).await.unwrap();
        let process = Self { child, address, scheme, client, log };
        while process.get("/readyz").await.is_none_or(|response| !response.status().is_success()) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        process
    }

    /// What it has logged, as far as it was read.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Its address as pages write it.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> Option<reqwest::Response> {
        self.client.get(format!("{}://{}{path}", self.scheme, self.address)).send().await.ok()
    }

    /// The token of a fresh decision for that subject.
    pub(crate) async fn token(&self, subject: &str) -> String {
        let question = question(subject).to_string();
        let request = self.client.post(format!("http://{}/v1/decide", self.address)).body(question);
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }

    /// The outcomes, or nothing when the process is gone.
    pub(crate) async fn send(&self, events: &[Value]) -> Option<Vec<Outcome>> {
        send(&self.client, &self.address, events).await
    }
}

/// As [`Process::send`], for those who outlive the process.
pub(crate) async fn send(client: &reqwest::Client, address: &str, events: &[Value]) -> Option<Vec<Outcome>> {
    let request =
        client.post(format!("http://{address}/v1/events")).body(json!({"events": events}).to_string());
    let response = request.send().await.ok()?;
    let answer: EventsResponse = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
    Some(answer.outcomes.into_iter().map(|outcome| outcome.outcome).collect())
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before; that is what some tests are about.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with one table and the key.
pub(crate) fn folder(sample: Sample<'_>) -> tempfile::TempDir {
    // Whoever installed one before was a test of ours.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tables")).unwrap();
    let table = serde_json::to_vec(&sample.object()).unwrap();
    std::fs::write(folder.path().join("tables/table.json"), table).unwrap();
    std::fs::write(folder.path().join("key"), [7; 32]).unwrap();
    folder
}

/// Reads the log until it tells the address, and goes on reading so that the process never waits for us.
fn address(log: impl BufRead + Send + 'static) -> (String, Arc<Mutex<String>>) {
    let read = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&read);
    let mut lines = log.lines().map(|line| line.expect("the log is text")).inspect(move |line| {
        *kept.lock().unwrap() += &format!("{line}\n");
    });
    let listening = lines.find_map(|line| {
        let line: Value = serde_json::from_str(&line).ok()?;
        Some(line["fields"]["address"].as_str()?.to_owned())
    });
    std::thread::spawn(move || lines.for_each(drop));
    (listening.expect("the process says where it listens before it ends"), read)
}
