//! `worker plan`: which model can be used, how much memory it needs and how quickly it writes at best, before any GPU is
//! asked for.
//!
//! ```text
//! config.json, or each class of models ─▶ Model ─┬▶ size: what takes memory ─┐
//!                        --gpu, or CPUs ─▶ Device ┴▶ speed: the roofline ─────┴▶ Answer ─▶ words, or JSON
//! ```
//!
//! Nothing is measured and nothing is loaded. Of the CPU the figures are those of our engine, to the last byte where it
//! keeps weights, keys and values; of a GPU they are what the arithmetic needs, whatever engine does it.

mod advice;
pub mod device;
pub mod model;
mod question;
pub mod size;
pub mod speed;
pub mod training;
mod words;

use api::PriceError;
use engine::EngineError;
use serde::Serialize;

use self::device::{Cpu, Device};
use self::model::Model;
use self::question::Question;
use self::size::Part;
use self::speed::Speed;
use crate::args::{PlanArguments, Task};

pub use words::text;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The GPU is none of the table.
    #[error("--gpu {name:?} is not known: choose one of {known}, or none")]
    Gpu {
        /// What was typed.
        name: String,
        /// What there is.
        known: String,
    },
    /// The configuration is of no model that the engine knows.
    #[error("--model cannot be used")]
    Model(#[from] EngineError),
    /// The price is none.
    #[error("--price cannot be used")]
    Price(#[from] PriceError),
    /// The time is none.
    #[error("--within cannot be used")]
    Within(#[from] api::DurationError),
    /// Training is for CPUs.
    #[error("--task train runs on CPUs alone: give --gpu none")]
    TrainsOnCpu,
    /// Training is for models of the kind that `worker train` makes.
    #[error(
        "--task train makes models with a head of keys for each head of queries, and {0} has fewer: give --model models/handbill or another such config.json"
    )]
    TrainsOnly(String),
}

/// What was asked, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// What it is about: `generate` or `train`.
    pub task: Task,
    /// How many variants, or rows to learn from.
    pub data: u64,
    /// What it runs on.
    pub device: String,
    /// Texts at once.
    pub rows: u64,
    /// The model that was given, or each class of models, smallest first.
    pub estimates: Vec<Estimate>,
    /// The model that is recommended, if any will do.
    pub recommended: Option<String>,
    /// Why, and what to change.
    pub why: Vec<String>,
    /// Lines for the `spec` of an `AdModel`; empty where nothing will do.
    pub manifest: String,
}

/// One model in one form.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The model.
    pub model: String,
    /// Numbers that it holds.
    pub parameters: u64,
    /// The languages that it writes; `*` for more than a hundred.
    pub languages: Vec<String>,
    /// In which form weights are kept.
    pub weights: &'static str,
    /// What takes memory.
    pub memory: Vec<Part>,
    /// All of it.
    pub needed_bytes: u64,
    /// What there is.
    pub available_bytes: u64,
    /// The most texts at once for which there is memory.
    pub most_rows: u64,
    /// How quickly it writes at best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<Speed>,
    /// Seconds for all data at best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// What these cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<String>,
    /// What stands against it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
}

/// What stands against a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Obstacle {
    /// It needs more memory than there is.
    Memory,
    /// It does not write all the languages.
    Languages,
    /// Prompt and text are longer than its positions.
    Length,
    /// It is not done in time, even at best.
    Time,
}

/// Works out an answer.
///
/// # Errors
/// When what was typed names nothing that is known.
pub fn plan(arguments: &PlanArguments) -> Result<Answer, PlanError> {
    let device = device(arguments)?;
    let given = arguments.model.as_ref().map(|path| Model::open(path)).transpose()?;
    let models = given.map_or_else(Model::classes, |model| vec![model]);
    let question = Question { arguments, device, within: arguments.within.seconds()? };
    match arguments.task {
        Task::Generate => question.writing(&models),
        Task::Train => question.training(models),
    }
}

