//! Products of rows with a matrix, beside candle's.
#![expect(clippy::print_stdout, reason = "figures are what this program is for")]

use std::time::Instant;

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, Tensor};
use engine::cpu::{Columns, DenseMatrix, Q8Matrix};

fn best(mut run: impl FnMut()) -> f64 {
    run();
    (0..30)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .fold(f64::INFINITY, f64::min)
}

fn main() {
    let pool = rayon::ThreadPoolBuilder::new().build().expect("pool");
    let mut state = 1u64;
    let mut draw = move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    for (inputs, outputs) in [(768, 4096), (2048, 768), (768, 32000)] {
        let weights: Vec<f32> = (0..inputs * outputs).map(|_| draw()).collect();
        let (mut dense, mut q8) = (DenseMatrix::zeros(outputs, inputs), Q8Matrix::zeros(outputs, inputs));
        for (output, row) in weights.chunks(inputs).enumerate() {
            dense.set_row(output, row);
            q8.set_row(output, row);
        }
        let tensor = Tensor::from_vec(weights, (outputs, inputs), &Device::Cpu).expect("a tensor");
        let theirs =
            QMatMul::from_qtensor(QTensor::quantize(&tensor, GgmlDType::Q8_0).expect("q8")).expect("q8");
        for rows in [1, 2, 4, 8, 32] {
            let x: Vec<f32> = (0..rows * inputs).map(|_| draw()).collect();
            let mut columns = Columns::zeros(rows, inputs);
            x.chunks(inputs).enumerate().for_each(|(row, x)| columns.set_row(row, x));
            let xt = Tensor::from_vec(x, (rows, inputs), &Device::Cpu).expect("a tensor");
            let work = 2.0 * (rows * inputs * outputs) as f64 / 1e9;
            let ours =
                pool.install(|| [best(|| drop(dense.apply(&columns))), best(|| drop(q8.apply(&columns)))]);
            let wt = tensor.t().expect("t");
            let others =
                [best(|| drop(xt.matmul(&wt).expect("mm"))), best(|| drop(theirs.forward(&xt).expect("mm")))];
            let want = xt.matmul(&wt).expect("mm").to_vec2::<f32>().expect("v");
            let far = |got: &Columns| {
                (0..rows)
                    .flat_map(|r| (0..outputs).map(move |c| (r, c)))
                    .map(|(r, c)| (got.get(r, c) - want[r][c]).abs())
                    .fold(0.0f32, f32::max)
            };
            println!(
                "{inputs:>5} x {outputs:<6} m={rows:<4} f32 {:>7.1} GF/s (candle {:>7.1})  q8 {:>7.1} (candle {:>7.1})  ms {:.3} {:.3}  far {:.5} {:.3}",
                work / ours[0],
                work / others[0],
                work / ours[1],
                work / others[1],
                ours[0] * 1e3,
                ours[1] * 1e3,
                far(&dense.apply(&columns)),
                far(&q8.apply(&columns))
            );
        }
    }
}
