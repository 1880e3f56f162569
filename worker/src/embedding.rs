//! What a text means, as a direction: `--embedder`.
//!
//! ```text
//! folder ─▶ Layout (pooling, bounds) ─┐
//!           tokenizer, weights ───────┴─▶ Embedder ── embed ──▶ Embedding ── cosine ──▶ how alike two texts are
//! ```
//!
//! Models are those that sentence-transformers publishes, of the families BERT (all-MiniLM, bge, e5) and XLM-RoBERTa
//! (multilingual-e5, bge-m3's dense form), and they give the vectors that sentence-transformers gives:
//! `tests/embedding.rs` holds them to that.

mod encoder;
mod error;
mod layout;

use std::path::Path;

use api::model_files::{CONFIG, TOKENIZER};
use engine::Weights;
use rayon::prelude::*;
use tokenizers::{Tokenizer, TruncationParams};

pub use error::EmbedderError;

use crate::model::{self, ModelError};
use crate::tokens::TokensError;
use encoder::Encoder;
use layout::{Layout, Letters, Pooling};

/// Says what texts mean.
pub trait Embed: Sync {
    /// What identifies the model: `sha256:` and the digest of its weights.
    fn digest(&self) -> &str;

    /// The meaning of each text, in their order. It depends on the text alone, and on none of the others.
    ///
    /// # Errors
    /// When the model gives what is no direction, or its arithmetic fails.
    fn embed(&self, texts: &[String]) -> Result<Vec<Embedding>, EmbedderError>;
}

/// The meaning of a text: a vector of length one.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// Takes the direction of a vector; a vector of zeros has none, and stays.
    ///
    /// # Errors
    /// When a number is not finite.
    pub fn new(vector: Vec<f32>) -> Result<Self, EmbedderError> {
        let length = vector.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Err(EmbedderError::NotFinite);
        }
        // The bound is that of torch's normalize.
        let scale = 1.0 / length.max(1e-12);
        Ok(Self(vector.into_iter().map(|it| (f64::from(it) * scale) as f32).collect()))
    }

    /// The cosine of the angle between two meanings of one model, from -1 to 1 but for rounding.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f64 {
        self.0.iter().zip(&other.0).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    }

    /// The numbers.
    #[must_use]
    pub fn numbers(&self) -> &[f32] {
        &self.0
    }
}

/// A loaded model. Embedding changes nothing in it.
pub struct Embedder {
    encoder: Encoder,
    tokenizer: Tokenizer,
    layout: Layout,
    digest: String,
}

impl Embedder {
    /// Reads a model's folder, onto the CPU: copy is short, and a GPU has its hands full with writing it.
    ///
    /// # Errors
    /// When a file is missing or not what its name says, or the model is of a kind that is not read.
    pub fn open(folder: &Path) -> Result<Self, EmbedderError> {
        let plan = encoder::Plan::open(&folder.join(CONFIG))?;
        let layout = Layout::open(folder)?;
        let tokenizer = tokenizer(&folder.join(TOKENIZER), layout.limit.min(plan.positions()))?;
        let weights = Weights::of_folder(folder).map_err(ModelError::from)?;
        let encoder = plan.load(&weights)?;
        Ok(Self { encoder, tokenizer, layout, digest: model::digest(weights.files())? })
    }

    fn embed_one(&self, text: &str) -> Result<Embedding, EmbedderError> {
        let states = self.encoder.states(&self.tokens(text)?)?;
        let pooled = match self.layout.pooling {
            Pooling::Mean => states.mean(0),
            Pooling::First => states.get(0),
        };
        Embedding::new(pooled.and_then(|it| it.to_vec1()).map_err(encoder::failed)?)
    }

    fn tokens(&self, text: &str) -> Result<Vec<u32>, EmbedderError> {
        let text = format!("{}{text}", self.layout.prefix);
        let text = if self.layout.letters == Letters::Small { text.to_lowercase() } else { text };
        let encoding =
            self.tokenizer.encode_fast(text, true).map_err(|error| TokensError::Text(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }
}

impl Embed for Embedder {
    fn digest(&self) -> &str {
        &self.digest
    }

    /// Each text by itself and all at once. Padded into one tensor they would be little quicker, since copy is short, and
    /// a text's last bits would depend on its company: a run that goes on after a restart might choose otherwise.
    fn embed(&self, texts: &[String]) -> Result<Vec<Embedding>, EmbedderError> {
        texts.par_iter().map(|text| self.embed_one(text)).collect()
    }
}

/// Bounds that stand in the file are those of whoever saved it last, and not the model's.
fn tokenizer(path: &Path, most: usize) -> Result<Tokenizer, EmbedderError> {
    std::fs::metadata(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    let unread = |error: tokenizers::Error| TokensError::Read(error.to_string());
    let mut tokenizer = Tokenizer::from_file(path).map_err(unread)?;
    tokenizer.with_padding(None);
    let bound = TruncationParams { max_length: most, ..TruncationParams::default() };
    tokenizer.with_truncation(Some(bound)).map_err(unread)?;
    Ok(tokenizer)
}
