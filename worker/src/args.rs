//! What can be typed.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use engine::Place;
use engine::cpu::Form;
use rules::MeaningThreshold;
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::share::Share;

/// Writes ad copy with a language model, and trains small ones.
///
/// Exit codes: 0 all that was asked for is done; 1 something failed that may go well another time; 2 flags, campaign,
/// model or recipe cannot be used; 3 the model did not write enough copy that holds, or no model will do; 143 it was told
/// to end.
#[derive(Clone, Debug, Parser)]
#[command(name = "worker", version)]
pub struct Arguments {
    /// Threads for arithmetic; without it, as many as the machine offers to this process.
    ///
    /// A container's CPU limit counts, rounded down to whole processors; threads beyond it would wait for each other.
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
    /// Write a variant again from its provenance, and say whether it came out the same.
    Regenerate(RegenerateArguments),
    /// Go on with a raw prompt, without rules, to check a model.
    Complete(CompleteArguments),
    /// Tell which model can be used, what memory it needs and how quickly it writes at best.
    ///
    /// Computed from configurations and data sheets, before any GPU is asked for: nothing is loaded and nothing is
    /// measured. Exit code 3 says that nothing will do.
    Plan(PlanArguments),
    /// Train a small model from a recipe.
    Train(TrainArguments),
}

/// Write the variants that a campaign asks for.
#[derive(Args, Clone, Debug)]
pub struct GenerateArguments {
    /// File with the AdCampaign.
    #[arg(long, env = "BROADSIDE_CAMPAIGN", value_name = "FILE")]
    pub campaign: PathBuf,
    /// Folder of the model: config.json, tokenizer.json and model.safetensors, or one .gguf file and tokenizer.json.
    #[arg(long, env = "BROADSIDE_MODEL", value_name = "FOLDER", required_unless_present = "endpoint")]
    pub model: Option<PathBuf>,
    /// Folder of a LoRA adapter as peft saves it, which is merged into the model: its path from the model's folder, or an
    /// absolute one.
    #[arg(long, env = "BROADSIDE_ADAPTER", value_name = "FOLDER", conflicts_with = "endpoint")]
    pub adapter: Option<PathBuf>,
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
    /// Folder that takes each variant as a manifest; what is there already of the same brief and model is not written
    /// again.
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
    /// Which of several workers this is, such as `0/4` for the first of four: each writes for every fourth placement.
    #[arg(long, env = "BROADSIDE_SHARE", value_name = "INDEX/COUNT", default_value = "0/1")]
    pub share: Share,
    /// Where the model is reckoned with; weights on a GPU are 16-bit floats.
    #[arg(long, env = "BROADSIDE_DEVICE", value_name = "DEVICE", value_enum, default_value_t = Device::Auto)]
    pub device: Device,
    /// Divides the logits, from 0 (the likeliest token) to 2; without it, what the model advises.
    #[arg(long, env = "BROADSIDE_TEMPERATURE", value_name = "NUMBER", value_parser = temperature)]
    pub temperature: Option<f64>,
    /// Share of probability that is kept, the likeliest tokens first, from 0 to 1; without it, what the model advises.
    #[arg(long, env = "BROADSIDE_TOP_P", value_name = "SHARE", value_parser = share)]
    pub top_p: Option<f64>,
    /// Taken from the logits of words with which people's copy goes on, from 0 (none) to 10; without it, what the model
    /// advises, or 1. An engine elsewhere does not hear of it.
    #[arg(long, env = "BROADSIDE_SIBLING_PENALTY", value_name = "NUMBER", value_parser = penalty)]
    pub sibling_penalty: Option<f64>,
    /// Folder of a model that embeds sentences, such as all-MiniLM-L6-v2: drafts that say the same in other words are
    /// refused, and what says something else is preferred. What a draft holds does not depend on it.
    #[arg(long, env = "BROADSIDE_EMBEDDER", value_name = "FOLDER")]
    pub embedder: Option<PathBuf>,
    /// The cosine from which two pieces of copy say the same, from 0.5 to 0.999; without it, what the campaign says, and
    /// else 0.92.
    #[arg(long, env = "BROADSIDE_EMBEDDER_THRESHOLD", value_name = "COSINE", requires = "embedder", value_parser = meaning_threshold)]
    pub embedder_threshold: Option<MeaningThreshold>,
}

/// Write a variant again from its provenance, and say whether it came out the same.
///
/// The texts are printed as YAML. The same build on the same kind of processor gives the same bytes; exit code 3 says that
/// it did not.
#[derive(Args, Clone, Debug)]
pub struct RegenerateArguments {
    /// File with the AdVariant.
    #[arg(env = "BROADSIDE_VARIANT", value_name = "VARIANT")]
    pub variant: PathBuf,
    /// File with the AdCampaign that it was written for, as it was then.
    #[arg(long, env = "BROADSIDE_CAMPAIGN", value_name = "FILE")]
    pub campaign: PathBuf,
    /// Folder of the model that wrote it.
    #[arg(long, env = "BROADSIDE_MODEL", value_name = "FOLDER")]
    pub model: PathBuf,
    /// Folder of the LoRA adapter that it wrote with: its path from the model's folder, or an absolute one.
    #[arg(long, env = "BROADSIDE_ADAPTER", value_name = "FOLDER")]
    pub adapter: Option<PathBuf>,
}

