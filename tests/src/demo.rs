//! The demonstration: one manifest, from `kubectl apply` to a decided winner.
//!
//! It does nothing that a user could not type, and says what it does while it does it.

mod current;
mod finale;
mod screen;
mod stage;

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Parser, ValueEnum};
use cluster::Progress;
use tokio::process::Child;

use crate::programs;
use current::{Current, missing_image};
use stage::Stage;

/// From one manifest to a decided winner on a real Kubernetes.
#[derive(Clone, Debug, Parser)]
pub struct Args {
    /// Which cluster it runs on.
    #[arg(long, default_value = "own", env = "BROADSIDE_DEMO_CLUSTER")]
    cluster: Where,
    #[command(flatten)]
    current: Current,
    /// Which world the simulated people come from.
    #[arg(long, default_value_t = 7, env = "BROADSIDE_DEMO_SEED")]
    seed: u64,
    /// What the screen looks like; without it, live on a terminal and plain elsewhere.
    #[arg(long, env = "BROADSIDE_DEMO_SCREEN")]
    screen: Option<Screen>,
}

/// Which cluster the demonstration runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Where {
    /// One that it starts on this machine.
    Own,
    /// The one that kubectl speaks to.
    Current,
}

/// What the screen looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Screen {
    /// Redrawn in place.
    Live,
    /// A line when something changed.
    Plain,
}

/// The namespace of the campaign.
const SHOP: &str = "shop";

/// Few enough that shares are seen to move before the numbers decide, enough to be done in two minutes.
const PEOPLE_PER_SECOND: &str = "200";

/// Long enough for a busy machine; without it a demonstration that can't end would not.
const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Says what happens, with the time since the beginning.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn say(self, line: &str) {
        let seconds = self.0.elapsed().as_secs();
        println!("[{:>2}:{:02}] {line}", seconds / 60, seconds % 60);
    }

    fn progress(self) -> Progress {
        Progress::new(move |line| self.say(line))
    }
}

/// Runs the demonstration.
///
/// # Errors
/// When a step fails; the error says which, and what to do.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let clock = Clock(Instant::now());
    if args.cluster == Where::Own {
        clock.say("getting the programs of a cluster, and Helm");
        programs::fetch(&clock.progress()).await?;
    }
    let everything_is_built = Instant::now();
    let stage = match args.cluster {
        Where::Own => Stage::own(clock).await?,
        Where::Current => args.current.stage(clock).await?,
    };
    clock.say(&format!("Broadside runs in namespace {}", crate::installation::NAMESPACE));

    clock.say(
        "applying examples/cart-and-hero.yaml; one second stands for one minute (examples/overlays/seconds)",
    );
    let overlay = programs::repository().join("examples/overlays/seconds").display().to_string();
    let manifest =
        stage.kubectl.run_all(["kustomize", "--load-restrictor=LoadRestrictionsNone", &overlay]).await?;
    let manifest = fitting(&stage, clock, &stage.registry.rename(&manifest)).await?;
    stage.kubectl.feed("apply -f -", &manifest).await?;
    tokio::select! {
        written = watch_writing(&stage, clock) => written?,
        missing = missing_image(&stage.kubectl, SHOP) => return Err(missing),
    }

    clock.say("people come: each asks the gateway, is shown a variant, and acts or does not");
    let truth = stage.folder.join("truth.json");
    let mut people = simulate(&stage, args.seed, &truth)?;
    let decided = screen::until_decided(&stage, args.screen(), PATIENCE);
    tokio::select! {
        decided = decided => decided?,
        ended = people.wait() => bail!("the simulation ended early ({}): see the lines above", ended?),
    }
    // It saw the verdict too, and ends by itself.
    tokio::time::timeout(Duration::from_secs(30), people.wait())
        .await
        .context("the simulation did not end")??;
    finale::tell(&stage, &truth, everything_is_built.elapsed()).await
}

