//! Writes a trained model as a folder in the layout of Hugging Face: `config.json`, `generation_config.json`,
//! `tokenizer.json`, `model.safetensors`.

use std::path::Path;

use api::model_files::{CONFIG, GENERATION, TOKENIZER, WEIGHTS};
use candle_core::{DType, Tensor};
use serde::Serialize;

use super::model::Decoder;
use super::recipe::Shape;
use crate::form::Plain;
use crate::model::Advice;
use crate::tokens::{Tokens, TokensError};

/// Why a model folder cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    /// A file cannot be written.
    #[error("cannot write the model's folder")]
    Write(#[from] std::io::Error),
    /// The weights cannot be converted or written.
    #[error("cannot write the model's weights")]
    Weights(#[from] candle_core::Error),
    /// The tokenizer cannot be written.
    #[error("cannot write the model's tokenizer")]
    Tokens(#[from] TokensError),
}

/// What `config.json` says of a model that was trained here.
#[derive(Debug, Serialize)]
struct Config {
    architectures: [&'static str; 1],
    model_type: &'static str,
    hidden_act: &'static str,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: usize,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f64,
    rope_theta: f32,
    tie_word_embeddings: bool,
    attention_bias: bool,
    mlp_bias: bool,
    bos_token_id: u32,
    eos_token_id: u32,
    torch_dtype: &'static str,
}

impl Config {
    fn new(shape: Shape, tokens: &Tokens) -> Result<Self, TokensError> {
        let Plain { opening, closing, line_break: _ } = Plain::of(tokens)?;
        Ok(Self {
            architectures: ["LlamaForCausalLM"],
            model_type: "llama",
            hidden_act: "silu",
            hidden_size: shape.hidden,
            intermediate_size: shape.feed_forward,
            num_hidden_layers: shape.layers,
            num_attention_heads: shape.heads,
            num_key_value_heads: shape.heads,
            vocab_size: tokens.vocabulary(),
            max_position_embeddings: shape.positions,
            rms_norm_eps: shape.norm_epsilon,
            rope_theta: shape.rope_theta,
            tie_word_embeddings: true,
            attention_bias: false,
            mlp_bias: false,
            bos_token_id: opening,
            eos_token_id: closing,
            torch_dtype: "float16",
        })
    }
}

/// Writes a trained model, its weights in half precision: a tiny model loses nothing by it that sampling would show,
/// and the file is half as large.
///
/// # Errors
/// When the folder cannot be made or a file not be written.
pub(super) fn save(
    folder: &Path,
    shape: Shape,
    decoder: &Decoder,
    tokens: &Tokens,
    advice: &Advice,
) -> Result<(), SaveError> {
    std::fs::create_dir_all(folder)?;
    write_json(&folder.join(CONFIG), &Config::new(shape, tokens)?)?;
    write_json(&folder.join(GENERATION), advice)?;
    tokens.save(&folder.join(TOKENIZER))?;
    let halves =
        decoder.weights().into_iter().map(|(name, var)| Ok((name, var.as_tensor().to_dtype(DType::F16)?)));
    let halves = halves.collect::<candle_core::Result<Vec<(String, Tensor)>>>()?;
    let bytes = safetensors::serialize(halves.iter().map(|(name, tensor)| (name, tensor)), None)
        .map_err(candle_core::Error::from)?;
    Ok(std::fs::write(folder.join(WEIGHTS), bytes)?)
}

fn write_json(path: &Path, value: &impl Serialize) -> std::io::Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::other)?;
    std::fs::write(path, text + "\n")
}
