//! The plain form: lines, of which each slot's copy ends one.

use rules::Slot;

use super::{Next, Piece};
use crate::prompt::{self, CLOSING, OPENING};
use crate::tokens::{Tokens, TokensError};

/// The tokens that the plain form needs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Plain {
    /// Opens every text.
    pub opening: u32,
    /// Closes every text.
    pub closing: u32,
    /// Ends a line.
    pub line_break: u32,
}

impl Plain {
    /// Finds them.
    ///
    /// # Errors
    /// When one is missing, or a line break is more than one token.
    pub fn of(tokens: &Tokens) -> Result<Self, TokensError> {
        let special = |token| tokens.id(token).ok_or(TokensError::Missing(token));
        let line_break = match tokens.encode("\n")?[..] {
            [only] => only,
            _ => return Err(TokensError::Missing("\n")),
        };
        Ok(Self { opening: special(OPENING)?, closing: special(CLOSING)?, line_break })
    }

    pub(super) fn read(&self, head: &str, tokens: &Tokens) -> Result<Vec<u32>, TokensError> {
        let mut read = vec![self.opening];
        read.extend(tokens.encode(head)?);
        Ok(read)
    }

    pub(super) fn cue(
        &self,
        before: Option<&Slot>,
        slot: &Slot,
        tokens: &Tokens,
    ) -> Result<Vec<u32>, TokensError> {
        let mut cue: Vec<u32> = before.map(|_| self.line_break).into_iter().collect();
        cue.extend(tokens.encode(&prompt::cue(&slot.name))?);
        Ok(cue)
    }

    pub(super) fn piece<'t>(&self, token: u32, tokens: &'t Tokens) -> Option<Piece<'t>> {
        if [self.line_break, self.closing, self.opening].contains(&token) {
            return Some(Piece { bytes: &[], next: Next::End });
        }
        let bytes = tokens.bytes(token);
        (!bytes.is_empty()).then_some(Piece { bytes, next: Next::More })
    }
}
