//! Products with a matrix of 8-bit integers.

use half::f16;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::columns::{Block, Columns, LANES};
use super::vnni;

/// Numbers that share a scale.
pub(super) const GROUP: usize = 32;

/// Four inputs of sixteen outputs, each moved up by 128 so that it has no sign.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
pub(super) struct Quants(pub(super) [u8; 4 * LANES]);

/// A matrix in the numbers of GGML's `Q8_0`: of every 32 weights of an output the integers and one 16-bit scale.
#[derive(Clone, Debug)]
pub struct Q8Matrix {
    inputs: usize,
    outputs: usize,
    /// `[outputs / 16][inputs / 4]`.
    quants: Vec<Quants>,
    /// `[outputs / 16][inputs / 32]`.
    scales: Vec<[f16; LANES]>,
}

impl Q8Matrix {
    /// A matrix of zeros, to be filled by [`Q8Matrix::set_row`].
    #[must_use]
    pub fn zeros(outputs: usize, inputs: usize) -> Self {
        let panels = outputs.div_ceil(LANES);
        Self {
            inputs,
            outputs,
            quants: vec![Quants([128; 4 * LANES]); panels * inputs / 4],
            scales: vec![[f16::ZERO; LANES]; panels * inputs / GROUP],
        }
    }

    /// Rounds the weights of one output, as GGML does: the largest of 32 becomes 127.
    pub fn set_row(&mut self, output: usize, weights: &[f32]) {
        for (group, weights) in weights.as_chunks::<GROUP>().0.iter().enumerate() {
            let (scale, quants) = quantized(weights);
            self.set_group(output, group, f16::from_f32(scale), &quants);
        }
    }

    /// Writes 32 weights of one output as they stand in a file.
    pub fn set_group(&mut self, output: usize, group: usize, scale: f16, quants: &[i8; GROUP]) {
        let (panel, lane) = (output / LANES, output % LANES);
        self.scales[panel * self.inputs / GROUP + group][lane] = scale;
        let first = panel * self.inputs / 4 + group * (GROUP / 4);
        for (four, quants) in quants.chunks_exact(4).enumerate() {
            for (place, quant) in quants.iter().enumerate() {
                self.quants[first + four].0[lane * 4 + place] = (*quant as u8) ^ 0x80;
            }
        }
    }

    /// The weights of one output, as embeddings are read.
    pub fn read_row(&self, output: usize, weights: &mut [f32]) {
        let (panel, lane) = (output / LANES, output % LANES);
        for (group, weights) in weights.chunks_exact_mut(GROUP).enumerate() {
            let scale = self.scales[panel * self.inputs / GROUP + group][lane].to_f32();
            let first = panel * self.inputs / 4 + group * (GROUP / 4);
            for (index, weight) in weights.iter_mut().enumerate() {
                let quant = self.quants[first + index / 4].0[lane * 4 + index % 4];
                *weight = scale * f32::from((quant ^ 0x80) as i8);
            }
        }
    }

    /// How many outputs there are.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes of its weights in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(self.quants.as_slice()) + size_of_val(self.scales.as_slice())
    }

    /// `x · Wᵀ`, the rows of `x` rounded to 8 bits in groups of 32.
    #[must_use]
    pub fn apply(&self, x: &Columns) -> Columns {
        let mut out = Columns::zeros(x.rows(), self.outputs);
        let rows = x.rows();
        if rows == 0 {
            return out;
        }
        let x = Q8Rows::new(x);
        let panels = if rows == 1 { 4 } else { 2 };
        let out_tasks = out.blocks_mut().par_chunks_mut(rows * panels);
        let quants = self.quants.par_chunks(self.inputs / 4 * panels);
        let scales = self.scales.par_chunks(self.inputs / GROUP * panels);
        out_tasks.zip(quants).zip(scales).for_each(|((out, quants), scales)| {
            let panels = Panels { quants, scales, groups: self.inputs / GROUP, x: &x, out };
            vnni::apply(panels).unwrap_or_else(Panels::apply);
        });
        out
    }
}

