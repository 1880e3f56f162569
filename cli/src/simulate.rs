//! `broadside simulate`: people with hidden tastes, in a world of a file, or sent through the gateway's HTTP API as
//! applications send theirs.

mod counts;
mod people;
mod played;
mod sender;
mod source;
pub mod world;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::{Percent, TablePlacement};
use jiff::Timestamp;
use reqwest::Url;

use crate::connection::{self, Connection};
use crate::estimate::Format;
use crate::offline::file;
use crate::terminal::{Output, note};
use people::{Crowd, Person};
use played::Rates;
use sender::Sender;
use source::Source;
use world::{Kind, Taste, World};

/// Simulate people who ask, see and act.
///
/// With --world alone, an experiment is played in a world that a file describes, without a cluster: what was lost, what
/// was said and whether it is true. docs/simulate.md describes the form of the file and of the answer.
///
/// With --gateway and --campaign, people are sent through a running gateway. Every variant has a hidden appeal: the rate
/// at which people who saw it act. With --world the appeals are its rates; without it they are drawn from the seed and the
/// variants' names, so they are the same at every run: one variant other than the control is the best, one is exactly as
/// good as the control, the rest lie between half of the best's lift below the control and a third of it above. People
/// are new at every run, since a person counts once.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("where").args(["world", "campaign"]).multiple(true).required(true))]
pub(crate) struct Args {
    /// The world as JSON. `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// How the answer of a world is printed.
    #[arg(short, long, value_enum, default_value = "table", conflicts_with = "campaign")]
    output: Format,
    /// Draws what each person does, and the appeals. Without it the world's, or 1.
    #[arg(long)]
    seed: Option<u64>,
    /// Address of the gateway, such as http://127.0.0.1:8080.
    #[arg(long, env = "BROADSIDE_GATEWAY", value_name = "URL")]
    gateway: Option<Url>,
    /// Address of the ledger. Without it, the gateway's: behind an ingress both paths have one host.
    #[arg(long, env = "BROADSIDE_LEDGER", value_name = "URL")]
    ledger: Option<Url>,
    /// The campaign.
    #[arg(long, value_name = "NAME", requires = "gateway")]
    campaign: Option<String>,
    /// The placement. Without it, the only one of the campaign.
    #[arg(long, value_name = "NAME", requires = "campaign")]
    placement: Option<String>,
    /// The segment that all these people belong to, where the campaign names segments.
    #[arg(long, value_name = "NAME", requires = "campaign")]
    segment: Option<String>,
    /// Where the variants are learned: `kubernetes`, or a folder of AdTable files.
    #[arg(long, requires = "campaign", default_value = "kubernetes", value_name = "kubernetes|DIR")]
    tables: String,
    /// How long to wait until the table holds more than the control, such as 5m.
    #[arg(long, requires = "campaign", default_value = "10m", value_parser = duration, value_name = "DURATION")]
    wait: Duration,
    /// Whether the variants of a drawn world differ.
    #[arg(long, value_enum, default_value = "different", conflicts_with = "world")]
    truth: Kind,
    /// The control's appeal in a drawn world.
    #[arg(long, default_value = "5%", value_parser = share, value_name = "RATE", conflicts_with = "world")]
    control_rate: f64,
    /// How much better than the control the best variant of a drawn world is.
    #[arg(long, default_value = "60%", value_parser = share, value_name = "LIFT", conflicts_with = "world")]
    best_lift: f64,
    /// The appeal of one variant, in place of the one that was drawn. May be given several times.
    #[arg(long, requires = "campaign", conflicts_with = "world", value_parser = appeal, value_name = "VARIANT=RATE")]
    appeal: Vec<(String, f64)>,
    /// How many people come each second.
    #[arg(long, requires = "campaign", default_value_t = 100.0, value_parser = positive, value_name = "NUMBER")]
    people_per_second: f64,
    /// How many may be asking at once; who comes while all are busy has to wait, and is counted.
    #[arg(long, requires = "campaign", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024), value_name = "NUMBER")]
    connections: u16,
    /// For how long people come, such as 2m.
    #[arg(long, value_parser = duration, value_name = "DURATION", requires = "campaign")]
    duration: Option<Duration>,
    /// Ends when the campaign is decided. Needs a cluster.
    #[arg(long, requires = "campaign")]
    until_decided: bool,
    /// Writes the appeals to this file as JSON before the first person comes.
    #[arg(long, value_name = "FILE", requires = "campaign")]
    truth_file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// Why nobody could be simulated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The world in the file can't be played.
    #[error(transparent)]
    File(#[from] file::Error),
    /// Nobody said when people stop to come.
    #[error("people would come for ever: add --duration 2m, or --until-decided")]
    Endless,
    /// The cluster can't be reached.
    #[error(transparent)]
    Connection(#[from] connection::Error),
    /// The variants can't be learned.
    #[error(transparent)]
    Source(#[from] source::Error),
    /// The appeals make no sense.
    #[error(transparent)]
    World(#[from] world::Error),
    /// No HTTP client can be made.
    #[error("no HTTP client can be made: {0}")]
    Client(#[from] reqwest::Error),
    /// An address can't have a path behind it.
    #[error("{0} can't be used: write it like http://127.0.0.1:8080")]
    Address(Url),
    /// The truth can't be written.
    #[error("{} can't be written: {source}", .file.display())]
    Truth {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output is closed or full.
    #[error("the summary can't be written: {0}")]
    Unwritable(#[from] io::Error),
}

fn duration(text: &str) -> Result<Duration, api::DurationError> {
    api::Duration(text.to_owned()).seconds().map(Duration::from_secs)
}

fn share(text: &str) -> Result<f64, api::PercentError> {
    Percent(text.to_owned()).parts_per_million().map(|parts| f64::from(parts) / 1e6)
}

fn appeal(text: &str) -> Result<(String, f64), String> {
    let (variant, rate) = text.split_once('=').ok_or("write it like VARIANT=6%")?;
    let rate = share(rate).map_err(|error| error.to_string())?;
    Ok((variant.to_owned(), rate))
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= 100_000.0 => Ok(number),
        _ => Err("write a number above 0, at most 100000".to_owned()),
    }
}

/// How often a line tells how it goes.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Simulates, and prints what became of it.
pub(crate) async fn run(args: Args) -> Result<ExitCode, Error> {
    match (&args.world, args.live()) {
        (_, Some(live)) => run_live(&args, &live).await,
        (Some(file), None) => {
            if let Some(gateway) = gateway_alone(&args) {
                note(&format!(
                    "nobody is sent to {gateway}: that takes --campaign; the world is played here"
                ));
            }
            let output = Output::detect();
            output.print(&played::run(file, args.seed, args.output, output)?)?;
            Ok(ExitCode::SUCCESS)
        }
        (None, None) => unreachable!("clap asks for one of the two"),
    }
}

/// A gateway that was named without a campaign.
fn gateway_alone(args: &Args) -> Option<Url> {
    args.gateway.clone().filter(|_| args.campaign.is_none())
}

/// Where people are sent.
struct Live {
    gateway: Url,
    campaign: String,
}

async fn run_live(args: &Args, live: &Live) -> Result<ExitCode, Error> {
    if args.duration.is_none() && !args.until_decided {
        return Err(Error::Endless);
    }
    let source = Source::open(args, &live.campaign).await?;
    let placement = source.wait_for_variants(args.wait).await?;
    let world = Arc::new(World::draw(args.taste(&placement)?, &placement)?);
    args.write_truth(&live.campaign, &world, &placement)?;
    let (crowd, sender) = args.crowd(live, &source, &placement, world.clone())?;
    let counts = crowd.counts.clone();
    let began = Instant::now();
    tokio::select! {
        () = crowd.arrive(args.people_per_second, args.connections.into(), args.duration) => {}
        () = source.decided(), if args.until_decided => note("the campaign is decided: nobody comes any more"),
        _ = tokio::signal::ctrl_c() => note("interrupted: nobody comes any more"),
        () = tell(&counts, began) => {}
    }
    crowd.leave().await;
    sender.finish().await;
    Output::detect().print(&counts.summary(&world, began.elapsed()))?;
    Ok(if counts.assigned() > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells how it goes, for ever.
async fn tell(counts: &counts::Counts, began: Instant) {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        note(&counts.line(began.elapsed()));
    }
}

impl Args {
    fn live(&self) -> Option<Live> {
        let (gateway, campaign) = self.gateway.clone().zip(self.campaign.clone())?;
        Some(Live { gateway, campaign })
    }

    fn taste(&self, placement: &TablePlacement) -> Result<Taste, Error> {
        let names: Vec<&str> = placement.variants.iter().map(|variant| variant.name.as_str()).collect();
        let drawn = Taste {
            kind: self.truth,
            seed: self.seed.unwrap_or(1),
            control_rate: self.control_rate,
            best_lift: self.best_lift,
            fixed: self.appeal.iter().cloned().collect(),
        };
        let Some(file) = &self.world else { return Ok(drawn) };
        let Rates { seed, by_variant } = played::rates(file, self.segment.as_deref(), &names)?;
        note(
            "of the world's file, the rates of its first half are played; the gateway's campaign has the rest",
        );
        // A variant that comes later is as good as the control, as far as the file knows.
        let control_rate = names.first().map_or(0.0, |control| by_variant[*control]);
        Ok(Taste {
            kind: Kind::Null,
            seed: self.seed.unwrap_or(seed),
            control_rate,
            fixed: by_variant,
            ..drawn
        })
    }

    fn write_truth(&self, campaign: &str, world: &World, placement: &TablePlacement) -> Result<(), Error> {
        let Some(file) = &self.truth_file else { return Ok(()) };
        let mut truth = world.truth(campaign, &placement.name);
        truth.sort_all_objects();
        let truth = format!("{truth:#}\n");
        std::fs::write(file, truth).map_err(|source| Error::Truth { file: file.clone(), source })
    }

    fn crowd(
        &self,
        live: &Live,
        source: &Source,
        placement: &TablePlacement,
        world: Arc<World>,
    ) -> Result<(Crowd, Sender), Error> {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
        let ledger = self.ledger.as_ref().unwrap_or(&live.gateway);
        let counts = Arc::new(counts::Counts::default());
        let sender = Sender::start(client.clone(), join(ledger, "v1/events")?, counts.clone());
        let person = Person {
            client,
            decide: join(&live.gateway, "v1/decide")?,
            namespace: source.namespace().to_owned(),
            campaign: live.campaign.clone(),
            placement: placement.name.clone(),
            segment: self.segment.clone(),
            metric: placement.metric.name.clone(),
            longest_thought: people::longest_thought(placement.metric.window_seconds),
            // A person counts once: those of this run must not have been there before.
            run: format!("{}-{}", world.seed(), Timestamp::now().as_millisecond()),
            events: sender.inbox(),
        };
        Ok((Crowd::new(person, world, counts), sender))
    }
}

fn join(address: &Url, path: &str) -> Result<Url, Error> {
    let mut base = address.clone();
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    base.join(path).map_err(|_| Error::Address(address.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_go_behind_an_address_with_or_without_one() {
        let cases = [
            ("http://a:1", "http://a:1/v1/decide"),
            ("http://a:1/", "http://a:1/v1/decide"),
            ("http://a/ads", "http://a/ads/v1/decide"),
        ];
        for (address, expected) in cases {
            let url = join(&address.parse().expect("an address"), "v1/decide").expect("it has paths");
            assert_eq!(url.as_str(), expected);
        }
    }

    #[test]
    fn what_is_typed_is_checked() {
        assert_eq!(appeal("a-1=6%"), Ok(("a-1".to_owned(), 0.06)));
        assert!(appeal("a-1").is_err());
        assert_eq!(positive("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "NaN", "inf", "many"] {
            assert!(positive(wrong).is_err(), "{wrong}");
        }
    }
}
