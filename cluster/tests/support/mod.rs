//! `kubectl` as tests use it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Long enough for a machine that compiles at the same time.
const PATIENCE: Duration = Duration::from_secs(120);

/// `kubectl` for one cluster.
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    pub(crate) async fn new(kubeconfig: PathBuf) -> Self {
        Self { program: cluster::tools::kubectl().await.unwrap(), kubeconfig }
    }

    pub(crate) fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// What it prints; a failure of it fails the test.
    pub(crate) fn says(&self, line: &str) -> String {
        said(line, self.run(line))
    }

    /// Creates what a manifest describes.
    pub(crate) fn apply(&self, manifest: &str) {
        let line = "apply -f -";
        let mut child = self
            .command(line)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(manifest.as_bytes()).unwrap();
        said(line, child.wait_with_output().unwrap());
    }

    /// Waits until it prints `expected`.
    pub(crate) fn eventually(&self, line: &str, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.run(line);
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            if output.status.success() && said.trim() == expected {
                return;
            }
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(Instant::now() < deadline, "kubectl {line}: {said:?} instead of {expected:?} {errors}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(line.split(' '));
        command
    }
}

fn said(line: &str, output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
