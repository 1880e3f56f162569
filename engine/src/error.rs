//! Why a model cannot be read, or cannot go on.

use std::path::PathBuf;

use crate::families::{OWN, STOCK, STOCK_GGUF};

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
        "the model is of the family {0:?}: this engine knows {own}, through candle's modules {stock}, and {gguf} as GGUF",
        own = OWN.join(", "), stock = STOCK.join(", "), gguf = STOCK_GGUF.join(", ")
    )]
    Family(String),
    /// The model can be run, but only by candle's module for its family, so its sizes are not read here.
    #[error(
        "models of the family {0:?} are run by candle's module for it, whose memory and speed can't be worked out beforehand: try it, or choose one of the families {own}",
        own = OWN.join(", ")
    )]
    NotOurs(String),
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
    /// The model has a weight that its family has not.
    #[error(
        "the weight {name} is none that the family has: the model does more than this engine reckons; take another, or an \
         endpoint"
    )]
    Extra {
        /// The weight's name.
        name: String,
    },
    /// An adapter does more than plain LoRA.
    #[error(
        "the adapter's {field} is {found}: only plain LoRA is merged here; merge it with peft's merge_and_unload, and take \
         the model that comes out"
    )]
    Adapter {
        /// The field of `adapter_config.json`.
        field: String,
        /// What it says.
        found: String,
    },
    /// A tensor of an adapter is no part of a matrix that the model has.
    #[error(
        "the adapter's tensor {name} is no update of a matrix that the model reads: take the model that it was trained on, \
         or merge it with peft's merge_and_unload, and take the model that comes out"
    )]
    AdapterTensor {
        /// The tensor's name.
        name: String,
    },
    /// A tensor of an adapter has another shape than the model's matrix asks for.
    #[error(
        "the adapter's tensor {name} has the shape {found:?} and the model asks for {wanted:?}: take the model that it \
         was trained on"
    )]
    AdapterShape {
        /// The tensor's name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
        /// What its configuration and the model's matrix ask for.
        wanted: Vec<usize>,
    },
    /// Adapters are merged into safetensors alone.
    #[error(
        "an adapter can't be merged into {}: take the model as safetensors, or a GGUF file with the adapter merged in",
        path.display()
    )]
    AdapterOfGguf {
        /// The GGUF file.
        path: PathBuf,
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
    /// This build reckons on the CPU alone.
    #[error("this build has no CUDA: take --device cpu, or the image that is built for GPUs")]
    NoCuda,
    /// There is no device, or it does not answer.
    #[error("no CUDA device can be opened: give the pod one (nvidia.com/gpu: 1), or take --device cpu")]
    Device {
        /// What the driver said.
        source: candle_core::Error,
    },
    /// The device is older than the one that was compiled for.
    #[error(
        "this build is for compute capability {compiled} and the device has {present}: build with CUDA_COMPUTE_CAP of the \
         device, or take a newer one"
    )]
    Capability {
        /// What was compiled for.
        compiled: String,
        /// What the device has.
        present: String,
    },
    /// The device's memory is full.
    #[error("the device has no memory left: lower --rows, or take a smaller model or a larger device")]
    OutOfMemory {
        /// What the driver said.
        source: candle_core::Error,
    },
    /// A tensor operation failed.
    #[error("the arithmetic failed")]
    Arithmetic(#[source] candle_core::Error),
}

impl EngineError {
    pub(crate) fn stock(family: &'static str, source: candle_core::Error) -> Self {
        if is_out_of_memory(&source) { Self::OutOfMemory { source } } else { Self::Stock { family, source } }
    }
}

impl From<candle_core::Error> for EngineError {
    fn from(source: candle_core::Error) -> Self {
        if is_out_of_memory(&source) { Self::OutOfMemory { source } } else { Self::Arithmetic(source) }
    }
}

/// The driver's code stands in the text alone: the type behind it is known only to builds with CUDA.
fn is_out_of_memory(error: &candle_core::Error) -> bool {
    let text = error.to_string();
    ["CUDA_ERROR_OUT_OF_MEMORY", "CUBLAS_STATUS_ALLOC_FAILED"].iter().any(|code| text.contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_device_is_told_from_arithmetic_that_fails() {
        let error = |text: &str| EngineError::from(candle_core::Error::Msg(text.to_owned())).to_string();
        let full = "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")";
        assert!(error(full).contains("lower --rows"), "{}", error(full));
        assert_eq!(error("shapes differ"), "the arithmetic failed");
    }
}
