//! Chat models: the checkpoint's own template, and an answer in JSON of which only the texts are drawn.

use rules::Slot;

use super::template::ChatTemplate;
use super::{FormError, Next, Piece};
use crate::draft::Task;
use crate::message;
use crate::tokens::{Tokens, TokensError};

/// What opens and closes the section in which some models think before they answer.
const THINKING: [&str; 2] = ["<think>", "</think>"];

/// A model that is spoken with.
#[derive(Debug)]
pub struct Chat {
    template: ChatTemplate,
}

impl Chat {
    /// Takes a template and tries it once.
    ///
    /// # Errors
    /// When the template fails.
    pub fn new(template: ChatTemplate, tokens: &Tokens) -> Result<Self, FormError> {
        let chat = Self { template };
        tokens.encode_marked(&chat.template.render("system", "user")?)?;
        Ok(chat)
    }

    /// The conversation up to where the model answers. A template that opens a section for thinking has it closed: the
    /// answer begins at once.
    pub(super) fn told(&self, task: &Task<'_>, tokens: &Tokens) -> Result<String, FormError> {
        let user = tokens.unmarked(&message::user(task));
        let told = self.template.render(message::SYSTEM, &user)?;
        let [open, close] = THINKING;
        let thinks = told.trim_end().ends_with(open);
        Ok(if thinks { format!("{}\n\n{close}\n\n", told.trim_end()) } else { told })
    }

    pub(super) fn cue(before: Option<&Slot>, slot: &Slot, tokens: &Tokens) -> Result<Vec<u32>, TokensError> {
        let name = &slot.name;
        match before {
            None => tokens.encode_behind(&format!("{{\"{name}\": \"")),
            Some(_) => tokens.encode_behind(&format!("\", \"{name}\": \"")),
        }
    }

    /// A quotation mark ends the text, and a token may hold it behind the last letters. Escapes have no place in copy of
    /// one line; a model that wants a quotation mark in it has those of typography.
    pub(super) fn piece(token: u32, tokens: &Tokens) -> Option<Piece<'_>> {
        let bytes = tokens.bytes(token);
        let (bytes, next) = match bytes.iter().position(|byte| *byte == b'"') {
            Some(end) => (&bytes[..end], Next::End),
            None => (bytes, Next::More),
        };
        let empty = bytes.is_empty() && next == Next::More;
        let escapes = bytes.iter().any(|byte| *byte == b'\\' || byte.is_ascii_control());
        (!empty && !escapes).then_some(Piece { bytes, next })
    }
}