fn device(arguments: &PlanArguments) -> Result<Device, PlanError> {
    let PlanArguments { gpu, cpus, memory, bandwidth, .. } = arguments;
    if gpu == "none" {
        return Ok(Device::Cpu(Cpu { cpus: *cpus, memory: *memory << 30, bandwidth: *bandwidth }));
    }
    let known = || Device::gpus().into_iter().map(|gpu| gpu.name).collect::<Vec<_>>().join(", ");
    Device::gpu(gpu).map(Device::Gpu).ok_or_else(|| PlanError::Gpu { name: gpu.clone(), known: known() })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Arguments, Command};

    fn answer(typed: &str) -> Result<Answer, PlanError> {
        let typed = ["worker", "plan"].into_iter().chain(typed.split_whitespace());
        let Command::Plan(arguments) = Arguments::try_parse_from(typed).expect("valid arguments").command
        else {
            panic!("no plan was typed")
        };
        plan(&arguments)
    }

    fn recommended(typed: &str) -> (Option<String>, Option<&'static str>) {
        let answer = answer(typed).expect("an answer");
        let chosen = answer.estimates.iter().find(|it| Some(&it.model) == answer.recommended.as_ref());
        (answer.recommended.clone(), chosen.map(|it| it.weights))
    }

    #[test]
    fn each_device_has_the_largest_model_that_fits_writes_the_languages_and_is_done_in_time() {
        for (typed, model, weights) in [
            ("--data 400 --gpu T4", "Qwen3-14B", "q4"),
            ("--data 400 --gpu T4 --weights bf16", "Qwen3-4B", "bf16"),
            ("--data 400 --gpu L4 --weights bf16", "Qwen3-8B", "bf16"),
            ("--data 400 --gpu L4 --weights bf16 --languages en,de,th,zh", "Qwen3-8B", "bf16"),
            ("--data 400 --gpu H100 --languages en,zh", "Qwen3-32B", "bf16"),
            ("--data 400 --gpu H200", "Llama-3.1-70B", "q8"),
            ("--data 400 --gpu none", "Qwen3-8B", "q4"),
            ("--data 400 --gpu none --memory 2", "Qwen3-1.7B", "q4"),
            ("--data 400 --gpu none --within 40s", "Qwen3-0.6B", "q8"),
            ("--data 40000 --gpu none --within 1m", "Handbill", "q8"),
        ] {
            assert_eq!(recommended(typed), (Some(model.to_owned()), Some(weights)), "{typed}");
        }
        assert_eq!(recommended("--data 40000 --gpu none --within 1m --languages sw"), (None, None));
    }

    #[test]
    fn what_does_not_fit_says_what_would_help() {
        let model = concat!("--model ", env!("CARGO_MANIFEST_DIR"), "/../models/handbill");
        let check = |typed: &str, words: &[&str]| {
            let why = answer(typed).expect("an answer").why.join(" ");
            words.iter().for_each(|words| assert!(why.contains(words), "{typed}: {why}"));
        };
        check(&format!("{model} --data 9 --gpu none"), &["Reading keys and values holds it up"]);
        check("--data 400 --gpu none --memory 16 --rows 128", &["Multiplying holds it up"]);
        check("--data 400 --gpu L4", &["Reading the weights holds it up", "such as vLLM"]);
        check(
            "--data 9 --gpu T4 --weights f32 --languages zh,en",
            &["Qwen3-1.7B is the largest", "Qwen3-4B as f32 needs 16."],
        );
        check(
            &format!("{model} --data 9 --gpu none --prompt 500"),
            &["handbill has no room for prompt and text"],
        );
        let rows = format!("{model} --data 900000 --gpu none --memory 1 --rows 65536");
        check(&rows, &["most of it for rows", "With --rows "]);
        let most = answer(&rows).expect("an answer").estimates[0].most_rows;
        let rows = |rows: u64| format!("{model} --data 900000 --gpu none --memory 1 --rows {rows}");
        assert!(answer(&rows(most)).expect("an answer").recommended.is_some(), "{most} rows fit");
        assert_eq!(
            answer(&rows(most + most / 50)).expect("an answer").recommended,
            None,
            "not two in a hundred more"
        );
    }

    #[test]
    fn what_is_recommended_can_be_pasted_into_a_model() {
        for gpu in ["none", "L4"] {
            let answer = answer(&format!("--data 400 --gpu {gpu}")).expect("an answer");
            let spec = format!("source: {{image: {{reference: model:1}}}}\n{}", answer.manifest);
            let spec: api::AdModelSpec = serde_saphyr::from_str(&spec).expect("a model");
            let limits = spec.resources.and_then(|it| it.limits).expect("limits");
            assert_eq!(limits.contains_key("nvidia.com/gpu"), gpu != "none", "{limits:?}");
        }
    }

    #[test]
    fn a_price_makes_a_cost_of_the_time_at_best() {
        let typed = ["worker", "plan", "--data=40000", "--gpu=L4", "--price", "0.90 USD"];
        let Command::Plan(arguments) = Arguments::try_parse_from(typed).expect("valid arguments").command
        else {
            panic!("no plan was typed")
        };
        for estimate in plan(&arguments).expect("an answer").estimates {
            let seconds = estimate.seconds.expect("a time");
            // 0.90 an hour is 0.00025 a second.
            let cost = (seconds as f64 * 2.5).ceil() / 1e4;
            assert_eq!(estimate.cost, Some(format!("{cost:.4} USD")), "{}", estimate.model);
        }
    }

    #[test]
    fn a_model_that_only_candle_runs_is_told_from_one_that_nobody_does() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("config.json");
        for (family, words) in [("phi3", "run by candle's module"), ("mamba", "this engine knows llama")] {
            std::fs::write(&path, format!("{{\"model_type\": \"{family}\"}}")).expect("written");
            let error =
                answer(&format!("--data 4 --gpu none --model {}", path.display())).expect_err("refused");
            let reason = std::error::Error::source(&error).expect("a reason").to_string();
            assert!(reason.contains(words), "{family}: {reason}");
        }
    }

    #[test]
    fn what_names_nothing_is_refused_with_what_there_is() {
        let refused = |typed: &str| answer(typed).expect_err("refused").to_string();
        assert!(refused("--data 4 --gpu RTX").ends_with("A100-80GB, H100-PCIe, H100, H200, or none"));
        assert!(refused("--data 4 --gpu L4 --task train").contains("CPUs alone"));
    }
}
