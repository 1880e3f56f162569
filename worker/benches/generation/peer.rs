//! A peer in a process of its own, which stays and takes commands.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use super::ours::Run;

/// A peer that waits for commands. It ends when its input does.
pub(crate) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    task: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    prefill_seconds: f64,
    decode_seconds: f64,
    tokens: Vec<Vec<u32>>,
    peak_rss_mi_b: f64,
    version: String,
}

impl Peer {
    /// Starts a peer for a task, such as `{"engine": "llama.cpp", "gguf": "q8_0.gguf"}`.
    pub(crate) fn start(python: &Path, model: &Path, task: Value) -> Self {
        let mut child = command(python, model)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the peers are installed: run make bench-peers");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Self { child, input, output, task }
    }

    /// Its figures, and its version.
    pub(crate) fn run(&mut self, rows: usize, prompt: usize, new: usize) -> (Run, String) {
        let command = with(&self.task, rows, prompt, new);
        writeln!(self.input.as_mut().expect("it is open"), "{command}").expect("the peer listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the peer answers");
        let Answer { prefill_seconds, decode_seconds, tokens, peak_rss_mi_b: _, version } = answer(&line);
        (Run { prefill_seconds, decode_seconds, tokens }, version)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.input = None;
        let _ended = self.child.wait();
    }
}

/// Peak of a peer's memory in MiB, in a process for this alone.
pub(crate) fn peak(python: &Path, model: &Path, task: &Value, rows: usize) -> f64 {
    let output = command(python, model)
        .args(["--once", &with(task, rows, 128, 64).to_string()])
        .stderr(Stdio::null())
        .output()
        .expect("the peers are installed: run make bench-peers");
    answer(&String::from_utf8_lossy(&output.stdout)).peak_rss_mi_b
}

fn command(python: &Path, model: &Path) -> Command {
    let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/peers.py");
    let mut command = Command::new(python);
    command.arg(script).arg(model);
    command
}

fn with(task: &Value, rows: usize, prompt: usize, new: usize) -> Value {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut command = task.clone();
    for (name, number) in [("rows", rows), ("prompt", prompt), ("new", new), ("threads", threads)] {
        command[name] = json!(number);
    }
    command
}

fn answer(line: &str) -> Answer {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("the peer says {line:?}: {error}"))
}
