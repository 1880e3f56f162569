//! Who writes drafts: a model in this process, or an engine elsewhere.

use std::ops::ControlFlow;

use api::{Drawing, Slots};
use rules::{BrandRules, Format};

use crate::endpoint::EndpointError;
use crate::model::ModelError;
use crate::prompt::Prompt;
use crate::random::Random;

/// One draft to be written.
#[derive(Clone, Debug)]
pub struct Task<'a> {
    /// What the model is told.
    pub prompt: Prompt,
    /// Whose slots it fills.
    pub format: &'a Format,
    /// Words that it may not use, and words that it must.
    pub brand: &'a BrandRules,
    /// The language of the copy, as a tag such as `en`.
    pub language: &'a str,
    /// People's copy for the same placement, which it should not sound like.
    pub siblings: &'a [Slots],
    /// Its dice.
    pub random: Random,
}

/// A piece of copy as it was written, not yet judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The texts, by slot; a slot that was left empty is absent.
    pub slots: Slots,
    /// Whether every slot came to its own end, and was not cut off by a limit.
    pub finished: bool,
    /// How it was written.
    pub trace: Trace,
}

/// How a draft was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// SHA-256, in hexadecimal, of everything that the model was told.
    pub prompt_digest: String,
    /// Tokens that were written.
    pub tokens: u32,
    /// The mean logarithm of their probabilities as the model has them, before temperature, cuts and refusals; nothing
    /// where the author does not tell.
    pub log_probability: Option<f64>,
    /// The mean share of probability that was refused before each of them was drawn; nothing where the author does not
    /// tell.
    pub refused: Option<f64>,
}

/// Hears of each draft as soon as it is finished, by the place of its task; whoever has heard enough breaks off.
pub type Done<'a> = dyn FnMut(usize, Draft) -> ControlFlow<()> + 'a;

/// Writes drafts. Whatever comes back is checked by the same rules afterwards: an author is never trusted.
pub trait Author {
    /// What identifies the model: `sha256:` and the digest of its weights, or `endpoint:` and a name.
    fn model_digest(&self) -> &str;

    /// What identifies the adapter that is merged into the model: `sha256:` and the digest of its files; nothing where
    /// there is none, or nobody knows.
    fn adapter_digest(&self) -> Option<&str>;

    /// In which form it keeps the weights; nothing where it does not know.
    fn quantization(&self) -> Option<&str>;

    /// How it draws tokens; nothing where it does not know all of it.
    fn drawing(&self) -> Option<Drawing>;

    /// Writes one draft for each task, in any order, and gives each to `done` once.
    ///
    /// # Errors
    /// When no draft can be written any more. Drafts that were given to `done` before stay given.
    fn write(&self, tasks: Vec<Task<'_>>, done: &mut Done<'_>) -> Result<(), AuthorError>;
}

/// Why an author cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AuthorError {
    /// The model in this process can't.
    #[error("the model could not write")]
    Model(#[from] ModelError),
    /// The engine elsewhere can't.
    #[error("the endpoint could not write")]
    Endpoint(#[from] EndpointError),
}
