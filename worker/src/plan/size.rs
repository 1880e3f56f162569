//! How much memory writing needs.

use serde::Serialize;

use super::device::{Device, Form};
use super::model::{Matrices, Model};

/// What is written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Texts at once.
    pub rows: u64,
    /// Tokens of the prompt that they share.
    pub prompt: u64,
    /// Tokens of each behind it.
    pub tokens: u64,
}

/// One thing that takes memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is.
    pub what: &'static str,
    /// How much it takes.
    pub bytes: u64,
}

/// Tokens of a page of keys and values: as many as in the engine, and in vLLM.
const PAGE: u64 = 16;
/// Outputs of the engine's matrices lie sixteen side by side.
const LANES: u64 = 16;
/// Tokens that are read at once: as many as in the engine.
const AT_ONCE: u64 = 512;
/// What a process takes beside the model: program, threads, and what CUDA keeps where it is there. An allowance.
const PROCESS_ON_CPU: u64 = 32 << 20;
const PROCESS_ON_GPU: u64 = 1 << 30;
/// What a tokenizer takes for each of its tokens in the process's memory, its tables included. An allowance.
const TOKENIZER_BYTES: u64 = 1 << 10;

/// Everything that writing needs, the largest first as a rule.
#[must_use]
pub fn writing(model: &Model, device: &Device, form: Form, workload: Workload) -> Vec<Part> {
    let part = |what, bytes| Part { what, bytes };
    vec![
        part("weights", weights(model, device, form)),
        part("prompt, once", keys_and_values(model, device, 0, workload.prompt)),
        part("rows", workload.rows * of_row(model, device, workload)),
        part("at work", working(model, device, workload.rows)),
        part("process", process(model, device)),
    ]
}

/// Keys and values of one text behind the prompt.
#[must_use]
pub fn of_row(model: &Model, device: &Device, workload: Workload) -> u64 {
    keys_and_values(model, device, workload.prompt, workload.tokens)
}

/// All weights, as the device keeps them.
#[must_use]
pub fn weights(model: &Model, device: &Device, form: Form) -> u64 {
    let form = device.kept(form);
    let own_head = if model.is_tied() { 0 } else { of_matrices(model.embeddings(), device, form) };
    let products = model.products().into_iter().map(|matrices| of_matrices(matrices, device, form));
    products.sum::<u64>() + own_head + 4 * model.vectors()
}

/// What a step reads of the weights: all but an embedding that does not give the logits, of which it reads a few rows.
#[must_use]
pub fn read_each_step(model: &Model, device: &Device, form: Form) -> u64 {
    let form = device.kept(form);
    let products = model.products().into_iter().map(|matrices| of_matrices(matrices, device, form));
    products.sum::<u64>() + 4 * model.vectors()
}

fn of_matrices(matrices: Matrices, device: &Device, form: Form) -> u64 {
    let Matrices { count, outputs, inputs } = matrices;
    // GGUF has no groups that are not whole: such a matrix stays in the next wider form.
    let form = match form {
        Form::Q4 if !inputs.is_multiple_of(256) => Form::Q8,
        form => form,
    };
    let form = if form == Form::Q8 && !inputs.is_multiple_of(32) { device.kept(Form::Bf16) } else { form };
    let outputs = match device {
        // Those that candle multiplies lie as their file has them.
        Device::Cpu(_) if form != Form::Q4 => outputs.next_multiple_of(LANES),
        _ => outputs,
    };
    let numbers = count * outputs * inputs;
    match form {
        Form::F32 => numbers * 4,
        Form::Bf16 => numbers * 2,
        Form::Q8 => numbers / 32 * 34,
        Form::Q4 => numbers / 256 * 144,
    }
}

/// Keys and values of a stretch of text that begins at a position, in whole pages.
#[must_use]
pub fn keys_and_values(model: &Model, device: &Device, start: u64, tokens: u64) -> u64 {
    let shape = &model.shape;
    let of_token = 2 * (shape.layers * shape.key_heads * shape.head_width) as u64 * device.number_bytes();
    (start % PAGE + tokens).div_ceil(PAGE) * PAGE * of_token
}

