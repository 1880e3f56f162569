//! The gateway in a process of its own.

use std::path::Path;
use std::process::Stdio;

use anyhow::Context;
use stage::programs;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A role in a process of its own, which reads tables from the control plane.
pub(crate) struct GatewayProcess {
    pub(crate) url: String,
    _process: Child,
    _folder: tempfile::TempDir,
}

impl GatewayProcess {
    pub(crate) async fn start(role: &str, kubeconfig: &Path) -> anyhow::Result<Self> {
        Self::start_in(role, kubeconfig, "default").await
    }

    /// The same for other namespaces, with commas between them.
    pub(crate) async fn start_in(role: &str, kubeconfig: &Path, namespaces: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("key"), [7; 32])?;
        let mut process = Command::new(programs::ours("gateway")?)
            .args([role, "--listen=127.0.0.1:0", "--log-format=json", "--namespace", namespaces])
            .arg(format!("--key-file={}", folder.path().join("key").display()))
            .arg(format!("--data={}", folder.path().join("data").display()))
            .env("KUBECONFIG", kubeconfig)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("starting the gateway")?;
        let mut log = BufReader::new(process.stderr.take().context("a pipe was asked for")?).lines();
        let address = loop {
            let line = log.next_line().await?.context("the gateway ended before it listened")?;
            let line: serde_json::Value = serde_json::from_str(&line)?;
            if let Some(address) = line["fields"]["address"].as_str() {
                break address.to_owned();
            }
        };
        // It must never wait for a reader of its log.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Ok(Self { url: format!("http://{address}"), _process: process, _folder: folder })
    }
}
