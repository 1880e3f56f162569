//! What can be typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

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
    /// Fetch a model from a repository of Hugging Face, or of a mirror.
    Fetch(FetchArguments),
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
    #[arg(long, env = "BROADSIDE_MODEL", value_name = "FOLDER")]
    pub model: PathBuf,
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

/// Fetch a model from a repository of Hugging Face, or of a mirror.
///
/// What was cut off is gone on with, each file is held against its checksum, and what is complete is not fetched again.
/// Any number of processes may share a folder.
#[derive(Args, Clone, Debug)]
pub struct FetchArguments {
    /// The repository, such as Qwen/Qwen3-8B.
    #[arg(long, env = "BROADSIDE_REPO", value_name = "OWNER/NAME", value_parser = repo)]
    pub repo: String,
    /// A commit, branch or tag; a commit that is here already is used without asking anybody.
    #[arg(long, env = "BROADSIDE_REVISION", value_name = "REVISION")]
    pub revision: String,
    /// The one GGUF file that is fetched in place of safetensors.
    #[arg(long, env = "BROADSIDE_FILE", value_name = "FILE")]
    pub file: Option<String>,
    /// Folder that keeps what was fetched: for each repository one, in it one for each commit.
    #[arg(long, env = "BROADSIDE_INTO", value_name = "FOLDER")]
    pub into: PathBuf,
    /// Path that becomes a link to the model's folder.
    #[arg(long, env = "BROADSIDE_LINK", value_name = "PATH")]
    pub link: Option<PathBuf>,
    /// Address of a mirror that asks for no token. Without it, https://huggingface.co.
    #[arg(long, env = "BROADSIDE_MIRROR", value_name = "URL", conflicts_with = "secret")]
    pub mirror: Option<String>,
    /// Folder with `token`, and where they are wanted `url` and `ca.crt`: a token is told to the address beside it alone.
    #[arg(long, env = "BROADSIDE_SECRET", value_name = "FOLDER")]
    pub secret: Option<PathBuf>,
    /// File that takes a report as JSON below 4 KB when this fails; in a pod, its termination message.
    #[arg(long, env = "BROADSIDE_REPORT", value_name = "FILE")]
    pub report: Option<PathBuf>,
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

/// A repository's name becomes a folder's, so it may not lead elsewhere.
fn repo(text: &str) -> Result<String, String> {
    let parts: Vec<&str> = text.split('/').collect();
    if parts.len() <= 2 && parts.into_iter().all(api::model_files::is_plain) {
        Ok(text.to_owned())
    } else {
        Err("write OWNER/NAME, such as Qwen/Qwen3-8B".to_owned())
    }
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
            ("--threads", "0"),
            ("--log", "a=b=c"),
        ] {
            let typed = ["worker", "generate", "--campaign=c", "--model=m", "--output=o", flag, value];
            assert!(Arguments::try_parse_from(typed).is_err(), "{flag} {value}");
        }
    }
}
