//! From arguments to an outcome: reads what the arguments name, does the work, writes the report.

mod origin;
mod outcome;
mod reporter;
mod writing;

use std::io::Write as _;

use api::wire::report::{Effort, Outcome, Report};
use engine::{Place, Sampling};
use thiserror::Error;
use tracing::{error, info};

use crate::args::{
    Command, CompleteArguments, FetchArguments, PlanArguments, RegenerateArguments, TrainArguments,
};
use crate::campaign::{Campaign, CampaignError};
use crate::cluster::ClusterError;
use crate::complete::{Request, complete, print_json, print_texts};
use crate::destination::DestinationError;
use crate::embedding::EmbedderError;
use crate::endpoint::{AccessError, EndpointError};
use crate::fetch::{self, FetchError, Wanted, fetch, link};
use crate::generate::GenerateError;
use crate::grammar::{self, GrammarFileError};
use crate::model::{Model, ModelError};
use crate::plan::{self, PlanError, plan};
use crate::regenerate::{Record, RegenerateError};
use crate::train::recipe::{Recipe, RecipeError};
use crate::train::{TrainError, train};
use origin::OriginError;
pub use reporter::Reporter;

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
    #[error("the embedder cannot be used")]
    Embedder(#[from] EmbedderError),
    #[error("the endpoint's Secret cannot be used")]
    Access(#[from] AccessError),
    #[error("the endpoint cannot be used")]
    Endpoint(#[from] EndpointError),
    #[error("the output cannot be used")]
    Output(#[from] DestinationError),
    #[error("the output cannot be used")]
    Origin(#[from] OriginError),
    #[error("the cluster cannot be used")]
    Cluster(#[from] ClusterError),
    #[error("writing stopped")]
    Generate { source: GenerateError, effort: Box<Effort> },
    #[error("the variant cannot be written again")]
    Regenerate(#[from] RegenerateError),
    #[error("the prompt is empty: give --prompt TEXT, or - and a text on standard input")]
    EmptyPrompt,
    #[error("the grammar cannot be used")]
    Grammar(#[from] GrammarFileError),
    #[error("standard input or output failed")]
    Stream(#[from] std::io::Error),
    #[error("the plan cannot be made")]
    Plan(#[from] PlanError),
    #[error("a connection can't be prepared")]
    Runtime(#[source] std::io::Error),
    #[error("the model cannot be fetched")]
    Fetch(#[from] FetchError),
    #[error("the recipe cannot be used")]
    Recipe(#[from] RecipeError),
    #[error("training stopped")]
    Train(#[from] TrainError),
}

/// Does what the command says and returns how it ended. Everything that went wrong is in the log, and in the report that
/// `reporter` gives.
#[must_use]
pub fn run(command: &Command, reporter: &Reporter) -> Outcome {
    match command {
        Command::Generate(arguments) => {
            let report = writing::written(arguments, reporter).unwrap_or_else(|error| failure(&error));
            reporter.give(&report)
        }
        Command::Regenerate(arguments) => {
            regenerated(arguments).unwrap_or_else(|error| failure(&error).outcome)
        }
        Command::Complete(arguments) => {
            completed(arguments).map_or_else(|error| failure(&error).outcome, |()| Outcome::Complete)
        }
        Command::Plan(arguments) => planned(arguments).unwrap_or_else(|error| failure(&error).outcome),
        // Of a model that is here the worker behind it speaks.
        Command::Fetch(arguments) => {
            fetched(arguments).map_or_else(|error| reporter.give(&failure(&error)), |()| Outcome::Complete)
        }
        Command::Train(arguments) => {
            trained(arguments).map_or_else(|error| failure(&error).outcome, |()| Outcome::Complete)
        }
    }
}

fn fetched(arguments: &FetchArguments) -> Result<(), RunError> {
    let FetchArguments { repo, revision, file, adapter, into, link: to, mirror, secret, report: _ } =
        arguments.clone();
    let access = secret.map_or(fetch::Access::Open { mirror }, fetch::Access::Secret);
    let wanted = Wanted { repo, revision, file, adapter, into };
    info!(?wanted, "fetching begins");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(RunError::Runtime)?;
    let folder = runtime.block_on(fetch(&wanted, &access, fetch::Patience::default()))?;
    Ok(to.map_or(Ok(()), |to| link(&folder, &to))?)
}

fn regenerated(arguments: &RegenerateArguments) -> Result<Outcome, RunError> {
    let record = Record::open(&arguments.variant)?;
    let campaign = Campaign::open(&arguments.campaign)?;
    let RegenerateArguments { model, adapter, .. } = arguments;
    let model = Model::open_at(model, adapter.as_deref(), record.form(), Place::Cpu)?;
    let again = record.again(&campaign, &model)?;
    let text = serde_saphyr::to_string(&again.slots).expect("texts by name are YAML");
    std::io::stdout().write_all(text.as_bytes())?;
    if again.slots == again.was {
        info!("the variant came out the same");
        return Ok(Outcome::Complete);
    }
    error!("the variant came out differently: another build, or another kind of processor, wrote it");
    Ok(Outcome::Shortfall)
}

fn completed(arguments: &CompleteArguments) -> Result<(), RunError> {
    let grammar = arguments.grammar.as_deref().map(grammar::open).transpose()?;
    let CompleteArguments { model, adapter, weights, device, .. } = arguments;
    let model = Model::open_at(model, adapter.as_deref(), (*weights).into(), device.place())?;
    let text = match arguments.prompt.as_str() {
        "-" => std::io::read_to_string(std::io::stdin())?,
        text => text.to_owned(),
    };
    let prompt = model.tokens().encode_framed(&text).map_err(ModelError::from)?;
    if prompt.is_empty() {
        return Err(RunError::EmptyPrompt);
    }
    let CompleteArguments { count, max_tokens, seed, temperature, top_p, .. } = *arguments;
    let sampling = Sampling { temperature, top_p, ..Sampling::default() };
    let completions = complete(&model, &Request { prompt, count, max_tokens, sampling, grammar, seed })?;
    let print = if arguments.json { print_json } else { print_texts };
    Ok(print(&completions, &mut std::io::stdout().lock())?)
}

fn planned(arguments: &PlanArguments) -> Result<Outcome, RunError> {
    let answer = plan(arguments)?;
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&answer).expect("an answer is text and numbers") + "\n",
        false => plan::text(&answer),
    };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if answer.recommended.is_some() { Outcome::Complete } else { Outcome::Shortfall })
}

fn trained(arguments: &TrainArguments) -> Result<(), RunError> {
    let recipe = Recipe::open(&arguments.recipe)?;
    let outcome = train(&recipe, &arguments.output)?;
    info!(?outcome, folder = %arguments.output.display(), "model written");
    Ok(())
}

fn failure(error: &RunError) -> Report {
    let chain = chain(error);
    error!(error = %chain, "the run ended early");
    let report = Report::of_failure(error.outcome(), error.failure(), &chain);
    Report { effort: error.effort(), ..report }
}

/// An error with everything that caused it, outermost first.
fn chain(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(Some(error), |error| error.source());
    sources.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
