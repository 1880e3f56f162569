//! The metadata of a GGUF file.

use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};

use super::rope::{Scaling, rotary};
use super::{Architecture, bounded_layers, bounded_width};
use crate::EngineError;
use crate::cpu::Pairing;

/// `factors` divide the frequencies: the tensor `rope_freqs.weight`, where the file has one.
pub(super) fn read(
    content: &Content,
    factors: Option<&[f32]>,
    path: &Path,
) -> Result<Architecture, EngineError> {
    let metadata = Metadata { content, path, family: String::new() };
    let family = metadata.text("general.architecture")?;
    let pairing = match family.as_str() {
        "llama" => Pairing::Neighbours,
        "qwen2" | "qwen3" => Pairing::Halves,
        _ => return Err(EngineError::Family(family)),
    };
    Metadata { family, ..metadata }.shape(factors, pairing)
}

struct Metadata<'a> {
    content: &'a Content,
    path: &'a Path,
    family: String,
}

impl Metadata<'_> {
    fn shape(&self, factors: Option<&[f32]>, pairing: Pairing) -> Result<Architecture, EngineError> {
        let hidden = bounded_width("hidden size", self.count("embedding_length")?)?;
        let heads = bounded_width("number of heads", self.count("attention.head_count")?)?;
        let head_width = self.perhaps_count("attention.key_length").unwrap_or(hidden / heads.max(1));
        let head_width = bounded_width("head size", head_width)?;
        let (layers, positions) =
            (bounded_layers(self.count("block_count")?)?, self.count("context_length")?);
        let theta = self.number("rope.freq_base").unwrap_or(10_000.0);
        let mut rotary = rotary(theta, head_width, positions, &self.scaling(), pairing)?;
        if let Some(factors) = factors {
            rotary.frequencies.iter_mut().zip(factors).for_each(|(frequency, factor)| *frequency /= factor);
        }
        let window = self.perhaps_count("attention.sliding_window");
        Ok(Architecture {
            vocabulary: self.vocabulary()?,
            hidden,
            feed_forward: bounded_width("feed-forward size", self.count("feed_forward_length")?)?,
            layers,
            heads,
            key_heads: self.perhaps_count("attention.head_count_kv").unwrap_or(heads),
            head_width,
            positions,
            norm_epsilon: self.number("attention.layer_norm_rms_epsilon").unwrap_or(1e-6) as f32,
            rotary,
            windows: vec![window; layers],
            tied: None,
        })
    }

    fn scaling(&self) -> Scaling {
        Scaling {
            rope_type: self.get("rope.scaling.type").and_then(|it| it.to_string().ok().cloned()),
            factor: self.number("rope.scaling.factor"),
            original_max_position_embeddings: self.number("rope.scaling.original_context_length"),
            ..Scaling::default()
        }
    }

    /// As many tokens as there are embeddings: some files pad them beyond the tokenizer's.
    fn vocabulary(&self) -> Result<usize, EngineError> {
        let embeddings = self.content.tensor_infos.get("token_embd.weight");
        let rows = embeddings.and_then(|it| it.shape.dims().first().copied());
        rows.ok_or_else(|| self.missing("token_embd.weight"))
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.content.metadata.get(&format!("{}.{key}", self.family))
    }

    fn text(&self, key: &str) -> Result<String, EngineError> {
        let value = self.content.metadata.get(key).and_then(|it| it.to_string().ok().cloned());
        value.ok_or_else(|| self.missing(key))
    }

    fn count(&self, key: &str) -> Result<usize, EngineError> {
        self.perhaps_count(key).ok_or_else(|| self.missing(&format!("{}.{key}", self.family)))
    }

    fn perhaps_count(&self, key: &str) -> Option<usize> {
        let value = self.get(key)?;
        let count = value.to_u64().or_else(|_| value.to_u32().map(u64::from));
        count.ok().and_then(|count| usize::try_from(count).ok())
    }

    fn number(&self, key: &str) -> Option<f64> {
        let value = self.get(key)?;
        let number = value.to_f32().map(f64::from).or_else(|_| value.to_f64());
        number.ok().or_else(|| self.perhaps_count(key).map(|count| count as f64))
    }

    fn missing(&self, key: &str) -> EngineError {
        EngineError::Malformed { path: self.path.to_owned(), what: format!("it has no {key}") }
    }
}
