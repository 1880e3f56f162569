//! The command line, on a control plane without a node: no root needed.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the report")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Long enough for the first start on a machine, which builds the parts of Kubernetes beside other tests.
const PATIENCE: Duration = Duration::from_secs(1200);

struct Cli {
    name: String,
}

impl Cli {
    /// One test, one name: the tests run at once.
    fn new(test: &str) -> Self {
        Self { name: format!("{test}{}", std::process::id()) }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_broadside-cluster"));
        command.args(words).env("BROADSIDE_CLUSTER_NAME", &self.name);
        command
    }

    fn says(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    fn fails(&self, words: &[&str]) -> String {
        let output: Output = self.command(words).output().unwrap();
        assert!(!output.status.success(), "{words:?} worked: {}", text(&output.stdout));
        text(&output.stderr)
    }

    fn kubeconfig(&self) -> PathBuf {
        self.says(&["kubeconfig"]).trim().into()
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        // A test that failed halfway leaves a detached cluster.
        let _ = self.command(&["down"]).output();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn up_and_down_each_work_twice() {
    let cli = Cli::new("twice");
    assert!(cli.says(&["up", "--control-plane-only"]).contains("is ready after"));
    assert!(cli.says(&["up", "--control-plane-only"]).contains("runs already"));
    let row = cli.says(&["status"]).lines().find(|line| line.starts_with(&cli.name)).unwrap().to_owned();
    assert!(row.contains("Ready") && row.contains("none"), "{row}");

    let kubectl = cli.says(&["tool", "kubectl"]);
    let kubeconfig = cli.kubeconfig();
    let get = ["--kubeconfig", kubeconfig.to_str().unwrap(), "get", "namespaces"];
    assert!(Command::new(kubectl.trim()).args(get).status().unwrap().success(), "it ended with the command");

    assert!(cli.says(&["down"]).contains("has ended"));
    assert!(cli.says(&["down"]).contains("there is no cluster"));
    assert!(!kubeconfig.exists());
}

#[test]
fn an_interrupted_up_leaves_nothing() {
    let cli = Cli::new("stopped");
    let mut up = cli.command(&["up", "--control-plane-only"]).spawn().unwrap();
    eventually("its folder is made", || cli.command(&["kubeconfig"]).output().unwrap().status.success());
    let folder = cli.kubeconfig().parent().unwrap().to_owned();
    eventually("etcd runs", || folder.join("log/etcd.log").exists());
    let pid = up.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert!(!up.wait().unwrap().success(), "it was ready before it was interrupted");
    eventually("its folder is removed", || !folder.exists());
    assert_eq!(processes_of(&folder), 0);
}

#[test]
fn down_works_after_any_process_was_killed() {
    let cli = Cli::new("killed");
    cli.says(&["up", "--control-plane-only"]);
    let folder = cli.kubeconfig().parent().unwrap().to_owned();
    let guard = pids_of(&folder).into_iter().find(|pid| command_of(*pid).contains("\0guard\0")).unwrap();
    assert!(Command::new("kill").args(["-KILL", &guard.to_string()]).status().unwrap().success());
    assert!(processes_of(&folder) > 0, "the cluster ended with its guard");
    cli.says(&["down"]);
    assert!(!folder.exists());
    assert_eq!(processes_of(&folder), 0);
}

#[test]
fn errors_say_what_to_do_next() {
    let cli = Cli::new("errors");
    assert!(cli.fails(&["kubeconfig"]).contains("broadside-cluster up --name"));
    assert!(cli.fails(&["down", "--name", "../etc"]).contains("is no name for a cluster"));
    assert!(cli.fails(&["init", "/nowhere"]).contains("use `up`"));
    cli.says(&["up", "--control-plane-only"]);
    assert!(cli.fails(&["load-image", "/nowhere.tar"]).contains("without --control-plane-only"));
}

fn pids_of(folder: &Path) -> Vec<u32> {
    let mark = format!("BROADSIDE_CLUSTER_STATE={}", folder.display());
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| read(*pid, "environ").split('\0').any(|variable| variable == mark)).collect()
}

fn processes_of(folder: &Path) -> usize {
    pids_of(folder).len()
}

fn command_of(pid: u32) -> String {
    read(pid, "cmdline")
}

fn read(pid: u32, file: &str) -> String {
    text(&std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default())
}
