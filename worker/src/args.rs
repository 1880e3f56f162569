//! What can be typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::cpu::Form;
use tracing_subscriber::EnvFilter;

/// Writes ad copy with a language model, and trains small ones.
///
/// Exit codes: 0 all that was asked for is done; 1 something failed that may go well another time; 2 flags, campaign,
/// model or recipe cannot be used; 3 the model did not write enough copy that holds.
#[derive(Clone, Debug, Parser)]
#[command(name = "worker", version)]
pub struct Arguments {
    /// Threads for arithmetic; without it, as many as the machine offers to this process.
    ///
    /// In a container give the CPU limit: it is not visible to the arithmetic, and threads beyond it wait for each other.
    #[arg(long, env = "BROADSIDE_THREADS", global = true, value_name = "N")]
    pub threads: Option<NonZeroUsize>,
    /// What is logged: a level, or directives such as `info,worker=debug`.
    #[arg(long, env = "BROADSIDE_LOG", global = true, default_value = "info", value_parser = directives)]
    pub log: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Write the variants that a campaign asks for.
    Generate(GenerateArguments),
    /// Train a small model from a recipe.
    Train(TrainArguments),
}

/// Write the variants that a campaign asks for.
#[derive(Args, Clone, Debug)]
pub struct GenerateArguments {
    /// File with the AdCampaign.
    #[arg(long, env = "BROADSIDE_CAMPAIGN", value_name = "FILE")]
    pub campaign: PathBuf,
    /// Folder of the model: config.json, tokenizer.json, model.safetensors.
    #[arg(long, env = "BROADSIDE_MODEL", value_name = "FOLDER", required_unless_present = "endpoint")]
    pub model: Option<PathBuf>,
    /// Folder of a mounted Secret of type broadside.dev/model-endpoint, in place of a model: url, and where they are
    /// needed key and ca.crt. The engine there speaks the OpenAI-compatible chat API.
    #[arg(
        long,
        env = "BROADSIDE_ENDPOINT",
        value_name = "FOLDER",
        conflicts_with = "model",
        requires = "endpoint_model"
    )]
    pub endpoint: Option<PathBuf>,
    /// The name of the model at the endpoint.
    #[arg(long, env = "BROADSIDE_ENDPOINT_MODEL", value_name = "NAME", requires = "endpoint", value_parser = NonEmptyStringValueParser::new())]
    pub endpoint_model: Option<String>,
    /// The most requests to the endpoint at once. Engines batch by themselves: as many as they take without queueing.
    #[arg(long, env = "BROADSIDE_ENDPOINT_CONCURRENCY", value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub endpoint_concurrency: u16,
    /// Folder that takes each variant as a manifest; what is there already is not written again.
    #[arg(long, env = "BROADSIDE_OUTPUT", value_name = "FOLDER", required_unless_present = "cluster")]
    pub output: Option<PathBuf>,
    /// Create each variant through the API server, with the account of this pod or of KUBECONFIG.
    #[arg(long, env = "BROADSIDE_CLUSTER", conflicts_with = "output")]
    pub cluster: bool,
    /// File that takes the report of the run as JSON below 4 KB; in a pod, its termination message.
    #[arg(long, env = "BROADSIDE_REPORT", value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// How often copy is written for one variant before it is given up.
    #[arg(long, env = "BROADSIDE_ATTEMPTS", value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub attempts: u32,
    /// The most drafts that are written at once; more are quicker, and keep more in memory.
    #[arg(long, env = "BROADSIDE_ROWS", value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub rows: u32,
    /// In which form weights are kept: as the files have them, or rounded to 8 bits, which is quicker and needs a quarter
    /// of the memory.
    #[arg(long, env = "BROADSIDE_WEIGHTS", value_name = "FORM", value_enum, default_value_t = WeightForm::AsStored)]
    pub weights: WeightForm,
    /// Divides the logits, from 0 (the likeliest token) to 2; without it, what the model advises.
    #[arg(long, env = "BROADSIDE_TEMPERATURE", value_name = "NUMBER", value_parser = temperature)]
    pub temperature: Option<f64>,
    /// Share of probability that is kept, the likeliest tokens first, from 0 to 1; without it, what the model advises.
    #[arg(long, env = "BROADSIDE_TOP_P", value_name = "SHARE", value_parser = share)]
    pub top_p: Option<f64>,
}

/// In which form weights are kept in memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum WeightForm {
    /// As the files have them.
    AsStored,
    /// Rounded to 8 bits in groups of 32.
    Q8,
}

impl From<WeightForm> for Form {
    fn from(form: WeightForm) -> Self {
        match form {
            WeightForm::AsStored => Self::AsStored,
            WeightForm::Q8 => Self::Q8,
        }
    }
}

/// Train a small model from a recipe.
#[derive(Args, Clone, Debug)]
pub struct TrainArguments {
    /// File with the recipe.
    #[arg(long, env = "BROADSIDE_RECIPE", value_name = "FILE")]
    pub recipe: PathBuf,
    /// Folder that takes the model.
    #[arg(long, env = "BROADSIDE_OUTPUT", value_name = "FOLDER")]
    pub output: PathBuf,
}

fn directives(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn temperature(text: &str) -> Result<f64, String> {
    within(text, 2.0)
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 1.0)
}

fn within(text: &str, highest: f64) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=highest).contains(&number) {
        Ok(number)
    } else {
        Err(format!("must lie between 0 and {highest}"))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_flag_can_be_given_by_the_environment() {
        let all = Arguments::command();
        for command in std::iter::once(&all).chain(all.get_subcommands()) {
            for flag in
                command.get_arguments().filter(|it| !["help", "version"].contains(&it.get_id().as_str()))
            {
                assert!(flag.get_env().is_some(), "{} --{}", command.get_name(), flag.get_id());
            }
        }
    }

    #[test]
    fn a_value_that_makes_no_sense_is_refused() {
        for (flag, value) in [
            ("--top-p", "1.5"),
            ("--temperature", "NaN"),
            ("--attempts", "0"),
            ("--rows", "0"),
            ("--weights", "q2"),
            ("--endpoint-concurrency", "0"),
            ("--endpoint-concurrency", "257"),
            ("--threads", "0"),
            ("--log", "a=b=c"),
        ] {
            let typed = ["worker", "generate", "--campaign=c", "--model=m", "--output=o", flag, value];
            assert!(Arguments::try_parse_from(typed).is_err(), "{flag} {value}");
        }
    }

    #[test]
    fn copy_is_written_by_a_model_or_by_an_endpoint_with_its_models_name() {
        let (model, endpoint, name) = ("--model=m", "--endpoint=e", "--endpoint-model=n");
        for (author, good) in [
            (vec![model], true),
            (vec![endpoint, name], true),
            (vec![], false),
            (vec![endpoint], false),
            (vec![name], false),
            (vec![model, endpoint, name], false),
            (vec![endpoint, "--endpoint-model="], false),
        ] {
            let typed = [vec!["worker", "generate", "--campaign=c", "--output=o"], author].concat();
            assert_eq!(Arguments::try_parse_from(&typed).is_ok(), good, "{typed:?}");
        }
    }
}
