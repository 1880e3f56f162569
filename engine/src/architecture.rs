//! What a model's configuration says of its arithmetic.

mod config;
mod gguf;
mod rope;

use crate::EngineError;
use crate::cpu::{LANES, Rotary};

/// Sizes and features of a decoder; valid by construction.
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// Tokens of the vocabulary.
    pub vocabulary: usize,
    /// Width of what flows through the layers.
    pub hidden: usize,
    /// Width inside a feed-forward part.
    pub feed_forward: usize,
    /// How many layers.
    pub layers: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values, which divide `heads`.
    pub key_heads: usize,
    /// Width of a head.
    pub head_width: usize,
    /// The most tokens of a text.
    pub positions: usize,
    /// Added to a mean square before its root is taken.
    pub norm_epsilon: f32,
    /// How positions turn queries and keys.
    pub rotary: Rotary,
    /// For each layer, how many tokens one sees, itself included; all where there is nothing.
    pub windows: Vec<Option<usize>>,
    /// Whether the embeddings also give the logits; where nothing is said, whether there is no other matrix for it.
    pub tied: Option<bool>,
}

impl Architecture {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// When it is none, or of a family that is not read by a decoder of ours.
    pub fn from_config(json: &[u8], path: &std::path::Path) -> Result<Self, EngineError> {
        config::read(json, path)?.checked()
    }

    /// Reads the metadata of a GGUF file.
    pub(crate) fn from_gguf(
        content: &candle_core::quantized::gguf_file::Content,
        factors: Option<&[f32]>,
        path: &std::path::Path,
    ) -> Result<Self, EngineError> {
        gguf::read(content, factors, path)?.checked()
    }

    /// Sizes that can be reckoned with, and that divide each other as they have to.
    fn checked(self) -> Result<Self, EngineError> {
        let whole = |field, number: usize, of: usize, known| {
            let fits = number > 0 && number.is_multiple_of(of);
            fits.then_some(()).ok_or_else(|| EngineError::Unsupported {
                field,
                found: number.to_string(),
                known,
            })
        };
        whole("hidden size", self.hidden, LANES, "multiples of 16")?;
        whole("head size", self.head_width, LANES, "multiples of 16")?;
        whole("feed-forward size", self.feed_forward, LANES, "multiples of 16")?;
        whole("number of heads", self.heads, self.key_heads.max(1), "multiples of its heads of keys")?;
        whole("number of heads of keys", self.key_heads, 1, "at least one")?;
        whole("number of layers", self.layers, 1, "at least one")?;
        whole("vocabulary", self.vocabulary, 1, "at least one token")?;
        Ok(self)
    }
}

/// Refuses a size far beyond any model's, before anything is made of it.
fn bounded(
    field: &'static str,
    number: usize,
    most: usize,
    known: &'static str,
) -> Result<usize, EngineError> {
    let fits = number <= most;
    fits.then_some(number).ok_or_else(|| EngineError::Unsupported { field, found: number.to_string(), known })
}

fn bounded_layers(layers: usize) -> Result<usize, EngineError> {
    bounded("number of layers", layers, 1 << 12, "at most 4096")
}

fn bounded_width(field: &'static str, width: usize) -> Result<usize, EngineError> {
    bounded(field, width, 1 << 20, "at most 1048576")
}
