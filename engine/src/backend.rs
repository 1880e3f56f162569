//! What every way to read a model can do.

use std::fmt;

use crate::EngineError;
use crate::cpu::Columns;
use crate::text::{Input, Memory, Text};

/// A way to read a model.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// What is kept of a stretch of text that begins at a position, behind another one if there is one.
    fn memory(&self, above: Option<&Text>, start: usize) -> Box<dyn Memory>;

    /// Bytes of all weights in memory; nothing where others keep them.
    fn bytes(&self) -> Option<usize> {
        None
    }

    /// Reads what comes next in each text, which fits and is of the vocabulary, and gives a row for each.
    fn read(&self, inputs: &mut [Input<'_>]) -> Result<Rows, EngineError>;
}

/// Logits, at least as many for each row as there are tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Rows {
    Columns(Columns),
    Lists(Vec<Vec<f32>>),
}

/// Tokens of one step: enough to keep the products busy, few enough for what lies between layers to stay small.
const AT_ONCE: usize = 512;

/// Reads all but the last tokens of long inputs in steps of their own, so that memory does not grow with them.
pub(crate) fn read_ahead(
    inputs: &mut [Input<'_>],
    mut step: impl FnMut(&mut Input<'_>) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let mut room = AT_ONCE;
    for input in inputs {
        while input.tokens.len() > room.max(1) {
            let (first, rest) = input.tokens.split_at(input.tokens.len().min(AT_ONCE + 1) - 1);
            step(&mut Input { text: &mut *input.text, tokens: first })?;
            input.tokens = rest;
        }
        room = room.saturating_sub(input.tokens.len());
    }
    Ok(())
}