/// Go on with a raw prompt, without rules, to check a model.
///
/// Each completion is printed with its tokens and the logarithms of their probabilities where --json is given. Special
/// tokens that the prompt spells are such, and those that the tokenizer puts around a text are added.
#[derive(Args, Clone, Debug)]
pub struct CompleteArguments {
    /// Folder of the model.
    #[arg(long, env = "BROADSIDE_MODEL", value_name = "FOLDER")]
    pub model: PathBuf,
    /// Folder of a LoRA adapter as peft saves it, which is merged into the model: its path from the model's folder, or an
    /// absolute one.
    #[arg(long, env = "BROADSIDE_ADAPTER", value_name = "FOLDER")]
    pub adapter: Option<PathBuf>,
    /// The prompt; `-` reads it from standard input.
    #[arg(long, env = "BROADSIDE_PROMPT", value_name = "TEXT")]
    pub prompt: String,
    /// The most tokens of a completion.
    #[arg(long, env = "BROADSIDE_MAX_TOKENS", value_name = "N", default_value_t = 64)]
    pub max_tokens: u32,
    /// How many completions are written.
    #[arg(long, env = "BROADSIDE_COUNT", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub count: u32,
    /// Starts the dice of the first completion; each that follows has the next number.
    #[arg(long, env = "BROADSIDE_SEED", value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Divides the logits, from 0 (the likeliest token) to 2.
    #[arg(long, env = "BROADSIDE_TEMPERATURE", value_name = "NUMBER", default_value_t = 1.0, value_parser = temperature)]
    pub temperature: f64,
    /// Share of probability that is kept, the likeliest tokens first, from 0 to 1.
    #[arg(long, env = "BROADSIDE_TOP_P", value_name = "SHARE", default_value_t = 1.0, value_parser = share)]
    pub top_p: f64,
    /// File with a grammar to which each completion is held from its first byte: rules in Lark as llguidance reads them,
    /// or a JSON Schema where the file ends in .json, whose JSON then has no spaces between its parts.
    #[arg(long, env = "BROADSIDE_GRAMMAR", value_name = "FILE")]
    pub grammar: Option<PathBuf>,
    /// In which form weights are kept: as the files have them, or rounded to 8 bits.
    #[arg(long, env = "BROADSIDE_WEIGHTS", value_name = "FORM", value_enum, default_value_t = WeightForm::AsStored)]
    pub weights: WeightForm,
    /// Where the model is reckoned with; weights on a GPU are 16-bit floats.
    #[arg(long, env = "BROADSIDE_DEVICE", value_name = "DEVICE", value_enum, default_value_t = Device::Auto)]
    pub device: Device,
    /// Print each completion as a JSON object in a line: text, tokens, logProbabilities, finish.
    #[arg(long, env = "BROADSIDE_JSON")]
    pub json: bool,
}

/// Where the model is reckoned with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Device {
    /// On a GPU where this build is for GPUs, on the CPU where it is not.
    Auto,
    /// On the CPU.
    Cpu,
    /// On the first GPU of NVIDIA.
    Cuda,
    /// On the CPU in the way of a GPU, slowly: to check what a GPU would do.
    Tensors,
}

