//! kubectl, helm and broadside as children, against one cluster.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::Instant;

/// A program that speaks to one cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// `program`, which reads `KUBECONFIG`.
    pub fn new(program: PathBuf, kubeconfig: PathBuf) -> Self {
        Self { program, kubeconfig }
    }

    /// Where the program lies.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The command, not yet started. It ends when its value is dropped.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig).kill_on_drop(true);
        command
    }

    /// Runs a line of words and returns what it printed.
    ///
    /// # Errors
    /// When it fails; the error is what it said.
    pub async fn run(&self, line: &str) -> anyhow::Result<String> {
        self.run_all(line.split_whitespace()).await
    }

    /// Runs arguments that may hold spaces.
    ///
    /// # Errors
    /// When it fails; the error is what it said.
    pub async fn run_all<S: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> anyhow::Result<String> {
        let output =
            self.command(arguments).stdin(Stdio::null()).output().await.context("starting a program")?;
        said(&self.program, output)
    }

    /// Runs a line of words with `input`.
    ///
    /// # Errors
    /// When it fails; the error is what it said.
    pub async fn feed(&self, line: &str, input: &str) -> anyhow::Result<String> {
        let mut command = self.command(line.split_whitespace());
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = pipes.spawn().context("starting a program")?;
        let mut pipe = child.stdin.take().context("a pipe was asked for")?;
        pipe.write_all(input.as_bytes()).await.context("writing to a program")?;
        drop(pipe);
        said(&self.program, child.wait_with_output().await.context("waiting for a program")?)
    }

    /// Runs a line until it prints what `accept` takes.
    ///
    /// # Errors
    /// When that did not happen within `patience`; the error is what it printed last.
    pub async fn until(
        &self,
        line: &str,
        patience: Duration,
        accept: impl Fn(&str) -> bool,
    ) -> anyhow::Result<String> {
        let deadline = Instant::now() + patience;
        loop {
            let last = self.run(line).await;
            match last {
                Ok(printed) if accept(printed.trim()) => return Ok(printed.trim().to_owned()),
                other if Instant::now() > deadline => {
                    bail!("kubectl {line}: after {patience:?} still {other:?}");
                }
                _ => tokio::time::sleep(Duration::from_millis(250)).await,
            }
        }
    }
}

fn said(program: &Path, output: std::process::Output) -> anyhow::Result<String> {
    if !output.status.success() {
        bail!("{} failed: {}", program.display(), String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).context("a program printed something else than text")
}
