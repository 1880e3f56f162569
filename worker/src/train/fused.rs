//! Five operations of the decoder as one pass each, with backward passes of our own.
//!
//! Built from candle's operations each of them walks over memory five to fifteen times, which is most of a small
//! model's step. The tests hold every backward pass against the slope of its forward pass.
//! All take contiguous `f32` on the CPU; the callers in `model.rs` see to it.

mod attention;
mod gate;
mod loss;
mod norm;

use candle_core::{CpuStorage, Layout, Result, bail};

pub use attention::{Rotary, causal_softmax, rotate};
pub use gate::gated;
pub use loss::cross_entropy;
pub use norm::rms_norm;

fn softmax(row: &[f32], shares: &mut [f32]) {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    shares.iter_mut().zip(row).for_each(|(share, x)| *share = (x - highest).exp());
    let inverse = 1.0 / shares.iter().sum::<f32>();
    shares.iter_mut().for_each(|share| *share *= inverse);
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a fused operation takes contiguous tensors"),
    }
}

fn last(layout: &Layout) -> Result<usize> {
    match layout.dims().last() {
        Some(width) if *width > 0 => Ok(*width),
        _ => bail!("a fused operation takes rows of at least one number"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use candle_core::{Device, Tensor, Var};

    use super::*;
    use crate::random::Random;

    fn draw(shape: &[usize], seed: u64) -> Var {
        let mut random = Random::from_seed(seed);
        let values: Vec<f32> = (0..shape.iter().product()).map(|_| random.normal() as f32).collect();
        Var::from_vec(values, shape, &Device::Cpu).expect("a tensor")
    }

    /// Holds the gradient of `loss` by `var` against central differences, one number at a time.
    fn check_slope(var: &Var, loss: impl Fn() -> Result<Tensor>) {
        let gradients = loss().and_then(|loss| loss.backward()).expect("a gradient");
        let gradient = gradients
            .get(var)
            .expect("the weight has a gradient")
            .flatten_all()
            .and_then(|it| it.to_vec1::<f32>());
        let values = var.flatten_all().and_then(|it| it.to_vec1::<f32>()).expect("values");
        let at = |index: usize, shift: f32| -> f32 {
            let mut moved = values.clone();
            moved[index] += shift;
            var.set(&Tensor::from_vec(moved, var.shape(), &Device::Cpu).expect("a tensor")).expect("set");
            loss().and_then(|it| it.to_scalar()).expect("a number")
        };
        for (index, slope) in gradient.expect("values").into_iter().enumerate() {
            let difference = (at(index, 1e-2) - at(index, -1e-2)) / 2e-2;
            // The third derivative leaves an error of some 1e-4 at this step, and f32 one of some 1e-4 beside it.
            assert!(
                (slope - difference).abs() < 3e-3,
                "number {index}: slope {slope}, difference {difference}"
            );
        }
    }

    /// A loss that asks something different of every number of a tensor.
    fn weighted(x: &Tensor) -> Result<Tensor> {
        (x * draw(x.dims(), 9).as_tensor())?.sum_all()
    }

    #[test]
    fn slopes_are_those_of_the_function() {
        let scores = draw(&[2, 3, 3], 1);
        check_slope(&scores, || weighted(&causal_softmax(&scores)?));
        let logits = draw(&[3, 5], 2);
        check_slope(&logits, || cross_entropy(&logits, &[4, 0, 2])? * 0.5);
        let turned = draw(&[1, 2, 3, 4], 5);
        check_slope(&turned, || weighted(&rotate(&turned, &Arc::new(Rotary::new(3, 2, 100.0)))?));
        let (gate, up) = (draw(&[2, 3], 6), draw(&[2, 3], 7));
        check_slope(&gate, || weighted(&gated(&gate, &up)?));
        check_slope(&up, || weighted(&gated(&gate, &up)?));
        let (x, weight) = (draw(&[3, 4], 3), draw(&[4], 4));
        check_slope(&x, || weighted(&rms_norm(&x, &weight, 1e-5)?));
        check_slope(&weight, || weighted(&rms_norm(&x, &weight, 1e-5)?));
    }

    #[test]
    fn a_position_sees_nothing_behind_it() {
        let shares = causal_softmax(&draw(&[1, 3, 3], 1))
            .and_then(|it| it.squeeze(0)?.to_vec2::<f32>())
            .expect("shares");
        assert_eq!(shares[0], [1.0, 0.0, 0.0]);
        assert_eq!(shares[1][2], 0.0);
        assert!(shares.iter().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-6));
    }

    #[test]
    fn huge_logits_stay_numbers() {
        let logits = Tensor::new(&[[1e30f32, -1e30, 0.0]], &Device::Cpu).expect("a tensor");
        let loss =
            |label| cross_entropy(&logits, &[label]).and_then(|it| it.to_scalar::<f32>()).expect("a number");
        assert_eq!(loss(0), 0.0);
        assert!(loss(2).is_finite());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let logits = draw(&[2, 3], 1);
        assert!(cross_entropy(&logits, &[0]).is_err());
        assert!(cross_entropy(&logits, &[0, 3]).is_err());
        assert!(causal_softmax(&logits).is_err());
        assert!(gated(&logits, &draw(&[3, 2], 1)).is_err());
        let tables = Arc::new(Rotary::new(3, 2, 100.0));
        assert!(rotate(&draw(&[1, 1, 4, 4], 1), &tables).is_err(), "longer than the tables");
        assert!(rotate(&draw(&[1, 1, 3, 6], 1), &tables).is_err(), "made for another depth");
        assert!(rms_norm(&logits, &draw(&[2], 1), 1e-5).is_err());
    }
}
