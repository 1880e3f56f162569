//! What each command does.

use std::io::{self, Write};
use std::time::Instant;

use anyhow::Context as _;
use cluster::{
    Binary, Cluster, Config, ControlPlane, ControlPlaneConfig, Error, Fetch, Lifetime, Name, Places,
    Progress, Running, State,
};

use crate::args::{Command, LoadImage, Target, Tool, Up};

/// Carries out one command.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    let places = Places::from_env();
    match command {
        Command::Up(up) => self::up(&up, places).await,
        Command::Down(target) => down(&target, &places),
        Command::Status => status(&places),
        Command::Kubeconfig(target) => kubeconfig(&target, &places),
        Command::LoadImage(load) => load_image(&load, &places).await,
        Command::Fetch => fetch(places).await,
        Command::Tool { tool } => self::tool(tool, places).await,
        Command::OfferGpus(offer) => {
            Ok(cluster::inside::offer_gpus(&offer.server, &offer.node, offer.count, &offer.keys).await?)
        }
        // Both run without a runtime; see `main`.
        Command::Init { .. } | Command::Pause => Ok(()),
    }
}

async fn up(up: &Up, places: Places) -> anyhow::Result<()> {
    let name = Name::new(&up.target.name)?;
    if let Some(running) = Running::find(&places, &name).ok().filter(|found| found.state() == State::Ready) {
        return say(&format!("the cluster `{name}` runs already\n{}", hint(&running)));
    }
    let start = Instant::now();
    start_new(up, &name, places.clone()).await?;
    let running = Running::find(&places, &name)?;
    let seconds = start.elapsed().as_secs_f64();
    say(&format!("the cluster `{name}` is ready after {seconds:.1} s\n{}", hint(&running)))
}

async fn start_new(up: &Up, name: &Name, places: Places) -> Result<(), Error> {
    let (lifetime, progress) = (Lifetime::Detached, progress());
    if up.control_plane_only {
        let config =
            ControlPlaneConfig { name: name.clone(), lifetime, places, progress, ..Default::default() };
        return ControlPlane::start(config).await.map(drop);
    }
    let config =
        Config { name: name.clone(), gpus: up.gpus, lifetime, places, progress, ..Default::default() };
    Cluster::start(config).await.map(drop)
}

/// Lines about long work, with the time since the start.
fn progress() -> Progress {
    let start = Instant::now();
    Progress::new(move |line| {
        // A closed terminal is no reason to stop.
        let _ = writeln!(io::stderr(), "[{:>5.1} s] {line}", start.elapsed().as_secs_f64());
    })
}

fn hint(running: &Running) -> String {
    format!("export KUBECONFIG={}", running.kubeconfig().display())
}

fn down(target: &Target, places: &Places) -> anyhow::Result<()> {
    let name = Name::new(&target.name)?;
    match Running::find(places, &name) {
        Ok(running) => {
            running.down()?;
            say(&format!("the cluster `{name}` has ended"))
        }
        Err(Error::Unknown(_)) => say(&format!("there is no cluster `{name}`")),
        Err(error) => Err(error.into()),
    }
}

fn status(places: &Places) -> anyhow::Result<()> {
    let all = Running::all(places);
    if all.is_empty() {
        return say("no cluster; `broadside-cluster up` starts one");
    }
    say(&format!("{:<22}{:<16}{:<16}{}", "NAME", "STATE", "NODE", "KUBECONFIG"))?;
    all.iter().try_for_each(|running| say(&row(running)))
}

fn row(running: &Running) -> String {
    let node = running.node_address().map_or_else(|| "none".into(), |address| address.to_string());
    let kubeconfig = running.kubeconfig();
    format!("{:<22}{:<16}{node:<16}{}", running.name().as_str(), running.state().word(), kubeconfig.display())
}

fn kubeconfig(target: &Target, places: &Places) -> anyhow::Result<()> {
    let running = Running::find(places, &Name::new(&target.name)?)?;
    say(&running.kubeconfig().display().to_string())
}

async fn load_image(load: &LoadImage, places: &Places) -> anyhow::Result<()> {
    let running = Running::find(places, &Name::new(&load.target.name)?)?;
    let what = format!("loading {}", load.archive.display());
    Ok(progress().during(&what, running.load_image(&load.archive)).await?)
}

async fn fetch(places: Places) -> anyhow::Result<()> {
    Fetch::new(places, progress()).binaries(&Binary::ALL).await?;
    say("every program is there")
}

async fn tool(tool: Tool, places: Places) -> anyhow::Result<()> {
    let binary = match tool {
        Tool::Kubectl => Binary::Kubectl,
        Tool::Helm => Binary::Helm,
    };
    let path = Fetch::new(places, progress()).binary(binary).await?;
    say(&path.display().to_string())
}

fn say(line: &str) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{line}").context("cannot write to standard output")
}