impl Args {
    /// What to do after an error.
    pub fn remedy(&self) -> &'static str {
        match self.cluster {
            Where::Own => "To begin again: make demo. To remove what there is: make demo-down.",
            Where::Current => "To begin again: the same command, on a cluster that has nothing of it.",
        }
    }

    fn screen(&self) -> Screen {
        use std::io::IsTerminal;
        let fitting = if std::io::stdout().is_terminal() { Screen::Live } else { Screen::Plain };
        self.screen.unwrap_or(fitting)
    }
}

/// The manifest without its GPU, where no node offers one.
async fn fitting(stage: &Stage, clock: Clock, manifest: &str) -> anyhow::Result<String> {
    let offered = "jsonpath={.items[*].status.allocatable.nvidia\\.com/gpu}";
    if !stage.kubectl.run_all(["get", "nodes", "-o", offered]).await?.trim().is_empty() {
        clock.say("the worker asks for nvidia.com/gpu: 1; it shows the scheduling, the model runs on CPU");
        return Ok(manifest.to_owned());
    }
    clock.say("no node offers nvidia.com/gpu, so the worker asks for none");
    let asks = |line: &&str| !line.trim_start().starts_with("nvidia.com/gpu:");
    Ok(manifest.lines().filter(asks).map(|line| format!("{line}\n")).collect())
}

/// The pod on its node, then variants one by one.
async fn watch_writing(stage: &Stage, clock: Clock) -> anyhow::Result<()> {
    let pods = "-n shop get pods -l broadside.dev/campaign=cart-and-hero -o";
    let placed = format!("{pods} jsonpath={{.items[0].metadata.name}}@{{.items[0].spec.nodeName}}");
    let placed =
        stage.kubectl.until(&placed, PATIENCE, |placed| !placed.ends_with('@') && placed.len() > 1).await?;
    let (pod, node) = placed.split_once('@').context("a pod and its node")?;
    clock.say(&format!("the scheduler placed {pod} on {node}"));
    let mut shown = Vec::new();
    let outcome = "-n shop get adcampaign cart-and-hero -o jsonpath={.status.generation.outcome}";
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ended = stage.kubectl.run(outcome).await? != "Running";
        show_new(stage, clock, &mut shown).await?;
        if ended {
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!("the worker did not end: see kubectl -n shop describe adcampaign cart-and-hero");
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

async fn show_new(stage: &Stage, clock: Clock, shown: &mut Vec<String>) -> anyhow::Result<()> {
    let fields = "{range .items[?(@.spec.origin==\"Generated\")]}{.metadata.name}|{.spec.slots.headline}|{.spec.slots.body}{\"\\n\"}{end}";
    let query = format!("jsonpath={fields}");
    let listed = stage.kubectl.run_all(["-n", "shop", "get", "advariants", "-o", &query]).await?;
    for line in listed.lines() {
        let mut parts = line.splitn(3, '|');
        let (Some(name), Some(headline), Some(body)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        if !shown.iter().any(|known| known == name) {
            clock.say(&format!("the model wrote {name}: {headline} / {body}"));
            shown.push(name.to_owned());
        }
    }
    Ok(())
}

fn simulate(stage: &Stage, seed: u64, truth: &Path) -> anyhow::Result<Child> {
    let (seed, truth) = (seed.to_string(), truth.display().to_string());
    let duration = format!("{}s", PATIENCE.as_secs());
    let arguments = [
        "simulate",
        "--gateway",
        &stage.gateway,
        "--ledger",
        &stage.ledger,
        "-n",
        "shop",
        "--campaign",
        "cart-and-hero",
        "--placement",
        "hero",
        "--seed",
        &seed,
        "--people-per-second",
        PEOPLE_PER_SECOND,
        "--until-decided",
        "--duration",
        &duration,
        "--truth-file",
        &truth,
    ];
    stage.broadside.command(arguments).stdout(Stdio::null()).spawn().context("starting broadside simulate")
}
