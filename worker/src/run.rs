//! From arguments to an outcome: reads what the arguments name, does the work, writes the report.

use std::fs;
use std::path::Path;

use engine::Sampling;
use thiserror::Error;
use tracing::{error, info};

use crate::args::{Command, FetchArguments, GenerateArguments, TrainArguments};
use crate::author::AuthorError;
use crate::campaign::{Campaign, CampaignError};
use crate::cluster::{Cluster, ClusterError};
use crate::destination::{Destination, DestinationError, Folder};
use crate::fetch::{Access, FetchError, Patience, Wanted, fetch, link};
use crate::generate::{GenerateError, generate};
use crate::model::{Model, ModelError};
use crate::train::recipe::{Recipe, RecipeError};
use crate::train::{TrainError, train};
use crate::write::Writer;
use api::wire::report::{Outcome, Report};

/// Why a command ended early.
#[derive(Debug, Error)]
enum RunError {
    #[error("the campaign cannot be used")]
    Campaign(#[from] CampaignError),
    #[error("the model cannot be used")]
    Model(#[from] ModelError),
    #[error(
        "the brief is written in {language:?} and the model writes {known}: name another model in spec.generation"
    )]
    Language { language: String, known: String },
    #[error("the output cannot be used")]
    Output(#[from] DestinationError),
    #[error("the cluster cannot be used")]
    Cluster(#[from] ClusterError),
    #[error("writing stopped")]
    Generate(#[from] GenerateError),
    #[error("a connection can't be prepared")]
    Runtime(#[source] std::io::Error),
    #[error("the model cannot be fetched")]
    Fetch(#[from] FetchError),
    #[error("the recipe cannot be used")]
    Recipe(#[from] RecipeError),
    #[error("training stopped")]
    Train(#[from] TrainError),
}

impl RunError {
    /// Whether the same inputs would fail again.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Campaign(_) | Self::Model(_) | Self::Language { .. } | Self::Recipe(_) => {
                Outcome::Misconfigured
            }
            Self::Fetch(error) => error.outcome(),
            Self::Train(TrainError::Save(_) | TrainError::Arithmetic(_)) => Outcome::Failed,
            Self::Train(_) => Outcome::Misconfigured,
            Self::Cluster(ClusterError::NotFromCluster) => Outcome::Misconfigured,
            Self::Generate(GenerateError::Author(AuthorError::Model(
                ModelError::TooLong { .. } | ModelError::NotFinite(_),
            ))) => Outcome::Misconfigured,
            Self::Runtime(_) | Self::Output(_) | Self::Cluster(_) | Self::Generate(_) => Outcome::Failed,
        }
    }
}

/// Does what the command says and returns how it ended. Everything that went wrong is in the log and in the report.
#[must_use]
pub fn run(command: &Command) -> Outcome {
    match command {
        Command::Generate(arguments) => {
            let report = written(arguments).unwrap_or_else(|error| failure(&error));
            reported(arguments.report.as_deref(), &report)
        }
        // Of a model that is here the worker behind it speaks.
        Command::Fetch(arguments) => fetched(arguments).map_or_else(
            |error| reported(arguments.report.as_deref(), &failure(&error)),
            |()| Outcome::Complete,
        ),
        Command::Train(arguments) => {
            trained(arguments).map_or_else(|error| failure(&error).outcome, |()| Outcome::Complete)
        }
    }
}

/// Writes the report, if that is wanted. One that is lost is a failure, since nobody would hear of it.
fn reported(path: Option<&Path>, report: &Report) -> Outcome {
    let kept = path.map_or(Ok(()), |path| write_report(path, report));
    if kept.is_err() { Outcome::Failed } else { report.outcome }
}

fn fetched(arguments: &FetchArguments) -> Result<(), RunError> {
    let FetchArguments { repo, revision, file, into, link: to, mirror, secret, report: _ } =
        arguments.clone();
    let access = secret.map_or(Access::Open { mirror }, Access::Secret);
    let wanted = Wanted { repo, revision, file, into };
    info!(?wanted, ?access, "fetching begins");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RunError::Runtime)?;
    let folder = runtime.block_on(fetch(&wanted, &access, Patience::default()))?;
    Ok(to.map_or(Ok(()), |to| link(&folder, &to))?)
}

fn written(arguments: &GenerateArguments) -> Result<Report, RunError> {
    let campaign = Campaign::open(&arguments.campaign)?;
    let model = Model::open(&arguments.model, arguments.weights.into())?;
    check_language(&model, &campaign)?;
    let sampling = sampling(arguments, model.sampling());
    let rows = arguments.rows as usize;
    info!(campaign = campaign.name, model = model.digest(), ?sampling, rows, "writing begins");
    let writer = Writer { model: &model, sampling, rows };
    let mut destination: Box<dyn Destination> = match &arguments.output {
        Some(folder) => Box::new(Folder::open(folder)?),
        None => Box::new(Cluster::connect(campaign.home.as_ref())?),
    };
    let report = generate(&writer, &campaign, arguments.attempts, &mut *destination)?;
    info!(outcome = ?report.outcome, placements = ?report.placements, "writing ended");
    Ok(report)
}

fn sampling(arguments: &GenerateArguments, advice: Sampling) -> Sampling {
    Sampling {
        temperature: arguments.temperature.unwrap_or(advice.temperature),
        top_p: arguments.top_p.unwrap_or(advice.top_p),
        ..advice
    }
}

/// A model that names its languages writes no other: its copy would be in the wrong language and pass every rule.
fn check_language(model: &Model, campaign: &Campaign) -> Result<(), RunError> {
    let primary = campaign.language.split('-').next().unwrap_or_default().to_lowercase();
    let known = model.languages();
    if known.is_empty() || known.contains(&primary) {
        return Ok(());
    }
    Err(RunError::Language { language: campaign.language.clone(), known: known.join(", ") })
}

fn trained(arguments: &TrainArguments) -> Result<(), RunError> {
    let recipe = Recipe::open(&arguments.recipe)?;
    let outcome = train(&recipe, &arguments.output)?;
    info!(?outcome, folder = %arguments.output.display(), "model written");
    Ok(())
}

fn failure(error: &RunError) -> Report {
    let chain = chain(error);
    error!(error = chain, "the run ended early");
    Report::of_failure(error.outcome(), &chain)
}

fn write_report(path: &Path, report: &Report) -> std::io::Result<()> {
    fs::write(path, report.to_json())
        .inspect_err(|error| error!(path = %path.display(), %error, "the report could not be written"))
}

/// An error with everything that caused it, outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
