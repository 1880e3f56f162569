//! Rows as tensors.

use candle_core::{Device, Result, Tensor};

use super::corpus::Row;
use crate::form::Plain;
use crate::prompt::{self, Script};
use crate::tokens::{Tokens, TokensError};

/// The tokens of one row, and for each whether the model is asked for it.
///
/// Only copy is asked for: the brief is given, and learning to guess invented names would cost a small model most of
/// what it can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    tokens: Vec<u32>,
    asked: Vec<bool>,
}

impl Sequence {
    /// Encodes a row piece by piece, as writing will.
    ///
    /// # Errors
    /// When the tokenizer fails.
    pub fn new(row: &Row, tokens: &Tokens) -> std::result::Result<Self, TokensError> {
        let Plain { opening, closing, line_break } = Plain::of(tokens)?;
        let mut sequence = Self { tokens: vec![opening], asked: vec![false] };
        sequence.push(&tokens.encode(&row.prompt.head())?, false);
        let Script { gap, .. } = Script::of(&row.prompt.language);
        for (slot, text) in &row.copy {
            sequence.push(&tokens.encode(&prompt::cue(slot))?, false);
            sequence.push(&tokens.encode(&format!("{gap}{text}"))?, true);
            sequence.push(&[line_break], true);
        }
        sequence.push(&[closing], true);
        Ok(sequence)
    }

    /// How many tokens the row has.
    #[must_use]
    pub fn length(&self) -> usize {
        self.tokens.len()
    }

    fn push(&mut self, tokens: &[u32], asked: bool) {
        self.tokens.extend(tokens);
        self.asked.extend(tokens.iter().map(|_| asked));
    }
}

/// Some rows as one block, filled up at the end, and which of its positions are asked what.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[B, T]` tokens. Filling stands behind a row, where causal attention cannot see it from the row.
    pub tokens: Tensor,
    /// Positions of the flattened block whose next token is asked for.
    pub positions: Tensor,
    /// The tokens that stand there.
    pub labels: Vec<u32>,
    /// How many are asked for.
    pub asked: usize,
}

impl Batch {
    /// Joins sequences.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn new(sequences: &[&Sequence]) -> Result<Self> {
        let length = sequences.iter().map(|it| it.length()).max().unwrap_or(0);
        let mut tokens = vec![0u32; sequences.len() * length];
        let (mut positions, mut labels) = (Vec::new(), Vec::new());
        for (row, sequence) in sequences.iter().enumerate() {
            let start = row * length;
            tokens[start..start + sequence.length()].copy_from_slice(&sequence.tokens);
            for at in (1..sequence.length()).filter(|at| sequence.asked[*at]) {
                positions.push((start + at - 1) as u32);
                labels.push(sequence.tokens[at]);
            }
        }
        let asked = labels.len();
        Ok(Self {
            tokens: Tensor::from_vec(tokens, (sequences.len(), length), &Device::Cpu)?,
            positions: Tensor::from_vec(positions, asked, &Device::Cpu)?,
            labels,
            asked,
        })
    }

    /// Joins rows of tokens, of each of which all from an index on are asked for.
    #[cfg(test)]
    pub(crate) fn from_rows(rows: &[(Vec<u32>, usize)]) -> Result<Self> {
        let sequences: Vec<Sequence> = rows
            .iter()
            .map(|(tokens, from)| Sequence {
                tokens: tokens.clone(),
                asked: (0..tokens.len()).map(|at| at >= *from).collect(),
            })
            .collect();
        Self::new(&sequences.iter().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asked_token_is_asked_for_at_the_position_before_it() {
        let batch = Batch::from_rows(&[(vec![9, 8, 7], 2), (vec![1, 2, 3, 4], 2)]).expect("a batch");
        assert_eq!(batch.tokens.to_vec2::<u32>().expect("two axes"), [[9, 8, 7, 0], [1, 2, 3, 4]]);
        assert_eq!(batch.positions.to_vec1::<u32>().expect("one axis"), [1, 5, 6]);
        assert_eq!(batch.labels, [7, 3, 4]);
        assert_eq!(batch.asked, 3);
    }
}
