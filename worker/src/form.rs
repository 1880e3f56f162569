//! In which form a model is asked for copy, and how its answer is read.
//!
//! A form never leaves it to the model where a slot begins: what stands between the slots is given, and only the copy
//! itself is drawn. So an answer can't be unreadable, and a model can't leave a slot out or add one.

mod chat;
mod plain;
mod template;

use std::path::Path;

use engine::Conversation;
use rules::Slot;

use crate::draft::Task;
use crate::prompt::Script;
use crate::tokens::{Tokens, TokensError};

pub use chat::Chat;
pub use plain::Plain;
pub use template::{ChatTemplate, TemplateError};

/// In which form a model is asked.
#[derive(Debug)]
pub enum Form {
    /// One thing to a line, for models that were trained on it: see [`crate::prompt`].
    Plain(Plain),
    /// A conversation in the checkpoint's own template, answered by a JSON object with a member for each slot.
    Chat(Box<Chat>),
}

/// What a token does to the slot that is being written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece<'t> {
    /// What it adds to the text, which may be a part of a character.
    pub bytes: &'t [u8],
    /// Whether the text goes on behind it.
    pub next: Next,
}

/// Whether a slot's text goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// It goes on.
    More,
    /// It has ended.
    End,
}

/// Why no form fits a model, or a prompt can't be written in it.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// The model's chat template can't be used.
    #[error("the model's chat template cannot be used")]
    Template(#[from] TemplateError),
    /// The tokenizer can't.
    #[error("the model's tokenizer cannot be used")]
    Tokens(#[from] TokensError),
}

impl Form {
    /// The form of the model in a folder: chat where the folder or, as in GGUF, the weights have a template, else the plain
    /// one.
    ///
    /// # Errors
    /// When there is a template that is none, or neither a template nor the tokens of the plain form.
    pub fn of(folder: &Path, weights: &Conversation, tokens: &Tokens) -> Result<Self, FormError> {
        let template = match ChatTemplate::open(folder)? {
            None => ChatTemplate::of_weights(weights, tokens)?,
            template => template,
        };
        match template {
            Some(template) => Ok(Self::Chat(Box::new(Chat::new(template, tokens)?))),
            None => Ok(Self::Plain(Plain::of(tokens)?)),
        }
    }

    /// Everything that the model is told before the first slot, as text: what a prompt's digest is of.
    ///
    /// # Errors
    /// When the template fails.
    pub fn told(&self, task: &Task<'_>, tokens: &Tokens) -> Result<String, FormError> {
        match self {
            Self::Plain(_) => Ok(task.prompt.head()),
            Self::Chat(chat) => chat.told(task, tokens),
        }
    }

    /// The tokens of what the model is told.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn read(&self, told: &str, tokens: &Tokens) -> Result<Vec<u32>, FormError> {
        match self {
            Self::Plain(plain) => Ok(plain.read(told, tokens)?),
            Self::Chat(_) => Ok(tokens.encode_marked(told)?),
        }
    }

    /// The tokens that ask for a slot: behind the slot before it, or behind the prompt where it is the first.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn cue(&self, before: Option<&Slot>, slot: &Slot, tokens: &Tokens) -> Result<Vec<u32>, FormError> {
        match self {
            Self::Plain(plain) => Ok(plain.cue(before, slot, tokens)?),
            Self::Chat(_) => Ok(Chat::cue(before, slot, tokens)?),
        }
    }

    /// What a token does to the text of a slot; nothing where it has no place in one.
    #[must_use]
    pub fn piece<'t>(&self, token: u32, tokens: &'t Tokens) -> Option<Piece<'t>> {
        match self {
            Self::Plain(plain) => plain.piece(token, tokens),
            Self::Chat(_) => Chat::piece(token, tokens),
        }
    }

    /// The tokens of a slot's whole text as the model would write it, behind the slot's cue.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn slot(&self, text: &str, language: &str, tokens: &Tokens) -> Result<Vec<u32>, FormError> {
        match self {
            Self::Plain(_) => Ok(tokens.encode(&format!("{}{text}", Script::of(language).gap))?),
            Self::Chat(_) => Ok(tokens.encode_behind(text)?),
        }
    }

    /// The tokens of copy as the model would write it into a slot, behind its cue or behind other copy.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn copy(&self, text: &str, tokens: &Tokens) -> Result<Vec<u32>, FormError> {
        match self {
            Self::Plain(_) => Ok(tokens.encode(text)?),
            Self::Chat(_) => Ok(tokens.encode_behind(text)?),
        }
    }
}
