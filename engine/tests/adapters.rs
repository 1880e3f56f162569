//! Holds models with a LoRA adapter to what peft writes with it, and adapters that can't be merged to a named error.
//!
//! `tests/oracles/adapters.py` made the adapters and the expected tokens.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use engine::cpu::Form;
use engine::{Decoder, Input, Place, Weights, begin};
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    prefix: Vec<u32>,
    rows: Vec<Vec<u32>>,
    adapters: BTreeMap<String, Adapted>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Adapted {
    model: String,
    next: Vec<Vec<u32>>,
    first_logits: Vec<f32>,
}

fn oracles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles")
}

fn adapter(name: &str) -> PathBuf {
    oracles().join("adapters").join(name)
}

fn expected() -> Expected {
    let text = fs::read_to_string(adapter("expected.json")).expect("the oracle's figures");
    serde_json::from_str(&text).expect("the oracle's figures are JSON")
}

fn load(model: &str, adapter: &Path, form: Form, place: Place) -> Result<Decoder, String> {
    let (weights, configuration) = Weights::open(&oracles().join(model)).expect("a model");
    let weights = weights.with_adapter(adapter).map_err(|error| error.to_string())?;
    Decoder::load_at(&weights, configuration, form, place).map_err(|error| error.to_string())
}

impl Expected {
    fn prompts(&self) -> Vec<Vec<u32>> {
        self.rows.iter().map(|row| self.prefix.iter().chain(row).copied().collect()).collect()
    }
}

fn likeliest(logits: &[f32]) -> u32 {
    let best = logits.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    u32::try_from(best.expect("a vocabulary").0).expect("few tokens")
}

/// What is written behind the prompts, all at once.
fn write(decoder: &Decoder, prompts: &[Vec<u32>], count: usize) -> Vec<Vec<u32>> {
    let mut rows = begin(decoder, prompts).expect("prompts fit");
    let mut written = vec![Vec::new(); rows.len()];
    for _ in 0..count {
        let inputs = rows.iter_mut().map(|it| Input { text: &mut it.text, tokens: &it.rest });
        let logits = decoder.read(&mut inputs.collect::<Vec<_>>()).expect("it fits");
        for (place, row) in rows.iter_mut().enumerate() {
            row.rest = vec![likeliest(&logits.row(place))];
            written[place].push(row.rest[0]);
        }
    }
    written
}

fn check_logits(decoder: &Decoder, prompt: &[u32], wanted: &[f32], name: &str) {
    let mut text = decoder.text(None);
    let logits = decoder.read(&mut [Input { text: &mut text, tokens: prompt }]).expect("it fits").row(0);
    let scale = wanted.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
    let apart = logits.iter().zip(wanted).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
    assert!(apart <= 1e-5 * scale, "{name}: {apart} of {scale}");
}

#[test]
fn every_token_is_the_one_that_peft_writes() {
    let expected = expected();
    let prompts = expected.prompts();
    for (name, adapted) in &expected.adapters {
        for place in [Place::Cpu, Place::Tensors] {
            let decoder = load(&adapted.model, &adapter(name), Form::AsStored, place).expect(name);
            let written = write(&decoder, &prompts, adapted.next[0].len());
            assert_eq!(written, adapted.next, "{name}, {place:?}");
            check_logits(&decoder, &prompts[0], &adapted.first_logits, name);
        }
    }
}

#[test]
fn a_model_with_an_adapter_takes_as_much_memory_as_without() {
    for (name, adapted) in expected().adapters.iter().filter(|(_, it)| !it.model.contains("stock")) {
        for form in [Form::AsStored, Form::Q8] {
            let decoder = load(&adapted.model, &adapter(name), form, Place::Cpu).expect(name);
            let alone = Weights::open(&oracles().join(&adapted.model)).expect("a model");
            let alone = Decoder::load(&alone.0, alone.1, form).expect("a decoder");
            assert_eq!(decoder.bytes(), alone.bytes(), "{name}");
        }
    }
}

/// A copy of an adapter with one of its fields or tensors said otherwise; both sides have as many bytes, so that the
/// header of the tensors keeps its length.
fn spoilt(name: &str, file: &str, from: &str, to: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        fs::copy(adapter(name).join(file), folder.path().join(file)).expect("copied");
    }
    let path = folder.path().join(file);
    let mut bytes = fs::read(&path).expect("readable");
    assert!(file.ends_with(".json") || from.len() == to.len(), "{from}, {to}");
    let place = bytes.windows(from.len()).position(|part| part == from.as_bytes()).expect(from);
    bytes.splice(place..place + from.len(), to.bytes());
    fs::write(path, bytes).expect("written");
    folder
}

fn check_refused(model: &str, adapter: &Path, says: &str) {
    let said = load(model, adapter, Form::AsStored, Place::Cpu).expect_err(says);
    assert!(said.contains(says), "{said:?} says nothing of {says:?}");
}

#[test]
fn an_adapter_of_another_model_is_refused_with_tensor_and_shapes() {
    let q = "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight";
    check_refused(
        "qwen3",
        &adapter("llama-scaled"),
        &format!("{q} has the shape [64, 3] and the model asks for [128, 3]"),
    );
    check_refused("stock/phi3", &adapter("llama-scaled"), "q_proj.lora_A.weight is no update of a matrix");
    // The head of this model is its embeddings, which would change with it.
    check_refused("llama-scaled", &adapter("llama"), "lm_head.lora_A.weight is no update of a matrix");
}

#[test]
fn what_can_not_be_merged_is_named() {
    let (config, weights) = ("adapter_config.json", "adapter_model.safetensors");
    for (file, from, to, says) in [
        (config, "\"use_dora\": false", "\"use_dora\": true", "the adapter's use_dora is true"),
        (config, "\"bias\": \"none\"", "\"bias\": \"all\"", "the adapter's bias is \"all\""),
        (config, "\"r\": 4", "\"r\": 8", "has the shape [4, 64] and the model asks for [8, 64]"),
        (config, "{", "[", "is not what its name says"),
        (weights, "layers.1.mlp.up_proj.lora_A", "layers.9.mlp.up_proj.lora_A", "is no update of a matrix"),
        (weights, "layers.1.mlp.up_proj.lora_A", "layers.1.mlp.up_proj.lora_C", "is no update of a matrix"),
        (weights, "layers.1.mlp.up_proj.lora_B", "layers.1.mlp.ux_proj.lora_B", "is no update of a matrix"),
    ] {
        check_refused("llama", spoilt("llama", file, from, to).path(), says);
    }
    let empty = tempfile::tempdir().expect("a folder");
    check_refused("llama", empty.path(), "cannot read");
    check_refused("llama.gguf", &adapter("llama"), "an adapter can't be merged into");
}

/// Names alone do not tell whether a decoder reads a weight: here the file has a head that the configuration leaves out.
#[test]
fn an_update_that_nothing_reads_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for entry in fs::read_dir(oracles().join("llama")).expect("the oracle's folder") {
        let path = entry.expect("a file").path();
        fs::copy(&path, folder.path().join(path.file_name().expect("a name"))).expect("copied");
    }
    let path = folder.path().join("config.json");
    let config = fs::read_to_string(&path).expect("readable");
    let tied = config.replace("\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
    assert_ne!(config, tied);
    fs::write(path, tied).expect("written");
    let model = folder.path().to_str().expect("a path in UTF-8");
    check_refused(model, &adapter("llama"), "lm_head.lora_A.weight is no update of a matrix");
}
