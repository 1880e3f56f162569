//! Decoders that write many texts at once: tokens in, tokens out.
//!
//! ```text
//! folder or .gguf ─▶ Configuration, Weights ─▶ Decoder
//!
//! Text ◀─ tokens of the prompt, read once
//!  ├─ Text::after ◀─ tokens of one variant
//!  └─ Text::after ◀─ tokens of another, at its own length and pace
//! ```
//!
//! A step takes any number of texts and for each the tokens that come next; the weights are read once for all of them,
//! and so are the keys and values of what they share.
//!
//! The families Llama, Mistral, Qwen2 and Qwen3 differ in a few features alone, which the configuration and the weights
//! that are present tell; there is one decoder of ours for all. Other families run through the modules of
//! candle_transformers, each text by itself.
//!
//! The crate refuses to know what is written, for whom, and by which rules: who draws a token says which are allowed.

mod architecture;
mod backend;
mod configuration;
pub mod cpu;
mod decoder;
mod device;
mod error;
mod families;
mod own;
mod prompts;
mod sampling;
mod stock;
mod tensors;
mod text;
mod weights;

pub use architecture::Architecture;
pub use configuration::Configuration;
pub use decoder::{Decoder, Logits};
pub use device::Place;
pub use error::EngineError;
pub use prompts::{Begun, begin};
pub use sampling::{Drawn, NotFinite, Penalized, Sampling, draw};
pub use text::{Input, Shape, Text};
pub use weights::{Conversation, Weights};
