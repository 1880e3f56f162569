//! Rotary positions, and the norms that some families put before them.

use rayon::prelude::*;

use super::columns::{Columns, LANES};

/// Which two numbers of a head turn together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pairing {
    /// Number i with number i + half of the head: Hugging Face's layout.
    Halves,
    /// Number 2i with number 2i + 1: the paper's layout, and GGUF's for the architecture `llama`.
    Neighbours,
}

/// Rotary position embedding (Su et al. 2021, equation 34).
#[derive(Clone, Debug, PartialEq)]
pub struct Rotary {
    /// The angle of one position for each pair, in radians.
    pub frequencies: Vec<f32>,
    /// Multiplies sines and cosines: one, but for YaRN (Peng et al. 2023, equation 22, there as 1/√t).
    pub magnitude: f32,
    /// Which numbers are a pair.
    pub pairing: Pairing,
}

/// Weights of the norms of queries and keys, each as wide as a head.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadNorms {
    /// For every head of queries.
    pub query: Vec<f32>,
    /// For every head of keys.
    pub key: Vec<f32>,
    /// Added to the mean square.
    pub epsilon: f32,
}

impl Rotary {
    /// Turns the first `heads + key_heads` heads of `x`, which are queries and then keys, row r by its position.
    ///
    /// # Panics
    /// When `positions` has not one number for each row.
    pub fn apply(
        &self,
        x: &mut Columns,
        positions: &[usize],
        heads: usize,
        key_heads: usize,
        norms: Option<&HeadNorms>,
    ) {
        let rows = x.rows();
        assert_eq!(positions.len(), rows, "each row has a position");
        if rows == 0 {
            return;
        }
        let width = 2 * self.frequencies.len();
        let turns: Vec<Vec<(f32, f32)>> = positions.iter().map(|position| self.turns(*position)).collect();
        let blocks = width / LANES * rows;
        x.blocks_mut().par_chunks_mut(blocks).take(heads + key_heads).enumerate().for_each(
            |(head, blocks)| {
                let norm = norms
                    .map(|it| if head < heads { (&it.query, it.epsilon) } else { (&it.key, it.epsilon) });
                let mut values = vec![0.0; width];
                for (row, turns) in turns.iter().enumerate() {
                    for (part, values) in values.chunks_exact_mut(LANES).enumerate() {
                        values.copy_from_slice(&blocks[part * rows + row].0);
                    }
                    if let Some((weights, epsilon)) = norm {
                        normalize(&mut values, weights, epsilon);
                    }
                    self.turn(&mut values, turns);
                    for (part, values) in values.chunks_exact(LANES).enumerate() {
                        blocks[part * rows + row].0.copy_from_slice(values);
                    }
                }
            },
        );
    }

    /// Cosine and sine of each pair at a position. The angle is rounded to 32 bits as the models were trained with.
    pub(crate) fn turns(&self, position: usize) -> Vec<(f32, f32)> {
        let turn = |frequency: &f32| {
            let angle = f64::from(position as f32 * frequency);
            ((angle.cos() as f32) * self.magnitude, (angle.sin() as f32) * self.magnitude)
        };
        self.frequencies.iter().map(turn).collect()
    }

    fn turn(&self, values: &mut [f32], turns: &[(f32, f32)]) {
        let half = turns.len();
        for (pair, (cos, sin)) in turns.iter().enumerate() {
            let (first, second) = match self.pairing {
                Pairing::Halves => (pair, pair + half),
                Pairing::Neighbours => (2 * pair, 2 * pair + 1),
            };
            let (a, b) = (values[first], values[second]);
            values[first] = a * cos - b * sin;
            values[second] = b * cos + a * sin;
        }
    }
}

fn normalize(values: &mut [f32], weights: &[f32], epsilon: f32) {
    let mean = values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32;
    let scale = 1.0 / (mean + epsilon).sqrt();
    values.iter_mut().zip(weights).for_each(|(value, weight)| *value *= scale * weight);
}
