//! What the executable `broadside-cluster` does inside a cluster's namespaces: the first process, the process that
//! holds a pod's namespaces, and the one that keeps offering GPUs.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::node::INSIDE;
use crate::process::Process;

mod gpus;
mod tunables;

pub use gpus::offer_gpus;
pub(crate) use gpus::offered;

/// What the first process does.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// Executables of the host, by the name that they have in `/run/broadside/bin`.
    pub(crate) programs: BTreeMap<String, PathBuf>,
    /// What runs.
    pub(crate) processes: Vec<Process>,
}

/// The file of the [`Plan`] in the cluster's folder.
pub(crate) const PLAN: &str = "plan.json";

/// Between an end and the next start. A program that ends at once must not keep the processor busy.
const RESTART: Duration = Duration::from_millis(500);

/// How often the dead are reaped and the waiting looked at: rarely enough to cost nothing.
const BEAT: Duration = Duration::from_millis(50);

/// CNI plugins, containerd and kube-proxy call programs by name, some of which lie where only root looks.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The first process of a node's namespaces: waits for the plan in the folder `state`, builds the node's view of the
/// file system, and keeps every program of the plan running. Returns only when it cannot.
///
/// It must be the first process of PID and mount namespaces of its own, and refuses to be anything else, because it
/// mounts over `/run`, `/var/lib` and `/var/log`.
pub fn init(state: &Path) -> io::Result<()> {
    if std::process::id() != 1 {
        return Err(io::Error::other("`init` is for the first process of a namespace; use `up`"));
    }
    let plan = wait_for_plan(&state.join(PLAN))?;
    build_view(state, &plan.programs)?;
    fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
    supervise(plan.processes)
}

/// Holds a pod's namespaces: does nothing until it is killed.
pub fn pause() {
    loop {
        nix::unistd::pause();
    }
}

/// The file appears whole, since it is renamed into its place.
fn wait_for_plan(path: &Path) -> io::Result<Plan> {
    while !path.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// Gives the node folders of its own in place of the machine's: the cluster's folder at `/run/broadside`, an empty
/// `/run`, and `/var/lib` and `/var/log` from the cluster's folder. So every program keeps its usual paths, and
/// nothing that it writes there stays. The kernel's settings for the whole machine are out of reach, too.
fn build_view(state: &Path, programs: &BTreeMap<String, PathBuf>) -> io::Result<()> {
    // Opened first: the mounts below may hide them.
    let state = File::open(state)?;
    let files: Vec<(&String, File)> =
        programs.iter().map(|(name, path)| Ok((name, File::open(path)?))).collect::<io::Result<_>>()?;
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    fs::create_dir("/run/broadside")?;
    bind(&state, Path::new(INSIDE))?;
    for (folder, place) in [("var-lib", "/var/lib"), ("var-log", "/var/log")] {
        let folder = Path::new(INSIDE).join(folder);
        fs::create_dir_all(&folder)?;
        bind(&File::open(&folder)?, Path::new(place))?;
    }
    fs::create_dir("/run/broadside/bin")?;
    for (name, file) in files {
        let place = program(name);
        File::create(&place)?;
        bind(&file, &place)?;
    }
    tunables::cover()
}

/// Where the node sees one of the plan's programs.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(INSIDE).join("bin").join(name)
}

fn bind(source: &File, place: &Path) -> io::Result<()> {
    let source = format!("/proc/self/fd/{}", source.as_raw_fd());
    Ok(mount(Some(source.as_str()), place, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?)
}

/// A program of the plan and how it fares.
struct Program {
    process: Process,
    pid: Option<Pid>,
    not_before: Instant,
}

fn supervise(processes: Vec<Process>) -> io::Result<()> {
    let now = Instant::now();
    let mut programs: Vec<Program> =
        processes.into_iter().map(|process| Program { process, pid: None, not_before: now }).collect();
    loop {
        for program in programs.iter_mut().filter(|program| program.is_due()) {
            program.start()?;
        }
        reap(&mut programs)?;
        std::thread::sleep(BEAT);
    }
}

/// Takes in all who have died: our programs, and orphans of theirs, which are ours now.
fn reap(programs: &mut [Program]) -> io::Result<()> {
    loop {
        let status = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(nix::Error::ECHILD) => return Ok(()),
            other => other?,
        };
        if let Some(program) = programs.iter_mut().find(|program| program.pid == status.pid()) {
            program.ended(status)?;
        }
    }
}

impl Program {
    fn is_due(&self) -> bool {
        let is_ready = self.process.after.as_ref().is_none_or(|file| file.exists());
        self.pid.is_none() && is_ready && Instant::now() >= self.not_before
    }

    fn start(&mut self) -> io::Result<()> {
        let path = Path::new(INSIDE).join(format!("log/{}.log", self.process.name));
        let log = File::options().create(true).append(true).open(path)?;
        let child = Command::new(&self.process.program)
            .args(&self.process.arguments)
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        // Process ids of Linux fit; `waitpid` in `reap` is what waits for it.
        self.pid = i32::try_from(child.id()).ok().map(Pid::from_raw);
        Ok(())
    }

    fn ended(&mut self, status: WaitStatus) -> io::Result<()> {
        self.pid = None;
        self.not_before = Instant::now() + RESTART;
        writeln!(io::stderr(), "{} ended and is started again: {status:?}", self.process.name)
    }
}