impl Device {
    /// The place that is meant.
    #[must_use]
    pub fn place(self) -> Place {
        match self {
            Self::Auto => Place::best(),
            Self::Cpu => Place::Cpu,
            Self::Cuda => Place::Cuda,
            Self::Tensors => Place::Tensors,
        }
    }
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
    /// Folder of a LoRA adapter in the repository, which is fetched beside the model.
    #[arg(long, env = "BROADSIDE_ADAPTER", value_name = "FOLDER", conflicts_with = "file", value_parser = folder_inside)]
    pub adapter: Option<String>,
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

/// Tell which model can be used, what memory it needs and how quickly it writes at best.
#[derive(Args, Clone, Debug)]
pub struct PlanArguments {
    /// What is to be done.
    #[arg(long, env = "BROADSIDE_PLAN_TASK", value_enum, default_value_t = Task::Generate)]
    pub task: Task,
    /// How many variants are written, in all languages together; of training, how many rows are learned from.
    #[arg(long, env = "BROADSIDE_PLAN_DATA", value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub data: u64,
    /// The GPU, such as L4, or the value of a node's label nvidia.com/gpu.product; `none` for CPUs.
    #[arg(long, env = "BROADSIDE_PLAN_GPU", value_name = "MODEL|none")]
    pub gpu: String,
    /// The model's folder, its config.json alone, or a GGUF file; without it, each class of models that is known.
    #[arg(long, env = "BROADSIDE_MODEL", value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// In which form weights are kept; without it, the most faithful one that fits on a GPU, and on CPUs 8 bits or 4, which
    /// are quicker there.
    #[arg(long, env = "BROADSIDE_PLAN_WEIGHTS", value_name = "FORM", value_enum)]
    pub weights: Option<PlanForm>,
    /// The languages of the copy, as primary tags with commas between them.
    #[arg(
        long,
        env = "BROADSIDE_PLAN_LANGUAGES",
        value_name = "TAGS",
        value_delimiter = ',',
        default_value = "en"
    )]
    pub languages: Vec<String>,
    /// Texts that are written at once; of training, rows of a step.
    #[arg(long, env = "BROADSIDE_ROWS", value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub rows: u64,
    /// Tokens of the prompt that all texts share.
    #[arg(long, env = "BROADSIDE_PLAN_PROMPT", value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub prompt: u64,
    /// Tokens of one text; of training, of the longest row.
    #[arg(long, env = "BROADSIDE_PLAN_TOKENS", value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub tokens: u64,
    /// The time in which all is to be written, such as 10m.
    #[arg(long, env = "BROADSIDE_PLAN_WITHIN", value_name = "TIME", default_value = "1h", value_parser = time)]
    pub within: api::Duration,
    /// What a GPU hour costs, such as `2.10 USD`.
    #[arg(long, env = "BROADSIDE_PLAN_PRICE", value_name = "PRICE")]
    pub price: Option<String>,
    /// Without a GPU: how many CPUs.
    #[arg(long, env = "BROADSIDE_PLAN_CPUS", value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub cpus: u64,
    /// Without a GPU: the memory that a pod may use, in GiB.
    #[arg(long, env = "BROADSIDE_PLAN_MEMORY", value_name = "GIB", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=65_536))]
    pub memory: u64,
    /// Without a GPU: what the CPUs read from memory, in GB/s; two cores of a cloud's machine read 25 to 31.
    #[arg(long, env = "BROADSIDE_PLAN_BANDWIDTH", value_name = "GB/S", default_value_t = 25, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    pub bandwidth: u64,
    /// Print the answer as JSON.
    #[arg(long, env = "BROADSIDE_PLAN_JSON")]
    pub json: bool,
}

/// What is planned.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "camelCase")]
pub enum Task {
    /// Copy is written.
    Generate,
    /// A small model is trained.
    Train,
}

/// In which form weights are kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum PlanForm {
    /// 32-bit floats.
    F32,
    /// 16-bit floats; CPUs keep them as 32-bit ones.
    Bf16,
    /// 8.5 bits a weight: GGML's Q8_0.
    Q8,
    /// 4.5 bits a weight: GGML's Q4_K.
    Q4,
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

/// Becomes a folder below the model's, so it may not lead elsewhere.
fn folder_inside(text: &str) -> Result<String, String> {
    if text.split('/').all(api::model_files::is_plain) {
        Ok(text.to_owned())
    } else {
        Err("write the path of a folder of the repository, such as brands/acme".to_owned())
    }
}

fn directives(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn time(text: &str) -> Result<api::Duration, String> {
    let time = api::Duration(text.to_owned());
    time.seconds().map(|_| time.clone()).map_err(|error| error.to_string())
}

fn temperature(text: &str) -> Result<f64, String> {
    within(text, 2.0)
}

fn meaning_threshold(text: &str) -> Result<MeaningThreshold, String> {
    let cosine = text.parse().map_err(|_| "it is no number".to_owned())?;
    MeaningThreshold::new(cosine).map_err(|error| error.to_string())
}

fn share(text: &str) -> Result<f64, String> {
    within(text, 1.0)
}

fn penalty(text: &str) -> Result<f64, String> {
    within(text, 10.0)
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
            ("--sibling-penalty", "-1"),
            ("--attempts", "0"),
            ("--rows", "0"),
            ("--weights", "q2"),
            ("--share", "4/4"),
            ("--device", "tpu"),
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
    fn an_adapter_is_fetched_from_a_folder_of_the_repository() {
        for (adapter, good) in
            [("acme", true), ("brands/acme", true), ("../acme", false), ("/acme", false), ("a//b", false)]
        {
            let adapter = format!("--adapter={adapter}");
            let typed = ["worker", "fetch", "--repo=a/b", "--revision=main", "--into=c", &adapter];
            assert_eq!(Arguments::try_parse_from(typed).is_ok(), good, "{adapter}");
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
            (vec![model, "--adapter=a"], true),
            (vec![endpoint, name, "--adapter=a"], false),
        ] {
            let typed = [vec!["worker", "generate", "--campaign=c", "--output=o"], author].concat();
            assert_eq!(Arguments::try_parse_from(&typed).is_ok(), good, "{typed:?}");
        }
    }
}
