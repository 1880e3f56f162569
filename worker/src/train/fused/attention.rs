//! Attention that sees only what stands before it, and the rotation that tells it where things stand.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::{slice, softmax};

/// Softmax over the last axis of `[.., T, T]` scores, where a position sees itself and what stands before it.
///
/// # Errors
/// When the last two axes differ.
pub fn causal_softmax(scores: &Tensor) -> Result<Tensor> {
    scores.apply_op1(CausalSoftmax)
}

/// Rotary embedding of `[B, H, T, D]`: the first and second half of `D` are the two coordinates of points that turn by
/// position times frequency (Su et al., 2021, equation 15, in Llama's order of coordinates).
///
/// # Errors
/// When the tables are shorter than `T` or not made for `D`.
pub fn rotate(x: &Tensor, tables: &Arc<Rotary>) -> Result<Tensor> {
    let (_, _, length, depth) = x.dims4()?;
    if depth != 2 * tables.pairs || length * tables.pairs > tables.cos.len() {
        bail!("rotary tables of {} pairs do not fit {length} positions of {depth}", tables.pairs);
    }
    x.apply_op1(Rotate { tables: Arc::clone(tables), direction: 1.0 })
}

struct CausalSoftmax;

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal-softmax"
    }

    fn cpu_fwd(&self, scores: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (scores, length) = (slice(scores, layout)?, square(layout)?);
        let mut shares = vec![0f32; scores.len()];
        for (row, (scores, shares)) in scores.chunks(length).zip(shares.chunks_mut(length)).enumerate() {
            let seen = row % length + 1;
            softmax(&scores[..seen], &mut shares[..seen]);
        }
        Ok((CpuStorage::F32(shares), layout.shape().clone()))
    }

    fn bwd(&self, _scores: &Tensor, shares: &Tensor, slope: &Tensor) -> Result<Option<Tensor>> {
        shares.apply_op2_no_bwd(&slope.contiguous()?, &CausalSoftmaxSlope).map(Some)
    }
}

/// From shares `p` and the slope `g` of the result: `p (g − Σ g p)`.
struct CausalSoftmaxSlope;

impl CustomOp2 for CausalSoftmaxSlope {
    fn name(&self) -> &'static str {
        "causal-softmax-slope"
    }

    fn cpu_fwd(
        &self,
        shares: &CpuStorage,
        l1: &Layout,
        slope: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (shares, slope, length) = (slice(shares, l1)?, slice(slope, l2)?, square(l1)?);
        let mut result = vec![0f32; shares.len()];
        let rows = shares.chunks(length).zip(slope.chunks(length)).zip(result.chunks_mut(length));
        for (row, ((shares, slope), result)) in rows.enumerate() {
            let seen = row % length + 1;
            let mean: f32 = shares[..seen].iter().zip(slope).map(|(p, g)| p * g).sum();
            for ((result, p), g) in result[..seen].iter_mut().zip(shares).zip(slope) {
                *result = p * (g - mean);
            }
        }
        Ok((CpuStorage::F32(result), l1.shape().clone()))
    }
}

/// Cosines and sines by position and pair of coordinates.
#[derive(Debug)]
pub struct Rotary {
    pairs: usize,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Rotary {
    /// Tables for so many positions of so many pairs, the frequencies falling from one to nearly `1 / base`.
    #[must_use]
    pub fn new(positions: usize, pairs: usize, base: f32) -> Self {
        let frequency = |pair: usize| base.powf(-(pair as f32) / pairs as f32);
        let angle = |at: usize| (at / pairs) as f32 * frequency(at % pairs);
        let table = |turn: fn(f32) -> f32| (0..positions * pairs).map(|at| turn(angle(at))).collect();
        Self { pairs, cos: table(f32::cos), sin: table(f32::sin) }
    }
}

struct Rotate {
    tables: Arc<Rotary>,
    /// One turns forward, minus one back: a turn's slope is the turn back.
    direction: f32,
}

impl CustomOp1 for Rotate {
    fn name(&self) -> &'static str {
        "rotate"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, pairs, dims) = (slice(x, layout)?, self.tables.pairs, layout.dims());
        let length = dims[dims.len() - 2];
        let mut result = vec![0f32; x.len()];
        for (row, (x, result)) in x.chunks(2 * pairs).zip(result.chunks_mut(2 * pairs)).enumerate() {
            let at = row % length * pairs;
            let (cos, sin) = (&self.tables.cos[at..at + pairs], &self.tables.sin[at..at + pairs]);
            for pair in 0..pairs {
                let (a, b, sin) = (x[pair], x[pair + pairs], sin[pair] * self.direction);
                result[pair] = a * cos[pair] - b * sin;
                result[pair + pairs] = b * cos[pair] + a * sin;
            }
        }
        Ok((CpuStorage::F32(result), layout.shape().clone()))
    }

    fn bwd(&self, _x: &Tensor, _result: &Tensor, slope: &Tensor) -> Result<Option<Tensor>> {
        let back = Self { tables: Arc::clone(&self.tables), direction: -self.direction };
        slope.contiguous()?.apply_op1_no_bwd(&back).map(Some)
    }
}

fn square(layout: &Layout) -> Result<usize> {
    match layout.dims() {
        [.., rows, columns] if rows == columns && *rows > 0 => Ok(*rows),
        dims => bail!("causal attention takes as many columns as rows, not {dims:?}"),
    }
}
