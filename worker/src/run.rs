//! From arguments to an outcome: reads what the arguments name, does the work, writes the report.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use engine::Sampling;
use thiserror::Error;
use tracing::{error, info};

use crate::args::{Command, GenerateArguments, TrainArguments};
use crate::author::{Author, AuthorError};
use crate::campaign::{Campaign, CampaignError};
use crate::cluster::{Cluster, ClusterError};
use crate::destination::{Destination, DestinationError, Folder};
use crate::endpoint::{Access, AccessError, Endpoint, EndpointError, Patience, Settings};
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
    #[error("the endpoint's Secret cannot be used")]
    Access(#[from] AccessError),
    #[error("the endpoint cannot be used")]
    Endpoint(#[from] EndpointError),
    #[error("the output cannot be used")]
    Output(#[from] DestinationError),
    #[error("the cluster cannot be used")]
    Cluster(#[from] ClusterError),
    #[error("writing stopped")]
    Generate(#[from] GenerateError),
    #[error("the recipe cannot be used")]
    Recipe(#[from] RecipeError),
    #[error("training stopped")]
    Train(#[from] TrainError),
}

impl RunError {
    /// Whether the same inputs would fail again.
    fn outcome(&self) -> Outcome {
        match self {
            Self::Campaign(_)
            | Self::Model(_)
            | Self::Language { .. }
            | Self::Access(_)
            | Self::Recipe(_) => Outcome::Misconfigured,
            Self::Endpoint(error) | Self::Generate(GenerateError::Author(AuthorError::Endpoint(error)))
                if error.is_lasting() =>
            {
                Outcome::Misconfigured
            }
            Self::Train(TrainError::Save(_) | TrainError::Arithmetic(_)) => Outcome::Failed,
            Self::Train(_) => Outcome::Misconfigured,
            Self::Cluster(ClusterError::NotFromCluster) => Outcome::Misconfigured,
            Self::Generate(GenerateError::Author(AuthorError::Model(
                ModelError::TooLong { .. } | ModelError::NotFinite(_),
            ))) => Outcome::Misconfigured,
            Self::Endpoint(_) | Self::Output(_) | Self::Cluster(_) | Self::Generate(_) => Outcome::Failed,
        }
    }
}

/// Does what the command says and returns how it ended. Everything that went wrong is in the log and in the report.
#[must_use]
pub fn run(command: &Command) -> Outcome {
    match command {
        Command::Generate(arguments) => {
            let report = written(arguments).unwrap_or_else(|error| failure(&error));
            let kept = arguments.report.as_deref().map_or(Ok(()), |path| write_report(path, &report));
            if kept.is_err() { Outcome::Failed } else { report.outcome }
        }
        Command::Train(arguments) => {
            trained(arguments).map_or_else(|error| failure(&error).outcome, |()| Outcome::Complete)
        }
    }
}

fn written(arguments: &GenerateArguments) -> Result<Report, RunError> {
    let campaign = Campaign::open(&arguments.campaign)?;
    let report = match &arguments.endpoint {
        Some(folder) => written_elsewhere(folder, arguments, &campaign)?,
        None => written_here(arguments, &campaign)?,
    };
    info!(outcome = ?report.outcome, placements = ?report.placements, "writing ended");
    Ok(report)
}

fn written_here(arguments: &GenerateArguments, campaign: &Campaign) -> Result<Report, RunError> {
    let folder = arguments.model.as_ref().expect("the arguments demand it where there is no endpoint");
    let model = Model::open(folder, arguments.weights.into())?;
    check_language(&model, campaign)?;
    let sampling = sampling(arguments, model.sampling());
    let rows = arguments.rows as usize;
    info!(campaign = campaign.name, model = model.digest(), ?sampling, rows, "writing begins");
    deliver(&Writer { model: &model, sampling, rows }, arguments, campaign)
}

fn written_elsewhere(
    folder: &Path,
    arguments: &GenerateArguments,
    campaign: &Campaign,
) -> Result<Report, RunError> {
    let access = Access::open(folder)?;
    let settings = Settings {
        model: arguments.endpoint_model.clone().expect("the arguments demand it beside an endpoint"),
        language: campaign.language.clone(),
        concurrency: NonZeroUsize::new(arguments.endpoint_concurrency.into())
            .expect("the arguments begin at one"),
        temperature: arguments.temperature,
        top_p: arguments.top_p,
        patience: Patience::default(),
    };
    let (host, model, concurrency) = (access.host(), &settings.model, settings.concurrency);
    info!(campaign = campaign.name, host, model, concurrency, "writing begins");
    deliver(&Endpoint::new(access, settings)?, arguments, campaign)
}

fn deliver(
    author: &dyn Author,
    arguments: &GenerateArguments,
    campaign: &Campaign,
) -> Result<Report, RunError> {
    let mut destination: Box<dyn Destination> = match &arguments.output {
        Some(folder) => Box::new(Folder::open(folder)?),
        None => Box::new(Cluster::connect(campaign.home.as_ref())?),
    };
    Ok(generate(author, campaign, arguments.attempts, &mut *destination)?)
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
