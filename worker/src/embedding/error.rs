//! Why a folder is no embedder.

use std::path::PathBuf;

use engine::EngineError;

use crate::model::ModelError;
use crate::tokens::TokensError;

/// Why an embedder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EmbedderError {
    /// A file is missing or not what its name says, or the arithmetic fails.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model is of a family that is not read for this.
    #[error(
        "the model_type is {0:?}: bert and xlm-roberta are read as embedders, such as all-MiniLM-L6-v2 and multilingual-e5-small"
    )]
    Family(String),
    /// Something stands behind the model that changes its vectors.
    #[error("{} lists {kind}: of embedders Transformer, Pooling and Normalize are read", path.display())]
    Module {
        /// The file.
        path: PathBuf,
        /// What it lists.
        kind: String,
    },
    /// The vectors of tokens become that of a text in another way.
    #[error("{} pools by {found}: mean and cls are read", path.display())]
    Pooling {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The model gives infinity, or no number at all.
    #[error("the embedder gives numbers that are none: its weights are damaged, or overflow")]
    NotFinite,
}

impl From<EngineError> for EmbedderError {
    fn from(error: EngineError) -> Self {
        Self::Model(error.into())
    }
}

impl From<TokensError> for EmbedderError {
    fn from(error: TokensError) -> Self {
        Self::Model(error.into())
    }
}
