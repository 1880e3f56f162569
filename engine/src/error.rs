//! Why a model cannot be read, or cannot go on.

use std::path::PathBuf;

use crate::stock::{KNOWN, KNOWN_GGUF};

/// Why a model cannot be read, or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A file is not there or cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{} is not what its name says ({what}): fetch the model again", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file ends before what it promises.
    #[error("{} has {found} bytes and promises {expected}: fetch the model again", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes that its header promises.
        expected: u64,
        /// Bytes that there are.
        found: u64,
    },
    /// The model is of a family that this engine does not know.
    #[error(
        "the model is of the family {0:?}: this engine knows llama, mistral, qwen2 and qwen3, and through candle's modules \
         {known}, and {gguf} as GGUF",
        known = KNOWN.join(", "), gguf = KNOWN_GGUF.join(", ")
    )]
    Family(String),
    /// A module of candle's cannot read the model, or cannot go on.
    #[error("candle's module for the family {family:?} cannot read the model")]
    Stock {
        /// The family.
        family: &'static str,
        /// What it said.
        source: candle_core::Error,
    },
    /// The model is of a family that this engine knows, with a feature that it does not.
    #[error("the model's {field} is {found}: this engine takes {known}")]
    Unsupported {
        /// The field of the configuration.
        field: &'static str,
        /// What it says.
        found: String,
        /// What would do.
        known: &'static str,
    },
    /// The configuration speaks of a weight that is missing or has another shape.
    #[error(
        "the weight {name} is missing or not of shape {shape:?}: configuration and weights belong to two models"
    )]
    Weight {
        /// The weight's name.
        name: String,
        /// The shape that the configuration gives it.
        shape: Vec<usize>,
    },
    /// A text would become longer than the model's positions.
    #[error("the text has {found} tokens and the model {positions} positions: shorten it")]
    TooLong {
        /// Tokens that the text would have.
        found: usize,
        /// Positions of the model.
        positions: usize,
    },
    /// A token is none of the vocabulary.
    #[error(
        "the token {token} is none of the model's {vocabulary}: tokenizer and weights belong to two models"
    )]
    Token {
        /// The token.
        token: u32,
        /// How many there are.
        vocabulary: usize,
    },
    /// A tensor operation failed.
    #[error("the arithmetic failed")]
    Arithmetic(#[from] candle_core::Error),
}
