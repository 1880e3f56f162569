//! Handbill as a GGUF file, for engines that read nothing else: its weights, its tokenizer, and a chat template that
//! turns our messages into the form that it was trained on.
//!
//! Handbill ends a line where JSON ends a string. So the two tokens, the line's end and the quotation mark, change
//! names: the model sees and writes what it always did, and an engine that holds it to JSON reads strings that end.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Tensor};
use serde_json::Value as Json;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/handbill");

/// The lines of a user message that Handbill knows, in its order and under its names.
const TEMPLATE: &str = r#"{%- set lines = messages[-1].content.split('\n') -%}
{{- bos_token -}}
{%- for key, name in [('Format', 'format'), ('tone', 'tone'), ('product', 'product'), ('audience', 'audience'), ('offer', 'offer'), ('facts', 'fact'), ('call to action', 'action')] -%}
{%- for line in lines if line.startswith(key ~ ': ') -%}
{%- set value = line[key|length + 2:] -%}
{%- set value = value.split('.')[0] if key == 'Format' else value.strip('"') -%}
{%- for one in value.split('", "') -%}
{{- name ~ ': ' ~ one ~ '"' -}}
{%- endfor -%}
{%- endfor -%}
{%- endfor -%}"#;

/// Writes the file.
pub(crate) fn write(path: &Path) {
    let config = json("config.json");
    let number = |name: &str| config[name].as_u64().expect(name) as u32;
    let float = |name: &str| config[name].as_f64().expect(name) as f32;
    let heads = number("num_attention_heads");
    let mut metadata = vec![
        ("general.architecture", Value::String("llama".into())),
        ("llama.context_length", Value::U32(number("max_position_embeddings"))),
        ("llama.embedding_length", Value::U32(number("hidden_size"))),
        ("llama.block_count", Value::U32(number("num_hidden_layers"))),
        ("llama.feed_forward_length", Value::U32(number("intermediate_size"))),
        ("llama.attention.head_count", Value::U32(heads)),
        ("llama.attention.head_count_kv", Value::U32(number("num_key_value_heads"))),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(float("rms_norm_eps"))),
        ("llama.rope.freq_base", Value::F32(float("rope_theta"))),
        ("llama.rope.dimension_count", Value::U32(number("hidden_size") / heads)),
    ];
    metadata.extend(tokenizer(&json("tokenizer.json")));
    let tensors = tensors(heads as usize);
    let metadata: Vec<_> = metadata.iter().map(|(name, value)| (*name, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    gguf_file::write(&mut File::create(path).expect("a file"), &metadata, &tensors).expect("written");
}

fn json(name: &str) -> Json {
    let text = std::fs::read_to_string(Path::new(FOLDER).join(name)).expect("the shipped model is complete");
    serde_json::from_str(&text).expect("JSON")
}

/// A byte-level BPE, as GGUF has GPT-2's.
fn tokenizer(tokenizer: &Json) -> Vec<(&'static str, Value)> {
    let vocabulary = tokenizer["model"]["vocab"].as_object().expect("a vocabulary");
    let tokens: BTreeMap<u64, &String> =
        vocabulary.iter().map(|(text, id)| (id.as_u64().expect("an id"), text)).collect();
    let named = |text: &str| match text {
        "Ċ" => "\"".to_owned(),
        "\"" => "Ċ".to_owned(),
        other => other.to_owned(),
    };
    let special = |text: &str| ["<s>", "</s>"].contains(&text);
    // Kinds of tokens, by llama.h: 1 is text, 3 steers.
    let kinds = tokens.values().map(|text| Value::I32(if special(text) { 3 } else { 1 })).collect();
    let merges = tokenizer["model"]["merges"].as_array().expect("merges");
    let merge = |pair: &Json| {
        let part = |at: usize| pair[at].as_str().expect("a part");
        Value::String(format!("{} {}", part(0), part(1)))
    };
    vec![
        ("tokenizer.ggml.model", Value::String("gpt2".into())),
        ("tokenizer.ggml.pre", Value::String("gpt-2".into())),
        ("tokenizer.ggml.tokens", Value::Array(tokens.values().map(|it| Value::String(named(it))).collect())),
        ("tokenizer.ggml.token_type", Value::Array(kinds)),
        ("tokenizer.ggml.merges", Value::Array(merges.iter().map(merge).collect())),
        ("tokenizer.ggml.bos_token_id", Value::U32(0)),
        ("tokenizer.ggml.eos_token_id", Value::U32(1)),
        ("tokenizer.chat_template", Value::String(TEMPLATE.into())),
    ]
}

fn tensors(heads: usize) -> Vec<(String, QTensor)> {
    let path = Path::new(FOLDER).join("model.safetensors");
    let read = candle_core::safetensors::load(path, &Device::Cpu).expect("the shipped model is complete");
    let converted = read.iter().map(|(name, tensor)| {
        let tensor = tensor.to_dtype(DType::F32).expect("halves are floats");
        let turned = name.contains("q_proj") || name.contains("k_proj");
        let tensor = if turned { interleaved(&tensor, heads) } else { tensor };
        (renamed(name), QTensor::quantize(&tensor, GgmlDType::F32).expect("kept as it is"))
    });
    converted.collect()
}

/// llama.cpp turns neighbors of a head against each other, Hugging Face the one half against the other.
fn interleaved(tensor: &Tensor, heads: usize) -> Tensor {
    let (rows, columns) = tensor.dims2().expect("a matrix");
    let halves = tensor.reshape((heads, 2, rows / heads / 2, columns)).expect("halves of heads");
    let pairs = halves.transpose(1, 2).and_then(|it| it.contiguous()).expect("pairs");
    pairs.reshape((rows, columns)).expect("as many as before")
}

fn renamed(name: &str) -> String {
    let parts = [
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("model.layers.", "blk."),
        ("self_attn.q_proj", "attn_q"),
        ("self_attn.k_proj", "attn_k"),
        ("self_attn.v_proj", "attn_v"),
        ("self_attn.o_proj", "attn_output"),
        ("mlp.gate_proj", "ffn_gate"),
        ("mlp.up_proj", "ffn_up"),
        ("mlp.down_proj", "ffn_down"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
    ];
    parts.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}
