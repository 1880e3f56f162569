//! What happens to activations between products.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::columns::{Block, Columns, LANES};

/// Blocks that one task handles: as many as take a few microseconds.
const BLOCKS_PER_TASK: usize = 256;

/// `x + y`, in place.
///
/// # Panics
/// When the shapes differ.
pub fn add(x: &mut Columns, y: &Columns) {
    assert_eq!((x.rows(), x.width()), (y.rows(), y.width()), "sums are of equal shapes");
    for (x, y) in x.blocks_mut().iter_mut().zip(y.blocks()) {
        for lane in 0..LANES {
            x.0[lane] += y.0[lane];
        }
    }
}

/// Adds one number for each column to every row.
///
/// # Panics
/// When `bias` is wider than `x`.
pub fn add_bias(x: &mut Columns, bias: &[f32]) {
    assert!(bias.len() <= x.width(), "a bias has a number for each column");
    let rows = x.rows().max(1);
    for (blocks, bias) in x.blocks_mut().chunks_exact_mut(rows).zip(bias.chunks(LANES)) {
        for block in blocks {
            block.0.iter_mut().zip(bias).for_each(|(x, bias)| *x += bias);
        }
    }
}

/// Root-mean-square normalization (Zhang & Sennrich 2019, equation 4): each row over the root of its mean square, times
/// one weight for each column.
///
/// # Panics
/// When `weights` is not as wide as `x`.
#[must_use]
pub fn rms_norm(x: &Columns, weights: &[f32], epsilon: f32) -> Columns {
    assert_eq!(weights.len(), x.width(), "a norm has a weight for each column");
    let mut out = Columns::zeros(x.rows(), x.width());
    Arch::new().dispatch(Normalizing { x, weights, epsilon, out: &mut out });
    out
}

struct Normalizing<'a> {
    x: &'a Columns,
    weights: &'a [f32],
    epsilon: f32,
    out: &'a mut Columns,
}

impl WithSimd for Normalizing<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { x, weights, epsilon, out } = self;
        let rows = x.rows();
        let mut squares = vec![Block::default(); rows];
        for blocks in x.blocks().chunks_exact(rows.max(1)) {
            for row in 0..rows {
                for lane in 0..LANES {
                    squares[row].0[lane] += blocks[row].0[lane] * blocks[row].0[lane];
                }
            }
        }
        let mut scales = vec![0.0; rows];
        for row in 0..rows {
            let mean = squares[row].0.iter().sum::<f32>() / weights.len() as f32;
            scales[row] = 1.0 / (mean + epsilon).sqrt();
        }
        let panels = x.blocks().chunks_exact(rows.max(1)).zip(out.blocks_mut().chunks_exact_mut(rows.max(1)));
        for ((x, out), weights) in panels.zip(weights.chunks_exact(LANES)) {
            for row in 0..rows {
                for lane in 0..LANES {
                    out[row].0[lane] = x[row].0[lane] * scales[row] * weights[lane];
                }
            }
        }
    }
}

/// `silu(g) · u` of columns that hold g in their first half and u in their second (Shazeer 2020, section 2: SwiGLU).
///
/// # Panics
/// When the width is no even number of blocks.
#[must_use]
pub fn gate(x: &Columns) -> Columns {
    let mut out = Columns::zeros(x.rows(), x.width() / 2);
    assert_eq!(2 * out.blocks().len(), x.blocks().len(), "gates and values are equally many");
    let (gates, values) = x.blocks().split_at(out.blocks().len());
    let inputs = gates.par_chunks(BLOCKS_PER_TASK).zip(values.par_chunks(BLOCKS_PER_TASK));
    out.blocks_mut().par_chunks_mut(BLOCKS_PER_TASK).zip(inputs).for_each(|(out, (gates, values))| {
        Arch::new().dispatch(Gating { gates, values, out });
    });
    out
}

struct Gating<'a> {
    gates: &'a [Block],
    values: &'a [Block],
    out: &'a mut [Block],
}

impl WithSimd for Gating<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for ((out, gate), value) in self.out.iter_mut().zip(self.gates).zip(self.values) {
            for lane in 0..LANES {
                let gate = gate.0[lane];
                out.0[lane] = gate / (1.0 + exp(-gate)) * value.0[lane];
            }
        }
    }
}

