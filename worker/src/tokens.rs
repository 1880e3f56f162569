//! Text to tokens and back, the same way in training and in writing.
//!
//! A text is encoded in pieces (head, cue, copy, line break), since that is how it is written: the model must never see
//! in training a token that spans a border which writing keeps apart.

use std::path::Path;

use tokenizers::Tokenizer;

use crate::prompt::{CLOSING, OPENING};

/// Why a tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// The file is not there or is no tokenizer.
    #[error("cannot read the tokenizer: {0}")]
    Read(String),
    /// The tokenizer lacks a token that the prompt's form needs.
    #[error(
        "the tokenizer has no token {0:?}, which the prompt's form needs: use the model's own tokenizer.json"
    )]
    Missing(&'static str),
    /// A text could not be encoded or decoded.
    #[error("the tokenizer failed: {0}")]
    Text(String),
}

/// A tokenizer and the tokens that the prompt's form needs.
#[derive(Clone, Debug)]
pub struct Tokens {
    tokenizer: Tokenizer,
    opening: u32,
    closing: u32,
    line_break: u32,
}

impl Tokens {
    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// When it is no tokenizer, or lacks a token that the prompt's form needs.
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        Self::new(Tokenizer::from_file(path).map_err(|error| TokensError::Read(error.to_string()))?)
    }

    /// Takes a tokenizer and finds the tokens of the prompt's form.
    ///
    /// # Errors
    /// When a token is missing, or a line break is more than one token.
    pub fn new(mut tokenizer: Tokenizer) -> Result<Self, TokensError> {
        // A brief that spells `</s>` must stay text: it may not end the prompt or open another.
        tokenizer.set_encode_special_tokens(true);
        let special = |token| tokenizer.token_to_id(token).ok_or(TokensError::Missing(token));
        let (opening, closing) = (special(OPENING)?, special(CLOSING)?);
        let line_break = match encode(&tokenizer, "\n")?[..] {
            [only] => only,
            _ => return Err(TokensError::Missing("\n")),
        };
        Ok(Self { tokenizer, opening, closing, line_break })
    }

    /// The tokens of one piece of text.
    ///
    /// # Errors
    /// When the tokenizer fails, which a byte-level one never does.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TokensError> {
        encode(&self.tokenizer, text)
    }

    /// The text of some tokens. Bytes that are no UTF-8 become U+FFFD.
    ///
    /// # Errors
    /// When a token is none of this vocabulary.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, TokensError> {
        self.tokenizer.decode(tokens, true).map_err(|error| TokensError::Text(error.to_string()))
    }

    /// The token that opens every text.
    #[must_use]
    pub fn opening(&self) -> u32 {
        self.opening
    }

    /// The token that closes every text.
    #[must_use]
    pub fn closing(&self) -> u32 {
        self.closing
    }

    /// The token that ends the copy of a slot.
    #[must_use]
    pub fn line_break(&self) -> u32 {
        self.line_break
    }

    /// How many tokens there are.
    #[must_use]
    pub fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// Writes the tokenizer as `tokenizer.json`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TokensError> {
        self.tokenizer.save(path, false).map_err(|error| TokensError::Text(error.to_string()))
    }
}

fn encode(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, TokensError> {
    let encoding =
        tokenizer.encode_fast(text, false).map_err(|error| TokensError::Text(error.to_string()))?;
    Ok(encoding.get_ids().to_vec())
}