/// Scale and integers of 32 numbers. Plain loops, so that the compiler makes vectors of them.
#[inline(always)]
fn quantized(values: &[f32; GROUP]) -> (f32, [i8; GROUP]) {
    let mut largest = [0.0f32; LANES];
    for half in 0..GROUP / LANES {
        for lane in 0..LANES {
            let size = values[half * LANES + lane].abs();
            largest[lane] = if size > largest[lane] { size } else { largest[lane] };
        }
    }
    for lane in 1..LANES {
        largest[0] = if largest[lane] > largest[0] { largest[lane] } else { largest[0] };
    }
    let scale = largest[0] / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let mut quants = [0; GROUP];
    for index in 0..GROUP {
        quants[index] = nearest(values[index] * inverse);
    }
    (scale, quants)
}

/// The nearest integer of a number between -127 and 127, ties to the even one: adding 1.5 · 2²³ leaves it in the last
/// bits of the mantissa.
#[inline(always)]
fn nearest(value: f32) -> i8 {
    (value + 12_582_912.0).to_bits() as i8
}

/// Rows of activations in 8 bits.
pub(super) struct Q8Rows {
    pub(super) rows: usize,
    /// `[inputs / 32][rows]`.
    pub(super) quants: Vec<[i8; GROUP]>,
    pub(super) scales: Vec<f32>,
    /// 128 times the sum of a group: what the weights' move by 128 added.
    pub(super) excess: Vec<i32>,
}

impl Q8Rows {
    fn new(x: &Columns) -> Self {
        let (rows, groups) = (x.rows(), x.blocks().len() / x.rows() / 2);
        let mut this = Self {
            rows,
            quants: vec![[0; GROUP]; groups * rows],
            scales: vec![0.0; groups * rows],
            excess: vec![0; groups * rows],
        };
        // Eight groups take about as long as handing them to another thread.
        let at_once = 8 * rows;
        let targets = this.quants.par_chunks_mut(at_once).zip(this.scales.par_chunks_mut(at_once));
        let targets = targets.zip(this.excess.par_chunks_mut(at_once));
        x.blocks().par_chunks(2 * at_once).zip(targets).for_each(|(blocks, ((quants, scales), excess))| {
            Arch::new().dispatch(Rounding { rows, blocks, quants, scales, excess });
        });
        this
    }
}

/// Some groups of activations, to be rounded.
struct Rounding<'a> {
    rows: usize,
    blocks: &'a [Block],
    quants: &'a mut [[i8; GROUP]],
    scales: &'a mut [f32],
    excess: &'a mut [i32],
}

impl WithSimd for Rounding<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { rows, blocks, quants, scales, excess } = self;
        for (group, pair) in blocks.chunks_exact(2 * rows).enumerate() {
            for row in 0..rows {
                let mut values = [0.0; GROUP];
                values[..LANES].copy_from_slice(&pair[row].0);
                values[LANES..].copy_from_slice(&pair[rows + row].0);
                let at = group * rows + row;
                (scales[at], quants[at]) = quantized(&values);
                let mut sum = 0;
                for quant in &quants[at] {
                    sum += i32::from(*quant);
                }
                excess[at] = 128 * sum;
            }
        }
    }
}

/// The product with a few panels, one after the other in the slices.
pub(super) struct Panels<'a> {
    pub(super) quants: &'a [Quants],
    pub(super) scales: &'a [[f16; LANES]],
    /// Groups of 32 inputs.
    pub(super) groups: usize,
    pub(super) x: &'a Q8Rows,
    pub(super) out: &'a mut [Block],
}

impl Panels<'_> {
    /// On any processor, as well as the compiler makes it.
    fn apply(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for Panels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self { quants, scales, groups, x, out } = self;
        let panels = quants.chunks_exact(groups * 8).zip(scales.chunks_exact(groups));
        for ((quants, scales), out) in panels.zip(out.chunks_exact_mut(x.rows)) {
            for row in 0..x.rows {
                out[row] = product(quants, scales, x, row);
            }
        }
    }
}

#[inline(always)]
fn product(quants: &[Quants], scales: &[[f16; LANES]], x: &Q8Rows, row: usize) -> Block {
    let mut out = Block::default();
    for (group, scales) in scales.iter().enumerate() {
        let at = group * x.rows + row;
        let mut sums = [-x.excess[at]; LANES];
        for four in 0..8 {
            let weights = &quants[group * 8 + four].0;
            for lane in 0..LANES {
                for place in 0..4 {
                    sums[lane] +=
                        i32::from(weights[4 * lane + place]) * i32::from(x.quants[at][4 * four + place]);
                }
            }
        }
        for lane in 0..LANES {
            out.0[lane] += sums[lane] as f32 * (scales[lane].to_f32() * x.scales[at]);
        }
    }
    out
}
