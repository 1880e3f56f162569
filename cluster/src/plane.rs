//! A control plane without a node: etcd, the API server and, unless told otherwise, the controllers. No root needed.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::api::Api;
use crate::binaries::Binary;
use crate::certificates::Authority;
use crate::control::{self, Endpoints};
use crate::fetch::Fetch;
use crate::guard::{self, Guard, Lifetime};
use crate::layout::Layout;
use crate::process::{Process, away_file, script, stop_file};
use crate::running::{Form, Running};
use crate::wait::{Wait, has_default_account};
use crate::{Error, Name, Places, Progress, needs};

/// How a control plane is started.
#[derive(Clone, Debug)]
pub struct ControlPlaneConfig {
    /// Its name; by default one that no other has.
    pub name: Name,
    /// Whether objects have effects on others.
    pub controllers: Controllers,
    /// Further flags of the API server, without their dashes, such as `("emulated-version", "1.34")`.
    pub api_server: Vec<(String, String)>,
    /// When it ends.
    pub lifetime: Lifetime,
    /// Where binaries come from and files go.
    pub places: Places,
    /// Where lines about long work go.
    pub progress: Progress,
}

/// Whether the built-in controllers run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Controllers {
    /// They do: Jobs make pods (which stay pending: there is no node), owners take what they own with them, namespaces
    /// end, service accounts appear.
    #[default]
    On,
    /// They do not: every object stays exactly as it was written.
    Off,
}

/// A part of a control plane that can be away while the rest goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// etcd.
    Etcd,
    /// The API server.
    ApiServer,
}

impl Part {
    /// The name of its program, which is that of its process too.
    const fn name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
        }
    }
}

/// A running control plane. Any number can run at once, each on ports of its own.
///
/// Services have no endpoints, pods are never scheduled, and the `kubernetes` service leads nowhere.
#[derive(Debug)]
pub struct ControlPlane {
    guard: Guard,
    layout: Layout,
    api: Api,
    server: String,
}

/// Services of a control plane lead nowhere, so that all may use the same range: the last of 198.18.0.0/15, which no
/// cluster with a node uses.
const SERVICES: &str = "198.19.252.0/22";
const FIRST_SERVICE: Ipv4Addr = Ipv4Addr::new(198, 19, 252, 1);

/// Another program may take a port between our looking and the server's binding it. Thrice in a row is no accident.
const ATTEMPTS: u32 = 3;

/// A start takes five seconds on an idle machine; on one that compiles at the same time it has taken thirty.
const PATIENCE: Duration = Duration::from_secs(120);

/// Between two looks whether a process has ended, which a killed one does within milliseconds.
const PAUSE: Duration = Duration::from_millis(20);

impl Default for ControlPlaneConfig {
    fn default() -> Self {
        Self {
            name: Name::unique(),
            controllers: Controllers::default(),
            api_server: Vec::new(),
            lifetime: Lifetime::default(),
            places: Places::from_env(),
            progress: Progress::default(),
        }
    }
}

impl ControlPlane {
    /// Starts a control plane and returns when its API server is ready and, with controllers, pods can be created in
    /// the namespace `default`.
    ///
    /// Errs when a binary cannot be had, when the name is in use, or when a part ends before it is ready.
    pub async fn start(config: ControlPlaneConfig) -> Result<Self, Error> {
        needs::control_plane()?;
        let binaries = Programs::fetch(&config).await?;
        let mut attempt = 1;
        loop {
            match Self::attempt(&config, &binaries).await {
                Err(error) if attempt < ATTEMPTS && is_port_taken(&error) => attempt += 1,
                other => return other,
            }
        }
    }

    /// The administrator's kubeconfig, a file that lives as long as the control plane.
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.path("admin.kubeconfig")
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The folder with the logs of its parts.
    pub fn logs(&self) -> PathBuf {
        self.layout.path("log")
    }

    /// The folder in which etcd keeps all objects. A copy of it that is made while etcd is killed is a backup.
    pub fn data(&self) -> PathBuf {
        self.layout.path("etcd")
    }

