//! A model that writes: a folder in the layout of Hugging Face, read by candle's own Llama.

use std::fs;
use std::path::{Path, PathBuf};

use api::name::hex;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::llama::{Cache, Config, Llama, LlamaConfig};
use safetensors::SafeTensors;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::folder::{Advice, CONFIG, GENERATION, Sampling, TOKENIZER, WEIGHTS};
use crate::random::Random;
use crate::sample::sample;
use crate::tokens::{Tokens, TokensError};

/// Why a model cannot write.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the folder is not there or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the folder is not what its name says.
    #[error("{} is not what its name says", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The model is of a kind that this worker cannot run.
    #[error("the model's type is {0:?}: this worker runs models of type \"llama\"")]
    Type(String),
    /// The weights cannot be read.
    #[error("the model's weights cannot be read")]
    Weights(#[from] safetensors::SafeTensorError),
    /// The configuration speaks of a weight that is missing or has another shape.
    #[error(
        "the weight {name} is missing or not of shape {shape:?}: config.json and weights belong to two models"
    )]
    Weight {
        /// The weight's name.
        name: String,
        /// The shape that the configuration gives it.
        shape: Vec<usize>,
    },
    /// The heads do not divide the model's width.
    #[error(
        "config.json gives width {hidden} to {heads} heads with {key_heads} heads of keys, which do not divide each \
         other into even parts: take the config.json that belongs to the weights"
    )]
    Heads {
        /// Width of the model.
        hidden: usize,
        /// Heads of attention.
        heads: usize,
        /// Heads of keys and values.
        key_heads: usize,
    },
    /// The tokenizer cannot be used.
    #[error("the model's tokenizer cannot be used")]
    Tokens(#[from] TokensError),
    /// The prompt does not fit.
    #[error(
        "the prompt has {found} tokens and the model {positions} positions: shorten spec.rules.required or the brief"
    )]
    TooLong {
        /// Tokens of the prompt.
        found: usize,
        /// Positions of the model.
        positions: usize,
    },
    /// The model weighs a token with infinity or no number at all, so none can be drawn.
    #[error("the model's logits are not finite: its weights are broken, fetch or train the model again")]
    NotFinite,
    /// A tensor operation failed.
    #[error("the arithmetic failed")]
    Arithmetic(#[from] candle_core::Error),
}

/// A loaded model. Writing changes nothing in it: each text has a [`Session`] of its own.
#[derive(Debug)]
pub struct Model {
    llama: Llama,
    positions: usize,
    cache: Cache,
    tokens: Tokens,
    advice: Advice,
    digest: String,
}

impl Model {
    /// Reads a model folder and checks that its parts belong together.
    ///
    /// # Errors
    /// When a file is missing or not what its name says, or the model is of a kind that this worker cannot run.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let kind: Kind = read_json(&folder.join(CONFIG))?;
        if kind.model_type != "llama" {
            return Err(ModelError::Type(kind.model_type));
        }
        let config = read_json::<LlamaConfig>(&folder.join(CONFIG))?.into_config(false);
        let advice = folder.join(GENERATION);
        let advice = if advice.exists() { read_json(&advice)? } else { Advice::default() };
        check_heads(&config)?;
        let weights = read(&folder.join(WEIGHTS))?;
        check_weights(&weights, &config)?;
        let digest = hex(&Sha256::digest(&weights));
        // Read into memory and not mapped: a mapping is `unsafe`, and a folder that changes under it changes the copy.
        let builder = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        Ok(Self {
            llama: Llama::load(builder, &config)?,
            positions: config.max_position_embeddings,
            cache: Cache::new(true, DType::F32, &config, &Device::Cpu)?,
            tokens: Tokens::open(&folder.join(TOKENIZER))?,
            advice,
            digest,
        })
    }

    /// SHA-256 of the weights, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// How its makers advise to sample.
    #[must_use]
    pub fn sampling(&self) -> Sampling {
        self.advice.sampling
    }

    /// The languages that it writes, as primary tags; empty where its makers do not say.
    #[must_use]
    pub fn languages(&self) -> &[String] {
        &self.advice.languages
    }

    /// Begins a text.
    ///
    /// # Errors
    /// [`ModelError::TooLong`] when `head` does not fit into the model's positions, [`ModelError::NotFinite`] when the
    /// weights are broken.
    pub fn begin(&self, head: &str) -> Result<Session<'_>, ModelError> {
        let mut session = Session { model: self, cache: self.cache.clone(), position: 0, logits: Vec::new() };
        session.read_tokens(&[self.tokens.opening()])?;
        session.read_tokens(&self.tokens.encode(head)?)?;
        Ok(session)
    }
}

/// A text that grows.
#[derive(Debug)]
pub struct Session<'m> {
    model: &'m Model,
    cache: Cache,
    position: usize,
    logits: Vec<f32>,
}

/// What was written up to the end of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// The text, without outer white space.
    pub text: String,
    /// Whether the model ended it itself; otherwise it met the limit, or the text had no room left.
    pub finished: bool,
}

