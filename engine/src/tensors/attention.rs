//! Attention of rows over what they share and what each has of its own.

use candle_core::{D, DType, Result as Candle, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::step::{Group, Step};
use crate::architecture::Architecture;

/// Softmax attention (Vaswani et al. 2017, equation 1) over the keys and values of each input's text, the new ones
/// included: `[tokens, heads · width]` from queries `[heads, tokens, width]`.
pub(super) fn attend(
    architecture: &Architecture,
    layer: usize,
    queries: &Tensor,
    step: &Step<'_>,
) -> Candle<Tensor> {
    let (keys, values) = step.store.layer(layer);
    let attend = |group| {
        let sizes = Sizes::new(architecture, group);
        let (keys, values) = (sizes.read(group, keys)?, sizes.read(group, values)?);
        let mask = group.mask(architecture.windows[layer]);
        sizes.attend(&queries.narrow(1, group.first, group.rows * group.new)?, &keys, &values, mask)
    };
    Tensor::cat(&step.groups.iter().map(attend).collect::<Candle<Vec<_>>>()?, 0)
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

/// Keys, or values, of a group.
struct Seen {
    /// What all rows stand behind, `[key heads, tokens, width]`.
    shared: Option<Tensor>,
    /// `[rows, key heads, tokens, width]`.
    own: Tensor,
}

impl Sizes {
    fn new(architecture: &Architecture, group: &Group) -> Self {
        let Architecture { heads, key_heads, head_width, .. } = *architecture;
        let (rows, new) = (group.rows, group.new);
        Self { key_heads, sharing: heads / key_heads, rows, new, width: head_width }
    }

    /// From the pages of all texts.
    fn read(self, group: &Group, pages: &Tensor) -> Candle<Seen> {
        let Self { key_heads, rows, width, .. } = self;
        let shared = group.shared.as_ref().map(|places| {
            let tokens = pages.index_select(places, 0)?.reshape(((), key_heads, width))?;
            tokens.transpose(0, 1)?.contiguous()
        });
        let own = pages.index_select(&group.own, 0)?.reshape((rows, (), key_heads, width))?;
        Ok(Seen { shared: shared.transpose()?, own: own.transpose(1, 2)?.contiguous()? })
    }

    fn attend(self, queries: &Tensor, keys: &Seen, values: &Seen, mask: Option<&Tensor>) -> Candle<Tensor> {
        let Self { key_heads, sharing, rows, new, width } = self;
        let queries = queries.reshape((key_heads, sharing, rows, new, width))?.transpose(1, 2)?;
        let queries = (queries.reshape((key_heads, rows, sharing * new, width))? / (width as f64).sqrt())?;
        let weights = self.weights(&self.scores(&queries, keys)?, mask)?;
        let seen = self.sum(&weights, values)?;
        let seen = seen.reshape((key_heads, rows, sharing, new, width))?.permute((1, 3, 0, 2, 4))?;
        seen.reshape((rows * new, key_heads * sharing * width))
    }

    /// Scores of all keys side by side: what is shared, once for all rows, and then each row's own.
    fn scores(self, queries: &Tensor, keys: &Seen) -> Candle<Tensor> {
        let Self { key_heads, sharing, rows, new, width } = self;
        let own = swapped(queries)?.matmul(&keys.own.t()?)?.transpose(0, 1)?;
        let Some(shared) = &keys.shared else { return own.contiguous() };
        let flat = queries.reshape((key_heads, rows * sharing * new, width))?;
        let shared = flat.matmul(&shared.t()?)?.reshape((key_heads, rows, sharing * new, ()))?;
        Tensor::cat(&[shared, own], D::Minus1)
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
    fn sum(self, weights: &Tensor, values: &Seen) -> Candle<Tensor> {
        let Self { key_heads, sharing, rows, new, width } = self;
        let first = values.shared.as_ref().map_or(Ok(0), |shared| shared.dim(1))?;
        let of_own = swapped(&weights.narrow(D::Minus1, first, weights.dim(3)? - first)?)?;
        let own = of_own.matmul(&values.own)?.transpose(0, 1)?.contiguous()?;
        let Some(shared) = &values.shared else { return Ok(own) };
        let of_shared = weights.narrow(D::Minus1, 0, first)?.contiguous()?;
        let of_shared = of_shared.reshape((key_heads, rows * sharing * new, first))?.matmul(shared)?;
        of_shared.reshape((key_heads, rows, sharing * new, width))? + own
    }
}

/// From `[key heads, rows, ..]` to `[rows, key heads, ..]`, or back.
fn swapped(tensor: &Tensor) -> Candle<Tensor> {
    tensor.transpose(0, 1)?.contiguous()
}
