//! A model that writes: its decoder, its tokenizer, and its makers' advice.

mod advice;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use api::model_files::TOKENIZER;
use api::name::hex;
use engine::cpu;
use engine::{Conversation, Decoder, EngineError, NotFinite, Place, Sampling, Weights};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::form::{Form, FormError};
use crate::tokens::{Tokens, TokensError};

pub use advice::Advice;

/// Weights in the form in which the files have them.
pub const AS_STORED: &str = "as-stored";
/// Weights that were rounded to 8 bits.
pub const Q8: &str = "q8";
/// What provenance says of weights in the memory of a device, which keeps 16-bit floats.
pub const DEVICE: &str = "device";

/// Why a model cannot write.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file of the folder is not there or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the folder is not what its name says.
    #[error("{} is not what its name says", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// The tokenizer cannot be used.
    #[error("the model's tokenizer cannot be used")]
    Tokens(#[from] TokensError),
    /// There is no form in which it can be asked.
    #[error(transparent)]
    Form(#[from] FormError),
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
    #[error(transparent)]
    NotFinite(#[from] NotFinite),
    /// The engine cannot read the model, or cannot go on.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A loaded model. Writing changes nothing in it.
#[derive(Debug)]
pub struct Model {
    decoder: Decoder,
    tokens: Tokens,
    advice: Advice,
    digest: String,
    adapter_digest: Option<String>,
    conversation: Conversation,
    folder: PathBuf,
    quantization: &'static str,
}

impl Model {
    /// Reads a model folder and checks that its parts belong together.
    ///
    /// # Errors
    /// When a file is missing or not what its name says, or the model is of a kind that this worker cannot run.
    pub fn open(folder: &Path, form: cpu::Form) -> Result<Self, ModelError> {
        Self::open_at(folder, None, form, Place::Cpu)
    }

    /// The same, with the model where it is to be reckoned with, and a LoRA adapter merged into it; `form` is for the CPU.
    /// The adapter's folder is a path from the model's, or an absolute one.
    ///
    /// # Errors
    /// As [`Self::open`], when the adapter can't be merged into the model, and when the device is missing, too old for
    /// this build, or too small.
    pub fn open_at(
        folder: &Path,
        adapter: Option<&Path>,
        form: cpu::Form,
        place: Place,
    ) -> Result<Self, ModelError> {
        let (weights, configuration) = Weights::open(folder)?;
        let weights = match adapter {
            Some(adapter) => weights.with_adapter(&folder.join(adapter))?,
            None => weights,
        };
        let conversation = weights.conversation().clone();
        let mut advice = Advice::of(folder)?;
        if advice.ends.is_empty() {
            advice.ends.extend(conversation.closing);
        }
        let tokenizer = folder.join(TOKENIZER);
        // Before the weights, which take long to load.
        std::fs::metadata(&tokenizer)
            .map_err(|source| ModelError::Read { path: tokenizer.clone(), source })?;
        let decoder = Decoder::load_at(&weights, configuration, form, place)?;
        if let Some(family) = decoder.stock_family() {
            warn!(
                family,
                "each draft reads its prompt by itself: the engine has no decoder of its own for the family"
            );
        }
        let tokens = Tokens::open(&tokenizer)?;
        let adapter_digest = adapter.map(|_| digest(weights.adapter_files())).transpose()?;
        // Candle's modules keep floats as the files have them.
        let form = if decoder.stock_family().is_some() { cpu::Form::AsStored } else { form };
        let (digest, quantization) = (digest(weights.files())?, quantization(form, place));
        let folder = folder.to_owned();
        Ok(Self { decoder, tokens, advice, digest, adapter_digest, conversation, folder, quantization })
    }

    /// `sha256:` and, in hexadecimal, SHA-256 of the weights: of all their files, in the order of their names.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The same of the adapter's files, its configuration first; nothing where it has none.
    #[must_use]
    pub fn adapter_digest(&self) -> Option<&str> {
        self.adapter_digest.as_deref()
    }

    /// In which form its weights are kept, as provenance names it.
    #[must_use]
    pub fn quantization(&self) -> &str {
        self.quantization
    }

    /// The form in which it is asked for copy.
    ///
    /// # Errors
    /// When its folder has neither a chat template that can be used nor the tokens of the plain form.
    pub fn form(&self) -> Result<Form, FormError> {
        Form::of(&self.folder, &self.conversation, &self.tokens)
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

    /// The tokens with which it ends a text.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.advice.ends
    }

    /// What reads texts.
    #[must_use]
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }

    /// What turns text into tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }
}

/// Devices keep 16-bit floats, whatever was asked for.
fn quantization(form: cpu::Form, place: Place) -> &'static str {
    match (form, place) {
        (cpu::Form::AsStored, Place::Cpu) => AS_STORED,
        (cpu::Form::Q8, Place::Cpu) => Q8,
        (_, _) => DEVICE,
    }
}

/// `sha256:` and, in hexadecimal, SHA-256 of files, in their order.
pub(crate) fn digest<'a>(files: impl Iterator<Item = &'a Path>) -> Result<String, ModelError> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    for path in files {
        let unreadable = |source| ModelError::Read { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(unreadable)?;
        loop {
            match file.read(&mut buffer).map_err(unreadable)? {
                0 => break,
                count => hash.update(&buffer[..count]),
            }
        }
    }
    Ok(format!("sha256:{}", hex(&hash.finalize())))
}
