//! Products with a matrix of 32-bit floats.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::columns::{Block, Columns, LANES};

/// A matrix of 32-bit floats, sixteen outputs side by side: for each input one block of weights.
#[derive(Clone, Debug)]
pub struct DenseMatrix {
    inputs: usize,
    outputs: usize,
    /// `[outputs / 16][inputs]`; outputs that do not exist are zero.
    blocks: Vec<Block>,
}

impl DenseMatrix {
    /// A matrix of zeros, to be filled by [`DenseMatrix::set_row`].
    #[must_use]
    pub fn zeros(outputs: usize, inputs: usize) -> Self {
        Self { inputs, outputs, blocks: vec![Block::default(); outputs.div_ceil(LANES) * inputs] }
    }

    /// Writes the weights of one output.
    pub fn set_row(&mut self, output: usize, weights: &[f32]) {
        let panel = output / LANES * self.inputs;
        for (block, weight) in self.blocks[panel..panel + self.inputs].iter_mut().zip(weights) {
            block.0[output % LANES] = *weight;
        }
    }

    /// The weights of one output, as embeddings are read.
    pub fn read_row(&self, output: usize, weights: &mut [f32]) {
        let panel = output / LANES * self.inputs;
        for (weight, block) in weights.iter_mut().zip(&self.blocks[panel..panel + self.inputs]) {
            *weight = block.0[output % LANES];
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
        size_of_val(self.blocks.as_slice())
    }

    /// `x · Wᵀ`: the product of every row of `x` with every output.
    #[must_use]
    pub fn apply(&self, x: &Columns) -> Columns {
        let mut out = Columns::zeros(x.rows(), self.outputs);
        let rows = x.rows();
        if rows == 0 {
            return out;
        }
        let panels_at_once = if rows == 1 { 4 } else { 2 };
        let tasks = out.blocks_mut().par_chunks_mut(rows * panels_at_once);
        let weights = self.blocks.par_chunks(self.inputs * panels_at_once);
        tasks.zip(weights).for_each(|(out, weights)| {
            Arch::new().dispatch(Panels { weights, inputs: self.inputs, x: x.blocks(), rows, out });
        });
        out
    }
}

/// The product with a few panels, one after the other in `weights` and in `out`.
struct Panels<'a> {
    weights: &'a [Block],
    inputs: usize,
    x: &'a [Block],
    rows: usize,
    out: &'a mut [Block],
}

impl WithSimd for Panels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let panels = self.weights.len() / self.inputs;
        match panels {
            4 => self.all::<S, 4>(simd, 0),
            2 => self.all::<S, 2>(simd, 0),
            _ => (0..panels).for_each(|panel| self.all::<S, 1>(simd, panel)),
        }
    }
}

impl Panels<'_> {
    #[inline(always)]
    fn all<S: Simd, const P: usize>(&mut self, simd: S, panel: usize) {
        let mut row = 0;
        while row < self.rows {
            row += match self.rows - row {
                1 => self.tile::<S, 1, P>(simd, panel, row),
                2 | 3 => self.tile::<S, 2, P>(simd, panel, row),
                4..8 => self.tile::<S, 4, P>(simd, panel, row),
                _ if S::F32_LANES == LANES => self.tile::<S, 8, P>(simd, panel, row),
                _ => self.tile::<S, 4, P>(simd, panel, row),
            };
        }
    }

    /// `R` rows by `P` panels, their sums in registers.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const P: usize>(&mut self, simd: S, panel: usize, row: usize) -> usize {
        let mut sums = [[[simd.splat_f32s(0.0); LANES]; P]; R];
        let vectors = LANES / S::F32_LANES;
        let weights: [&[Block]; P] =
            std::array::from_fn(|p| &self.weights[(panel + p) * self.inputs..(panel + p + 1) * self.inputs]);
        for (group, x) in self.x.chunks_exact(self.rows).enumerate() {
            let x: &[Block; R] = x[row..row + R].try_into().expect("R rows");
            let weights: [&[Block; LANES]; P] =
                std::array::from_fn(|p| weights[p][group * LANES..][..LANES].try_into().expect("one group"));
            for lane in 0..LANES {
                for r in 0..R {
                    let value = simd.splat_f32s(x[r].0[lane]);
                    for p in 0..P {
                        let weights = S::as_simd_f32s(&weights[p][lane].0).0;
                        for v in 0..vectors {
                            sums[r][p][v] = simd.mul_add_e_f32s(value, weights[v], sums[r][p][v]);
                        }
                    }
                }
            }
        }
        for r in 0..R {
            for p in 0..P {
                let out = S::as_mut_simd_f32s(&mut self.out[(panel + p) * self.rows + row + r].0).0;
                out.copy_from_slice(&sums[r][p][..vectors]);
            }
        }
        R
    }
}
