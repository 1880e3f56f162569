//! `config.json`, by the names of Hugging Face.

use std::path::Path;

use serde::Deserialize;

use super::rope::{Scaling, rotary};
use super::{Architecture, bounded_layers, bounded_width};
use crate::EngineError;
use crate::cpu::Pairing;
use crate::families::{OWN, STOCK};

#[derive(Debug, Deserialize)]
struct Config {
    model_type: String,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "small")]
    rms_norm_eps: f64,
    hidden_act: Option<String>,
    rope_theta: Option<f64>,
    rope_scaling: Option<Scaling>,
    rope_parameters: Option<Scaling>,
    sliding_window: Option<usize>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<String>>,
    tie_word_embeddings: Option<bool>,
}

fn small() -> f64 {
    1e-6
}

/// The one field that every configuration has.
#[derive(Debug, Deserialize)]
struct Kind {
    model_type: String,
}

pub(super) fn read(json: &[u8], path: &Path) -> Result<Architecture, EngineError> {
    let malformed =
        |error: serde_json::Error| EngineError::Malformed { path: path.to_owned(), what: error.to_string() };
    let Kind { model_type } = serde_json::from_slice(json).map_err(malformed)?;
    if !OWN.contains(&model_type.as_str()) {
        let known = STOCK.contains(&model_type.as_str());
        return Err(if known { EngineError::NotOurs(model_type) } else { EngineError::Family(model_type) });
    }
    serde_json::from_slice::<Config>(json).map_err(malformed)?.shape()
}

impl Config {
    fn shape(&self) -> Result<Architecture, EngineError> {
        self.check_activation()?;
        let (heads, layers) = (self.num_attention_heads, bounded_layers(self.num_hidden_layers)?);
        let hidden = bounded_width("hidden size", self.hidden_size)?;
        let head_width = bounded_width("head size", self.head_dim.unwrap_or(hidden / heads.max(1)))?;
        let heads = bounded_width("number of heads", heads)?;
        let scaling = self.rope_parameters.clone().or_else(|| self.rope_scaling.clone()).unwrap_or_default();
        let theta = scaling.rope_theta.or(self.rope_theta).unwrap_or(10_000.0);
        let positions = self.max_position_embeddings;
        Ok(Architecture {
            vocabulary: self.vocab_size,
            hidden,
            feed_forward: bounded_width("feed-forward size", self.intermediate_size)?,
            layers,
            heads,
            key_heads: self.num_key_value_heads.unwrap_or(heads),
            head_width,
            positions,
            norm_epsilon: self.rms_norm_eps as f32,
            rotary: rotary(theta, head_width, positions, &scaling, Pairing::Halves)?,
            windows: (0..layers).map(|layer| self.window(layer)).collect(),
            tied: self.tie_word_embeddings,
        })
    }

    fn check_activation(&self) -> Result<(), EngineError> {
        match self.hidden_act.as_deref() {
            None | Some("silu") => Ok(()),
            Some(other) => Err(EngineError::Unsupported {
                field: "activation",
                found: format!("{other:?}"),
                known: "\"silu\"",
            }),
        }
    }

    /// Mistral has a window in every layer; the Qwens have one only where they say so, from some layer on.
    fn window(&self, layer: usize) -> Option<usize> {
        let slides = match (&self.layer_types, self.model_type.as_str()) {
            (Some(types), _) => types.get(layer).is_some_and(|kind| kind == "sliding_attention"),
            (None, "mistral") => true,
            (None, "qwen2" | "qwen3") => {
                self.use_sliding_window == Some(true)
                    && self.max_window_layers.is_some_and(|first| layer >= first)
            }
            (None, _) => false,
        };
        self.sliding_window.filter(|_| slides)
    }
}
