//! One piece of copy: what is asked for, and what was written.

use api::Slots;
use rules::{BrandRules, Format};

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
