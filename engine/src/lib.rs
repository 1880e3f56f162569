//! Decoders that write many texts at once: tokens in, logits out.
//!
//! ```text
//! folder or .gguf ─▶ Shape, Weights ─▶ Decoder
//!
//! Text ◀─ tokens of the prompt, read once
//!  ├─ Text::after ◀─ tokens of one variant
//!  └─ Text::after ◀─ tokens of another, at its own length and pace
//! ```
//!
//! A step takes any number of texts and for each the tokens that come next; the weights are read once for all of them,
//! and so are the keys and values of what they share.
//!
//! The families Llama, Mistral, Qwen2 and Qwen3 differ in a few features alone, which [`Shape`] and the weights that are
//! present tell; there is one decoder for all.
//!
//! The crate refuses to know what is written, for whom, and how the next token is chosen.

pub mod cpu;
mod decoder;
mod error;
mod prompts;
mod shape;
mod text;
mod weights;

pub use decoder::{Decoder, Input, Logits};
pub use error::EngineError;
pub use prompts::{Begun, begin};
pub use shape::Shape;
pub use text::Text;
pub use weights::Weights;