impl Session<'_> {
    /// Puts `cue` behind what stands there, writes on to the end of the line, at most `limit` tokens of it, and puts the
    /// line's end behind it.
    ///
    /// A text that runs out of positions is no error, since another draft may be shorter: the line is then unfinished,
    /// and empty where not even its cue has room.
    ///
    /// # Errors
    /// When the weights are broken, or the tokenizer or the arithmetic fails; never [`ModelError::TooLong`].
    pub fn write_line(
        &mut self,
        cue: &str,
        limit: usize,
        sampling: Sampling,
        random: &mut Random,
    ) -> Result<Line, ModelError> {
        let tokens = &self.model.tokens;
        let cue = tokens.encode(cue)?;
        // One position is kept for the line's end.
        let Some(room) = self.room().checked_sub(cue.len() + 1) else { return Ok(Line::default()) };
        self.read_tokens(&cue)?;
        let ends = [tokens.line_break(), tokens.closing(), tokens.opening()];
        let mut written = Vec::new();
        let mut finished = false;
        while !finished && written.len() < limit.min(room) {
            let token = sample(&self.logits, sampling, random);
            finished = ends.contains(&token);
            if !finished {
                written.push(token);
                self.read_tokens(&[token])?;
            }
        }
        self.read_tokens(&[tokens.line_break()])?;
        Ok(Line { text: tokens.decode(&written)?.trim().to_owned(), finished })
    }

    /// Positions that are still free.
    fn room(&self) -> usize {
        self.model.positions - self.position
    }

    fn read_tokens(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        let (found, positions) = (self.position + tokens.len(), self.model.positions);
        if found > positions {
            return Err(ModelError::TooLong { found, positions });
        }
        if !tokens.is_empty() {
            let input = Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0)?;
            let logits = self.model.llama.forward(&input, self.position, &mut self.cache)?;
            self.logits = finite(logits.flatten_all()?.to_vec1()?)?;
            self.position = found;
        }
        Ok(())
    }
}

#[derive(Debug, Deserialize)]
struct Kind {
    #[serde(default)]
    model_type: String,
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    fs::read(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ModelError> {
    serde_json::from_slice(&read(path)?).map_err(|source| ModelError::Parse { path: path.to_owned(), source })
}

/// Weights that hold infinity or no number pass it on to every logit, and among such logits none is the highest.
fn finite(logits: Vec<f32>) -> Result<Vec<f32>, ModelError> {
    if logits.iter().all(|it| it.is_finite()) { Ok(logits) } else { Err(ModelError::NotFinite) }
}

/// Heads share the width, and query heads the key heads, without a rest; the parts are even, since rotary embedding
/// turns pairs. candle divides by both numbers without looking.
fn check_heads(config: &Config) -> Result<(), ModelError> {
    let (hidden, heads, key_heads) =
        (config.hidden_size, config.num_attention_heads, config.num_key_value_heads);
    // Nothing but zero is a multiple of zero, and a width of zero is no model.
    let fits =
        hidden > 0 && hidden.is_multiple_of(heads.saturating_mul(2)) && heads.is_multiple_of(key_heads);
    if fits { Ok(()) } else { Err(ModelError::Heads { hidden, heads, key_heads }) }
}

/// candle's loader panics on a missing weight of a block, so every weight is looked up before it is called.
fn check_weights(weights: &[u8], config: &Config) -> Result<(), ModelError> {
    let weights = SafeTensors::deserialize(weights)?;
    expected(config).into_iter().try_for_each(|(name, shape)| match weights.tensor(&name) {
        Ok(tensor) if tensor.shape() == shape => Ok(()),
        _ => Err(ModelError::Weight { name, shape }),
    })
}

/// Every weight that candle's Llama asks for, with its shape.
fn expected(config: &Config) -> Vec<(String, Vec<usize>)> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let keys = hidden / config.num_attention_heads * config.num_key_value_heads;
    let block = [
        ("input_layernorm", vec![hidden]),
        ("self_attn.q_proj", vec![hidden, hidden]),
        ("self_attn.k_proj", vec![keys, hidden]),
        ("self_attn.v_proj", vec![keys, hidden]),
        ("self_attn.o_proj", vec![hidden, hidden]),
        ("post_attention_layernorm", vec![hidden]),
        ("mlp.gate_proj", vec![inner, hidden]),
        ("mlp.up_proj", vec![inner, hidden]),
        ("mlp.down_proj", vec![hidden, inner]),
    ];
    let mut expected = vec![
        ("model.embed_tokens.weight".to_owned(), vec![config.vocab_size, hidden]),
        ("model.norm.weight".to_owned(), vec![hidden]),
    ];
    if !config.tie_word_embeddings {
        expected.push(("lm_head.weight".to_owned(), vec![config.vocab_size, hidden]));
    }
    for layer in 0..config.num_hidden_layers {
        let named =
            block.iter().map(|(name, shape)| (format!("model.layers.{layer}.{name}.weight"), shape.clone()));
        expected.extend(named);
    }
    expected
}
