//! Products of rows with a matrix, beside candle's: `cargo bench -p broadside-engine --bench kernels`.

#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

use std::hint::black_box;
use std::time::Instant;

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};
use engine::cpu::{Columns, DenseMatrix, Q8Matrix};

/// Inputs and outputs of the matrices of a small model, its vocabulary among them.
const SHAPES: [(usize, usize); 3] = [(768, 4096), (2048, 768), (768, 32_000)];
const ROWS: [usize; 5] = [1, 2, 8, 32, 128];
/// The best of so many is taken: other work on the machine only ever takes time.
const TURNS: usize = 30;

fn main() {
    println!("billions of operations per second, in brackets candle's");
    for (inputs, outputs) in SHAPES {
        let matrices = Matrices::new(inputs, outputs);
        for rows in ROWS {
            // In the pool, where a decoder's steps run.
            rayon::scope(|_| matrices.measure(rows));
        }
    }
}

/// One matrix in all forms.
struct Matrices {
    inputs: usize,
    outputs: usize,
    dense: DenseMatrix,
    q8: Q8Matrix,
    theirs: Tensor,
    theirs_q8: QMatMul,
}

impl Matrices {
    fn new(inputs: usize, outputs: usize) -> Self {
        let weights = draw(inputs * outputs);
        let (mut dense, mut q8) = (DenseMatrix::zeros(outputs, inputs), Q8Matrix::zeros(outputs, inputs));
        for (output, row) in weights.chunks(inputs).enumerate() {
            dense.set_row(output, row);
            q8.set_row(output, row);
        }
        let tensor = Tensor::from_vec(weights, (outputs, inputs), &Device::Cpu).expect("a tensor");
        let rounded = QTensor::quantize(&tensor, GgmlDType::Q8_0).expect("groups of 32");
        let theirs_q8 = QMatMul::from_qtensor(rounded).expect("a matrix");
        Self { inputs, outputs, dense, q8, theirs: tensor.t().expect("a matrix"), theirs_q8 }
    }

    fn measure(&self, rows: usize) {
        let x = draw(rows * self.inputs);
        let mut columns = Columns::zeros(rows, self.inputs);
        x.chunks(self.inputs).enumerate().for_each(|(row, x)| columns.set_row(row, x));
        let tensor = Tensor::from_vec(x, (rows, self.inputs), &Device::Cpu).expect("a tensor");
        let rate = |run: &dyn Fn()| 2e-9 * (rows * self.inputs * self.outputs) as f64 / best_seconds(run);
        println!(
            "{:>5} × {:<6} {rows:>4} rows   floats {:>6.0} ({:>4.0})   8 bits {:>6.0} ({:>4.0})",
            self.inputs,
            self.outputs,
            rate(&|| drop(black_box(self.dense.apply(&columns)))),
            rate(&|| drop(black_box(tensor.matmul(&self.theirs).expect("a product")))),
            rate(&|| drop(black_box(self.q8.apply(&columns)))),
            rate(&|| drop(black_box(self.theirs_q8.forward(&tensor).expect("a product")))),
        );
    }
}

fn best_seconds(run: &dyn Fn()) -> f64 {
    let turns = (0..TURNS).map(|_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    });
    turns.fold(f64::INFINITY, f64::min)
}

/// Numbers between -1 and 1 by a linear congruential generator (Knuth's MMIX).
fn draw(count: usize) -> Vec<f32> {
    let mut state = 1u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    std::iter::repeat_with(next).take(count).collect()
}