/// What lies between layers in the widest place of a step, and the logits with what drawing makes of them.
fn working(model: &Model, device: &Device, rows: u64) -> u64 {
    let shape = &model.shape;
    let (hidden, feed_forward) = (shape.hidden as u64, shape.feed_forward as u64);
    let queries = (shape.heads * shape.head_width) as u64;
    let keys = (shape.key_heads * shape.head_width) as u64;
    let attention = 3 * hidden + 2 * queries + 2 * keys;
    let feed = 3 * hidden + 3 * feed_forward;
    let between = AT_ONCE.max(rows) * attention.max(feed) * device.number_bytes();
    between + 3 * 4 * rows * shape.vocabulary as u64
}

fn process(model: &Model, device: &Device) -> u64 {
    match device {
        Device::Gpu(_) => PROCESS_ON_GPU,
        Device::Cpu(_) => PROCESS_ON_CPU + TOKENIZER_BYTES * model.shape.vocabulary as u64,
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::Arc;

    use engine::{Decoder, Input, Weights};

    use super::*;
    use crate::plan::device::Cpu;

    fn cpu() -> Device {
        Device::Cpu(Cpu { cpus: 2, memory: 1 << 30, bandwidth: 25 })
    }

    /// One checkpoint of each family, with and without a head of its own, biases, norms of heads and a head width of its
    /// own.
    fn checkpoints() -> Vec<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let families = ["llama", "mistral", "qwen2", "qwen3"];
        let oracle = |name: String| root.join("engine/tests/oracles").join(name);
        let folders = families.map(|family| oracle(family.to_owned()));
        let files = families.map(|family| oracle(format!("{family}.gguf")));
        folders.into_iter().chain(files).chain([root.join("models/handbill")]).collect()
    }

    #[test]
    fn weights_take_what_the_engine_allocates_to_the_last_byte() {
        for folder in checkpoints() {
            let model = Model::open(&folder).expect("a model");
            for (form, ours) in [(engine::cpu::Form::AsStored, Form::Bf16), (engine::cpu::Form::Q8, Form::Q8)]
            {
                let (weights_on_disk, shape) = Weights::open(&folder).expect("a model");
                let decoder = Decoder::load(&weights_on_disk, shape, form).expect("a decoder");
                assert_eq!(
                    weights(&model, &cpu(), ours),
                    decoder.bytes().expect("ours") as u64,
                    "{} {ours:?}",
                    folder.display()
                );
            }
        }
    }

    #[test]
    fn keys_and_values_take_what_the_engine_allocates_to_the_last_byte() {
        for folder in checkpoints() {
            let model = Model::open(&folder).expect("a model");
            let (weights, shape) = Weights::open(&folder).expect("a model");
            let decoder = Decoder::load(&weights, shape, engine::cpu::Form::AsStored).expect("a decoder");
            for (prompt, tokens) in [(1, 1), (16, 16), (17, 31), (40, 9), (63, 2)] {
                let mut above = decoder.text(None);
                let read = |text: &mut _, count: usize| {
                    let tokens = vec![7; count];
                    decoder.read(&mut [Input { text, tokens: &tokens }]).expect("it fits");
                };
                read(&mut above, prompt);
                let of_prompt = above.bytes().expect("ours") as u64;
                let mut row = decoder.text(Some(Arc::new(above)));
                read(&mut row, tokens);
                let workload = Workload { rows: 1, prompt: prompt as u64, tokens: tokens as u64 };
                let case = format!("{} {workload:?}", folder.display());
                assert_eq!(keys_and_values(&model, &cpu(), 0, workload.prompt), of_prompt, "{case}");
                assert_eq!(of_row(&model, &cpu(), workload), row.bytes().expect("ours") as u64, "{case}");
            }
        }
    }

    #[test]
    fn known_models_take_what_is_known_of_them() {
        let gpu = Device::Gpu(Device::gpu("L4").expect("a GPU of the table"));
        let check = |name: &str, form, gigabytes: f64, of_token: u64| {
            let classes = Model::classes();
            let model = classes.iter().find(|model| model.name == name).expect("a class");
            let found = weights(model, &gpu, form) as f64 / 1e9;
            assert!((found - gigabytes).abs() < 0.01 * gigabytes, "{name} {form:?}: {found} GB");
            assert_eq!(keys_and_values(model, &gpu, 0, PAGE) / PAGE, of_token, "{name}");
        };
        // Files of these on huggingface.co, and 36 or 32 layers of 8 heads of 128 keys and values in 16 bits.
        check("Qwen3-8B", Form::Bf16, 16.38, 147_456);
        check("Llama-3.1-8B", Form::Bf16, 16.06, 131_072);
        check("Llama-3.1-8B", Form::Q8, 8.53, 131_072);
    }
}
