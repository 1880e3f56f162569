//! The gate of a feed-forward block.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};

use super::slice;

/// `silu(gate) · up` (Shazeer, 2020, equation 6), for equal shapes.
///
/// # Errors
/// When the shapes differ.
pub fn gated(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.apply_op2(up, Gated)
}

struct Gated;

impl CustomOp2 for Gated {
    fn name(&self) -> &'static str {
        "gated"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        l1: &Layout,
        up: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if l1.shape() != l2.shape() {
            bail!("a gate of {:?} does not fit {:?}", l1.dims(), l2.dims());
        }
        let pairs = slice(gate, l1)?.iter().zip(slice(up, l2)?);
        let result = pairs.map(|(gate, up)| gate * sigmoid(*gate) * up).collect();
        Ok((CpuStorage::F32(result), l1.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _result: &Tensor,
        slope: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let slope = slope.contiguous()?;
        // The result is linear in `up`, so its slope is the result with the outer slope in place of `up`.
        let by_up = gate.apply_op2_no_bwd(&slope, &Gated)?;
        let by_gate = gate.apply_op3_no_bwd(up, &slope, &GatedSlope)?;
        Ok((Some(by_gate), Some(by_up)))
    }
}

/// The slope by the gate: `g u σ (1 + x (1 − σ))`.
struct GatedSlope;

impl CustomOp3 for GatedSlope {
    fn name(&self) -> &'static str {
        "gated-slope"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        l1: &Layout,
        up: &CpuStorage,
        l2: &Layout,
        slope: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let numbers = slice(gate, l1)?.iter().zip(slice(up, l2)?).zip(slice(slope, l3)?);
        let result = numbers.map(|((x, up), g)| {
            let share = sigmoid(*x);
            g * up * share * (1.0 + x * (1.0 - share))
        });
        Ok((CpuStorage::F32(result.collect()), l1.shape().clone()))
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}
