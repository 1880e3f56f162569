//! How much memory our own trainer needs.

use super::model::Model;
use super::size::Part;

/// What is trained at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Training {
    /// Rows of a step.
    pub rows: u64,
    /// Tokens of the longest row.
    pub tokens: u64,
    /// Parts of a step that are worked on at the same time, each with gradients of its own.
    pub shards: u64,
}

/// All numbers are 32-bit floats.
const NUMBER: u64 = 4;
/// Numbers as wide as the stream that a block keeps for its backward pass: two norms, three products, each as heads and
/// two of them turned, one of them scaled, what is mixed and joined, two outputs and two sums.
const STREAMS: u64 = 18;
/// The gate, the other half, and their product.
const FEEDS: u64 = 3;
/// Logits, their softmax, and their gradient.
const LOGITS: u64 = 3;
/// Slopes of what is kept, and what the allocator can't use of it, by which more is needed than is counted. With it the peak
/// of memory that was measured is 0.95, 1.00 and 1.02 of what is worked out, for 2, 11 and 44 million parameters.
const BESIDE_PERCENT: u64 = 25;
/// Program, corpus and tokenizer, with what the allocator keeps for the next step. An allowance.
const PROCESS: u64 = 256 << 20;

/// Everything that training needs.
#[must_use]
pub fn training(model: &Model, work: Training) -> Vec<Part> {
    let part = |what, bytes| Part { what, bytes };
    let weights = NUMBER * model.parameters();
    vec![
        part("weights", weights),
        part("gradients", weights * work.shards),
        part("two moments", 2 * weights),
        part("activations", activations(model, work)),
        part("process", PROCESS),
    ]
}

/// What a forward pass keeps until the backward pass has used it.
fn activations(model: &Model, work: Training) -> u64 {
    let shape = &model.shape;
    let (hidden, feed_forward) = (shape.hidden as u64, shape.feed_forward as u64);
    let scores = 2 * shape.heads as u64 * work.tokens;
    let of_layer = STREAMS * hidden + FEEDS * feed_forward + scores;
    let of_token = shape.layers as u64 * of_layer + LOGITS * shape.vocabulary as u64;
    NUMBER * work.rows * work.tokens * of_token / 100 * (100 + BESIDE_PERCENT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::train::model::Decoder;
    use crate::train::recipe::Shape;

    #[test]
    fn weights_are_those_of_the_trainer() {
        let handbill = &Model::classes()[0];
        let engine::Architecture { hidden, layers, heads, feed_forward, positions, vocabulary, .. } =
            handbill.shape;
        let shape =
            Shape { hidden, layers, heads, feed_forward, positions, rope_theta: 1e4, norm_epsilon: 1e-5 };
        let decoder = Decoder::new(shape, vocabulary, &mut Random::from_seed(1)).expect("a decoder");
        let work = Training { rows: 32, tokens: 64, shards: 2 };
        let bytes = |what| {
            let parts = training(handbill, work);
            parts.iter().find(|part| part.what == what).expect("a part").bytes
        };
        let of_weights = 4 * decoder.parameters() as u64;
        assert_eq!((bytes("weights"), bytes("gradients")), (of_weights, 2 * of_weights));
        assert_eq!(bytes("two moments"), 2 * of_weights);
    }
}
