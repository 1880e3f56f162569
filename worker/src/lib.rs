//! Writes ad copy with a language model, and trains small ones.
//!
//! ```text
//! generate   AdCampaign ─▶ Campaign ─▶ prompt ─▶ author ─▶ draft ─▶ choice ─▶ pool ─▶ destination
//!                                         ▲      model or      │ refused
//!                                         └──── endpoint ◀─────┘
//! regenerate AdVariant, AdCampaign ─▶ the same copy, byte for byte
//! complete   raw prompt ─▶ model ─▶ text, tokens, log-probabilities
//! plan       config.json, device ─▶ memory, speed ─▶ which model, and what to ask of the cluster
//! fetch      repository ─▶ model folder
//! train      recipe ─▶ corpus ─▶ tokenizer, weights ─▶ model folder
//! ```
//!
//! Copy says what its brief says: it is checked by the channel's and the brand's rules, may hold no figure that the
//! brief does not and no name that is nearly the product's, and repeats neither people's copy nor an earlier variant, by
//! the letter or, where there is an embedder, in other words.
//! What the model could not do is reported, never filled up.
//! The same inputs and seed give the same copy, byte for byte, on the same build and device.
//!
//! The crate refuses to know where variants live (that is a [`destination::Destination`]), who approves them, and how
//! they fare.

pub mod args;
pub mod author;
pub mod backoff;
pub mod brief;
pub mod campaign;
pub mod choose;
pub mod claims;
pub mod cluster;
pub mod complete;
pub mod destination;
pub mod draft;
pub mod embedding;
pub mod endpoint;
pub mod fetch;
pub mod form;
pub mod generate;
pub mod gist;
pub mod grammar;
mod http;
pub mod likeness;
pub mod message;
pub mod meter;
pub mod model;
pub mod plan;
mod pool;
pub mod process;
pub mod progress;
pub mod prompt;
pub mod random;
pub mod regenerate;
pub mod run;
pub mod score;
pub mod share;
pub mod tokens;
pub mod train;
pub mod write;
