//! Ends and cleans up after a cluster, whoever is left to do it.
//!
//! A guard is a small shell process between us and the cluster. It outlives its owner by just long enough to end the
//! cluster and to remove its folder, so that a test that is killed, or that never drops a `static`, leaves nothing.
//! If the guard itself is killed, [`end`] does the same from what it finds in `/proc`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Every process of a cluster has this variable, with the cluster's folder as its value. It is how they are known
/// from outside, and what tells them from a stranger who has since been given the same process id.
const MARK: &str = "BROADSIDE_CLUSTER_STATE";

const GUARD: &str = include_str!("guard.sh");
const CLEAN: &str = include_str!("clean.sh");

/// A killed process is gone within milliseconds, unless the machine is very busy or its disk hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Who decides when a cluster ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// It ends with the value that stands for it, or with the process that holds that value, however that goes:
    /// a `static` that is never dropped and a `kill -9` included.
    #[default]
    Owned,
    /// It runs until somebody takes it down by its name.
    Detached,
}

/// What a cluster leaves outside its own processes.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    /// Its folder.
    pub(crate) state: PathBuf,
    /// Its cgroup folders, one per hierarchy.
    pub(crate) cgroups: Vec<PathBuf>,
}

/// A running cluster that ends when this is dropped, unless it was released.
#[derive(Debug)]
pub(crate) struct Guard {
    child: Child,
    traces: Traces,
    lifetime: Lifetime,
}

impl Guard {
    /// Runs `command`, whose output goes to the file `log`. The cluster is ours until it is released.
    pub(crate) fn spawn(traces: Traces, log: &Path, command: &[String]) -> io::Result<Self> {
        let log = fs::File::create(log)?;
        let child = Command::new("sh")
            .args(["-c", GUARD, "guard", CLEAN])
            .arg(&traces.state)
            .arg(joined(&traces.cgroups))
            .args(command)
            .env(MARK, &traces.state)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A Ctrl-C in the terminal is for the owner; the guard must survive it to clean up.
            .process_group(0)
            .spawn()?;
        Ok(Self { child, traces, lifetime: Lifetime::Owned })
    }

    /// Gives the cluster the lifetime that was asked for, now that it has started. Until then an interruption ends it.
    pub(crate) fn release(&mut self, lifetime: Lifetime) -> io::Result<()> {
        self.lifetime = lifetime;
        match &mut self.child.stdin {
            Some(pipe) if lifetime == Lifetime::Detached => pipe.write_all(b"stay\n"),
            _ => Ok(()),
        }
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends the cluster and returns when nothing of it is left.
    pub(crate) fn stop(&mut self) -> io::Result<()> {
        let ended = end(&self.traces);
        // Reaps the guard, which `end` has killed.
        self.child.wait()?;
        ended
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::Owned {
            // Nothing more can be done here: what is left shows in `broadside-cluster status`.
            let _ = self.stop();
        }
    }
}

/// Ends every process of a cluster and removes its traces. Does nothing, successfully, where there is no cluster.
pub(crate) fn end(traces: &Traces) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    // The guard goes first among equals: what it would clean up, we clean up ourselves, and wait for.
    while kill_all(&traces.state)? {
        if Instant::now() > deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "some of its processes do not die"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("sh").args(["-c", CLEAN, "clean"]).arg(&traces.state).args(&traces.cgroups).status()?;
    match traces.cgroups.iter().chain([&traces.state]).find(|path| path.exists()) {
        Some(left) => Err(io::Error::other(format!("{} could not be removed", left.display()))),
        None => Ok(()),
    }
}

/// The processes that belong to the cluster in `state`, the dead that nobody has reaped not among them.
pub(crate) fn processes(state: &Path) -> io::Result<Vec<Pid>> {
    let mark = [MARK.as_bytes(), b"=", state.as_os_str().as_bytes()].concat();
    let pids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Ok(pids.filter(|pid| has_variable(*pid, &mark)).map(Pid::from_raw).collect())
}

/// Kills what belongs to the cluster; false when there was nothing.
fn kill_all(state: &Path) -> io::Result<bool> {
    let found = processes(state)?;
    for pid in &found {
        // It may have ended since we looked, which is what we want.
        let _ = kill(*pid, Signal::SIGKILL);
    }
    Ok(!found.is_empty())
}

/// Whether a process was started with this variable. The dead have no environment, and strangers' cannot be read.
fn has_variable(pid: i32, mark: &[u8]) -> bool {
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|byte| *byte == 0).any(|variable| variable == mark))
}

fn joined(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traces(folder: &Path) -> Traces {
        let state = folder.join("state");
        fs::create_dir(&state).unwrap();
        Traces { state, cgroups: Vec::new() }
    }

    fn spawn(traces: &Traces, lifetime: Lifetime) -> Guard {
        // Two processes, of which the second would outlive the first.
        let command = ["sh", "-c", "sleep 300 & sleep 300 & wait"].map(String::from);
        let mut guard = Guard::spawn(traces.clone(), &traces.state.join("log"), &command).unwrap();
        guard.release(lifetime).unwrap();
        guard
    }

    fn eventually(what: &str, holds: impl Fn() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds() {
            assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_gone(traces: &Traces) -> bool {
        !traces.state.exists() && processes(&traces.state).unwrap().is_empty()
    }

    #[test]
    fn stopping_ends_every_process_and_removes_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let traces = traces(folder.path());
        let mut guard = spawn(&traces, Lifetime::Owned);
        eventually("all processes run", || processes(&traces.state).unwrap().len() >= 4);
        guard.stop().unwrap();
        assert!(is_gone(&traces));
    }

    #[test]
    fn an_owner_that_vanishes_ends_the_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let traces = traces(folder.path());
        let mut guard = spawn(&traces, Lifetime::Owned);
        eventually("all processes run", || processes(&traces.state).unwrap().len() >= 4);
        // What the kernel does with the pipe of an owner that was killed.
        drop(guard.child.stdin.take());
        guard.child.wait().unwrap();
        assert!(is_gone(&traces));
    }

    #[test]
    fn a_program_that_ends_takes_everything_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let traces = traces(folder.path());
        let command = ["sh", "-c", "sleep 300 & exit 3"].map(String::from);
        let log = traces.state.join("log");
        let mut guard = Guard::spawn(traces.clone(), &log, &command).unwrap();
        // Held, because waiting for a child closes its input, and the guard would take us for gone.
        let leash = guard.child.stdin.take();
        assert_eq!(guard.child.wait().unwrap().code(), Some(3));
        drop(leash);
        eventually("all is gone", || is_gone(&traces));
    }

    #[test]
    fn a_detached_cluster_outlives_its_handle_and_is_ended_by_name_after_its_guard_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let traces = traces(folder.path());
        let guard = spawn(&traces, Lifetime::Detached);
        let pid = Pid::from_raw(i32::try_from(guard.child.id()).unwrap());
        eventually("all processes run", || processes(&traces.state).unwrap().len() >= 4);
        drop(guard);
        kill(pid, Signal::SIGKILL).unwrap();
        assert!(processes(&traces.state).unwrap().len() >= 3, "the cluster ended with its guard");
        end(&traces).unwrap();
        assert!(is_gone(&traces));
    }
}