    /// Kills a part at once, as a machine does that loses power, and returns when it has ended. The rest goes on.
    ///
    /// Errs when the part does not run, or does not end.
    pub async fn kill(&self, part: Part) -> Result<(), Error> {
        std::fs::write(self.layout.path(&stop_file(part.name())), "")?;
        self.signal(part, Signal::SIGKILL)?;
        let deadline = Instant::now() + PATIENCE;
        while !self.is_away(part) {
            if Instant::now() > deadline {
                return Err(io::Error::other(format!("{} does not end", part.name())).into());
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Starts a part that was killed, and returns when the API server is ready, unless that is killed itself.
    ///
    /// Errs when a part ends before it is ready.
    pub async fn start_again(&mut self, part: Part) -> Result<(), Error> {
        std::fs::remove_file(self.away_file(part))?;
        if self.is_away(Part::ApiServer) {
            return Ok(());
        }
        self.wait(Controllers::Off).await
    }

    /// Stops a part in the midst of whatever it does: it takes connections and answers nothing.
    ///
    /// Errs when it does not run.
    pub fn pause(&self, part: Part) -> Result<(), Error> {
        self.signal(part, Signal::SIGSTOP)
    }

    /// Lets a part that was paused go on.
    ///
    /// Errs when it does not run.
    pub fn resume(&self, part: Part) -> Result<(), Error> {
        self.signal(part, Signal::SIGCONT)
    }

    /// Ends it and returns when no process and no file of it is left. Dropping it does the same, but says no error.
    pub fn stop(mut self) -> Result<(), Error> {
        Ok(self.guard.stop()?)
    }

    async fn attempt(config: &ControlPlaneConfig, programs: &Programs) -> Result<Self, Error> {
        let run = |new: &Running| launch(config, programs, new);
        let launched = Running::launch(&config.places, &config.name, Form::ControlPlane, run).await?;
        let (running, (guard, api, server)) = launched;
        let mut plane = Self { guard, layout: running.layout().clone(), api, server };
        let ready = plane.wait(config.controllers);
        config.progress.during("starting the control plane", ready).await?;
        running.set_ready()?;
        plane.guard.release(config.lifetime)?;
        Ok(plane)
    }

    async fn wait(&mut self, controllers: Controllers) -> Result<(), Error> {
        let api = &self.api;
        let mut wait = Wait::new(&self.layout, &mut self.guard, PATIENCE);
        wait.until("kube-apiserver", async || api.is_ready().await).await?;
        if controllers == Controllers::On {
            wait.until("kube-controller-manager", async || has_default_account(api).await).await?;
        }
        Ok(())
    }

    fn signal(&self, part: Part, signal: Signal) -> Result<(), Error> {
        let found = self.processes(part)?;
        if found.is_empty() {
            return Err(io::Error::other(format!("{} does not run", part.name())).into());
        }
        // It may have ended since we looked.
        for pid in found {
            let _ = kill(pid, signal);
        }
        Ok(())
    }

    /// Its processes, of this control plane alone.
    fn processes(&self, part: Part) -> Result<Vec<Pid>, Error> {
        let mut found = guard::processes(self.layout.root())?;
        let name = |pid: &Pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        found.retain(|pid| name(pid).trim_end() == part.name());
        Ok(found)
    }

    fn is_away(&self, part: Part) -> bool {
        self.away_file(part).exists()
    }

    fn away_file(&self, part: Part) -> PathBuf {
        self.layout.path(&away_file(part.name()))
    }
}

/// The executables, in the order of [`Binary`] below.
struct Programs([PathBuf; 3]);

impl Programs {
    async fn fetch(config: &ControlPlaneConfig) -> Result<Self, Error> {
        let fetch = Fetch::new(config.places.clone(), config.progress.clone());
        let wanted = [Binary::Etcd, Binary::KubeApiserver, Binary::KubeControllerManager];
        let found = fetch.binaries(&wanted).await?;
        Ok(Self(found.try_into().expect("one path for each binary that was asked for")))
    }

    fn processes(&self, layout: &Layout, endpoints: &Endpoints, config: &ControlPlaneConfig) -> Vec<Process> {
        let [etcd, apiserver, manager] = self.0.clone();
        let etcd = control::etcd(etcd, layout, endpoints);
        let apiserver = control::loopback_apiserver(apiserver, layout, endpoints);
        let apiserver = control::with_flags(apiserver, &config.api_server);
        match config.controllers {
            Controllers::On => vec![etcd, apiserver, control::controller_manager(manager, layout)],
            Controllers::Off => vec![etcd, control::without_service_accounts(apiserver)],
        }
    }
}

/// Runs all programs; returns their guard, a client for the server, and its URL.
fn launch(
    config: &ControlPlaneConfig,
    programs: &Programs,
    running: &Running,
) -> Result<(Guard, Api, String), Error> {
    let layout = running.layout();
    let (endpoints, authority) = (free_endpoints()?, Authority::new()?);
    let admin = control::write_identities(layout, &authority, config.name.as_str(), &endpoints)?;
    let api = Api::new(&endpoints.server(), &authority.pem(), &admin)?;
    let script = script(&programs.processes(layout, &endpoints, config));
    let root = layout.root().display().to_string();
    let command = ["sh".into(), "-c".into(), script, "control-plane".into(), root];
    let guard = Guard::spawn(running.traces()?, &layout.path("log/guard.log"), &command)?;
    Ok((guard, api, endpoints.server()))
}

/// Two ports that are free now, held at once so that they differ.
fn free_endpoints() -> Result<Endpoints, Error> {
    let [one, two] =
        [TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?, TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?];
    Ok(Endpoints {
        address: Ipv4Addr::LOCALHOST,
        port: one.local_addr()?.port(),
        etcd_port: two.local_addr()?.port(),
        services: SERVICES.into(),
        first_service: FIRST_SERVICE,
    })
}

fn is_port_taken(error: &Error) -> bool {
    matches!(error, Error::Ended { log, .. } if log.contains("address already in use"))
}