/// ln Σ eˣ; no number, or infinite, where one of them is.
#[must_use]
pub fn log_sum_exp(values: &[f32]) -> f32 {
    Arch::new().dispatch(LogSumExp(values))
}

struct LogSumExp<'a>(&'a [f32]);

impl WithSimd for LogSumExp<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f32 {
        let (blocks, rest) = self.0.as_chunks::<LANES>();
        let most = highest(self.0);
        let (mut sums, mut broken) = ([0.0f32; LANES], [0.0f32; LANES]);
        for block in blocks {
            for lane in 0..LANES {
                // No number times nothing is no number still, which the exponential's borders would hide. A sum for
                // each lane, or the compiler takes one number after the other, exponentials too.
                broken[lane] += block[lane] * 0.0;
                sums[lane] += exp(block[lane] - most);
            }
        }
        let mut sum: f32 = broken.iter().sum();
        for lane in 0..LANES {
            sum += sums[lane];
        }
        for value in rest {
            sum += exp(value - most) + value * 0.0;
        }
        most + sum.ln()
    }
}

/// The highest number; what is no number is passed over.
#[inline(always)]
#[must_use]
pub(crate) fn highest(values: &[f32]) -> f32 {
    let mut most = [f32::NEG_INFINITY; LANES];
    let (blocks, rest) = values.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            most[lane] = if block[lane] > most[lane] { block[lane] } else { most[lane] };
        }
    }
    let mut highest = f32::NEG_INFINITY;
    for value in most.iter().chain(rest) {
        highest = if *value > highest { *value } else { highest };
    }
    highest
}

/// `exp((x - highest) · scale)` of each number, in place.
#[inline(always)]
pub(crate) fn exponentials(values: &mut [f32], highest: f32, scale: f32) {
    for value in values {
        *value = exp((*value - highest) * scale);
    }
}

/// eˣ to one part in 10⁷ by Cephes' `expf` (Moshier 1989), in a form that the compiler makes vectors of. What is too
/// small becomes zero, what is too large the largest power.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, so that the remainder is exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding 1.5 · 2²³ rounds to an integer, which then stands in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let shifted = x.mul_add(LOG2_E, ROUND);
    let power = shifted - ROUND;
    let rest = power.mul_add(-LN_2_HIGH, x);
    let rest = power.mul_add(-LN_2_LOW, rest);
    let sum = 1.987_569_1e-4f32.mul_add(rest, 1.398_199_9e-3);
    let sum = sum.mul_add(rest, 8.333_452e-3).mul_add(rest, 4.166_579_6e-2);
    let sum = sum.mul_add(rest, 1.666_666_5e-1).mul_add(rest, 0.5);
    let sum = (sum * rest).mul_add(rest, rest) + 1.0;
    let two = f32::from_bits(shifted.to_bits().wrapping_add(127) << 23);
    sum * two
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_a_few_parts_in_ten_millions() {
        for step in -8700..8800 {
            let x = step as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 3e-7, "exp({x}) = {} against {exact}", exp(x));
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn a_norm_divides_each_row_by_its_own_root_mean_square() {
        let mut x = Columns::zeros(2, 32);
        x.set_row(0, &[3.0; 32]);
        x.set_row(1, &[-0.5; 32]);
        let weights: Vec<f32> = (0..32).map(|column| column as f32).collect();
        let out = rms_norm(&x, &weights, 0.0);
        for column in 0..32 {
            assert!((out.get(0, column) - weights[column]).abs() < 1e-5);
            assert!((out.get(1, column) + weights[column]).abs() < 1e-5);
        }
    }

    #[test]
    fn a_gate_multiplies_the_second_half_by_silu_of_the_first() {
        let mut x = Columns::zeros(3, 64);
        let row =
            |row: usize| (0..64).map(|column| (column as f32 - 20.0) / 9.0 + row as f32).collect::<Vec<_>>();
        (0..3).for_each(|index| x.set_row(index, &row(index)));
        let out = gate(&x);
        for index in 0..3 {
            let row = row(index);
            for column in 0..32 {
                let silu = row[column] / (1.0 + (-row[column]).exp());
                assert!((out.get(index, column) - silu * row[32 + column]).abs() < 1e-5);
            }
        }
    }
}
