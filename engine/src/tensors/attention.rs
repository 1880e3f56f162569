//! Attention of rows over what they share and what each has of its own.

use candle_core::{D, DType, Result as Candle, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::group::{Group, Masks, groups};
use crate::architecture::Architecture;
use crate::decoder::Input;

/// Softmax attention (Vaswani et al. 2017, equation 1) over the keys and values of each input's text, the new ones
/// included: `[tokens, heads · width]` from queries `[heads, tokens, width]`.
pub(super) fn attend(
    architecture: &Architecture,
    layer: usize,
    queries: &Tensor,
    masks: &Masks,
    inputs: &[Input<'_>],
) -> Candle<Tensor> {
    let groups = groups(inputs);
    let masks = masks.of(architecture.windows[layer]);
    let seen = groups.iter().zip(masks).map(|(group, mask)| {
        let sizes = Sizes::new(architecture, group);
        sizes.attend(group, layer, queries, mask.as_ref())
    });
    Tensor::cat(&seen.collect::<Candle<Vec<_>>>()?, 0)
}

/// How the queries of a group lie: `[key heads, rows, sharing · new, width]`.
#[derive(Clone, Copy)]
struct Sizes {
    key_heads: usize,
    /// Heads of queries for each head of keys.
    sharing: usize,
    rows: usize,
    /// New tokens of each row.
    new: usize,
    width: usize,
}

impl Sizes {
    fn new(architecture: &Architecture, group: &Group<'_, '_>) -> Self {
        let Architecture { heads, key_heads, head_width, .. } = *architecture;
        Self {
            key_heads,
            sharing: heads / key_heads,
            rows: group.inputs.len(),
            new: group.new_tokens(),
            width: head_width,
        }
    }

    fn attend(
        self,
        group: &Group<'_, '_>,
        layer: usize,
        queries: &Tensor,
        mask: Option<&Tensor>,
    ) -> Candle<Tensor> {
        let Self { key_heads, sharing, rows, new, width } = self;
        let queries = queries.narrow(1, group.first, rows * new)?;
        let queries = queries.reshape((key_heads, sharing, rows, new, width))?.transpose(1, 2)?;
        let queries = (queries.reshape((key_heads, rows, sharing * new, width))? / (width as f64).sqrt())?;
        let own = group.own(layer)?;
        let scores = self.scores(group, layer, &queries, &own.0)?;
        let seen = self.sum(group, layer, &self.weights(&scores, mask)?, &own.1)?;
        let seen = seen.reshape((key_heads, rows, sharing, new, width))?.permute((1, 3, 0, 2, 4))?;
        seen.reshape((rows * new, key_heads * sharing * width))
    }

    /// Scores of all keys side by side: of what is shared, each stretch once for all rows, and then of each row's own.
    fn scores(
        self,
        group: &Group<'_, '_>,
        layer: usize,
        queries: &Tensor,
        own_keys: &Tensor,
    ) -> Candle<Tensor> {
        let Self { key_heads, sharing, rows, new, width } = self;
        let flat = queries.reshape((key_heads, rows * sharing * new, width))?;
        let mut scores = Vec::new();
        for stretch in group.shared() {
            let (keys, _) = stretch.keys_values(layer);
            let part = flat.matmul(&keys.t()?)?;
            scores.push(part.reshape((key_heads, rows, sharing * new, stretch.tokens()))?);
        }
        scores.push(by_row(queries)?.matmul(&own_keys.t()?)?.transpose(0, 1)?);
        Tensor::cat(&scores, D::Minus1)
    }

    /// Softmax in 32 bits of the scores that may be seen.
    fn weights(self, scores: &Tensor, mask: Option<&Tensor>) -> Candle<Tensor> {
        let Self { key_heads, sharing, rows, new, .. } = self;
        let kind = scores.dtype();
        let scores = scores.to_dtype(DType::F32)?.reshape((key_heads, rows, sharing, new, ()))?;
        let scores = mask.map_or_else(|| Ok(scores.clone()), |mask| scores.broadcast_add(mask))?;
        let weights = softmax_last_dim(&scores)?.to_dtype(kind)?;
        weights.reshape((key_heads, rows, sharing * new, ()))
    }

    /// The weighted sums of all values, in the order of the scores.
    fn sum(
        self,
        group: &Group<'_, '_>,
        layer: usize,
        weights: &Tensor,
        own_values: &Tensor,
    ) -> Candle<Tensor> {
        let Self { key_heads, sharing, rows, new, width } = self;
        let of_all = (key_heads, rows, sharing * new, width);
        let (mut first, mut sums) = (0, Vec::new());
        for stretch in group.shared() {
            let (_, values) = stretch.keys_values(layer);
            let part = weights.narrow(D::Minus1, first, stretch.tokens())?.contiguous()?;
            let part = part.reshape((key_heads, rows * sharing * new, stretch.tokens()))?;
            sums.push(part.matmul(values)?.reshape(of_all)?);
            first += stretch.tokens();
        }
        let own = by_row(&weights.narrow(D::Minus1, first, weights.dim(3)? - first)?)?;
        let own = own.matmul(own_values)?.transpose(0, 1)?.contiguous()?;
        sums.iter().try_fold(own, |sum, part| sum + part)
    }
}

/// From `[key heads, rows, ..]` to `[rows, key heads, ..]`.
fn by_row(tensor: &Tensor) -> Candle<Tensor> {
    tensor.transpose(0, 1)?.contiguous()
}
